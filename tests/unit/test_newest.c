/* What stands more than once: kept, bounded, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "consumer/newest.h"

enum { MANY = 200000 };

static bool note(struct newest *n, int order, const char *warehouse, int64_t publication)
{
    char key[32];
    int length = snprintf(key, sizeof key, "acme/%d", order);
    return newest_note(n, key, (size_t)length, warehouse, strlen(warehouse), publication);
}

static int64_t known(const struct newest *n, int order, const char *warehouse)
{
    char key[32];
    int length = snprintf(key, sizeof key, "acme/%d", order);
    return newest_publication(n, key, (size_t)length, warehouse, strlen(warehouse));
}

static void the_newest_of_what_stands_more_than_once_is_known(void **state)
{
    (void)state;
    struct newest *n = newest_create(100);
    assert_non_null(n);
    assert_true(note(n, 1, "MAG-1", 10));
    assert_true(note(n, 2, "MAG-1", 10));
    assert_int_equal(known(n, 1, "MAG-1"), 0);
    assert_true(note(n, 1, "MAG-1", 30));
    assert_true(note(n, 1, "MAG-1", 20)); /* not in order */
    assert_true(note(n, 1, "MAG-2", 40));
    assert_int_equal(known(n, 1, "MAG-1"), 30);
    assert_int_equal(known(n, 1, "MAG-2"), 0);
    assert_int_equal(known(n, 2, "MAG-1"), 0);
    assert_int_equal(known(n, 3, "MAG-1"), 0);
    assert_int_equal(newest_count(n), 1);
    newest_destroy(n);
}

static void a_full_one_says_so_and_keeps_what_it_knows(void **state)
{
    (void)state;
    struct newest *n = newest_create(3);
    int noted = 0;
    assert_non_null(n);
    for (int i = 1; i <= 5; i++) {
        assert_true(note(n, i, "M", 10));
        noted += note(n, i, "M", 20);
    }
    assert_int_equal(noted, 3);
    assert_int_equal(newest_count(n), 3);
    assert_true(note(n, 2, "M", 30)); /* of those it has it takes more */
    assert_int_equal(known(n, 2, "M"), 30);
    assert_int_equal(known(n, 5, "M"), 0);
    newest_destroy(n);
}

static void none_of_many_is_lost_or_mixed_up_and_single_ones_take_no_row(void **state)
{
    (void)state;
    struct newest *n = newest_create(MANY);
    assert_non_null(n);
    for (int i = 1; i <= MANY; i++)
        assert_true(note(n, i, "M", i));
    assert_true(newest_count(n) < MANY / 50);
    for (int i = 2; i <= MANY; i += 2)
        assert_true(note(n, i, "M", MANY + i));
    for (int i = 1; i <= MANY; i++)
        if (i % 2 == 0)
            assert_int_equal(known(n, i, "M"), MANY + i);
        else
            assert_true(known(n, i, "M") <= i); /* at most itself: nothing outdates it */
    newest_destroy(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_what_stands_more_than_once_is_known),
        cmocka_unit_test(a_full_one_says_so_and_keeps_what_it_knows),
        cmocka_unit_test(none_of_many_is_lost_or_mixed_up_and_single_ones_take_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
