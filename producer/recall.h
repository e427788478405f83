/* What this organization's producer last knew, read back into an order book: order-state to its end, then what `orders` says since five minutes before the last
 * note (a producer that stopped between the two has not noted it). Afterwards the ledger is still to be read. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_RECALL_H
#define BRIDGE_PRODUCER_RECALL_H

#include "producer/order_book.h"
#include "producer/schema_reader.h"

struct recall;

struct recall_needs { /* borrowed while it lives */
    struct schema_reader_needs reader;
    const char *organization;
    int state_partitions, order_partitions;
};

struct recall_ops {
    void (*done)(void *arg); /* recall may be destroyed from inside */
    void (*failed)(void *arg, const char *words);
};

/* NULL: out of memory. */
struct recall *recall_create(const struct recall_needs *needs, struct order_book *book, const struct recall_ops *ops, void *arg);
void recall_destroy(struct recall *r);

/* Is this the key of an order of this organization? */
bool recall_is_ours(const char *organization, const struct kafka_record *r, int64_t *order_id);

#endif
