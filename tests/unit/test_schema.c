#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_default.h"
#include "common/contract/schema_canon.h"
#include "common/contract/schema_default.h"
#include "tests/unit/avro_bytes.h"

static void expect_refused(const char *text, const char *words)
{
    struct schema *s = NULL;
    struct err e = {0};
    enum rc rc = schema_parse(text, strlen(text), &s, &e);
    if (rc != RC_REJECT || s != NULL || strstr(e.text, words) == NULL)
        fail_msg("%s: code %d, words '%s', wanted '%s'", text, rc, e.text, words);
}

/* A record with one field of this type (and default). */
static void expect_field_refused(const char *type_and_more, const char *words)
{
    char text[2000];
    struct err e = {0};
    struct schema *s = NULL;
    int n = snprintf(text, sizeof text, "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"f\",\"type\":%s}]}", type_and_more);
    assert_int_equal(schema_parse(text, (size_t)n, &s, &e), RC_REJECT);
    if (strstr(e.text, words) == NULL || strncmp(e.text, "record a.R: field f: ", 21) != 0)
        fail_msg("%s: words '%s', wanted '%s'", type_and_more, e.text, words);
}

static void expect_field_taken(const char *type_and_more)
{
    char text[2000];
    (void)snprintf(text, sizeof text, "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"f\",\"type\":%s}]}", type_and_more);
    schema_destroy(schema_of(text));
}

static void the_built_in_schemas_are_sound_and_keep_their_attributes(void **state)
{
    (void)state;
    static const char *const names[] = {"Order", "OrderOutcome", "OrderStatus", "OrderState"};
    for (size_t i = 0; i < 4; i++) {
        struct schema *s = schema_of(schema_builtin(names[i]));
        assert_string_equal(schema_text(s), schema_builtin(names[i]));
        assert_string_equal(avro_schema_name(schema_avro(s)), names[i]);
        schema_destroy(s);
    }
    assert_null(schema_builtin("Other"));
    struct schema *s = schema_of(schema_builtin("Order"));
    const struct schema_node *root = schema_root(s);
    assert_string_equal(root->name, "xsale.Order");
    const struct schema_field *net = schema_field(root, "totalNet");
    assert_int_equal(net->type->branches[1]->logical, SCHEMA_DECIMAL);
    assert_int_equal(net->type->branches[1]->precision, 18);
    assert_int_equal(net->type->branches[1]->scale, 4);
    assert_string_equal(json_string_value(json_array_get(json_object_get(net->json, "xsale"), 0)), "/TotalNet");
    assert_true(json_is_null(net->initial));
    assert_int_equal(schema_field(root, "publication")->type->logical, SCHEMA_TIMESTAMP_MILLIS);
    assert_ptr_equal(schema_field(root, "buyer")->type->branches[1], schema_field(root, "payer")->type->branches[1]);
    assert_null(schema_field(root, "nothing"));
    assert_null(schema_field(net->type, "totalNet"));
    const struct schema_node *item = schema_field(root, "items")->type->branches[0];
    assert_string_equal(item->name, "xsale.Item");
    assert_int_equal(item->min_bytes, 5 + 1 + 2 + 1);
    schema_destroy(s);
    schema_destroy(NULL);
}

static void names_follow_their_namespaces(void **state)
{
    (void)state;
    struct schema *s = schema_of("{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"fields\":["
                                 "{\"name\":\"x\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},"
                                 "{\"name\":\"y\",\"type\":{\"type\":\"record\",\"name\":\"c.S\",\"fields\":["
                                 "{\"name\":\"in\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
                                 "{\"name\":\"out\",\"type\":\"a.b.E\"}]}},"
                                 "{\"name\":\"z\",\"type\":\"E\"},{\"name\":\"f\",\"type\":\"c.F\"},"
                                 "{\"name\":\"self\",\"type\":[\"null\",\"R\"]},{\"name\":\"d\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}}]}");
    const struct schema_node *r = schema_root(s);
    assert_string_equal(r->name, "a.b.R");
    assert_string_equal(r->fields[0].type->name, "a.b.E");
    assert_string_equal(r->fields[1].type->name, "c.S");
    assert_string_equal(r->fields[1].type->fields[0].type->name, "c.F");
    assert_ptr_equal(r->fields[1].type->fields[1].type, r->fields[0].type);
    assert_ptr_equal(r->fields[2].type, r->fields[0].type);
    assert_ptr_equal(r->fields[4].type->branches[1], r);
    assert_int_equal(r->fields[5].type->logical, SCHEMA_DATE);
    schema_destroy(s);
    expect_refused("{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"enum\",\"name\":\"b.E\",\"symbols\":[\"A\"]}},"
                   "{\"name\":\"y\",\"type\":\"E\"}]}",
                   "record a.R: field y: unknown type 'E'");
}

