#include "common/contract/order_view.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_json.h"
#include "common/contract/avro_walk.h"
#include "common/contract/order_key.h"

enum role { ROLE_NONE, ORGANIZATION, ORDER_ID, REVISION, PUBLICATION, ROUND, WITHDRAWN, WAREHOUSE, ITEMS, WAREHOUSES, RAW, ROLES };

/* What the bridge itself reads of an order. Everything else is the user's to add, drop or rename. */
static const struct need {
    enum role role;
    const char *name;
    enum schema_kind kind;
    bool required;
} needs[] = {
    {ORGANIZATION, "organization", SCHEMA_STRING, true}, {ORDER_ID, "orderId", SCHEMA_LONG, true},
    {REVISION, "revision", SCHEMA_STRING, true},         {PUBLICATION, "publication", SCHEMA_LONG, true},
    {ROUND, "round", SCHEMA_LONG, true},                 {WITHDRAWN, "withdrawn", SCHEMA_BOOLEAN, false},
    {WAREHOUSE, "warehouse", SCHEMA_STRING, true},       {ITEMS, "items", SCHEMA_ARRAY, true},
    {WAREHOUSES, "warehouses", SCHEMA_ARRAY, true},      {RAW, "raw", SCHEMA_BYTES, false},
};

struct order_view {
    const struct schema_node *root, *item, *article;
    const struct schema_field *articles;          /* of item */
    const struct schema_field *article_warehouse; /* of article */
    unsigned char roles[];                        /* enum role of each field of root */
};

struct text {
    const unsigned char *p; /* borrowed, not terminated; NULL: null */
    size_t n;
};



/* The type behind ["null", T] or [T, "null"]. */
static const struct schema_node *behind_null(const struct schema_node *s)
{
    if (s->kind != SCHEMA_UNION || s->count != 2)
        return s;
    if (s->branches[0]->kind == SCHEMA_NULL)
        return s->branches[1];
    return s->branches[1]->kind == SCHEMA_NULL ? s->branches[0] : s;
}

/* *out NULL when a field that is not required is missing. */
static enum rc find_field(const struct schema_node *record, const char *name, enum schema_kind kind, bool required,
                          const struct schema_field **out, struct err *e)
{
    *out = schema_field(record, name);
    if (*out == NULL && !required)
        return RC_OK;
    if (*out == NULL || behind_null((*out)->type)->kind != kind) {
        err_set(e, "record %s: field %s is %s", record->name, name, *out == NULL ? "missing" : "of another type");
        return RC_REJECT;
    }
    return RC_OK;
}

static enum rc find_records(struct order_view *v, const struct schema_field *items, struct err *e)
{
    v->item = behind_null(items->type)->branches[0];
    if (v->item->kind != SCHEMA_RECORD) {
        err_set(e, "field items: not an array of records");
        return RC_REJECT;
    }
    enum rc rc = find_field(v->item, "articles", SCHEMA_ARRAY, true, &v->articles, e);
    if (rc != RC_OK)
        return rc;
    v->article = behind_null(v->articles->type)->branches[0];
    if (v->article->kind != SCHEMA_RECORD) {
        err_set(e, "field articles: not an array of records");
        return RC_REJECT;
    }
    return find_field(v->article, "warehouse", SCHEMA_STRING, true, &v->article_warehouse, e);
}

static enum rc find_roles(struct order_view *v, struct err *e)
{
    const struct schema_field *items = NULL;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        const struct schema_field *f;
        enum rc rc = find_field(v->root, needs[i].name, needs[i].kind, needs[i].required, &f, e);
        if (rc != RC_OK)
            return rc;
        if (f != NULL)
            v->roles[f - v->root->fields] = (unsigned char)needs[i].role;
        if (needs[i].role == ITEMS)
            items = f;
        if (needs[i].role == WAREHOUSES && behind_null(f->type)->branches[0]->kind != SCHEMA_STRING) {
            err_set(e, "field warehouses: not an array of strings");
            return RC_REJECT;
        }
    }
    return find_records(v, items, e);
}

