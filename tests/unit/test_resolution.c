#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_walk.h"
#include "common/contract/resolution.h"
#include "tests/unit/avro_bytes.h"

#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, initial) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" initial "}"
#define FIELD_ALIAS(name, type, aliases) "{\"name\":\"" name "\",\"type\":" type ",\"aliases\":[" aliases "]}"
#define ENUM(name, symbols) "{\"type\":\"enum\",\"name\":\"" name "\",\"symbols\":[" symbols "]}"
#define ENUM_OR(name, symbols, initial) "{\"type\":\"enum\",\"name\":\"" name "\",\"symbols\":[" symbols "],\"default\":\"" initial "\"}"
#define FIXED(name, size) "{\"type\":\"fixed\",\"name\":\"" name "\",\"size\":" size "}"
#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"
#define MAP(values) "{\"type\":\"map\",\"values\":" values "}"
#define DECIMAL(precision, scale) "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":" precision ",\"scale\":" scale "}"
#define NULLABLE(type) "[\"null\"," type "]"
#define INT "\"int\""
#define LONG "\"long\""
#define FLOAT "\"float\""
#define DOUBLE "\"double\""
#define STRING "\"string\""
#define BYTES "\"bytes\""

enum { OUT_BYTES = 1 << 20 };

struct fixture {
    struct schema *writer, *reader;
    struct resolution *resolution;
    struct buf in, out;
    struct err e;
    enum rc compiled;
};

static void begin(struct fixture *f, const char *writer, const char *reader)
{
    memset(f, 0, sizeof *f);
    f->writer = schema_of(writer);
    f->reader = schema_of(reader);
    buf_init(&f->in, OUT_BYTES);
    buf_init(&f->out, OUT_BYTES);
    f->compiled = resolution_compile(f->writer, f->reader, &f->resolution, &f->e);
}

static void end(struct fixture *f)
{
    resolution_destroy(f->resolution);
    schema_destroy(f->writer);
    schema_destroy(f->reader);
    buf_release(&f->in);
    buf_release(&f->out);
}

static enum rc run(struct fixture *f)
{
    return resolution_run(f->resolution, f->in.p, f->in.n, &f->out, &f->e);
}

static void put_hex(struct buf *b, const char *hex)
{
    unsigned byte;
    buf_reset(b);
    for (; *hex != '\0'; hex += 2) {
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        buf_put_byte(b, (unsigned char)byte);
    }
}

static void assert_out(const struct fixture *f, const struct buf *expected)
{
    assert_int_equal(f->out.n, expected->n);
    if (expected->n > 0)
        assert_memory_equal(f->out.p, expected->p, expected->n);
    assert_int_equal(avro_walk_check(schema_root(f->reader), f->out.p, f->out.n, NULL), RC_OK);
}

