#include "common/contract/order_join.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void order_joined_release(struct order_joined *j)
{
    free(j->entries);
    *j = (struct order_joined){0};
}

/* What a reference says: the digits of a number, the characters of a text. false: neither, or empty. */
static bool content(const struct json_tape *t, uint32_t node, const char **p, uint32_t *n)
{
    const struct json_node *at = &t->nodes[node];
    uint32_t quote = at->type == JSON_TAPE_STRING ? 1 : 0;
    *p = t->text + at->start + quote;
    *n = at->end - at->start - 2 * quote;
    return (quote == 1 || at->type == JSON_TAPE_NUMBER) && *n > 0;
}

static int compare(const void *a, const void *b)
{
    const struct join_entry *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

enum rc order_joined_build(struct order_joined *j, const struct json_tape *t, uint32_t array, const char *reference, struct err *e)
{
    size_t count = t->nodes[array].count;
    if (count > j->cap) {
        struct join_entry *entries = realloc(j->entries, count * sizeof *entries);
        if (entries == NULL) {
            err_set(e, "out of memory");
            return RC_FATAL;
        }
        j->entries = entries;
        j->cap = count;
    }
    j->n = 0;
    for (uint32_t at = array + 1; j->n < count; at = t->nodes[at].next) {
        struct join_entry *made = &j->entries[j->n];
        uint32_t node = json_tape_pointer(t, at, reference);
        *made = (struct join_entry){.node = at, .index = (uint32_t)j->n};
        if (node == UINT32_MAX || !content(t, node, &made->reference, &made->n)) {
            j->fault = made->index;
            err_set(e, "refers to no line");
            return RC_REJECT;
        }
        made->hash = XXH64(made->reference, made->n, 0);
        j->n++;
    }
    if (j->n > 1)
        qsort(j->entries, j->n, sizeof j->entries[0], compare);
    j->built = true;
    return RC_OK;
}

enum rc order_joined_take(struct order_joined *j, const struct json_tape *t, uint32_t node, const struct join_entry **first, size_t *n,
                          struct err *e)
{
    const char *wanted;
    uint32_t wanted_n;
    *n = 0;
    if (j->n == 0 || !content(t, node, &wanted, &wanted_n)) /* nothing was ever kept: no entries to point at */
        return RC_OK;
    uint64_t hash = XXH64(wanted, wanted_n, 0);
    size_t low = 0, high = j->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (j->entries[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    *first = j->entries + low;
    for (; low < j->n && j->entries[low].hash == hash; low++, ++*n) {
        struct join_entry *at = &j->entries[low];
        if (at->used || at->n != wanted_n || memcmp(at->reference, wanted, wanted_n) != 0) { /* 64 bits that collide: made on purpose */
            j->fault = at->index;
            err_set(e, "refers to more than one line");
            return RC_REJECT;
        }
        at->used = true;
    }
    return RC_OK;
}

enum rc order_joined_check(struct order_joined *j, struct err *e)
{
    for (size_t i = 0; j->built && i < j->n; i++)
        if (!j->entries[i].used) {
            j->fault = j->entries[i].index;
            err_set(e, "refers to a line that is not there");
            return RC_REJECT;
        }
    return RC_OK;
}
