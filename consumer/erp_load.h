/* One publication of an order on its way to one warehouse's ERP. Plain borrowed views, valid until the try's end. */
#ifndef BRIDGE_CONSUMER_ERP_LOAD_H
#define BRIDGE_CONSUMER_ERP_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct erp_load {
    const char *key; /* "<organization>/<orderId>/<warehouse>/<publication>": the same as often as this load is repeated */
    const char *organization;
    int64_t order_id;
    const char *warehouse;
    const char *revision;    /* 16 hex digits */
    int64_t publication;     /* ms */
    bool withdrawn;          /* take it back; the document may be one that the ERP never saw */
    const char *document;    /* the order as JSON, document_n bytes, not terminated */
    size_t document_n;
    const char *traceparent; /* W3C; NULL: none */
    int attempt;             /* 1, 2, ... */
    bool ambiguous;          /* an earlier try may have loaded it */
};

#endif
