#include "producer/order_table.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { FIRST_ENTRIES = 64 };

struct places {
    uint64_t users;
    UT_hash_handle hh;
    char list[]; /* "MAG-1,MAG-2": the key */
};

/* ---- lists of warehouses */

static struct places *places_take(struct order_table *t, const struct warehouse_set *set)
{
    struct places *p = NULL;
    t->list.max = sizeof set->names + ORDER_WAREHOUSES;
    buf_reset(&t->list);
    warehouse_set_print(set, &t->list);
    const char *text = buf_text(&t->list);
    if (text == NULL)
        return NULL;
    HASH_FIND(hh, t->places, text, t->list.n, p);
    if (p == NULL && (p = calloc(1, sizeof *p + t->list.n + 1)) != NULL) {
        memcpy(p->list, text, t->list.n + 1);
        HASH_ADD(hh, t->places, list[0], t->list.n, p);
    }
    if (p != NULL)
        p->users++;
    return p;
}

static void places_give(struct order_table *t, struct places *p)
{
    if (p == NULL || --p->users > 0)
        return;
    HASH_DEL(t->places, p);
    free(p);
}

void order_table_places(const struct entry *e, struct warehouse_set *out)
{
    const char *list = e->places->list;
    out->n = 0;
    if (list[0] != '\0')
        (void)warehouse_set_parse(out, list, strlen(list), NULL); /* printed by us */
}

bool order_table_nowhere(const struct entry *e)
{
    return e->places->list[0] == '\0';
}

bool order_table_set_places(struct order_table *t, struct entry *e, const struct warehouse_set *set)
{
    struct places *p = places_take(t, set);
    if (p == NULL)
        return false;
    places_give(t, e->places);
    e->places = p;
    return true;
}

/* ---- entries */

static size_t slot_of(const struct order_table *t, int64_t order_id)
{
    uint64_t h = (uint64_t)order_id; /* splitmix64 */
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9U;
    h = (h ^ h >> 27) * 0x94d049bb133111ebU;
    return (size_t)(h ^ h >> 31) & (t->slots_n - 1);
}

/* The slot that holds the order, or the free one where it belongs. Needs a free slot somewhere. */
static size_t probe(const struct order_table *t, int64_t order_id)
{
    size_t s = slot_of(t, order_id);
    while (t->slots[s] != 0 && t->all[t->slots[s] - 1].order_id != order_id)
        s = (s + 1) & (t->slots_n - 1);
    return s;
}

struct entry *order_table_find(const struct order_table *t, int64_t order_id)
{
    if (t->slots_n == 0)
        return NULL;
    uint32_t i = t->slots[probe(t, order_id)];
    return i == 0 ? NULL : &t->all[i - 1];
}

static bool grow(struct order_table *t)
{
    if (t->n == ORDER_TABLE_MAX)
        return false;
    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? FIRST_ENTRIES : t->cap + t->cap / 2;
        struct entry *all = realloc(t->all, cap * sizeof *all);
        if (all == NULL)
            return false;
        t->all = all;
        t->cap = cap;
    }
    if ((t->n + 1) * 4 <= t->slots_n * 3)
        return true;
    size_t slots_n = t->slots_n == 0 ? (size_t)FIRST_ENTRIES * 2 : t->slots_n * 2;
    uint32_t *slots = calloc(slots_n, sizeof *slots);
    if (slots == NULL)
        return false;
    free(t->slots);
    t->slots = slots;
    t->slots_n = slots_n;
    for (size_t i = 0; i < t->n; i++)
        t->slots[probe(t, t->all[i].order_id)] = (uint32_t)i + 1;
    return true;
}

struct entry *order_table_entry(struct order_table *t, int64_t order_id)
{
    struct entry *e = order_table_find(t, order_id);
    if (e != NULL)
        return e;
    struct warehouse_set nowhere = {.n = 0};
    if (!grow(t))
        return NULL;
    e = &t->all[t->n];
    *e = (struct entry){.order_id = order_id, .row_offset = -1, .state = FORGOTTEN};
    if (!order_table_set_places(t, e, &nowhere))
        return NULL;
    t->slots[probe(t, order_id)] = (uint32_t)++t->n;
    return e;
}

/* Closes the gap in the chain behind a freed slot. */
static void free_slot(struct order_table *t, size_t hole)
{
    size_t mask = t->slots_n - 1;
    t->slots[hole] = 0;
    for (size_t s = (hole + 1) & mask; t->slots[s] != 0; s = (s + 1) & mask) {
        size_t home = slot_of(t, t->all[t->slots[s] - 1].order_id);
        if (((s - home) & mask) < ((s - hole) & mask))
            continue;
        t->slots[hole] = t->slots[s];
        t->slots[s] = 0;
        hole = s;
    }
}

void order_table_remove(struct order_table *t, struct entry *e)
{
    size_t i = (size_t)(e - t->all);
    free_slot(t, probe(t, e->order_id));
    places_give(t, e->places);
    if (i != --t->n) {
        size_t moved = probe(t, t->all[t->n].order_id);
        t->all[i] = t->all[t->n];
        t->slots[moved] = (uint32_t)i + 1;
    }
}

/* ---- notes */

enum rc order_table_queue(struct order_table *t, struct entry *e)
{
    if (e->note_due || e->busy)
        return RC_OK;
    if (t->notes_n == t->notes_cap) {
        size_t cap = t->notes_cap == 0 ? FIRST_ENTRIES : t->notes_cap * 2;
        int64_t *notes = malloc(cap * sizeof *notes);
        if (notes == NULL)
            return RC_FATAL;
        for (size_t i = 0; i < t->notes_n; i++)
            notes[i] = t->notes[(t->notes_at + i) & (t->notes_cap - 1)];
        free(t->notes);
        t->notes = notes;
        t->notes_at = 0;
        t->notes_cap = cap;
    }
    t->notes[(t->notes_at + t->notes_n++) & (t->notes_cap - 1)] = e->order_id;
    e->note_due = true;
    return RC_OK;
}

struct entry *order_table_first_note(struct order_table *t)
{
    while (t->notes_n > 0) {
        struct entry *e = order_table_find(t, t->notes[t->notes_at]);
        if (e != NULL && e->note_due && !e->busy)
            return e;
        if (e != NULL)
            e->note_due = false; /* published again meanwhile: noted with that */
        t->notes_at = (t->notes_at + 1) & (t->notes_cap - 1);
        t->notes_n--;
    }
    return NULL;
}

void order_table_note_taken(struct order_table *t)
{
    struct entry *e = order_table_first_note(t);
    if (e == NULL)
        return;
    e->note_due = false;
    t->notes_at = (t->notes_at + 1) & (t->notes_cap - 1);
    t->notes_n--;
}

size_t order_table_bytes(const struct order_table *t)
{
    return t->cap * sizeof *t->all + t->slots_n * sizeof *t->slots + t->notes_cap * sizeof *t->notes;
}

void order_table_release(struct order_table *t)
{
    while (t->places != NULL) {
        struct places *p = t->places;
        HASH_DEL(t->places, p);
        free(p);
    }
    buf_release(&t->list);
    free(t->notes);
    free(t->slots);
    free(t->all);
}
