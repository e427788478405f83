#include "common/contract/order_lines.h"

#include <string.h>

#include "common/contract/avro_put.h"

enum rc order_lines_field(const struct schema_node *record, const char *name, enum schema_kind kind, bool required,
                          const struct schema_field **out, struct err *e)
{
    *out = schema_field(record, name);
    if (*out == NULL && !required)
        return RC_OK;
    if (*out == NULL || avro_peek_behind_null((*out)->type)->kind != kind) {
        err_set(e, "record %s: field %s is %s", record->name, name, *out == NULL ? "missing" : "of another type");
        return RC_REJECT;
    }
    return RC_OK;
}

/* A field that is an array of records. */
static enum rc find_records(const struct schema_node *record, const char *name, const struct schema_field **out, const struct schema_node **inner,
                            struct err *e)
{
    enum rc rc = order_lines_field(record, name, SCHEMA_ARRAY, true, out, e);
    if (rc != RC_OK)
        return rc;
    *inner = avro_peek_behind_null((*out)->type)->branches[0];
    if ((*inner)->kind == SCHEMA_RECORD)
        return RC_OK;
    err_set(e, "field %s: not an array of records", name);
    return RC_REJECT;
}

enum rc order_lines_find(struct order_lines *l, const struct schema_node *order, struct err *e)
{
    l->order = order;
    enum rc rc = order_lines_field(order, "warehouse", SCHEMA_STRING, true, &l->warehouse, e);
    if (rc == RC_OK)
        rc = find_records(order, "items", &l->items, &l->item, e);
    if (rc == RC_OK)
        rc = find_records(l->item, "articles", &l->articles, &l->article, e);
    if (rc == RC_OK)
        rc = order_lines_field(l->article, "warehouse", SCHEMA_STRING, true, &l->article_warehouse, e);
    return rc;
}

static enum rc unchecked(struct err *e)
{
    err_set(e, "bytes that do not fit the schema");
    return RC_REJECT;
}

/* Steps over an article; *warehouse: its own, or the order's where it names none. */
static bool read_article(const struct order_lines *l, struct avro_cursor *c, struct avro_text own, struct avro_text *warehouse)
{
    *warehouse = own;
    for (size_t i = 0; i < l->article->count; i++) {
        const struct schema_field *f = &l->article->fields[i];
        struct avro_text named;
        if (f != l->article_warehouse) {
            if (!avro_walk_skip(f->type, c))
                return false;
            continue;
        }
        if (!avro_peek_text(f->type, c, &named))
            return false;
        if (named.p != NULL)
            *warehouse = named;
    }
    return true;
}

/* What one item has for whom. */
struct item_facts {
    size_t articles; /* all of them */
    size_t wanted;   /* those of the wanted warehouse */
    bool bad_name;   /* of a warehouse */
    bool nobodys;    /* something in it is issued by no warehouse */
};

/* What most orders' articles are: all of one warehouse. */
static bool is_the_only_one(const struct warehouse_set *s, struct avro_text name)
{
    return s->n == 1 && name.n < ORDER_WAREHOUSE_BYTES && memcmp(s->names[0], name.p, name.n) == 0 && s->names[0][name.n] == '\0';
}

static void deliver(struct warehouse_set *delivering, struct avro_text warehouse, struct item_facts *facts)
{
    if (warehouse.p == NULL)
        facts->nobodys = true;
    else if (delivering != NULL && !is_the_only_one(delivering, warehouse) && !warehouse_set_add(delivering, (const char *)warehouse.p, warehouse.n))
        facts->bad_name = true;
}

/* Steps over an item. delivering: takes the warehouses of its articles, or the order's when it has none; may be NULL. */
static bool scan_item(const struct order_lines *l, struct avro_cursor *c, struct avro_text own, struct avro_text wanted,
                      struct warehouse_set *delivering, struct item_facts *facts)
{
    *facts = (struct item_facts){0};
    for (size_t i = 0; i < l->item->count; i++) {
        const struct schema_field *f = &l->item->fields[i];
        struct avro_list articles;
        struct avro_text warehouse;
        if (f != l->articles) {
            if (!avro_walk_skip(f->type, c))
                return false;
            continue;
        }
        for (avro_list_begin(&articles, f->type, c); avro_list_more(&articles, c); facts->articles++) {
            if (!read_article(l, c, own, &warehouse))
                return false;
            facts->wanted += avro_text_equal(warehouse, wanted);
            deliver(delivering, warehouse, facts);
        }
        if (articles.broken)
            return false;
    }
    if (facts->articles == 0)
        deliver(delivering, own, facts);
    return true;
}

/* Its part has empty lists in the place of those that are null. */
static bool may_lack_a_list(const struct order_lines *l)
{
    return l->items->type->kind == SCHEMA_UNION || l->articles->type->kind == SCHEMA_UNION;
}

