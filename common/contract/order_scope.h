/* The members of a JSON object that a mapping wants: JSON Pointers are gathered once, then one pass over an object's keys finds all of them and
 * every key that stands there twice. Thread rule: one owner (the values are its scratch). */
#ifndef BRIDGE_CONTRACT_ORDER_SCOPE_H
#define BRIDGE_CONTRACT_ORDER_SCOPE_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/contract/json_tape.h"

enum { ORDER_SCOPE_SEEN = 64 };

#define ORDER_SCOPE_NONE UINT32_MAX        /* not there */
#define ORDER_SCOPE_TWICE (UINT32_MAX - 1) /* there more than once */

/* One step of a pointer; slots are shared by equal beginnings. */
struct order_key {
    const char *name; /* n bytes, unescaped */
    size_t n;
    const char *pointer; /* from the object to here */
    uint32_t slot;
    int64_t index; /* what the step means in an array; -1: nothing */
    struct order_keys *below;
    struct order_key *next;
    uint64_t begin[2], mask[2]; /* of the name, as far as 16 bytes hold it */
};

struct order_keys {
    struct order_key *first;
    struct order_key **table; /* open addressing, mask + 1 places */
    uint32_t mask;
    struct order_key *seen[ORDER_SCOPE_SEEN]; /* the keys of the object before, in its order: the next one is mostly the same; NULL: none that is wanted */
    uint64_t factor; /* of the hash: found so that no two keys want one place, if there is such a one */
};

struct order_scope {
    struct order_keys top;
    uint32_t slots;
    uint32_t *values; /* a node each, ORDER_SCOPE_NONE or ORDER_SCOPE_TWICE */
};

struct order_twice {
    const char *pointer;    /* NULL: nothing stands there twice */
    uint32_t first, second; /* bytes in the text where the two keys begin */
};

/* pointer: not "". Everything is taken from the arena. RC_REJECT: not a JSON Pointer. */
enum rc order_scope_add(struct order_scope *s, struct arena *a, const char *pointer, uint32_t *slot, struct err *e);
/* After the last order_scope_add. RC_FATAL: memory. */
enum rc order_scope_finish(struct order_scope *s, struct arena *a, struct err *e);
/* Fills values from the object at node. The first key that is there twice is told in *twice; the others are found all the same. */
void order_scope_find(struct order_scope *s, const struct json_tape *t, uint32_t node, struct order_twice *twice);

#endif
