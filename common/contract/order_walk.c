#include "common/contract/order_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_put.h"

#define NONE UINT32_MAX

static enum rc put_value(struct order_walk *w, const struct order_value *v, uint32_t node);
static enum rc put_record(struct order_walk *w, const struct order_record *r, uint32_t node);

enum rc order_walk_init(struct order_walk *w, struct order_plan *plan, struct err *e)
{
    *w = (struct order_walk){.plan = plan};
    buf_init(&w->body, ORDER_BYTES_MAX + ORDER_PUT_SLACK);
    buf_init(&w->scratch, ORDER_BYTES_MAX);
    w->ends = calloc(plan->order->fields_n + 1, sizeof *w->ends);
    w->joined = calloc(plan->joins + 1, sizeof *w->joined);
    if (w->ends != NULL && w->joined != NULL)
        return RC_OK;
    err_set(e, "out of memory");
    return RC_FATAL;
}

void order_walk_release(struct order_walk *w)
{
    for (size_t i = 0; w->joined != NULL && i < w->plan->joins; i++)
        order_joined_release(&w->joined[i]);
    free(w->joined);
    free(w->ends);
    buf_release(&w->body);
    buf_release(&w->scratch);
    order_plan_destroy(w->plan);
    *w = (struct order_walk){0};
}

static enum rc reject(struct order_walk *w, const char *why)
{
    return order_put_reject(w, "", why);
}

static enum rc count_elements(struct order_walk *w, size_t n)
{
    w->elements += n;
    return w->elements <= ORDER_ELEMENTS_MAX ? RC_OK : reject(w, "the order has more than 100000 lines, articles and other elements");
}

/* An empty array of anything but lines is as good as none; see put_elements for lines and articles. */
static enum rc put_array(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    if (order_put_node(w, node)->type != JSON_TAPE_ARRAY)
        return reject(w, "must be an array");
    uint32_t n = order_put_node(w, node)->count, child = node + 1;
    enum rc rc = count_elements(w, n);
    if (n > 0)
        order_put_long(w, n);
    for (uint32_t i = 0; rc == RC_OK && i < n; i++, child = order_put_node(w, child)->next) {
        order_put_push(w, "", i, false);
        rc = put_value(w, v->items, child);
        order_put_pop(w);
    }
    order_put_byte(w, 0);
    return rc;
}

/* A value that says something, and its branch. */
static enum rc put_present(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    if (v->kind != ORDER_RECORD && v->kind != ORDER_ARRAY)
        return order_put_scalar(w, v, node);
    order_put_branch(w, v);
    return v->kind == ORDER_RECORD ? put_record(w, v->record, node) : put_array(w, v, node);
}

/* An element of an array: there is no other place to look and no default. */
static enum rc put_value(struct order_walk *w, const struct order_value *v, uint32_t node)
{
    if (!order_put_says(w, node)) {
        if (!v->nullable)
            return reject(w, "empty where a value must be");
        order_put_byte(w, v->null_branch);
        return RC_OK;
    }
    return put_present(w, v, node);
}

static enum rc check_known(struct order_walk *w, const char *name)
{
    const struct warehouse_rules *r = w->rules;
    bool known = r->known_n == 0;
    for (size_t i = 0; !known && i < r->known_n; i++)
        known = strcmp(r->known[i], name) == 0;
    if (known)
        return RC_OK;
    char why[128];
    (void)snprintf(why, sizeof why, "warehouse %s is not one of those that warehouses.known lists", name); /* a name is short */
    return reject(w, why);
}

/* Something is to be delivered from there. */
static enum rc deliver(struct order_walk *w, const char *name)
{
    if (name[0] == '\0')
        return reject(w, "no warehouse found");
    if (warehouse_set_has(&w->warehouses, name))
        return RC_OK;
    if (!warehouse_set_add(&w->warehouses, name, strlen(name)))
        return reject(w, "more than 64 warehouses");
    return check_known(w, name);
}

