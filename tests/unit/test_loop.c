#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "common/net/loop.h"

enum { PATIENCE_MS = 60000, TRIES = 20 };

struct world {
    struct loop *loop;
    char marks[64];
    struct loop_timer a, b, c;
    struct loop_watch w1, w2;
    int pipe1[2], pipe2[2];
    int calls, glances;
    atomic_bool woken;
};

static int setup(void **state)
{
    static struct world w;
    struct err e;
    memset(&w, 0, sizeof w);
    w.loop = loop_create(NULL, &e);
    if (w.loop == NULL || pipe(w.pipe1) != 0 || pipe(w.pipe2) != 0)
        return -1;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    loop_watch_remove(w->loop, &w->w1);
    loop_watch_remove(w->loop, &w->w2);
    loop_destroy(w->loop);
    for (int i = 0; i < 2; i++) {
        (void)close(w->pipe1[i]);
        (void)close(w->pipe2[i]);
    }
    return 0;
}

static void mark(struct world *w, char c)
{
    size_t n = strlen(w->marks);
    if (n + 1 < sizeof w->marks)
        w->marks[n] = c;
}

static int64_t real_now(void)
{
    return clock_mono(clock_system());
}

static void turn_until_marks(struct world *w, const char *marks)
{
    int64_t end = real_now() + PATIENCE_MS;
    while (strlen(w->marks) < strlen(marks) && real_now() < end)
        loop_turn(w->loop, 50);
    assert_string_equal(w->marks, marks);
}

static void turn_until_calls(struct world *w, struct loop *l, int calls)
{
    int64_t end = real_now() + PATIENCE_MS;
    while (w->calls < calls && real_now() < end)
        loop_turn(l, 50);
}

static void mark_a(void *arg)
{
    mark(arg, 'a');
}

static void mark_b(void *arg)
{
    mark(arg, 'b');
}

static void mark_c(void *arg)
{
    mark(arg, 'c');
}

static bool count_only(void *arg)
{
    struct world *w = arg;
    w->calls++;
    return false;
}

static bool count_glance(void *arg)
{
    struct world *w = arg;
    w->glances++;
    return false;
}

/* Until just after a glance. A wait that then ends without one was ended by something else: on a busy machine that is sure, and how long it took is not. */
static int turn_to_a_glance(struct world *w)
{
    if (w->glances == 0) {
        loop_watch_add(w->loop, &w->w2, -1, count_glance, w);
        loop_turn(w->loop, 0);
    }
    for (int before = w->glances; w->glances == before;)
        loop_turn(w->loop, LOOP_GLANCE_MS);
    return w->glances;
}

static void timers_fire_once_in_the_order_of_their_times(void **state)
{
    struct world *w = *state;
    int64_t now = loop_now(w->loop);
    loop_timer_set(w->loop, &w->a, now + 30, mark_a, w);
    loop_timer_set(w->loop, &w->b, now + 10, mark_b, w);
    loop_timer_set(w->loop, &w->c, now + 20, mark_c, w);
    turn_until_marks(w, "bca");
    assert_false(w->a.armed);
    loop_turn(w->loop, 50);
    assert_string_equal(w->marks, "bca");
}

static void a_timer_ends_the_wait(void **state)
{
    struct world *w = *state;
    bool ended = false;
    for (int i = 0; i < TRIES && !ended; i++) {
        int glances = turn_to_a_glance(w);
        int64_t began = real_now();
        w->marks[0] = '\0';
        loop_timer_in(w->loop, &w->a, 20, mark_a, w);
        loop_turn(w->loop, 5000);
        ended = w->marks[0] == 'a' && w->glances == glances;
        assert_true(w->marks[0] == '\0' || real_now() - began >= 20);
    }
    assert_true(ended);
}

static void a_timer_that_is_set_again_moves(void **state)
{
    struct world *w = *state;
    int64_t now = loop_now(w->loop);
    loop_timer_set(w->loop, &w->a, now + 5, mark_a, w);
    loop_timer_set(w->loop, &w->b, now + 20, mark_b, w);
    loop_timer_set(w->loop, &w->a, now + 30, mark_a, w);
    turn_until_marks(w, "ba");
}

static void a_timer_far_in_the_future_does_not_overflow(void **state)
{
    struct world *w = *state;
    loop_timer_in(w->loop, &w->a, INT64_MAX, mark_a, w);
    loop_turn(w->loop, 1);
    assert_string_equal(w->marks, "");
    loop_timer_clear(w->loop, &w->a);
}

