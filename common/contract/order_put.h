/* The leaves of the walk: scalar values as Avro bytes, the way to them, and the words when they do not fit. Used by order_walk and order_encoder alone.
 * Thread rule: one owner. */
#ifndef BRIDGE_CONTRACT_ORDER_PUT_H
#define BRIDGE_CONTRACT_ORDER_PUT_H

#include <string.h>

#include "common/contract/decimal.h"
#include "common/contract/order_walk.h"

/* More room than a text needs is asked for, so that it may be copied in steps. */
enum { ORDER_PUT_SLACK = 64 };

/* As order_put_scalar. */
enum rc order_put_any_scalar(struct order_walk *w, const struct order_value *v, uint32_t node);
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

/* Up to 10 bytes; returns behind them. */
static inline unsigned char *order_put_varint(unsigned char *to, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
    for (; z >= 0x80; z >>= 7)
        *to++ = (unsigned char)(z | 0x80);
    *to++ = (unsigned char)z;
    return to;
}

static inline void order_put_long(struct order_walk *w, int64_t v)
{
    unsigned char *to = order_put_room(w, 10);
    if (to != NULL)
        w->body.n = (size_t)(order_put_varint(to, v) - w->body.p);
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

static inline void order_put_branch(struct order_walk *w, const struct order_value *v)
{
    if (v->nullable)
        order_put_byte(w, v->value_branch);
}

/* null and the empty string say nothing. */
static inline bool order_put_says(const struct order_walk *w, uint32_t node)
{
    return node < ORDER_SCOPE_TWICE && !json_tape_blank(w->tape, node);
}

/* Room for a value of n bytes and its branch, which is written; NULL: see order_put_room. */
static inline unsigned char *order_put_begin(struct order_walk *w, const struct order_value *v, size_t n)
{
    unsigned char *to = order_put_room(w, n + 1);
    if (to == NULL)
        return NULL;
    *to = v->value_branch; /* overwritten where there is none */
    return to + (v->nullable ? 1 : 0);
}

static inline enum rc order_put_end(struct order_walk *w, const unsigned char *to)
{
    w->body.n = (size_t)(to - w->body.p);
    return RC_OK;
}

/* Most texts are short: 16 or 32 bytes are copied at once where they are there to be read. to has as much room and ORDER_PUT_SLACK more. */
static inline unsigned char *order_put_copy(unsigned char *to, const char *from, size_t n, size_t readable)
{
    if (n <= 16 && readable >= 16) {
        memcpy(to, from, 16);
    } else if (n <= 32 && readable >= 32) {
        memcpy(to, from, 32);
    } else if (n > 0) {
        memcpy(to, from, n);
    }
    return to + n;
}

static inline enum rc order_put_integral(struct order_walk *w, const struct order_value *v, int64_t number)
{
    unsigned char *to = order_put_begin(w, v, 10);
    return to == NULL ? RC_OK : order_put_end(w, order_put_varint(to, number));
}

/* The values that orders are full of: texts in ASCII without escapes, plain numbers. false: order_put_any_scalar must see it. */
static inline bool order_put_common(struct order_walk *w, const struct order_value *v, const struct json_node *s)
{
    const char *p = w->tape->text + s->start;
    size_t n = s->end - s->start;
    int64_t number;
    unsigned char *to;
    if (s->type == JSON_TAPE_STRING && v->kind == ORDER_TEXT && s->flags == 0) {
        n -= 2;
        to = order_put_begin(w, v, 10 + n + ORDER_PUT_SLACK);
        if (to != NULL)
            (void)order_put_end(w, order_put_copy(order_put_varint(to, (int64_t)n), p + 1, n, w->tape->text_n - (s->start + 1)));
        return true;
    }
    if (s->type != JSON_TAPE_NUMBER)
        return false;
    if (v->kind == ORDER_DECIMAL && decimal_parse_few(p, n, v->precision, v->scale, &number)) {
        to = order_put_begin(w, v, 1 + DECIMAL_BYTES);
        if (to != NULL) {
            n = decimal_to_bytes(number, to + 1);
            to[0] = (unsigned char)(n * 2); /* a length up to 16, zig-zag */
            (void)order_put_end(w, to + 1 + n);
        }
        return true;
    }
    return v->kind == ORDER_LONG && decimal_parse_few(p, n, 18, 0, &number) && order_put_integral(w, v, number) == RC_OK;
}

/* A value that says something (order_put_says), of any kind but record and array, with its branch. RC_REJECT: words are set. */
static inline enum rc order_put_scalar(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    return order_put_common(w, v, order_put_node(w, node)) ? RC_OK : order_put_any_scalar(w, v, node);
}

#endif
