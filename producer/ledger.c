#include "producer/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "producer/blame.h"
#include "producer/kept_row.h"
#include "producer/ledger_digest.h"
#include "producer/row_join.h"

/* Flags of a finished order in the digest. */
enum { SET_MASK = 3, ALL_IMPORTED = 4 };
struct entry {
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) link; /* in ready or delayed, when listed */
    enum { UNLISTED, READY, DELAYED } listed;
    struct kept_row *row; /* ours; NULL only inside the function that adds the entry */
    int64_t id;
    int64_t next_at;
    uint64_t version, written;
    uint64_t taken;  /* number of the take that made it busy */
    int64_t offset; /* of the row of version `written` in the topic; -1: not known */
    int32_t partition;
    int64_t doubted_at; /* monotonic */
    struct blame_row blame;
    bool busy, lost, doubted;
};
TAILQ_HEAD(entry_list, entry);

struct ledger {
    struct entry *rows;
    struct entry_list ready, delayed;
    int64_t delayed_first; /* earliest next_at among the delayed */
    size_t waiting;
    struct blame blame;
    uint64_t takes;
    struct ledger_digest digest;
    bool *open; /* open_n, by partition: read back to its end */
    size_t open_n;
    struct ledger_row view; /* of one entry at a time, with view_results */
    struct ledger_result view_results[KEPT_RESULTS_MAX];
};

/* The entry's row, to be read or changed; a change counts only after keep(). */
static struct ledger_row *open_row(struct ledger *l, const struct entry *e)
{
    kept_row_view(e->row, &l->view, l->view_results);
    return &l->view;
}

