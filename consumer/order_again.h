/* A record of an order made ready to be published once more by hand: the very bytes, by the very schema, but for the field `publication`; headers as the producer
 * writes them, and
 *   replayed      how: "redrive", "resend"
 *   redrives      how often it was put back after a rejection, decimal; not with "resend", which begins anew
 * What is read is checked whole, and so is what was made, before anybody gets it. Thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_ORDER_AGAIN_H
#define BRIDGE_CONSUMER_ORDER_AGAIN_H

#include "common/base/traceparent.h"
#include "common/contract/order_view.h"
#include "consumer/topic_scan.h"

enum { ORDER_AGAIN_HEADERS = 8, ORDER_AGAIN_BYTES = 64 * 1024 * 1024 };

struct order_again { /* zeroed before first use */
    const struct schema *writer;  /* that `view` was made of */
    struct order_view *view;
    struct order_head head, made; /* of what was read; of what was made of it */
    struct traceparent traces;
};

struct order_again_stamp {
    int64_t publication;
    const char *how;
    int64_t redrives; /* 0: no such header */
};

/* Ready to be sent; everything that `record` points to is inside. */
struct order_copy {
    struct kafka_record record;
    struct kafka_header headers[ORDER_AGAIN_HEADERS];
    size_t headers_n;
    char publication[24], redrives[24], fingerprint[17], traceparent[TRACEPARENT_TEXT];
    struct buf key, value, texts;
};

/* Reads a record of `orders`, or a dead letter that is one, into head. RC_REJECT: it cannot be read, its key or its headers tell of another order, publication or
 * schema than its value: words say which. RC_FATAL: memory. */
enum rc order_again_read(struct order_again *a, const struct scan_record *r, struct err *e);
/* Reads it and makes the copy. topic: borrowed while the copy lives. RC_OK: *out owned by the caller. */
enum rc order_again_make(struct order_again *a, const struct scan_record *r, const char *topic, const struct order_again_stamp *stamp,
                         struct order_copy **out, struct err *e);
void order_copy_destroy(struct order_copy *c); /* NULL is a no-op */
/* How often the record was put back by redrive: its header; 0: never. */
int64_t order_again_redrives(const struct kafka_record *r);
/* Before the schemas of the records go (topic_scan_destroy). */
void order_again_forget(struct order_again *a);

#endif
