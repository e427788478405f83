#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/program/descriptors.h"

enum { FULL_MAX = 256 };

static struct rlimit limit(void)
{
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
    return l;
}

static void soften(rlim_t n)
{
    struct rlimit l = limit();
    l.rlim_cur = n;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
}

static void the_soft_limit_is_raised_to_what_is_needed_and_never_lowered(void **state)
{
    struct err e = {0};
    (void)state;
    soften(40);
    assert_int_equal(descriptors_claim(60, &e), RC_OK);
    assert_int_equal(limit().rlim_cur, 60);
    assert_int_equal(descriptors_claim(10, &e), RC_OK);
    assert_int_equal(limit().rlim_cur, 60);
}

static void a_hard_limit_below_it_is_refused_with_both_numbers_and_what_to_do(void **state)
{
    struct err e = {0};
    char number[32];
    (void)state;
    soften(60);
    size_t hard = (size_t)limit().rlim_max;
    if (hard == (size_t)RLIM_INFINITY)
        hard--; /* cannot be: the kernel knows no such limit for files */
    assert_int_equal(descriptors_claim(hard + 1, &e), RC_FATAL);
    (void)snprintf(number, sizeof number, "%zu", hard + 1);
    assert_non_null(strstr(e.text, number));
    assert_non_null(strstr(e.text, "LimitNOFILE="));
    assert_int_equal(limit().rlim_cur, 60);
}

static int64_t now_ms;

static int64_t mono(void *arg)
{
    (void)arg;
    return now_ms;
}

static void later(struct loop *l, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        now_ms += 1000;
        loop_turn(l, 0);
    }
}

static bool says(const struct health *h, const char *words)
{
    struct buf out;
    buf_init(&out, 10000);
    health_print(h, &out);
    bool found = buf_text(&out) != NULL && strstr(buf_text(&out), words) != NULL;
    buf_release(&out);
    return found;
}

static void none_free_is_told_and_forgotten_when_some_are_again(void **state)
{
    (void)state;
    const struct clock clock = {mono, mono, NULL};
    struct err e = {0};
    int full[FULL_MAX];
    size_t n = 0;
    struct loop *l = loop_create(&clock, &e);
    struct health *h = health_create(&clock, NULL);
    assert_non_null(l);
    assert_non_null(h);
    struct descriptor_watch *w = descriptor_watch_create(l, h);
    assert_non_null(w);
    later(l, 3);
    assert_false(says(h, "open-files"));
    soften(60);
    while (n < FULL_MAX && (full[n] = dup(0)) >= 0)
        n++;
    assert_in_range(n, 1, FULL_MAX - 1);
    later(l, 1);
    assert_true(says(h, "\"open-files\":{\"state\":\"down\""));
    assert_true(says(h, "this process (60)"));
    assert_false(health_ready(h));
    (void)close(full[--n]);
    later(l, 1); /* one that comes and goes is no relief */
    assert_false(health_ready(h));
    later(l, 2);
    assert_true(says(h, "\"open-files\":{\"state\":\"up\""));
    while (n > 0)
        (void)close(full[--n]);
    descriptor_watch_destroy(w);
    health_destroy(h);
    loop_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soft_limit_is_raised_to_what_is_needed_and_never_lowered),
        cmocka_unit_test(a_hard_limit_below_it_is_refused_with_both_numbers_and_what_to_do),
        cmocka_unit_test(none_free_is_told_and_forgotten_when_some_are_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
