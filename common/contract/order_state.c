#include "common/contract/order_state.h"

#include <stdlib.h>

#include "common/contract/avro_put.h"
#include "common/contract/avro_record.h"
#include "common/contract/field_put.h"

static const char record_name[] = "order state";

static const char *const states[] = {"OPEN", "CLOSED"};

/* Field by field in the order of schemas/OrderState.avsc: one is written for every publication, and avro-c takes many times as long. */
static bool put_fields(struct buf *out, const struct order_state *s, struct err *e)
{
    if (!field_put_text(out, record_name, "organization", s->organization, e))
        return false;
    avro_put_long(out, s->order_id);
    if (!field_put_text(out, record_name, "revision", s->revision, e))
        return false;
    avro_put_long(out, s->publication);
    avro_put_long(out, s->round);
    avro_put_bool(out, s->withdrawn);
    avro_put_long(out, s->schema_id);
    if (!field_put_warehouses(out, record_name, &s->warehouses, e))
        return false;
    avro_put_long(out, s->closed); /* index into the enum's symbols, as in states */
    avro_put_long(out, s->at);
    if (buf_failed(out))
        err_set(e, "order state: more bytes than the buffer takes");
    return !buf_failed(out);
}

enum rc order_state_encode(const struct order_state *s, struct buf *out, struct err *e)
{
    size_t before = out->n;
    if (put_fields(out, s, e))
        return RC_OK;
    out->n = before;
    return RC_REJECT;
}

static void read_fields(struct avro_record *r, struct order_state *s)
{
    s->organization = avro_record_text(r, "organization");
    s->order_id = avro_record_long(r, "orderId");
    avro_record_copy(r, "revision", s->revision, sizeof s->revision);
    s->publication = avro_record_publication(r, "publication");
    s->round = avro_record_publication(r, "round");
    s->withdrawn = avro_record_bool(r, "withdrawn");
    s->schema_id = avro_record_int(r, "schemaId");
    avro_record_warehouses(r, "warehouses", &s->warehouses);
    s->closed = avro_record_symbol(r, "state", states, 2) == 1;
    s->at = avro_record_long(r, "at");
}

enum rc order_state_decode(struct record_writer *writer, const unsigned char *avro, size_t n, struct order_state **out, struct err *e)
{
    static const struct avro_record_shape shape = {AVRO_ORDER_STATE, sizeof **out, NULL, 0};
    struct avro_record r;
    void *object = NULL;
    avro_record_init(&r, writer, &shape, avro, n, e);
    if (r.rc == RC_OK)
        read_fields(&r, r.object);
    enum rc rc = avro_record_finish(&r, &object);
    if (rc == RC_OK)
        *out = object;
    else
        err_prefix(e, "order state");
    return rc;
}

void order_state_destroy(struct order_state *s)
{
    free(s); /* its texts lie behind it */
}
