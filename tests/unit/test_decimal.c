#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/decimal.h"

static enum rc parse(const char *text, int precision, int scale, decimal_t *v)
{
    struct err e;
    return decimal_parse(text, strlen(text), precision, scale, v, &e);
}

/* Text -> number -> text; NULL: must be refused. */
static void expect(const char *text, int precision, int scale, const char *wanted)
{
    decimal_t v = 0;
    char made[DECIMAL_TEXT];
    enum rc rc = parse(text, precision, scale, &v);
    if (wanted == NULL) {
        if (rc != RC_REJECT)
            fail_msg("%s was accepted", text);
        return;
    }
    if (rc != RC_OK)
        fail_msg("%s was refused", text);
    assert_int_equal(decimal_to_text(v, scale, made), strlen(wanted));
    assert_string_equal(made, wanted);
}

static void amounts_keep_their_last_digit(void **state)
{
    (void)state;
    expect("249.99", 18, 4, "249.99");
    expect("0.07", 18, 4, "0.07");
    expect("100.10", 18, 4, "100.1");
    expect("19.99", 18, 2, "19.99");
    expect("-0.5", 18, 4, "-0.5");
    expect("0", 18, 4, "0");
    expect("-0", 18, 4, "0");
    expect("-0.000", 18, 4, "0");
    expect("0e5", 18, 4, "0");
    expect("12345678901234.5678", 18, 4, "12345678901234.5678");
    expect("7", 18, 0, "7");
    expect("700", 18, 0, "700");
}

static void exponents_are_computed_exactly(void **state)
{
    (void)state;
    expect("1e2", 18, 4, "100");
    expect("1.5E+3", 18, 4, "1500");
    expect("15e-1", 18, 4, "1.5");
    expect("0.00015e4", 18, 4, "1.5");
    expect("1e-4", 18, 4, "0.0001");
    expect("1e-5", 18, 4, NULL);
    expect("1e999999999999999999999", 18, 4, NULL);
    expect("1e-999999999999999999999", 18, 4, NULL);
    expect("0e999999999999999999999", 18, 4, "0");
    expect("10000e-8", 18, 4, "0.0001");
}

static void trailing_zeros_do_not_count_as_digits(void **state)
{
    (void)state;
    expect("1.50000000000000000000000000000000000000000000000", 18, 4, "1.5");
    expect("0.0000000000000000000000000000000000000000000000", 18, 4, "0");
    expect("1.00001", 18, 4, NULL);
    expect("0.00001", 18, 4, NULL);
}

static void digits_beyond_the_precision_are_refused(void **state)
{
    (void)state;
    expect("99999999999999.9999", 18, 4, "99999999999999.9999");
    expect("100000000000000", 18, 4, NULL);
    expect("1e14", 18, 4, NULL);
    expect("99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999");
    expect("-99999999999999999999999999999999999999", 38, 0, "-99999999999999999999999999999999999999");
    expect("100000000000000000000000000000000000000", 38, 0, NULL);
    expect("0.99999999999999999999999999999999999999", 38, 38, "0.99999999999999999999999999999999999999");
    expect("340282366920938463463374607431768211456", 38, 0, NULL);
    expect("99999999999999999999999999999999999999", 77, 0, "99999999999999999999999999999999999999");
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const bad[] = {"",   "-",   "+1", "01",  "00",  ".5",  "1.",   "1.e2", "1e",    "1e+", "1 ",
                                      " 1", "1,5", "0x1", "NaN", "--1", "1-2", "1.2.3", "Infinity", "1e2.5", "-01", "1e-"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(bad[i], 18, 4, NULL);
}

static void bytes_are_the_shortest_and_come_back(void **state)
{
    static const struct {
        const char *text;
        unsigned char bytes[4];
        size_t n;
    } row[] = {{"0", {0}, 1},           {"127", {0x7f}, 1},       {"128", {0, 0x80}, 2},    {"-128", {0x80}, 1},
               {"-129", {0xff, 0x7f}, 2}, {"-1", {0xff}, 1},        {"255", {0, 0xff}, 2},    {"256", {1, 0}, 2},
               {"-256", {0xff, 0}, 2},  {"-32768", {0x80, 0}, 2}, {"32768", {0, 0x80, 0}, 3}, {"-257", {0xfe, 0xff}, 2},
             {"-32769", {0xff, 0x7f, 0xff}, 3}, {"-8388609", {0xff, 0x7f, 0xff, 0xff}, 4}};
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        decimal_t v, back;
        unsigned char made[DECIMAL_BYTES];
        assert_int_equal(parse(row[i].text, 18, 0, &v), RC_OK);
        assert_int_equal(decimal_to_bytes(v, made), row[i].n);
        assert_memory_equal(made, row[i].bytes, row[i].n);
        assert_int_equal(decimal_from_bytes(made, row[i].n, 18, &back, &e), RC_OK);
        assert_true(back == v);
    }
}

