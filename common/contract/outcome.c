#include "common/contract/outcome.h"

#include <stdlib.h>

#include "common/contract/avro_draft.h"
#include "common/contract/avro_record.h"

static const char *const results[OUTCOME_RESULTS] = {"IMPORTED", "REJECTED", "SUPERSEDED", "WITHDRAWN"};

const char *outcome_result_name(enum outcome_result r)
{
    return (size_t)r < OUTCOME_RESULTS ? results[r] : NULL;
}

static void put_optional(struct avro_draft *d, const char *name, int64_t v, int64_t none)
{
    if (v == none)
        avro_draft_null(d, name);
    else
        avro_draft_long(d, name, v);
}

enum rc outcome_encode(const struct outcome *o, struct buf *out, struct err *e)
{
    struct avro_draft d;
    avro_draft_init(&d, AVRO_ORDER_OUTCOME, e);
    avro_draft_text(&d, "organization", o->organization);
    avro_draft_long(&d, "orderId", o->order_id);
    avro_draft_text(&d, "revision", o->revision);
    avro_draft_long(&d, "publication", o->publication);
    put_optional(&d, "round", o->round, 0);
    avro_draft_bool(&d, "withdrawn", o->withdrawn);
    avro_draft_text(&d, "warehouse", o->warehouse);
    avro_draft_warehouses(&d, "warehouses", &o->warehouses);
    avro_draft_symbol(&d, "result", outcome_result_name(o->result));
    avro_draft_text(&d, "documentId", o->document_id);
    avro_draft_text(&d, "reason", o->reason);
    avro_draft_long(&d, "attempts", o->attempts);
    avro_draft_long(&d, "at", o->at);
    avro_draft_text(&d, "group", o->group);
    put_optional(&d, "partition", o->partition, -1);
    put_optional(&d, "offset", o->offset, -1);
    enum rc rc = avro_draft_finish(&d, out);
    if (rc != RC_OK)
        err_prefix(e, "outcome");
    return rc;
}

static void read_fields(struct avro_record *r, struct outcome *o)
{
    o->organization = avro_record_text(r, "organization");
    o->order_id = avro_record_long(r, "orderId");
    avro_record_copy(r, "revision", o->revision, sizeof o->revision);
    o->publication = avro_record_long(r, "publication");
    o->round = avro_record_long_or(r, "round", 0);
    o->withdrawn = avro_record_bool_or(r, "withdrawn", false);
    o->warehouse = avro_record_text(r, "warehouse");
    avro_record_warehouses(r, "warehouses", &o->warehouses);
    o->result = (enum outcome_result)avro_record_symbol(r, "result", results, OUTCOME_RESULTS);
    o->document_id = avro_record_text_or(r, "documentId", NULL);
    o->reason = avro_record_text_or(r, "reason", NULL);
    o->attempts = avro_record_int_or(r, "attempts", 0);
    o->at = avro_record_long(r, "at");
    o->group = avro_record_text_or(r, "group", NULL);
    o->partition = avro_record_int_or(r, "partition", -1);
    o->offset = avro_record_long_or(r, "offset", -1);
}

enum rc outcome_decode(struct record_writer *writer, const unsigned char *avro, size_t n, struct outcome **out, struct err *e)
{
    static const struct avro_record_shape shape = {AVRO_ORDER_OUTCOME, sizeof **out, NULL, 0};
    struct avro_record r;
    void *object = NULL;
    avro_record_init(&r, writer, &shape, avro, n, e);
    if (r.rc == RC_OK)
        read_fields(&r, r.object);
    enum rc rc = avro_record_finish(&r, &object);
    if (rc == RC_OK)
        *out = object;
    else
        err_prefix(e, "outcome");
    return rc;
}

void outcome_destroy(struct outcome *o)
{
    free(o); /* its texts lie behind it */
}
