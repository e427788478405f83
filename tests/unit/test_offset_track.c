/* Which offsets are finished, and how that survives a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "consumer/offset_track.h"

static struct offset_track *taken(int64_t from, int64_t to)
{
    struct offset_track *t = offset_track_create();
    assert_non_null(t);
    for (int64_t o = from; o < to; o++)
        assert_int_equal(offset_track_take(t, o), OFFSET_NEW);
    return t;
}

static struct offset_track *restored(const struct offset_track *from)
{
    char metadata[OFFSET_METADATA + 1];
    struct offset_track *t = offset_track_create();
    assert_non_null(t);
    offset_track_metadata(from, metadata);
    assert_true(offset_track_restore(t, offset_track_position(from), metadata));
    return t;
}

static void nothing_is_known_before_the_first_record(void **state)
{
    (void)state;
    struct offset_track *t = offset_track_create();
    char metadata[OFFSET_METADATA + 1];
    assert_int_equal(offset_track_position(t), -1);
    offset_track_metadata(t, metadata);
    assert_string_equal(metadata, "");
    assert_false(offset_track_full(t));
    offset_track_destroy(t);
}

static void the_position_is_the_lowest_unfinished(void **state)
{
    (void)state;
    struct offset_track *t = taken(10, 20);
    char metadata[OFFSET_METADATA + 1];
    assert_true(offset_track_finish(t, 12));
    assert_true(offset_track_finish(t, 13));
    assert_true(offset_track_finish(t, 10));
    assert_int_equal(offset_track_position(t), 11);
    offset_track_metadata(t, metadata);
    assert_string_equal(metadata, "x1:11:BC"); /* one unfinished, two finished */
    assert_true(offset_track_finish(t, 11));
    assert_int_equal(offset_track_position(t), 14);
    offset_track_metadata(t, metadata);
    assert_string_equal(metadata, "");
    assert_int_equal(offset_track_open(t), 6);
    offset_track_destroy(t);
}

static void what_was_not_taken_cannot_finish_and_nothing_finishes_twice(void **state)
{
    (void)state;
    struct offset_track *t = taken(10, 12);
    assert_false(offset_track_finish(t, 9));
    assert_false(offset_track_finish(t, 12));
    assert_true(offset_track_finish(t, 11));
    assert_false(offset_track_finish(t, 11));
    assert_int_equal(offset_track_take(t, 11), OFFSET_OLD);
    offset_track_destroy(t);
}

static void holes_in_the_partition_count_as_finished(void **state)
{
    (void)state;
    struct offset_track *t = taken(10, 11), *again;
    assert_int_equal(offset_track_take(t, 1000000), OFFSET_NEW);
    again = restored(t);
    assert_int_equal(offset_track_take(again, 10), OFFSET_NEW);
    assert_int_equal(offset_track_take(again, 500), OFFSET_DONE);
    assert_int_equal(offset_track_take(again, 1000000), OFFSET_NEW);
    offset_track_destroy(t);
    offset_track_destroy(again);
}

static void what_was_finished_above_is_known_after_two_restarts(void **state)
{
    (void)state;
    struct offset_track *t = taken(0, 100), *once, *twice;
    for (int64_t o = 1; o < 100; o += 2)
        assert_true(offset_track_finish(t, o));
    once = restored(t);
    assert_int_equal(offset_track_take(once, 0), OFFSET_NEW); /* and crashed before it read on */
    twice = restored(once);
    for (int64_t o = 0; o < 100; o++)
        assert_int_equal(offset_track_take(twice, o), o % 2 == 1 ? OFFSET_DONE : OFFSET_NEW);
    offset_track_destroy(t);
    offset_track_destroy(once);
    offset_track_destroy(twice);
}

static void the_position_goes_over_what_was_finished_before(void **state)
{
    (void)state;
    struct offset_track *t = taken(0, 10), *again;
    for (int64_t o = 1; o < 10; o++)
        assert_true(offset_track_finish(t, o));
    again = restored(t);
    assert_int_equal(offset_track_take(again, 0), OFFSET_NEW);
    assert_true(offset_track_finish(again, 0));
    assert_int_equal(offset_track_position(again), 10);
    offset_track_destroy(t);
    offset_track_destroy(again);
}

