#include "consumer/wait_heap.h"

#include <stdlib.h>

bool wait_heap_reserve(struct wait_heap *h, size_t n)
{
    if (n <= h->cap)
        return true;
    size_t cap = h->cap == 0 ? 64 : h->cap;
    while (cap < n)
        cap *= 2;
    struct wait_node **more = realloc(h->nodes, cap * sizeof(struct wait_node *));
    if (more == NULL)
        return false;
    h->nodes = more;
    h->cap = cap;
    return true;
}

void wait_heap_release(struct wait_heap *h)
{
    free(h->nodes);
    *h = (struct wait_heap){0};
}

static void put(struct wait_heap *h, size_t i, struct wait_node *node)
{
    h->nodes[i] = node;
    node->place = i + 1;
}

static void rise(struct wait_heap *h, size_t i, struct wait_node *node)
{
    while (i > 0 && h->nodes[(i - 1) / 2]->at > node->at) {
        put(h, i, h->nodes[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, node);
}

static void sink(struct wait_heap *h, size_t i, struct wait_node *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < h->n && h->nodes[child + 1]->at < h->nodes[child]->at)
            child++;
        if (child >= h->n || h->nodes[child]->at >= node->at)
            break;
        put(h, i, h->nodes[child]);
        i = child;
    }
    put(h, i, node);
}

void wait_heap_add(struct wait_heap *h, struct wait_node *node, int64_t at)
{
    node->at = at;
    rise(h, h->n++, node);
}

void wait_heap_remove(struct wait_heap *h, struct wait_node *node)
{
    if (node->place == 0)
        return;
    size_t i = node->place - 1;
    struct wait_node *last = h->nodes[--h->n];
    node->place = 0;
    if (last == node)
        return;
    if (i > 0 && h->nodes[(i - 1) / 2]->at > last->at)
        rise(h, i, last);
    else
        sink(h, i, last);
}

struct wait_node *wait_heap_first(const struct wait_heap *h)
{
    return h->n > 0 ? h->nodes[0] : NULL;
}
