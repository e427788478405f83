/* OrderOutcome: what became of one publication of an order at one warehouse. */
#ifndef BRIDGE_CONTRACT_OUTCOME_H
#define BRIDGE_CONTRACT_OUTCOME_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/order_encoder.h"
#include "common/contract/record_writer.h"

enum outcome_result { OUTCOME_IMPORTED, OUTCOME_REJECTED, OUTCOME_SUPERSEDED, OUTCOME_WITHDRAWN, OUTCOME_RESULTS };

const char *outcome_result_name(enum outcome_result r); /* "IMPORTED" ... */

struct outcome {
    const char *organization;
    int64_t order_id;
    char revision[ORDER_REVISION_BYTES];
    int64_t publication;
    int64_t round;     /* 0: absent, then it is the publication */
    bool withdrawn;
    const char *warehouse; /* "": from the producer, an order that cannot become a record */
    struct warehouse_set warehouses;
    enum outcome_result result;
    const char *document_id; /* NULL: none */
    const char *reason;      /* NULL: none */
    int32_t attempts;
    int64_t at;            /* ms */
    const char *group;     /* NULL: none */
    int32_t partition;     /* -1: none */
    int64_t offset;        /* -1: none */
};

/* Appends Avro bytes (no frame) of the built-in schema. RC_REJECT: does not fit (bad UTF-8 ...). */
enum rc outcome_encode(const struct outcome *o, struct buf *out, struct err *e);
/* Any writer schema, resolved to ours. RC_OK: *out owned by the caller, its texts inside it. */
enum rc outcome_decode(struct record_writer *writer, const unsigned char *avro, size_t n, struct outcome **out, struct err *e);
void outcome_destroy(struct outcome *o); /* only those from outcome_decode */

#endif
