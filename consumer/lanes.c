#include "consumer/lanes.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#include "common/base/backoff.h"

enum { AGAIN_MOST = 2, AGAIN_MS = 100 };
enum lane_list { LIST_NOTE, LIST_TRIED, LIST_FRESH, LIST_COUNT, LIST_NONE = LIST_COUNT };

struct lane { /* one order key; exists while it has items */
    struct lane_item *items; /* in order; only the first may fly */
    struct lane_item *settling; /* in the order in which they settled */
    struct lane *prev, *next; /* in ready[list] */
    enum lane_list list;
    UT_hash_handle hh;
    size_t key_n;
    unsigned char key[];
};

struct lanes {
    struct lanes_settings settings;
    struct gate gate;
    struct lane *by_key;
    struct lane *ready[LIST_COUNT]; /* lanes whose first item is QUEUED, by what it needs */
    struct lane_item *superseded;   /* SETTLING, not yet told */
    struct wait_heap waiting;       /* PARKED, and QUEUED ones that wait a moment */
    struct backoff jitter;
    size_t items, parked;
    unsigned flying;
    size_t owed, uncommitted; /* offered to the end, and SETTLING; left, and not committed */
    uint64_t answers;       /* verdicts so far */
    int64_t last_answer_at;
    unsigned round; /* of probing */
};

struct lanes *lanes_create(const struct lanes_settings *s)
{
    struct lanes *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->settings = *s;
    gate_init(&l->gate, s->probe_min_ms, s->probe_max_ms);
    backoff_init(&l->jitter, s->park_min_ms, s->park_max_ms, s->seed);
    return l;
}

void lanes_destroy(struct lanes *l)
{
    if (l == NULL)
        return;
    struct lane *lane, *next;
    HASH_ITER(hh, l->by_key, lane, next)
    {
        HASH_DEL(l->by_key, lane);
        free(lane);
    }
    wait_heap_release(&l->waiting);
    free(l);
}

static struct lane_item *item_waiting(struct wait_node *node)
{
    return (struct lane_item *)(void *)((char *)node - offsetof(struct lane_item, wait));
}

/* Might the outcome of an earlier load for the same warehouse be sent after this one's? */
static bool must_wait(const struct lane *lane, const struct lane_item *item)
{
    for (const struct lane_item *s = lane->settling; s != NULL; s = s->settling_next)
        if (!s->sent && strcmp(s->warehouse, item->warehouse) == 0)
            return true;
    return false;
}

/* Puts the lane into the list that fits its first item, or into none. */
static void lane_place(struct lanes *l, struct lane *lane)
{
    const struct lane_item *first = lane->items;
    enum lane_list list = LIST_NONE;
    if (first != NULL && first->state == LANE_QUEUED && first->wait.place == 0 && !must_wait(lane, first))
        list = !first->needs_erp ? LIST_NOTE : first->tries > 0 ? LIST_TRIED : LIST_FRESH;
    if (list == lane->list)
        return;
    if (lane->list != LIST_NONE)
        DL_DELETE(l->ready[lane->list], lane);
    lane->list = list;
    if (list != LIST_NONE)
        DL_APPEND(l->ready[list], lane);
}

static void lane_unready(struct lanes *l, struct lane *lane)
{
    if (lane->list != LIST_NONE)
        DL_DELETE(l->ready[lane->list], lane);
    lane->list = LIST_NONE;
}

static void state_set(struct lanes *l, struct lane_item *item, enum lane_state state)
{
    l->parked -= item->state == LANE_PARKED;
    l->flying -= item->state == LANE_FLYING;
    item->state = state;
    l->parked += state == LANE_PARKED;
    l->flying += state == LANE_FLYING;
}

/* A lane goes with its last item; otherwise it keeps its place among those of its list. */
static void lane_tidy(struct lanes *l, struct lane *lane)
{
    if (lane->items != NULL || lane->settling != NULL) {
        lane_place(l, lane);
        return;
    }
    lane_unready(l, lane);
    HASH_DEL(l->by_key, lane);
    free(lane);
}