static void what_is_no_json_is_refused_with_its_line(void **state)
{
    (void)state;
    expect_refused("{\n\"type\": nope}", "line 2");
    expect_refused("", "line 1");
    expect_refused("{\"type\":\"int\",\"type\":\"long\"}", "duplicate");
    expect_refused("12", "must be a name");
    expect_refused("{\"type\":{\"type\":\"int\"}}", "must be a name");
    expect_refused("\"nothing\"", "unknown type 'nothing'");
    char *large = malloc((1 << 20) + 1);
    assert_non_null(large);
    memset(large, ' ', (1 << 20) + 1);
    struct schema *s = NULL;
    struct err e = {0};
    assert_int_equal(schema_parse(large, (1 << 20) + 1, &s, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "1 MB"));
    free(large);
}

static void what_avro_c_lets_pass_is_refused_with_record_and_field(void **state)
{
    (void)state;
    expect_refused("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\"}]}",
                   "record R: field a is given twice");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"A\"]}", "enum a.E: symbol A is given twice");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}", "1 to 4096");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A-B\"]}", "symbol 1 is bad");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}", "the default is no symbol");
    expect_field_refused("[\"null\",[\"int\"]]", "a union stands directly in a union");
    expect_field_refused("[\"null\",\"int\",\"int\"]", "two branches of the same type");
    expect_field_refused("[{\"type\":\"array\",\"items\":\"int\"},{\"type\":\"array\",\"items\":\"long\"}]", "two branches");
    expect_field_refused("[]", "1 to 4096 branches");
    expect_field_refused("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":5}", "scale is larger");
    expect_field_refused("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":-1}", "scale must be");
    expect_field_refused("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"scale\":1}", "precision must be");
    expect_field_refused("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":39}", "precision must be");
    expect_field_refused("{\"type\":\"string\",\"logicalType\":\"decimal\",\"precision\":4}", "must be bytes or fixed");
    expect_field_refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2,\"logicalType\":\"decimal\",\"precision\":5}", "does not fit");
    expect_field_refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":-2}", "size must be");
    expect_field_refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":1048577}", "size must be");
    expect_field_refused("{\"type\":\"long\",\"logicalType\":\"date\"}", "must be an int");
    expect_field_refused("{\"type\":\"int\",\"logicalType\":\"timestamp-millis\"}", "must be a long");
    expect_field_refused("{\"type\":\"int\",\"logicalType\":7}", "must be a string");
    expect_field_refused("{\"type\":\"array\"}", "items are missing");
    expect_field_refused("{\"type\":\"map\"}", "values are missing");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"a b\",\"symbols\":[\"A\"]}", "bad name");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"a..b\",\"symbols\":[\"A\"]}", "bad name");
    expect_field_refused("{\"type\":\"enum\",\"symbols\":[\"A\"]}", "needs a name");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"R\",\"symbols\":[\"A\"]}", "given twice");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"x.string\",\"symbols\":[\"A\"]}", "primitive");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"E\",\"namespace\":\"1a\",\"symbols\":[\"A\"]}", "bad namespace");
    expect_field_refused("{\"type\":\"record\",\"name\":\"S\"}", "fields must be");
    expect_field_refused("{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"x\"}]}", "record a.S: field x: type is missing");
    expect_field_refused("{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"9x\",\"type\":\"int\"}]}", "field 1: its name");
    expect_field_refused("\"R\"", "holds itself");
}

static void collect(void *arg, int line, const char *words)
{
    buf_printf(arg, "%d: %s\n", line, words);
}

static void expect_told(const char *text, const char *wanted)
{
    struct schema *s = NULL;
    struct err e = {0};
    struct buf told;
    buf_init(&told, 1 << 16);
    assert_int_equal(schema_parse_told(text, strlen(text), collect, &told, &s, &e), RC_REJECT);
    assert_null(s);
    assert_string_equal(buf_text(&told), wanted);
    buf_release(&told);
}