/* value: of the writer; expected: of the reader, NULL: it is refused with these words. Both as JSON for avro_bytes.h. */
static const struct row {
    const char *writer, *reader, *value, *expected, *words;
} rows[] = {
    /* primitives and promotions */
    {INT, INT, "-7", "-7", NULL},
    {INT, LONG, "-7", "-7", NULL},
    {INT, FLOAT, "-7", "-7", NULL},
    {INT, DOUBLE, "2147483647", "2147483647", NULL},
    {LONG, FLOAT, "16777217", "16777216", NULL},
    {LONG, DOUBLE, "9007199254740993", "9007199254740992", NULL},
    {FLOAT, DOUBLE, "0.5", "0.5", NULL},
    {STRING, BYTES, "\"za\xC5\xBC\"", "\"za\xC5\xBC\"", NULL},
    {BYTES, STRING, "\"za\xC5\xBC\"", "\"za\xC5\xBC\"", NULL},
    /* records: order, more, fewer, defaults of every type */
    {RECORD("R", FIELD("a", INT) "," FIELD("b", STRING) "," FIELD("c", LONG)),
     RECORD("R", FIELD("c", LONG) "," FIELD("a", LONG) "," FIELD("b", STRING)), "{\"a\":1,\"b\":\"x\",\"c\":3}", "{\"a\":1,\"b\":\"x\",\"c\":3}", NULL},
    {RECORD("R", FIELD("a", INT) "," FIELD("b", MAP(ARRAY(STRING))) "," FIELD("c", LONG)), RECORD("R", FIELD("c", LONG)),
     "{\"a\":1,\"b\":{\"k\":[\"x\",\"y\"]},\"c\":3}", "{\"c\":3}", NULL},
    {RECORD("R", FIELD("a", INT)),
     RECORD("R", FIELD_OR("n", "\"null\"", "null") "," FIELD_OR("t", "\"boolean\"", "true") "," FIELD_OR("l", LONG, "-3") "," FIELD("a", INT) ","
                 FIELD_OR("f", FLOAT, "1.5") "," FIELD_OR("d", DOUBLE, "2") "," FIELD_OR("s", STRING, "\"\xC5\xBC\"") ","
                 FIELD_OR("y", BYTES, "\"ab\"") "," FIELD_OR("x", FIXED("X", "2"), "\"ab\"") "," FIELD_OR("e", ENUM("E", "\"A\",\"B\""), "\"B\"") ","
                 FIELD_OR("u", "[\"string\",\"null\"]", "\"first\"") "," FIELD_OR("r", ARRAY(INT), "[1,2]") "," FIELD_OR("m", MAP(LONG), "{\"k\":4}") ","
                 FIELD_OR("q", RECORD("Q", FIELD_OR("i", INT, "9") "," FIELD("j", NULLABLE(INT))), "{\"j\":null}")),
     "{\"a\":1}", "{\"a\":1}", NULL},
    {RECORD("R", FIELD("a", INT)), RECORD("R", FIELD("a", INT) "," FIELD("b", INT)), NULL, NULL, "b: the writer has no such field, and it has no default"},
    {RECORD("R", ""), RECORD("R", ""), "{}", "{}", NULL},
    {RECORD("R", FIELD("p", RECORD("P", FIELD("l", ARRAY(RECORD("L", FIELD("x", STRING))))))),
     RECORD("R", FIELD("p", RECORD("P", FIELD("l", ARRAY(RECORD("L", FIELD("x", INT))))))), NULL, NULL, "p.l[].x: string cannot be read as int"},
    /* aliases */
    {RECORD("R", FIELD("old", INT)), RECORD("R", FIELD_ALIAS("new", LONG, "\"older\",\"old\"")), "{\"old\":5}", "{\"new\":5}", NULL},
    {RECORD("R", FIELD("a", INT) "," FIELD("b", INT)), RECORD("R", FIELD_ALIAS("b", INT, "\"a\"") "," FIELD_OR("c", INT, "7")), "{\"a\":1,\"b\":2}",
     "{\"b\":2,\"c\":7}", NULL},
    {RECORD("R", FIELD("a", INT)), RECORD("R", FIELD("a", INT) "," "{\"name\":\"b\",\"type\":\"int\",\"default\":8,\"aliases\":[\"a\"]}"), "{\"a\":1}",
     "{\"a\":1,\"b\":8}", NULL},
    {RECORD("R", FIELD("a", INT)), RECORD("R", "{\"name\":\"b\",\"type\":\"int\",\"default\":8,\"aliases\":[\"a\"]}," FIELD_OR("a", INT, "9")), "{\"a\":1}",
     "{\"a\":1,\"b\":8}", NULL},
    {RECORD("R", FIELD("a", INT)),
     RECORD("R", "{\"name\":\"b\",\"type\":\"int\",\"default\":8,\"aliases\":[\"a\"]},{\"name\":\"c\",\"type\":\"int\",\"default\":9,\"aliases\":[\"a\"]}"),
     "{\"a\":1}", "{\"b\":1,\"c\":9}", NULL},
    {RECORD("Old", FIELD("a", INT)), "{\"type\":\"record\",\"name\":\"New\",\"aliases\":[\"Old\"],\"fields\":[" FIELD("a", INT) "]}", "{\"a\":1}",
     "{\"a\":1}", NULL},
    {RECORD("one.Old", FIELD("a", INT)), "{\"type\":\"record\",\"name\":\"New\",\"aliases\":[\"one.Old\"],\"fields\":[" FIELD("a", INT) "]}", "{\"a\":1}",
     "{\"a\":1}", NULL},
    {RECORD("two.Old", FIELD("a", INT)), "{\"type\":\"record\",\"name\":\"New\",\"aliases\":[\"one.Old\"],\"fields\":[" FIELD("a", INT) "]}", NULL, NULL,
     "two.Old cannot be read as New"},
    {RECORD("one.R", FIELD("a", INT)), RECORD("two.R", FIELD("a", INT)), "{\"a\":1}", "{\"a\":1}", NULL},
    {RECORD("R", FIELD("a", INT)), RECORD("S", FIELD("a", INT)), NULL, NULL, "R cannot be read as S"},
    /* enums */
    {ENUM("E", "\"A\",\"B\""), ENUM("E", "\"B\",\"A\""), "\"A\"", "\"A\"", NULL},
    {ENUM("E", "\"A\",\"B\""), ENUM("E", "\"A\",\"B\",\"C\""), "\"B\"", "\"B\"", NULL},
    {ENUM("E", "\"A\",\"NEW\""), ENUM("E", "\"A\",\"B\""), "\"NEW\"", NULL, "a symbol that the reader does not know at byte 0"},
    {ENUM("E", "\"A\",\"NEW\""), ENUM_OR("E", "\"A\",\"B\"", "B"), "\"NEW\"", "\"B\"", NULL},
    {ENUM("E", "\"X\""), ENUM_OR("E", "\"A\",\"B\"", "B"), "\"X\"", "\"B\"", NULL},
    {ENUM("E", "\"X\""), ENUM("E", "\"A\",\"B\""), NULL, NULL, "enum E: the reader knows none of its symbols"},
    {ENUM("E", "\"A\""), ENUM("F", "\"A\""), NULL, NULL, "E cannot be read as F"},
    /* fixed and decimals */
    {FIXED("F", "3"), FIXED("F", "3"), "\"abc\"", "\"abc\"", NULL},
    {FIXED("F", "3"), FIXED("F", "4"), NULL, NULL, "fixed of 3 bytes cannot be read with 4"},
    {FIXED("F", "3"), FIXED("G", "3"), NULL, NULL, "F cannot be read as G"},
    {FIXED("F", "3"), BYTES, NULL, NULL, "F cannot be read as bytes"},
    {DECIMAL("5", "2"), DECIMAL("9", "2"), "\"123.45\"", "\"123.45\"", NULL},
    {DECIMAL("5", "2"), DECIMAL("9", "3"), NULL, NULL, "a decimal of scale 2 cannot be read with scale 3"},
    {DECIMAL("5", "2"), DECIMAL("4", "2"), NULL, NULL, "a decimal of precision 5 cannot be read with precision 4"},
    {DECIMAL("5", "2"), BYTES, "\"1.27\"", "\"\\u007f\"", NULL},
    {BYTES, DECIMAL("2", "0"), "\"\\u0063\"", "\"99\"", NULL},
    {BYTES, DECIMAL("2", "0"), "\"\\u0064\"", NULL, "no decimal of the schema's precision at byte 0"},
    {LONG, "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "5", "5", NULL},
    {"{\"type\":\"int\",\"logicalType\":\"date\"}", "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "5", "5", NULL},
    /* unions */
    {INT, NULLABLE(LONG), "5", "5", NULL},
    {NULLABLE(INT), NULLABLE(LONG), "5", "5", NULL},
    {NULLABLE(INT), "[\"long\",\"null\"]", "null", "null", NULL},
    {NULLABLE(INT), LONG, "5", "5", NULL},
    {NULLABLE(INT), LONG, "null", NULL, "null cannot be read as long at byte 1"},
    {RECORD("R", FIELD("a", NULLABLE(STRING))), RECORD("R", FIELD("a", STRING)), "{\"a\":null}", NULL, "a: null cannot be read as string at byte 1"},
    {NULLABLE(STRING), LONG, NULL, NULL, "string cannot be read as long"},
    {INT, NULLABLE(STRING), NULL, NULL, "int is none of the reader's branches"},
    {"\"null\"", NULLABLE(STRING), "null", "null", NULL},
    {RECORD("R", FIELD("u", NULLABLE(RECORD("S", FIELD("x", INT))))), RECORD("R", FIELD("u", NULLABLE(RECORD("S", FIELD("x", STRING))))), "{\"u\":{\"x\":1}}",
     NULL, "u.x: int cannot be read as string at byte 1"},
    {RECORD("R", FIELD("u", NULLABLE(RECORD("S", FIELD("x", INT))))), RECORD("R", FIELD("u", NULLABLE(RECORD("S", FIELD("x", STRING))))), "{\"u\":null}",
     "{\"u\":null}", NULL},
    /* arrays and maps */
    {ARRAY(INT), ARRAY(DOUBLE), "[1,2,3]", "[1,2,3]", NULL},
    {ARRAY(INT), ARRAY(DOUBLE), "[]", "[]", NULL},
    {MAP(INT), MAP(NULLABLE(LONG)), "{\"k\":1,\"l\":2}", "{\"k\":1,\"l\":2}", NULL},
    {ARRAY(INT), MAP(INT), NULL, NULL, "array cannot be read as map"},
    {ARRAY(STRING), ARRAY(INT), NULL, NULL, "[]: string cannot be read as int"},
    {ARRAY(NULLABLE(INT)), ARRAY(LONG), "[1,null]", NULL, "[1]: null cannot be read as long at byte 4"},
    {ARRAY(RECORD("Z", "")), ARRAY(RECORD("Z", FIELD_OR("a", INT, "1"))), "[{},{},{}]", "[{\"a\":1},{\"a\":1},{\"a\":1}]", NULL},
    /* recursive types */
    {RECORD("N", FIELD("v", INT) "," FIELD("next", NULLABLE("\"N\""))), RECORD("N", FIELD("next", NULLABLE("\"N\"")) "," FIELD("v", LONG)),
     "{\"v\":1,\"next\":{\"v\":2,\"next\":{\"v\":3,\"next\":null}}}", "{\"v\":1,\"next\":{\"v\":2,\"next\":{\"v\":3,\"next\":null}}}", NULL},
    {RECORD("N", FIELD("v", INT) "," FIELD("kids", ARRAY("\"N\""))), RECORD("N", FIELD("kids", ARRAY("\"N\"")) "," FIELD_OR("w", STRING, "\"d\"")),
     "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[]},{\"v\":3,\"kids\":[{\"v\":4,\"kids\":[]}]}]}", "{\"kids\":[{\"kids\":[]},{\"kids\":[{\"kids\":[]}]}]}", NULL},
    {RECORD("N", FIELD("next", NULLABLE("\"N\"")) "," FIELD("v", STRING)), RECORD("N", FIELD("next", NULLABLE("\"N\"")) "," FIELD("v", INT)), NULL, NULL,
     "v: string cannot be read as int"},
};

static void check_row(const struct row *r)
{
    struct fixture f;
    struct buf expected;
    begin(&f, r->writer, r->reader);
    buf_init(&expected, OUT_BYTES);
    if (r->value == NULL) {
        assert_int_equal(f.compiled, RC_REJECT);
        assert_string_equal(f.e.text, r->words);
    } else {
        if (f.compiled != RC_OK)
            fail_msg("%s", f.e.text);
        bytes_json(&f.in, f.writer, r->value);
        enum rc rc = run(&f);
        if (r->expected == NULL) {
            assert_int_equal(rc, RC_REJECT);
            assert_string_equal(f.e.text, r->words);
            assert_int_equal(f.out.n, 0);
        } else {
            if (rc != RC_OK)
                fail_msg("%s", f.e.text);
            bytes_json(&expected, f.reader, r->expected);
            assert_out(&f, &expected);
        }
    }
    buf_release(&expected);
    end(&f);
}

static void every_pair_of_the_table_resolves_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%zu: %s <- %s\n", i, rows[i].reader, rows[i].writer);
        check_row(&rows[i]);
    }
}

