/* One thread around calls that block and have no asynchronous form (rd_kafka_committed, offsets_for_times, ...). Jobs run one at a
 * time in order; their ends come back on the loop. Thread rule: all calls from the loop's thread; `run` alone runs in the worker. */
#ifndef BRIDGE_NET_WORKER_H
#define BRIDGE_NET_WORKER_H

#include "common/net/loop.h"

struct worker;

/* At most 256 jobs are open (waiting, running, or ended and not told yet). All signals are blocked in the thread. */
struct worker *worker_create(struct loop *l, struct err *e);
/* Waits for the job that runs, drops those that wait (their `done` is called all the same, with ran = false). */
void worker_destroy(struct worker *w);
/* As worker_destroy, but waits at most wait_ms for the job that runs. false: it does not end (a hung file system) and is left behind with its
 * thread; its `done` is never called, and what its `run` uses must last to the end of the process. For the end of a program. */
bool worker_give_up(struct worker *w, int64_t wait_ms);
/* run(arg) in the thread, then done(arg, true) on the loop, never from inside submit; done may destroy the worker. RC_RETRY: full, out of
 * memory, or the worker is being destroyed. arg must live until done. */
enum rc worker_submit(struct worker *w, void (*run)(void *arg), void (*done)(void *arg, bool ran), void *arg);

#endif