static void foreign_metadata_is_ignored_and_the_position_holds(void **state)
{
    (void)state;
    static const char *const foreign[] = {"x1:12:BC", "x1:11", "x1:11:B", "x1:11:B*", "x1:11:AB", "x1:11:BA", "x2:11:BC", "hello", "x1::BC",
                                          "x1:11:gggggggggggggggB", "x1:99999999999999999999:BC",
                                          "x1:11:________________B"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        struct offset_track *t = offset_track_create();
        assert_false(offset_track_restore(t, 11, foreign[i]));
        assert_int_equal(offset_track_position(t), 11);
        assert_int_equal(offset_track_take(t, 12), OFFSET_NEW);
        offset_track_destroy(t);
    }
}

static void metadata_that_is_too_long_is_ignored(void **state)
{
    (void)state;
    char metadata[OFFSET_METADATA + 2];
    struct offset_track *t = offset_track_create();
    memset(metadata, 'B', sizeof metadata);
    memcpy(metadata, "x1:11:", 6);
    metadata[OFFSET_METADATA + 1] = '\0';
    assert_false(offset_track_restore(t, 11, metadata));
    offset_track_destroy(t);
}

/* Takes while allowed, then finishes every second one: the worst for the run lengths. */
static void intake_that_stops_when_full_never_overflows_the_metadata(void **state)
{
    (void)state;
    for (int64_t gap = 1; gap <= 1 << 20; gap *= 8) {
        struct offset_track *t = offset_track_create(), *again;
        int64_t o = 0, n = 0;
        for (; !offset_track_full(t); o += gap, n++)
            assert_int_equal(offset_track_take(t, o), OFFSET_NEW);
        assert_true(n > 400);
        assert_false(offset_track_roomy(t));
        if (gap == 1)
            for (int64_t f = 1; f < o; f += 2)
                assert_true(offset_track_finish(t, f));
        again = restored(t);
        for (int64_t f = 0; f <= o - gap; f++) {
            bool done = f % gap != 0 || (gap == 1 && f % 2 == 1);
            if (f > 4000 && f < o - 4000 && f % gap > 2)
                f += gap - f % gap - 1; /* skip along the holes */
            else
                assert_int_equal(offset_track_take(again, f), done ? OFFSET_DONE : OFFSET_NEW);
        }
        offset_track_destroy(t);
        offset_track_destroy(again);
    }
}

static void one_old_record_does_not_hold_memory_for_a_million_behind_it(void **state)
{
    (void)state;
    struct offset_track *t = taken(0, 1);
    char metadata[OFFSET_METADATA + 1];
    for (int64_t o = 1; o < 1000000; o++) {
        if (o % 2 == 0) {
            offset_track_pass(t, o);
            continue;
        }
        assert_int_equal(offset_track_take(t, o), OFFSET_NEW);
        assert_true(offset_track_finish(t, o));
    }
    assert_int_equal(offset_track_position(t), 0);
    assert_int_equal(offset_track_open(t), 1);
    assert_false(offset_track_full(t));
    offset_track_metadata(t, metadata);
    assert_true(strlen(metadata) < 16);
    offset_track_destroy(t);
}

static void metadata_that_would_not_fit_leaves_out_the_highest(void **state)
{
    (void)state;
    struct offset_track *t = taken(0, 20000), *again; /* nobody asked whether it was full */
    for (int64_t o = 1; o < 20000; o += 2)
        assert_true(offset_track_finish(t, o));
    again = restored(t);
    assert_int_equal(offset_track_take(again, 0), OFFSET_NEW);
    assert_int_equal(offset_track_take(again, 1), OFFSET_DONE);
    assert_int_equal(offset_track_take(again, 19999), OFFSET_NEW);
    offset_track_destroy(t);
    offset_track_destroy(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_before_the_first_record),
        cmocka_unit_test(the_position_is_the_lowest_unfinished),
        cmocka_unit_test(what_was_not_taken_cannot_finish_and_nothing_finishes_twice),
        cmocka_unit_test(holes_in_the_partition_count_as_finished),
        cmocka_unit_test(what_was_finished_above_is_known_after_two_restarts),
        cmocka_unit_test(the_position_goes_over_what_was_finished_before),
        cmocka_unit_test(foreign_metadata_is_ignored_and_the_position_holds),
        cmocka_unit_test(metadata_that_is_too_long_is_ignored),
        cmocka_unit_test(intake_that_stops_when_full_never_overflows_the_metadata),
        cmocka_unit_test(one_old_record_does_not_hold_memory_for_a_million_behind_it),
        cmocka_unit_test(metadata_that_would_not_fit_leaves_out_the_highest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
