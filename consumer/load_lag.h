/* How far behind each warehouse is: what waits for an outcome, and since when its oldest was published. Told as metrics; a warehouse that was seen once stays,
 * with 0 while nothing waits. Zeroed before first use. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_LOAD_LAG_H
#define BRIDGE_CONSUMER_LOAD_LAG_H

#include "common/contract/warehouse_set.h"
#include "common/net/metrics.h"
#include "consumer/load.h"

struct load_lag {
    struct warehouse_set seen;
};

/* warehouse: the consumer's own, "": every one. all: the loads in hand. */
void load_lag_tell(struct load_lag *lag, const char *warehouse, const struct load *all, int64_t wall_ms, struct metrics *m);

#endif
