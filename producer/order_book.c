#include "producer/order_book.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "producer/loop_guard.h"

enum { PUBLICATION_MARGIN_MS = 1000, FIRST_ENTRIES = 64 };

/* A list of warehouses, shared by every order that has the same. */
struct places {
    uint64_t users;
    UT_hash_handle hh;
    char list[]; /* "MAG-1,MAG-2": the key */
};

enum entry_state { OPEN, CLOSED, FORGOTTEN };

struct entry {
    int64_t order_id;
    int64_t publication, round, at; /* ms */
    int64_t row_round, row_offset;  /* of the last ledger row; row_offset -1: none */
    uint64_t revision;
    struct places *places; /* one of its users */
    int32_t schema_id;
    int32_t row_partition;
    uint32_t seen_poll;   /* the last poll that showed it; 0: none */
    uint32_t closed_poll; /* polls begun when its closing row was read */
    uint8_t state;
    uint8_t row_wanted, row_set; /* enum ledger_wanted of the last row: what a look may find without being a person's doing */
    bool withdrawn : 1;
    bool complete : 1; /* every warehouse has answered */
    bool busy : 1;     /* its publication is not acknowledged yet: nothing is noted meanwhile */
    bool note_due : 1; /* stands in the queue of notes */
};

struct order_book {
    struct entry *all; /* n of cap, dense, in no order */
    size_t n, cap;
    uint32_t *slots; /* index into all + 1; 0: free. Open addressing, slots_n is a power of two */
    size_t slots_n;
    struct places *places;
    struct loop_guard *guard;
    int64_t reoffer_after_ms;
    int64_t highest;     /* publication known */
    int64_t publication; /* of the present poll */
    uint32_t poll;       /* polls begun */
    size_t held;
    int64_t *notes; /* ring of order ids: notes_n from notes_at, notes_cap a power of two */
    size_t notes_at, notes_n, notes_cap;
};

/* ---- lists of warehouses */

static struct places *places_take(struct order_book *b, const struct warehouse_set *set)
{
    struct places *p = NULL;
    struct buf list;
    buf_init(&list, sizeof set->names + ORDER_WAREHOUSES);
    warehouse_set_print(set, &list);
    const char *text = buf_text(&list);
    if (text == NULL)
        goto out;
    HASH_FIND(hh, b->places, text, list.n, p);
    if (p == NULL && (p = calloc(1, sizeof *p + list.n + 1)) != NULL) {
        memcpy(p->list, text, list.n + 1);
        HASH_ADD(hh, b->places, list[0], list.n, p);
    }
    if (p != NULL)
        p->users++;
out:
    buf_release(&list);
    return p;
}

static void places_give(struct order_book *b, struct places *p)
{
    if (p == NULL || --p->users > 0)
        return;
    HASH_DEL(b->places, p);
    free(p);
}

static void places_read(const struct places *p, struct warehouse_set *out)
{
    out->n = 0;
    if (p->list[0] != '\0')
        (void)warehouse_set_parse(out, p->list, strlen(p->list), NULL); /* printed by us */
}

/* false: out of memory, nothing changed. */
static bool set_places(struct order_book *b, struct entry *e, const struct warehouse_set *set)
{
    struct places *p = places_take(b, set);
    if (p == NULL)
        return false;
    places_give(b, e->places);
    e->places = p;
    return true;
}

/* ---- entries */

static size_t slot_of(const struct order_book *b, int64_t order_id)
{
    uint64_t h = (uint64_t)order_id; /* splitmix64 */
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9U;
    h = (h ^ h >> 27) * 0x94d049bb133111ebU;
    return (size_t)(h ^ h >> 31) & (b->slots_n - 1);
}

/* The slot that holds the order, or the free one where it belongs. Needs a free slot somewhere. */
static size_t probe(const struct order_book *b, int64_t order_id)
{
    size_t s = slot_of(b, order_id);
    while (b->slots[s] != 0 && b->all[b->slots[s] - 1].order_id != order_id)
        s = (s + 1) & (b->slots_n - 1);
    return s;
}

