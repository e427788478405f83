#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/contract/warehouse_set.h"

static bool add(struct warehouse_set *s, const char *name)
{
    return warehouse_set_add(s, name, strlen(name));
}

static void expect_list(const struct warehouse_set *s, const char *wanted)
{
    struct buf b;
    buf_init(&b, 8192);
    warehouse_set_print(s, &b);
    assert_string_equal(buf_text(&b), wanted);
    buf_release(&b);
}

static void names_are_sorted_and_stand_once(void **state)
{
    struct warehouse_set s = {.n = 0};
    (void)state;
    expect_list(&s, "");
    assert_true(add(&s, "MAG-2"));
    assert_true(add(&s, "MAG-10"));
    assert_true(add(&s, "MAG-1"));
    assert_true(add(&s, "MAG-2"));
    assert_true(add(&s, "Łódź"));
    expect_list(&s, "MAG-1,MAG-10,MAG-2,Łódź");
    assert_true(warehouse_set_has(&s, "MAG-10"));
    assert_false(warehouse_set_has(&s, "MAG"));
    assert_false(warehouse_set_has(&s, "MAG-100"));
}

static void bad_names_are_refused(void **state)
{
    struct warehouse_set s = {.n = 0};
    char name[65];
    memset(name, 'a', sizeof name);
    (void)state;
    assert_false(add(&s, ""));
    assert_false(add(&s, "a,b"));
    assert_false(add(&s, "a/b"));
    assert_false(add(&s, "a\nb"));
    assert_false(add(&s, "a\x7f"));
    assert_false(warehouse_set_add(&s, "a\0b", 3));
    assert_false(warehouse_set_add(&s, name, 64));
    assert_true(warehouse_set_add(&s, name, 63));
    assert_int_equal(s.n, 1);
}

static void a_full_set_takes_no_more(void **state)
{
    struct warehouse_set s = {.n = 0}, more = {.n = 0};
    char name[16];
    (void)state;
    for (int i = 0; i < ORDER_WAREHOUSES; i++) {
        (void)snprintf(name, sizeof name, "M%02d", i);
        assert_true(add(&s, name));
    }
    assert_false(add(&s, "one more"));
    assert_true(add(&s, "M00"));
    assert_true(add(&more, "other"));
    assert_false(warehouse_set_join(&s, &more));
    assert_true(warehouse_set_join(&more, &more));
}

static void lists_come_back_as_they_were_printed(void **state)
{
    struct warehouse_set s = {.n = 0};
    struct err e;
    (void)state;
    assert_int_equal(warehouse_set_parse(&s, "MAG-2,MAG-1", 11, &e), RC_OK);
    expect_list(&s, "MAG-1,MAG-2");
    assert_int_equal(warehouse_set_parse(&s, "", 0, &e), RC_OK);
    assert_int_equal(s.n, 0);
}

static void bad_lists_are_refused_and_change_nothing(void **state)
{
    static const char *const bad[] = {",", "a,", ",a", "a,,b", "a/b"};
    struct warehouse_set s = {.n = 0};
    struct err e;
    (void)state;
    assert_true(add(&s, "MAG-1"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(warehouse_set_parse(&s, bad[i], strlen(bad[i]), &e), RC_REJECT);
    expect_list(&s, "MAG-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_stand_once),   cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(a_full_set_takes_no_more),          cmocka_unit_test(lists_come_back_as_they_were_printed),
        cmocka_unit_test(bad_lists_are_refused_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