static void item_settle(struct lanes *l, struct lane_item *item)
{
    wait_heap_remove(&l->waiting, &item->wait);
    DL_DELETE(item->lane->items, item);
    item->prev = item->next = NULL;
    l->items--;
    state_set(l, item, LANE_SETTLING);
    item->sent = item->durable = item->owed = false;
    LL_APPEND2(item->lane->settling, item, settling_next);
    lane_unready(l, item->lane); /* it is another item's turn */
    lane_tidy(l, item->lane);
}

/* The ERP was offered it to the end. */
static void settle_owed(struct lanes *l, struct lane_item *item)
{
    item_settle(l, item);
    item->owed = true;
    l->owed++;
}

static void settling_take(struct lanes *l, struct lane_item *item)
{
    l->owed -= item->owed;
    item->owed = false;
    LL_DELETE2(item->lane->settling, item, settling_next);
    item->lane = NULL;
    item->settling_next = NULL;
}

void lanes_sent(struct lanes *l, struct lane_item *item)
{
    item->sent = true;
    lane_place(l, item->lane);
}

/* The first one that is durable and has no earlier one of its warehouse before it; NULL: none. */
static struct lane_item *may_leave(const struct lane *lane)
{
    for (struct lane_item *item = lane->settling; item != NULL; item = item->settling_next) {
        const struct lane_item *before = lane->settling;
        while (before != item && strcmp(before->warehouse, item->warehouse) != 0)
            before = before->settling_next;
        if (item->durable && before == item)
            return item;
    }
    return NULL;
}

void lanes_done(struct lanes *l, struct lane_item *item, void (*left)(void *arg, struct lane_item *item), void *arg)
{
    struct lane *lane = item->lane;
    struct lane_item *gone = NULL, *next;
    item->durable = true;
    while ((item = may_leave(lane)) != NULL) {
        settling_take(l, item);
        LL_APPEND2(gone, item, settling_next);
    }
    lane_tidy(l, lane);
    for (; gone != NULL; gone = next) {
        next = gone->settling_next;
        gone->settling_next = NULL;
        left(arg, gone);
    }
}

/* Nobody will publish anything about it, nor did anything of its key settle after it. */
static void settling_leave(struct lanes *l, struct lane_item *item)
{
    struct lane *lane = item->lane;
    settling_take(l, item);
    lane_tidy(l, lane);
}

static void item_leave(struct lanes *l, struct lane_item *item)
{
    item_settle(l, item);
    settling_leave(l, item);
}

/* Nobody was told yet that it is superseded, and what settled behind it may have waited for it alone. */
static void superseded_drop(struct lanes *l, struct lane_item *item, struct lane_item **gone)
{
    struct lane *lane = item->lane;
    struct lane_item *freed;
    DL_DELETE(l->superseded, item);
    settling_take(l, item);
    DL_APPEND(*gone, item);
    while ((freed = may_leave(lane)) != NULL) {
        settling_take(l, freed);
        DL_APPEND(*gone, freed);
    }
    lane_tidy(l, lane);
}

static void item_supersede(struct lanes *l, struct lane_item *item)
{
    item_settle(l, item);
    DL_APPEND(l->superseded, item);
}

static bool same_goal(const struct lane_item *a, const struct lane_item *b)
{
    return a != b && !a->stale && !b->stale && a->publication > 0 && b->publication > 0 && strcmp(a->warehouse, b->warehouse) == 0;
}

static bool may_be_superseded(const struct lane_item *item)
{
    return item->needs_erp && !item->ambiguous && (item->state == LANE_QUEUED || item->state == LANE_PARKED);
}

