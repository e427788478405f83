#include "consumer/sql_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/net/thread.h"

/* Beyond the sessions. On a dead route a connection hangs until TCP's keep-alive gives it up, 2 h 11 min by default; a probe every 100 s (erp.probe_max, and the time-outs)
 * leaves fewer than this behind until then. */
enum { HANGING_MORE = 128 };

/* After results came, the loop looks for more by itself after so long. No longer: the next load of an order whose result waits here waits too. */
enum { LOOK_AGAIN_MS = 2 };

static atomic_size_t hanging;

struct seat { /* a thread with its session; left: its own, else the pool's */
    struct sql_pool *pool;
    pthread_t thread;
    struct sql_session *session; /* the thread's */
    char *connection;            /* the thread's: of the job that runs */
    /* Under the pool's mutex: */
    pthread_cond_t cond; /* there is a job for it, or the pool closes */
    struct sql_job *job; /* NULL: it is free */
    int64_t began;
    bool left; /* nobody waits for it */
    bool over; /* it touches nothing any more */
};

struct sql_pool {
    struct sql_pool_env env;
    struct loop_watch back;
    struct loop_timer watch;
    struct loop_timer look; /* armed while `looks` */
    int back_fd; /* written when something ended; open as long as a thread may write */
    atomic_size_t refs; /* the owner's, and each thread's: one that is left behind may outlive it */
    pthread_mutex_t mutex; /* guards what follows, and the seats */
    pthread_cond_t over;   /* a thread is */
    struct sql_jobs waiting, ended;
    bool looks; /* the loop will look soon: it is to be woken only for many */
    bool woken; /* it has not looked since */
    char *connection;
    bool closed;
    struct seat *seats[]; /* env.sessions of them; NULL: none yet, or left behind */
};

size_t sql_pool_hanging(void)
{
    return atomic_load(&hanging);
}

/* Mutex calls fail only for misuse, which no caller could repair. */
static void lock(struct sql_pool *p)
{
    if (pthread_mutex_lock(&p->mutex) != 0)
        abort();
}

static void unlock(struct sql_pool *p)
{
    if (pthread_mutex_unlock(&p->mutex) != 0)
        abort();
}

static void pool_unref(struct sql_pool *p)
{
    if (atomic_fetch_sub(&p->refs, 1) > 1)
        return;
    (void)pthread_cond_destroy(&p->over);
    (void)pthread_mutex_destroy(&p->mutex);
    (void)close(p->back_fd);
    free(p->connection);
    free(p);
}

static bool connection_set(struct sql_pool *p, const char *connection)
{
    if (p->connection != NULL && strcmp(p->connection, connection) == 0) /* written by this thread only */
        return true;
    char *mine = strdup(connection);
    if (mine == NULL)
        return false;
    lock(p);
    free(p->connection);
    p->connection = mine;
    unlock(p);
    return true;
}

/* Locked. */
static void begin(struct seat *t, struct sql_job *j)
{
    t->job = j;
    t->began = loop_now(t->pool->env.loop);
    (void)atomic_fetch_add(&j->refs, 1);
}

/* --- in the thread */

/* Locked. false: the pool closes, or the seat was left. */
static bool wait_for_job(struct seat *t)
{
    struct sql_pool *p = t->pool;
    while (!p->closed && !t->left && t->job == NULL && p->waiting.n == 0)
        (void)pthread_cond_wait(&t->cond, &p->mutex); /* fails for misuse only; the condition is asked again anyway */
    if (p->closed || t->left)
        return false;
    if (t->job == NULL)
        begin(t, sql_jobs_take(&p->waiting));
    if (t->connection == NULL || strcmp(t->connection, p->connection) != 0) {
        free(t->connection);
        t->connection = strdup(p->connection);
    }
    return true;
}

static void run(struct seat *t)
{
    struct sql_job *j = t->job;
    if (t->connection == NULL)
        sql_end_not_begun(&j->end, "out of memory");
    else if (j->what == SQL_LOOK)
        sql_session_look(t->session, t->connection, &j->end);
    else
        sql_session_run(t->session, t->connection, (size_t)j->what, &j->values, &j->end);
    if (!j->end.ok && t->connection != NULL && (j->connection = strdup(t->connection)) == NULL)
        j->end.message[0] = '\0'; /* nobody could tell whether the password stands in it */
}

/* Locked. true: the loop is to be woken. */
static bool hand_back(struct seat *t)
{
    struct sql_pool *p = t->pool;
    struct sql_job *j = t->job;
    t->job = NULL;
    if (t->left || p->closed) {
        sql_job_unref(j);
        return false;
    }
    (void)atomic_fetch_sub(&j->refs, 1); /* the owner has one */
    sql_jobs_put(&p->ended, j);
    bool wake = !p->woken && (!p->looks || p->ended.n >= p->waiting.n);
    p->woken = p->woken || wake;
    return wake;
}

static void wake_loop(struct sql_pool *p)
{
    (void)eventfd_write(p->back_fd, 1); /* fails only when already readable */
}

static void seat_free(struct seat *t)
{
    (void)pthread_cond_destroy(&t->cond);
    free(t->connection);
    free(t);
}