static void every_fault_is_told_with_its_line(void **state)
{
    (void)state;
    expect_told("{\"type\": \"record\", \"name\": \"R\", \"doc\": \"{[\\\"\\n\", \"n\": [1, true, -2e5,\nnull], \"fields\": [\n"
                "{\"name\": \"a\", \"type\": \"int\"},\n"
                "{\"name\": \"a\", \"type\": \"int\"},\n"
                "{\"name\": \"b\", \"type\": {\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\n\"A\",\n\"B\",\n\"A\",\n\"-\"]}},\n"
                "{\"name\": \"c\", \"type\": \"E\"},\n"
                "{\"name\": \"d\", \"type\": [\n\"null\",\n[\"int\"],\n\"null\",\n\"nope\"]},\n"
                "{\"name\": \"e\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 2, \"scale\": 3}},\n"
                "{\"name\": \"f\", \"type\": \"int\",\n\"default\": 1.5},\n"
                "{\"name\": \"g\", \"type\": \"int\", \"x\": null,\n\"default\": null},\n"
                "{\"name\": \"h\",\n\"type\": true},\n"
                "null,\n"
                "{\"name\": \"i\", \"type\": {\"type\": \"record\", \"name\": \"S\", \"fields\": [\n"
                "{\"name\": \"k\", \"type\": {\"type\": \"array\"}},\n"
                "{\"name\": \"l\"}]}}\n]}",
                "4: record R: field a is given twice\n"
                "8: record R: field b: enum E: symbol A is given twice\n"
                "9: record R: field b: enum E: symbol 4 is bad\n"
                "13: record R: field d: a union stands directly in a union\n"
                "14: record R: field d: a union has two branches of the same type\n"
                "15: record R: field d: unknown type 'nope'\n"
                "16: record R: field e: decimal: scale is larger than precision\n"
                "18: record R: field f: the default must be an integer in the type's range\n"
                "19: record R: field g: the default must be an integer in the type's range\n"
                "21: record R: field h: a type must be a name, an array or an object with a type name\n"
                "1: record R: field 10: its name is missing or bad\n"
                "25: record R: field i: record S: field k: items are missing\n"
                "26: record R: field i: record S: field l: type is missing\n");
    expect_told("{\n\"type\": nope}", "2: column 12: invalid token near 'nope'\n");
    expect_told("\n\n\"nope\"", "3: unknown type 'nope'\n");
}

static void of_many_faults_the_first_are_told_and_the_rest_counted(void **state)
{
    (void)state;
    struct schema *s = NULL;
    struct err e = {0};
    struct buf text, told;
    buf_init(&text, 1 << 16);
    buf_init(&told, 1 << 16);
    buf_put_text(&text, "[");
    for (int i = 0; i < 70; i++)
        buf_printf(&text, "%s\n\"no%d\"", i > 0 ? "," : "", i);
    buf_put_text(&text, "]");
    assert_int_equal(schema_parse_told(buf_text(&text), text.n, collect, &told, &s, &e), RC_REJECT);
    assert_string_equal(e.text, "unknown type 'no0' (and 69 more)");
    assert_non_null(strstr(buf_text(&told), "\n51: unknown type 'no49'\n"));
    assert_null(strstr(buf_text(&told), "no50"));
    buf_release(&text);
    buf_release(&told);
}

static void a_zero_may_stand_in_a_default_only(void **state)
{
    (void)state;
    static const char *const taken[] = {
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":4},\"default\":\"\\u0000\"",
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":3},\"default\":\"\\u0000\\u00ff\\u0000\"",
        "\"string\",\"default\":\"a\\u0000b\"",
        "{\"type\":\"array\",\"items\":\"bytes\"},\"default\":[\"\\u0000\"]",
    };
    static const char bytes[][5] = {{2, 0}, {0, -1, 0}, {6, 'a', 0, 'b'}, {2, 2, 0, 0}};
    static const size_t lengths[] = {2, 3, 4, 4};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        char text[400];
        struct buf out;
        (void)snprintf(text, sizeof text, "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"f\",\"type\":%s}]}", taken[i]);
        struct schema *s = schema_of(text);
        const struct schema_field *f = schema_field(schema_root(s), "f");
        buf_init(&out, 64);
        avro_default_put(f->type, f->initial, &out);
        assert_int_equal(out.n, lengths[i]);
        assert_memory_equal(out.p, bytes[i], out.n);
        assert_string_equal(schema_text(s), text); /* as a registry gets it */
        buf_release(&out);
        schema_destroy(s);
    }
    expect_field_refused("\"int\",\"default\":\"\\u0000\"", "integer");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]},\"default\":\"A\\u0000\"", "a symbol of the enum");
    expect_field_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"A\\u0000b\"}", "no symbol");
    expect_refused("{\"type\":\"record\",\"name\":\"R\\u0000x\",\"fields\":[]}", "U+0000 may stand in a default only");
    expect_refused("{\"type\":\"int\",\"logicalType\":\"da\\u0000te\"}", "U+0000 may stand in a default only");
    expect_refused("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":\"int\",\"xsale\":[\"/a\\u0000\"]}]}", "U+0000 may stand in a default only");
    expect_refused("{\"a\\u0000\":1}", "line 1"); /* jansson's own */
}

