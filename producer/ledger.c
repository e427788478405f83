#include "producer/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "producer/ledger_digest.h"

/* Flags of a finished order in the digest. */
enum { SET_MASK = 3, ALL_IMPORTED = 4 };
enum { RESULTS_MAX = ORDER_WAREHOUSES + 1 }; /* and the producer's */

struct entry {
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) link; /* in ready or delayed, when listed */
    enum { UNLISTED, READY, DELAYED } listed;
    struct ledger_row row;         /* its texts and results are ours */
    struct ledger_result *results; /* RESULTS_MAX */
    int64_t id;                    /* the hash's key; row.order_id may not be used before the row is filled */
    int64_t next_at;
    uint64_t version, written;
    int64_t offset; /* of the row of version `written` in the topic; -1: not known */
    int32_t partition;
    bool busy, lost;
};
TAILQ_HEAD(entry_list, entry);

struct ledger {
    struct entry *rows;
    struct entry_list ready, delayed;
    int64_t delayed_first; /* earliest next_at among the delayed */
    size_t waiting;
    struct ledger_digest digest;
};

static char *copy_text(const char *text, bool *lost)
{
    if (text == NULL)
        return NULL;
    char *c = strdup(text);
    *lost |= c == NULL;
    return c;
}

static void row_clear(struct entry *e)
{
    for (size_t i = 0; i < e->row.results_n; i++) {
        free((char *)e->results[i].document_id);
        free((char *)e->results[i].reason);
    }
    free((char *)e->row.organization);
    free((char *)e->row.status_found);
    free((char *)e->row.note);
    e->row = (struct ledger_row){.results = e->results};
}

static void entry_unlist(struct ledger *l, struct entry *e)
{
    if (e->listed == READY)
        TAILQ_REMOVE(&l->ready, e, link);
    else if (e->listed == DELAYED)
        TAILQ_REMOVE(&l->delayed, e, link);
    else
        return;
    e->listed = UNLISTED;
    l->waiting--;
}

/* Puts the entry where it belongs after any change. */
static void entry_list(struct ledger *l, struct entry *e)
{
    bool due = e->row.wanted != LEDGER_NONE && e->row.settled_at == 0 && !e->busy;
    if (!due) {
        entry_unlist(l, e);
        return;
    }
    if (e->listed != UNLISTED)
        return;
    l->waiting++;
    if (e->next_at == 0) {
        TAILQ_INSERT_TAIL(&l->ready, e, link);
        e->listed = READY;
        return;
    }
    if (TAILQ_EMPTY(&l->delayed) || e->next_at < l->delayed_first)
        l->delayed_first = e->next_at;
    TAILQ_INSERT_TAIL(&l->delayed, e, link);
    e->listed = DELAYED;
}

static void entry_remove(struct ledger *l, struct entry *e)
{
    entry_unlist(l, e);
    HASH_DEL(l->rows, e);
    row_clear(e);
    free(e->results);
    free(e);
}

static struct entry *entry_find(struct ledger *l, int64_t order_id)
{
    struct entry *e = NULL;
    HASH_FIND(hh, l->rows, &order_id, sizeof order_id, e);
    return e;
}

static struct entry *entry_add(struct ledger *l, int64_t order_id, int32_t partition)
{
    struct entry *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->results = calloc(RESULTS_MAX, sizeof *e->results);
    if (e->results == NULL) {
        free(e);
        return NULL;
    }
    e->row.results = e->results;
    e->id = order_id;
    e->offset = -1;
    e->partition = partition;
    HASH_ADD(hh, l->rows, id, sizeof e->id, e);
    if (e->lost) {
        free(e->results);
        free(e);
        return NULL;
    }
    return e;
}

struct ledger *ledger_create(int64_t remember_ms)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    TAILQ_INIT(&l->ready);
    TAILQ_INIT(&l->delayed);
    ledger_digest_init(&l->digest, remember_ms);
    return l;
}

void ledger_destroy(struct ledger *l)
{
    if (l == NULL)
        return;
    struct entry *e = NULL, *next = NULL;
    HASH_ITER(hh, l->rows, e, next)
        entry_remove(l, e);
    ledger_digest_release(&l->digest);
    free(l);
}

static bool row_finished(const struct ledger_row *r)
{
    return r->closed && r->complete;
}

static bool digest_row(struct ledger *l, const struct ledger_row *r, int32_t partition, int64_t offset, int64_t now_ms)
{
    bool all = r->results_n > 0;
    for (size_t i = 0; i < r->results_n; i++)
        all = all && r->results[i].result == OUTCOME_IMPORTED;
    struct ledger_digest_entry d = {r->publication, (uint8_t)(r->status_set | (all ? ALL_IMPORTED : 0)), offset, (uint16_t)partition};
    return ledger_digest_put(&l->digest, r->order_id, &d, now_ms);
}