static void the_largest_decimals_survive_their_bytes(void **state)
{
    static const char *const text[] = {"99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"};
    struct err e;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        decimal_t v, back;
        unsigned char made[DECIMAL_BYTES];
        assert_int_equal(parse(text[i], 38, 0, &v), RC_OK);
        size_t n = decimal_to_bytes(v, made);
        assert_int_equal(n, 16);
        assert_int_equal(decimal_from_bytes(made, n, 38, &back, &e), RC_OK);
        assert_true(back == v);
    }
}

static void bytes_out_of_bounds_are_refused(void **state)
{
    unsigned char p[17] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    unsigned char lowest[16] = {0x80}, thousand[] = {0x03, 0xe8}, below[] = {0xfc, 0x18};
    struct err e;
    decimal_t v;
    (void)state;
    assert_int_equal(decimal_from_bytes(p, 0, 38, &v, &e), RC_REJECT);
    assert_int_equal(decimal_from_bytes(p, 17, 38, &v, &e), RC_REJECT);
    assert_int_equal(decimal_from_bytes(p, 16, 38, &v, &e), RC_REJECT);
    assert_int_equal(decimal_from_bytes(lowest, 16, 38, &v, &e), RC_REJECT);
    assert_int_equal(decimal_from_bytes(thousand, 2, 3, &v, &e), RC_REJECT);
    assert_int_equal(decimal_from_bytes(thousand, 2, 4, &v, &e), RC_OK);
    assert_true(v == 1000);
    assert_int_equal(decimal_from_bytes(below, 2, 3, &v, &e), RC_REJECT);
    assert_int_equal(decimal_from_bytes(below, 2, 4, &v, &e), RC_OK);
    assert_true(v == -1000);
    for (int precision = 18; precision <= 20; precision++) { /* 2^63 - 1 has 19 digits */
        assert_int_equal(decimal_from_bytes(p, 8, precision, &v, &e), precision < 19 ? RC_REJECT : RC_OK);
        assert_int_equal(decimal_from_bytes(lowest, 8, precision, &v, &e), precision < 19 ? RC_REJECT : RC_OK);
        assert_true(precision < 19 || v == INT64_MIN);
    }
}

static void a_short_number_is_what_the_long_way_makes_of_it(void **state)
{
    static const char characters[] = "0123456789.-+eE x";
    static const char *const plain[] = {"0", "7", "-7", "0.5", "249.99", "-0.05", "12345678", "1234.567", "1.234567", "123456.7", "999999999999999999", "0.000000000000001", "123456789.123"};
    uint32_t random = 7;
    decimal_t wanted;
    int64_t v;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        size_t n = strlen(plain[i]);
        size_t point = strcspn(plain[i], ".");
        assert_true(decimal_parse_few(plain[i], n, 18, point < n ? (int)(n - point - 1) : 0, &v));
    }
    for (int round = 0; round < 500000; round++) {
        char *text = malloc(12); /* of exactly its size, so that ASan sees a byte read too many */
        size_t n = (random >> 8) % 12;
        assert_non_null(text);
        char *at = text + 12 - n;
        for (size_t i = 0; i < n; i++) {
            random = random * 1664525u + 1013904223u;
            at[i] = characters[(random >> 12) % 4 > 0 ? (random >> 16) % 10 : (random >> 16) % (sizeof characters - 1)];
        }
        random = random * 1664525u + 1013904223u;
        int precision = 1 + (int)((random >> 16) % 20), scale = (int)((random >> 24) % 20);
        if (decimal_parse_few(at, n, precision, scale, &v)) {
            if (decimal_parse(at, n, precision, scale, &wanted, &e) != RC_OK || wanted != v)
                fail_msg("%.*s with %d digits, %d behind the point", (int)n, at, precision, scale);
        }
        free(text);
    }
}

static void words_never_hold_the_value(void **state)
{
    struct err e;
    decimal_t v;
    (void)state;
    assert_int_equal(decimal_parse("77.12345", 8, 18, 4, &v, &e), RC_REJECT);
    assert_null(strstr(e.text, "77"));
    assert_non_null(strstr(e.text, "4 fraction digits"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_keep_their_last_digit),
        cmocka_unit_test(exponents_are_computed_exactly),
        cmocka_unit_test(trailing_zeros_do_not_count_as_digits),
        cmocka_unit_test(digits_beyond_the_precision_are_refused),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(bytes_are_the_shortest_and_come_back),
        cmocka_unit_test(the_largest_decimals_survive_their_bytes),
        cmocka_unit_test(bytes_out_of_bounds_are_refused),
        cmocka_unit_test(a_short_number_is_what_the_long_way_makes_of_it),
        cmocka_unit_test(words_never_hold_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
