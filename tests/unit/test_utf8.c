#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_valid_length_passes),
        cmocka_unit_test(overlong_forms_surrogates_and_too_large_ones_are_refused),
        cmocka_unit_test(cut_characters_end_the_valid_beginning),
        cmocka_unit_test(the_fault_is_found_behind_long_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
