#include "producer/order_book.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/publication.h"
#include "producer/loop_guard.h"
#include "producer/order_table.h"

enum { PUBLICATION_MARGIN_MS = 1000, SLOW_LOOK_S = 10 * 60 };

struct order_book {
    struct order_table t;
    struct loop_guard *guard;
    int64_t reoffer_after_ms;
    int64_t highest;     /* publication known */
    int64_t noted;       /* the highest that order-state carries */
    struct {             /* the ledger's row that carries a higher one */
        int64_t publication, offset;
        int32_t partition;
    } ahead;
    int64_t publication; /* of the present poll, at its begin */
    int64_t offering;    /* what it offers with: that, or more when a row read meanwhile carries a higher one */
    uint32_t poll;       /* polls begun */
    size_t held;
    size_t absent_at;    /* index behind the next entry that is asked whether the poll showed it */
    size_t absent_left;  /* entries not asked yet after this poll */
};

/* As order_table_find, but what is forgotten does not count. */
static struct entry *find_known(const struct order_book *b, int64_t order_id)
{
    struct entry *e = order_table_find(&b->t, order_id);
    return e != NULL && e->state != FORGOTTEN ? e : NULL;
}

/* ---- notes */

static void print_revision(uint64_t revision, char out[ORDER_REVISION_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < ORDER_REVISION_BYTES - 1; i++)
        out[i] = digits[revision >> (60 - 4 * i) & 15];
    out[ORDER_REVISION_BYTES - 1] = '\0';
}

static uint64_t parse_revision(const char *text)
{
    return strtoull(text, NULL, 16); /* written by us; anything else is a revision that no order has */
}

static void fill_state(const struct entry *e, struct order_state *state)
{
    state->organization = NULL;
    state->order_id = e->order_id;
    print_revision(e->revision, state->revision);
    state->publication = e->publication;
    state->round = e->round;
    state->withdrawn = e->withdrawn;
    state->schema_id = e->schema_id;
    order_table_places(e, &state->warehouses);
    state->closed = e->state == CLOSED;
    state->at = e->at;
}

bool order_book_note(struct order_book *b, struct order_state *state, bool *forgotten)
{
    const struct entry *e = order_table_first_note(&b->t);
    if (e == NULL)
        return false;
    *forgotten = e->state == FORGOTTEN;
    fill_state(e, state);
    return true;
}

bool order_book_get(const struct order_book *b, int64_t order_id, struct order_state *out)
{
    const struct entry *e = find_known(b, order_id);
    if (e == NULL)
        return false;
    fill_state(e, out);
    return true;
}

void order_book_note_taken(struct order_book *b)
{
    struct entry *e = order_table_first_note(&b->t);
    order_table_note_taken(&b->t);
    if (e != NULL && e->publication > b->noted && e->publication <= PUBLICATION_COUNTED)
        b->noted = e->publication;
    if (e != NULL && e->state == FORGOTTEN)
        order_table_remove(&b->t, e);
}

/* ---- life */

