#include "common/net/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/net/thread.h"

enum { JOBS_MAX = 256 };

struct job {
    struct job *next;
    void (*run)(void *arg);
    void (*done)(void *arg, bool ran);
    void *arg;
};

struct jobs { /* a queue */
    struct job *first;
    struct job **end;
};

struct worker {
    struct loop *loop;
    struct loop_watch back;
    int back_fd; /* written by the thread when a job ended */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the queues, stop, over and left */
    pthread_cond_t cond;   /* a job waits, or stop */
    pthread_cond_t end;    /* over */
    struct jobs waiting;
    struct jobs ended;
    bool stop;
    bool over; /* the thread touches nothing any more */
    bool left; /* nobody waits for the thread: when its job ends, it frees the worker */
    size_t open; /* submitted, done not yet called; the loop's thread only */
};

static void jobs_init(struct jobs *q)
{
    q->first = NULL;
    q->end = &q->first;
}

static void jobs_put(struct jobs *q, struct job *j)
{
    j->next = NULL;
    *q->end = j;
    q->end = &j->next;
}

static struct job *jobs_take(struct jobs *q)
{
    struct job *j = q->first;
    if (j == NULL)
        return NULL;
    q->first = j->next;
    if (q->first == NULL)
        q->end = &q->first;
    return j;
}

/* Mutex calls fail only for misuse, which no caller could repair. */
static void lock(struct worker *w)
{
    if (pthread_mutex_lock(&w->mutex) != 0)
        abort();
}

static void unlock(struct worker *w)
{
    if (pthread_mutex_unlock(&w->mutex) != 0)
        abort();
}

static void worker_free(struct worker *w)
{
    (void)pthread_cond_destroy(&w->end);
    (void)pthread_cond_destroy(&w->cond);
    (void)pthread_mutex_destroy(&w->mutex);
    (void)close(w->back_fd);
    free(w);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    lock(w);
    while (!w->stop) {
        struct job *j = jobs_take(&w->waiting);
        if (j == NULL) {
            (void)pthread_cond_wait(
                &w->cond, &w->mutex); /* fails for misuse only; the condition is asked again anyway */
            continue;
        }
        unlock(w);
        j->run(j->arg);
        lock(w);
        if (w->left) {
            unlock(w);
            free(j);
            worker_free(w);
            return NULL;
        }
        jobs_put(&w->ended, j);
        (void)eventfd_write(w->back_fd, 1); /* fails only when already readable */
    }
    w->over = true; /* with stop and the last job's end in one breath: not over means that a job runs */
    (void)pthread_cond_signal(&w->end);
    unlock(w);
    return NULL;
}

static void tell(struct worker *w, struct job *j, bool ran)
{
    void (*done)(void *, bool) = j->done;
    void *arg = j->arg;
    free(j);
    w->open--;
    done(arg, ran);
}

/* One job a call, so that a done may destroy the worker. */
static bool on_back(void *arg)
{
    struct worker *w = arg;
    eventfd_t count;
    (void)eventfd_read(w->back_fd, &count); /* fails when nothing ended: a glance */
    lock(w);
    struct job *j = jobs_take(&w->ended);
    bool more = w->ended.first != NULL;
    unlock(w);
    if (j != NULL)
        tell(w, j, true);
    return more;
}

struct worker *worker_create(struct loop *l, struct err *e)
{
    int code = ENOMEM;
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        goto out;
    w->loop = l;
    jobs_init(&w->waiting);
    jobs_init(&w->ended);
    w->back_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->back_fd < 0) {
        code = errno;
        goto out_free;
    }
    if ((code = pthread_mutex_init(&w->mutex, NULL)) != 0)
        goto out_close;
    if ((code = pthread_cond_init(&w->cond, NULL)) != 0)
        goto out_mutex;
    if ((code = thread_cond_init(&w->end)) != 0)
        goto out_cond;
    if ((code = thread_start(&w->thread, NULL, work, w)) != 0)
        goto out_end;
    loop_watch_add(l, &w->back, w->back_fd, on_back, w);
    return w;
out_end:
    (void)pthread_cond_destroy(&w->end);
out_cond:
    (void)pthread_cond_destroy(&w->cond);
out_mutex:
    (void)pthread_mutex_destroy(&w->mutex);
out_close:
    (void)close(w->back_fd);
out_free:
    free(w);
out:
    err_set(e, "worker: %s", strerror(code));
    return NULL;
}

static struct job *take(struct worker *w, struct jobs *q)
{
    lock(w);
    struct job *j = jobs_take(q);
    unlock(w);
    return j;
}

static void tell_all(struct worker *w)
{
    struct job *j;
    while ((j = take(w, &w->ended)) != NULL)
        tell(w, j, true);
    while ((j = take(w, &w->waiting)) != NULL)
        tell(w, j, false);
}

static void join(struct worker *w)
{
    if (pthread_join(w->thread, NULL) != 0)
        abort();
    loop_watch_remove(w->loop, &w->back);
    tell_all(w);
    worker_free(w);
}

static void stop(struct worker *w)
{
    lock(w);
    w->stop = true;
    (void)pthread_cond_signal(&w->cond);
    unlock(w);
}

void worker_destroy(struct worker *w)
{
    if (w == NULL)
        return;
    stop(w);
    join(w);
}

/* Until the thread is over or the time is. */
static void wait_over(struct worker *w, int64_t wait_ms)
{
    struct timespec until;
    if (clock_gettime(CLOCK_MONOTONIC, &until) != 0)
        abort(); /* cannot be */
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += (time_t)(wait_ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    lock(w);
    while (!w->over && pthread_cond_timedwait(&w->end, &w->mutex, &until) == 0)
        continue;
    unlock(w);
}

bool worker_give_up(struct worker *w, int64_t wait_ms)
{
    if (w == NULL)
        return true;
    stop(w);
    wait_over(w, wait_ms);
    loop_watch_remove(w->loop, &w->back);
    tell_all(w);
    lock(w);
    bool over = w->over;
    w->left = !over;
    if (!over && pthread_detach(w->thread) != 0)
        abort();
    unlock(w); /* what is left belongs to its thread now */
    if (over)
        join(w);
    return over;
}

enum rc worker_submit(struct worker *w, void (*run)(void *arg), void (*done)(void *arg, bool ran), void *arg)
{
    if (w->stop || w->open >= JOBS_MAX) /* stop is written by this thread only */
        return RC_RETRY;
    struct job *j = malloc(sizeof *j);
    if (j == NULL)
        return RC_RETRY;
    *j = (struct job){NULL, run, done, arg};
    w->open++;
    lock(w);
    jobs_put(&w->waiting, j);
    (void)pthread_cond_signal(&w->cond);
    unlock(w);
    return RC_OK;
}