/* Looks at item against the others of its lane, both ways. */
static void supersede_around(struct lanes *l, struct lane_item *item)
{
    struct lane *lane = item->lane;
    struct lane_item *other, *next;
    bool outdated = false;
    for (other = lane->items; other != NULL; other = next) {
        next = other->next;
        if (!same_goal(item, other))
            continue;
        if (other->publication > item->publication)
            outdated = true;
        else if (other->publication < item->publication && may_be_superseded(other))
            item_supersede(l, other); /* the lane stays: item is in it */
    }
    if (outdated && may_be_superseded(item))
        item_supersede(l, item);
}

static struct lane *lane_get(struct lanes *l, const struct lane_item *item)
{
    struct lane *lane;
    HASH_FIND(hh, l->by_key, item->key, item->key_n, lane);
    if (lane != NULL)
        return lane;
    lane = calloc(1, sizeof *lane + item->key_n);
    if (lane == NULL)
        return NULL;
    lane->list = LIST_NONE;
    lane->key_n = item->key_n;
    memcpy(lane->key, item->key, item->key_n);
    HASH_ADD_KEYPTR(hh, l->by_key, lane->key, lane->key_n, lane);
    if (lane->hh.tbl == NULL) { /* no memory for the table */
        free(lane);
        return NULL;
    }
    return lane;
}

static enum rc item_put(struct lanes *l, struct lane_item *front, struct lane_item *item)
{
    if (!wait_heap_reserve(&l->waiting, l->items + 1))
        return RC_FATAL;
    struct lane *lane = front != NULL ? front->lane : lane_get(l, item);
    if (lane == NULL)
        return RC_FATAL;
    item->lane = lane;
    item->state = item->held ? LANE_HELD : LANE_QUEUED;
    l->items++;
    if (front != NULL)
        DL_APPEND_ELEM(lane->items, front, item);
    else
        DL_APPEND(lane->items, item);
    lane_place(l, lane);
    supersede_around(l, item);
    return RC_OK;
}

enum rc lanes_push(struct lanes *l, struct lane_item *item)
{
    return item_put(l, NULL, item);
}

enum rc lanes_push_behind(struct lanes *l, struct lane_item *front, struct lane_item *item)
{
    return item_put(l, front, item);
}

void lanes_unhold(struct lanes *l, struct lane_item *item)
{
    item->held = false;
    state_set(l, item, LANE_QUEUED);
    lane_place(l, item->lane);
    supersede_around(l, item);
}

/* Parked ones and short waits whose time has come. */
static void wake_due(struct lanes *l, int64_t now)
{
    struct wait_node *node;
    while ((node = wait_heap_first(&l->waiting)) != NULL && node->at <= now) {
        struct lane_item *item = item_waiting(node);
        wait_heap_remove(&l->waiting, node);
        state_set(l, item, LANE_QUEUED);
        lane_place(l, item->lane);
    }
}

/* In turn over those tried already; when each of them was a probe in this round, one that was not tried yet. */
static struct lane *probe_choose(struct lanes *l)
{
    struct lane *tried = l->ready[LIST_TRIED], *fresh = l->ready[LIST_FRESH];
    if (tried != NULL && (tried->items->probe_round != l->round))
        return tried;
    l->round++;
    return fresh != NULL ? fresh : tried;
}

static struct lane_item *begin(struct lanes *l, struct lane *lane, int64_t now)
{
    struct lane_item *item = lane->items;
    lane_unready(l, lane);
    state_set(l, item, LANE_FLYING);
    if (item->tries++ == 0)
        item->answers_seen = l->answers;
    item->began_at = now;
    item->probe_round = l->gate.paused ? l->round : 0;
    return item;
}

void lanes_uncommitted(struct lanes *l, size_t n)
{
    l->uncommitted = n;
}

/* Would a crash repeat no more than it may with one load more? */
static bool room(const struct lanes *l)
{
    size_t most = l->settings.uncommitted_most;
    return most == 0 || l->flying + l->owed + l->uncommitted < most;
}

static bool allowed(const struct lanes *l, int64_t now)
{
    return room(l) && gate_allows(&l->gate, l->flying, l->settings.concurrency, now);
}

