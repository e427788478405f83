#include "common/contract/avro_default.h"

#include <string.h>

#include "common/contract/avro_put.h"
#include "common/contract/schema_build.h"
#include "common/contract/schema_default.h"

static void put_value(const struct schema_node *type, const json_t *value, struct buf *out, int depth);

static void put_real(struct buf *out, const struct schema_node *type, double v)
{
    if (type->kind == SCHEMA_FLOAT)
        avro_put_float(out, (float)v);
    else
        avro_put_double(out, v);
}

static void put_bytes(struct buf *out, const struct schema_node *type, const json_t *value)
{
    unsigned char bytes[SCHEMA_DEFAULT_BYTES];
    size_t n = schema_default_bytes(value, bytes, sizeof bytes);
    if (n == SIZE_MAX) {
        out->failed = true;
        return;
    }
    if (type->kind == SCHEMA_BYTES)
        avro_put_long(out, (int64_t)n);
    buf_put(out, bytes, n);
}

static void put_symbol(struct buf *out, const struct schema_node *type, const json_t *value)
{
    for (size_t i = 0; i < type->count; i++)
        if (strcmp(type->symbols[i], json_string_value(value)) == 0)
            avro_put_long(out, (int64_t)i);
}

static void put_items(struct buf *out, const struct schema_node *type, const json_t *value, int depth)
{
    const char *key;
    json_t *member;
    size_t n = type->kind == SCHEMA_ARRAY ? json_array_size(value) : json_object_size(value);
    if (n > 0)
        avro_put_long(out, (int64_t)n);
    if (type->kind == SCHEMA_ARRAY)
        for (size_t i = 0; i < n; i++)
            put_value(type->branches[0], json_array_get(value, i), out, depth);
    else
        json_object_foreach((json_t *)value, key, member)
        {
            avro_put_long(out, (int64_t)strlen(key));
            buf_put_text(out, key);
            put_value(type->branches[0], member, out, depth);
        }
    avro_put_long(out, 0);
}

/* Members that a default leaves out take their own, so in a recursive type a default may never end. */
static void put_value(const struct schema_node *type, const json_t *value, struct buf *out, int depth)
{
    if (++depth > SCHEMA_DEPTH) {
        out->failed = true;
        return;
    }
    switch (type->kind) {
    case SCHEMA_NULL:
        return;
    case SCHEMA_BOOLEAN:
        buf_put_byte(out, json_is_true(value) ? 1 : 0);
        return;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        avro_put_long(out, json_integer_value(value));
        return;
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        put_real(out, type, json_number_value(value));
        return;
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        put_bytes(out, type, value);
        return;
    case SCHEMA_STRING:
        avro_put_long(out, (int64_t)json_string_length(value));
        buf_put(out, json_string_value(value), json_string_length(value));
        return;
    case SCHEMA_ENUM:
        put_symbol(out, type, value);
        return;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        put_items(out, type, value, depth);
        return;
    case SCHEMA_RECORD:
        for (size_t i = 0; i < type->count && !buf_failed(out); i++) {
            const json_t *member = json_object_get(value, type->fields[i].name);
            put_value(type->fields[i].type, member != NULL ? member : type->fields[i].initial, out, depth);
        }
        return;
    case SCHEMA_UNION:
        avro_put_long(out, 0);
        put_value(type->branches[0], value, out, depth);
        return;
    }
}

void avro_default_put(const struct schema_node *type, const json_t *value, struct buf *out)
{
    put_value(type, value, out, 0);
}
