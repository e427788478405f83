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
/* run(arg) in the thread, then done(arg, true) on the loop, never from inside submit; done may destroy the worker. RC_RETRY: full, out of
 * memory, or the worker is being destroyed. arg must live until done. */
enum rc worker_submit(struct worker *w, void (*run)(void *arg), void (*done)(void *arg, bool ran), void *arg);

#endif
