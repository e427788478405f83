/* The updater's work on the partitions that it owns: outcomes noted in the ledger, rows written, statuses set, offsets committed; partitions taken over (their
 * ledger is read back first) and given up (what is under way is finished, what was not begun is left to the next owner).
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_UPDATING_H
#define BRIDGE_PRODUCER_UPDATING_H

#include <stdbool.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/contract/order_encoder.h"
#include "common/kafka/publisher.h"
#include "common/net/health.h"
#include "common/net/metrics.h"
#include "common/net/worker.h"
#include "producer/writer_schemas.h"
#include "producer/xsale_client.h"

struct updating;

struct updating_parts { /* borrowed while it lives */
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct health *health;   /* names "status-change", "outcomes", and those of the group */
    struct metrics *metrics; /* updater_metrics */
    struct publisher *publisher; /* its room is taken */
    struct writer_schemas *schemas;
    struct xsale_client *xsale; /* open */
    const struct order_encoder *encoder;
    const char *outcomes, *status, *dlq; /* topics */
    int32_t partitions;     /* of outcomes and of status */
    int32_t row_schema_id;
};

struct updating_ops {
    void (*closed)(void *arg); /* after updating_close */
    /* It cannot go on: close it and end. May come more than once. */
    void (*failed)(void *arg, const char *words);
};

/* Joins the group. RC_FATAL: words. */
enum rc updating_create(const struct updating_parts *parts, const struct updating_ops *ops, void *arg, struct updating **out, struct err *e);
/* Takes nothing new, drains within updater.drain_timeout, commits and leaves the group; then closed. */
void updating_close(struct updating *u);
/* The publisher goes first: what is under way is dropped. NULL is a no-op. */
void updating_destroy(struct updating *u);

/* Every 200 ms or so: what is due by time. */
void updating_tick(struct updating *u);

/* The statuses still to be set, for the HTTP port: as common/contract/order_listing.h says. rest: what the request's path names. Returns the HTTP status. */
unsigned updating_orders(const struct updating *u, const char *rest, struct buf *out);

enum updating_left {
    UPDATING_WORK,   /* outcomes or statuses are still to be worked off */
    UPDATING_NOTHING,
    UPDATING_REFUSED /* statuses are left that xSale refuses to change: *words say why */
};
/* What is left to do of everything that stands in the topics. */
enum updating_left updating_left(const struct updating *u, const char **words);

#endif
