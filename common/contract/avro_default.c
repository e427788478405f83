#include "common/contract/avro_default.h"

#include <string.h>

#include "common/contract/schema_default.h"

static void put_long(struct buf *out, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
    for (; z >= 0x80; z >>= 7)
        buf_put_byte(out, (unsigned char)(z | 0x80));
    buf_put_byte(out, (unsigned char)z);
}

/* IEEE 754, least significant byte first. */
static void put_real(struct buf *out, const struct schema_node *type, double v)
{
    float narrow = (float)v;
    uint32_t bits32 = 0;
    uint64_t bits = 0;
    memcpy(&bits32, &narrow, sizeof bits32);
    memcpy(&bits, &v, sizeof bits);
    size_t n = type->kind == SCHEMA_FLOAT ? 4 : 8;
    if (n == 4)
        bits = bits32;
    for (size_t i = 0; i < n; i++, bits >>= 8)
        buf_put_byte(out, (unsigned char)bits);
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
        put_long(out, (int64_t)n);
    buf_put(out, bytes, n);
}

static void put_symbol(struct buf *out, const struct schema_node *type, const json_t *value)
{
    for (size_t i = 0; i < type->count; i++)
        if (strcmp(type->symbols[i], json_string_value(value)) == 0)
            put_long(out, (int64_t)i);
}

static void put_items(struct buf *out, const struct schema_node *type, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t n = type->kind == SCHEMA_ARRAY ? json_array_size(value) : json_object_size(value);
    if (n > 0)
        put_long(out, (int64_t)n);
    if (type->kind == SCHEMA_ARRAY)
        for (size_t i = 0; i < n; i++)
            avro_default_put(type->branches[0], json_array_get(value, i), out);
    else
        json_object_foreach((json_t *)value, key, member)
        {
            put_long(out, (int64_t)strlen(key));
            buf_put_text(out, key);
            avro_default_put(type->branches[0], member, out);
        }
    put_long(out, 0);
}

void avro_default_put(const struct schema_node *type, const json_t *value, struct buf *out)
{
    switch (type->kind) {
    case SCHEMA_NULL:
        return;
    case SCHEMA_BOOLEAN:
        buf_put_byte(out, json_is_true(value) ? 1 : 0);
        return;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        put_long(out, json_integer_value(value));
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
        put_long(out, (int64_t)json_string_length(value));
        buf_put(out, json_string_value(value), json_string_length(value));
        return;
    case SCHEMA_ENUM:
        put_symbol(out, type, value);
        return;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        put_items(out, type, value);
        return;
    case SCHEMA_RECORD:
        for (size_t i = 0; i < type->count && !buf_failed(out); i++) {
            const json_t *member = json_object_get(value, type->fields[i].name);
            avro_default_put(type->fields[i].type, member != NULL ? member : type->fields[i].initial, out);
        }
        return;
    case SCHEMA_UNION:
        put_long(out, 0);
        avro_default_put(type->branches[0], value, out);
        return;
    }
}