static void a_default_must_fit_its_type(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\"null\",\"default\":0",
        "\"boolean\",\"default\":\"true\"",
        "\"int\",\"default\":2147483648",
        "\"int\",\"default\":1.0",
        "\"long\",\"default\":\"1\"",
        "\"double\",\"default\":\"NaN\"",
        "\"string\",\"default\":null",
        "\"bytes\",\"default\":\"\\u0100\"",
        "\"bytes\",\"default\":\"\\u20ac\"",
        "[\"null\",\"string\"],\"default\":\"\"",
        "[\"string\",\"null\"],\"default\":null",
        "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]},\"default\":\"B\"",
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},\"default\":\"a\"",
        "{\"type\":\"array\",\"items\":\"int\"},\"default\":[1,\"2\"]",
        "{\"type\":\"array\",\"items\":\"int\"},\"default\":{}",
        "{\"type\":\"map\",\"values\":\"int\"},\"default\":{\"a\":null}",
        "{\"type\":\"map\",\"values\":\"int\"},\"default\":[]",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2},\"default\":\"\"",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2},\"default\":\"\\u0064\"",
        "{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]},\"default\":{}",
        "{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]},\"default\":{\"x\":1,\"y\":2}",
        "{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]},\"default\":7",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_field_refused(bad[i], "the default");
    static const char *const good[] = {
        "\"null\",\"default\":null",
        "\"int\",\"default\":-2147483648",
        "\"long\",\"default\":9223372036854775807",
        "\"float\",\"default\":1",
        "\"bytes\",\"default\":\"\\u00ff\"",
        "[\"null\",\"string\"],\"default\":null",
        "[\"string\",\"null\"],\"default\":\"x\"",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2},\"default\":\"c\"",
        "{\"type\":\"array\",\"items\":[\"null\",\"int\"]},\"default\":[null]",
        "{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"x\",\"type\":\"int\",\"default\":1}]},\"default\":{}",
        "[\"null\",{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"n\",\"type\":[\"null\",\"L\"]}]}],\"default\":null",
        "{\"type\":\"string\",\"logicalType\":\"unheard-of\"}",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect_field_taken(good[i]);
}

static void default_bytes_are_characters_up_to_ff(void **state)
{
    (void)state;
    unsigned char out[4];
    json_t *text = json_string("a\xC3\xBF\xC2\x80");
    assert_int_equal(schema_default_bytes(text, out, sizeof out), 3);
    assert_memory_equal(out, "a\xFF\x80", 3);
    assert_true(schema_default_bytes(text, out, 2) == SIZE_MAX);
    assert_true(schema_default_bytes(json_null(), out, 2) == SIZE_MAX);
    json_decref(text);
}

/* Nested by brackets, by names, and by using a record twice in each of many. */
static void what_grows_without_bound_is_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 2000; i++)
        buf_put_text(&b, "{\"type\":\"array\",\"items\":");
    buf_put_text(&b, "\"int\"");
    for (int i = 0; i < 2000; i++)
        buf_put_byte(&b, '}');
    expect_refused(buf_text(&b), "too deep");
    for (int twice = 0; twice < 2; twice++) {
        buf_reset(&b);
        buf_put_text(&b, "[{\"type\":\"record\",\"name\":\"R0\",\"fields\":[]}");
        for (int i = 1; i < 100; i++) {
            buf_printf(&b, ",{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\",\"type\":\"R%d\"}", i, i - 1);
            if (twice)
                buf_printf(&b, ",{\"name\":\"b\",\"type\":\"R%d\"}", i - 1);
            buf_put_text(&b, "]}");
        }
        buf_put_byte(&b, ']');
        expect_refused(buf_text(&b), twice ? "too large" : "too deep");
    }
    buf_reset(&b);
    buf_put_text(&b, "[\"int\"");
    for (int i = 0; i < 1100; i++)
        buf_printf(&b, ",{\"type\":\"fixed\",\"name\":\"F%d\",\"size\":1}", i);
    buf_put_byte(&b, ']');
    expect_refused(buf_text(&b), "too many named types");
    buf_release(&b);
}

