#include "consumer/order_views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"

enum { ASK_MIN_MS = 1000, ASK_MAX_MS = 30000, WANTED_MS = 120000, UNTOLD_MS = 5000, FORGET_MS = 10, FORGET_WANTED_MS = 100, FORGET_BURST_MS = 2000 };

struct entry {
    struct order_views *owner;
    int32_t id;
    uint64_t fingerprint; /* of the records that want it; 0: not told */
    enum rc rc;           /* RC_RETRY until the registry has answered with that schema */
    enum order_views_standing standing;
    bool other; /* the registry's last answer was another schema */
    struct order_view *view;
    struct backoff backoff;
    struct loop_timer timer; /* armed: not being asked for now */
    int64_t wanted_at;       /* monotonic ms of the last order_views_get */
    int64_t answered_at;
    char words[256];
};

struct order_views {
    struct loop *loop;
    struct registry *registry;
    const struct schema *through; /* NULL: the whole record */
    loop_fn *changed;
    void *arg;
    int64_t forgot_at; /* monotonic ms up to which the allowance is used */
    size_t n;
    struct entry *entries[ORDER_VIEWS_MAX];
    struct order_head head;
};

struct order_views *order_views_create(struct loop *l, struct registry *r, loop_fn *changed, void *arg)
{
    struct order_views *v = calloc(1, sizeof *v);
    if (v != NULL)
        *v = (struct order_views){.loop = l, .registry = r, .changed = changed, .arg = arg};
    return v;
}

void order_views_through(struct order_views *v, const struct schema *view)
{
    v->through = view;
}

struct order_head *order_views_head(struct order_views *v)
{
    return &v->head;
}

static bool wanted(const struct entry *en, int64_t now)
{
    return now - en->wanted_at <= UNTOLD_MS;
}

/* Not one with a view (records borrow it), not one that the registry will answer, and not before those who wait for the answer have heard it. */
static bool may_forget(const struct entry *en, int64_t now)
{
    bool told = en->wanted_at > en->answered_at || !wanted(en, now);
    return en->view == NULL && (en->rc != RC_RETRY || (en->timer.armed && told));
}

static void forget(struct order_views *v, size_t i)
{
    struct entry *en = v->entries[i];
    loop_timer_clear(v->loop, &en->timer);
    order_view_destroy(en->view);
    free(en);
    v->entries[i] = v->entries[--v->n];
}

/* Which of two goes first: one that nobody wants any more, then the one answered longer ago. */
static bool goes_before(const struct entry *a, const struct entry *b, int64_t now)
{
    if (wanted(a, now) != wanted(b, now))
        return wanted(b, now);
    return a->answered_at < b->answered_at;
}

/* Makes room by forgetting an unreadable one, as often as the allowance lets it. */
static void make_room(struct order_views *v)
{
    int64_t now = loop_now(v->loop);
    size_t first = v->n;
    if (v->n < ORDER_VIEWS_MAX)
        return;
    for (size_t i = 0; i < v->n; i++)
        if (may_forget(v->entries[i], now) && (first == v->n || goes_before(v->entries[i], v->entries[first], now)))
            first = i;
    if (first == v->n)
        return;
    int64_t price = wanted(v->entries[first], now) ? FORGET_WANTED_MS : FORGET_MS;
    if (now - v->forgot_at > FORGET_BURST_MS)
        v->forgot_at = now - FORGET_BURST_MS;
    if (now - v->forgot_at < price)
        return;
    v->forgot_at += price;
    forget(v, first);
}

void order_views_destroy(struct order_views *v)
{
    if (v == NULL)
        return;
    while (v->n > 0)
        forget(v, v->n - 1);
    free(v);
}

/* The registry has a readable schema for the id. */
static enum rc see(struct entry *en, const struct schema *s, struct err *e)
{
    enum rc rc = order_view_create_for(s, en->owner->through, &en->view, e);
    en->standing = VIEWS_EXCUSED; /* for RC_FATAL: no memory now, or a view that does not fit */
    return rc == RC_FATAL ? RC_RETRY : rc;
}

