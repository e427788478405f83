#include "common/contract/order_view.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_json.h"
#include "common/contract/order_key.h"
#include "common/contract/order_lines.h"
#include "common/contract/publication.h"
#include "common/contract/resolution.h"

enum { WORK_BYTES = 64 << 20, KEEP_BYTES = 1 << 20 };

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

/* An order on its way to the document, by turns. */
struct work {
    struct resolution *resolution; /* to the view's schema; NULL: there is none */
    struct buf part, seen;         /* one warehouse's part; the order as the view has it */
};

struct order_view {
    const struct schema_node *root, *seen; /* the writer's record; the view's, NULL: none */
    struct order_lines lines;
    struct work *work;
    unsigned char roles[]; /* enum role of each field of root */
};

static enum rc find_roles(struct order_view *v, struct err *e)
{
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        const struct schema_field *f;
        enum rc rc = order_lines_field(v->root, needs[i].name, needs[i].kind, needs[i].required, &f, e);
        if (rc != RC_OK)
            return rc;
        if (f != NULL)
            v->roles[f - v->root->fields] = (unsigned char)needs[i].role;
        if (needs[i].role == WAREHOUSES && avro_peek_behind_null(f->type)->branches[0]->kind != SCHEMA_STRING) {
            err_set(e, "field warehouses: not an array of strings");
            return RC_REJECT;
        }
    }
    return order_lines_find(&v->lines, v->root, e);
}

static struct order_view *view_new(const struct schema_node *root)
{
    struct order_view *v = calloc(1, sizeof *v + root->count);
    struct work *w = calloc(1, sizeof *w);
    if (v == NULL || w == NULL) {
        free(v);
        free(w);
        return NULL;
    }
    buf_init(&w->part, WORK_BYTES);
    buf_init(&w->seen, WORK_BYTES);
    v->root = root;
    v->work = w;
    return v;
}

static enum rc take_view(struct order_view *v, const struct schema *writer, const struct schema *view, struct err *e)
{
    if (view == NULL)
        return RC_OK;
    v->seen = schema_root(view);
    enum rc rc = resolution_compile(writer, view, &v->work->resolution, e);
    if (rc == RC_OK)
        return RC_OK;
    err_prefix(e, "view");
    return RC_FATAL; /* the order is not to blame */
}