static enum rc take_warehouse(struct order_walk *w, uint32_t node, char out[ORDER_WAREHOUSE_BYTES])
{
    const char *p, *why;
    size_t n;
    if (!order_put_take(w, node, &p, &n, &why))
        return reject(w, why);
    if (!warehouse_name_valid(p, n))
        return reject(w, "not a warehouse: 1 to 63 bytes without comma, slash and control characters");
    memcpy(out, p, n);
    out[n] = '\0';
    return RC_OK;
}

static void put_warehouse(struct order_walk *w, const struct order_field *f, const char *name)
{
    if (f->value.nullable)
        order_put_byte(w, name[0] != '\0' ? f->value.value_branch : f->value.null_branch);
    if (name[0] != '\0' || !f->value.nullable)
        order_put_bytes(w, name, strlen(name));
}

static inline const struct order_source *pick(const struct order_walk *w, const struct order_field *f, const struct order_scope *scope, uint32_t *node)
{
    for (size_t i = 0; i < f->sources_n; i++) {
        *node = f->sources[i].join == NULL ? scope->values[f->sources[i].slot] : NONE;
        if (order_put_says(w, *node))
            return &f->sources[i];
    }
    return NULL;
}

/* Its own, the channel's, the default; none is an answer too, as long as every article names one. */
static enum rc resolve_own(struct order_walk *w)
{
    const struct order_plan *p = w->plan;
    const struct warehouse_rules *r = w->rules;
    const char *name = r->initial != NULL ? r->initial : "";
    uint32_t node;
    int64_t channel;
    const struct order_source *s = p->warehouse != NULL ? pick(w, p->warehouse, p->order->scope, &node) : NULL;
    if (s == NULL && p->integration != NULL && order_walk_integer(w, p->integration, &channel))
        for (size_t i = 0; i < r->channels_n; i++)
            if (r->channels[i].integration_id == channel)
                name = r->channels[i].warehouse;
    order_put_push(w, p->warehouse != NULL ? p->warehouse->sources[0].pointer : "", NONE, false);
    enum rc rc = RC_OK;
    if (s != NULL) {
        w->path[w->path_n - 1].pointer = s->pointer;
        rc = take_warehouse(w, node, w->own);
    } else if (name[0] != '\0' && !warehouse_name_valid(name, strlen(name))) {
        rc = reject(w, "the configured warehouse is not a warehouse's name");
    } else {
        memcpy(w->own, name, strlen(name) + 1);
    }
    if (rc == RC_OK && w->own[0] != '\0')
        rc = check_known(w, w->own);
    order_put_pop(w);
    return rc;
}

static enum rc put_own_warehouse(struct order_walk *w, const struct order_field *f)
{
    if (w->own[0] == '\0' && (f->required || !f->value.nullable))
        return order_put_reject(w, f->sources[0].pointer, "no warehouse found");
    put_warehouse(w, f, w->own);
    return RC_OK;
}

static enum rc put_article_warehouse(struct order_walk *w, const struct order_field *f, const struct order_scope *scope)
{
    char name[ORDER_WAREHOUSE_BYTES];
    uint32_t node;
    const struct order_source *s = pick(w, f, scope, &node);
    order_put_push(w, s != NULL ? s->pointer : f->sources[0].pointer, NONE, false);
    enum rc rc = s != NULL ? take_warehouse(w, node, name) : RC_OK;
    const char *resolved = s != NULL ? name : w->own;
    if (rc == RC_OK)
        rc = deliver(w, resolved);
    if (rc == RC_OK)
        put_warehouse(w, f, resolved);
    order_put_pop(w);
    return rc;
}

