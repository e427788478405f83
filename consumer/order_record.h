/* A record of the orders topic while it is in hand: a copy of its bytes and what is known about the order, from the headers at once and
 * from the value when its schema is there. It ends when the outcome of each of its loads is acknowledged.
 * Thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_ORDER_RECORD_H
#define BRIDGE_CONSUMER_ORDER_RECORD_H

#include "common/contract/order_key.h"
#include "common/contract/order_view.h"
#include "common/kafka/kafka_record.h"
#include "consumer/order_views.h"

struct order_record {
    struct kafka_record source; /* its own copy */
    uint64_t generation;        /* of the assignment that it came with */
    unsigned open;              /* loads without an acknowledged outcome; the owner counts */
    unsigned tried;             /* loads that the ERP was offered and that are over; likewise */
    size_t bytes;               /* memory that it takes */
    /* The order, as far as known. */
    char key[ORDER_KEY_BYTES];  /* "<organization>/<orderId>", for logs too; "" when the key names no order */
    const char *organization;   /* "" likewise */
    int64_t order_id;
    int64_t publication;        /* 0: not known */
    int64_t round;              /* 0: not known */
    char revision[ORDER_REVISION_BYTES]; /* "": not known */
    bool withdrawn;
    const char *warehouses;     /* comma list, owned; "" : not known */
    const char *traceparent;    /* owned; NULL: none */
    uint64_t fingerprint;       /* of the schema that it was written with; 0: not told */
    /* Set by order_record_decode. */
    int32_t schema_id;             /* of its frame; -1: no frame */
    const struct order_view *view; /* NULL: not readable (yet) */
    const unsigned char *avro;     /* avro_n bytes inside source.value */
    size_t avro_n;
    bool undivided;                /* it is for one warehouse alone, whose document is the whole order */
    char organization_text[256];
};

/* Copies r and reads its headers. NULL: out of memory. */
struct order_record *order_record_create(const struct kafka_record *r, uint64_t generation);
void order_record_destroy(struct order_record *o);

/* Reads the value. RC_OK: everything is set, *delivering says which of the warehouses have something to issue. RC_RETRY: its schema is not
 * to be had now. RC_REJECT: it can never be read, or is about another order than its key; words name no value. RC_FATAL: memory. */
enum rc order_record_decode(struct order_record *o, struct order_views *views, struct warehouse_set *delivering, struct err *e);
/* The warehouses of the list; none when it is not known or not a list. */
void order_record_warehouses(const struct order_record *o, struct warehouse_set *out);
/* Does the record's header say that it is not for this warehouse? false without that header. */
bool order_record_not_for(const struct kafka_record *r, const char *warehouse);
/* Does it say that it is? */
bool order_record_names(const struct kafka_record *r, const char *warehouse);
/* The publication that the record's header tells; 0: none, or no possible one. */
int64_t order_record_publication(const struct kafka_record *r);

#endif