/* What JSON cannot say: which branch, which bytes. expected NULL: refused with these words. */
static const struct bytes_row {
    const char *writer, *reader, *in, *expected, *words;
} bytes_rows[] = {
    {INT, "[\"string\",\"double\",\"long\"]", "0a", "020000000000001440", NULL}, /* the first that matches, not the nearest */
    {INT, "[\"string\",\"double\",\"int\"]", "0a", "040a", NULL},               /* but the very type goes before it */
    {STRING, "[" DECIMAL("4", "2") ",\"string\"]", "0261", "020261", NULL},
    {"[\"int\",\"string\",\"null\"]", "[\"null\",\"string\",\"long\"]", "000a", "040a", NULL},
    {"[\"int\",\"string\",\"null\"]", "[\"null\",\"string\",\"long\"]", "020261", "020261", NULL},
    {"[\"int\",\"string\",\"null\"]", "[\"null\",\"string\",\"long\"]", "04", "00", NULL},
    {"[\"int\",\"string\"]", STRING, "020261", "0261", NULL},
    {"[\"int\",\"string\"]", STRING, "000a", NULL, "int cannot be read as string at byte 1"},
    {"[\"int\",\"string\"]", STRING, "04", NULL, "no such branch of the union at byte 0"},
    {"[\"int\",\"string\"]", STRING, "01", NULL, "no such branch of the union at byte 0"},
    {"[" RECORD("a.R", FIELD("x", INT)) "," RECORD("b.R", FIELD("x", INT)) "]", "[" RECORD("b.R", FIELD("x", LONG)) "," RECORD("a.R", FIELD("x", LONG)) "]",
     "000a", "020a", NULL}, /* the same full name goes before the first match */
    {BYTES, STRING, "02ff", NULL, "no valid UTF-8 at byte 1"},
    {STRING, BYTES, "02ff", NULL, "no valid UTF-8 at byte 1"},
    {INT, LONG, "8080808010", NULL, "more than 32 bits at byte 0"},
    {INT, DOUBLE, "8080808010", NULL, "more than 32 bits at byte 0"},
    {INT, DOUBLE, "80", NULL, "no whole number at byte 0"},
    {FLOAT, DOUBLE, "000080", NULL, "the bytes end too early at byte 0"},
    {FLOAT, DOUBLE, "0000c07f00", NULL, "bytes are left over at byte 4"},
    {INT, LONG, "0a0a", NULL, "bytes are left over at byte 1"},
    {INT, LONG, "", NULL, "no whole number at byte 0"},
    {ARRAY(INT), ARRAY(DOUBLE), "0102" "0200", "02000000000000f03f00", NULL}, /* a block with its size */
    {ARRAY(INT), ARRAY(NULLABLE(INT)), "0304" "0204" "0206" "00", "04" "0202" "0204" "02" "0206" "00", NULL},
    {ARRAY(INT), ARRAY(NULLABLE(INT)), "0108" "02" "00", NULL, "no count that fits at byte 0"},
    {ARRAY(INT), ARRAY(NULLABLE(INT)), "0104" "0206" "00", NULL, "a block does not end where it says at byte 3"},
    {ARRAY(INT), ARRAY(NULLABLE(INT)), "ffffffffffffffffff01", NULL, "no count that fits at byte 0"},
    {ARRAY(INT), ARRAY(NULLABLE(INT)), "fe", NULL, "no count that fits at byte 0"},
    {ARRAY("\"null\""), ARRAY(NULLABLE(INT)), "fefffffffffffffffe01" "00", NULL, "no count that fits at byte 0"},
    {ENUM("E", "\"A\",\"B\""), ENUM("E", "\"B\",\"A\""), "04", NULL, "no such symbol of the enum at byte 0"},
    {ENUM("E", "\"A\",\"B\""), ENUM("E", "\"B\",\"A\""), "01", NULL, "no such symbol of the enum at byte 0"},
    {RECORD("R", FIELD("a", STRING) "," FIELD("b", INT)), RECORD("R", FIELD("b", INT)), "02ff02", NULL, "a: no valid UTF-8 at byte 1"}, /* dropped, yet checked */
    {RECORD("R", FIELD("a", ARRAY(STRING)) "," FIELD("b", INT)), RECORD("R", FIELD("b", INT) "," FIELD("a", ARRAY(BYTES))), "020eff0002", NULL,
     "a: [0]: no length that fits at byte 1"},
};

