/* The connections of the sql sink, each in a thread of its own, and the jobs that wait for one. A thread that is through with a job takes the next one itself: the database
 * is not kept waiting for a turn of the loop, as it was when the loop handed each thread its job. Those that wait were not begun: nothing of them was sent.
 * Results do not wake the loop one by one while there is work for the threads: it looks by itself soon after those that it got last. To be woken for each costs it, and the
 * database on the same cores, more than an order does (measured: 0.8 switches an order).
 * Threads begin as they are needed, and the first ones get the work, so that a quiet hour has one connection and not all of them asking a firewall's patience.
 * A thread that does not come back in time is left behind with its session and its job (a frozen server, a dead route: no driver's own time-outs help there); another takes
 * its place, up to a limit. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_SQL_POOL_H
#define BRIDGE_CONSUMER_SQL_POOL_H

#include "common/net/loop.h"
#include "consumer/sql_job.h"

struct sql_pool;

struct sql_pool_env {
    struct loop *loop;           /* borrowed */
    struct sql_settings session; /* its texts borrowed */
    size_t sessions;
    int64_t patience_ms; /* for one job */
    /* It is over. left: nobody knows how, its connection hangs; its end is not to be looked at. May submit, and may destroy the pool. The job is the owner's again. */
    void (*ended)(void *arg, struct sql_job *j, bool left);
    void *arg;
};

/* NULL: out of memory, or of descriptors. No connection is made yet. */
struct sql_pool *sql_pool_create(const struct sql_pool_env *env, struct err *e);
/* Takes the job over until `ended`, which is not called from inside. connection: for it, and for those that wait. false: no thread is there and none can be had, or no
 * memory; the job stays the caller's. */
bool sql_pool_submit(struct sql_pool *p, struct sql_job *j, const char *connection, struct err *e);
/* Forgets what waits; what runs may end within wait_ms, and the connections be closed: else they are left behind. `ended` is not called any more. NULL is a no-op. */
void sql_pool_destroy(struct sql_pool *p, int64_t wait_ms);

/* Threads of this process that hang. */
size_t sql_pool_hanging(void);

#endif
