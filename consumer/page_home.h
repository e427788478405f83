/* The first page: is all well, the way of the orders, what waits and why, the programs, dead letters, and the form of reconcile. Pure but for the buffer. */
#ifndef BRIDGE_CONSUMER_PAGE_HOME_H
#define BRIDGE_CONSUMER_PAGE_HOME_H

#include "consumer/page_frame.h"

enum { PAGE_HOME_REFRESH_S = 5 };

void page_home(const struct board_facts *f, const char *nonce, struct buf *out);

#endif