/* The next one for the ERP; NULL: none now. *outdated: it is SETTLING instead. */
static struct lane_item *choose(struct lanes *l, int64_t now, bool *outdated)
{
    struct lane *lane = l->ready[LIST_TRIED] != NULL ? l->ready[LIST_TRIED] : l->ready[LIST_FRESH];
    if (lane == NULL || !allowed(l, now))
        return NULL;
    if (l->gate.paused)
        lane = probe_choose(l);
    struct lane_item *item = lane->items;
    *outdated = l->settings.outdated != NULL && may_be_superseded(item) && l->settings.outdated(l->settings.arg, item);
    if (!*outdated)
        return begin(l, lane, now);
    item_settle(l, item);
    return item;
}

enum lanes_turn lanes_next(struct lanes *l, int64_t now, struct lane_item **item)
{
    bool outdated = false;
    if (l->superseded != NULL) {
        *item = l->superseded;
        DL_DELETE(l->superseded, *item);
        (*item)->prev = (*item)->next = NULL;
        return LANES_SUPERSEDED;
    }
    wake_due(l, now);
    if (l->ready[LIST_NOTE] != NULL) {
        *item = l->ready[LIST_NOTE]->items;
        item_settle(l, *item);
        return LANES_NOTE;
    }
    struct lane_item *chosen = choose(l, now, &outdated);
    if (chosen == NULL)
        return LANES_NOTHING;
    *item = chosen;
    return outdated ? LANES_SUPERSEDED : LANES_TRY;
}

/* QUEUED, or superseded by what came behind it meanwhile. */
static void requeue(struct lanes *l, struct lane_item *item)
{
    state_set(l, item, LANE_QUEUED);
    lane_place(l, item->lane);
    supersede_around(l, item);
}

static void wait_until(struct lanes *l, struct lane_item *item, int64_t at)
{
    wait_heap_add(&l->waiting, &item->wait, at);
    state_set(l, item, LANE_PARKED);
    supersede_around(l, item);
}

static enum lanes_end park(struct lanes *l, struct lane_item *item, const struct lanes_result *r, bool strike, int64_t now)
{
    if (strike && ++item->strikes >= l->settings.reject_after) {
        settle_owed(l, item);
        return LANES_GIVEN_UP;
    }
    l->jitter.failures = item->parks++;
    int64_t wait = backoff_next(&l->jitter);
    int64_t wish = r->retry_after_ms > GATE_WISH_MS ? GATE_WISH_MS : r->retry_after_ms;
    wait_until(l, item, now + (wish > wait ? wish : wait));
    return LANES_STAYS;
}

/* The ERP is in trouble, unless it is this load that is: others got their verdicts while it waited for its own, or between this failure and its last. */
static enum lanes_end pause_or_park(struct lanes *l, struct lane_item *item, const struct lanes_result *r, bool others, int64_t now)
{
    bool late = r->ambiguous && others && l->last_answer_at > item->began_at + (now - item->began_at) / 2;
    bool again = item->paused_once && others;
    bool probe = item->probe_round != 0;
    item->paused_once = true;
    if (late || again) {
        if (l->gate.paused && probe)
            gate_failed(&l->gate, now, r->retry_after_ms);
        return park(l, item, r, r->ambiguous, now);
    }
    if (!l->gate.paused) {
        l->round++;
        gate_failed(&l->gate, now, r->retry_after_ms);
    } else if (probe) {
        gate_failed(&l->gate, now, r->retry_after_ms);
    } else {
        gate_wish(&l->gate, now, r->retry_after_ms);
    }
    requeue(l, item);
    return LANES_STAYS;
}