/* A line or an article, and what it means for the warehouses. */
static enum rc put_element(struct order_walk *w, const struct order_field *f, uint32_t node)
{
    size_t before = w->articles;
    if (f->role == ORDER_ROLE_ARTICLES)
        w->articles++;
    enum rc rc = put_value(w, f->value.items, node);
    bool belongs_to_order = (f->role == ORDER_ROLE_ITEMS && w->articles == before) ||
                            (f->role == ORDER_ROLE_ARTICLES && !w->plan->article_warehouse);
    return rc == RC_OK && belongs_to_order ? deliver(w, w->own) : rc;
}

static enum rc put_children(struct order_walk *w, const struct order_field *f, uint32_t node)
{
    uint32_t n = order_put_node(w, node)->count, child = node + 1;
    enum rc rc = count_elements(w, n);
    if (n > 0)
        order_put_long(w, n);
    for (uint32_t i = 0; rc == RC_OK && i < n; i++, child = order_put_node(w, child)->next) {
        order_put_push(w, "", i, false);
        rc = put_element(w, f, child);
        order_put_pop(w);
    }
    order_put_byte(w, 0);
    return rc;
}

static enum rc build_join(struct order_walk *w, const struct order_join *join, uint32_t array)
{
    struct order_joined *j = &w->joined[join->number];
    struct err e;
    order_put_push(w, join->array, NONE, true);
    enum rc rc = RC_OK;
    if (order_put_node(w, array)->type != JSON_TAPE_ARRAY)
        rc = reject(w, "must be an array");
    else if (order_put_node(w, array)->count > ORDER_JOIN_MAX)
        rc = reject(w, "more than 100000 elements");
    else if ((rc = order_joined_build(j, w->tape, array, join->reference, &e)) == RC_REJECT) {
        w->path[w->path_n - 1].index = j->fault;
        rc = order_put_reject(w, join->reference, e.text);
    } else if (rc != RC_OK)
        err_set(w->e, "%s", e.text);
    order_put_pop(w);
    return rc;
}

/* The elements that refer to this record; *n = 0: none. */
static enum rc take_joined(struct order_walk *w, const struct order_join *join, const struct order_scope *scope,
                           const struct join_entry **first, size_t *n)
{
    struct order_joined *j = &w->joined[join->number];
    uint32_t array = w->plan->order->scope->values[join->array_slot], to = scope->values[join->to_slot];
    struct err e;
    *n = 0;
    if (!order_put_says(w, array))
        return RC_OK;
    enum rc rc = j->built ? RC_OK : build_join(w, join, array);
    if (rc != RC_OK || !order_put_says(w, to))
        return rc;
    if (order_joined_take(j, w->tape, to, first, n, &e) == RC_OK)
        return RC_OK;
    order_put_push(w, join->array, j->fault, true);
    rc = order_put_reject(w, join->reference, e.text);
    order_put_pop(w);
    return rc;
}

static enum rc put_joined(struct order_walk *w, const struct order_field *f, const struct order_join *join, const struct join_entry *first,
                          size_t n)
{
    enum rc rc = count_elements(w, n);
    order_put_long(w, (int64_t)n);
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        order_put_push(w, join->array, first[i].index, true);
        rc = put_element(w, f, first[i].node);
        order_put_pop(w);
    }
    order_put_byte(w, 0);
    return rc;
}

static enum rc check_joins(struct order_walk *w, const struct order_record *r);

static enum rc check_field_joins(struct order_walk *w, const struct order_field *f)
{
    enum rc rc = RC_OK;
    struct err e;
    for (size_t i = 0; rc == RC_OK && i < f->sources_n; i++) {
        const struct order_join *join = f->sources[i].join;
        if (join == NULL || order_joined_check(&w->joined[join->number], &e) == RC_OK)
            continue;
        order_put_push(w, join->array, w->joined[join->number].fault, true);
        rc = order_put_reject(w, join->reference, e.text);
        order_put_pop(w);
    }
    const struct order_value *v = f->value.kind == ORDER_ARRAY ? f->value.items : &f->value;
    return rc == RC_OK && f->sources_n > 0 && v->kind == ORDER_RECORD ? check_joins(w, v->record) : rc;
}

