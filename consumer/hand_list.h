/* The loads in hand as the HTTP port tells them (common/contract/order_listing.h): what was tried in vain first, then what is at the ERP, then what waits its turn.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_HAND_LIST_H
#define BRIDGE_CONSUMER_HAND_LIST_H

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "consumer/loading.h"

/* rest: what the request's path names. warehouse: ours, "": every one. Returns the HTTP status. */
unsigned hand_list_print(const struct loading *l, const struct clock *clock, const char *warehouse, const char *rest, struct buf *out);

#endif
