/* The driver of erp-consumer: takes orders from Kafka, loads them into the ERP and acknowledges backwards: an offset passes a record only after
 * the outcome of each of its loads was acknowledged. Which load goes when is lanes.h; how it is loaded is the sink's; what is
 * finished is offset_track.h; this file connects them with the group, the publisher and the clock.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_LOADER_H
#define BRIDGE_CONSUMER_LOADER_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/net/worker.h"

struct loader;

struct loader_env { /* borrowed while the loader lives */
    struct loop *loop;
    struct worker *worker;
    struct config *config;
    struct log *log;
    struct health *health;
    struct metrics *metrics; /* NULL or rows of consumer_metrics */
    bool until_end;          /* works off what is there and finishes */
    /* It ended: 0 done, 1 a failure that no patience mends (words). Once, on the loop. */
    void (*finished)(void *arg, int code, const char *words);
    void *arg;
};

/* Does not wait for anybody: topics, registry, ERP and broker are waited for on the loop. RC_REJECT: wrong configuration. */
enum rc loader_create(const struct loader_env *env, struct loader **out, struct err *e);
/* Gives up what is under way; it is loaded again later under the same keys. NULL is a no-op. */
void loader_destroy(struct loader *l);
/* What is in hand, for the HTTP port: as hand_list_print. */
unsigned loader_orders(const struct loader *l, const char *rest, struct buf *out);
/* Stops intake, waits for what is under way within consumer.drain_timeout, commits, leaves the group, then `finished` with 0;
 * with until_end and something left: with 1. */
void loader_stop(struct loader *l);

#endif