/* Nothing that stands beside the lines may be lost. */
static enum rc check_joins(struct order_walk *w, const struct order_record *r)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->fields_n; i++)
        rc = check_field_joins(w, &r->fields[i]);
    return rc;
}

static enum rc put_missing(struct order_walk *w, const struct order_field *f)
{
    if (f->role == ORDER_ROLE_ITEMS)
        return order_put_reject(w, f->sources[0].pointer, "no lines");
    if (f->required)
        return order_put_reject(w, f->sources[0].pointer, "missing");
    if (f->value.nullable)
        order_put_byte(w, f->value.null_branch);
    else if (f->initial != NULL) {
        unsigned char *p = order_put_room(w, f->initial_n);
        if (p != NULL && f->initial_n > 0) {
            memcpy(p, f->initial, f->initial_n);
            w->body.n += f->initial_n;
        }
    } else if (f->value.kind == ORDER_ARRAY)
        order_put_byte(w, 0);
    else
        return order_put_reject(w, f->sources[0].pointer, "missing");
    return RC_OK;
}

/* An array from the first source that has elements. An empty one says nothing: the next source may have them. */
static enum rc put_array_field(struct order_walk *w, const struct order_field *f, const struct order_scope *scope)
{
    for (size_t i = 0; i < f->sources_n; i++) {
        const struct order_source *s = &f->sources[i];
        const struct join_entry *first = NULL;
        size_t n = 0;
        uint32_t node = s->join == NULL ? scope->values[s->slot] : NONE;
        enum rc rc = s->join != NULL ? take_joined(w, s->join, scope, &first, &n) : RC_OK;
        if (rc != RC_OK)
            return rc;
        if (s->join != NULL ? n == 0 : !order_put_says(w, node))
            continue;
        if (s->join == NULL && order_put_node(w, node)->type != JSON_TAPE_ARRAY)
            return order_put_reject(w, s->pointer, "must be an array");
        if (s->join == NULL && order_put_node(w, node)->count == 0)
            continue;
        order_put_branch(w, &f->value);
        if (s->join != NULL)
            return put_joined(w, f, s->join, first, n);
        order_put_push(w, s->pointer, NONE, false);
        rc = f->role != ORDER_ROLE_NONE ? put_children(w, f, node) : put_array(w, &f->value, node);
        order_put_pop(w);
        return rc;
    }
    return put_missing(w, f);
}

/* Whether any field of a record that is made of its surroundings' object has a value there. */
static bool has_value(const struct order_walk *w, const struct order_record *r)
{
    uint32_t node;
    for (size_t i = 0; i < r->fields_n; i++) {
        const struct order_field *f = &r->fields[i];
        if (f->same ? has_value(w, f->value.record) : pick(w, f, r->scope, &node) != NULL)
            return true;
    }
    return false;
}

static enum rc put_same(struct order_walk *w, const struct order_field *f, uint32_t node)
{
    if (f->value.nullable) {
        bool there = has_value(w, f->value.record);
        if (!there)
            return put_missing(w, f);
        order_put_byte(w, f->value.value_branch);
    }
    return put_record(w, f->value.record, node);
}

static inline enum rc put_scalar_field(struct order_walk *w, const struct order_field *f, const struct order_scope *scope)
{
    uint32_t node;
    const struct order_source *s = pick(w, f, scope, &node);
    if (s == NULL)
        return put_missing(w, f);
    order_put_push(w, s->pointer, NONE, false);
    enum rc rc = order_put_scalar(w, &f->value, node);
    order_put_pop(w);
    return rc;
}

static enum rc put_record_field(struct order_walk *w, const struct order_field *f, const struct order_scope *scope)
{
    uint32_t node;
    const struct order_source *s = pick(w, f, scope, &node);
    if (s == NULL)
        return put_missing(w, f);
    order_put_branch(w, &f->value);
    order_put_push(w, s->pointer, NONE, false);
    enum rc rc = put_record(w, f->value.record, node);
    order_put_pop(w);
    return rc;
}

