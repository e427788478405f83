#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"

static void expect(const char *text, size_t n, size_t good)
{
    assert_int_equal(utf8_check(text, n), good);
}

static void every_valid_length_passes(void **state)
{
    (void)state;
    expect("", 0, 0);
    expect("za\xC5\xBC\xC3\xB3\xC5\x82\xC4\x87", 10, 10);
    expect("\xE2\x82\xAC \xF0\x9F\x98\x80", 8, 8);
    expect("a\0b", 3, 3);
    expect("\xEF\xBF\xBF\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80", 13, 13);
}

static void overlong_forms_surrogates_and_too_large_ones_are_refused(void **state)
{
    (void)state;
    expect("a\xC0\x80", 3, 1);
    expect("a\xC1\xBF", 3, 1);
    expect("\xE0\x9F\xBF", 3, 0);
    expect("\xF0\x8F\xBF\xBF", 4, 0);
    expect("\xED\xA0\x80", 3, 0);
    expect("\xED\xBF\xBF", 3, 0);
    expect("\xF4\x90\x80\x80", 4, 0);
    expect("\xF5\x80\x80\x80", 4, 0);
    expect("\x80", 1, 0);
    expect("\xFF", 1, 0);
}

static void cut_characters_end_the_valid_beginning(void **state)
{
    (void)state;
    expect("ab\xE2\x82", 4, 2);
    expect("ab\xC5", 3, 2);
    expect("\xF0\x9F\x98", 3, 0);
    expect("\xE2\x28\xA1", 3, 0);
    expect("\xE2\x82\x28", 3, 0);
}

static void the_fault_is_found_behind_long_plain_text(void **state)
{
    (void)state;
    char text[100];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'x', sizeof text);
        text[at] = '\xFE';
        expect(text, sizeof text, at);
    }
}

/* RFC 3629's table, one character at a time. */
static size_t length_of(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char first, last, low, high;
        size_t length;
    } rows[] = {{0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (p[0] < rows[i].first || p[0] > rows[i].last)
            continue;
        if (rows[i].length > n || (rows[i].length > 1 && (p[1] < rows[i].low || p[1] > rows[i].high)))
            return 0;
        for (size_t k = 2; k < rows[i].length; k++)
            if (p[k] < 0x80 || p[k] > 0xBF)
                return 0;
        return rows[i].length;
    }
    return 0;
}

/* Whole characters of every length and broken ones, so that every edge of whatever is looked at together is met by each. */
static void any_mixture_is_judged_as_character_by_character(void **state)
{
    static const char *const parts[] = {"a", "plain text", "\xC5\xBC", "\xC5\xBC\xC5\x82", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xC5", "\x80", "\xBF", "\xC1\xBF", "\xE2\x82", "\xED\xA0\x80", "\xDF\xBF"};
    uint32_t random = 1;
    (void)state;
    for (int round = 0; round < 200000; round++) {
        char made[128];
        size_t n = 0, good = 0, broken = (random >> 20) % 3; /* often none is */
        for (size_t wanted = (random >> 16) % 60; n < wanted;) {
            random = random * 1664525u + 1013904223u;
            const char *part = parts[(random >> 16) % (broken == 0 ? sizeof parts / sizeof parts[0] : 6)];
            memcpy(made + n, part, strlen(part));
            n += strlen(part);
        }
        random = random * 1664525u + 1013904223u;
        unsigned char *text = malloc(n > 0 ? n : 1); /* of exactly its size, so that ASan sees a byte read too many */
        assert_non_null(text);
        memcpy(text, made, n);
        for (size_t length = 1; good < n && length > 0; good += length)
            length = length_of(text + good, n - good);
        assert_int_equal(utf8_check(text, n), good);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_valid_length_passes),
        cmocka_unit_test(overlong_forms_surrogates_and_too_large_ones_are_refused),
        cmocka_unit_test(cut_characters_end_the_valid_beginning),
        cmocka_unit_test(the_fault_is_found_behind_long_plain_text),
        cmocka_unit_test(any_mixture_is_judged_as_character_by_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
