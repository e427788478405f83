/* How a page shows a look-up that is not done: it waits, runs, or failed. */
#ifndef BRIDGE_CONSUMER_PAGE_WAIT_H
#define BRIDGE_CONSUMER_PAGE_WAIT_H

#include "common/base/buf.h"
#include "consumer/board_lookup.h"

/* l: NULL: too many look-ups wait. true: it is done, nothing but the time was written. */
bool page_wait(const struct board_lookup *l, struct buf *out);
bool page_wait_over(const struct board_lookup *l); /* nothing more will come by itself */

#endif