static enum rc put_other_field(struct order_walk *w, const struct order_field *f, const struct order_scope *scope, uint32_t node)
{
    switch (f->shape) {
    case ORDER_SHAPE_HOLE:
        return RC_OK;
    case ORDER_SHAPE_DEFAULT:
        return put_missing(w, f);
    case ORDER_SHAPE_SAME:
        return put_same(w, f, node);
    case ORDER_SHAPE_WAREHOUSE:
        return put_own_warehouse(w, f);
    case ORDER_SHAPE_ARTICLE_WAREHOUSE:
        return put_article_warehouse(w, f, scope);
    case ORDER_SHAPE_ARRAY:
        return put_array_field(w, f, scope);
    case ORDER_SHAPE_RECORD:
        return put_record_field(w, f, scope);
    case ORDER_SHAPE_SCALAR:
        return put_scalar_field(w, f, scope);
    }
    return reject(w, "cannot be mapped");
}

static inline enum rc put_field(struct order_walk *w, const struct order_field *f, const struct order_scope *scope, uint32_t node)
{
    return f->shape == ORDER_SHAPE_SCALAR ? put_scalar_field(w, f, scope) : put_other_field(w, f, scope, node);
}

static enum rc bind(struct order_walk *w, const struct order_record *r, uint32_t node)
{
    struct order_twice twice;
    if (order_put_node(w, node)->type != JSON_TAPE_OBJECT)
        return reject(w, "must be an object");
    order_scope_find(r->scope, w->tape, node, &twice);
    if (twice.pointer == NULL)
        return RC_OK;
    uint32_t start = order_put_node(w, w->order)->start;
    char why[80];
    (void)snprintf(why, sizeof why, "there twice, at bytes %u and %u of the order", (unsigned)(twice.first - start),
                   (unsigned)(twice.second - start)); /* two numbers fit */
    return order_put_reject(w, twice.pointer, why);
}

static enum rc put_record(struct order_walk *w, const struct order_record *r, uint32_t node)
{
    enum rc rc = r->own_scope ? bind(w, r, node) : RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->fields_n; i++)
        rc = put_field(w, &r->fields[i], r->scope, node);
    return rc;
}

enum rc order_walk_begin(struct order_walk *w, const struct json_tape *t, uint32_t order, struct err *e)
{
    w->tape = t;
    w->order = order;
    w->e = e;
    w->path_n = 0;
    w->elements = w->articles = 0;
    w->own[0] = '\0';
    w->warehouses.n = 0;
    buf_reset(&w->body);
    for (size_t i = 0; i < w->plan->joins; i++)
        w->joined[i].built = false;
    return bind(w, w->plan->order, order);
}

bool order_walk_integer(const struct order_walk *w, const struct order_field *f, int64_t *out)
{
    uint32_t node;
    struct err e;
    return pick(w, f, w->plan->order->scope, &node) != NULL && json_tape_integer(w->tape, node, out, &e) == RC_OK;
}

enum rc order_walk_encode(struct order_walk *w, int64_t order_id)
{
    const struct order_record *r = w->plan->order;
    enum rc rc = resolve_own(w);
    for (size_t i = 0; rc == RC_OK && i < r->fields_n; i++) {
        if (r->fields[i].role == ORDER_ROLE_ID)
            order_put_long(w, order_id);
        else
            rc = put_field(w, &r->fields[i], r->scope, w->order);
        w->ends[i] = w->body.n;
    }
    bool joined = false;
    for (size_t i = 0; i < w->plan->joins; i++)
        joined = joined || w->joined[i].built;
    if (rc == RC_OK && joined)
        rc = check_joins(w, r);
    if (rc == RC_OK && (buf_failed(&w->body) || w->body.n > ORDER_BYTES_MAX))
        return reject(w, "larger than 16 MB as a record");
    return rc;
}
