/* The leaves of the walk: scalar values as Avro bytes, the way to them, and the words when they do not fit. Used by order_walk and order_encoder alone.
 * Thread rule: one owner. */
#ifndef BRIDGE_CONTRACT_ORDER_PUT_H
#define BRIDGE_CONTRACT_ORDER_PUT_H

#include <string.h>

#include "common/contract/order_walk.h"

/* A value that says something (order_put_says), of any kind but record and array. RC_REJECT: words are set. */
enum rc order_put_scalar(struct order_walk *w, const struct order_value *v, uint32_t node);
/* The characters of a text, or the exact text of a number; valid until the next one is taken. false: *why says what is wrong. */
bool order_put_take(struct order_walk *w, uint32_t node, const char **p, size_t *n, const char **why);

/* Sets the words of a rejection: where the walk is, then pointer, and why. Returns RC_REJECT. */
enum rc order_put_reject(struct order_walk *w, const char *pointer, const char *why);

static inline void order_put_push(struct order_walk *w, const char *pointer, uint32_t index, bool absolute)
{
    if (w->path_n < ORDER_WALK_PATH) /* a plan is not deep enough to pass it */
        w->path[w->path_n] = (struct walk_step){pointer, index, absolute};
    w->path_n++;
}

static inline void order_put_pop(struct order_walk *w)
{
    w->path_n--;
}

/* Room for n bytes at the end of the body; NULL: the order is too large, which is found at the end. */
static inline unsigned char *order_put_room(struct order_walk *w, size_t n)
{
    struct buf *b = &w->body;
    if (b->failed || (b->cap - b->n < n && !buf_reserve(b, n)))
        return NULL;
    return b->p + b->n;
}

static inline void order_put_byte(struct order_walk *w, unsigned char byte)
{
    unsigned char *p = order_put_room(w, 1);
    if (p == NULL)
        return;
    *p = byte;
    w->body.n++;
}

static inline void order_put_long(struct order_walk *w, int64_t v)
{
    unsigned char *p = order_put_room(w, 10);
    if (p == NULL)
        return;
    uint64_t z = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
    size_t n = 0;
    for (; z >= 0x80; z >>= 7)
        p[n++] = (unsigned char)(z | 0x80);
    p[n++] = (unsigned char)z;
    w->body.n += n;
}

static inline void order_put_bytes(struct order_walk *w, const void *from, size_t n)
{
    order_put_long(w, (int64_t)n);
    unsigned char *p = order_put_room(w, n);
    if (p == NULL || n == 0)
        return;
    memcpy(p, from, n);
    w->body.n += n;
}

static inline const struct json_node *order_put_node(const struct order_walk *w, uint32_t node)
{
    return &w->tape->nodes[node];
}

/* null and the empty string say nothing. */
static inline bool order_put_says(const struct order_walk *w, uint32_t node)
{
    return node < ORDER_SCOPE_TWICE && !json_tape_blank(w->tape, node);
}

#endif
