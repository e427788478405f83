#include "common/net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/net/curl_drive.h"

enum { SIGNALS_MAX = 8, EVENTS_AT_ONCE = 16, CONNECTIONS_KEPT = 128 };

struct signal_row {
    int signo;
    loop_fn *fn;
    void *arg;
};

/* The lists are circular with a head of their own, so an element is unlinked without knowing which list it is
 * in. Before callbacks run, what is due moves to a list of its own: whatever a callback sets, adds or
 * removes, the walk stays valid and ends. */
struct loop {
    const struct clock *clock;
    struct curl_drive curl;
    long connections_kept;
    loop_fn *on_done;
    void *on_done_arg;
    struct loop_timer timers; /* head; by time */
    struct loop_timer timers_due;
    struct loop_watch watches; /* head */
    struct loop_watch watches_due;
    struct loop_watch *current; /* whose ready is running; NULL once it was removed */
    int epoll_fd; /* all watched descriptors and libcurl's sockets */
    int wake_fd;
    int signal_fd;
    struct loop_watch wake;
    struct loop_watch signals;
    struct signal_row signal_rows[SIGNALS_MAX];
    size_t signals_n;
    sigset_t signal_set;
    int64_t glance_at; /* real monotonic ms: a test's frozen clock does not stop the glances */
    _Atomic int64_t last_turn;
    bool stop;
};