/* Makes the entry's row a copy of row. */
static enum rc entry_fill(struct entry *e, const struct ledger_row *row)
{
    bool lost = false;
    row_clear(e);
    e->row = *row;
    e->row.results = e->results;
    e->row.results_n = 0;
    e->row.organization = copy_text(row->organization, &lost);
    e->row.status_found = copy_text(row->status_found, &lost);
    e->row.note = copy_text(row->note, &lost);
    for (size_t i = 0; i < row->results_n && i < RESULTS_MAX; i++) {
        struct ledger_result *r = &e->results[e->row.results_n++];
        *r = row->results[i];
        r->document_id = copy_text(row->results[i].document_id, &lost);
        r->reason = copy_text(row->results[i].reason, &lost);
    }
    return lost ? RC_FATAL : RC_OK;
}

static enum rc keep_whole(struct ledger *l, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct entry *e = entry_find(l, row->order_id);
    if (e == NULL)
        e = entry_add(l, row->order_id, partition);
    if (e == NULL)
        return RC_FATAL;
    e->partition = partition;
    enum rc rc = entry_fill(e, row);
    e->written = e->version;
    e->offset = offset;
    entry_list(l, e);
    return rc;
}

enum rc ledger_restore(struct ledger *l, const struct ledger_row *row, int32_t partition, int64_t offset, int64_t now_ms)
{
    struct entry *e = entry_find(l, row->order_id);
    if (!row_finished(row)) {
        ledger_digest_remove(&l->digest, row->order_id);
        return keep_whole(l, row, partition, offset);
    }
    if (e != NULL)
        entry_remove(l, e);
    if (row->publication < now_ms - l->digest.remember_ms) {
        ledger_digest_remove(&l->digest, row->order_id);
        return RC_OK;
    }
    return digest_row(l, row, partition, offset, now_ms) ? RC_OK : RC_FATAL;
}

enum rc ledger_restore_whole(struct ledger *l, int64_t order_id, const struct ledger_row *row, int32_t partition, int64_t now_ms)
{
    struct ledger_digest_entry d = {.offset = -1};
    (void)now_ms;
    (void)ledger_digest_get(&l->digest, order_id, &d); /* forgotten meanwhile: the offset is not known */
    if (row != NULL) {
        enum rc rc = keep_whole(l, row, partition, d.offset);
        if (rc != RC_OK)
            return rc;
    }
    ledger_digest_remove(&l->digest, order_id);
    return RC_OK;
}

void ledger_drop_partition(struct ledger *l, int32_t partition)
{
    struct entry *e = NULL, *next = NULL;
    HASH_ITER(hh, l->rows, e, next)
        if (e->partition == partition)
            entry_remove(l, e);
    ledger_digest_drop(&l->digest, partition);
}

/* What the bridge set, or may have set, in this round, as a newer publication takes it over (a publication of an earlier round passes on nothing). */
static enum ledger_wanted inherited(const struct entry *e, bool in_digest, const struct ledger_digest_entry *d, int64_t round)
{
    if (e != NULL) {
        if (e->row.publication < round)
            return LEDGER_NONE;
        if (e->row.status_set != LEDGER_NONE || e->row.settled_at != 0)
            return e->row.status_set;
        return e->row.wanted;
    }
    if (in_digest && d->publication >= round)
        return (enum ledger_wanted)(d->flags & SET_MASK);
    return LEDGER_NONE;
}

