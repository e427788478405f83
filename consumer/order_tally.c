#include "consumer/order_tally.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "consumer/order_record.h"

enum { FIRST_CAP = 1024 };

void order_tally_init(struct order_tally *t)
{
    memset(t, 0, sizeof *t);
    t->first_at = t->last_at = -1;
}

void order_tally_release(struct order_tally *t)
{
    free(t->table);
    order_tally_init(t);
}

static struct order_tally_entry *slot(struct order_tally_entry *table, size_t cap, uint64_t key)
{
    size_t at = (size_t)key & (cap - 1);
    while (table[at].key != 0 && table[at].key != key)
        at = (at + 1) & (cap - 1);
    return &table[at];
}

static bool grow(struct order_tally *t)
{
    size_t cap = t->cap == 0 ? FIRST_CAP : t->cap * 2;
    struct order_tally_entry *table = calloc(cap, sizeof *table);
    if (table == NULL)
        return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->table[i].key != 0)
            *slot(table, cap, t->table[i].key) = t->table[i];
    free(t->table);
    t->table = table;
    t->cap = cap;
    return true;
}

/* NULL: no room. */
static struct order_tally_entry *entry(struct order_tally *t, const void *key, size_t n)
{
    uint64_t hash = XXH3_64bits(key, n);
    hash += hash == 0;
    if (t->cap > 0) {
        struct order_tally_entry *e = slot(t->table, t->cap, hash);
        if (e->key != 0)
            return e;
    }
    if (t->orders >= ORDER_TALLY_MAX || (t->orders * 4 >= t->cap * 3 && !grow(t))) {
        t->full = true;
        return NULL;
    }
    struct order_tally_entry *e = slot(t->table, t->cap, hash);
    *e = (struct order_tally_entry){.key = hash, .newest = -1};
    t->orders++;
    return e;
}

static void note_ends(struct order_tally *t, const struct kafka_record *r)
{
    size_t n = r->key_n < ORDER_KEY_BYTES ? r->key_n : ORDER_KEY_BYTES - 1;
    if (t->first_at < 0 || r->timestamp < t->first_at) {
        t->first_at = r->timestamp;
        memcpy(t->first, r->key, n);
        t->first[n] = '\0';
    }
    if (t->last_at < 0 || r->timestamp >= t->last_at) {
        t->last_at = r->timestamp;
        memcpy(t->last, r->key, n);
        t->last[n] = '\0';
    }
}

static void count_warehouse(struct order_tally *t, const char *name, size_t n)
{
    size_t i = 0;
    while (i < t->warehouses_n && (strlen(t->warehouses[i].name) != n || memcmp(t->warehouses[i].name, name, n) != 0))
        i++;
    if (i == ORDER_TALLY_WAREHOUSES || n == 0 || n >= sizeof t->warehouses[i].name)
        return;
    if (i == t->warehouses_n) {
        t->warehouses_n++;
        memcpy(t->warehouses[i].name, name, n);
        t->warehouses[i].name[n] = '\0';
    }
    t->warehouses[i].records++;
}

static void count_warehouses(struct order_tally *t, const struct kafka_record *r)
{
    const struct kafka_header *h = kafka_record_header(r, "warehouses");
    const char *p = h != NULL ? h->value : NULL, *end = p != NULL ? p + h->n : NULL;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p)), *stop = comma != NULL ? comma : end;
        count_warehouse(t, p, (size_t)(stop - p));
        p = stop + 1;
    }
}

void order_tally_add(struct order_tally *t, const struct kafka_record *r, bool inside)
{
    if (r->key == NULL)
        return;
    struct order_tally_entry *e = entry(t, r->key, r->key_n);
    int64_t publication = order_record_publication(r);
    if (inside) {
        t->records++;
        note_ends(t, r);
        count_warehouses(t, r);
    }
    if (e == NULL)
        return;
    e->records += inside;
    if (publication >= e->newest) {
        e->newest = publication;
        e->newest_inside = inside;
    }
}

void order_tally_sum(const struct order_tally *t, uint64_t *orders, uint64_t *superseded)
{
    *orders = *superseded = 0;
    for (size_t i = 0; i < t->cap; i++) {
        const struct order_tally_entry *e = &t->table[i];
        if (e->key == 0 || e->records == 0)
            continue;
        ++*orders;
        *superseded += e->records - e->newest_inside;
    }
}
