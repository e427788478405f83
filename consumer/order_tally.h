/* What a stretch of the orders topic holds: records, orders, and how many of the records a newer publication of the same order stands behind. Keys are kept as their
 * 64-bit hashes, at most ORDER_TALLY_MAX of them (24 bytes each). Pure. */
#ifndef BRIDGE_CONSUMER_ORDER_TALLY_H
#define BRIDGE_CONSUMER_ORDER_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/contract/order_key.h"
#include "common/contract/warehouse_set.h"
#include "common/kafka/kafka_record.h"

enum { ORDER_TALLY_MAX = 2000000, ORDER_TALLY_WAREHOUSES = 256 };

struct order_tally_entry {
    uint64_t key; /* 0: free */
    int64_t newest;
    uint32_t records;    /* inside the stretch */
    bool newest_inside;
};

struct order_tally {
    struct order_tally_entry *table; /* cap, a power of two; owned */
    size_t cap, orders;
    uint64_t records;  /* inside the stretch */
    bool full;         /* more orders than fit: `superseded` is a lower bound, orders too */
    char first[ORDER_KEY_BYTES], last[ORDER_KEY_BYTES]; /* keys by broker's time; "" : none */
    int64_t first_at, last_at; /* ms; -1: none */
    struct order_tally_warehouse {
        char name[ORDER_WAREHOUSE_BYTES];
        uint64_t records; /* inside the stretch, whose header names it */
    } warehouses[ORDER_TALLY_WAREHOUSES];
    size_t warehouses_n; /* further ones are not counted */
};

void order_tally_init(struct order_tally *t);
void order_tally_release(struct order_tally *t);
/* Counts a record. inside: it belongs to the stretch; else only its publication counts. A record without the header `publication` counts as older than any. */
void order_tally_add(struct order_tally *t, const struct kafka_record *r, bool inside);
/* Orders with a record inside, and records inside that are not their order's newest. */
void order_tally_sum(const struct order_tally *t, uint64_t *orders, uint64_t *superseded);

#endif
