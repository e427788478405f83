/* OrderState: what the producer last published of an order. */
#ifndef BRIDGE_CONTRACT_ORDER_STATE_H
#define BRIDGE_CONTRACT_ORDER_STATE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/order_encoder.h"
#include "common/contract/record_writer.h"

struct order_state {
    const char *organization;
    int64_t order_id;
    char revision[ORDER_REVISION_BYTES];
    int64_t publication, round; /* ms */
    bool withdrawn;
    int32_t schema_id; /* that the revision was computed with */
    struct warehouse_set warehouses;
    bool closed;       /* OPEN or CLOSED */
    int64_t at;        /* ms */
};

enum rc order_state_encode(const struct order_state *s, struct buf *out, struct err *e);
enum rc order_state_decode(struct record_writer *writer, const unsigned char *avro, size_t n, struct order_state **out, struct err *e);
void order_state_destroy(struct order_state *s); /* only those from decode */

#endif