static void clear_b_and_mark(void *arg)
{
    struct world *w = arg;
    mark(w, 'x');
    loop_timer_clear(w->loop, &w->b);
}

static void a_due_timer_cleared_by_another_callback_does_not_fire(void **state)
{
    struct world *w = *state;
    int64_t now = loop_now(w->loop);
    loop_timer_set(w->loop, &w->a, now - 2, clear_b_and_mark, w);
    loop_timer_set(w->loop, &w->b, now - 1, mark_b, w);
    loop_timer_set(w->loop, &w->c, now, mark_c, w);
    loop_turn(w->loop, 0);
    assert_string_equal(w->marks, "xc");
}

static void set_again(void *arg)
{
    struct world *w = arg;
    mark(w, 'r');
    loop_timer_in(w->loop, &w->a, 0, set_again, w);
}

static void a_timer_that_sets_itself_to_now_does_not_hold_the_turn(void **state)
{
    struct world *w = *state;
    loop_timer_in(w->loop, &w->a, 0, set_again, w);
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
    assert_string_equal(w->marks, "rr");
    loop_timer_clear(w->loop, &w->a);
}

static void a_readable_descriptor_ends_the_wait(void **state)
{
    struct world *w = *state;
    bool ended = false;
    char byte;
    loop_watch_add(w->loop, &w->w1, w->pipe1[0], count_only, w);
    for (int i = 0; i < TRIES && !ended; i++) {
        int glances = turn_to_a_glance(w), calls = w->calls;
        assert_int_equal(write(w->pipe1[1], "q", 1), 1);
        loop_turn(w->loop, 5000);
        assert_int_equal(w->calls, calls + 1);
        ended = w->glances == glances;
        assert_int_equal(read(w->pipe1[0], &byte, 1), 1);
    }
    assert_true(ended);
}

static void a_watch_is_glanced_at_although_nothing_is_readable(void **state)
{
    struct world *w = *state;
    loop_watch_add(w->loop, &w->w1, w->pipe1[0], count_only, w);
    loop_watch_add(w->loop, &w->w2, -1, count_only, w);
    loop_turn(w->loop, 0);
    assert_int_equal(w->calls, 2);
    int64_t began = real_now();
    turn_until_calls(w, w->loop, 2 + 2 * 3);
    assert_in_range(w->calls - 2, 2 * 3, 2 * (1 + (real_now() - began) / LOOP_GLANCE_MS)); /* and no more than that */
}

static int64_t frozen(void *arg)
{
    (void)arg;
    return 1000;
}

static void glances_go_on_while_the_programs_clock_stands_still(void **state)
{
    struct world *w = *state;
    struct clock clock = {frozen, frozen, NULL};
    struct loop_watch watch = {0};
    struct err e;
    struct loop *l = loop_create(&clock, &e);
    assert_non_null(l);
    loop_watch_add(l, &watch, -1, count_only, w);
    int64_t began = real_now();
    turn_until_calls(w, l, 4);
    assert_in_range(w->calls, 4, 2 + (real_now() - began) / LOOP_GLANCE_MS); /* the first look is none */
    loop_watch_remove(l, &watch);
    loop_destroy(l);
}

static bool three_times(void *arg)
{
    struct world *w = arg;
    return ++w->calls < 3;
}

static void a_watch_that_has_more_is_called_again_without_sleeping(void **state)
{
    struct world *w = *state;
    bool slept = true;
    for (int n = 0; n < TRIES && slept; n++) {
        int glances = turn_to_a_glance(w);
        w->calls = 0;
        loop_watch_add(w->loop, &w->w1, -1, three_times, w);
        for (int i = 0; i < 3; i++)
            loop_turn(w->loop, 5000);
        assert_int_equal(w->calls, 3);
        loop_watch_remove(w->loop, &w->w1);
        slept = w->glances > glances;
    }
    assert_false(slept);
}

static bool remove_both(void *arg)
{
    struct world *w = arg;
    mark(w, 'x');
    loop_watch_remove(w->loop, &w->w1);
    loop_watch_remove(w->loop, &w->w2);
    return true; /* must not reach a removed watch */
}

static void watches_removed_from_inside_a_callback_are_not_called_again(void **state)
{
    struct world *w = *state;
    assert_int_equal(write(w->pipe1[1], "q", 1), 1);
    assert_int_equal(write(w->pipe2[1], "q", 1), 1);
    loop_watch_add(w->loop, &w->w1, w->pipe1[0], remove_both, w);
    loop_watch_add(w->loop, &w->w2, w->pipe2[0], remove_both, w);
    loop_turn(w->loop, 10);
    loop_turn(w->loop, 10);
    assert_string_equal(w->marks, "x");
    assert_false(w->w1.again);
    assert_false(w->w2.again);
}

