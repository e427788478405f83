#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "common/base/arena.h"

static void things_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    unsigned char *before = NULL;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_take(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, n);
        assert_true(p != before);
        before = p;
    }
    arena_release(&a);
}

static void a_thing_larger_than_a_chunk_gets_its_own(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    unsigned char *big = arena_take(&a, 1 << 20);
    assert_non_null(big);
    memset(big, 1, 1 << 20);
    assert_string_equal(arena_text(&a, "words", 3), "wor");
    assert_string_equal(arena_text(&a, NULL, 0), "");
    arena_release(&a);
}

static void impossible_sizes_give_nothing(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    assert_null(arena_take(&a, SIZE_MAX));
    assert_null(arena_take_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_text(&a, "", SIZE_MAX));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_are_zeroed_aligned_and_apart),
        cmocka_unit_test(a_thing_larger_than_a_chunk_gets_its_own),
        cmocka_unit_test(impossible_sizes_give_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
