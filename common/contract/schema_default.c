#include "common/contract/schema_default.h"

#include <string.h>

#include "common/contract/decimal.h"
#include "common/contract/schema_build.h"

static bool check(const struct schema_node *type, const json_t *value, int depth, struct err *e);

static bool misfit(struct err *e, const char *wanted)
{
    err_set(e, "the default must be %s", wanted);
    return false;
}

size_t schema_default_bytes(const json_t *value, unsigned char *out, size_t room)
{
    const unsigned char *p = (const unsigned char *)json_string_value(value); /* valid UTF-8: jansson saw to it */
    size_t n = json_string_length(value), made = 0;
    if (p == NULL)
        return SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        unsigned c = p[i];
        if (c >= 0x80) {
            if (c > 0xC3 || i + 1 == n)
                return SIZE_MAX;
            c = (c & 0x03u) << 6 | (p[++i] & 0x3Fu);
        }
        if (made == room)
            return SIZE_MAX;
        out[made++] = (unsigned char)c;
    }
    return made;
}

static bool check_bytes(const struct schema_node *type, const json_t *value, struct err *e)
{
    unsigned char bytes[SCHEMA_DEFAULT_BYTES];
    decimal_t number;
    size_t n = schema_default_bytes(value, bytes, sizeof bytes);
    if (n == SIZE_MAX)
        return misfit(e, "a string of characters up to U+00FF, 4096 at most");
    if (type->kind == SCHEMA_FIXED && n != type->size)
        return misfit(e, "exactly as long as the fixed type");
    if (type->logical == SCHEMA_DECIMAL && decimal_from_bytes(bytes, n, type->precision, &number, NULL) != RC_OK)
        return misfit(e, "the bytes of a decimal of that precision");
    return true;
}

static bool check_symbol(const struct schema_node *type, const json_t *value, struct err *e)
{
    for (size_t i = 0; json_is_string(value) && i < type->count; i++)
        if (strlen(type->symbols[i]) == json_string_length(value) && strcmp(type->symbols[i], json_string_value(value)) == 0)
            return true;
    return misfit(e, "a symbol of the enum");
}

static bool check_array(const struct schema_node *type, const json_t *value, int depth, struct err *e)
{
    if (!json_is_array(value))
        return misfit(e, "an array");
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!check(type->branches[0], json_array_get(value, i), depth, e))
            return false;
    return true;
}

static bool check_map(const struct schema_node *type, const json_t *value, int depth, struct err *e)
{
    const char *key;
    json_t *member;
    if (!json_is_object(value))
        return misfit(e, "an object");
    json_object_foreach((json_t *)value, key, member)
        if (!check(type->branches[0], member, depth, e))
            return false;
    return true;
}

static bool check_record(const struct schema_node *type, const json_t *value, int depth, struct err *e)
{
    size_t known = 0;
    if (!json_is_object(value))
        return misfit(e, "an object");
    for (size_t i = 0; i < type->count; i++) {
        const json_t *member = json_object_get(value, type->fields[i].name);
        known += member != NULL;
        if (member == NULL && type->fields[i].initial == NULL) {
            err_set(e, "the default lacks field %s", type->fields[i].name);
            return false;
        }
        if (member != NULL && !check(type->fields[i].type, member, depth, e))
            return false;
    }
    return known == json_object_size(value) ? true : misfit(e, "an object with fields of the record only");
}

static bool check_integer(const json_t *value, int64_t low, int64_t high, struct err *e)
{
    json_int_t v = json_integer_value(value);
    return json_is_integer(value) && v >= low && v <= high ? true : misfit(e, "an integer in the type's range");
}

static bool check(const struct schema_node *type, const json_t *value, int depth, struct err *e)
{
    if (depth >= SCHEMA_DEPTH) /* a recursive type may nest as deep as its default */
        return misfit(e, "nested less deep");
    switch (type->kind) {
    case SCHEMA_NULL:
        return json_is_null(value) ? true : misfit(e, "null");
    case SCHEMA_BOOLEAN:
        return json_is_boolean(value) ? true : misfit(e, "true or false");
    case SCHEMA_INT:
        return check_integer(value, INT32_MIN, INT32_MAX, e);
    case SCHEMA_LONG:
        return check_integer(value, INT64_MIN, INT64_MAX, e);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return json_is_number(value) ? true : misfit(e, "a number");
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        return check_bytes(type, value, e);
    case SCHEMA_STRING:
        return json_is_string(value) ? true : misfit(e, "a string");
    case SCHEMA_ENUM:
        return check_symbol(type, value, e);
    case SCHEMA_ARRAY:
        return check_array(type, value, depth + 1, e);
    case SCHEMA_MAP:
        return check_map(type, value, depth + 1, e);
    case SCHEMA_RECORD:
        return check_record(type, value, depth + 1, e);
    case SCHEMA_UNION:
        return check(type->branches[0], value, depth + 1, e);
    }
    return misfit(e, "of a known type");
}

enum rc schema_default_check(const struct schema_node *type, const json_t *value, struct err *e)
{
    return check(type, value, 0, e) ? RC_OK : RC_REJECT;
}