static void expect_fingerprint(const char *text, uint64_t wanted)
{
    struct schema *s = schema_of(text);
    assert_true(schema_fingerprint(s) == wanted);
    schema_destroy(s);
}

/* The numbers are fastavro's for the same texts. */
static void fingerprints_are_those_of_another_implementation(void **state)
{
    (void)state;
    expect_fingerprint("\"int\"", UINT64_C(0x7275d51a3f395c8f));
    expect_fingerprint("{\"type\":\"string\",\"doc\":\"x\"}", UINT64_C(0x8f014872634503c7));
    expect_fingerprint("{\"type\":\"fixed\",\"name\":\"MD5\",\"namespace\":\"org.x\",\"size\":16}", UINT64_C(0xdf098c3e65ed7bca));
    const char *text = "{\"type\":\"record\",\"doc\":\"d\",\"name\":\"N\",\"namespace\":\"a.b\",\"fields\":["
                       "{\"name\":\"next\",\"type\":[\"null\",\"N\"],\"default\":null},"
                       "{\"name\":\"e\",\"xsale\":[\"/E\"],\"type\":{\"type\":\"enum\",\"name\":\"c.E\",\"symbols\":[\"A\",\"B\"]}},"
                       "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"c.E\"}},{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":\"long\"}}]}";
    expect_fingerprint(text, UINT64_C(0x08e8f976cba5643e));
    struct schema *s = schema_of(text);
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(schema_canon_print(schema_root(s), &b, NULL), RC_OK);
    assert_string_equal(buf_text(&b), "{\"name\":\"a.b.N\",\"type\":\"record\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"a.b.N\"]},"
                                      "{\"name\":\"e\",\"type\":{\"name\":\"c.E\",\"type\":\"enum\",\"symbols\":[\"A\",\"B\"]}},"
                                      "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"c.E\"}},"
                                      "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":\"long\"}}]}");
    b.max = b.n;
    assert_int_equal(schema_canon_print(schema_root(s), &b, NULL), RC_FATAL);
    buf_release(&b);
    schema_destroy(s);
}

/* Truncated and altered schemas: whatever happens, nothing leaks and nothing is read past its end. */
static void no_altered_schema_does_harm(void **state)
{
    (void)state;
    const char *text = schema_builtin("OrderStatus");
    size_t n = strlen(text), taken = 0;
    uint32_t seed = 1;
    char *copy = malloc(n);
    assert_non_null(copy);
    for (int i = 0; i < 1500; i++) {
        struct schema *s = NULL;
        struct err e = {0};
        memcpy(copy, text, n);
        for (int k = 0; k < 1 + i % 4; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % n] = (char)(i % 3 == 0 ? "{}[],:\"\\09aZ"[seed % 12] : (char)(seed >> 3 & 0x7F));
        }
        enum rc rc = schema_parse(copy, i % 5 == 0 ? (seed >> 8) % n : n, &s, &e);
        assert_true(rc == RC_OK || (rc == RC_REJECT && e.text[0] != '\0'));
        taken += rc == RC_OK;
        schema_destroy(s);
    }
    assert_true(taken > 0);
    free(copy);
}

static void the_words_of_a_fault_are_text(void **state)
{
    (void)state;
    struct schema *s = NULL;
    struct err e = {0};
    static const char text[] = "{\"n:\\\xEF\xBB\xBF"; /* refused at the first byte of a character */
    assert_int_equal(schema_parse(text, sizeof text - 1, &s, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "invalid escape"));
    assert_int_equal(utf8_check(e.text, strlen(e.text)), strlen(e.text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_schemas_are_sound_and_keep_their_attributes),
        cmocka_unit_test(names_follow_their_namespaces),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_line),
        cmocka_unit_test(what_avro_c_lets_pass_is_refused_with_record_and_field),
        cmocka_unit_test(every_fault_is_told_with_its_line),
        cmocka_unit_test(of_many_faults_the_first_are_told_and_the_rest_counted),
        cmocka_unit_test(a_zero_may_stand_in_a_default_only),
        cmocka_unit_test(a_default_must_fit_its_type),
        cmocka_unit_test(default_bytes_are_characters_up_to_ff),
        cmocka_unit_test(what_grows_without_bound_is_refused),
        cmocka_unit_test(fingerprints_are_those_of_another_implementation),
        cmocka_unit_test(no_altered_schema_does_harm),
        cmocka_unit_test(the_words_of_a_fault_are_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