static void bytes_resolve_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bytes_rows / sizeof bytes_rows[0]; i++) {
        const struct bytes_row *r = &bytes_rows[i];
        struct fixture f;
        struct buf expected;
        print_message("%zu: %s <- %s %s\n", i, r->reader, r->writer, r->in);
        begin(&f, r->writer, r->reader);
        buf_init(&expected, OUT_BYTES);
        assert_int_equal(f.compiled, RC_OK);
        put_hex(&f.in, r->in);
        enum rc rc = run(&f);
        if (r->expected == NULL) {
            assert_int_equal(rc, RC_REJECT);
            assert_string_equal(f.e.text, r->words);
            assert_int_equal(f.out.n, 0);
        } else {
            if (rc != RC_OK)
                fail_msg("%s", f.e.text);
            put_hex(&expected, r->expected);
            assert_out(&f, &expected);
        }
        buf_release(&expected);
        end(&f);
    }
}

static void a_writer_with_the_readers_schema_is_a_checked_copy(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        RECORD("N", FIELD("v", INT) "," FIELD("next", NULLABLE("\"N\""))), /* recursive */
        RECORD("R", FIELD("a", ARRAY(NULLABLE(ENUM("E", "\"A\",\"B\"")))) "," FIELD("d", DECIMAL("4", "2"))),
    };
    static const char *const values[] = {"{\"v\":1,\"next\":{\"v\":2,\"next\":null}}", "{\"a\":[\"B\",null],\"d\":\"1.5\"}"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        begin(&f, schemas[i], schemas[i]);
        assert_int_equal(f.compiled, RC_OK);
        assert_true(resolution_is_identity(f.resolution));
        bytes_json(&f.in, f.writer, values[i]);
        assert_int_equal(run(&f), RC_OK);
        assert_out(&f, &f.in);
        buf_put_byte(&f.in, 0);
        assert_int_equal(run(&f), RC_REJECT);
        end(&f);
    }
    struct fixture f;
    begin(&f, RECORD("R", FIELD("a", INT) "," FIELD_OR("b", STRING, "\"x\"")), "{\"doc\":\"other text\"," "\"type\":\"record\",\"name\":\"R\",\"fields\":["
          FIELD("a", LONG) "," FIELD("b", STRING) "]}");
    assert_true(resolution_is_identity(f.resolution)); /* a long holds every int, in the same bytes */
    put_hex(&f.in, "80808080100261");
    assert_int_equal(run(&f), RC_REJECT); /* but the writer's own type still counts */
    assert_string_equal(f.e.text, "a: more than 32 bits at byte 0");
    end(&f);
}

