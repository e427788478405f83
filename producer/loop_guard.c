#include "producer/loop_guard.h"

#include <stdlib.h>
#include <uthash.h>

enum { DAY_MS = 86400 * 1000, FIRST_MS = 60 * 1000, LONGEST_MS = 3600 * 1000, FREE_RETRIES = 2 };

struct guarded {
    int64_t order_id;
    uint64_t revision;
    int64_t since;   /* beginning of this count */
    int64_t not_before;
    unsigned retries;
    uint32_t seen_poll; /* the last that showed it while it was held back */
    UT_hash_handle hh; /* in the order of `since`, oldest first */
};

struct loop_guard {
    struct guarded *all;
};

struct loop_guard *loop_guard_create(void)
{
    return calloc(1, sizeof(struct loop_guard));
}

static void drop(struct loop_guard *g, struct guarded *o)
{
    HASH_DEL(g->all, o);
    free(o);
}

void loop_guard_destroy(struct loop_guard *g)
{
    if (g == NULL)
        return;
    while (g->all != NULL)
        drop(g, g->all);
    free(g);
}

static struct guarded *find(const struct loop_guard *g, int64_t order_id)
{
    struct guarded *o;
    HASH_FIND(hh, g->all, &order_id, sizeof order_id, o);
    return o;
}

static bool is_over(const struct guarded *o, uint64_t revision, int64_t now_ms)
{
    return o->revision != revision || now_ms - o->since > DAY_MS;
}

bool loop_guard_allows(const struct loop_guard *g, int64_t order_id, uint64_t revision, int64_t now_ms)
{
    const struct guarded *o = find(g, order_id);
    return o == NULL || is_over(o, revision, now_ms) || o->retries < FREE_RETRIES || now_ms >= o->not_before;
}

int64_t loop_guard_wait(const struct loop_guard *g, int64_t order_id, int64_t now_ms)
{
    const struct guarded *o = find(g, order_id);
    return o == NULL || loop_guard_allows(g, order_id, o->revision, now_ms) ? 0 : o->not_before - now_ms;
}

static int64_t pause_after(unsigned retries)
{
    int64_t pause = FIRST_MS;
    for (unsigned i = FREE_RETRIES; i < retries && pause < LONGEST_MS; i++)
        pause *= 2;
    return pause < LONGEST_MS ? pause : LONGEST_MS;
}

/* retries: of a count that begins now. */
static void note(struct loop_guard *g, int64_t order_id, uint64_t revision, int64_t now_ms, unsigned retries)
{
    struct guarded *o = find(g, order_id);
    if (o != NULL && !is_over(o, revision, now_ms)) {
        o->retries++;
        o->not_before = now_ms + pause_after(o->retries);
        return;
    }
    if (o != NULL)
        drop(g, o); /* and in again at the young end */
    while (g->all != NULL && (now_ms - g->all->since > DAY_MS || HASH_COUNT(g->all) >= LOOP_GUARD_ORDERS))
        drop(g, g->all);
    o = calloc(1, sizeof *o);
    if (o == NULL)
        return;
    *o = (struct guarded){.order_id = order_id, .revision = revision, .since = now_ms, .retries = retries};
    HASH_ADD(hh, g->all, order_id, sizeof o->order_id, o);
}

void loop_guard_note(struct loop_guard *g, int64_t order_id, uint64_t revision, int64_t now_ms)
{
    note(g, order_id, revision, now_ms, 1);
}

void loop_guard_first(struct loop_guard *g, int64_t order_id, uint64_t revision, int64_t now_ms)
{
    note(g, order_id, revision, now_ms, 0);
}

bool loop_guard_see(struct loop_guard *g, int64_t order_id, uint32_t poll)
{
    struct guarded *o = find(g, order_id);
    if (o == NULL || o->seen_poll == poll)
        return o == NULL;
    o->seen_poll = poll;
    return true;
}

size_t loop_guard_orders(const struct loop_guard *g)
{
    return HASH_COUNT(g->all);
}
