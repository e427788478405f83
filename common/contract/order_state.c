#include "common/contract/order_state.h"

#include <stdlib.h>

#include "common/contract/avro_draft.h"
#include "common/contract/avro_record.h"

static const char *const states[] = {"OPEN", "CLOSED"};

enum rc order_state_encode(const struct order_state *s, struct buf *out, struct err *e)
{
    struct avro_draft d;
    avro_draft_init(&d, AVRO_ORDER_STATE, e);
    avro_draft_text(&d, "organization", s->organization);
    avro_draft_long(&d, "orderId", s->order_id);
    avro_draft_text(&d, "revision", s->revision);
    avro_draft_long(&d, "publication", s->publication);
    avro_draft_long(&d, "round", s->round);
    avro_draft_bool(&d, "withdrawn", s->withdrawn);
    avro_draft_long(&d, "schemaId", s->schema_id);
    avro_draft_warehouses(&d, "warehouses", &s->warehouses);
    avro_draft_symbol(&d, "state", states[s->closed]);
    avro_draft_long(&d, "at", s->at);
    enum rc rc = avro_draft_finish(&d, out);
    if (rc != RC_OK)
        err_prefix(e, "order state");
    return rc;
}

static void read_fields(struct avro_record *r, struct order_state *s)
{
    s->organization = avro_record_text(r, "organization");
    s->order_id = avro_record_long(r, "orderId");
    avro_record_copy(r, "revision", s->revision, sizeof s->revision);
    s->publication = avro_record_long(r, "publication");
    s->round = avro_record_long(r, "round");
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