static void entry_answer(struct entry *en, enum rc rc, const struct schema *s, const char *words)
{
    struct err e = {{0}};
    bool schema = rc == RC_OK, known = rc != RC_RETRY;
    en->answered_at = loop_now(en->owner->loop);
    en->other = known && en->fingerprint != 0 && (!schema || schema_fingerprint(s) != en->fingerprint);
    err_set(&e, "%s", words != NULL ? words : "");
    if (en->other) {
        err_set(&e, "the registry gives it to another schema than the record was written with");
        en->standing = VIEWS_DISOWNED;
        rc = RC_RETRY;
    } else if (schema) {
        rc = see(en, s, &e);
    } else if (!known) {
        en->standing = registry_unknown(en->owner->registry, en->id) ? VIEWS_DISOWNED : VIEWS_EXCUSED;
    }
    (void)snprintf(en->words, sizeof en->words, "schema id %d: %.200s", (int)en->id, e.text);
    en->rc = rc;
}

static void ask(void *arg);

static void ask_later(struct entry *en)
{
    loop_timer_in(en->owner->loop, &en->timer, backoff_next(&en->backoff), ask, en);
}

static void answered(void *arg, enum rc rc, const struct schema *s, const char *words)
{
    struct entry *en = arg;
    entry_answer(en, rc, s, words);
    if (en->rc == RC_RETRY)
        ask_later(en);
    else
        en->owner->changed(en->owner->arg);
}

static void ask(void *arg)
{
    struct entry *en = arg;
    struct err e;
    struct order_views *v = en->owner;
    for (size_t i = 0; loop_now(v->loop) - en->wanted_at > WANTED_MS && i < v->n; i++)
        if (v->entries[i] == en) { /* nobody waits for it any more */
            forget(v, i);
            return;
        }
    enum rc rc = en->other ? registry_refetch(v->registry, en->id, answered, en, &e) : registry_fetch(v->registry, en->id, answered, en, &e);
    if (rc != RC_OK) {
        en->answered_at = loop_now(v->loop);
        ask_later(en);
    }
}

static struct entry *entry_add(struct order_views *v, int32_t id, uint64_t fingerprint, struct err *e)
{
    make_room(v);
    struct entry *en = v->n < ORDER_VIEWS_MAX ? calloc(1, sizeof *en) : NULL;
    if (en == NULL) {
        err_set(e, "schema id %d: %s", (int)id, v->n < ORDER_VIEWS_MAX ? "out of memory" : "too many schemas are asked for");
        return NULL;
    }
    *en = (struct entry){.owner = v, .id = id, .fingerprint = fingerprint, .rc = RC_RETRY, .wanted_at = loop_now(v->loop)};
    (void)snprintf(en->words, sizeof en->words, "schema id %d: asked from the registry", (int)id);
    backoff_init(&en->backoff, v->n < ORDER_VIEWS_MAX / 2 ? ASK_MIN_MS : ASK_MAX_MS, ASK_MAX_MS, (uint64_t)id);
    v->entries[v->n++] = en;
    const struct schema *s = registry_cached(v->registry, id);
    if (s != NULL)
        entry_answer(en, RC_OK, s, NULL);
    if (s == NULL)
        ask(en);
    else if (en->rc == RC_RETRY)
        ask_later(en);
    return en;
}

static struct entry *find(const struct order_views *v, int32_t id, uint64_t fingerprint)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->entries[i]->id == id && v->entries[i]->fingerprint == fingerprint)
            return v->entries[i];
    return NULL;
}

enum order_views_standing order_views_standing(const struct order_views *v, int32_t id, uint64_t fingerprint)
{
    const struct entry *en = find(v, id, fingerprint);
    return en != NULL ? en->standing : VIEWS_NO_ROOM;
}

enum rc order_views_get(struct order_views *v, int32_t id, uint64_t fingerprint, const struct order_view **out, struct err *e)
{
    struct entry *en = find(v, id, fingerprint);
    if (en == NULL && (en = entry_add(v, id, fingerprint, e)) == NULL)
        return RC_RETRY;
    en->wanted_at = loop_now(v->loop);
    if (en->rc == RC_OK)
        *out = en->view;
    else
        err_set(e, "%s", en->words);
    return en->rc;
}
