#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/bucket.h"

enum { TAKEN_MAX = 20000 };

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

/* Takes as fast as allowed or at random moments for ten minutes, notes when. */
static size_t play(int64_t per_minute, int greedy, int64_t *taken)
{
    struct bucket b;
    size_t n = 0;
    int64_t now = 1000;
    bucket_init(&b, per_minute, now);
    while (now < 601000 && n < TAKEN_MAX) {
        int64_t wait = bucket_take(&b, now);
        if (wait == 0)
            taken[n++] = now;
        else
            assert_in_range(wait, 1, 60000);
        now += greedy ? wait : (int64_t)draw((uint64_t)(120000 / per_minute) + 2);
    }
    return n;
}

static void no_minute_sees_more_than_quota_and_burst(void **state)
{
    (void)state;
    static const int64_t quotas[] = {1, 3, 7, 10, 20, 33, 40, 59, 100, 600};
    int64_t *taken = calloc(TAKEN_MAX, sizeof *taken);
    assert_non_null(taken);
    for (size_t q = 0; q < sizeof quotas / sizeof quotas[0]; q++)
        for (int round = 0; round < 20; round++) {
            seed = (uint64_t)(round + 1);
            int64_t burst = quotas[q] / 10 > 1 ? quotas[q] / 10 : 1;
            size_t n = play(quotas[q], round == 0, taken);
            for (size_t i = 0, from = 0; i < n; i++) {
                while (taken[i] - taken[from] >= 60000)
                    from++;
                assert_in_range(i - from + 1, 1, quotas[q] + burst);
            }
        }
    free(taken);
}

static void a_backlog_drains_at_exactly_the_quota(void **state)
{
    (void)state;
    int64_t *taken = calloc(TAKEN_MAX, sizeof *taken);
    assert_non_null(taken);
    assert_in_range(play(40, 1, taken), 400, 404);
    assert_in_range(play(20, 1, taken), 200, 202);
    free(taken);
}

static void asking_too_early_takes_nothing(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1, 0);
    assert_int_equal(bucket_take(&b, 0), 0);
    assert_int_equal(bucket_take(&b, 0), 60000);
    assert_int_equal(bucket_take(&b, 59999), 1);
    assert_int_equal(bucket_take(&b, 60000), 0);
}

static void retry_after_closes_and_opens_with_one_token(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 600, 0);
    bucket_close(&b, 0, 5000);
    bucket_close(&b, 0, 100); /* a shorter one changes nothing */
    bucket_close(&b, 0, -7);
    assert_int_equal(bucket_take(&b, 0), 5000);
    assert_int_equal(bucket_take(&b, 4999), 1);
    assert_int_equal(bucket_take(&b, 5000), 0);
    assert_int_equal(bucket_take(&b, 5000), 100);
}

static void another_rate_begins_with_what_was_left_and_keeps_the_pause(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 60, 0);
    while (bucket_take(&b, 0) == 0) {
    }
    bucket_rate(&b, 600, 0);
    assert_int_equal(bucket_take(&b, 0), 100); /* nothing was left */
    bucket_rate(&b, 6, 1000);
    assert_int_equal(bucket_take(&b, 1000), 0);
    assert_int_equal(bucket_take(&b, 1000), 10000);
    bucket_close(&b, 1000, 5000);
    bucket_rate(&b, 600, 2000);
    assert_int_equal(bucket_take(&b, 2000), 4000);
    struct bucket same = b;
    bucket_rate(&b, 600, 3000);
    assert_memory_equal(&b, &same, sizeof b); /* the same one changes nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_minute_sees_more_than_quota_and_burst),
        cmocka_unit_test(a_backlog_drains_at_exactly_the_quota),
        cmocka_unit_test(asking_too_early_takes_nothing),
        cmocka_unit_test(retry_after_closes_and_opens_with_one_token),
        cmocka_unit_test(another_rate_begins_with_what_was_left_and_keeps_the_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
