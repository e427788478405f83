#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "producer/loop_guard.h"

enum { MINUTE = 60 * 1000, DAY = 86400 * 1000 };

static void two_retries_are_free_and_the_third_waits_a_minute(void **state)
{
    (void)state;
    struct loop_guard *g = loop_guard_create();
    for (int i = 0; i < 2; i++) {
        assert_true(loop_guard_allows(g, 1, 5, 1000));
        loop_guard_note(g, 1, 5, 1000);
    }
    assert_false(loop_guard_allows(g, 1, 5, 1000 + MINUTE - 1));
    assert_true(loop_guard_allows(g, 1, 5, 1000 + MINUTE));
    assert_true(loop_guard_allows(g, 2, 5, 1000)); /* another order */
    assert_true(loop_guard_allows(g, 1, 6, 1000)); /* another content */
    loop_guard_destroy(g);
}

static void after_a_day_the_count_begins_anew(void **state)
{
    (void)state;
    struct loop_guard *g = loop_guard_create();
    for (int i = 0; i < 20; i++)
        loop_guard_note(g, 1, 5, 1000);
    assert_false(loop_guard_allows(g, 1, 5, 1000 + 59 * MINUTE));
    assert_true(loop_guard_allows(g, 1, 5, 1000 + 60 * MINUTE));
    loop_guard_note(g, 1, 5, 1001 + DAY);
    loop_guard_note(g, 2, 5, 1001 + DAY);
    assert_true(loop_guard_allows(g, 1, 5, 1001 + DAY));
    assert_int_equal(loop_guard_orders(g), 2);
    loop_guard_note(g, 3, 5, 1002 + 2 * (int64_t)DAY); /* the old ones are dropped on the way */
    assert_int_equal(loop_guard_orders(g), 1);
    loop_guard_destroy(g);
}

static void an_order_that_looks_new_again_counts_as_retried(void **state)
{
    (void)state;
    struct loop_guard *g = loop_guard_create();
    loop_guard_first(g, 1, 5, 1000);
    for (int i = 0; i < 2; i++) {
        assert_true(loop_guard_allows(g, 1, 5, 1000));
        loop_guard_first(g, 1, 5, 1000);
    }
    assert_false(loop_guard_allows(g, 1, 5, 1000 + MINUTE - 1));
    assert_true(loop_guard_see(g, 1, 7));
    assert_false(loop_guard_see(g, 1, 7));
    assert_true(loop_guard_see(g, 1, 8));
    loop_guard_first(g, 1, 6, 1000); /* another content: a new count */
    assert_true(loop_guard_allows(g, 1, 6, 1000));
    loop_guard_destroy(g);
}

static void the_memory_is_bounded(void **state)
{
    (void)state;
    struct loop_guard *g = loop_guard_create();
    for (int64_t i = 1; i <= LOOP_GUARD_ORDERS + 10; i++)
        loop_guard_note(g, i, 5, 1000);
    assert_int_equal(loop_guard_orders(g), LOOP_GUARD_ORDERS);
    loop_guard_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_retries_are_free_and_the_third_waits_a_minute),
        cmocka_unit_test(after_a_day_the_count_begins_anew),
        cmocka_unit_test(an_order_that_looks_new_again_counts_as_retried),
        cmocka_unit_test(the_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
