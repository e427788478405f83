/* Avro bytes for tests, made from JSON by a schema: missing fields take their default, decimals are given as texts ("249.99"), bytes as texts, a union
 * takes null for null and its first other branch for anything else. Independent of avro-c and of the encoder under test. */
#ifndef BRIDGE_TESTS_AVRO_BYTES_H
#define BRIDGE_TESTS_AVRO_BYTES_H

#include <string.h>

#include "common/base/buf.h"
#include "common/contract/decimal.h"
#include "common/contract/schema.h"

static inline void bytes_long(struct buf *b, int64_t v)
{
    uint64_t u = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
    for (; u >= 0x80; u >>= 7)
        buf_put_byte(b, (unsigned char)(u | 0x80));
    buf_put_byte(b, (unsigned char)u);
}

static inline void bytes_text(struct buf *b, const char *text)
{
    bytes_long(b, (int64_t)strlen(text));
    buf_put_text(b, text);
}

static inline void bytes_value(struct buf *b, const struct schema_node *s, const json_t *v)
{
    const char *key;
    json_t *member;
    switch (s->kind) {
    case SCHEMA_NULL:
        assert_true(json_is_null(v));
        return;
    case SCHEMA_BOOLEAN:
        assert_true(json_is_boolean(v));
        buf_put_byte(b, json_is_true(v));
        return;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        assert_true(json_is_integer(v));
        bytes_long(b, json_integer_value(v));
        return;
    case SCHEMA_FLOAT: {
        float f = (float)json_number_value(v); /* the tests run on little-endian machines */
        buf_put(b, &f, sizeof f);
        return;
    }
    case SCHEMA_DOUBLE: {
        double d = json_number_value(v);
        buf_put(b, &d, sizeof d);
        return;
    }
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
    case SCHEMA_FIXED:
        assert_true(json_is_string(v));
        if (s->logical == SCHEMA_DECIMAL) {
            unsigned char raw[DECIMAL_BYTES];
            decimal_t number = 0;
            assert_int_equal(decimal_parse(json_string_value(v), json_string_length(v), s->precision, s->scale, &number, NULL), RC_OK);
            size_t n = decimal_to_bytes(number, raw);
            bytes_long(b, (int64_t)n);
            buf_put(b, raw, n);
            return;
        }
        if (s->kind != SCHEMA_FIXED)
            bytes_long(b, (int64_t)json_string_length(v));
        buf_put(b, json_string_value(v), json_string_length(v));
        return;
    case SCHEMA_ENUM:
        for (size_t i = 0; i < s->count; i++)
            if (strcmp(s->symbols[i], json_string_value(v)) == 0) {
                bytes_long(b, (int64_t)i);
                return;
            }
        fail();
        return;
    case SCHEMA_ARRAY:
        if (json_array_size(v) > 0)
            bytes_long(b, (int64_t)json_array_size(v));
        for (size_t i = 0; i < json_array_size(v); i++)
            bytes_value(b, s->branches[0], json_array_get(v, i));
        bytes_long(b, 0);
        return;
    case SCHEMA_MAP:
        if (json_object_size(v) > 0)
            bytes_long(b, (int64_t)json_object_size(v));
        json_object_foreach((json_t *)v, key, member)
        {
            bytes_text(b, key);
            bytes_value(b, s->branches[0], member);
        }
        bytes_long(b, 0);
        return;
    case SCHEMA_RECORD:
        for (size_t i = 0; i < s->count; i++) {
            const json_t *given = json_object_get(v, s->fields[i].name);
            given = given == NULL ? s->fields[i].initial : given;
            if (given == NULL)
                fail_msg("field %s is neither given nor has it a default", s->fields[i].name);
            bytes_value(b, s->fields[i].type, given);
        }
        return;
    case SCHEMA_UNION:
        for (size_t i = 0; i < s->count; i++)
            if ((s->branches[i]->kind == SCHEMA_NULL) == (json_is_null(v) != 0)) {
                bytes_long(b, (int64_t)i);
                bytes_value(b, s->branches[i], v);
                return;
            }
        fail();
    }
}

/* Appends the bytes of the JSON text. */
static inline void bytes_json(struct buf *b, const struct schema *s, const char *text)
{
    json_error_t je;
    json_t *v = json_loads(text, JSON_DECODE_ANY, &je);
    if (v == NULL)
        fail_msg("line %d: %s", je.line, je.text);
    bytes_value(b, schema_root(s), v);
    json_decref(v);
    assert_false(buf_failed(b));
}

/* Parses a schema that must be sound. */
static inline struct schema *schema_of(const char *text)
{
    struct schema *s = NULL;
    struct err e = {0};
    if (schema_parse(text, strlen(text), &s, &e) != RC_OK)
        fail_msg("%s", e.text);
    return s;
}

#endif