static void *work(void *arg)
{
    struct seat *t = arg;
    struct sql_pool *p = t->pool;
    lock(p);
    while (wait_for_job(t)) {
        unlock(p);
        run(t);
        lock(p);
        if (hand_back(t)) {
            unlock(p); /* else the loop would wake up to wait for the lock */
            wake_loop(p);
            lock(p);
        }
    }
    sql_job_unref(t->job); /* given, and not begun */
    t->job = NULL;
    unlock(p);
    sql_session_destroy(t->session); /* psqlodbc waits for the server */
    lock(p);
    t->over = true;
    bool left = t->left;
    (void)pthread_cond_signal(&p->over);
    unlock(p);
    if (left) {
        (void)atomic_fetch_sub(&hanging, 1);
        seat_free(t);
    }
    pool_unref(p);
    return NULL;
}

/* --- the loop's */

static int start_thread(struct seat *t)
{
    (void)atomic_fetch_add(&t->pool->refs, 1);
    int code = thread_start(&t->thread, NULL, work, t);
    if (code != 0)
        (void)atomic_fetch_sub(&t->pool->refs, 1);
    return code;
}

static struct seat *seat_create(struct sql_pool *p, struct err *e)
{
    int code = ENOMEM;
    struct seat *t = NULL;
    if (sql_pool_hanging() > p->env.sessions + HANGING_MORE) {
        err_set(e, "erp.sql: %zu connections hang in the driver", sql_pool_hanging());
        return NULL;
    }
    if ((t = calloc(1, sizeof *t)) == NULL)
        goto out;
    t->pool = p;
    if ((t->session = sql_session_create(&p->env.session)) == NULL)
        goto out_free;
    if ((code = pthread_cond_init(&t->cond, NULL)) != 0)
        goto out_session;
    if ((code = start_thread(t)) == 0)
        return t;
    (void)pthread_cond_destroy(&t->cond);
out_session:
    sql_session_destroy(t->session);
out_free:
    free(t);
out:
    err_set(e, "erp.sql: %s", strerror(code));
    return NULL;
}

/* One more thread, if there is room: it finds by itself what waits. false: there is none at all. */
static bool more_hands(struct sql_pool *p, struct err *e)
{
    bool some = false;
    for (size_t i = 0; i < p->env.sessions; i++) {
        if (p->seats[i] == NULL && (p->seats[i] = seat_create(p, e)) != NULL)
            return true;
        some = some || p->seats[i] != NULL;
    }
    return some;
}

static void look_at_watch(void *arg);

static void watch_in(struct sql_pool *p, int64_t ms)
{
    if (!p->watch.armed)
        loop_timer_in(p->env.loop, &p->watch, ms, look_at_watch, p);
}

/* Locked. */
static struct seat *give_to_free(struct sql_pool *p, struct sql_job *j)
{
    for (size_t i = 0; i < p->env.sessions; i++) {
        struct seat *t = p->seats[i];
        if (t == NULL || t->job != NULL)
            continue;
        begin(t, j);
        return t;
    }
    return NULL;
}

bool sql_pool_submit(struct sql_pool *p, struct sql_job *j, const char *connection, struct err *e)
{
    if (!connection_set(p, connection)) {
        err_set(e, "erp.sql: out of memory");
        return false;
    }
    watch_in(p, p->env.patience_ms);
    lock(p);
    struct seat *t = p->waiting.n == 0 ? give_to_free(p, j) : NULL;
    if (t == NULL)
        sql_jobs_put(&p->waiting, j);
    unlock(p);
    if (t != NULL) {
        (void)pthread_cond_signal(&t->cond);
        return true;
    }
    if (more_hands(p, e))
        return true;
    lock(p);
    sql_jobs_remove(&p->waiting, j); /* nobody is there who could have taken it */
    unlock(p);
    return false;
}

/* Nobody is there who could begin what waits: it ends without having begun. */
static void turn_away(struct sql_pool *p, const struct err *why)
{
    struct sql_job *j;
    lock(p);
    while ((j = sql_jobs_take(&p->waiting)) != NULL) {
        sql_end_not_begun(&j->end, why->text);
        sql_jobs_put(&p->ended, j);
    }
    unlock(p);
    wake_loop(p);
}

/* Leaves the seat's thread to itself, with its session. Locked. Returns the job that it runs; the loop has its part of it. */
static struct sql_job *leave(struct sql_pool *p, size_t i)
{
    struct seat *t = p->seats[i];
    t->left = true;
    p->seats[i] = NULL;
    (void)atomic_fetch_add(&hanging, 1); /* before its thread can count it down */
    if (pthread_detach(t->thread) != 0)
        abort();
    return t->job;
}

/* What has run too long by now is left, into *left. Returns when the next one will have, INT64_MAX: nothing runs. */
static int64_t leave_overdue(struct sql_pool *p, struct sql_jobs *left)
{
    int64_t now = loop_now(p->env.loop), next = INT64_MAX;
    for (size_t i = 0; i < p->env.sessions; i++) {
        struct seat *t = p->seats[i];
        if (t == NULL || t->job == NULL)
            continue;
        if (now - t->began >= p->env.patience_ms) {
            sql_jobs_put(left, leave(p, i));
        } else if (t->began + p->env.patience_ms < next) {
            next = t->began + p->env.patience_ms;
        }
    }
    return next;
}

