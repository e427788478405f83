#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include "common/net/worker.h"

enum { PATIENCE_MS = 60000, TRIES = 20 };

struct world {
    struct loop *loop;
    struct worker *worker;
    struct loop_watch glance;
    sem_t gate;    /* a job waits here */
    sem_t started; /* a job says that it runs */
    pthread_t ran_in;
    bool term_blocked;
    char marks[32];
    int done, dropped, glances;
};

static int setup(void **state)
{
    static struct world w;
    struct err e;
    memset(&w, 0, sizeof w);
    if (sem_init(&w.gate, 0, 0) != 0 || sem_init(&w.started, 0, 0) != 0)
        return -1;
    w.loop = loop_create(NULL, &e);
    w.worker = w.loop != NULL ? worker_create(w.loop, &e) : NULL;
    *state = &w;
    return w.worker != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    worker_destroy(w->worker);
    loop_watch_remove(w->loop, &w->glance);
    loop_destroy(w->loop);
    return sem_destroy(&w->gate) == 0 && sem_destroy(&w->started) == 0 ? 0 : -1;
}

static void wait_done(struct world *w, int n)
{
    int64_t end = clock_mono(clock_system()) + PATIENCE_MS;
    while (w->done + w->dropped < n && clock_mono(clock_system()) < end)
        loop_turn(w->loop, 50);
    assert_int_equal(w->done + w->dropped, n);
}

static void note_thread(void *arg)
{
    struct world *w = arg;
    sigset_t blocked;
    w->ran_in = pthread_self();
    w->term_blocked =
        pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0 && sigismember(&blocked, SIGTERM) == 1;
}

static void count_done(void *arg, bool ran)
{
    struct world *w = arg;
    *(ran ? &w->done : &w->dropped) += 1;
}

static bool count_glance(void *arg)
{
    ((struct world *)arg)->glances++;
    return false;
}

/* It wakes the loop, which would else see it at its next glance; a busy machine may need more than one try to be faster than that. */
static void a_job_runs_beside_the_loop_and_ends_on_it(void **state)
{
    struct world *w = *state;
    bool woken = false;
    loop_watch_add(w->loop, &w->glance, -1, count_glance, w);
    loop_turn(w->loop, 0);
    for (int i = 1; i <= TRIES && !woken; i++) {
        for (w->glances = 0; w->glances == 0;)
            loop_turn(w->loop, LOOP_GLANCE_MS);
        assert_int_equal(worker_submit(w->worker, note_thread, count_done, w), RC_OK);
        assert_int_equal(w->done, i - 1);
        wait_done(w, i);
        woken = w->glances == 1;
    }
    assert_true(woken);
    assert_false(pthread_equal(w->ran_in, pthread_self()));
    assert_true(w->term_blocked);
}

static void wait_at_gate(void *arg)
{
    struct world *w = arg;
    (void)sem_post(&w->started);
    (void)sem_wait(&w->gate);
}

static void mark_1(void *arg)
{
    struct world *w = arg;
    w->marks[strlen(w->marks)] = '1';
}

static void mark_2(void *arg)
{
    struct world *w = arg;
    w->marks[strlen(w->marks)] = '2';
}

static void jobs_run_one_at_a_time_in_order(void **state)
{
    struct world *w = *state;
    assert_int_equal(worker_submit(w->worker, wait_at_gate, count_done, w), RC_OK);
    assert_int_equal(worker_submit(w->worker, mark_1, count_done, w), RC_OK);
    assert_int_equal(worker_submit(w->worker, mark_2, count_done, w), RC_OK);
    (void)sem_wait(&w->started);
    loop_turn(w->loop, 0);
    assert_string_equal(w->marks, "");
    (void)sem_post(&w->gate);
    wait_done(w, 3);
    assert_string_equal(w->marks, "12");
}

static void a_full_worker_refuses_and_takes_again_later(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 256; i++)
        assert_int_equal(worker_submit(w->worker, i == 0 ? wait_at_gate : note_thread, count_done, w), RC_OK);
    assert_int_equal(worker_submit(w->worker, note_thread, count_done, w), RC_RETRY);
    (void)sem_post(&w->gate);
    wait_done(w, 256);
    assert_int_equal(worker_submit(w->worker, note_thread, count_done, w), RC_OK);
    wait_done(w, 257);
}