static struct entry *find(const struct order_book *b, int64_t order_id)
{
    if (b->slots_n == 0)
        return NULL;
    uint32_t i = b->slots[probe(b, order_id)];
    return i == 0 ? NULL : &b->all[i - 1];
}

/* As find, but what is forgotten does not count. */
static struct entry *find_known(const struct order_book *b, int64_t order_id)
{
    struct entry *e = find(b, order_id);
    return e != NULL && e->state != FORGOTTEN ? e : NULL;
}

static bool grow(struct order_book *b)
{
    if (b->n == ORDER_BOOK_MAX)
        return false;
    if (b->n == b->cap) {
        size_t cap = b->cap == 0 ? FIRST_ENTRIES : b->cap + b->cap / 2;
        struct entry *all = realloc(b->all, cap * sizeof *all);
        if (all == NULL)
            return false;
        b->all = all;
        b->cap = cap;
    }
    if ((b->n + 1) * 4 <= b->slots_n * 3)
        return true;
    size_t slots_n = b->slots_n == 0 ? (size_t)FIRST_ENTRIES * 2 : b->slots_n * 2;
    uint32_t *slots = calloc(slots_n, sizeof *slots);
    if (slots == NULL)
        return false;
    free(b->slots);
    b->slots = slots;
    b->slots_n = slots_n;
    for (size_t i = 0; i < b->n; i++)
        b->slots[probe(b, b->all[i].order_id)] = (uint32_t)i + 1;
    return true;
}

/* The order's entry, made when it has none. NULL: out of memory. */
static struct entry *entry_of(struct order_book *b, int64_t order_id)
{
    struct entry *e = find(b, order_id);
    if (e != NULL)
        return e;
    struct warehouse_set nowhere = {.n = 0};
    if (!grow(b))
        return NULL;
    e = &b->all[b->n];
    *e = (struct entry){.order_id = order_id, .row_offset = -1, .state = FORGOTTEN};
    if (!set_places(b, e, &nowhere))
        return NULL;
    b->slots[probe(b, order_id)] = (uint32_t)++b->n;
    return e;
}

/* Closes the gap in the chain behind a freed slot. */
static void free_slot(struct order_book *b, size_t hole)
{
    size_t mask = b->slots_n - 1;
    b->slots[hole] = 0;
    for (size_t s = (hole + 1) & mask; b->slots[s] != 0; s = (s + 1) & mask) {
        size_t home = slot_of(b, b->all[b->slots[s] - 1].order_id);
        if (((s - home) & mask) < ((s - hole) & mask))
            continue;
        b->slots[hole] = b->slots[s];
        b->slots[s] = 0;
        hole = s;
    }
}

static void remove_entry(struct order_book *b, struct entry *e)
{
    size_t i = (size_t)(e - b->all);
    free_slot(b, probe(b, e->order_id));
    places_give(b, e->places);
    if (i != --b->n) {
        size_t moved = probe(b, b->all[b->n].order_id);
        b->all[i] = b->all[b->n];
        b->slots[moved] = (uint32_t)i + 1;
    }
}

/* ---- notes */

static enum rc queue_note(struct order_book *b, struct entry *e)
{
    if (e->note_due || e->busy)
        return RC_OK;
    if (b->notes_n == b->notes_cap) {
        size_t cap = b->notes_cap == 0 ? FIRST_ENTRIES : b->notes_cap * 2;
        int64_t *notes = malloc(cap * sizeof *notes);
        if (notes == NULL)
            return RC_FATAL;
        for (size_t i = 0; i < b->notes_n; i++)
            notes[i] = b->notes[(b->notes_at + i) & (b->notes_cap - 1)];
        free(b->notes);
        b->notes = notes;
        b->notes_at = 0;
        b->notes_cap = cap;
    }
    b->notes[(b->notes_at + b->notes_n++) & (b->notes_cap - 1)] = e->order_id;
    e->note_due = true;
    return RC_OK;
}

static struct entry *first_note(struct order_book *b)
{
    while (b->notes_n > 0) {
        struct entry *e = find(b, b->notes[b->notes_at]);
        if (e != NULL && e->note_due && !e->busy)
            return e;
        if (e != NULL)
            e->note_due = false; /* published again meanwhile: noted with that */
        b->notes_at = (b->notes_at + 1) & (b->notes_cap - 1);
        b->notes_n--;
    }
    return NULL;
}

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
    places_read(e->places, &state->warehouses);
    state->closed = e->state == CLOSED;
    state->at = e->at;
}

