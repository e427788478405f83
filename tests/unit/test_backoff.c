#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/backoff.h"

static void waits_stay_within_the_doubling_limit(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct backoff b;
        backoff_init(&b, 100, 5000, seed);
        for (int64_t n = 1, top = 200; n <= 40; n++, top = top * 2 > 5000 ? 5000 : top * 2)
            assert_in_range(backoff_next(&b), 100, top);
    }
}

static void waits_reach_both_ends_of_their_range(void **state)
{
    (void)state;
    struct backoff b;
    int64_t least = INT64_MAX, most = 0;
    backoff_init(&b, 10, 40, 7);
    for (int i = 0; i < 5000; i++) {
        int64_t wait = backoff_next(&b);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_int_equal(least, 10);
    assert_int_equal(most, 40);
}

static void two_clients_that_fail_together_part(void **state)
{
    (void)state;
    struct backoff a, b;
    int same = 0;
    backoff_init(&a, 1000, 60000, 1);
    backoff_init(&b, 1000, 60000, 2);
    for (int i = 0; i < 20; i++)
        same += backoff_next(&a) == backoff_next(&b);
    assert_in_range(same, 0, 3);
}

static void a_success_begins_anew(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, 100, 100000, 3);
    for (int i = 0; i < 12; i++)
        (void)backoff_next(&b);
    backoff_reset(&b);
    for (int i = 0; i < 100; i++, backoff_reset(&b))
        assert_in_range(backoff_next(&b), 100, 200);
}

static void odd_limits_are_put_right(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, 0, -5, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(backoff_next(&b), 1);
    backoff_init(&b, 1, INT64_MAX, 0);
    for (int i = 0; i < 200; i++)
        assert_true(backoff_next(&b) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_stay_within_the_doubling_limit),
        cmocka_unit_test(waits_reach_both_ends_of_their_range),
        cmocka_unit_test(two_clients_that_fail_together_part),
        cmocka_unit_test(a_success_begins_anew),
        cmocka_unit_test(odd_limits_are_put_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
