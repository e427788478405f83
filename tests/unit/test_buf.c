#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"

static void content_grows_up_to_exactly_the_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 300);
    for (int i = 0; i < 300; i++)
        buf_put_byte(&b, (unsigned char)('a' + i % 26));
    assert_false(buf_failed(&b));
    assert_int_equal(b.n, 300);
    const char *text = buf_text(&b);
    assert_non_null(text); /* the ending zero is not part of the limit */
    assert_int_equal(strlen(text), 300);
    buf_put_byte(&b, 'x');
    assert_true(buf_failed(&b));
    assert_int_equal(b.n, 300);
    buf_release(&b);
}

static void a_failure_sticks_until_the_reset(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_put_text(&b, "abcde");
    assert_true(buf_failed(&b));
    buf_put_text(&b, "a");
    assert_int_equal(b.n, 0);
    assert_null(buf_text(&b));
    buf_reset(&b);
    buf_put_text(&b, "abcd");
    assert_string_equal(buf_text(&b), "abcd");
    buf_release(&b);
    assert_int_equal(b.max, 4);
}

static void printed_text_may_fill_the_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 6);
    buf_printf(&b, "%s-%d", "abc", 12);
    assert_string_equal(buf_text(&b), "abc-12");
    buf_printf(&b, "%d", 3);
    assert_true(buf_failed(&b));
    buf_release(&b);
}

static void a_length_that_would_wrap_around_is_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_put_text(&b, "abc");
    assert_false(buf_reserve(&b, SIZE_MAX - 1));
    assert_true(buf_failed(&b));
    buf_release(&b);
}

static void an_empty_buffer_is_an_empty_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_put(&b, NULL, 0);
    assert_string_equal(buf_text(&b), "");
    buf_put_byte(&b, 1);
    assert_true(buf_failed(&b));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_grows_up_to_exactly_the_limit),
        cmocka_unit_test(a_failure_sticks_until_the_reset),
        cmocka_unit_test(printed_text_may_fill_the_limit),
        cmocka_unit_test(a_length_that_would_wrap_around_is_refused),
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
