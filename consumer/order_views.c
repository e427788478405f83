#include "consumer/order_views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"

enum { ASK_MIN_MS = 1000, ASK_MAX_MS = 30000, WANTED_MS = 120000, FORGET_MS = 100 };

struct entry {
    struct order_views *owner;
    int32_t id;
    enum rc rc; /* RC_RETRY until the registry has answered */
    struct order_view *view;
    uint64_t fingerprint;
    struct backoff backoff;
    struct loop_timer timer; /* armed: not being asked for now */
    int64_t wanted_at;       /* monotonic ms of the last order_views_get */
    bool excused;            /* the last try failed for a reason that the registry's answer about the id is not: nothing follows from it */
    char words[256];
};

struct order_views {
    struct loop *loop;
    struct registry *registry;
    const struct schema *through; /* NULL: the whole record */
    loop_fn *changed;
    void *arg;
    int64_t forgot_at; /* monotonic ms */
    size_t n;
    struct entry *entries[ORDER_VIEWS_MAX];
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

static void ask(void *arg);

/* Not one with a view (records borrow it) and not one that the registry will answer. */
static bool may_forget(const struct entry *en)
{
    return en->view == NULL && (en->rc != RC_RETRY || en->timer.armed);
}

static void forget(struct order_views *v, size_t i)
{
    struct entry *en = v->entries[i];
    loop_timer_clear(v->loop, &en->timer);
    order_view_destroy(en->view);
    free(en);
    v->entries[i] = v->entries[--v->n];
}

/* Makes room by forgetting the unreadable id that was wanted longest ago. */
static void forget_one(struct order_views *v)
{
    size_t oldest = v->n;
    for (size_t i = 0; i < v->n; i++)
        if (may_forget(v->entries[i]) && (oldest == v->n || v->entries[i]->wanted_at < v->entries[oldest]->wanted_at))
            oldest = i;
    if (oldest < v->n)
        forget(v, oldest);
}

void order_views_destroy(struct order_views *v)
{
    if (v == NULL)
        return;
    while (v->n > 0)
        forget(v, v->n - 1);
    free(v);
}

static void entry_answer(struct entry *en, enum rc rc, const struct schema *s, const char *words)
{
    struct err e = {{0}};
    err_set(&e, "%s", words != NULL ? words : "");
    if (rc == RC_OK) {
        rc = order_view_create_for(s, en->owner->through, &en->view, &e);
        en->fingerprint = schema_fingerprint(s);
        if (rc == RC_FATAL)
            rc = RC_RETRY; /* no memory now, or a view that does not fit */
    }
    (void)snprintf(en->words, sizeof en->words, "schema id %d: %.200s", (int)en->id, e.text);
    en->rc = rc;
}

static void answered(void *arg, enum rc rc, const struct schema *s, const char *words)
{
    struct entry *en = arg;
    entry_answer(en, rc, s, words);
    en->excused = en->rc == RC_RETRY && !registry_unknown(en->owner->registry, en->id);
    if (en->rc == RC_RETRY)
        loop_timer_in(en->owner->loop, &en->timer, backoff_next(&en->backoff), ask, en);
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
    if (registry_fetch(en->owner->registry, en->id, answered, en, &e) != RC_OK)
        loop_timer_in(en->owner->loop, &en->timer, backoff_next(&en->backoff), ask, en);
}

static struct entry *entry_add(struct order_views *v, int32_t id, struct err *e)
{
    if (v->n == ORDER_VIEWS_MAX && loop_now(v->loop) - v->forgot_at >= FORGET_MS) { /* so many unknown ids must not become as many questions at once */
        v->forgot_at = loop_now(v->loop);
        forget_one(v);
    }
    struct entry *en = v->n < ORDER_VIEWS_MAX ? calloc(1, sizeof *en) : NULL;
    if (en == NULL) {
        err_set(e, "schema id %d: %s", (int)id, v->n < ORDER_VIEWS_MAX ? "out of memory" : "too many schemas");
        return NULL;
    }
    *en = (struct entry){.owner = v, .id = id, .rc = RC_RETRY, .wanted_at = loop_now(v->loop)};
    (void)snprintf(en->words, sizeof en->words, "schema id %d: asked from the registry", (int)id);
    backoff_init(&en->backoff, ASK_MIN_MS, ASK_MAX_MS, (uint64_t)id);
    v->entries[v->n++] = en;
    const struct schema *s = registry_cached(v->registry, id);
    if (s != NULL)
        entry_answer(en, RC_OK, s, NULL);
    en->excused = s != NULL && en->rc == RC_RETRY;
    if (s == NULL)
        ask(en);
    else if (en->rc == RC_RETRY)
        loop_timer_in(v->loop, &en->timer, backoff_next(&en->backoff), ask, en);
    return en;
}

static struct entry *find(const struct order_views *v, int32_t id)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->entries[i]->id == id)
            return v->entries[i];
    return NULL;
}

bool order_views_excused(const struct order_views *v, int32_t id)
{
    const struct entry *en = find(v, id);
    return en != NULL && en->excused;
}

enum rc order_views_get(struct order_views *v, int32_t id, uint64_t fingerprint, const struct order_view **out, struct err *e)
{
    struct entry *en = find(v, id);
    if (en == NULL && (en = entry_add(v, id, e)) == NULL)
        return RC_RETRY;
    en->wanted_at = loop_now(v->loop);
    if (en->rc != RC_RETRY && fingerprint != 0 && fingerprint != en->fingerprint) { /* be it an order schema or not */
        err_set(e, "schema id %d: the registry gives it to another schema than the record was written with; mend the registry and start again", (int)id);
        return RC_RETRY;
    }
    if (en->rc == RC_OK)
        *out = en->view;
    else
        err_set(e, "%s", en->words);
    return en->rc;
}
