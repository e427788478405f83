/* An order's life on a page: what happened when, and what it waits for. Of what changed between two publications only the fields' names are shown, never a value. */
#ifndef BRIDGE_CONSUMER_PAGE_ORDER_H
#define BRIDGE_CONSUMER_PAGE_ORDER_H

#include "consumer/board_lookup.h"
#include "common/base/buf.h"

/* l: NULL: too many look-ups wait. asked: as it was typed. */
void page_order(const struct board_lookup *l, const char *asked, const char *nonce, struct buf *out);

#endif