static void what_is_appended_stands_behind_what_was_there(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, INT, DOUBLE);
    buf_put_text(&f.out, "frame");
    put_hex(&f.in, "02");
    assert_int_equal(run(&f), RC_OK);
    assert_int_equal(f.out.n, 5 + 8);
    put_hex(&f.in, "0202");
    assert_int_equal(run(&f), RC_REJECT);
    assert_int_equal(f.out.n, 5 + 8);
    end(&f);
}

static void a_result_larger_than_the_buffer_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, ARRAY(RECORD("Z", "")), ARRAY(RECORD("Z", FIELD_OR("s", STRING, "\"0123456789012345678901234567890123456789\""))));
    f.out.max = 100000;
    bytes_long(&f.in, AVRO_WALK_EMPTY); /* two bytes that stand for 168 KB */
    bytes_long(&f.in, 0);
    assert_int_equal(run(&f), RC_REJECT);
    assert_string_equal(f.e.text, "the result is too large at byte 2");
    assert_true(f.out.n == 0 && f.out.cap <= f.out.max + 1);
    buf_reset(&f.in);
    buf_reset(&f.out);
    for (int i = 0; i < 2; i++)
        bytes_long(&f.in, AVRO_WALK_EMPTY / 2 + 1);
    bytes_long(&f.in, 0);
    f.out.max = OUT_BYTES;
    assert_int_equal(run(&f), RC_REJECT);
    assert_string_equal(f.e.text, "too many empty items at byte 2");
    end(&f);
}

