/* The ERP side and the status-updater, as short as the rules allow. A warehouse takes records in the order of each key; the updater joins the newest publication's
 * outcomes in a ledger row, looks and sets the status in one step and writes the closing row in another, so that everything may come between the two. */
#include <stdio.h>
#include <string.h>

#include "tests/model/world.h"

struct row {
    bool there, settled, closed, complete, wd, put; /* put: the status is set, and no row says so yet */
    int64_t p, round, put_p;
    char revision[ORDER_REVISION_BYTES];
    unsigned named, results[OUTCOME_RESULTS]; /* bits by warehouse; the producer's is bit WAREHOUSES */
    enum ledger_wanted want, set;
};

static struct {
    struct row rows[KEYS];
    size_t outs_taken;
    bool done[WAREHOUSES][RECORDS_MAX];
    size_t first[WAREHOUSES]; /* everything before it is done */
    size_t ahead[WAREHOUSES]; /* what the look-ahead has seen */
    struct {
        int64_t p;
        int rev, state; /* state: 1 live, -1 withdrawn */
    } erp[KEYS][WAREHOUSES];
} rest;

void world_rest_reset(void)
{
    memset(&rest, 0, sizeof rest);
}

int world_document(int k, int wh, int *rev)
{
    *rev = rest.erp[k][wh].rev;
    return rest.erp[k][wh].state;
}

/* ---- warehouses */

static int64_t newest_ahead(int wh, int k)
{
    int64_t p = 0;
    for (size_t i = 0; i < rest.ahead[wh]; i++)
        if (the->recs[i].k == k && the->recs[i].p > p)
            p = the->recs[i].p;
    return p;
}

static void erp_take(const struct rec *r, int wh, int state)
{
    if (rest.erp[r->k][wh].state != 0 && r->p < rest.erp[r->k][wh].p)
        return;
    rest.erp[r->k][wh].p = r->p;
    rest.erp[r->k][wh].state = state;
    rest.erp[r->k][wh].rev = r->rev;
}

static bool verdict(const struct rec *r, int wh, enum outcome_result *result)
{
    bool takes_back = r->wd || !(r->own & 1U << wh);
    *result = OUTCOME_SUPERSEDED;
    if (newest_ahead(wh, r->k) > r->p)
        return true;
    if (the->down[wh]) {
        rest.ahead[wh] = the->recs_n;
        return false;
    }
    *result = takes_back ? OUTCOME_WITHDRAWN : the->rejects[r->k][wh] ? OUTCOME_REJECTED : OUTCOME_IMPORTED;
    if (*result == OUTCOME_IMPORTED)
        world_loaded(r);
    if (*result != OUTCOME_REJECTED)
        erp_take(r, wh, takes_back ? -1 : 1);
    return true;
}

static bool consume(int wh, size_t i)
{
    const struct rec *r = &the->recs[i];
    enum outcome_result result;
    if (r->named & 1U << wh) {
        if (!verdict(r, wh, &result) || the->outs_n == RECORDS_MAX)
            return false;
        struct out *out = &the->outs[the->outs_n++];
        *out = (struct out){.k = r->k, .wh = wh, .p = r->p, .round = r->round, .named = r->named, .result = result, .wd = r->wd};
        memcpy(out->revision, r->revision, sizeof out->revision);
        say("%s %d at %c p %lld", outcome_result_name(result), r->k, 'A' + wh, (long long)r->p);
    }
    rest.done[wh][i] = true;
    while (rest.first[wh] < the->recs_n && rest.done[wh][rest.first[wh]])
        rest.first[wh]++;
    return true;
}

bool world_consume(void)
{
    int wh = (int)dice(WAREHOUSES), from = (int)dice(KEYS);
    for (int n = 0; n < KEYS; n++) {
        int k = (from + n) % KEYS;
        size_t i = rest.first[wh];
        while (i < rest.ahead[wh] && (rest.done[wh][i] || the->recs[i].k != k))
            i++;
        if (i < rest.ahead[wh])
            return consume(wh, i);
    }
    if (rest.ahead[wh] == the->recs_n)
        return false;
    rest.ahead[wh] = the->recs_n;
    return true;
}

/* ---- updater */

