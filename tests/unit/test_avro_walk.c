#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_walk.h"
#include "tests/unit/avro_bytes.h"

#define EVERYTHING                                                                                                      \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":["                                                                  \
    "{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"l\",\"type\":\"long\"},"       \
    "{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"s\",\"type\":\"string\"},"    \
    "{\"name\":\"y\",\"type\":\"bytes\"},{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}},"     \
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"                           \
    "{\"name\":\"u\",\"type\":[\"null\",\"long\",\"string\"]},"                                                         \
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"int\"}},"                                                  \
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"I\",\"fields\":["           \
    "{\"name\":\"q\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}},"           \
    "{\"name\":\"t\",\"type\":\"string\"}]}}}]}"

static void expect_fault(const char *schema, const void *p, size_t n, const char *words)
{
    struct schema *s = schema_of(schema);
    struct err e = {0};
    unsigned char *exact = malloc(n + 1); /* exactly n bytes, so that AddressSanitizer sees one too many */
    assert_non_null(exact);
    exact = realloc(exact, n == 0 ? 1 : n);
    assert_non_null(exact);
    if (n > 0)
        memcpy(exact, p, n);
    enum rc rc = avro_walk_check(schema_root(s), exact, n, &e);
    if (rc != RC_REJECT || strcmp(e.text, words) != 0)
        fail_msg("%s: code %d, words '%s', wanted '%s'", schema, rc, e.text, words);
    free(exact);
    schema_destroy(s);
}

static void expect_sound(const char *schema, const void *p, size_t n)
{
    struct schema *s = schema_of(schema);
    struct err e = {0};
    if (avro_walk_check(schema_root(s), p, n, &e) != RC_OK)
        fail_msg("%s: %s", schema, e.text);
    struct avro_cursor c = {p, (const unsigned char *)p + n};
    assert_true(avro_walk_skip(schema_root(s), &c));
    assert_ptr_equal(c.p, c.end);
    schema_destroy(s);
}

static void longs_read_to_their_limits_and_no_further(void **state)
{
    (void)state;
    static const int64_t values[] = {0, -1, 1, 63, -64, 64, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf b;
        int64_t v = 7;
        buf_init(&b, 100);
        bytes_long(&b, values[i]);
        struct avro_cursor c = {b.p, b.p + b.n};
        assert_true(avro_read_long(&c, &v));
        assert_true(v == values[i]);
        assert_ptr_equal(c.p, c.end);
        c = (struct avro_cursor){b.p, b.p + b.n - 1};
        assert_false(avro_read_long(&c, &v));
        assert_ptr_equal(c.p, b.p);
        buf_release(&b);
    }
    expect_fault("\"long\"", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10, "no whole number at byte 0");
    expect_fault("\"long\"", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x80\x01", 11, "no whole number at byte 0");
    expect_fault("\"int\"", "\x80\x80\x80\x80\x10", 5, "more than 32 bits at byte 0");
    expect_fault("\"int\"", "\x81\x80\x80\x80\x10", 5, "more than 32 bits at byte 0");
    expect_sound("\"int\"", "\xFE\xFF\xFF\xFF\x0F", 5);
}

static void a_record_of_every_type_passes_exactly(void **state)
{
    (void)state;
    struct schema *s = schema_of(EVERYTHING);
    struct buf b;
    struct err e = {0};
    buf_init(&b, 4096);
    bytes_json(&b, s, "{\"b\":true,\"i\":-5,\"l\":99999999999,\"f\":1.5,\"d\":2.5,\"s\":\"za\xC5\xBC\",\"y\":\"abc\",\"x\":\"xyz\",\"e\":\"B\","
                      "\"u\":7,\"m\":{\"k\":1,\"z\":2},\"a\":[{\"q\":\"99.99\",\"t\":\"\"},{\"q\":\"-1\",\"t\":\"t\"}]}");
    assert_int_equal(avro_walk_check(schema_root(s), b.p, b.n, &e), RC_OK);
    struct avro_cursor c = {b.p, b.p + b.n};
    assert_true(avro_walk_skip(schema_root(s), &c));
    assert_ptr_equal(c.p, c.end);
    for (size_t n = 0; n < b.n; n++) { /* every cut is noticed */
        unsigned char *cut = malloc(n == 0 ? 1 : n);
        assert_non_null(cut);
        memcpy(cut, b.p, n);
        assert_int_equal(avro_walk_check(schema_root(s), cut, n, &e), RC_REJECT);
        free(cut);
    }
    buf_put_byte(&b, 0);
    assert_int_equal(avro_walk_check(schema_root(s), b.p, b.n, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "left over"));
    assert_int_equal(avro_walk_check(schema_root(s), NULL, 0, &e), RC_REJECT);
    buf_release(&b);
    schema_destroy(s);
}

static void hostile_lengths_and_counts_are_refused(void **state)
{
    (void)state;
    /* 2^62, and a length that is negative */
    expect_fault("\"string\"", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01xyz", 13, "no length that fits at byte 0");
    expect_fault("\"bytes\"", "\x01", 1, "no length that fits at byte 0");
    expect_fault("\"bytes\"", "\x04x", 2, "no length that fits at byte 0");
    const char *array = "{\"type\":\"array\",\"items\":\"int\"}";
    expect_fault(array, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01xyz", 13, "no count that fits at byte 0");
    expect_fault(array, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x02\x02\x00", 13, "no count that fits at byte 0"); /* -2^63 */
    expect_fault(array, "\x03\x80\x01\x02\x02\x00", 6, "no count that fits at byte 0"); /* -2 items in 64 bytes: not there */
    expect_fault(array, "\x03\x01\x02\x02\x00", 5, "no count that fits at byte 0");     /* in -1 bytes */
    expect_fault(array, "\x07\x06\x02\x02\x02\x00", 6, "no count that fits at byte 0"); /* 4 items cannot be in 3 bytes */
    expect_fault(array, "\x03\x06\x02\x02\x02\x00", 6, "a block does not end where it says at byte 4");
    expect_fault(array, "\x03\x04\x80\x01\x02\x00", 6, "a block does not end where it says at byte 5");
    expect_sound(array, "\x03\x04\x02\x02\x02\x06\x00", 7);
    expect_sound(array, "", 0 + 1);
    expect_fault("{\"type\":\"array\",\"items\":\"null\"}", "\x82\x40\x00", 3, "no count that fits at byte 0");
    expect_sound("{\"type\":\"array\",\"items\":\"null\"}", "\x80\x40\x00", 3); /* 4,096 */
    /* two blocks of so many each */
    expect_fault("{\"type\":\"array\",\"items\":\"null\"}", "\x80\x40\x80\x40\x00", 5, "too many empty items at byte 2");
    expect_fault("{\"type\":\"map\",\"values\":\"null\"}", "\x80\x89\x7A\x00", 4, "no count that fits at byte 0");
}

static void wrong_values_are_refused_where_they_stand(void **state)
{
    (void)state;
    expect_fault("\"boolean\"", "\x02", 1, "neither true nor false at byte 0");
    expect_fault("\"boolean\"", "", 0, "neither true nor false at byte 0");
    const char *two = "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}";
    expect_fault(two, "\x9A\x01", 2, "no such symbol of the enum at byte 0"); /* 77 of 2 */
    expect_fault(two, "\x04", 1, "no such symbol of the enum at byte 0");
    expect_fault(two, "\x01", 1, "no such symbol of the enum at byte 0");
    expect_sound(two, "\x02", 1);
    expect_fault("[\"null\",\"int\"]", "\x0A", 1, "no such branch of the union at byte 0"); /* 5 of 2 */
    expect_fault("[\"null\",\"int\"]", "\x01", 1, "no such branch of the union at byte 0");
    expect_fault("\"string\"", "\x06" "a\xFF" "b", 4, "no valid UTF-8 at byte 2");
    expect_fault("\"float\"", "\0\0\0", 3, "the bytes end too early at byte 0");
    expect_fault("\"double\"", "\0\0\0\0\0\0\0", 7, "the bytes end too early at byte 0");
    expect_fault("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "ab", 2, "the bytes end too early at byte 0");
    const char *decimal = "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2}";
    expect_sound(decimal, "\x02\x63", 2);
    expect_fault(decimal, "\x02\x64", 2, "no decimal of the schema's precision at byte 0");
    expect_fault(decimal, "\x00", 1, "no decimal of the schema's precision at byte 0");
    const char *fixed = "{\"type\":\"fixed\",\"name\":\"F\",\"size\":1,\"logicalType\":\"decimal\",\"precision\":2}";
    expect_sound(fixed, "\x9D", 1);
    expect_fault(fixed, "\x9C", 1, "no decimal of the schema's precision at byte 0");
}

static void the_fault_names_the_path(void **state)
{
    (void)state;
    struct schema *s = schema_of(EVERYTHING);
    struct buf b;
    struct err e = {0};
    buf_init(&b, 4096);
    bytes_json(&b, s, "{\"b\":true,\"i\":1,\"l\":1,\"f\":1,\"d\":1,\"s\":\"\",\"y\":\"\",\"x\":\"xyz\",\"e\":\"B\","
                      "\"u\":7,\"m\":{\"k\":1},\"a\":[{\"q\":\"1\",\"t\":\"u\"},{\"q\":\"2\",\"t\":\"v\"}]}");
    b.p[b.n - 2] = 0x80; /* "v" */
    assert_int_equal(avro_walk_check(schema_root(s), b.p, b.n, &e), RC_REJECT);
    assert_string_equal(e.text, "a[1].t: no valid UTF-8 at byte 37");
    assert_int_equal(b.n, 39);
    expect_fault("{\"type\":\"array\",\"items\":\"boolean\"}", "\x04\x00\x01\x02\x07\x00", 6, "[2]: neither true nor false at byte 4"); /* its second block */
    buf_release(&b);
    schema_destroy(s);
}

/* Short texts with more behind them are looked at sixteen bytes at once, the others not. */
static void a_bad_byte_is_found_wherever_it_stands_in_a_text(void **state)
{
    (void)state;
    struct schema *s = schema_of("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"s\",\"type\":[\"null\",\"string\"]},{\"name\":\"y\",\"type\":\"bytes\"}]}");
    for (size_t n = 0; n <= 40; n++)
        for (size_t behind = 0; behind <= 20; behind += 5)
            for (size_t bad = 0; bad <= n; bad++) { /* n: none */
                unsigned char bytes[80];
                struct err e = {0};
                memset(bytes, 'a', sizeof bytes);
                bytes[0] = 2; /* the branch */
                bytes[1] = (unsigned char)(2 * n);
                bytes[2 + n] = (unsigned char)(2 * behind);
                memset(bytes + 3 + n, 0xff, behind); /* none of the text's business */
                if (bad < n)
                    bytes[2 + bad] = 0xff;
                size_t all = 3 + n + behind;
                assert_int_equal(avro_walk_check(schema_root(s), bytes, all, &e), bad < n ? RC_REJECT : RC_OK);
                struct avro_cursor c = {bytes, bytes + all};
                assert_true(avro_walk_skip(schema_root(s)->fields[0].type, &c));
                assert_ptr_equal(c.p, bytes + 2 + n);
            }
    schema_destroy(s);
}

/* Each level is a union branch or an item more; the stack must not grow with the bytes. */
static void nesting_bombs_end_at_the_depth_limit(void **state)
{
    (void)state;
    struct err e = {0};
    size_t n = 1 << 20;
    unsigned char *bomb = malloc(n);
    assert_non_null(bomb);
    memset(bomb, 0x02, n);
    struct schema *s = schema_of("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"n\",\"type\":[\"null\",\"R\"]}]}");
    assert_int_equal(avro_walk_check(schema_root(s), bomb, n, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "nested too deep"));
    struct avro_cursor c = {bomb, bomb + n};
    assert_false(avro_walk_skip(schema_root(s), &c));
    memset(bomb, 0x02, 31);
    bomb[31] = 0;
    assert_int_equal(avro_walk_check(schema_root(s), bomb, 32, &e), RC_OK);
    bomb[31] = 0x02; /* one more: a branch counts as a level too */
    bomb[32] = 0;
    assert_int_equal(avro_walk_check(schema_root(s), bomb, 33, &e), RC_REJECT);
    schema_destroy(s);
    memset(bomb, 0x02, n);
    s = schema_of("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"R\"}}]}");
    assert_int_equal(avro_walk_check(schema_root(s), bomb, n, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "nested too deep"));
    assert_int_equal(strncmp(e.text, "a[0].a[0].a[0]", 14), 0);
    schema_destroy(s);
    free(bomb);
}

static void altered_bytes_never_do_harm(void **state)
{
    (void)state;
    struct schema *s = schema_of(EVERYTHING);
    struct buf b;
    uint32_t seed = 7;
    size_t sound = 0;
    buf_init(&b, 4096);
    bytes_json(&b, s, "{\"b\":true,\"i\":1,\"l\":1,\"f\":1,\"d\":1,\"s\":\"words\",\"y\":\"more\",\"x\":\"xyz\",\"e\":\"B\","
                      "\"u\":70000,\"m\":{\"k\":1},\"a\":[{\"q\":\"1\",\"t\":\"u\"},{\"q\":\"2\",\"t\":\"v\"}]}");
    for (int i = 0; i < 20000; i++) {
        struct err e = {0};
        size_t n = i % 3 == 0 ? seed % b.n : b.n;
        unsigned char *copy = malloc(n + 1);
        assert_non_null(copy);
        unsigned char *bytes = copy + 1; /* not aligned on purpose */
        memcpy(bytes, b.p, n);
        for (int k = 0; n > 0 && k < 1 + i % 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[(seed >> 8) % n] = (unsigned char)(seed >> 24);
        }
        bool ok = avro_walk_check(schema_root(s), bytes, n, &e) == RC_OK;
        struct avro_cursor c = {bytes, bytes + n};
        bool skipped = avro_walk_skip(schema_root(s), &c);
        assert_true(c.p >= bytes && c.p <= bytes + n);
        assert_true(!ok || (skipped && c.p == c.end));
        assert_true(ok || e.text[0] != '\0');
        sound += ok;
        free(copy);
    }
    assert_true(sound > 1000 && sound < 19000);
    buf_release(&b);
    schema_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longs_read_to_their_limits_and_no_further),
        cmocka_unit_test(a_record_of_every_type_passes_exactly),
        cmocka_unit_test(hostile_lengths_and_counts_are_refused),
        cmocka_unit_test(wrong_values_are_refused_where_they_stand),
        cmocka_unit_test(the_fault_names_the_path),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_stands_in_a_text),
        cmocka_unit_test(nesting_bombs_end_at_the_depth_limit),
        cmocka_unit_test(altered_bytes_never_do_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
