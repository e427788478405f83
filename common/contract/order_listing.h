/* What a running program tells of the orders in its hand, at GET /orders and GET /orders/<organization>/<orderId> of its HTTP port (404: it has not got it in hand):
 *
 * {"program":"erp-consumer","warehouse":"MAG-1","paused":null,"orders":[{"organization":"acme","orderId":1,"publication":1764000000000,"warehouse":"MAG-1",
 *   "state":"parked","since":1764000000000,"nextIn":40000,"tries":3,"words":"HTTP 503"}],"more":0}
 *
 * warehouse: "" for every one, and where there is none. paused: why nothing is tried. since: ms since 1970; nextIn: ms until the next try. Members that are not known are
 * left out. No content of an order, no personal data; at most ORDER_LISTING_MAX orders, the others are counted in `more`. Pure. */
#ifndef BRIDGE_CONTRACT_ORDER_LISTING_H
#define BRIDGE_CONTRACT_ORDER_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum { ORDER_LISTING_MAX = 1000 };

struct order_listing {
    struct buf *out;
    size_t n;      /* listed */
    uint64_t more; /* not listed */
    const char *organization; /* of the one that is asked for, organization_n bytes; NULL: all */
    size_t organization_n;
    int64_t order_id;
};

struct listed_order {
    const char *organization; /* organization_n bytes */
    size_t organization_n;
    int64_t order_id, publication;
    const char *warehouse;    /* NULL: left out */
    const char *state;
    int64_t since, next_in;   /* -1: not known */
    int64_t tries;            /* -1: not known */
    const char *words;        /* NULL: left out; cut to 250 bytes */
};

/* rest: what stands behind "/orders/". false: that names no order; nothing is written. */
bool order_listing_begin(struct order_listing *l, const char *rest, const char *program, const char *warehouse, const char *paused, struct buf *out);
bool order_listing_wants(const struct order_listing *l, const char *organization, size_t organization_n, int64_t order_id);
void order_listing_add(struct order_listing *l, const struct listed_order *o);
/* The HTTP status: 404 when one order was asked for and is not there. */
unsigned order_listing_end(struct order_listing *l);

#endif