enum rc order_lines_deliver(const struct order_lines *l, const struct order_lines_at *at, struct warehouse_set *out, bool *undivided, struct err *e)
{
    struct avro_cursor c = at->items;
    bool nobodys = false;
    struct avro_list items;
    struct item_facts facts;
    for (avro_list_begin(&items, l->items->type, &c); avro_list_more(&items, &c);) {
        if (!scan_item(l, &c, at->own, (struct avro_text){0}, out, &facts))
            return unchecked(e);
        if (facts.bad_name) {
            err_set(e, "field items: name what is no warehouse, or too many");
            return RC_REJECT;
        }
        nobodys = nobodys || facts.nobodys;
    }
    *undivided = out->n == 1 && !nobodys && !may_lack_a_list(l);
    return items.broken ? unchecked(e) : RC_OK;
}

/* One warehouse's part being written. */
struct part {
    const struct order_lines *l;
    struct avro_text wanted, own; /* whose part; the order's own warehouse */
    struct buf *out;
};

static void put_since(const struct part *p, const unsigned char *from, const struct avro_cursor *c)
{
    buf_put(p->out, from, (size_t)(c->p - from));
}

/* An array is written even where it was null: what follows is its blocks. */
static void put_array(const struct part *p, const struct schema_node *type)
{
    if (type->kind == SCHEMA_UNION)
        avro_put_long(p->out, type->branches[0]->kind == SCHEMA_ARRAY ? 0 : 1);
}

/* How many are kept is known at the end only, so each kept one is a block of its own. */
static bool put_articles(const struct part *p, const struct schema_node *type, struct avro_cursor *c)
{
    struct avro_list articles;
    struct avro_text warehouse;
    put_array(p, type);
    for (avro_list_begin(&articles, type, c); avro_list_more(&articles, c);) {
        const unsigned char *from = c->p;
        if (!read_article(p->l, c, p->own, &warehouse))
            return false;
        if (!avro_text_equal(warehouse, p->wanted))
            continue;
        avro_put_long(p->out, 1);
        put_since(p, from, c);
    }
    avro_put_long(p->out, 0);
    return !articles.broken;
}

static bool put_item(const struct part *p, struct avro_cursor *c)
{
    for (size_t i = 0; i < p->l->item->count; i++) {
        const struct schema_field *f = &p->l->item->fields[i];
        const unsigned char *from = c->p;
        if (!(f == p->l->articles ? put_articles(p, f->type, c) : avro_walk_skip(f->type, c)))
            return false;
        if (f != p->l->articles)
            put_since(p, from, c);
    }
    return true;
}

static bool put_items(const struct part *p, const struct schema_node *type, struct avro_cursor *c)
{
    struct avro_list items;
    struct item_facts facts;
    put_array(p, type);
    for (avro_list_begin(&items, type, c); avro_list_more(&items, c);) {
        struct avro_cursor at = *c;
        if (!scan_item(p->l, c, p->own, p->wanted, NULL, &facts))
            return false;
        if (facts.wanted == 0 && (facts.articles > 0 || !avro_text_equal(p->own, p->wanted)))
            continue;
        avro_put_long(p->out, 1);
        if (!put_item(p, &at))
            return false;
    }
    avro_put_long(p->out, 0);
    return !items.broken;
}

static bool find_own(const struct order_lines *l, struct avro_cursor c, struct avro_text *out)
{
    for (size_t i = 0; i < l->order->count; i++) {
        if (&l->order->fields[i] == l->warehouse)
            return avro_peek_text(l->warehouse->type, &c, out);
        if (!avro_walk_skip(l->order->fields[i].type, &c))
            return false;
    }
    return false; /* order_lines_find demands the field */
}

enum rc order_lines_part(const struct order_lines *l, const unsigned char *avro, size_t n, const char *warehouse, struct buf *out, struct err *e)
{
    struct avro_cursor c = {avro, avro + n};
    struct part p = {.l = l, .wanted = {(const unsigned char *)warehouse, strlen(warehouse)}, .out = out};
    if (!find_own(l, c, &p.own))
        return unchecked(e);
    for (size_t i = 0; i < l->order->count; i++) {
        const struct schema_field *f = &l->order->fields[i];
        const unsigned char *from = c.p;
        if (!(f == l->items ? put_items(&p, f->type, &c) : avro_walk_skip(f->type, &c)))
            return unchecked(e);
        if (f != l->items)
            put_since(&p, from, &c);
    }
    if (!buf_failed(out))
        return RC_OK;
    err_set(e, out->no_memory ? "out of memory" : "one warehouse's part is larger than %zu bytes", out->max);
    return out->no_memory ? RC_FATAL : RC_REJECT;
}
