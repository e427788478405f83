#include "producer/ledger_digest.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 3, FIRST = 1024 };

void ledger_digest_init(struct ledger_digest *d, int64_t remember_ms)
{
    *d = (struct ledger_digest){.remember_ms = remember_ms};
}

void ledger_digest_release(struct ledger_digest *d)
{
    free(d->words);
    ledger_digest_init(d, d->remember_ms);
}

/* One organization has one ledger, so the order id itself is the key: no collision is possible. Mixed by splitmix64's finalizer. */
static size_t place(const struct ledger_digest *d, int64_t order_id)
{
    uint64_t x = (uint64_t)order_id;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(x ^ (x >> 31)) & (d->cap - 1);
}

/* The entry's index, or that of the free place where it would go. */
static size_t find(const struct ledger_digest *d, int64_t order_id)
{
    size_t i = place(d, order_id);
    while (d->words[i * WORDS] != 0 && d->words[i * WORDS] != (uint64_t)order_id)
        i = (i + 1) & (d->cap - 1);
    return i;
}

static bool rebuild(struct ledger_digest *d, int64_t oldest)
{
    size_t keep = 0;
    for (size_t i = 0; i < d->cap; i++)
        keep += d->words[i * WORDS] != 0 && (int64_t)(d->words[i * WORDS + 1] >> 8) >= oldest;
    struct ledger_digest fresh = {.cap = FIRST, .remember_ms = d->remember_ms};
    while (fresh.cap / 8 * 5 < keep)
        fresh.cap *= 2;
    fresh.words = calloc(fresh.cap, WORDS * sizeof *fresh.words);
    if (fresh.words == NULL)
        return false;
    for (size_t i = 0; i < d->cap; i++) {
        const uint64_t *from = d->words + i * WORDS;
        if (from[0] == 0 || (int64_t)(from[1] >> 8) < oldest)
            continue;
        memcpy(fresh.words + find(&fresh, (int64_t)from[0]) * WORDS, from, WORDS * sizeof *from);
        fresh.n++;
    }
    free(d->words);
    *d = fresh;
    return true;
}

bool ledger_digest_put(struct ledger_digest *d, int64_t order_id, const struct ledger_digest_entry *e, int64_t now_ms)
{
    if (d->n >= d->cap / 4 * 3 && !rebuild(d, now_ms - d->remember_ms))
        return false;
    uint64_t *w = d->words + find(d, order_id) * WORDS;
    if (w[0] == 0)
        d->n++;
    w[0] = (uint64_t)order_id;
    w[1] = (uint64_t)e->publication << 8 | e->flags;
    w[2] = (uint64_t)e->offset << 16 | e->partition;
    return true;
}

bool ledger_digest_get(const struct ledger_digest *d, int64_t order_id, struct ledger_digest_entry *out)
{
    if (d->cap == 0)
        return false;
    const uint64_t *w = d->words + find(d, order_id) * WORDS;
    if (w[0] == 0)
        return false;
    *out = (struct ledger_digest_entry){(int64_t)(w[1] >> 8), (uint8_t)w[1], (int64_t)(w[2] >> 16), (uint16_t)w[2]};
    return true;
}

/* Backward-shift deletion: no tombstones, so look-ups stay short for ever. */
static void remove_at(struct ledger_digest *d, size_t hole)
{
    for (size_t i = (hole + 1) & (d->cap - 1); d->words[i * WORDS] != 0; i = (i + 1) & (d->cap - 1)) {
        size_t home = place(d, (int64_t)d->words[i * WORDS]);
        if (((i - home) & (d->cap - 1)) < ((i - hole) & (d->cap - 1)))
            continue;
        memcpy(d->words + hole * WORDS, d->words + i * WORDS, WORDS * sizeof *d->words);
        hole = i;
    }
    d->words[hole * WORDS] = 0;
    d->n--;
}

void ledger_digest_remove(struct ledger_digest *d, int64_t order_id)
{
    if (d->cap == 0)
        return;
    size_t i = find(d, order_id);
    if (d->words[i * WORDS] != 0)
        remove_at(d, i);
}

void ledger_digest_drop(struct ledger_digest *d, int32_t partition)
{
    for (size_t i = 0; i < d->cap;) {
        const uint64_t *w = d->words + i * WORDS;
        if (w[0] != 0 && (uint16_t)w[2] == (uint16_t)partition)
            remove_at(d, i); /* something else may have moved here: look again */
        else
            i++;
    }
}