static bool add_again(void *arg)
{
    struct world *w = arg;
    w->calls++;
    loop_watch_remove(w->loop, &w->w1);
    loop_watch_add(w->loop, &w->w1, -1, add_again, w);
    return false;
}

static void a_watch_that_adds_itself_again_does_not_hold_the_turn(void **state)
{
    struct world *w = *state;
    loop_watch_add(w->loop, &w->w1, -1, add_again, w);
    loop_turn(w->loop, 0);
    assert_int_equal(w->calls, 1);
    loop_turn(w->loop, 0);
    assert_int_equal(w->calls, 2);
}

static void a_hung_up_descriptor_is_told(void **state)
{
    struct world *w = *state;
    loop_watch_add(w->loop, &w->w1, w->pipe1[0], count_only, w);
    loop_turn(w->loop, 0);
    int before = w->calls;
    assert_int_equal(close(w->pipe1[1]), 0);
    w->pipe1[1] = dup(w->pipe2[1]);
    loop_turn(w->loop, 0);
    assert_int_equal(w->calls, before + 1);
}

static void *wake_later(void *arg)
{
    struct world *w = arg;
    (void)usleep(20000);
    w->woken = true;
    loop_wake(w->loop);
    return NULL;
}

static void another_thread_ends_the_wait(void **state)
{
    struct world *w = *state;
    bool ended = false;
    for (int i = 0; i < TRIES && !ended; i++) {
        pthread_t thread;
        int glances = turn_to_a_glance(w);
        w->woken = false;
        assert_int_equal(pthread_create(&thread, NULL, wake_later, w), 0);
        loop_turn(w->loop, 5000);
        ended = w->woken && w->glances == glances;
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_true(ended);
}

static void signals_arrive_as_calls_on_the_loop(void **state)
{
    struct world *w = *state;
    struct err e;
    assert_int_equal(loop_on_signal(w->loop, SIGUSR1, mark_a, w, &e), RC_OK);
    assert_int_equal(loop_on_signal(w->loop, SIGUSR2, mark_b, w, &e), RC_OK);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    turn_until_marks(w, "b");
    assert_int_equal(loop_on_signal(w->loop, SIGUSR2, mark_c, w, &e), RC_OK);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    turn_until_marks(w, "bac");
}

static void a_signal_that_does_not_exist_is_refused(void **state)
{
    struct world *w = *state;
    struct err e = {""};
    assert_int_equal(loop_on_signal(w->loop, 12345, mark_a, w, &e), RC_FATAL);
    assert_non_null(strstr(e.text, "12345"));
}

static void stop_it(void *arg)
{
    struct world *w = arg;
    loop_stop(w->loop);
}

static void run_ends_after_stop(void **state)
{
    struct world *w = *state;
    loop_timer_in(w->loop, &w->a, 10, stop_it, w);
    assert_false(loop_stopping(w->loop));
    int64_t before = loop_last_turn(w->loop);
    loop_run(w->loop);
    assert_true(loop_stopping(w->loop));
    assert_in_range(loop_last_turn(w->loop), before, loop_now(w->loop));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_once_in_the_order_of_their_times),
        TEST(a_timer_ends_the_wait),
        TEST(a_timer_that_is_set_again_moves),
        TEST(a_timer_far_in_the_future_does_not_overflow),
        TEST(a_due_timer_cleared_by_another_callback_does_not_fire),
        TEST(a_timer_that_sets_itself_to_now_does_not_hold_the_turn),
        TEST(a_readable_descriptor_ends_the_wait),
        TEST(a_watch_is_glanced_at_although_nothing_is_readable),
        TEST(glances_go_on_while_the_programs_clock_stands_still),
        TEST(a_watch_that_has_more_is_called_again_without_sleeping),
        TEST(watches_removed_from_inside_a_callback_are_not_called_again),
        TEST(a_watch_that_adds_itself_again_does_not_hold_the_turn),
        TEST(a_hung_up_descriptor_is_told),
        TEST(another_thread_ends_the_wait),
        TEST(signals_arrive_as_calls_on_the_loop),
        TEST(a_signal_that_does_not_exist_is_refused),
        TEST(run_ends_after_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
