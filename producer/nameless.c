#include "producer/nameless.h"

#include <stdlib.h>
#include <uthash.h>

struct known {
    uint64_t hash;
    uint64_t poll; /* the last that showed it */
    UT_hash_handle hh;
};

struct nameless {
    struct known *all;
    uint64_t poll;
};

struct nameless *nameless_create(void)
{
    return calloc(1, sizeof(struct nameless));
}

static void drop(struct nameless *n, struct known *k)
{
    HASH_DEL(n->all, k);
    free(k);
}

void nameless_destroy(struct nameless *n)
{
    if (n == NULL)
        return;
    while (n->all != NULL)
        drop(n, n->all);
    free(n);
}

void nameless_poll(struct nameless *n)
{
    struct known *k, *next;
    HASH_ITER(hh, n->all, k, next)
    {
        if (k->poll < n->poll)
            drop(n, k);
    }
    n->poll++;
}

void nameless_poll_again(struct nameless *n)
{
    n->poll++;
}

static struct known *find(struct nameless *n, uint64_t hash)
{
    struct known *k;
    HASH_FIND(hh, n->all, &hash, sizeof hash, k);
    return k;
}

enum nameless_seen nameless_see(struct nameless *n, uint64_t hash)
{
    struct known *k = find(n, hash);
    if (k == NULL)
        return NAMELESS_NEWS;
    if (k->poll == n->poll)
        return NAMELESS_REPEATED;
    k->poll = n->poll;
    return NAMELESS_KNOWN;
}

void nameless_note(struct nameless *n, uint64_t hash)
{
    struct known *k = find(n, hash);
    if (k == NULL && HASH_COUNT(n->all) < NAMELESS_MAX && (k = calloc(1, sizeof *k)) != NULL) {
        k->hash = hash;
        HASH_ADD(hh, n->all, hash, sizeof k->hash, k);
    }
    if (k != NULL)
        k->poll = n->poll;
}
