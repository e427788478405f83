/* Elements of an array that stands beside the lines, found by the line they refer to. Built in one pass and a sort, so a hostile page cannot make it
 * quadratic. References are compared as they are written (1 equals "1"). Nothing may be lost or doubled: every element belongs to exactly one line.
 * Thread rule: one owner. */
#ifndef BRIDGE_CONTRACT_ORDER_JOIN_H
#define BRIDGE_CONTRACT_ORDER_JOIN_H

#include "common/base/err.h"
#include "common/contract/json_tape.h"

enum { ORDER_JOIN_MAX = 100000 };

struct join_entry {
    uint64_t hash;
    const char *reference; /* n bytes in the text */
    uint32_t n;
    uint32_t node, index; /* of the element */
    bool used;
};

struct order_joined {
    struct join_entry *entries; /* n of cap, sorted by hash and index; owned */
    size_t n, cap;
    bool built; /* for the order at hand */
    uint32_t fault; /* element that the words are about */
};

void order_joined_release(struct order_joined *j);
/* array: node of an array of at most ORDER_JOIN_MAX elements. reference: JSON Pointer in an element. RC_REJECT: fault is set, words say why. */
enum rc order_joined_build(struct order_joined *j, const struct json_tape *t, uint32_t array, const char *reference, struct err *e);
/* The elements that refer to the value at node: *n entries, in the order of the array. They count as used. RC_REJECT: used already. */
enum rc order_joined_take(struct order_joined *j, const struct json_tape *t, uint32_t node, const struct join_entry **first, size_t *n,
                          struct err *e);
/* RC_REJECT: an element that nobody took; fault is set. */
enum rc order_joined_check(struct order_joined *j, struct err *e);

#endif
