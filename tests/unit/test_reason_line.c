#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "producer/reason_line.h"

static void a_reason_is_one_line(void **state)
{
    char out[REASON_LINE_BYTES];
    (void)state;
    assert_string_equal(reason_line("Błędny NIP", out), "Błędny NIP");
    assert_string_equal(reason_line(" Zażółć\r\n\tgęślą  jaźń \n", out), "Zażółć gęślą jaźń");
    assert_string_equal(reason_line("a\xC2\x85" "b\xE2\x80\xA8" "c\x1b[0m\x7f", out), "a b c [0m");
    assert_string_equal(reason_line("\xF0\x9F\x9A\x9A\xC2\xA0z", out), "\xF0\x9F\x9A\x9A\xC2\xA0z");
    assert_null(reason_line(NULL, out));
    assert_null(reason_line("", out));
    assert_null(reason_line(" \n\t", out));
}

static void a_long_reason_is_cut_at_a_character(void **state)
{
    char out[REASON_LINE_BYTES], text[3 * REASON_LINE_BYTES];
    (void)state;
    for (size_t lead = 0; lead < 2; lead++) {
        memset(text, 'x', lead);
        for (size_t i = lead; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xC5\x82", 3);
        size_t n = strlen(reason_line(text, out));
        assert_int_equal(n, lead == 0 ? 2000 : 1999);
        assert_memory_equal(out, text, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_is_one_line),
        cmocka_unit_test(a_long_reason_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