enum rc order_view_create_for(const struct schema *writer, const struct schema *view, struct order_view **out, struct err *e)
{
    const struct schema_node *root = schema_root(writer);
    enum rc rc = RC_REJECT;
    struct order_view *v = NULL;
    if (root->kind != SCHEMA_RECORD) {
        err_set(e, "not a record");
        goto out;
    }
    v = view_new(root);
    if (v == NULL) {
        rc = RC_FATAL;
        err_set(e, "out of memory");
        goto out;
    }
    rc = find_roles(v, e);
    if (rc == RC_OK)
        rc = take_view(v, writer, view, e);
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

enum rc order_view_create(const struct schema *writer, struct order_view **out, struct err *e)
{
    return order_view_create_for(writer, NULL, out, e);
}

void order_view_destroy(struct order_view *v)
{
    if (v == NULL)
        return;
    resolution_destroy(v->work->resolution);
    buf_release(&v->work->part);
    buf_release(&v->work->seen);
    free(v->work);
    free(v);
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

static enum rc set_organization(struct order_head *out, struct avro_text name, struct err *e)
{
    char key[ORDER_KEY_BYTES];
    if (name.p == NULL || name.n >= sizeof out->organization || memchr(name.p, '\0', name.n) != NULL)
        return reject(e, "organization", "is null, too long or holds U+0000");
    memcpy(out->organization, name.p, name.n);
    out->organization[name.n] = '\0';
    return order_key_format(key, out->organization, 1) > 0 ? RC_OK : reject(e, "organization", "is empty or holds a slash");
}

static enum rc set_revision(struct order_head *out, struct avro_text revision, struct err *e)
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
    struct avro_list names;
    struct avro_text name;
    for (avro_list_begin(&names, type, c); avro_list_more(&names, c);) {
        if (!avro_peek_text(&string, c, &name))
            return unchecked(e);
        if (!warehouse_set_add(out, (const char *)name.p, name.n))
            return reject(e, "warehouses", "holds no warehouse's name, or too many");
    }
    return names.broken ? unchecked(e) : RC_OK;
}

/* Reads one field of the order, checked before, into the head; *warehouse is kept for later: the items may stand before it. */
static enum rc read_field(enum role role, const struct schema_node *type, struct avro_cursor *c, struct order_head *out,
                          struct avro_text *warehouse, struct err *e)
{
    struct avro_text text;
    switch (role) {
    case ORGANIZATION:
        return avro_peek_text(type, c, &text) ? set_organization(out, text, e) : unchecked(e);
    case REVISION:
        return avro_peek_text(type, c, &text) ? set_revision(out, text, e) : unchecked(e);
    case ORDER_ID:
        if (!avro_peek_long(type, c, 0, &out->order_id))
            return unchecked(e);
        return out->order_id > 0 ? RC_OK : reject(e, "orderId", "is null or not positive");
    case PUBLICATION:
        if (!avro_peek_long(type, c, -1, &out->publication))
            return unchecked(e);
        return publication_possible(out->publication) ? RC_OK : reject(e, "publication", "is null, negative or beyond the year 9999");
    case ROUND:
        if (!avro_peek_long(type, c, -1, &out->round))
            return unchecked(e);
        return publication_possible(out->round) ? RC_OK : reject(e, "round", "is null, negative or beyond the year 9999");
    case WITHDRAWN:
        return avro_peek_bool(type, c, &out->withdrawn) ? RC_OK : unchecked(e);
    case WAREHOUSE:
        return avro_peek_text(type, c, warehouse) ? RC_OK : unchecked(e);
    case WAREHOUSES:
        return read_warehouses(type, c, &out->warehouses, e);
    case RAW:
        if (!avro_peek_text(type, c, &text))
            return unchecked(e);
        out->raw = text.p;
        out->raw_n = text.n;
        return RC_OK;
    default:
        return RC_OK;
    }
}

static void clear_head(struct order_head *h) /* not the sets' 8 KB of names */
{
    h->organization[0] = h->revision[0] = '\0';
    h->order_id = h->publication = h->round = 0;
    h->withdrawn = h->undivided = false;
    h->warehouses.n = h->delivering.n = h->raw_n = 0;
    h->raw = NULL;
}

enum rc order_view_head(const struct order_view *v, const unsigned char *avro, size_t n, struct order_head *out, struct err *e)
{
    static const unsigned char nothing;
    const unsigned char *begin = avro == NULL ? &nothing : avro;
    struct avro_cursor c = {begin, begin + (avro == NULL ? 0 : n)};
    struct order_lines_at lines = {0};
    enum rc rc = RC_OK;
    clear_head(out);
    for (size_t i = 0; rc == RC_OK && i < v->root->count; i++) {
        const struct schema_field *f = &v->root->fields[i];
        struct avro_cursor at = c;
        if (v->roles[i] == ITEMS)
            lines.items = c;
        rc = avro_walk_field(f, begin, &c, e);
        if (rc == RC_OK)
            rc = read_field((enum role)v->roles[i], f->type, &at, out, &lines.own, e);
    }
    if (rc == RC_OK && c.p != c.end) {
        err_set(e, "bytes are left over at byte %zu", (size_t)(c.p - begin));
        rc = RC_REJECT;
    }
    if (rc == RC_OK)
        rc = order_lines_deliver(&v->lines, &lines, &out->delivering, &out->undivided, e);
    if (rc != RC_OK)
        err_prefix(e, "order");
    return rc;
}

/* The writer's own record: without the raw bytes. */
static enum rc print_order(const struct order_view *v, struct avro_cursor c, struct buf *out, struct err *e)
{
    bool first = true;
    buf_put_byte(out, '{');
    for (size_t i = 0; i < v->root->count; i++) {
        const struct schema_field *f = &v->root->fields[i];
        if (v->roles[i] == RAW) {
            if (!avro_walk_skip(f->type, &c))
                return unchecked(e);
            continue;
        }
        if (!first)
            buf_put_byte(out, ',');
        first = false;
        avro_json_name(f, out);
        enum rc rc = avro_json_value(f->type, f, &c, out, e);
        if (rc != RC_OK) {
            err_prefix(e, "field %s", f->name);
            return rc;
        }
    }
    buf_put_byte(out, '}');
    return RC_OK;
}

static struct avro_cursor cursor_of(const struct buf *b)
{
    static const unsigned char nothing;
    return b->p == NULL ? (struct avro_cursor){&nothing, &nothing} : (struct avro_cursor){b->p, b->p + b->n};
}

/* What is left of the order for this warehouse and in this view, as Avro; *c: there. */
static enum rc select_part(const struct order_view *v, const char *only_warehouse, struct avro_cursor *c, struct err *e)
{
    struct work *w = v->work;
    enum rc rc = RC_OK;
    if (only_warehouse != NULL) { /* by the writer's fields: the view may have dropped those that decide */
        buf_reset(&w->part);
        rc = order_lines_part(&v->lines, c->p, (size_t)(c->end - c->p), only_warehouse, &w->part, e);
        *c = cursor_of(&w->part);
    }
    if (rc == RC_OK && v->seen != NULL) {
        buf_reset(&w->seen);
        rc = resolution_run(w->resolution, c->p, (size_t)(c->end - c->p), &w->seen, e);
        *c = cursor_of(&w->seen);
        if (rc == RC_REJECT)
            err_prefix(e, "view");
    }
    return rc;
}

static void shrink(struct buf *b) /* one huge order is no reason to hold its memory for ever */
{
    if (b->cap > KEEP_BYTES)
        buf_release(b);
}

enum rc order_view_json(const struct order_view *v, const unsigned char *avro, size_t n, const char *only_warehouse, struct buf *out,
                        struct err *e)
{
    struct avro_cursor c = {avro, avro + n};
    size_t before = out->n;
    enum rc rc = select_part(v, only_warehouse, &c, e);
    if (rc == RC_OK)
        rc = v->seen != NULL ? avro_json_value(v->seen, NULL, &c, out, e) : print_order(v, c, out, e);
    if (rc == RC_OK && buf_failed(out)) {
        rc = out->no_memory ? RC_FATAL : RC_REJECT;
        err_set(e, out->no_memory ? "out of memory" : "the document is larger than %zu bytes", out->max);
    }
    if (rc != RC_OK) {
        out->n = before;
        err_prefix(e, "order");
    }
    shrink(&v->work->part);
    shrink(&v->work->seen);
    return rc;
}
