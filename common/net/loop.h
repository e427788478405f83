/* The one event loop of a program: one epoll descriptor waits on curl's sockets, on watched descriptors (librdkafka's queues, the
 * HTTP server, finished workers, signals) and until the nearest timer. One application thread; callbacks never block.
 * Thread rule: everything from the thread that created the loop, except loop_wake, loop_now and loop_last_turn. */
#ifndef BRIDGE_NET_LOOP_H
#define BRIDGE_NET_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/err.h"

struct loop;

typedef void loop_fn(void *arg);
/* Does a bounded piece of work; true: more is waiting, call again in the next turn without sleeping. */
typedef bool loop_ready_fn(void *arg);

/* Embedded in its owner; zeroed before first use. A timer fires once; setting it again moves it. Timers that are due fire in the
 * order of their times; one that is set from inside a callback fires in the next turn at the earliest. */
struct loop_timer {
    struct loop_timer *next, *prev;
    int64_t at; /* monotonic ms */
    loop_fn *fn;
    void *arg;
    bool armed;
};

/* Embedded in its owner; zeroed before first use. ready is called once soon after adding, when fd is readable (or hung up, so ready
 * must notice the end), and at least every LOOP_GLANCE_MS all the same (a wake-up of librdkafka may come late: measured). fd -1: glances
 * only. One watch a descriptor; remove the watch before its descriptor is closed. */
struct loop_watch {
    struct loop_watch *next, *prev;
    int fd;
    loop_ready_fn *ready;
    void *arg;
    bool again;
};

enum { LOOP_GLANCE_MS = 200 };

/* clock: borrowed; NULL: the system's. Ignores SIGPIPE for the process. NULL: words in e. */
struct loop *loop_create(const struct clock *clock, struct err *e);
void loop_destroy(struct loop *l); /* after everything that uses it is gone; NULL is a no-op */

const struct clock *loop_clock(const struct loop *l);
int64_t loop_now(const struct loop *l); /* monotonic ms, read fresh */

/* Borrowed; lives as long as the loop. on_done is called in each turn after what libcurl could do was done; there is one, and it belongs to
 * http_client. */
CURLM *loop_curl(struct loop *l);
struct open_sockets *loop_open_sockets(struct loop *l); /* those of loop_curl; every handle that is added there is noted in it */
/* At least so many connections of all clients together stay open for the next request. false: out of memory. */
bool loop_keep_connections(struct loop *l, long n);
void loop_on_curl(struct loop *l, loop_fn *on_done, void *arg);

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_mono_ms, loop_fn *fn, void *arg);
void loop_timer_in(struct loop *l, struct loop_timer *t, int64_t delay_ms, loop_fn *fn, void *arg);
void loop_timer_clear(struct loop *l, struct loop_timer *t); /* allowed from inside any callback; not armed: nothing happens */

void loop_watch_add(struct loop *l, struct loop_watch *w, int fd, loop_ready_fn *ready, void *arg);
void loop_watch_remove(struct loop *l, struct loop_watch *w); /* allowed from inside any callback; not added: nothing happens */

/* Blocks the signal for the process's threads (call before any other thread exists) and delivers it through a signalfd; the same
 * signal again replaces its fn. It stays blocked after the loop's end, so a late signal cannot kill a program that is cleaning up. */
enum rc loop_on_signal(struct loop *l, int signo, loop_fn *fn, void *arg, struct err *e);

/* Turns until loop_stop, which stays in force. loop_turn: one turn, waits at most max_wait_ms (tests). Neither is called from inside a
 * callback. */
void loop_run(struct loop *l);
void loop_turn(struct loop *l, int64_t max_wait_ms);
void loop_stop(struct loop *l);
bool loop_stopping(const struct loop *l);
void loop_wake(struct loop *l); /* any thread */
/* Monotonic ms at which the last turn began: /livez asks, from another thread. */
int64_t loop_last_turn(const struct loop *l);

#endif