/* Tells of each, until the pool is destroyed by who is told. */
static void tell(struct sql_pool *p, struct sql_jobs jobs, bool left)
{
    struct sql_job *j;
    (void)atomic_fetch_add(&p->refs, 1);
    while ((j = sql_jobs_take(&jobs)) != NULL) {
        if (p->closed) /* written by this thread only */
            sql_job_unref(j);
        else
            p->env.ended(p->env.arg, j, left);
    }
    pool_unref(p);
}

static void look_at_watch(void *arg)
{
    struct sql_pool *p = arg;
    struct sql_jobs left = {0};
    struct err e = {{0}};
    bool some = true;
    lock(p);
    int64_t next = leave_overdue(p, &left);
    bool wait = p->waiting.n > 0;
    unlock(p);
    for (size_t i = 0; wait && i < left.n; i++)
        some = more_hands(p, &e);
    if (!some)
        turn_away(p, &e);
    else if (wait || next != INT64_MAX)
        watch_in(p, next != INT64_MAX ? next - loop_now(p->env.loop) : p->env.patience_ms);
    tell(p, left, true);
}

/* Tells of what ended up to now. While there was something, and the threads have work without us, we look again soon instead of being woken. */
static void look_for_ended(void *arg)
{
    struct sql_pool *p = arg;
    lock(p);
    struct sql_jobs ended = p->ended;
    p->ended = (struct sql_jobs){0};
    p->woken = false;
    p->looks = ended.n > 0 && p->waiting.n > 0;
    bool looks = p->looks;
    unlock(p);
    if (looks)
        loop_timer_in(p->env.loop, &p->look, LOOK_AGAIN_MS, look_for_ended, p);
    else
        loop_timer_clear(p->env.loop, &p->look);
    tell(p, ended, false);
}

static bool on_back(void *arg)
{
    struct sql_pool *p = arg;
    eventfd_t count;
    (void)eventfd_read(p->back_fd, &count); /* fails when nothing ended: a glance */
    look_for_ended(p);
    return false;
}

struct sql_pool *sql_pool_create(const struct sql_pool_env *env, struct err *e)
{
    int code = ENOMEM;
    struct sql_pool *p = calloc(1, sizeof *p + env->sessions * sizeof *p->seats);
    if (p == NULL)
        goto out;
    p->env = *env;
    atomic_init(&p->refs, 1);
    if ((p->back_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
        code = errno;
        goto out_free;
    }
    if ((code = pthread_mutex_init(&p->mutex, NULL)) != 0)
        goto out_close;
    if ((code = thread_cond_init(&p->over)) != 0)
        goto out_mutex;
    loop_watch_add(env->loop, &p->back, p->back_fd, on_back, p);
    return p;
out_mutex:
    (void)pthread_mutex_destroy(&p->mutex);
out_close:
    (void)close(p->back_fd);
out_free:
    free(p);
out:
    err_set(e, "erp.sql: %s", strerror(code));
    return NULL;
}

/* Locked. No thread touches the pool's jobs from here on, but the one that it runs. */
static void forget(struct sql_pool *p)
{
    struct sql_job *j;
    p->closed = true;
    while ((j = sql_jobs_take(&p->waiting)) != NULL || (j = sql_jobs_take(&p->ended)) != NULL)
        sql_job_unref(j);
    for (size_t i = 0; i < p->env.sessions; i++) {
        if (p->seats[i] == NULL)
            continue;
        sql_job_unref(p->seats[i]->job); /* the owner's part */
        (void)pthread_cond_signal(&p->seats[i]->cond);
    }
}

/* Locked. Until every thread is over, or the time is; who is not is left. */
static void wait_over(struct sql_pool *p, int64_t wait_ms)
{
    struct timespec until;
    if (clock_gettime(CLOCK_MONOTONIC, &until) != 0)
        abort(); /* cannot be */
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += (time_t)(wait_ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int code = 0;
    for (size_t i = 0; i < p->env.sessions; i++) {
        while (p->seats[i] != NULL && !p->seats[i]->over && code == 0)
            code = pthread_cond_timedwait(&p->over, &p->mutex, &until);
        if (p->seats[i] != NULL && !p->seats[i]->over)
            (void)leave(p, i);
    }
}

void sql_pool_destroy(struct sql_pool *p, int64_t wait_ms)
{
    if (p == NULL)
        return;
    loop_timer_clear(p->env.loop, &p->watch);
    loop_timer_clear(p->env.loop, &p->look);
    loop_watch_remove(p->env.loop, &p->back);
    lock(p);
    forget(p);
    wait_over(p, wait_ms);
    unlock(p);
    for (size_t i = 0; i < p->env.sessions; i++) {
        if (p->seats[i] == NULL)
            continue;
        if (pthread_join(p->seats[i]->thread, NULL) != 0)
            abort();
        seat_free(p->seats[i]);
    }
    pool_unref(p);
}
