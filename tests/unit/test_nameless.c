#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "producer/nameless.h"

static void an_order_without_id_is_told_once_while_it_keeps_showing(void **state)
{
    (void)state;
    struct nameless *n = nameless_create();
    nameless_poll(n);
    assert_int_equal(nameless_see(n, 7), NAMELESS_NEWS);
    nameless_note(n, 7);
    assert_int_equal(nameless_see(n, 7), NAMELESS_REPEATED);
    nameless_poll(n);
    assert_int_equal(nameless_see(n, 7), NAMELESS_KNOWN);
    assert_int_equal(nameless_see(n, 7), NAMELESS_REPEATED);
    nameless_destroy(n);
}

static void one_that_a_poll_did_not_show_is_news_again(void **state)
{
    (void)state;
    struct nameless *n = nameless_create();
    nameless_poll(n);
    nameless_note(n, 7);
    nameless_poll(n);
    nameless_poll(n);
    assert_int_equal(nameless_see(n, 7), NAMELESS_NEWS);
    nameless_destroy(n);
}

static void no_more_than_the_limit_are_remembered(void **state)
{
    (void)state;
    struct nameless *n = nameless_create();
    nameless_poll(n);
    for (uint64_t i = 0; i <= NAMELESS_MAX; i++)
        nameless_note(n, i);
    assert_int_equal(nameless_see(n, NAMELESS_MAX - 1), NAMELESS_REPEATED);
    assert_int_equal(nameless_see(n, NAMELESS_MAX), NAMELESS_NEWS);
    nameless_destroy(n);
}

static void a_poll_that_was_not_complete_forgets_nothing(void **state)
{
    (void)state;
    struct nameless *n = nameless_create();
    nameless_poll(n);
    nameless_note(n, 1);
    nameless_poll(n); /* this one fails before it shows it */
    nameless_poll_again(n);
    assert_int_equal(nameless_see(n, 1), NAMELESS_KNOWN);
    nameless_poll_again(n); /* and is no repetition in the next one */
    assert_int_equal(nameless_see(n, 1), NAMELESS_KNOWN);
    nameless_destroy(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_that_was_not_complete_forgets_nothing),
        cmocka_unit_test(an_order_without_id_is_told_once_while_it_keeps_showing),
        cmocka_unit_test(one_that_a_poll_did_not_show_is_news_again),
        cmocka_unit_test(no_more_than_the_limit_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
