/* The order that --check-erp offers: an order as xSale would send it (built in, or the user's own), read by the Order schema and shown through erp.view, so that the ERP gets
 * it in the form in which it gets every order. Thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_CHECK_ORDER_H
#define BRIDGE_CONSUMER_CHECK_ORDER_H

#include "common/base/buf.h"
#include "common/base/config.h"
#include "common/contract/order_encoder.h"

struct check_order;

struct check_version { /* of the order */
    const char *organization;
    int64_t order_id;
    const char *warehouse;
    int64_t publication;
    bool withdrawn;
    bool edited; /* with other remarks */
};

/* path: a file with one order's JSON; NULL: the built-in one. RC_REJECT: wrong configuration or file, words say which. */
enum rc check_order_open(const struct config *c, const char *path, struct check_order **out, struct err *e);
void check_order_close(struct check_order *o);
/* Appends the document that the ERP sees, and gives its revision. RC_REJECT: this order cannot be made; words say why. */
enum rc check_order_write(struct check_order *o, const struct check_version *v, struct buf *document, char revision[ORDER_REVISION_BYTES], struct err *e);

#endif
