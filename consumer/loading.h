/* Records in hand become loads, loads become verdicts, verdicts become acknowledged outcomes: lanes, sink and outbox connected.
 * Knows no consumer group: what a finished record means for an offset is the owner's. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_LOADING_H
#define BRIDGE_CONSUMER_LOADING_H

#include "common/base/config.h"
#include "common/kafka/registry.h"
#include "common/net/health.h"
#include "common/net/metrics.h"
#include "consumer/erp_sink.h"
#include "consumer/lanes.h"
#include "consumer/order_record.h"
#include "consumer/outbox.h"

struct loading;

struct loading_ops {
    /* Every outcome of the record is acknowledged; it is freed when this returns. */
    void (*record_done)(void *arg, const struct order_record *r);
    /* A try ended or an outcome was acknowledged: look whether a drain is over, or room is there. */
    void (*progress)(void *arg);
    /* Out of memory: nothing goes on. */
    void (*failed)(void *arg, const char *words);
    /* The ERP answers after a pause; no further try began yet, so loading_stop now holds them all back. May be NULL. */
    void (*reopened)(void *arg);
    /* Is a newer publication of the order known for the warehouse, though it is not in hand? NULL: never. */
    bool (*outdated)(void *arg, const void *key, size_t key_n, const char *warehouse, int64_t publication);
};

struct loading_env { /* borrowed while it lives; struct outbox_env is copied */
    struct config *config;
    struct health *health;
    struct metrics *metrics;
    struct registry *registry;
    struct outbox_env outbox;
    struct loading_ops ops;
    void *arg;
};

/* Opens the sink that erp.sink names. RC_REJECT: wrong configuration. */
enum rc loading_create(const struct loading_env *env, struct loading **out, struct err *e);
/* After publisher_destroy, before registry_destroy. */
void loading_destroy(struct loading *l);
/* The outcome schema's id. */
void loading_schema(struct loading *l, int32_t id);

/* Takes the record over. */
void loading_take(struct loading *l, struct order_record *r);
/* Calls fn for each load that is in hand and not settled. */
void loading_each(const struct loading *l, void (*fn)(void *arg, const struct lane_item *item), void *arg);
/* Why nothing but one order at a time is tried; NULL: the ERP is not down. */
const char *loading_paused(const struct loading *l);
/* No new tries begin (true) or they do (false). */
void loading_stop(struct loading *l, bool stop);
/* Tries under way and outcomes not yet acknowledged of a partition. */
size_t loading_busy(const struct loading *l, int32_t partition);
/* The partition is not ours any more: its records are forgotten; what is under way ends unheard. */
void loading_drop(struct loading *l, int32_t partition);

/* So many loads of records that are done are not known to be committed (their `tried`): see lanes_uncommitted. A load that has ended while another one of its
 * record has not, because another warehouse's ERP is down, is in neither number: its record is committed as a whole. */
void loading_uncommitted(struct loading *l, size_t loads);

/* Now and then: tells how far behind each warehouse is. */
void loading_tell_lag(struct loading *l);

size_t loading_records(const struct loading *l); /* in hand */
size_t loading_bytes(const struct loading *l);   /* that they take */

#endif
