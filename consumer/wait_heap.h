/* What waits for a moment, nearest first: a binary heap of nodes embedded in their owners. Pure; thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_WAIT_HEAP_H
#define BRIDGE_CONSUMER_WAIT_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wait_node {
    int64_t at;   /* ms */
    size_t place; /* index + 1; 0: does not wait */
};

struct wait_heap { /* zeroed before first use */
    struct wait_node **nodes;
    size_t n, cap;
};

/* Makes room for n nodes in all, so that wait_heap_add cannot fail. false: out of memory. */
bool wait_heap_reserve(struct wait_heap *h, size_t n);
void wait_heap_release(struct wait_heap *h);
/* node: not in the heap; room was reserved. */
void wait_heap_add(struct wait_heap *h, struct wait_node *node, int64_t at);
/* A node that does not wait is a no-op. */
void wait_heap_remove(struct wait_heap *h, struct wait_node *node);
/* NULL: nothing waits. */
struct wait_node *wait_heap_first(const struct wait_heap *h);

#endif