bool order_book_note(struct order_book *b, struct order_state *state, bool *forgotten)
{
    const struct entry *e = first_note(b);
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
    struct entry *e = first_note(b);
    if (e == NULL)
        return;
    e->note_due = false;
    if (e->state == FORGOTTEN)
        remove_entry(b, e);
    b->notes_at = (b->notes_at + 1) & (b->notes_cap - 1);
    b->notes_n--;
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
    while (b->places != NULL) {
        struct places *p = b->places;
        HASH_DEL(b->places, p);
        free(p);
    }
    loop_guard_destroy(b->guard);
    free(b->notes);
    free(b->slots);
    free(b->all);
    free(b);
}

static void hear(struct order_book *b, int64_t publication)
{
    if (publication > b->highest)
        b->highest = publication;
}

/* ---- start */

static enum rc take_state(struct order_book *b, const struct order_state *state)
{
    struct entry *e = entry_of(b, state->order_id);
    if (e == NULL || !set_places(b, e, &state->warehouses))
        return RC_FATAL;
    e->revision = parse_revision(state->revision);
    e->publication = state->publication;
    e->round = state->round;
    e->at = state->at;
    e->withdrawn = state->withdrawn;
    e->schema_id = state->schema_id;
    e->state = state->closed ? CLOSED : OPEN;
    e->complete = false; /* the ledger is read again from the last row of every known order: it will tell */
    e->closed_poll = b->poll;
    return RC_OK;
}

/* Publications rise and each goes one way, open, closed, forgotten: whatever says less came late. */
static bool is_stale(const struct order_book *b, int64_t order_id, int64_t publication, enum entry_state state)
{
    const struct entry *e = find(b, order_id);
    return e != NULL && (publication < e->publication || (publication == e->publication && state < e->state));
}

enum rc order_book_restore(struct order_book *b, int64_t order_id, const struct order_state *state, int64_t publication)
{
    hear(b, state != NULL ? state->publication : publication);
    if (state != NULL)
        return is_stale(b, order_id, state->publication, state->closed ? CLOSED : OPEN) ? RC_OK : take_state(b, state);
    if (publication > 0 && is_stale(b, order_id, publication, FORGOTTEN))
        return RC_OK;
    struct entry *e = entry_of(b, order_id);
    if (e == NULL)
        return RC_FATAL;
    e->state = FORGOTTEN;
    if (publication > e->publication)
        e->publication = publication;
    return RC_OK;
}

bool order_book_is_news(struct order_book *b, int64_t order_id, int64_t publication, bool replayed)
{
    const struct entry *e = find(b, order_id);
    hear(b, publication);
    return !replayed && (e == NULL || publication > e->publication);
}

enum rc order_book_adopt(struct order_book *b, const struct order_state *record)
{
    struct order_state open = *record;
    open.closed = false;
    enum rc rc = take_state(b, &open);
    return rc == RC_OK ? queue_note(b, find(b, record->order_id)) : rc;
}

void order_book_restored(struct order_book *b)
{
    for (size_t i = b->n; i-- > 0;)
        if (b->all[i].state == FORGOTTEN && !b->all[i].note_due)
            remove_entry(b, &b->all[i]);
}

/* ---- the ledger */

/* A newer publication than ours: put back by hand. It keeps the order's round. */
static enum rc take_over(struct order_book *b, struct entry *e, const struct ledger_row *row)
{
    struct warehouse_set both;
    places_read(e->places, &both);
    (void)warehouse_set_join(&both, &row->warehouses); /* full: 64 of them; ours stay */
    if (!set_places(b, e, &both))
        return RC_FATAL;
    e->publication = row->publication;
    e->revision = parse_revision(row->revision);
    e->withdrawn = row->withdrawn;
    e->state = OPEN;
    return queue_note(b, e);
}

enum rc order_book_ledger(struct order_book *b, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct entry *e = find_known(b, row->order_id);
    hear(b, row->publication);
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
    return queue_note(b, e);
}

