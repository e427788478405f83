/* What happens to each order that a page brings, and to each withdrawal: read it, ask the book, write what follows. Orders without a usable id, and those that the
 * list shows in another status, are told here and never reach the book. What the broker refuses afterwards becomes a rejection here too.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_ORDER_INTAKE_H
#define BRIDGE_PRODUCER_ORDER_INTAKE_H

#include "common/net/metrics.h"
#include "producer/order_mapping.h"
#include "producer/order_writer.h"
#include "producer/poller.h"
#include "producer/writer_schemas.h"
#include "producer/xsale_client.h"

struct order_intake;

struct order_intake_needs { /* borrowed while it lives */
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct metrics *metrics;
    struct writer_schemas *schemas;
    struct xsale_client *xsale;
    struct order_mapping *mapping;
    struct order_writer *writer;
    struct order_book *book;
    int32_t order_schema_id;
};

struct order_intake_ops {
    /* Before an order in a new status reaches the book: false: it has to wait (POLLER_WAIT), until poller_resume. */
    bool (*admit)(void *arg, const struct order_facts *facts);
    /* Something found no room: repeat what was asked when there is some. */
    void (*no_room)(void *arg);
    /* What had to wait for something else than room may go on. */
    void (*resume)(void *arg);
    void (*failed)(void *arg, const char *words);
};

struct order_intake_counts { /* of this poll */
    size_t published, withdrawn, rejected;
    size_t listed;    /* orders in a new status */
    size_t elsewhere; /* listed, but in another one */
};

/* ops borrowed. NULL: out of memory. */
struct order_intake *order_intake_create(const struct order_intake_needs *needs, const struct order_intake_ops *ops, void *arg);
void order_intake_destroy(struct order_intake *in);

/* A poll begins. again: the one before it was not complete. */
void order_intake_poll(struct order_intake *in, bool again);
/* It was complete. */
void order_intake_polled(struct order_intake *in);
const struct order_intake_counts *order_intake_counts(const struct order_intake *in);

/* One order of the poll. */
enum poller_taken order_intake_take(struct order_intake *in, const struct json_tape *tape, uint32_t node);
/* A withdrawal of what the mapping's encoder has; as absence_ops.withdraw. */
enum rc order_intake_withdraw(struct order_intake *in, const struct order_facts *facts, const struct order_book_offer *offer);

/* The broker will never take what was published of this order: it is rejected, without its bytes, which it would not take either; a withdrawal is published without
 * them. */
void order_intake_refused(struct order_intake *in, int64_t order_id, const char *why);
/* Tells what is left of those. true: nothing is. */
bool order_intake_settle(struct order_intake *in);

#endif
