/* The time during which this replica owns an organization: what it knows is read back from the topics, then it polls until it is stopped or the ownership is
 * lost. Start-up order, before one record is published: order-state to its end; the orders written since (from five minutes before the last note); the ledger
 * from the group's committed positions to its end, and further back where an order's row must lie before them. Then the ledger is followed for ever.
 * A poll is complete when every page was taken and everything that it published is acknowledged and noted.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_TENURE_H
#define BRIDGE_PRODUCER_TENURE_H

#include "common/kafka/registry.h"
#include "common/kafka/topics.h"
#include "common/net/metrics.h"
#include "common/net/worker.h"
#include "producer/order_mapping.h"
#include "producer/order_writer.h"
#include "producer/producer_metrics.h"
#include "producer/writer_schemas.h"
#include "producer/xsale_client.h"

struct tenure;

struct tenure_needs { /* borrowed while it lives */
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct metrics *metrics;
    struct publisher *publisher;
    struct writer_schemas *schemas;
    struct xsale_client *xsale;
    struct order_mapping *mapping;
    struct order_writer *writer;
    int32_t order_schema_id;
    const char *group_id;
    int partitions[TOPIC_COUNT];
    bool once; /* one complete poll only */
};

struct tenure_ops {
    /* positions: next ledger offsets to commit for the partitions_n of order-status, -1: not this one. */
    void (*commit)(void *arg, const int64_t *positions, size_t partitions_n);
    /* With `once`: a complete poll was made. */
    void (*complete)(void *arg);
    /* Cannot go on (memory, a broken invariant): stop the program. */
    void (*failed)(void *arg, const char *words);
};

/* NULL: out of memory. */
struct tenure *tenure_create(const struct tenure_needs *needs, const struct tenure_ops *ops, void *arg);
/* What is in the air is left to itself: nothing of it is noted. Not from inside ops. */
void tenure_destroy(struct tenure *t);
/* Stops polling; done once, from the loop, when everything published is acknowledged and noted (positions are committed before);
 * the tenure may be destroyed from inside it. */
void tenure_stop(struct tenure *t, loop_fn *done, void *arg);
/* What is known of one order, for the HTTP port: as common/contract/order_listing.h says; a list of all is empty, it would be every order. */
unsigned tenure_orders(const struct tenure *t, const char *rest, struct buf *out);
/* Another producer.poll_interval counts from the beginning of the last poll. */
void tenure_reload(struct tenure *t);
/* The publisher has room again. */
void tenure_room(struct tenure *t);

#endif