static void timer_unlink(struct loop_timer *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

static void timer_link_before(struct loop_timer *t, struct loop_timer *place)
{
    t->next = place;
    t->prev = place->prev;
    place->prev->next = t;
    place->prev = t;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_mono_ms, loop_fn *fn, void *arg)
{
    loop_timer_clear(l, t);
    t->at = at_mono_ms;
    t->fn = fn;
    t->arg = arg;
    t->armed = true;
    struct loop_timer *place = &l->timers;
    while (place->prev != &l->timers && place->prev->at > at_mono_ms)
        place = place->prev;
    timer_link_before(t, place);
}

void loop_timer_in(struct loop *l, struct loop_timer *t, int64_t delay_ms, loop_fn *fn, void *arg)
{
    int64_t now = loop_now(l), at = now;
    if (delay_ms > 0 && __builtin_add_overflow(now, delay_ms, &at))
        at = INT64_MAX;
    loop_timer_set(l, t, at, fn, arg);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    (void)l;
    if (!t->armed)
        return;
    timer_unlink(t);
    t->armed = false;
}

static void run_timers(struct loop *l)
{
    int64_t now = loop_now(l);
    while (l->timers.next != &l->timers && l->timers.next->at <= now) {
        struct loop_timer *t = l->timers.next;
        timer_unlink(t);
        timer_link_before(t, &l->timers_due);
    }
    while (l->timers_due.next != &l->timers_due) {
        struct loop_timer *t = l->timers_due.next;
        loop_timer_clear(l, t); /* before fn: it may set the timer again or free its owner */
        t->fn(t->arg);
    }
}

static void watch_unlink(struct loop_watch *w)
{
    w->prev->next = w->next;
    w->next->prev = w->prev;
    w->next = w->prev = NULL;
}

static void watch_link_last(struct loop_watch *w, struct loop_watch *head)
{
    w->next = head;
    w->prev = head->prev;
    head->prev->next = w;
    head->prev = w;
}

void loop_watch_add(struct loop *l, struct loop_watch *w, int fd, loop_ready_fn *ready, void *arg)
{
    loop_watch_remove(l, w);
    w->fd = fd;
    w->ready = ready;
    w->arg = arg;
    w->again = true; /* whatever happened before the watch existed is looked at once */
    watch_link_last(w, &l->watches);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    if (fd >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        w->fd = -1; /* no memory, or not a descriptor one can wait for: the glances remain */
}

void loop_watch_remove(struct loop *l, struct loop_watch *w)
{
    if (w->next == NULL)
        return;
    if (l->current == w)
        l->current = NULL;
    watch_unlink(w);
    w->again = false;
    if (w->fd >= 0)
        (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd,
                        NULL); /* fails when it was closed first, which removes it as well */
    w->fd = -1;
}

/* Lets libcurl move what it can and marks whose descriptors have something; no callback of anybody's runs, so none is removed meanwhile. */
static void take_events(struct loop *l, int wait_ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int n = epoll_wait(l->epoll_fd, events, EVENTS_AT_ONCE, wait_ms);
    for (int i = 0; i < n; i++)
        if (!curl_drive_event(&l->curl, &events[i])) {
            struct loop_watch *w = events[i].data.ptr;
            w->again = true;
        }
    int64_t now = clock_mono(clock_system());
    curl_drive_time(&l->curl, now);
    if (now < l->glance_at)
        return;
    l->glance_at = now + LOOP_GLANCE_MS;
    curl_drive_glance(&l->curl);
    for (struct loop_watch *w = l->watches.next; w != &l->watches; w = w->next)
        w->again = true;
}

static void run_watches(struct loop *l)
{
    struct loop_watch *next;
    for (struct loop_watch *w = l->watches.next; w != &l->watches; w = next) {
        next = w->next;
        if (w->again) {
            watch_unlink(w);
            watch_link_last(w, &l->watches_due);
        }
    }
    while (l->watches_due.next != &l->watches_due) {
        struct loop_watch *w = l->watches_due.next;
        watch_unlink(w);
        watch_link_last(w, &l->watches);
        l->current = w;
        bool again = w->ready(w->arg);
        if (l->current == w)
            w->again = again;
        l->current = NULL;
    }
}

static bool any_again(const struct loop *l)
{
    for (const struct loop_watch *w = l->watches.next; w != &l->watches; w = w->next)
        if (w->again)
            return true;
    return false;
}

static bool on_wake(void *arg)
{
    struct loop *l = arg;
    eventfd_t count;
    (void)eventfd_read(l->wake_fd, &count); /* fails when nobody woke us: a glance */
    return false;
}

static bool on_signals(void *arg)
{
    struct loop *l = arg;
    struct signalfd_siginfo info;
    if (read(l->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return false;
    for (size_t i = 0; i < l->signals_n; i++) {
        if (l->signal_rows[i].signo == (int)info.ssi_signo) {
            l->signal_rows[i].fn(l->signal_rows[i].arg);
            break;
        }
    }
    return true;
}

enum rc loop_on_signal(struct loop *l, int signo, loop_fn *fn, void *arg, struct err *e)
{
    for (size_t i = 0; i < l->signals_n; i++) {
        if (l->signal_rows[i].signo == signo) {
            l->signal_rows[i] = (struct signal_row){signo, fn, arg};
            return RC_OK;
        }
    }
    sigset_t set = l->signal_set, one;
    if (l->signals_n == SIGNALS_MAX || sigemptyset(&one) != 0 || sigaddset(&one, signo) != 0 ||
        sigaddset(&set, signo) != 0) {
        err_set(e, "loop: signal %d cannot be watched", signo);
        return RC_FATAL;
    }
    int code = pthread_sigmask(SIG_BLOCK, &one, NULL);
    int fd = code == 0 ? signalfd(l->signal_fd, &set, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
    if (fd < 0) {
        err_set(e, "loop: signal %d: %s", signo, strerror(code != 0 ? code : errno));
        return RC_FATAL;
    }
    l->signal_set = set;
    l->signal_rows[l->signals_n++] = (struct signal_row){signo, fn, arg};
    if (l->signal_fd < 0) {
        l->signal_fd = fd;
        loop_watch_add(l, &l->signals, fd, on_signals, l);
    }
    return RC_OK;
}

void loop_wake(struct loop *l)
{
    (void)eventfd_write(l->wake_fd,
                        1); /* fails only when the counter is full, and then the loop is awake already */
}

static bool open_descriptors(struct loop *l)
{
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return l->epoll_fd >= 0 && l->wake_fd >= 0;
}

struct loop *loop_create(const struct clock *clock, struct err *e)
{
    struct loop *l = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(e, "loop: libcurl does not start");
        return NULL;
    }
    if ((l = calloc(1, sizeof *l)) == NULL) {
        curl_global_cleanup();
        err_set(e, "loop: out of memory");
        return NULL;
    }
    l->clock = clock != NULL ? clock : clock_system();
    l->epoll_fd = l->wake_fd = l->signal_fd = -1;
    l->timers.next = l->timers.prev = &l->timers;
    l->timers_due.next = l->timers_due.prev = &l->timers_due;
    l->watches.next = l->watches.prev = &l->watches;
    l->watches_due.next = l->watches_due.prev = &l->watches_due;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    /* TLS writes to a closed connection raise it, and libcurl leaves it alone under CURLOPT_NOSIGNAL */
    if (sigemptyset(&l->signal_set) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0 || !open_descriptors(l)) {
        err_set(e, "loop: %s", strerror(errno));
        loop_destroy(l);
        return NULL;
    }
    if (!curl_drive_init(&l->curl, l->epoll_fd) || !loop_keep_connections(l, CONNECTIONS_KEPT)) {
        err_set(e, "loop: out of memory");
        loop_destroy(l);
        return NULL;
    }
    loop_watch_add(l, &l->wake, l->wake_fd, on_wake, l);
    l->last_turn = loop_now(l);
    return l;
}

void loop_destroy(struct loop *l)
{
    if (l == NULL)
        return;
    curl_drive_release(&l->curl);
    curl_global_cleanup();
    if (l->signal_fd >= 0)
        (void)close(l->signal_fd);
    if (l->wake_fd >= 0)
        (void)close(l->wake_fd);
    if (l->epoll_fd >= 0)
        (void)close(l->epoll_fd);
    free(l);
}

const struct clock *loop_clock(const struct loop *l)
{
    return l->clock;
}

int64_t loop_now(const struct loop *l)
{
    return clock_mono(l->clock);
}

CURLM *loop_curl(struct loop *l)
{
    return l->curl.multi;
}

struct open_sockets *loop_open_sockets(struct loop *l)
{
    return &l->curl.sockets;
}

bool loop_keep_connections(struct loop *l, long n)
{
    if (n <= l->connections_kept)
        return true;
    if (curl_multi_setopt(l->curl.multi, CURLMOPT_MAXCONNECTS, n) != CURLM_OK)
        return false;
    l->connections_kept = n;
    return true;
}

void loop_on_curl(struct loop *l, loop_fn *on_done, void *arg)
{
    l->on_done = on_done;
    l->on_done_arg = arg;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int wait_ms(const struct loop *l, int64_t max_wait_ms)
{
    if (l->stop || any_again(l))
        return 0;
    int64_t wait = earlier(max_wait_ms, LOOP_GLANCE_MS);
    wait = earlier(wait, earlier(l->glance_at, l->curl.due) - clock_mono(clock_system()));
    if (l->timers.next != &l->timers)
        wait = earlier(wait, l->timers.next->at -
                                 loop_now(l)); /* both monotonic and not negative, so no overflow */
    return wait > 0 ? (int)wait : 0;
}

void loop_turn(struct loop *l, int64_t max_wait_ms)
{
    l->last_turn = loop_now(l);
    take_events(l, wait_ms(l, max_wait_ms));
    if (l->on_done != NULL)
        l->on_done(l->on_done_arg);
    run_watches(l);
    run_timers(l);
}

void loop_run(struct loop *l)
{
    while (!l->stop)
        loop_turn(l, LOOP_GLANCE_MS);
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}

bool loop_stopping(const struct loop *l)
{
    return l->stop;
}

int64_t loop_last_turn(const struct loop *l)
{
    return l->last_turn;
}