static void nest(struct buf *b, int levels) /* of record N with a nullable next first */
{
    buf_reset(b);
    for (int i = 1; i < levels; i++)
        buf_put_byte(b, 2);
    buf_put_byte(b, 0);
    for (int i = 0; i < levels; i++)
        buf_put_byte(b, 4);
}

static void nesting_is_bounded_on_either_side(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, RECORD("N", FIELD("next", NULLABLE("\"N\"")) "," FIELD("v", INT)), RECORD("N", FIELD("v", LONG) "," FIELD("next", NULLABLE("\"N\""))));
    for (int levels = 1; levels < 40; levels++) {
        nest(&f.in, levels);
        buf_reset(&f.out);
        assert_int_equal(run(&f), avro_walk_check(schema_root(f.writer), f.in.p, f.in.n, NULL));
    }
    assert_non_null(strstr(f.e.text, "nested too deep"));
    buf_reset(&f.in);
    for (int i = 0; i < 100000; i++)
        buf_put_byte(&f.in, 2);
    assert_int_equal(run(&f), RC_REJECT);
    end(&f);
    /* the reader's nesting is deeper than the writer's: 22 arrays are 45 types there, 67 here */
    begin(&f, RECORD("N", FIELD("kids", ARRAY("\"N\""))), RECORD("N", FIELD("kids", NULLABLE(ARRAY("\"N\"")))));
    for (int i = 0; i < 22; i++)
        buf_put_byte(&f.in, 2);
    for (int i = 0; i < 23; i++)
        buf_put_byte(&f.in, 0);
    assert_int_equal(avro_walk_check(schema_root(f.writer), f.in.p, f.in.n, NULL), RC_OK);
    assert_int_equal(run(&f), RC_REJECT);
    assert_non_null(strstr(f.e.text, "nested too deep"));
    end(&f);
    /* and so may a default be */
    begin(&f, RECORD("N", FIELD("next", NULLABLE("\"N\""))),
          RECORD("N", FIELD("next", NULLABLE("\"N\"")) "," FIELD_OR("d", ARRAY(ARRAY(ARRAY(ARRAY(INT)))), "[[[[1]]]]")));
    for (int levels = 1; levels < 40; levels++) {
        nest(&f.in, levels);
        f.in.n -= (size_t)levels; /* no v */
        buf_reset(&f.out);
        if (run(&f) == RC_OK)
            assert_int_equal(avro_walk_check(schema_root(f.reader), f.out.p, f.out.n, NULL), RC_OK);
        else
            assert_true(levels > 25);
    }
    end(&f);
}