enum rc order_view_create(const struct schema *writer, struct order_view **out, struct err *e)
{
    const struct schema_node *root = schema_root(writer);
    enum rc rc = RC_REJECT;
    struct order_view *v = NULL;
    if (root->kind != SCHEMA_RECORD) {
        err_set(e, "not a record");
        goto out;
    }
    v = calloc(1, sizeof *v + root->count);
    if (v == NULL) {
        rc = RC_FATAL;
        err_set(e, "out of memory");
        goto out;
    }
    v->root = root;
    rc = find_roles(v, e);
    if (rc != RC_OK)
        goto out;
    *out = v;
    v = NULL;
out:
    if (rc != RC_OK)
        err_prefix(e, "order schema");
    order_view_destroy(v);
    return rc;
}

void order_view_destroy(struct order_view *v)
{
    free(v);
}

/* Steps into the branch of a union; *type becomes the branch's. */
static bool enter(const struct schema_node **type, struct avro_cursor *c)
{
    int64_t branch;
    if ((*type)->kind != SCHEMA_UNION)
        return true;
    if (!avro_read_long(c, &branch) || branch < 0 || (uint64_t)branch >= (*type)->count)
        return false;
    *type = (*type)->branches[branch];
    return true;
}

static bool read_text(const struct schema_node *type, struct avro_cursor *c, struct text *out)
{
    *out = (struct text){0};
    if (!enter(&type, c))
        return false;
    return type->kind == SCHEMA_NULL || avro_read_bytes(c, &out->p, &out->n);
}

/* null reads as `none`. */
static bool read_long(const struct schema_node *type, struct avro_cursor *c, int64_t none, int64_t *out)
{
    *out = none;
    if (!enter(&type, c))
        return false;
    return type->kind == SCHEMA_NULL || avro_read_long(c, out);
}

static bool read_bool(const struct schema_node *type, struct avro_cursor *c, bool *out)
{
    *out = false;
    if (!enter(&type, c))
        return false;
    if (type->kind == SCHEMA_NULL)
        return true;
    if (c->p == c->end)
        return false;
    *out = *c->p++ != 0;
    return true;
}

/* The items of an array, null read as empty: for (list_begin(&l, type, c); list_more(&l, c);) the body steps over one item; then see l.broken.
 * The bytes have passed the walk, but no read trusts that. */
struct list {
    size_t min_item;
    uint64_t left;
    bool ended, broken;
};

static void list_begin(struct list *l, const struct schema_node *type, struct avro_cursor *c)
{
    *l = (struct list){0};
    l->broken = !enter(&type, c);
    l->ended = l->broken || type->kind == SCHEMA_NULL;
    if (!l->ended)
        l->min_item = type->branches[0]->min_bytes;
}

static bool list_more(struct list *l, struct avro_cursor *c)
{
    if (l->ended)
        return false;
    if (l->left == 0) {
        l->broken = !avro_read_block(c, l->min_item, &l->left);
        l->ended = l->broken || l->left == 0;
        if (l->ended)
            return false;
    }
    l->left--;
    return true;
}

/* Steps over an article; *warehouse: its own, or the order's where it names none. */
static bool read_article(const struct order_view *v, struct avro_cursor *c, struct text order, struct text *warehouse)
{
    *warehouse = order;
    for (size_t i = 0; i < v->article->count; i++) {
        const struct schema_field *f = &v->article->fields[i];
        struct text own;
        if (f != v->article_warehouse) {
            if (!avro_walk_skip(f->type, c))
                return false;
            continue;
        }
        if (!read_text(f->type, c, &own))
            return false;
        if (own.p != NULL)
            *warehouse = own;
    }
    return true;
}