void order_book_ledger_positions(const struct order_book *b, int64_t *positions, size_t partitions_n)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct entry *e = &b->all[i];
        if (e->row_offset >= 0 && (size_t)e->row_partition < partitions_n && e->row_offset < positions[e->row_partition])
            positions[e->row_partition] = e->row_offset;
    }
}

/* ---- a poll */

int64_t order_book_poll(struct order_book *b, int64_t now_ms)
{
    b->poll++;
    b->held = 0;
    b->publication = b->highest + PUBLICATION_MARGIN_MS > now_ms ? b->highest + PUBLICATION_MARGIN_MS : now_ms;
    return b->publication;
}

const char *order_book_cause_name(enum order_book_cause cause)
{
    static const char *const names[ORDER_CAUSES] = {"new", "edit", "retry", "reoffer"};
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
    if (e->revision != seen->old_revision)
        return ORDER_PUBLISH;
    e->revision = seen->revision; /* the same content under the new schema's revision */
    e->schema_id = seen->schema_id;
    (void)queue_note(b, e); /* out of memory: compared again after the next start */
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
        action = ORDER_PUBLISH;
    }
    return action;
}

static void fill_offer(const struct order_book *b, const struct entry *e, const struct order_book_seen *seen, struct order_book_offer *offer)
{
    offer->publication = offer->round = b->publication;
    offer->withdraws = false;
    offer->warehouses.n = 0;
    if (e != NULL) {
        offer->round = e->state == OPEN ? e->round : e->publication + 1;
        offer->withdraws = seen->rejected && e->state == OPEN && !e->withdrawn && e->places->list[0] != '\0';
        places_read(e->places, &offer->warehouses);
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
    if (action == ORDER_PUBLISH)
        fill_offer(b, e, seen, offer);
    if (e != NULL && (action == ORDER_SKIP || action == ORDER_HELD))
        e->seen_poll = b->poll;
    if (action == ORDER_HELD)
        b->held++;
    return action;
}

enum rc order_book_offered(struct order_book *b, const struct order_book_seen *seen, const struct order_book_offer *offer, int64_t now_ms)
{
    struct entry *e = entry_of(b, seen->order_id);
    if (e == NULL || !set_places(b, e, &offer->warehouses))
        return RC_FATAL;
    if (offer->cause == ORDER_RETRY)
        loop_guard_note(b->guard, seen->order_id, seen->revision, seen->steady_ms);
    else if (offer->cause == ORDER_NEW)
        loop_guard_first(b->guard, seen->order_id, seen->revision, seen->steady_ms);
    e->revision = seen->revision;
    e->schema_id = seen->schema_id;
    e->publication = offer->publication;
    e->round = offer->round;
    e->at = now_ms;
    e->state = OPEN;
    e->withdrawn = e->complete = false;
    e->busy = true;
    e->seen_poll = b->poll;
    hear(b, offer->publication);
    return RC_OK;
}

void order_book_published(struct order_book *b, int64_t order_id)
{
    struct entry *e = find(b, order_id);
    if (e == NULL || !e->busy)
        return;
    e->busy = false;
    e->note_due = false; /* a note queued before it was published is stale */
    (void)queue_note(b, e);
}

void order_book_poll_complete(struct order_book *b)
{
    for (size_t i = b->n; i-- > 0;) {
        struct entry *e = &b->all[i];
        if (e->seen_poll == b->poll || e->state != CLOSED || e->closed_poll >= b->poll || !e->complete || e->busy)
            continue; /* an open order that is not shown any more stays open */
        e->state = FORGOTTEN;
        if (queue_note(b, e) != RC_OK)
            e->state = CLOSED; /* out of memory: the next poll's turn */
    }
}

/* ---- numbers */

void order_book_count(const struct order_book *b, struct order_book_counts *out)
{
    *out = (struct order_book_counts){.held = b->held};
    for (size_t i = 0; i < b->n; i++) {
        out->open += b->all[i].state == OPEN;
        out->closed += b->all[i].state == CLOSED;
    }
    out->bytes = b->cap * sizeof *b->all + b->slots_n * sizeof *b->slots + b->notes_cap * sizeof *b->notes;
}