static void write_row(int k)
{
    static const char *const names[] = {"A", "B"};
    const struct row *v = &rest.rows[k];
    struct ledger_result results[WAREHOUSES + 1];
    struct ledger_row row = {.organization = "acme", .order_id = FIRST_ID + k, .publication = v->p, .round = v->round,
                             .withdrawn = v->wd, .results = results, .wanted = v->want, .status_set = v->set, .closed = v->closed, .complete = v->complete,
                             .settled_at = v->settled ? 1 : 0};
    memcpy(row.revision, v->revision, sizeof row.revision);
    for (int wh = 0; wh < WAREHOUSES; wh++)
        if (v->named & 1U << wh)
            (void)warehouse_set_add(&row.warehouses, names[wh], 1);
    say("row %d p %lld%s%s wants %d set %d", k, (long long)v->p, v->closed ? " closed" : "", v->complete ? " complete" : "", v->want, v->set);
    world_ledger_append(k, &row);
}

static void join(struct row *v)
{
    unsigned answered = 0;
    for (int i = 0; i < OUTCOME_RESULTS; i++)
        answered |= v->results[i];
    v->complete = (v->named & ~answered) == 0;
    enum ledger_wanted want = v->results[OUTCOME_REJECTED] ? LEDGER_MANUAL : LEDGER_NONE;
    if (v->complete && want == LEDGER_NONE && !v->results[OUTCOME_SUPERSEDED]) {
        want = v->results[OUTCOME_IMPORTED] ? LEDGER_IMPORTED : LEDGER_NONE;
        if (want == LEDGER_NONE && v->wd && v->set == LEDGER_IMPORTED)
            want = LEDGER_MANUAL;
        if (want == LEDGER_NONE && v->want == LEDGER_NONE)
            v->settled = v->closed = true;
    }
    if (want != LEDGER_NONE && want != v->want) {
        v->want = want;
        v->settled = v->closed = false;
    }
}

static bool take_outcome(void)
{
    if (rest.outs_taken == the->outs_n)
        return false;
    const struct out *o = &the->outs[rest.outs_taken++];
    struct row *v = &rest.rows[o->k];
    if (!v->there || o->p > v->p) {
        enum ledger_wanted set = v->there && v->p >= o->round ? (v->set != LEDGER_NONE ? v->set : v->want) : LEDGER_NONE;
        *v = (struct row){.there = true, .p = o->p, .round = o->round, .set = set};
        memcpy(v->revision, o->revision, sizeof v->revision);
    }
    if (o->p < v->p)
        return true;
    unsigned bit = 1U << (o->wh < 0 ? WAREHOUSES : o->wh);
    v->named |= o->named | (o->wh < 0 ? 0 : bit);
    v->wd = v->wd || o->wd;
    bool old = false;
    for (int i = 0; i < OUTCOME_RESULTS; i++)
        old = old || (v->results[i] & bit);
    if (!(old && o->result == OUTCOME_SUPERSEDED)) {
        for (int i = 0; i < OUTCOME_RESULTS; i++)
            v->results[i] &= ~bit;
        v->results[o->result] |= bit;
    }
    join(v);
    write_row(o->k);
    return true;
}

static bool settle(int k)
{
    struct row *v = &rest.rows[k];
    struct shop_order *x = &the->shop[k];
    int wanted = v->want == LEDGER_IMPORTED ? STATUS_IMPORTED : STATUS_MANUAL;
    if (v->put) { /* the second half */
        v->put = false;
        if (v->put_p == v->p) {
            v->settled = v->closed = true;
            write_row(k);
        }
        return true;
    }
    if (!v->there || v->want == LEDGER_NONE || v->settled)
        return false;
    bool ours = x->status == STATUS_MANUAL && v->set == LEDGER_MANUAL;
    bool may = (x->status == STATUS_NEW && !v->wd) || ours || (x->status == STATUS_IMPORTED && v->want == LEDGER_MANUAL);
    if (x->there && x->status != wanted && may) {
        if (the->put_refused)
            return false;
        say("PUT %d status %d", k, wanted);
        for (size_t i = 0; i < the->recs_n; i++)
            the->crossed[k] = the->crossed[k] || (the->recs[i].k == k && (the->recs[i].round > v->p || (the->recs[i].replayed && the->recs[i].p == v->p)));
        the->put_p[k] = v->p;
        the->put_at[k] = 1795000000000 + the->now;
        x->status = wanted;
        x->by_person = false;
    }
    if (x->there && x->status == wanted)
        v->set = v->want;
    v->put = true;
    v->put_p = v->p;
    return true;
}

bool world_update(void)
{
    int from = (int)dice(KEYS);
    if (chance(60) && take_outcome())
        return true;
    for (int n = 0; n < KEYS; n++)
        if (settle((from + n) % KEYS))
            return true;
    return take_outcome();
}
