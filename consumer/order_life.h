/* One order's life as its records tell it: what happened when, and what that means now. Fed with records in any order of topics and partitions, in order of offset within a
 * partition. Thread rule: one owner; pure but for memory. */
#ifndef BRIDGE_CONSUMER_ORDER_LIFE_H
#define BRIDGE_CONSUMER_ORDER_LIFE_H

#include "common/base/buf.h"
#include "consumer/topic_scan.h"

enum { LIFE_EVENTS_MAX = 2000, LIFE_WAREHOUSES_MAX = 64 };

struct order_life;

/* NULL: out of memory. */
struct order_life *order_life_create(void);
void order_life_destroy(struct order_life *l); /* NULL is a no-op */

/* Takes a record of any of the bridge's topics that is about the order. RC_FATAL: memory. More than LIFE_EVENTS_MAX events: the earlier ones are counted only. */
enum rc order_life_add(struct order_life *l, const struct scan_record *r, struct err *e);
/* A publication is named that is older than every record of orders that was added: its record stands in another partition, or is gone. */
bool order_life_misses(const struct order_life *l);
bool order_life_empty(const struct order_life *l);

/* Appends the events, oldest first, and the present state; now: ms since 1970. */
void order_life_text(struct order_life *l, const char *key, int64_t now, struct buf *out);
void order_life_json(struct order_life *l, const char *key, int64_t now, struct buf *out);

#endif
