#include "common/contract/order_put.h"

#include "common/base/utf8.h"
#include "common/contract/decimal.h"

enum rc order_put_reject(struct order_walk *w, const char *pointer, const char *why)
{
    struct buf where;
    size_t from = w->path_n < ORDER_WALK_PATH ? w->path_n : ORDER_WALK_PATH, n = from;
    while (from > 0 && !w->path[from - 1].absolute)
        from--;
    buf_init(&where, 400); /* words longer than an err are of no use */
    for (size_t i = from > 0 ? from - 1 : 0; i < n; i++) {
        buf_put_text(&where, w->path[i].pointer);
        if (w->path[i].index != UINT32_MAX)
            buf_printf(&where, "/%u", (unsigned)w->path[i].index);
    }
    buf_put_text(&where, pointer);
    const char *text = buf_text(&where);
    err_set(w->e, "%s: %s", text == NULL || text[0] == '\0' ? "order" : text, why);
    buf_release(&where);
    return RC_REJECT;
}

static enum rc reject(struct order_walk *w, const char *why)
{
    return order_put_reject(w, "", why);
}

/* A text, or the exact text of a number where numbers are welcome. *why says what is wrong otherwise. */
bool order_put_take(struct order_walk *w, uint32_t node, const char **p, size_t *n, const char **why)
{
    const struct json_node *s = order_put_node(w, node);
    const char *start = w->tape->text + s->start;
    struct err e;
    if (s->type != JSON_TAPE_STRING) {
        *why = "must be a text";
        *p = start;
        *n = s->end - s->start;
        return s->type == JSON_TAPE_NUMBER;
    }
    if ((s->flags & JSON_TAPE_ESCAPED) != 0) {
        buf_reset(&w->scratch);
        *why = "bad UTF-8, a bad escape, a lone surrogate or U+0000 in a text";
        if (json_tape_string(w->tape, node, &w->scratch, &e) != RC_OK)
            return false;
        *p = (const char *)w->scratch.p;
        *n = w->scratch.n;
        return true;
    }
    *why = "bad UTF-8 in a text";
    *p = start + 1;
    *n = s->end - s->start - 2;
    return (s->flags & JSON_TAPE_FOREIGN) == 0 || utf8_check(*p, *n) == *n;
}

static enum rc put_text(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    const struct json_tape *t = w->tape;
    const char *p, *why;
    size_t n;
    if (!order_put_take(w, node, &p, &n, &why))
        return reject(w, why);
    bool in_text = (order_put_node(w, node)->flags & JSON_TAPE_ESCAPED) == 0;
    unsigned char *to = order_put_begin(w, v, 10 + n + ORDER_PUT_SLACK);
    if (to == NULL)
        return RC_OK;
    to = order_put_varint(to, (int64_t)n);
    return order_put_end(w, order_put_copy(to, p, n, in_text ? (size_t)(t->text + t->text_n - p) : 0));
}

static enum rc put_symbol(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    const char *p, *why;
    size_t n;
    if (!order_put_take(w, node, &p, &n, &why))
        return reject(w, why);
    for (size_t i = 0; i < v->symbols_n; i++)
        if (v->symbols[i].n == n && memcmp(v->symbols[i].text, p, n) == 0)
            return order_put_integral(w, v, v->symbols[i].index);
    return reject(w, "none of the values that the mapping knows");
}

static enum rc put_decimal(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    const char *p, *why;
    size_t n;
    decimal_t d;
    struct err e;
    if (!order_put_take(w, node, &p, &n, &why))
        return reject(w, "must be a number");
    if (decimal_parse(p, n, v->precision, v->scale, &d, &e) != RC_OK)
        return reject(w, e.text);
    unsigned char *to = order_put_begin(w, v, 1 + DECIMAL_BYTES);
    if (to == NULL)
        return RC_OK;
    n = decimal_to_bytes(d, to + 1);
    to[0] = (unsigned char)(n * 2); /* a length up to 16, zig-zag */
    return order_put_end(w, to + 1 + n);
}

static enum rc put_integer(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    int64_t number;
    struct err e;
    if (json_tape_integer(w->tape, node, &number, &e) != RC_OK)
        return reject(w, e.text);
    if (v->kind == ORDER_INT && (number < INT32_MIN || number > INT32_MAX))
        return reject(w, "not an integer of 32 bits");
    return order_put_integral(w, v, number);
}

static enum rc put_time(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    const char *p, *why;
    size_t n;
    int64_t number;
    int32_t days = 0;
    struct err e;
    if (order_put_node(w, node)->type != JSON_TAPE_STRING)
        return reject(w, "must be a text with a date");
    if (!order_put_take(w, node, &p, &n, &why))
        return reject(w, why);
    enum rc rc = v->kind == ORDER_MOMENT ? zone_parse_moment(w->zone, p, n, &number, &e) : zone_parse_date(p, n, &days, &e);
    if (rc != RC_OK)
        return reject(w, e.text);
    return order_put_integral(w, v, v->kind == ORDER_MOMENT ? number : days);
}

static enum rc put_boolean(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    enum json_type type = (enum json_type)order_put_node(w, node)->type;
    if (type != JSON_TAPE_TRUE && type != JSON_TAPE_FALSE)
        return reject(w, "must be true or false");
    order_put_branch(w, v);
    order_put_byte(w, type == JSON_TAPE_TRUE ? 1 : 0);
    return RC_OK;
}

enum rc order_put_any_scalar(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    switch (v->kind) {
    case ORDER_BOOLEAN:
        return put_boolean(w, v, node);
    case ORDER_INT:
    case ORDER_LONG:
        return put_integer(w, v, node);
    case ORDER_DATE:
    case ORDER_MOMENT:
        return put_time(w, v, node);
    case ORDER_DECIMAL:
        return put_decimal(w, v, node);
    case ORDER_TEXT:
        return put_text(w, v, node);
    case ORDER_ENUM:
        return put_symbol(w, v, node);
    case ORDER_RECORD:
    case ORDER_ARRAY:
        break;
    }
    return reject(w, "cannot be mapped");
}