static void a_default_that_never_ends_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, RECORD("R", FIELD("a", INT)),
          RECORD("R", FIELD("a", INT) "," FIELD("n", "[" RECORD("N", FIELD_OR("next", "[\"N\",\"null\"]", "{}")) ",\"null\"]")));
    assert_int_equal(f.compiled, RC_REJECT);
    end(&f);
    begin(&f, RECORD("R", FIELD("a", INT)), RECORD("R", FIELD("a", INT) "," FIELD_OR("n", RECORD("N", FIELD_OR("next", "[\"N\",\"null\"]", "{}")), "{}")));
    assert_int_equal(f.compiled, RC_REJECT);
    assert_string_equal(f.e.text, "n: its default is too large");
    end(&f);
}

static void a_recursive_type_that_fails_late_is_not_half_believed(void **state)
{
    (void)state;
    struct fixture f;
    /* B was found sound while A was still open; A fails, so a B with an A in it cannot be read */
#define A_B(type) \
    RECORD("R", FIELD("a", NULLABLE(RECORD("A", FIELD("b", RECORD("B", FIELD("back", NULLABLE("\"A\"")) "," FIELD("v", INT))) "," FIELD("x", type)))) "," FIELD("b", "\"B\""))
    begin(&f, A_B(STRING), A_B(INT));
    assert_int_equal(f.compiled, RC_OK);
    put_hex(&f.in, "00" "00" "02");
    assert_int_equal(run(&f), RC_OK);
    put_hex(&f.in, "00" "02" "00" "02" "0261" "02");
    assert_int_equal(run(&f), RC_REJECT);
    assert_string_equal(f.e.text, "b.back.x: string cannot be read as int at byte 2");
    end(&f);
}