/* Makes l->view the entry's row. false: out of memory, the row stays as it was. */
static bool keep(struct ledger *l, struct entry *e)
{
    struct kept_row *k = kept_row_create(&l->view); /* before the old one goes: the view's texts may lie in it */
    if (k == NULL)
        return false;
    kept_row_destroy(e->row);
    e->row = k;
    return true;
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

static bool is_open(const struct ledger *l, int32_t partition)
{
    return partition >= 0 && (size_t)partition < l->open_n && l->open[partition];
}

/* Puts the entry where it belongs after any change. */
static void entry_list(struct ledger *l, struct entry *e)
{
    /* Only what the topic has: a successor that knows less would set an older publication's status after us. */
    bool due = kept_row_waits(e->row) && !e->busy && e->written == e->version && is_open(l, e->partition);
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
    blame_forget(&l->blame, &e->blame);
    entry_unlist(l, e);
    HASH_DEL(l->rows, e);
    kept_row_destroy(e->row);
    free(e);
}

static struct entry *entry_find(struct ledger *l, int64_t order_id)
{
    struct entry *e = NULL;
    HASH_FIND(hh, l->rows, &order_id, sizeof order_id, e);
    return e;
}

/* With l->view as its row. NULL: out of memory. */
static struct entry *entry_add(struct ledger *l, int64_t order_id, int32_t partition)
{
    struct entry *e = calloc(1, sizeof *e);
    if (e == NULL || !keep(l, e)) {
        free(e);
        return NULL;
    }
    e->id = order_id;
    e->offset = -1;
    e->partition = partition;
    HASH_ADD(hh, l->rows, id, sizeof e->id, e);
    if (e->lost) {
        kept_row_destroy(e->row);
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
    free(l->open);
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

static void view_copy(struct ledger *l, const struct ledger_row *row)
{
    l->view = *row; /* its texts are borrowed until keep() */
    l->view.results = l->view_results;
    if (l->view.results_n > KEPT_RESULTS_MAX)
        l->view.results_n = KEPT_RESULTS_MAX;
    for (size_t i = 0; i < l->view.results_n; i++)
        l->view_results[i] = row->results[i];
}

static enum rc keep_whole(struct ledger *l, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct entry *e = entry_find(l, row->order_id);
    view_copy(l, row);
    if (e != NULL ? !keep(l, e) : (e = entry_add(l, row->order_id, partition)) == NULL)
        return RC_FATAL;
    e->partition = partition;
    e->written = e->version;
    e->offset = offset;
    entry_list(l, e);
    return RC_OK;
}

enum rc ledger_restore(struct ledger *l, const struct ledger_row *row, int32_t partition, int64_t offset, int64_t now_ms)
{
    struct entry *e = entry_find(l, row->order_id);
    struct ledger_digest_entry d = {0};
    if (e != NULL ? kept_row_publication(e->row) > row->publication
                  : ledger_digest_get(&l->digest, row->order_id, &d) && d.publication > row->publication)
        return RC_OK; /* written late by a former owner of the partition: the newer publication stands */
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

enum rc ledger_restore_whole(struct ledger *l, int64_t order_id, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct ledger_digest_entry d;
    if (entry_find(l, order_id) != NULL || (ledger_digest_get(&l->digest, order_id, &d) && d.offset != offset))
        return RC_OK;
    if (row != NULL) {
        enum rc rc = keep_whole(l, row, partition, offset);
        if (rc != RC_OK)
            return rc;
    }
    ledger_digest_remove(&l->digest, order_id);
    return RC_OK;
}

enum rc ledger_open_partition(struct ledger *l, int32_t partition)
{
    struct entry *e = NULL, *next = NULL;
    if (partition < 0)
        return RC_FATAL;
    if ((size_t)partition >= l->open_n) {
        size_t n = (size_t)partition + 1;
        bool *grown = realloc(l->open, n * sizeof *grown);
        if (grown == NULL)
            return RC_FATAL;
        memset(grown + l->open_n, 0, (n - l->open_n) * sizeof *grown);
        l->open = grown;
        l->open_n = n;
    }
    l->open[partition] = true;
    HASH_ITER(hh, l->rows, e, next)
        entry_list(l, e);
    return RC_OK;
}

void ledger_drop_partition(struct ledger *l, int32_t partition)
{
    struct entry *e = NULL, *next = NULL;
    if (is_open(l, partition))
        l->open[partition] = false;
    HASH_ITER(hh, l->rows, e, next)
        if (e->partition == partition)
            entry_remove(l, e);
    ledger_digest_drop(&l->digest, partition);
}

/* before: the older row, NULL: none, or in the digest. */
static enum ledger_wanted inherited(const struct ledger_row *before, const struct ledger_digest_entry *d, const struct outcome *o)
{
    int64_t round = row_join_round(o);
    if (before != NULL)
        return row_join_inherited(before, round, o->withdrawn);
    return d->publication >= round ? (enum ledger_wanted)(d->flags & SET_MASK) : LEDGER_NONE;
}

/* Makes l->view the row of a newer publication. */
static void begin_row(struct ledger *l, const struct outcome *o, enum ledger_wanted set)
{
    l->view = (struct ledger_row){.organization = o->organization, .order_id = o->order_id, .publication = o->publication, .round = row_join_round(o),
                                  .results = l->view_results, .status_set = set};
    memcpy(l->view.revision, o->revision, sizeof l->view.revision);
}

/* Back to 24 bytes when the topic has the whole row and nothing is left to do. No memory for the digest: the row stays whole, which is right too. */
static void shrink(struct ledger *l, struct entry *e)
{
    if (e->busy || e->written != e->version || e->offset < 0)
        return;
    const struct ledger_row *row = open_row(l, e);
    if (row_finished(row) && digest_row(l, row, e->partition, e->offset, row->publication))
        entry_remove(l, e);
}

enum ledger_noted ledger_note(struct ledger *l, const struct outcome *o, int32_t partition, bool keep_reason, int64_t now_ms,
                              int64_t *offset)
{
    struct entry *e = entry_find(l, o->order_id);
    struct ledger_digest_entry d = {0};
    bool known = e == NULL && ledger_digest_get(&l->digest, o->order_id, &d);
    int64_t newest = e != NULL ? kept_row_publication(e->row) : d.publication;
    if (newest > o->publication)
        return LEDGER_SAME; /* an older publication never touches the status again */
    if (known && newest == o->publication) {
        if (o->result == OUTCOME_SUPERSEDED || (o->result == OUTCOME_IMPORTED && (d.flags & ALL_IMPORTED) != 0))
            return LEDGER_SAME;
        *offset = d.offset;
        return LEDGER_READ_ROW;
    }
    const struct ledger_row *before = e != NULL ? open_row(l, e) : NULL;
    bool fresh = e == NULL || o->publication > newest;
    if (fresh)
        begin_row(l, o, inherited(before, &d, o));
    if (!row_join_take(&l->view, l->view_results, o, keep_reason) && !fresh) {
        shrink(l, e);
        return LEDGER_SAME;
    }
    enum ledger_wanted wanted = l->view.wanted;
    row_join_decide(&l->view, now_ms);
    fresh = fresh || wanted != l->view.wanted;
    if (e != NULL ? !keep(l, e) : (e = entry_add(l, o->order_id, partition)) == NULL)
        return LEDGER_NO_MEMORY;
    ledger_digest_remove(&l->digest, o->order_id);
    if (fresh) {
        entry_unlist(l, e); /* a delay was the older publication's, or the other verdict's */
        e->next_at = 0;
        e->doubted = false;
        blame_forget(&l->blame, &e->blame);
    }
    e->partition = partition;
    e->version++;
    entry_list(l, e);
    return LEDGER_CHANGED;
}

const struct ledger_row *ledger_row_of(struct ledger *l, int64_t order_id, uint64_t *version)
{
    const struct entry *e = entry_find(l, order_id);
    if (e == NULL)
        return NULL;
    *version = e->version;
    return open_row(l, e);
}

void ledger_written(struct ledger *l, int64_t order_id, uint64_t version, int64_t offset)
{
    struct entry *e = entry_find(l, order_id);
    if (e == NULL || e->version != version)
        return;
    e->written = version;
    e->offset = offset;
    entry_list(l, e);
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

int64_t ledger_take(struct ledger *l, int64_t mono_ms, uint64_t *take)
{
    wake_delayed(l, mono_ms);
    struct entry *e = TAILQ_FIRST(&l->ready);
    if (e == NULL)
        return 0;
    entry_unlist(l, e);
    e->busy = true;
    e->taken = *take = ++l->takes;
    return e->id;
}

static struct entry *held(struct ledger *l, int64_t order_id, uint64_t take)
{
    struct entry *e = entry_find(l, order_id);
    return e != NULL && e->busy && e->taken == take ? e : NULL;
}

bool ledger_holds(struct ledger *l, int64_t order_id, uint64_t take)
{
    return held(l, order_id, take) != NULL;
}

void ledger_give_back(struct ledger *l, int64_t order_id, uint64_t take, int64_t mono_ms, int64_t delay_ms)
{
    struct entry *e = held(l, order_id, take);
    if (e == NULL)
        return;
    e->busy = false;
    e->next_at = delay_ms > 0 ? mono_ms + delay_ms : 0;
    entry_list(l, e);
}

void ledger_each_waiting(struct ledger *l, size_t most, ledger_waiting_fn *fn, void *arg)
{
    const struct entry *e;
    TAILQ_FOREACH(e, &l->ready, link) {
        if (most-- == 0)
            return;
        fn(arg, open_row(l, e), 0, false);
    }
    TAILQ_FOREACH(e, &l->delayed, link) {
        if (most-- == 0)
            return;
        fn(arg, open_row(l, e), e->next_at, false);
    }
}

bool ledger_waiting_of(struct ledger *l, int64_t order_id, ledger_waiting_fn *fn, void *arg)
{
    const struct entry *e = entry_find(l, order_id);
    if (e == NULL || !kept_row_waits(e->row))
        return false;
    fn(arg, open_row(l, e), e->listed == DELAYED ? e->next_at : 0, e->busy);
    return true;
}

unsigned ledger_note_failure(struct ledger *l, int64_t order_id, uint64_t take, unsigned *tries)
{
    struct entry *e = held(l, order_id, take);
    if (e == NULL)
        return 0;
    unsigned own = blame_failure(&l->blame, &e->blame);
    *tries = e->blame.tries;
    return own;
}

bool ledger_outage(const struct ledger *l)
{
    return blame_outage(&l->blame);
}

/* Small and different for neighbours (Knuth's multiplicative hash). */
static int64_t moment_of(const struct entry *e, int64_t spread_ms)
{
    return spread_ms > 0 ? (int64_t)(((uint64_t)e->id * 2654435761U >> 16) % (uint64_t)spread_ms) : 0;
}

void ledger_note_success(struct ledger *l, int64_t order_id, uint64_t take, int64_t mono_ms, int64_t spread_ms)
{
    struct entry *done = held(l, order_id, take), *e, *next;
    struct blame_row unknown = {0}; /* of a row that was dropped meanwhile */
    blame_success(&l->blame, done != NULL ? &done->blame : &unknown);
    if (l->blame.unsure == 0)
        return;
    HASH_ITER(hh, l->rows, e, next) {
        if (!e->blame.unsure)
            continue;
        blame_judge(&l->blame, &e->blame);
        int64_t soon = mono_ms + 1 + moment_of(e, spread_ms);
        if (e->listed != DELAYED || e->next_at <= soon)
            continue;
        e->next_at = soon;
        l->delayed_first = soon < l->delayed_first ? soon : l->delayed_first;
    }
}

bool ledger_doubt(struct ledger *l, int64_t order_id, uint64_t take, int64_t mono_ms)
{
    struct entry *e = held(l, order_id, take);
    if (e == NULL)
        return false;
    if (!e->doubted)
        e->doubted_at = mono_ms;
    e->doubted = true;
    return mono_ms - e->doubted_at >= LEDGER_DOUBT_MS;
}

void ledger_end_doubt(struct ledger *l, int64_t order_id, uint64_t take)
{
    struct entry *e = held(l, order_id, take);
    if (e != NULL)
        e->doubted = false;
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
    struct ledger_row *row = e != NULL ? open_row(l, e) : NULL;
    if (row == NULL || row->round != round || row->status_set == set)
        return;
    row_join_set(row, set);
    if (!keep(l, e)) /* no memory: a newer publication takes over what was wanted instead */
        return;
    e->version++;
    entry_list(l, e);
}

bool ledger_settle(struct ledger *l, int64_t order_id, int64_t publication, enum ledger_wanted wanted, const char *found, const char *note,
                   int64_t now_ms)
{
    struct entry *e = entry_find(l, order_id);
    struct ledger_row *row = e != NULL ? open_row(l, e) : NULL;
    if (row == NULL || row->publication != publication || row->wanted != wanted || row->settled_at != 0)
        return false;
    if (found != NULL)
        row->status_found = found;
    row->note = note;
    row->settled_at = now_ms;
    row->closed = true;
    if (!keep(l, e))
        return false; /* no memory: looked at again */
    blame_forget(&l->blame, &e->blame);
    e->version++;
    entry_list(l, e);
    return true;
}

void ledger_count(const struct ledger *l, struct ledger_counts *out)
{
    *out = (struct ledger_counts){HASH_COUNT(l->rows), l->waiting, l->digest.n, l->blame.failing};
}
