/* The way of the orders as a picture: xSale, producer, each warehouse's consumer and ERP, updater, xSale; on each arrow what waits there and for how long. */
#ifndef BRIDGE_CONSUMER_PAGE_FLOW_H
#define BRIDGE_CONSUMER_PAGE_FLOW_H

#include "consumer/page_frame.h"

enum { PAGE_LANES = 24 };

void page_flow(const struct board_facts *f, struct buf *out);

#endif
