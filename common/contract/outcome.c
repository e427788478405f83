#include "common/contract/outcome.h"

#include <stdlib.h>

#include "common/contract/avro_put.h"
#include "common/contract/avro_record.h"
#include "common/contract/field_put.h"

static const char record_name[] = "outcome";

static const char *const results[OUTCOME_RESULTS] = {"IMPORTED", "REJECTED", "SUPERSEDED", "WITHDRAWN"};

const char *outcome_result_name(enum outcome_result r)
{
    return (size_t)r < OUTCOME_RESULTS ? results[r] : NULL;
}

enum { ABSENT, PRESENT }; /* branches of ["null", ...] */

static void put_optional(struct buf *out, int64_t v, int64_t none)
{
    avro_put_long(out, v != none ? PRESENT : ABSENT);
    if (v != none)
        avro_put_long(out, v);
}

static bool put_verdict(struct buf *out, const struct outcome *o, struct err *e)
{
    if (outcome_result_name(o->result) == NULL) {
        err_set(e, "outcome: field result: no such symbol");
        return false;
    }
    avro_put_long(out, o->result); /* index into the enum's symbols, as in results */
    if (!field_put_optional_text(out, record_name, "documentId", o->document_id, e) || !field_put_optional_text(out, record_name, "reason", o->reason, e))
        return false;
    avro_put_long(out, o->attempts);
    avro_put_long(out, o->at);
    if (!field_put_optional_text(out, record_name, "group", o->group, e))
        return false;
    put_optional(out, o->partition, -1);
    put_optional(out, o->offset, -1);
    return true;
}

/* Field by field in the order of schemas/OrderOutcome.avsc: one is written for every load, and avro-c takes many times as long. */
static bool put_fields(struct buf *out, const struct outcome *o, struct err *e)
{
    if (!field_put_text(out, record_name, "organization", o->organization, e))
        return false;
    avro_put_long(out, o->order_id);
    if (!field_put_text(out, record_name, "revision", o->revision, e))
        return false;
    avro_put_long(out, o->publication);
    put_optional(out, o->round, 0);
    avro_put_bool(out, o->withdrawn);
    if (!field_put_text(out, record_name, "warehouse", o->warehouse, e) || !field_put_warehouses(out, record_name, &o->warehouses, e) || !put_verdict(out, o, e))
        return false;
    if (buf_failed(out))
        err_set(e, "outcome: more bytes than the buffer takes");
    return !buf_failed(out);
}

enum rc outcome_encode(const struct outcome *o, struct buf *out, struct err *e)
{
    size_t before = out->n;
    if (put_fields(out, o, e))
        return RC_OK;
    out->n = before;
    return RC_REJECT;
}

static void read_fields(struct avro_record *r, struct outcome *o)
{
    o->organization = avro_record_text(r, "organization");
    o->order_id = avro_record_long(r, "orderId");
    avro_record_copy(r, "revision", o->revision, sizeof o->revision);
    o->publication = avro_record_publication(r, "publication");
    o->round = avro_record_publication_or(r, "round", 0);
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
