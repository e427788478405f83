#include "common/contract/ledger_row.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_draft.h"
#include "common/contract/avro_peek.h"
#include "common/contract/avro_record.h"

static const char *const wanted[] = {"NONE", "IMPORTED", "MANUAL"};
enum { WANTED = sizeof wanted / sizeof wanted[0] };

static const char *wanted_name(enum ledger_wanted w)
{
    return (size_t)w < WANTED ? wanted[w] : NULL;
}

static void put_result(struct avro_draft *row, const struct ledger_result *result)
{
    struct avro_draft d;
    avro_draft_item(row, "results", &d);
    avro_draft_text(&d, "warehouse", result->warehouse);
    avro_draft_symbol(&d, "result", outcome_result_name(result->result));
    avro_draft_text(&d, "documentId", result->document_id);
    avro_draft_text(&d, "reason", result->reason);
    avro_draft_long(&d, "attempts", result->attempts);
    avro_draft_long(&d, "at", result->at);
    avro_draft_item_end(row, &d);
}

enum rc ledger_row_encode(const struct ledger_row *r, struct buf *out, struct err *e)
{
    struct avro_draft d;
    avro_draft_init(&d, AVRO_ORDER_STATUS, e);
    avro_draft_text(&d, "organization", r->organization);
    avro_draft_long(&d, "orderId", r->order_id);
    avro_draft_text(&d, "revision", r->revision);
    avro_draft_long(&d, "publication", r->publication);
    avro_draft_long(&d, "round", r->round);
    avro_draft_bool(&d, "withdrawn", r->withdrawn);
    avro_draft_warehouses(&d, "warehouses", &r->warehouses);
    for (size_t i = 0; i < r->results_n; i++)
        put_result(&d, &r->results[i]);
    avro_draft_symbol(&d, "wanted", wanted_name(r->wanted));
    avro_draft_text(&d, "statusFound", r->status_found);
    avro_draft_symbol(&d, "statusSet", wanted_name(r->status_set));
    if (r->settled_at == 0)
        avro_draft_null(&d, "settledAt");
    else
        avro_draft_long(&d, "settledAt", r->settled_at);
    avro_draft_text(&d, "note", r->note);
    avro_draft_bool(&d, "closed", r->closed);
    avro_draft_bool(&d, "complete", r->complete);
    enum rc rc = avro_draft_finish(&d, out);
    if (rc != RC_OK)
        err_prefix(e, "ledger row");
    return rc;
}

static void read_result(struct avro_record *row, size_t i, struct ledger_result *result)
{
    const char *names[OUTCOME_RESULTS];
    struct avro_record r;
    for (size_t k = 0; k < OUTCOME_RESULTS; k++)
        names[k] = outcome_result_name((enum outcome_result)k);
    avro_record_item(row, "results", i, &r);
    avro_record_copy(&r, "warehouse", result->warehouse, sizeof result->warehouse);
    result->result = (enum outcome_result)avro_record_symbol(&r, "result", names, OUTCOME_RESULTS);
    result->document_id = avro_record_text_or(&r, "documentId", NULL);
    result->reason = avro_record_text_or(&r, "reason", NULL);
    result->attempts = avro_record_int_or(&r, "attempts", 0);
    result->at = avro_record_long(&r, "at");
    avro_record_item_end(row, &r);
}

static void read_fields(struct avro_record *r, struct ledger_row *row)
{
    struct ledger_result *results = r->list;
    row->organization = avro_record_text(r, "organization");
    row->order_id = avro_record_long(r, "orderId");
    avro_record_copy(r, "revision", row->revision, sizeof row->revision);
    row->publication = avro_record_long(r, "publication");
    row->round = avro_record_long(r, "round");
    row->withdrawn = avro_record_bool_or(r, "withdrawn", false);
    avro_record_warehouses(r, "warehouses", &row->warehouses);
    for (size_t i = 0; i < r->list_n && r->rc == RC_OK; i++)
        read_result(r, i, &results[i]);
    row->results = results;
    row->results_n = r->list_n;
    row->wanted = (enum ledger_wanted)avro_record_symbol(r, "wanted", wanted, WANTED);
    row->status_found = avro_record_text_or(r, "statusFound", NULL);
    row->status_set = (enum ledger_wanted)avro_record_symbol(r, "statusSet", wanted, WANTED);
    row->settled_at = avro_record_long_or(r, "settledAt", 0);
    row->note = avro_record_text_or(r, "note", NULL);
    row->closed = avro_record_bool(r, "closed");
    row->complete = avro_record_bool(r, "complete");
}

enum rc ledger_row_decode(struct record_writer *writer, const unsigned char *avro, size_t n, struct ledger_row **out, struct err *e)
{
    static const struct avro_record_shape shape = {AVRO_ORDER_STATUS, sizeof **out, "results", sizeof(struct ledger_result)};
    struct avro_record r;
    void *object = NULL;
    avro_record_init(&r, writer, &shape, avro, n, e);
    if (r.rc == RC_OK)
        read_fields(&r, r.object);
    enum rc rc = avro_record_finish(&r, &object);
    if (rc == RC_OK)
        *out = object;
    else
        err_prefix(e, "ledger row");
    return rc;
}

void ledger_row_destroy(struct ledger_row *r)
{
    free(r); /* its results and texts lie behind it */
}

enum rc ledger_row_publication(const struct schema *writer, const unsigned char *avro, size_t n, int64_t *out, struct err *e)
{
    const struct schema_node *root = schema_root(writer);
    struct avro_cursor c = {avro, avro + n};
    int64_t publication = 0;
    bool found = false;
    for (size_t i = 0; root->kind == SCHEMA_RECORD && i < root->count; i++) {
        const struct schema_field *f = &root->fields[i];
        struct avro_cursor value = c;
        enum rc rc = avro_walk_field(f, avro, &c, e);
        if (rc != RC_OK)
            return rc;
        if (strcmp(f->name, "publication") == 0 && (f->type->kind == SCHEMA_LONG || f->type->kind == SCHEMA_INT))
            found = avro_read_long(&value, &publication);
    }
    if (!found || c.p != c.end) {
        err_set(e, found ? "ledger row: bytes behind its end" : "ledger row: no field publication");
        return RC_REJECT;
    }
    *out = publication;
    return RC_OK;
}
