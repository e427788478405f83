#include "common/contract/ledger_row.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_peek.h"
#include "common/contract/avro_put.h"
#include "common/contract/avro_record.h"
#include "common/contract/field_put.h"
#include "common/contract/publication.h"

static const char record_name[] = "ledger row";

static const char *const wanted[] = {"NONE", "IMPORTED", "MANUAL"};
enum { WANTED = sizeof wanted / sizeof wanted[0] };

enum { ABSENT, PRESENT }; /* branches of ["null", ...] */

/* The index among the enum's symbols is the value itself. */
static bool put_symbol(struct buf *out, const char *name, size_t symbol, size_t symbols, struct err *e)
{
    if (symbol >= symbols)
        err_set(e, "ledger row: field %s: no such symbol", name);
    else
        avro_put_long(out, (int64_t)symbol);
    return symbol < symbols;
}

/* The one block of an array's items, when there are any; its end is put after them. */
static void put_count(struct buf *out, size_t n)
{
    if (n > 0)
        avro_put_long(out, (int64_t)n);
}

static bool put_result(struct buf *out, const struct ledger_result *r, struct err *e)
{
    if (!field_put_text(out, record_name, "warehouse", r->warehouse, e) || !put_symbol(out, "result", (size_t)r->result, OUTCOME_RESULTS, e) ||
        !field_put_optional_text(out, record_name, "documentId", r->document_id, e) || !field_put_optional_text(out, record_name, "reason", r->reason, e))
        return false;
    avro_put_long(out, r->attempts);
    avro_put_long(out, r->at);
    return true;
}

static bool put_results(struct buf *out, const struct ledger_row *r, struct err *e)
{
    put_count(out, r->results_n);
    for (size_t i = 0; i < r->results_n; i++)
        if (!put_result(out, &r->results[i], e))
            return false;
    avro_put_long(out, 0);
    return true;
}

static bool put_status(struct buf *out, const struct ledger_row *r, struct err *e)
{
    if (!put_symbol(out, "wanted", (size_t)r->wanted, WANTED, e) || !field_put_optional_text(out, record_name, "statusFound", r->status_found, e) ||
        !put_symbol(out, "statusSet", (size_t)r->status_set, WANTED, e))
        return false;
    avro_put_long(out, r->settled_at != 0 ? PRESENT : ABSENT);
    if (r->settled_at != 0)
        avro_put_long(out, r->settled_at);
    if (!field_put_optional_text(out, record_name, "note", r->note, e))
        return false;
    avro_put_bool(out, r->closed);
    avro_put_bool(out, r->complete);
    return true;
}

/* Field by field in the order of schemas/OrderStatus.avsc: two are written for every outcome, and avro-c takes many times as long. */
static bool put_fields(struct buf *out, const struct ledger_row *r, struct err *e)
{
    if (!field_put_text(out, record_name, "organization", r->organization, e))
        return false;
    avro_put_long(out, r->order_id);
    if (!field_put_text(out, record_name, "revision", r->revision, e))
        return false;
    avro_put_long(out, r->publication);
    avro_put_long(out, r->round);
    avro_put_bool(out, r->withdrawn);
    if (!field_put_warehouses(out, record_name, &r->warehouses, e) || !put_results(out, r, e) || !put_status(out, r, e))
        return false;
    if (buf_failed(out))
        err_set(e, "ledger row: more bytes than the buffer takes");
    return !buf_failed(out);
}

enum rc ledger_row_encode(const struct ledger_row *r, struct buf *out, struct err *e)
{
    size_t before = out->n;
    if (put_fields(out, r, e))
        return RC_OK;
    out->n = before;
    return RC_REJECT;
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
    row->publication = avro_record_publication(r, "publication");
    row->round = avro_record_publication(r, "round");
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
    found = found && publication_possible(publication);
    if (!found || c.p != c.end) {
        err_set(e, found ? "ledger row: bytes behind its end" : "ledger row: no field publication, or it is negative or beyond the year 9999");
        return RC_REJECT;
    }
    *out = publication;
    return RC_OK;
}