/* Begins the row of a newer publication. */
static enum rc begin_row(struct entry *e, const struct outcome *o, enum ledger_wanted set)
{
    bool lost = false;
    row_clear(e);
    e->row.organization = copy_text(o->organization, &lost);
    e->row.order_id = o->order_id;
    memcpy(e->row.revision, o->revision, sizeof e->row.revision);
    e->row.publication = o->publication;
    e->row.round = o->round != 0 ? o->round : o->publication;
    e->row.status_set = set;
    e->next_at = 0;
    return lost ? RC_FATAL : RC_OK;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Takes the verdict into the row: 1 changed, 0 nothing new, -1 no memory. */
static int take_result(struct entry *e, const struct outcome *o, const char *reason)
{
    struct ledger_result *r = NULL;
    for (size_t i = 0; i < e->row.results_n && r == NULL; i++)
        if (strcmp(e->results[i].warehouse, o->warehouse) == 0)
            r = &e->results[i];
    if (r != NULL && (o->result == OUTCOME_SUPERSEDED ||
                      (r->result == o->result && same_text(r->document_id, o->document_id) && same_text(r->reason, reason))))
        return 0; /* SUPERSEDED never replaces a verdict; the same verdict again says nothing */
    if (r == NULL) {
        if (e->row.results_n == RESULTS_MAX || strlen(o->warehouse) >= sizeof r->warehouse)
            return 0;
        r = &e->results[e->row.results_n++];
        *r = (struct ledger_result){0};
        memcpy(r->warehouse, o->warehouse, strlen(o->warehouse) + 1);
    }
    bool lost = false;
    free((char *)r->document_id);
    free((char *)r->reason);
    r->document_id = copy_text(o->document_id, &lost);
    r->reason = copy_text(reason, &lost);
    r->result = o->result;
    r->attempts = o->attempts;
    r->at = o->at;
    return lost ? -1 : 1;
}

static bool row_complete(const struct ledger_row *r)
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

/* The join: which status the verdicts ask for. */
static void join(struct ledger_row *r, int64_t now_ms)
{
    bool got[OUTCOME_RESULTS] = {false};
    for (size_t i = 0; i < r->results_n; i++)
        got[r->results[i].result] = true;
    r->complete = row_complete(r);
    enum ledger_wanted want = got[OUTCOME_REJECTED] ? LEDGER_MANUAL : LEDGER_NONE;
    if (r->complete && want == LEDGER_NONE && !got[OUTCOME_SUPERSEDED]) {
        if (got[OUTCOME_IMPORTED])
            want = LEDGER_IMPORTED;
    }
    if (r->complete && want == LEDGER_NONE && r->withdrawn && r->status_set == LEDGER_IMPORTED)
        want = LEDGER_MANUAL; /* withdrawn from under the status that we set */
    if (r->complete && want == LEDGER_NONE && r->wanted == LEDGER_NONE && !got[OUTCOME_SUPERSEDED] && r->settled_at == 0) {
        r->settled_at = now_ms;
        r->closed = true;
    }
    if (want != LEDGER_NONE && want != r->wanted) {
        r->wanted = want;
        r->settled_at = 0;
        r->closed = false;
    }
}

/* Back to 24 bytes when the topic has the whole row and nothing is left to do. No memory for the digest: the row stays whole, which is right too. */
static void shrink(struct ledger *l, struct entry *e)
{
    if (row_finished(&e->row) && !e->busy && e->written == e->version && e->offset >= 0 &&
        digest_row(l, &e->row, e->partition, e->offset, e->row.publication))
        entry_remove(l, e);
}

enum ledger_noted ledger_note(struct ledger *l, const struct outcome *o, int32_t partition, bool keep_reason, int64_t now_ms,
                              int64_t *offset)
{
    struct entry *e = entry_find(l, o->order_id);
    struct ledger_digest_entry d = {0};
    bool known = e == NULL && ledger_digest_get(&l->digest, o->order_id, &d);
    int64_t newest = e != NULL ? e->row.publication : known ? d.publication : 0;
    if (newest > o->publication)
        return LEDGER_SAME; /* an older publication never touches the status again */
    if (known && newest == o->publication) {
        if (o->result == OUTCOME_SUPERSEDED || (o->result == OUTCOME_IMPORTED && (d.flags & ALL_IMPORTED) != 0))
            return LEDGER_SAME;
        *offset = d.offset;
        return LEDGER_READ_ROW;
    }
    bool fresh = e == NULL || o->publication > newest, changed = fresh;
    if (fresh) {
        enum ledger_wanted set = inherited(e, known, &d, o->round != 0 ? o->round : o->publication);
        if (e == NULL && (e = entry_add(l, o->order_id, partition)) == NULL)
            return LEDGER_NO_MEMORY;
        entry_unlist(l, e);
        ledger_digest_remove(&l->digest, o->order_id);
        if (begin_row(e, o, set) != RC_OK)
            return LEDGER_NO_MEMORY;
    }
    e->partition = partition;
    size_t named = e->row.warehouses.n;
    (void)warehouse_set_join(&e->row.warehouses, &o->warehouses); /* full: an outcome cannot name more than the set holds */
    if (o->warehouse[0] != '\0')
        (void)warehouse_set_add(&e->row.warehouses, o->warehouse, strlen(o->warehouse)); /* the decoder let only good names in */
    changed = changed || e->row.warehouses.n != named || (o->withdrawn && !e->row.withdrawn);
    e->row.withdrawn = e->row.withdrawn || o->withdrawn;
    int took = take_result(e, o, keep_reason ? o->reason : NULL);
    if (took < 0)
        return LEDGER_NO_MEMORY;
    if (!changed && took == 0) {
        shrink(l, e);
        return LEDGER_SAME;
    }
    join(&e->row, now_ms);
    e->version++;
    entry_list(l, e);
    return LEDGER_CHANGED;
}

const struct ledger_row *ledger_row_of(struct ledger *l, int64_t order_id, uint64_t *version)
{
    struct entry *e = entry_find(l, order_id);
    if (e == NULL)
        return NULL;
    *version = e->version;
    return &e->row;
}

void ledger_written(struct ledger *l, int64_t order_id, uint64_t version, int64_t offset)
{
    struct entry *e = entry_find(l, order_id);
    if (e == NULL || e->version != version)
        return;
    e->written = version;
    e->offset = offset;
    shrink(l, e);
}

static void wake_delayed(struct ledger *l, int64_t now_ms)
{
    if (TAILQ_EMPTY(&l->delayed) || l->delayed_first > now_ms)
        return;
    int64_t first = INT64_MAX;
    for (struct entry *e = TAILQ_FIRST(&l->delayed), *next = NULL; e != NULL; e = next) {
        next = TAILQ_NEXT(e, link);
        if (e->next_at > now_ms) {
            first = e->next_at < first ? e->next_at : first;
            continue;
        }
        TAILQ_REMOVE(&l->delayed, e, link);
        TAILQ_INSERT_TAIL(&l->ready, e, link);
        e->listed = READY;
    }
    l->delayed_first = first;
}

int64_t ledger_take(struct ledger *l, int64_t now_ms)
{
    wake_delayed(l, now_ms);
    struct entry *e = TAILQ_FIRST(&l->ready);
    if (e == NULL)
        return 0;
    entry_unlist(l, e);
    e->busy = true;
    return e->id;
}

void ledger_give_back(struct ledger *l, int64_t order_id, int64_t now_ms, int64_t delay_ms)
{
    struct entry *e = entry_find(l, order_id);
    if (e == NULL)
        return;
    e->busy = false;
    e->next_at = delay_ms > 0 ? now_ms + delay_ms : 0;
    entry_list(l, e);
}

int64_t ledger_due_in(const struct ledger *l, int64_t now_ms)
{
    if (!TAILQ_EMPTY(&l->ready))
        return 0;
    if (TAILQ_EMPTY(&l->delayed))
        return -1;
    return l->delayed_first > now_ms ? l->delayed_first - now_ms : 0;
}

enum ledger_action ledger_decide(const struct ledger_row *row, enum ledger_seen seen)
{
    switch (seen) {
    case LEDGER_SEEN_GONE:
        return LEDGER_GONE;
    case LEDGER_SEEN_NEW:
        return row->withdrawn ? LEDGER_LEAVE_ALONE : LEDGER_PUT;
    case LEDGER_SEEN_IMPORTED:
        return row->wanted == LEDGER_IMPORTED ? LEDGER_SETTLED_ALREADY : LEDGER_PUT;
    case LEDGER_SEEN_MANUAL:
        if (row->wanted == LEDGER_MANUAL)
            return LEDGER_SETTLED_ALREADY;
        return row->status_set == LEDGER_MANUAL ? LEDGER_PUT : LEDGER_LEAVE_ALONE;
    case LEDGER_SEEN_OVERWRITABLE:
        return LEDGER_PUT;
    case LEDGER_SEEN_OTHER:
        break;
    }
    return LEDGER_LEAVE_ALONE;
}

void ledger_note_set(struct ledger *l, int64_t order_id, int64_t round, enum ledger_wanted set)
{
    struct entry *e = entry_find(l, order_id);
    if (e != NULL && e->row.round == round && e->row.status_set != set) {
        e->row.status_set = set;
        e->version++;
    }
}

bool ledger_settle(struct ledger *l, int64_t order_id, int64_t publication, enum ledger_wanted wanted, const char *found, const char *note,
                   int64_t now_ms)
{
    struct entry *e = entry_find(l, order_id);
    if (e == NULL || e->row.publication != publication || e->row.wanted != wanted || e->row.settled_at != 0)
        return false;
    bool lost = false; /* a note that finds no memory is left out: the settlement counts */
    if (found != NULL) {
        free((char *)e->row.status_found);
        e->row.status_found = copy_text(found, &lost);
    }
    free((char *)e->row.note);
    e->row.note = copy_text(note, &lost);
    e->row.settled_at = now_ms;
    e->row.closed = true;
    e->version++;
    entry_list(l, e);
    return true;
}

void ledger_count(const struct ledger *l, struct ledger_counts *out)
{
    *out = (struct ledger_counts){HASH_COUNT(l->rows), l->waiting, l->digest.n};
}