static enum lanes_end failed(struct lanes *l, struct lane_item *item, const struct lanes_result *r, int64_t now)
{
    bool others = l->answers > item->answers_seen;
    bool probe = l->gate.paused && item->probe_round != 0;
    if (r->fate == FATE_AGAIN && !probe && item->agains < AGAIN_MOST) {
        item->agains++;
        wait_until(l, item, now + AGAIN_MS * (int64_t)item->agains);
        return LANES_STAYS;
    }
    item->agains = 0;
    item->answers_seen = l->answers;
    if (r->fate != FATE_PARK)
        return pause_or_park(l, item, r, others, now);
    if (probe)
        gate_failed(&l->gate, now, r->retry_after_ms);
    return park(l, item, r, others, now);
}

enum lanes_end lanes_end(struct lanes *l, struct lane_item *item, const struct lanes_result *r, int64_t now)
{
    bool verdict = r->fate == FATE_LOADED || r->fate == FATE_REJECT;
    if (verdict) {
        l->answers++;
        l->last_answer_at = now;
        (void)gate_answered(&l->gate);
    }
    if (item->stale) {
        item_leave(l, item);
        return LANES_STALE;
    }
    item->ambiguous = (item->ambiguous || r->ambiguous) && !verdict;
    if (!verdict)
        return failed(l, item, r, now);
    settle_owed(l, item);
    return LANES_VERDICT;
}

void lanes_refused(struct lanes *l, struct lane_item *item)
{
    item->tries--;
    item_settle(l, item);
}

void lanes_remove(struct lanes *l, struct lane_item *item)
{
    item_settle(l, item);
}

void lanes_drop(struct lanes *l, int32_t partition, void (*fn)(void *arg, struct lane_item *item), void *arg)
{
    struct lane_item *gone = NULL, *item, *next_item;
    struct lane *lane, *next;
    DL_FOREACH_SAFE(l->superseded, item, next_item)
    {
        if (item->partition == partition)
            superseded_drop(l, item, &gone);
    }
    HASH_ITER(hh, l->by_key, lane, next)
    {
        for (item = lane->items; item != NULL; item = next_item) {
            next_item = item->next;
            if (item->partition != partition)
                continue;
            if (item->state == LANE_FLYING) {
                item->stale = true;
                continue;
            }
            item_leave(l, item); /* frees the lane with its last item, which ends this inner loop too */
            DL_APPEND(gone, item);
        }
    }
    DL_FOREACH_SAFE(gone, item, next_item)
    {
        item->prev = item->next = NULL;
        fn(arg, item);
    }
}

int64_t lanes_deadline(const struct lanes *l, int64_t now)
{
    const struct wait_node *first = wait_heap_first(&l->waiting);
    int64_t at = first != NULL ? first->at : INT64_MAX;
    bool ready = l->ready[LIST_TRIED] != NULL || l->ready[LIST_FRESH] != NULL;
    if (l->superseded != NULL || l->ready[LIST_NOTE] != NULL)
        return now;
    if (!ready || !room(l))
        return at;
    if (allowed(l, now))
        return now;
    if (l->gate.paused && l->flying == 0 && l->gate.probe_at < at)
        at = l->gate.probe_at;
    return at;
}

const struct gate *lanes_gate(const struct lanes *l)
{
    return &l->gate;
}

unsigned lanes_flying(const struct lanes *l)
{
    return l->flying;
}

unsigned lanes_flying_of(const struct lanes *l, int32_t partition)
{
    unsigned n = 0;
    for (const struct lane *lane = l->by_key; lane != NULL; lane = lane->hh.next)
        n += lane->items != NULL && lane->items->state == LANE_FLYING && lane->items->partition == partition;
    return n;
}

size_t lanes_parked(const struct lanes *l)
{
    return l->parked;
}

size_t lanes_items(const struct lanes *l)
{
    return l->items;
}

void lanes_each(const struct lanes *l, void (*fn)(void *arg, const struct lane_item *item), void *arg)
{
    for (const struct lane *lane = l->by_key; lane != NULL; lane = lane->hh.next)
        for (const struct lane_item *item = lane->items; item != NULL; item = item->next)
            fn(arg, item);
}