static void *open_gate_later(void *arg)
{
    struct world *w = arg;
    (void)sem_wait(&w->started);
    struct timespec t = {.tv_nsec = 20000000};
    (void)nanosleep(&t, NULL);
    (void)sem_post(&w->gate);
    return NULL;
}

static void destroying_waits_for_the_running_job_and_drops_the_others(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        assert_int_equal(worker_submit(w->worker, wait_at_gate, count_done, w), RC_OK);
    assert_int_equal(sem_wait(&w->started), 0);
    (void)sem_post(&w->started);
    assert_int_equal(pthread_create(&thread, NULL, open_gate_later, w), 0);
    worker_destroy(w->worker);
    w->worker = NULL;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->dropped, 2);
}

static void submit_when_dropped(void *arg, bool ran)
{
    struct world *w = arg;
    count_done(arg, ran);
    if (!ran)
        assert_int_equal(worker_submit(w->worker, note_thread, count_done, w), RC_RETRY);
}

static void a_worker_that_is_being_destroyed_takes_no_job(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    for (int i = 0; i < 2; i++)
        assert_int_equal(worker_submit(w->worker, wait_at_gate, submit_when_dropped, w), RC_OK);
    assert_int_equal(sem_wait(&w->started), 0);
    (void)sem_post(&w->started);
    assert_int_equal(pthread_create(&thread, NULL, open_gate_later, w), 0);
    worker_destroy(w->worker);
    w->worker = NULL;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w->dropped, 1);
}

static void destroy_worker(void *arg, bool ran)
{
    struct world *w = arg;
    count_done(arg, ran);
    worker_destroy(w->worker);
    w->worker = NULL;
}

static void the_end_of_a_job_may_destroy_the_worker(void **state)
{
    struct world *w = *state;
    assert_int_equal(worker_submit(w->worker, note_thread, destroy_worker, w), RC_OK);
    assert_int_equal(worker_submit(w->worker, note_thread, count_done, w), RC_OK);
    wait_done(w, 2);
    loop_turn(w->loop, 0);
}

static sem_t over;

static void wait_at_gate_and_tell(void *arg)
{
    wait_at_gate(arg);
    (void)sem_post(&over);
}

static void giving_up_leaves_a_job_behind_that_does_not_end(void **state)
{
    struct world *w = *state;
    assert_int_equal(sem_init(&over, 0, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(worker_submit(w->worker, wait_at_gate_and_tell, submit_when_dropped, w), RC_OK);
    assert_int_equal(sem_wait(&w->started), 0);
    int64_t began = clock_mono(clock_system());
    assert_false(worker_give_up(w->worker, 60));
    w->worker = NULL;
    assert_in_range(clock_mono(clock_system()) - began, 60, PATIENCE_MS / 2);
    assert_int_equal(w->done, 0);
    assert_int_equal(w->dropped, 2);
    (void)sem_post(&w->gate); /* it ends after all, unheard */
    assert_int_equal(sem_wait(&over), 0); /* and leaves the gate to the next test */
    for (int i = 0; i < 5; i++)
        loop_turn(w->loop, 10);
    assert_int_equal(w->done, 0);
}

static void giving_up_hears_a_job_that_ends_in_time(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    for (int i = 0; i < 2; i++)
        assert_int_equal(worker_submit(w->worker, wait_at_gate, count_done, w), RC_OK);
    assert_int_equal(sem_wait(&w->started), 0);
    (void)sem_post(&w->started);
    assert_int_equal(pthread_create(&thread, NULL, open_gate_later, w), 0);
    assert_true(worker_give_up(w->worker, 10000));
    w->worker = NULL;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->dropped, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_beside_the_loop_and_ends_on_it),
        TEST(jobs_run_one_at_a_time_in_order),
        TEST(a_full_worker_refuses_and_takes_again_later),
        TEST(destroying_waits_for_the_running_job_and_drops_the_others),
        TEST(a_worker_that_is_being_destroyed_takes_no_job),
        TEST(giving_up_leaves_a_job_behind_that_does_not_end),
        TEST(giving_up_hears_a_job_that_ends_in_time),
        TEST(the_end_of_a_job_may_destroy_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
