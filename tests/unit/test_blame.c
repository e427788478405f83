#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "producer/blame.h"

enum { ORDERS = 40 };

static struct blame b;
static struct blame_row rows[ORDERS];

static int begin(void **state)
{
    (void)state;
    b = (struct blame){0};
    for (int i = 0; i < ORDERS; i++)
        rows[i] = (struct blame_row){0};
    return 0;
}

static void succeeds(struct blame_row *r)
{
    struct blame_row fresh = {0};
    blame_success(&b, r != NULL ? r : &fresh);
    for (int i = 0; i < ORDERS; i++)
        blame_judge(&b, &rows[i]);
}

static unsigned level(const struct blame_row *r)
{
    return (unsigned)r->own;
}

static void an_order_that_fails_while_others_succeed_at_once_is_to_blame_for_each_time(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 9; n++) {
        assert_int_equal(blame_failure(&b, &rows[0]), n);
        assert_int_equal(rows[0].tries, n);
        assert_int_equal(b.failing, n >= BLAME_FAILING_FROM);
        succeeds(NULL);
    }
    assert_false(blame_outage(&b));
    blame_forget(&b, &rows[0]);
    assert_int_equal(b.failing + b.trying + b.unsure, 0);
    assert_int_equal(blame_failure(&b, &rows[0]), 1);
}

static void many_bad_orders_are_found_out_however_seldom_another_succeeds(void **state)
{
    (void)state;
    for (int success = 0; success < BLAME_FAILING_FROM; success++) {
        for (int tries = 0; tries < 10; tries++)
            for (int i = 0; i < 20; i++)
                assert_in_range(blame_failure(&b, &rows[i]), 1, 12); /* the first two are not known to be many yet */
        assert_true(blame_outage(&b));
        succeeds(NULL);
        assert_false(blame_outage(&b));
    }
    assert_int_equal(b.failing, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(blame_failure(&b, &rows[i]), BLAME_FAILING_FROM + 1); /* found out: nothing more is waited for */
        assert_int_equal(blame_failure(&b, &rows[i]), BLAME_FAILING_FROM + 2);
    }
    assert_false(blame_outage(&b));
    for (int i = 20; i < 25; i++)
        (void)blame_failure(&b, &rows[i]);
    assert_true(blame_outage(&b));
    assert_int_equal(blame_failure(&b, &rows[0]), BLAME_FAILING_FROM + 3); /* an outage is no excuse any more */
}

static void while_nothing_succeeds_no_order_of_three_or_more_is_blamed(void **state)
{
    (void)state;
    for (int tries = 0; tries < 100; tries++)
        for (int i = 0; i < 5; i++)
            assert_in_range(blame_failure(&b, &rows[i]), 1, 2);
    assert_int_equal(b.failing, 0);
    assert_true(blame_outage(&b));
    succeeds(NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(level(&rows[i]), 1); /* not none: what fails once more did so after a success */
}

/* One try of ten succeeds, at random; each order that succeeded is replaced by a new one. */
static void in_a_brown_out_nobody_is_blamed_for_what_fails_for_most(void **state)
{
    (void)state;
    unsigned random = 12345, blamed = 0, done = 0;
    for (int tries = 0; tries < 20000; tries++) {
        struct blame_row *r = &rows[tries % ORDERS];
        random = random * 1103515245 + 12345;
        if ((random >> 16) % 10 == 0) {
            succeeds(r);
            done++;
            continue;
        }
        blamed += blame_failure(&b, r) >= BLAME_FAILING_FROM;
    }
    assert_in_range(done, 1800, 2200);
    assert_in_range(blamed, 0, 1500); /* of 18,000 failures: the unlucky ones */
    assert_true(blame_outage(&b));
    for (int i = 0; i < ORDERS; i++)
        blame_forget(&b, &rows[i]);
    assert_false(blame_outage(&b)); /* nothing of it waits any more */
    assert_int_equal(b.failing + b.trying + b.unsure, 0);
}

static void what_was_blamed_alone_without_any_success_is_doubted_at_the_first(void **state)
{
    (void)state;
    for (int tries = 0; tries < 9; tries++) {
        (void)blame_failure(&b, &rows[0]);
        (void)blame_failure(&b, &rows[1]);
    }
    assert_int_equal(b.failing, 2); /* only two: told, and made to wait */
    assert_false(blame_outage(&b));
    succeeds(NULL);
    assert_int_equal(b.failing, 0);
    assert_int_equal(level(&rows[0]), 1);
}

static void an_outage_is_forgotten_after_some_successes(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        for (int tries = 0; tries < 30; tries++)
            (void)blame_failure(&b, &rows[i]);
    for (int i = 0; i < 10; i++)
        succeeds(&rows[i]);
    assert_int_equal(b.trying, 0);
    (void)blame_failure(&b, &rows[20]);
    assert_int_equal(level(&rows[20]), 0); /* xSale may not be well yet */
    for (int i = 0; i < 40; i++)
        succeeds(NULL);
    for (unsigned n = 1; n <= BLAME_FAILING_FROM; n++)
        (void)blame_failure(&b, &rows[21]);
    assert_int_equal(level(&rows[21]), BLAME_FAILING_FROM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_order_that_fails_while_others_succeed_at_once_is_to_blame_for_each_time, begin),
        cmocka_unit_test_setup(many_bad_orders_are_found_out_however_seldom_another_succeeds, begin),
        cmocka_unit_test_setup(while_nothing_succeeds_no_order_of_three_or_more_is_blamed, begin),
        cmocka_unit_test_setup(in_a_brown_out_nobody_is_blamed_for_what_fails_for_most, begin),
        cmocka_unit_test_setup(what_was_blamed_alone_without_any_success_is_doubted_at_the_first, begin),
        cmocka_unit_test_setup(an_outage_is_forgotten_after_some_successes, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