struct order_book *order_book_create(int64_t reoffer_after_ms)
{
    struct order_book *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->reoffer_after_ms = reoffer_after_ms;
    b->guard = loop_guard_create();
    if (b->guard == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

void order_book_destroy(struct order_book *b)
{
    if (b == NULL)
        return;
    loop_guard_destroy(b->guard);
    order_table_release(&b->t);
    free(b);
}

static void hear(struct order_book *b, int64_t publication)
{
    if (publication <= b->highest || publication > PUBLICATION_COUNTED)
        return;
    b->highest = publication;
    if (publication > b->offering) /* a stopped replica woke up, of which nothing was known when the poll began: an offer below its record's would never be closed */
        b->offering = publication + PUBLICATION_MARGIN_MS;
}

/* ---- start */

static enum rc take_state(struct order_book *b, const struct order_state *state)
{
    struct entry *e = order_table_entry(&b->t, state->order_id);
    if (e == NULL || !order_table_set_places(&b->t, e, &state->warehouses))
        return RC_FATAL;
    e->revision = parse_revision(state->revision);
    e->publication = state->publication;
    e->round = state->round;
    e->at = state->at;
    e->withdrawn = state->withdrawn;
    e->schema_id = state->schema_id;
    e->state = state->closed ? CLOSED : OPEN;
    e->look_due = state->closed ? 1 : 0; /* at once: nobody knows when it was looked at last */
    e->complete = false; /* the ledger is read again from the last row of every known order: it will tell */
    e->closed_poll = b->poll;
    return RC_OK;
}

/* Publications rise and each goes one way, open, closed, forgotten: whatever says less came late. */
static bool is_stale(const struct order_book *b, int64_t order_id, int64_t publication, enum entry_state state)
{
    const struct entry *e = order_table_find(&b->t, order_id);
    return e != NULL && (publication < e->publication || (publication == e->publication && state < e->state));
}

enum rc order_book_restore(struct order_book *b, int64_t order_id, const struct order_state *state, int64_t publication)
{
    int64_t noted = state != NULL ? state->publication : publication;
    hear(b, noted);
    b->noted = noted > b->noted ? noted : b->noted;
    if (state != NULL)
        return is_stale(b, order_id, state->publication, state->closed ? CLOSED : OPEN) ? RC_OK : take_state(b, state);
    if (publication > 0 && is_stale(b, order_id, publication, FORGOTTEN))
        return RC_OK;
    struct entry *e = order_table_entry(&b->t, order_id);
    if (e == NULL)
        return RC_FATAL;
    e->state = FORGOTTEN;
    if (publication > e->publication)
        e->publication = publication;
    return RC_OK;
}

bool order_book_is_news(struct order_book *b, int64_t order_id, int64_t publication, bool replayed)
{
    const struct entry *e = order_table_find(&b->t, order_id);
    hear(b, publication);
    return !replayed && (e == NULL || publication > e->publication);
}

enum rc order_book_adopt(struct order_book *b, const struct order_state *record)
{
    struct order_state open = *record;
    open.closed = false;
    enum rc rc = take_state(b, &open);
    if (rc != RC_OK)
        return rc;
    struct entry *e = order_table_find(&b->t, record->order_id);
    e->adopted = true;
    return order_table_queue(&b->t, e);
}

void order_book_restored(struct order_book *b)
{
    for (size_t i = b->t.n; i-- > 0;)
        if (b->t.all[i].state == FORGOTTEN && !b->t.all[i].note_due)
            order_table_remove(&b->t, &b->t.all[i]);
}

/* ---- the ledger */

/* A newer publication than ours: put back by hand. It keeps the order's round. */
static enum rc take_over(struct order_book *b, struct entry *e, const struct ledger_row *row)
{
    struct warehouse_set both;
    order_table_places(e, &both);
    (void)warehouse_set_join(&both, &row->warehouses); /* full: 64 of them; ours stay */
    if (!order_table_set_places(&b->t, e, &both))
        return RC_FATAL;
    e->publication = row->publication;
    e->revision = parse_revision(row->revision);
    e->withdrawn = row->withdrawn;
    e->state = OPEN;
    return order_table_queue(&b->t, e);
}

bool order_book_knows(const struct order_book *b, int64_t order_id)
{
    return find_known(b, order_id) != NULL;
}

void order_book_ledger_other(struct order_book *b, int64_t publication, int32_t partition, int64_t offset)
{
    hear(b, publication);
    if (publication <= b->noted || publication < b->ahead.publication || publication > PUBLICATION_COUNTED)
        return;
    b->ahead.publication = publication;
    b->ahead.partition = partition;
    b->ahead.offset = offset;
}

enum rc order_book_ledger(struct order_book *b, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct entry *e = find_known(b, row->order_id);
    order_book_ledger_other(b, row->publication, partition, offset);
    if (e == NULL)
        return RC_OK;
    e->row_partition = partition;
    e->row_offset = offset;
    e->row_round = row->round;
    e->row_wanted = (uint8_t)row->wanted;
    e->row_set = (uint8_t)row->status_set;
    if (row->publication > e->publication && take_over(b, e, row) != RC_OK)
        return RC_FATAL;
    if (row->publication != e->publication || !row->closed)
        return RC_OK;
    e->complete = row->complete;
    if (e->state == CLOSED)
        return RC_OK;
    e->state = CLOSED;
    e->closed_poll = b->poll;
    return order_table_queue(&b->t, e);
}

int64_t order_book_rows_missing_since(const struct order_book *b)
{
    int64_t oldest = -1;
    for (size_t i = 0; i < b->t.n; i++) {
        const struct entry *e = &b->t.all[i];
        int64_t from = e->adopted && e->publication < e->at ? e->publication : e->at; /* the record may have come days late: a stopped replica woke up */
        if (e->row_offset < 0 && (e->state == CLOSED || (e->state == OPEN && e->adopted)) && (oldest < 0 || from < oldest))
            oldest = from > 0 ? from : 0;
    }
    return oldest;
}

enum rc order_book_ledger_back(struct order_book *b, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    const struct entry *e = find_known(b, row->order_id);
    bool late = e != NULL && e->row_offset >= 0 && e->row_partition == partition && e->row_offset >= offset;
    return late ? RC_OK : order_book_ledger(b, row, partition, offset);
}

/* The row that alone tells of the highest publication (a rejection that a killed producer had not noted) is read again too: else a successor whose clock lags could offer
 * less than that. */
void order_book_ledger_positions(const struct order_book *b, int64_t *positions, size_t partitions_n)
{
    bool ahead = b->ahead.publication > b->noted && (size_t)b->ahead.partition < partitions_n;
    if (ahead && b->ahead.offset < positions[b->ahead.partition])
        positions[b->ahead.partition] = b->ahead.offset;
    for (size_t i = 0; i < b->t.n; i++) {
        const struct entry *e = &b->t.all[i];
        if (e->row_offset >= 0 && (size_t)e->row_partition < partitions_n && e->row_offset < positions[e->row_partition])
            positions[e->row_partition] = e->row_offset;
    }
}

/* ---- a poll */

int64_t order_book_poll(struct order_book *b, int64_t now_ms)
{
    b->poll++;
    b->held = 0;
    b->publication = b->offering = b->highest + PUBLICATION_MARGIN_MS > now_ms ? b->highest + PUBLICATION_MARGIN_MS : now_ms;
    return b->publication;
}

const char *order_book_cause_name(enum order_book_cause cause)
{
    static const char *const names[ORDER_CAUSES] = {"new", "edit", "retry", "reoffer", "withdrawal"};
    return names[cause];
}

/* Same content as what was published? COMPARE: only the older schema can tell. */
static enum order_book_action same_content(struct order_book *b, struct entry *e, const struct order_book_seen *seen)
{
    if (e->revision == seen->revision) {
        e->schema_id = seen->schema_id;
        return ORDER_SKIP;
    }
    if (e->schema_id == seen->schema_id)
        return ORDER_PUBLISH;
    if (!seen->compared)
        return ORDER_COMPARE;
    if (seen->undecided)
        return ORDER_SKIP;
    if (e->revision != seen->old_revision)
        return ORDER_PUBLISH;
    e->revision = seen->revision; /* the same content under the new schema's revision */
    e->schema_id = seen->schema_id;
    (void)order_table_queue(&b->t, e); /* out of memory: compared again after the next start */
    return ORDER_SKIP;
}

/* Nothing is known of it; but what was offered within the last day and forgotten may be a loop too. */
static enum order_book_action see_unknown(struct order_book *b, const struct order_book_seen *seen)
{
    if (loop_guard_allows(b->guard, seen->order_id, seen->revision, seen->steady_ms))
        return ORDER_PUBLISH;
    return loop_guard_see(b->guard, seen->order_id, b->poll) ? ORDER_HELD : ORDER_REPEATED;
}

static enum order_book_action see_known(struct order_book *b, struct entry *e, const struct order_book_seen *seen, int64_t now_ms,
                                        struct order_book_offer *offer)
{
    if (e->busy || e->publication >= b->publication) /* nothing may go out that does not rise: the next poll will */
        return ORDER_SKIP;
    if (e->state == CLOSED && e->closed_poll >= b->poll) /* the page may be older than the status that was set meanwhile */
        return ORDER_SKIP;
    if (e->state == CLOSED || e->withdrawn) {
        offer->cause = ORDER_RETRY;
        return loop_guard_allows(b->guard, e->order_id, seen->revision, seen->steady_ms) ? ORDER_PUBLISH : ORDER_HELD;
    }
    offer->cause = ORDER_EDIT;
    offer->schema_id = e->schema_id;
    enum order_book_action action = same_content(b, e, seen);
    if (action == ORDER_SKIP && now_ms - e->at > b->reoffer_after_ms) {
        offer->cause = ORDER_REOFFER;
        return ORDER_PUBLISH;
    }
    if (action == ORDER_PUBLISH && seen->rejected && !order_table_nowhere(e)) {
        offer->cause = ORDER_WITHDRAWAL;
        return ORDER_WITHDRAW;
    }
    return action;
}

static void fill_offer(const struct order_book *b, const struct entry *e, const struct order_book_seen *seen, struct order_book_offer *offer)
{
    offer->publication = offer->round = b->offering;
    offer->warehouses.n = 0;
    if (e != NULL) {
        offer->round = e->state == OPEN ? e->round : e->publication + 1;
        order_table_places(e, &offer->warehouses);
    }
    if (!seen->rejected)
        (void)warehouse_set_join(&offer->warehouses, seen->warehouses); /* full: 64 edits to other warehouses; the oldest stay */
}

enum order_book_action order_book_see(struct order_book *b, const struct order_book_seen *seen, int64_t now_ms, struct order_book_offer *offer)
{
    struct entry *e = find_known(b, seen->order_id);
    offer->cause = ORDER_NEW;
    if (e != NULL && e->seen_poll == b->poll)
        return ORDER_REPEATED;
    enum order_book_action action = e == NULL ? see_unknown(b, seen) : see_known(b, e, seen, now_ms, offer);
    if (action == ORDER_PUBLISH || action == ORDER_WITHDRAW)
        fill_offer(b, e, seen, offer);
    if (e != NULL && (action == ORDER_SKIP || action == ORDER_HELD)) {
        e->seen_poll = b->poll;
        e->look_due = 0;
        e->doubted = false;
    }
    if (action == ORDER_HELD)
        b->held++;
    return action;
}

static void publish(struct order_book *b, struct entry *e, const struct order_book_offer *offer, int64_t now_ms)
{
    e->publication = offer->publication;
    e->round = offer->round;
    e->at = now_ms;
    e->state = OPEN;
    e->withdrawn = offer->cause == ORDER_WITHDRAWAL;
    e->complete = false;
    e->adopted = false;
    e->busy = true;
    e->seen_poll = b->poll;
    e->look_due = 0;
    e->doubted = false;
    hear(b, offer->publication);
}

enum rc order_book_offered(struct order_book *b, const struct order_book_seen *seen, const struct order_book_offer *offer, int64_t now_ms)
{
    struct entry *e = order_table_entry(&b->t, seen->order_id);
    if (e == NULL || !order_table_set_places(&b->t, e, &offer->warehouses))
        return RC_FATAL;
    if (offer->cause == ORDER_RETRY)
        loop_guard_note(b->guard, seen->order_id, seen->revision, seen->steady_ms);
    else if (offer->cause == ORDER_NEW)
        loop_guard_first(b->guard, seen->order_id, seen->revision, seen->steady_ms);
    e->revision = seen->revision;
    e->schema_id = seen->schema_id;
    publish(b, e, offer, now_ms);
    return RC_OK;
}

void order_book_published(struct order_book *b, int64_t order_id)
{
    struct entry *e = order_table_find(&b->t, order_id);
    if (e == NULL || !e->busy)
        return;
    e->busy = false;
    e->note_due = false; /* a note queued before it was published is stale */
    (void)order_table_queue(&b->t, e);
}

/* ---- what a complete poll did not show */

static bool may_be_looked_at(const struct order_book *b, const struct entry *e)
{
    if (e->seen_poll == b->poll || e->busy || e->withdrawn || e->publication >= b->publication || order_table_nowhere(e))
        return false;
    return e->state == OPEN || (e->state == CLOSED && !e->complete && e->closed_poll < b->poll);
}

bool order_book_poll_complete(struct order_book *b)
{
    bool absent = false;
    for (size_t i = b->t.n; i-- > 0;) {
        struct entry *e = &b->t.all[i];
        absent = absent || may_be_looked_at(b, e);
        if (e->seen_poll == b->poll || e->state != CLOSED || e->closed_poll >= b->poll || !e->complete || e->busy)
            continue;
        e->state = FORGOTTEN;
        if (order_table_queue(&b->t, e) != RC_OK)
            e->state = CLOSED; /* out of memory: the next poll's turn */
    }
    b->absent_left = b->t.n;
    return absent;
}

/* The first look at an open order is made at once. Whatever was looked at in vain, and what is closed, is looked at slowly. */
static bool look_is_due(struct entry *e, uint32_t now_s, bool *slow)
{
    *slow = e->look_due != 0 || e->state == CLOSED;
    if (e->look_due == 0 && e->state == CLOSED)
        e->look_due = now_s + SLOW_LOOK_S;
    return e->look_due <= now_s;
}

bool order_book_absent(struct order_book *b, int64_t steady_ms, bool slow_too, struct order_book_absence *out)
{
    uint32_t now_s = (uint32_t)(steady_ms / 1000) + 1; /* never 0 */
    while (b->absent_left > 0) {
        b->absent_left--;
        if (b->absent_at == 0 || b->absent_at > b->t.n)
            b->absent_at = b->t.n;
        if (b->absent_at == 0)
            break;
        struct entry *e = &b->t.all[--b->absent_at];
        if (!may_be_looked_at(b, e) || !look_is_due(e, now_s, &out->slow) || (out->slow && !slow_too))
            continue;
        e->look_due = now_s + SLOW_LOOK_S;
        out->order_id = e->order_id;
        out->closed = e->state == CLOSED;
        out->doubted = e->doubted;
        e->doubted = false;
        return true;
    }
    return false;
}

void order_book_doubt(struct order_book *b, int64_t order_id)
{
    struct entry *e = find_known(b, order_id);
    if (e != NULL)
        e->doubted = true;
}

/* The status that our updater wants or has set in the order's present round. */
static bool is_ours(const struct entry *e, enum order_book_found found)
{
    enum ledger_wanted status = found == ORDER_FOUND_IMPORTED ? LEDGER_IMPORTED : found == ORDER_FOUND_MANUAL ? LEDGER_MANUAL : LEDGER_NONE;
    return status != LEDGER_NONE && e->row_offset >= 0 && e->row_round >= e->round && (e->row_wanted == status || e->row_set == status);
}

bool order_book_looked(struct order_book *b, const struct order_book_absence *a, enum order_book_found found, struct order_book_offer *offer)
{
    const struct entry *e = find_known(b, a->order_id);
    if (e == NULL || found == ORDER_FOUND_NEW || !may_be_looked_at(b, e))
        return false;
    if ((e->state == CLOSED && !a->closed) || is_ours(e, found)) /* our updater was faster */
        return false;
    *offer = (struct order_book_offer){.cause = ORDER_WITHDRAWAL, .publication = b->offering, .round = e->round};
    order_table_places(e, &offer->warehouses);
    return true;
}

void order_book_withdrawn(struct order_book *b, int64_t order_id, const struct order_book_offer *offer, int64_t now_ms)
{
    struct entry *e = find_known(b, order_id);
    if (e != NULL)
        publish(b, e, offer, now_ms);
}

/* ---- numbers */

void order_book_count(const struct order_book *b, struct order_book_counts *out)
{
    *out = (struct order_book_counts){.held = b->held};
    for (size_t i = 0; i < b->t.n; i++) {
        out->open += b->t.all[i].state == OPEN;
        out->closed += b->t.all[i].state == CLOSED;
    }
    out->bytes = order_table_bytes(&b->t);
}

int64_t order_book_held_for(const struct order_book *b, int64_t order_id, int64_t steady_ms)
{
    return loop_guard_wait(b->guard, order_id, steady_ms);
}
