#include "producer/ledger_digest.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 3, LEAST = 16 };

void ledger_digest_init(struct ledger_digest *d, int64_t remember_ms)
{
    *d = (struct ledger_digest){.remember_ms = remember_ms};
}

void ledger_digest_release(struct ledger_digest *d)
{
    for (size_t i = 0; i < LEDGER_DIGEST_TABLES; i++)
        free(d->tables[i].words);
    ledger_digest_init(d, d->remember_ms);
}

/* One organization has one ledger, so the order id itself is the key: no collision is possible. Mixed by splitmix64's finalizer; the low bits choose the table, the
 * high ones the place in it. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct ledger_digest_table *table_of(const struct ledger_digest *d, int64_t order_id)
{
    return (struct ledger_digest_table *)&d->tables[mix((uint64_t)order_id) % LEDGER_DIGEST_TABLES];
}

static uint32_t place(const struct ledger_digest_table *t, uint64_t key)
{
    return (uint32_t)((mix(key) >> 32) * t->cap >> 32);
}

static uint32_t next(const struct ledger_digest_table *t, uint32_t i)
{
    return i + 1 < t->cap ? i + 1 : 0;
}

static uint64_t *entry(const struct ledger_digest_table *t, uint32_t i)
{
    return t->words + (size_t)i * WORDS;
}

/* The key's entry, or the free place where it would go. cap > n. */
static uint64_t *find(const struct ledger_digest_table *t, int64_t order_id)
{
    uint32_t i = place(t, (uint64_t)order_id);
    while (*entry(t, i) != 0 && *entry(t, i) != (uint64_t)order_id)
        i = next(t, i);
    return entry(t, i);
}

static bool kept(const uint64_t *e, int64_t oldest)
{
    return e[0] != 0 && (int64_t)(e[1] >> 8) >= oldest;
}

/* Makes room: without what is too old, three quarters full. */
static bool rebuild(struct ledger_digest *d, struct ledger_digest_table *t, int64_t oldest)
{
    uint32_t keep = 0;
    for (uint32_t i = 0; i < t->cap; i++)
        keep += kept(entry(t, i), oldest);
    struct ledger_digest_table fresh = {.cap = keep / 3 * 4 + LEAST};
    fresh.words = calloc(fresh.cap, WORDS * sizeof *fresh.words);
    if (fresh.words == NULL)
        return false;
    for (uint32_t i = 0; i < t->cap; i++)
        if (kept(entry(t, i), oldest))
            memcpy(find(&fresh, (int64_t)*entry(t, i)), entry(t, i), WORDS * sizeof *t->words);
    fresh.n = keep;
    d->n -= t->n - keep;
    free(t->words);
    *t = fresh;
    return true;
}

bool ledger_digest_put(struct ledger_digest *d, int64_t order_id, const struct ledger_digest_entry *e, int64_t now_ms)
{
    struct ledger_digest_table *t = table_of(d, order_id);
    if (t->n >= t->cap / 8 * 7 && !rebuild(d, t, now_ms - d->remember_ms))
        return false;
    uint64_t *w = find(t, order_id);
    if (w[0] == 0) {
        t->n++;
        d->n++;
    }
    w[0] = (uint64_t)order_id;
    w[1] = (uint64_t)e->publication << 8 | e->flags;
    w[2] = (uint64_t)e->offset << 16 | e->partition;
    return true;
}

bool ledger_digest_get(const struct ledger_digest *d, int64_t order_id, struct ledger_digest_entry *out)
{
    const struct ledger_digest_table *t = table_of(d, order_id);
    if (t->cap == 0)
        return false;
    const uint64_t *w = find(t, order_id);
    if (w[0] == 0)
        return false;
    *out = (struct ledger_digest_entry){(int64_t)(w[1] >> 8), (uint8_t)w[1], (int64_t)(w[2] >> 16), (uint16_t)w[2]};
    return true;
}

static uint32_t distance(const struct ledger_digest_table *t, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + t->cap - from;
}

/* Backward-shift deletion: no tombstones, so look-ups stay short for ever. */
static void remove_at(struct ledger_digest *d, struct ledger_digest_table *t, uint32_t hole)
{
    for (uint32_t i = next(t, hole); *entry(t, i) != 0; i = next(t, i)) {
        if (distance(t, place(t, *entry(t, i)), i) < distance(t, hole, i))
            continue;
        memcpy(entry(t, hole), entry(t, i), WORDS * sizeof *t->words);
        hole = i;
    }
    *entry(t, hole) = 0;
    t->n--;
    d->n--;
}

void ledger_digest_remove(struct ledger_digest *d, int64_t order_id)
{
    struct ledger_digest_table *t = table_of(d, order_id);
    if (t->cap == 0)
        return;
    const uint64_t *w = find(t, order_id);
    if (w[0] != 0)
        remove_at(d, t, (uint32_t)((w - t->words) / WORDS));
}

void ledger_digest_drop(struct ledger_digest *d, int32_t partition)
{
    for (struct ledger_digest_table *t = d->tables; t < d->tables + LEDGER_DIGEST_TABLES; t++)
        for (uint32_t i = 0; i < t->cap;) {
            const uint64_t *w = entry(t, i);
            if (w[0] != 0 && (uint16_t)w[2] == (uint16_t)partition)
                remove_at(d, t, i); /* something else may have moved here: look again */
            else
                i++;
        }
}