/* n records of one unqualified name, each holding the next, the last the first. */
static void put_circle(struct buf *b, int n)
{
    for (int i = 0; i < n; i++)
        buf_printf(b, "{\"type\":\"record\",\"name\":\"s%d.N\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",", i);
    buf_put_text(b, "\"s0.N\"");
    for (int i = 0; i < n; i++)
        buf_put_text(b, "]}]}");
    assert_non_null(buf_text(b));
}

static void circles_of_different_length_are_compiled_within_bounds(void **state)
{
    (void)state;
    static const struct {
        int writer, reader;
        enum rc rc;
    } circles[] = {{2, 3, RC_OK}, {7, 8, RC_OK}, {29, 31, RC_REJECT}}; /* 899 pairs one in the other */
    for (size_t i = 0; i < 3; i++) {
        struct buf writer, reader;
        struct fixture f;
        buf_init(&writer, 1 << 20);
        buf_init(&reader, 1 << 20);
        put_circle(&writer, circles[i].writer);
        put_circle(&reader, circles[i].reader);
        begin(&f, buf_text(&writer), buf_text(&reader));
        assert_int_equal(f.compiled, circles[i].rc);
        if (f.compiled == RC_OK) {
            put_hex(&f.in, "0202020202020200");
            assert_int_equal(run(&f), RC_OK);
            assert_out(&f, &f.in);
        } else {
            assert_string_equal(f.e.text, "the two schemas are nested too deep together");
        }
        end(&f);
        buf_release(&writer);
        buf_release(&reader);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void mutate(struct buf *b, uint32_t *seed)
{
    static const unsigned char nasty[] = {0x00, 0x01, 0x02, 0x7f, 0x80, 0xff, 0xfe, 0xc1};
    for (uint32_t times = 1 + next_random(seed) % 3; times > 0 && b->n > 0; times--) {
        size_t at = next_random(seed) % b->n;
        switch (next_random(seed) % 4) {
        case 0:
            b->p[at] = (unsigned char)next_random(seed);
            break;
        case 1:
            b->p[at] = nasty[next_random(seed) % sizeof nasty];
            break;
        case 2:
            memmove(b->p + at, b->p + at + 1, b->n - at - 1);
            b->n--;
            break;
        default:
            buf_put_byte(b, 0);
            memmove(b->p + at + 1, b->p + at, b->n - at - 1);
            b->p[at] = nasty[next_random(seed) % sizeof nasty];
        }
    }
}

/* What is accepted is exactly what the walk accepts and the reader can take; what comes out is always sound. */
static void mutate_row(const struct row *r, uint32_t *seed)
{
    struct fixture f;
    struct buf good;
    begin(&f, r->writer, r->reader);
    buf_init(&good, OUT_BYTES);
    bytes_json(&good, f.writer, r->value);
    for (int i = 0; i < 3000; i++) {
        buf_reset(&f.in);
        buf_put(&f.in, good.p, good.n);
        mutate(&f.in, seed);
        unsigned char *exact = malloc(f.in.n + (f.in.n == 0)); /* so that a byte too far is seen */
        assert_non_null(exact);
        if (f.in.n > 0)
            memcpy(exact, f.in.p, f.in.n);
        buf_reset(&f.out);
        if (resolution_run(f.resolution, exact, f.in.n, &f.out, &f.e) == RC_OK) {
            assert_int_equal(avro_walk_check(schema_root(f.writer), exact, f.in.n, NULL), RC_OK);
            assert_int_equal(avro_walk_check(schema_root(f.reader), f.out.p, f.out.n, NULL), RC_OK);
        } else {
            assert_int_equal(f.out.n, 0);
        }
        free(exact);
    }
    buf_release(&good);
    end(&f);
}

static void hostile_bytes_never_pass_nor_hurt(void **state)
{
    (void)state;
    uint32_t seed = 20261124;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].value != NULL)
            mutate_row(&rows[i], &seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_the_table_resolves_as_it_says),
        cmocka_unit_test(bytes_resolve_as_the_table_says),
        cmocka_unit_test(a_writer_with_the_readers_schema_is_a_checked_copy),
        cmocka_unit_test(what_is_appended_stands_behind_what_was_there),
        cmocka_unit_test(a_result_larger_than_the_buffer_is_refused),
        cmocka_unit_test(nesting_is_bounded_on_either_side),
        cmocka_unit_test(a_default_that_never_ends_is_refused),
        cmocka_unit_test(a_recursive_type_that_fails_late_is_not_half_believed),
        cmocka_unit_test(circles_of_different_length_are_compiled_within_bounds),
        cmocka_unit_test(hostile_bytes_never_pass_nor_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