static bool same_text(struct text a, struct text b)
{
    return a.p != NULL && b.p != NULL && a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* What one item has for whom. */
struct item_facts {
    size_t articles; /* all of them */
    size_t own;      /* those of warehouse `only` */
    bool bad_name;   /* of a warehouse */
};

static void deliver(struct warehouse_set *delivering, struct text warehouse, struct item_facts *facts)
{
    if (delivering != NULL && warehouse.p != NULL && !warehouse_set_add(delivering, (const char *)warehouse.p, warehouse.n))
        facts->bad_name = true;
}

/* Steps over an item. delivering: takes the warehouses of its articles, or the order's when it has none; may be NULL. */
static bool scan_item(const struct order_view *v, struct avro_cursor *c, struct text order, struct text only,
                      struct warehouse_set *delivering, struct item_facts *facts)
{
    *facts = (struct item_facts){0};
    for (size_t i = 0; i < v->item->count; i++) {
        const struct schema_field *f = &v->item->fields[i];
        struct list articles;
        struct text warehouse;
        if (f != v->articles) {
            if (!avro_walk_skip(f->type, c))
                return false;
            continue;
        }
        for (list_begin(&articles, f->type, c); list_more(&articles, c); facts->articles++) {
            if (!read_article(v, c, order, &warehouse))
                return false;
            facts->own += same_text(warehouse, only);
            deliver(delivering, warehouse, facts);
        }
        if (articles.broken)
            return false;
    }
    if (facts->articles == 0)
        deliver(delivering, order, facts);
    return true;
}

static enum rc reject(struct err *e, const char *name, const char *words)
{
    err_set(e, "field %s: %s", name, words);
    return RC_REJECT;
}

static enum rc unchecked(struct err *e)
{
    err_set(e, "bytes that do not fit the schema");
    return RC_REJECT;
}

static enum rc set_organization(struct order_head *out, struct text name, struct err *e)
{
    char key[ORDER_KEY_BYTES];
    if (name.p == NULL || name.n >= sizeof out->organization || memchr(name.p, '\0', name.n) != NULL)
        return reject(e, "organization", "is null, too long or holds U+0000");
    memcpy(out->organization, name.p, name.n);
    out->organization[name.n] = '\0';
    return order_key_format(key, out->organization, 1) > 0 ? RC_OK : reject(e, "organization", "is empty or holds a slash");
}

static enum rc set_revision(struct order_head *out, struct text revision, struct err *e)
{
    if (revision.p == NULL || revision.n != ORDER_REVISION_BYTES - 1)
        return reject(e, "revision", "is not 16 hex digits");
    memcpy(out->revision, revision.p, revision.n);
    out->revision[revision.n] = '\0';
    return strspn(out->revision, "0123456789abcdef") == revision.n ? RC_OK : reject(e, "revision", "is not 16 hex digits");
}

static enum rc read_warehouses(const struct schema_node *type, struct avro_cursor *c, struct warehouse_set *out, struct err *e)
{
    static const struct schema_node string = {.kind = SCHEMA_STRING};
    struct list names;
    struct text name;
    for (list_begin(&names, type, c); list_more(&names, c);) {
        if (!read_text(&string, c, &name))
            return unchecked(e);
        if (!warehouse_set_add(out, (const char *)name.p, name.n))
            return reject(e, "warehouses", "holds no warehouse's name, or too many");
    }
    return names.broken ? unchecked(e) : RC_OK;
}

/* Reads one field of the order, checked before, into the head; *warehouse is kept for later: the items may stand before it. */
static enum rc read_field(enum role role, const struct schema_node *type, struct avro_cursor *c, struct order_head *out,
                          struct text *warehouse, struct err *e)
{
    struct text text;
    switch (role) {
    case ORGANIZATION:
        return read_text(type, c, &text) ? set_organization(out, text, e) : unchecked(e);
    case REVISION:
        return read_text(type, c, &text) ? set_revision(out, text, e) : unchecked(e);
    case ORDER_ID:
        if (!read_long(type, c, 0, &out->order_id))
            return unchecked(e);
        return out->order_id > 0 ? RC_OK : reject(e, "orderId", "is null or not positive");
    case PUBLICATION:
        if (!read_long(type, c, -1, &out->publication))
            return unchecked(e);
        return out->publication >= 0 ? RC_OK : reject(e, "publication", "is null or negative");
    case ROUND:
        if (!read_long(type, c, -1, &out->round))
            return unchecked(e);
        return out->round >= 0 ? RC_OK : reject(e, "round", "is null or negative");
    case WITHDRAWN:
        return read_bool(type, c, &out->withdrawn) ? RC_OK : unchecked(e);
    case WAREHOUSE:
        return read_text(type, c, warehouse) ? RC_OK : unchecked(e);
    case WAREHOUSES:
        return read_warehouses(type, c, &out->warehouses, e);
    case RAW:
        if (!read_text(type, c, &text))
            return unchecked(e);
        out->raw = text.p;
        out->raw_n = text.n;
        return RC_OK;
    default:
        return RC_OK;
    }
}

static enum rc read_delivering(const struct order_view *v, const struct schema_node *type, struct avro_cursor c, struct text order,
                               struct order_head *out, struct err *e)
{
    struct list items;
    struct item_facts facts;
    for (list_begin(&items, type, &c); list_more(&items, &c);) {
        if (!scan_item(v, &c, order, (struct text){0}, &out->delivering, &facts))
            return unchecked(e);
        if (facts.bad_name)
            return reject(e, "items", "name what is no warehouse, or too many");
    }
    return items.broken ? unchecked(e) : RC_OK;
}

static void clear_head(struct order_head *h) /* not the sets' 8 KB of names */
{
    h->organization[0] = h->revision[0] = '\0';
    h->order_id = h->publication = h->round = 0;
    h->withdrawn = false;
    h->warehouses.n = h->delivering.n = h->raw_n = 0;
    h->raw = NULL;
}

enum rc order_view_head(const struct order_view *v, const unsigned char *avro, size_t n, struct order_head *out, struct err *e)
{
    static const unsigned char nothing;
    const unsigned char *begin = avro == NULL ? &nothing : avro;
    const struct schema_node *items_type = NULL;
    struct avro_cursor c = {begin, begin + (avro == NULL ? 0 : n)}, items = {0};
    struct text warehouse = {0};
    enum rc rc = RC_OK;
    clear_head(out);
    for (size_t i = 0; rc == RC_OK && i < v->root->count; i++) {
        const struct schema_field *f = &v->root->fields[i];
        struct avro_cursor at = c;
        if (v->roles[i] == ITEMS) {
            items_type = f->type;
            items = c;
        }
        rc = avro_walk_field(f, begin, &c, e);
        if (rc == RC_OK)
            rc = read_field((enum role)v->roles[i], f->type, &at, out, &warehouse, e);
    }
    if (rc == RC_OK && c.p != c.end) {
        err_set(e, "bytes are left over at byte %zu", (size_t)(c.p - begin));
        rc = RC_REJECT;
    }
    if (rc == RC_OK)
        rc = read_delivering(v, items_type, items, warehouse, out, e);
    if (rc != RC_OK)
        err_prefix(e, "order");
    return rc;
}

/* What is handed over: one warehouse's part. */
struct part {
    const struct order_view *v;
    struct text only, order; /* whose part; the order's own warehouse */
    struct buf *out;
    struct err *e;
};

static void print_name(struct buf *out, const char *name, bool *first)
{
    buf_put_text(out, *first ? "\"" : ",\"");
    buf_put_text(out, name);
    buf_put_text(out, "\":");
    *first = false;
}

static enum rc print_articles(const struct part *p, struct avro_cursor *c)
{
    struct list articles;
    struct text warehouse;
    bool first = true;
    buf_put_byte(p->out, '[');
    for (list_begin(&articles, p->v->articles->type, c); list_more(&articles, c);) {
        struct avro_cursor behind = *c;
        if (!read_article(p->v, &behind, p->order, &warehouse))
            return unchecked(p->e);
        if (same_text(warehouse, p->only)) {
            if (!first)
                buf_put_byte(p->out, ',');
            first = false;
            enum rc rc = avro_json_value(p->v->article, NULL, c, p->out, p->e);
            if (rc != RC_OK)
                return rc;
        }
        *c = behind;
    }
    buf_put_byte(p->out, ']');
    return articles.broken ? unchecked(p->e) : RC_OK;
}

static enum rc print_item(const struct part *p, struct avro_cursor *c)
{
    bool first = true;
    buf_put_byte(p->out, '{');
    for (size_t i = 0; i < p->v->item->count; i++) {
        const struct schema_field *f = &p->v->item->fields[i];
        print_name(p->out, f->name, &first);
        enum rc rc = f == p->v->articles ? print_articles(p, c) : avro_json_value(f->type, f, c, p->out, p->e);
        if (rc != RC_OK)
            return rc;
    }
    buf_put_byte(p->out, '}');
    return RC_OK;
}

static enum rc print_items(const struct part *p, const struct schema_node *type, struct avro_cursor *c)
{
    struct list items;
    struct item_facts facts;
    bool first = true;
    buf_put_byte(p->out, '[');
    for (list_begin(&items, type, c); list_more(&items, c);) {
        struct avro_cursor behind = *c;
        if (!scan_item(p->v, &behind, p->order, p->only, NULL, &facts))
            return unchecked(p->e);
        if (facts.own > 0 || (facts.articles == 0 && same_text(p->order, p->only))) {
            if (!first)
                buf_put_byte(p->out, ',');
            first = false;
            enum rc rc = print_item(p, c);
            if (rc != RC_OK)
                return rc;
        }
        *c = behind;
    }
    buf_put_byte(p->out, ']');
    return items.broken ? unchecked(p->e) : RC_OK;
}

static bool find_order_warehouse(const struct order_view *v, struct avro_cursor c, struct text *out)
{
    for (size_t i = 0; i < v->root->count; i++) {
        if (v->roles[i] == WAREHOUSE)
            return read_text(v->root->fields[i].type, &c, out);
        if (!avro_walk_skip(v->root->fields[i].type, &c))
            return false;
    }
    return false; /* order_view_create demands the field */
}

static enum rc print_order(const struct part *p, struct avro_cursor c)
{
    bool first = true;
    buf_put_byte(p->out, '{');
    for (size_t i = 0; i < p->v->root->count; i++) {
        const struct schema_field *f = &p->v->root->fields[i];
        if (p->v->roles[i] == RAW) {
            if (!avro_walk_skip(f->type, &c))
                return unchecked(p->e);
            continue;
        }
        print_name(p->out, f->name, &first);
        enum rc rc = p->v->roles[i] == ITEMS && p->only.p != NULL ? print_items(p, f->type, &c)
                                                                   : avro_json_value(f->type, f, &c, p->out, p->e);
        if (rc != RC_OK) {
            err_prefix(p->e, "field %s", f->name);
            return rc;
        }
    }
    buf_put_byte(p->out, '}');
    return RC_OK;
}

enum rc order_view_json(const struct order_view *v, const unsigned char *avro, size_t n, const char *only_warehouse, struct buf *out,
                        struct err *e)
{
    struct avro_cursor c = {avro, avro + n};
    struct part p = {.v = v, .out = out, .e = e};
    size_t before = out->n;
    enum rc rc = RC_REJECT;
    if (only_warehouse != NULL)
        p.only = (struct text){(const unsigned char *)only_warehouse, strlen(only_warehouse)};
    if (p.only.p != NULL && !find_order_warehouse(v, c, &p.order))
        (void)unchecked(e);
    else
        rc = print_order(&p, c);
    if (rc == RC_OK && buf_failed(out)) {
        rc = RC_REJECT;
        err_set(e, "the document is larger than %zu bytes", out->max);
    }
    if (rc != RC_OK) {
        out->n = before;
        err_prefix(e, "order");
    }
    return rc;
}
