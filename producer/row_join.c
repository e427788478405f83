#include "producer/row_join.h"

#include <string.h>

#include "producer/kept_row.h"

int64_t row_join_round(const struct outcome *o)
{
    return o->round != 0 ? o->round : o->publication;
}

enum ledger_wanted row_join_inherited(const struct ledger_row *before, int64_t round, bool withdrawn)
{
    if (before->publication < round)
        return LEDGER_NONE;
    /* Its PUT may have happened. When either status may stand there: the manual one is what the next publication must be able to overwrite, the
     * imported one what a withdrawal must. */
    enum ledger_wanted first = withdrawn ? LEDGER_IMPORTED : LEDGER_MANUAL;
    if (before->settled_at == 0 && before->wanted != LEDGER_NONE && before->status_set != first)
        return before->wanted == first || before->status_set == LEDGER_NONE ? before->wanted : before->status_set;
    return before->status_set;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* false: it says nothing new. */
static bool take_result(struct ledger_row *row, struct ledger_result *results, const struct outcome *o, const char *reason)
{
    struct ledger_result *r = NULL;
    for (size_t i = 0; i < row->results_n && r == NULL; i++)
        if (strcmp(results[i].warehouse, o->warehouse) == 0)
            r = &results[i];
    if (r != NULL && (o->result == OUTCOME_SUPERSEDED ||
                      (r->result == o->result && same_text(r->document_id, o->document_id) && same_text(r->reason, reason))))
        return false; /* SUPERSEDED never replaces a verdict; the same verdict again says nothing */
    if (r != NULL && o->at < r->at && r->result != OUTCOME_SUPERSEDED)
        return false; /* an older verdict, read again after a crash or moved here late: the last one counts */
    if (r == NULL) {
        if (row->results_n == KEPT_RESULTS_MAX || strlen(o->warehouse) >= sizeof r->warehouse)
            return false;
        r = &results[row->results_n++];
        memcpy(r->warehouse, o->warehouse, strlen(o->warehouse) + 1);
    }
    r->document_id = o->document_id;
    r->reason = reason;
    r->result = o->result;
    r->attempts = o->attempts;
    r->at = o->at;
    return true;
}

bool row_join_take(struct ledger_row *row, struct ledger_result *results, const struct outcome *o, bool keep_reason)
{
    size_t named = row->warehouses.n;
    (void)warehouse_set_join(&row->warehouses, &o->warehouses); /* full: an outcome cannot name more than the set holds */
    if (o->warehouse[0] != '\0')
        (void)warehouse_set_add(&row->warehouses, o->warehouse, strlen(o->warehouse)); /* the decoder let only good names in */
    bool changed = row->warehouses.n != named || (o->withdrawn && !row->withdrawn);
    row->withdrawn = row->withdrawn || o->withdrawn;
    return take_result(row, results, o, keep_reason ? o->reason : NULL) || changed;
}

static bool is_complete(const struct ledger_row *r)
{
    for (size_t w = 0; w < r->warehouses.n; w++) {
        bool answered = false;
        for (size_t i = 0; i < r->results_n && !answered; i++)
            answered = strcmp(r->results[i].warehouse, r->warehouses.names[w]) == 0;
        if (!answered)
            return false;
    }
    return true;
}

/* Nothing is left of the order, but xSale may show it as imported, because we said so. */
static bool withdrawn_from_under_us(const struct ledger_row *r)
{
    return r->withdrawn && r->status_set == LEDGER_IMPORTED;
}

void row_join_decide(struct ledger_row *r, int64_t now_ms)
{
    bool got[OUTCOME_RESULTS] = {false};
    for (size_t i = 0; i < r->results_n; i++)
        got[r->results[i].result] = true;
    r->complete = is_complete(r);
    enum ledger_wanted want = got[OUTCOME_REJECTED] ? LEDGER_MANUAL : LEDGER_NONE;
    bool last = r->complete && !got[OUTCOME_SUPERSEDED]; /* else a newer publication stands behind it, whose row will say what becomes of the order */
    if (last && want == LEDGER_NONE && got[OUTCOME_IMPORTED])
        want = LEDGER_IMPORTED;
    if (last && want == LEDGER_NONE && withdrawn_from_under_us(r))
        want = LEDGER_MANUAL;
    if (last && want == LEDGER_NONE && r->wanted == LEDGER_NONE && r->settled_at == 0) {
        r->settled_at = now_ms;
        r->closed = true;
    }
    if (want != LEDGER_NONE && want != r->wanted) {
        if (r->wanted != LEDGER_NONE && r->settled_at == 0)
            r->status_set = r->wanted; /* its PUT may have happened: the imported status must be able to stand over a manual one, a withdrawal over an imported one */
        r->wanted = want;
        r->settled_at = 0;
        r->closed = false;
    }
}

void row_join_set(struct ledger_row *r, enum ledger_wanted set)
{
    r->status_set = set;
    if (r->wanted == LEDGER_NONE && withdrawn_from_under_us(r)) { /* the withdrawal crossed an older publication's PUT */
        r->wanted = LEDGER_MANUAL;
        r->settled_at = 0;
        r->closed = false;
    }
}
