#include "common/contract/order_plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_default.h"

enum { DEFAULT_BYTES_MAX = 65536 };

/* Where in the schema the compiler stands. */
struct place {
    struct order_record *record; /* being compiled */
    unsigned depth;
    bool root, in_items, in_articles; /* the record's fields are the order's, a line's, an article's */
};

struct compiler {
    struct order_plan *plan;
    struct order_scope *root; /* of the order's object */
    size_t fields;
    struct err *e;
};

static enum rc compile_record(struct compiler *c, const struct schema_node *type, struct place at, struct order_scope *shared,
                              const struct order_record **out);

static enum rc refuse(struct compiler *c, const char *why)
{
    err_set(c->e, "%s", why);
    return RC_REJECT;
}

static enum rc no_memory(struct compiler *c)
{
    err_set(c->e, "out of memory");
    return RC_FATAL;
}

/* ["null", X] or [X, "null"]: fills the branches and returns X. NULL: another union. */
static const struct schema_node *unwrap(const struct schema_node *type, struct order_value *v)
{
    if (type->kind != SCHEMA_UNION)
        return type;
    if (type->count != 2 || (type->branches[0]->kind == SCHEMA_NULL) == (type->branches[1]->kind == SCHEMA_NULL))
        return NULL;
    unsigned char value = type->branches[0]->kind == SCHEMA_NULL ? 1 : 0;
    v->nullable = true;
    v->value_branch = (unsigned char)(value * 2); /* zig-zag */
    v->null_branch = (unsigned char)((1 - value) * 2);
    return type->branches[value];
}

static bool scalar_kind(const struct schema_node *type, enum order_kind *out)
{
    switch (type->kind) {
    case SCHEMA_BOOLEAN:
        *out = ORDER_BOOLEAN;
        return true;
    case SCHEMA_INT:
        *out = type->logical == SCHEMA_DATE ? ORDER_DATE : ORDER_INT;
        return true;
    case SCHEMA_LONG:
        *out = type->logical == SCHEMA_TIMESTAMP_MILLIS ? ORDER_MOMENT : ORDER_LONG;
        return true;
    case SCHEMA_STRING:
        *out = ORDER_TEXT;
        return true;
    case SCHEMA_ENUM:
        *out = ORDER_ENUM;
        return true;
    case SCHEMA_BYTES:
        *out = ORDER_DECIMAL;
        return type->logical == SCHEMA_DECIMAL;
    default:
        return false;
    }
}

static enum rc add_symbol(struct compiler *c, const struct schema_node *type, const char *text, const char *symbol,
                          struct order_symbol *out)
{
    for (size_t i = 0; symbol != NULL && i < type->count; i++)
        if (strcmp(type->symbols[i], symbol) == 0) {
            size_t n = strlen(text);
            *out = (struct order_symbol){arena_text(&c->plan->arena, text, n), n, (uint32_t)i};
            return out->text != NULL ? RC_OK : no_memory(c);
        }
    return refuse(c, "\"symbols\" must turn texts into symbols of the enum");
}

static enum rc compile_symbols(struct compiler *c, const struct schema_node *type, const json_t *table, struct order_value *v)
{
    const char *text;
    json_t *symbol;
    if (table != NULL && !json_is_object(table))
        return refuse(c, "\"symbols\" must be an object");
    size_t n = 0;
    struct order_symbol *list = arena_take_array(&c->plan->arena, json_object_size(table) + type->count, sizeof *list);
    if (list == NULL)
        return no_memory(c);
    enum rc rc = RC_OK;
    json_object_foreach((json_t *)table, text, symbol)
        if (rc == RC_OK)
            rc = add_symbol(c, type, text, json_string_value(symbol), &list[n++]);
    for (size_t i = 0; rc == RC_OK && i < type->count; i++)
        rc = add_symbol(c, type, type->symbols[i], type->symbols[i], &list[n++]);
    v->symbols = list;
    v->symbols_n = n;
    return rc;
}

/* shared: scope of the record around, for a record made of the same object; NULL: a record has an object of its own. */
static enum rc compile_value(struct compiler *c, const struct schema_node *type, const json_t *attributes, struct place at,
                             struct order_scope *shared, struct order_value *v)
{
    if (++at.depth > ORDER_PLAN_DEPTH)
        return refuse(c, "records and arrays are nested too deeply for a mapping (or hold themselves)");
    const struct schema_node *inner = unwrap(type, v);
    if (inner == NULL)
        return refuse(c, "a union can be mapped only when it is null and one other type");
    if (scalar_kind(inner, &v->kind)) {
        v->precision = inner->precision;
        v->scale = inner->scale;
        return v->kind == ORDER_ENUM ? compile_symbols(c, inner, json_object_get(attributes, "symbols"), v) : RC_OK;
    }
    if (inner->kind == SCHEMA_RECORD) {
        v->kind = ORDER_RECORD;
        return compile_record(c, inner, at, shared, &v->record);
    }
    if (inner->kind != SCHEMA_ARRAY)
        return refuse(c, inner->kind == SCHEMA_FLOAT || inner->kind == SCHEMA_DOUBLE
                             ? "float and double cannot be mapped: use a decimal"
                             : "this type cannot be mapped");
    struct order_value *items = arena_take(&c->plan->arena, sizeof *items);
    v->kind = ORDER_ARRAY;
    v->items = items;
    return items != NULL ? compile_value(c, inner->branches[0], attributes, at, NULL, items) : no_memory(c);
}

static enum rc compile_join(struct compiler *c, const json_t *json, struct place at, struct order_field *f, struct order_source *out)
{
    struct order_join *join = arena_take(&c->plan->arena, sizeof *join);
    uint32_t unused;
    if (join == NULL)
        return no_memory(c);
    join->array = json_string_value(json_object_get(json, "array"));
    join->reference = json_string_value(json_object_get(json, "reference"));
    join->to = json_string_value(json_object_get(json, "to"));
    join->number = c->plan->joins++;
    if (join->array == NULL || join->reference == NULL || join->to == NULL)
        return refuse(c, "a join needs the pointers \"array\", \"reference\" and \"to\"");
    if (f->value.kind != ORDER_ARRAY || f->value.items->kind != ORDER_RECORD || f->value.items->nullable)
        return refuse(c, "only an array of records can be a join");
    enum rc rc = order_scope_add(c->root, &c->plan->arena, join->array, &join->array_slot, c->e);
    if (rc == RC_OK)
        rc = order_scope_add(at.record->scope, &c->plan->arena, join->to, &join->to_slot, c->e);
    if (rc == RC_OK) /* so that a reference that is there twice is noticed */
        rc = order_scope_add(f->value.items->record->scope, &c->plan->arena, join->reference, &unused, c->e);
    *out = (struct order_source){.pointer = join->array, .join = join};
    return rc;
}

static enum rc compile_sources(struct compiler *c, const json_t *list, struct place at, struct order_field *f)
{
    size_t n = json_array_size(list);
    struct order_source *sources = arena_take_array(&c->plan->arena, n, sizeof *sources);
    if (sources == NULL)
        return no_memory(c);
    if (n == 0)
        return refuse(c, "\"xsale\" must be an array of one or more JSON Pointers");
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        const char *pointer = json_string_value(one);
        enum rc rc = RC_OK;
        if (json_is_object(one))
            rc = compile_join(c, one, at, f, &sources[i]);
        else if (pointer == NULL)
            return refuse(c, "\"xsale\" holds something that is neither a JSON Pointer nor a join");
        else if (!f->same) {
            sources[i].pointer = pointer;
            rc = order_scope_add(at.record->scope, &c->plan->arena, pointer, &sources[i].slot, c->e);
        }
        if (rc != RC_OK)
            return rc;
    }
    if (f->same)
        sources[0].pointer = "";
    f->sources = sources;
    f->sources_n = n;
    return RC_OK;
}

static enum rc compile_default(struct compiler *c, const struct schema_field *from, struct order_field *f)
{
    if (from->initial == NULL)
        return RC_OK;
    struct buf made;
    buf_init(&made, DEFAULT_BYTES_MAX);
    avro_default_put(from->type, from->initial, &made);
    enum rc rc = RC_OK;
    const char *bytes = buf_text(&made);
    if (bytes == NULL)
        rc = refuse(c, "the default is too large");
    else if ((f->initial = (unsigned char *)arena_text(&c->plan->arena, bytes, made.n)) == NULL)
        rc = no_memory(c);
    f->initial_n = made.n;
    buf_release(&made);
    return rc;
}

struct bridge_row {
    const char *name;
    enum order_bridge bridge;
    enum schema_kind kind;
    bool demanded; /* a schema without it is refused: every part after this one needs it */
};

static const struct bridge_row bridge_rows[] = {
    {"organization", ORDER_BRIDGE_ORGANIZATION, SCHEMA_STRING, true},
    {"revision", ORDER_BRIDGE_REVISION, SCHEMA_STRING, true},
    {"publication", ORDER_BRIDGE_PUBLICATION, SCHEMA_LONG, true},
    {"round", ORDER_BRIDGE_ROUND, SCHEMA_LONG, true},
    {"withdrawn", ORDER_BRIDGE_WITHDRAWN, SCHEMA_BOOLEAN, true},
    {"warehouses", ORDER_BRIDGE_WAREHOUSES, SCHEMA_ARRAY, true},
    {"fetchedAt", ORDER_BRIDGE_FETCHED_AT, SCHEMA_LONG, false},
    {"raw", ORDER_BRIDGE_RAW, SCHEMA_BYTES, false},
};

static enum rc compile_bridge(struct compiler *c, const struct schema_field *from, const json_t *name, struct place at,
                              struct order_field *f)
{
    if (!at.root || !json_is_string(name))
        return refuse(c, "\"bridge\" names a value, and only in the order's own fields");
    for (size_t i = 0; i < sizeof bridge_rows / sizeof bridge_rows[0]; i++) {
        const struct bridge_row *row = &bridge_rows[i];
        if (strcmp(row->name, json_string_value(name)) != 0)
            continue;
        const struct schema_node *type = unwrap(from->type, &f->value);
        if (type == NULL || type->kind != row->kind || type->logical == SCHEMA_DECIMAL ||
            (type->kind == SCHEMA_ARRAY && type->branches[0]->kind != SCHEMA_STRING))
            return refuse(c, "the type does not suit what the bridge fills in");
        if (c->plan->bridged[row->bridge] != NULL)
            return refuse(c, "the bridge fills in each value once only");
        c->plan->bridged[row->bridge] = f;
        f->bridge = row->bridge;
        return RC_OK;
    }
    return refuse(c, "\"bridge\" names nothing that the bridge knows");
}

static enum rc find_role(struct compiler *c, const struct schema_field *from, struct place at, struct order_field *f)
{
    struct order_plan *p = c->plan;
    const json_t *resolve = json_object_get(from->json, "resolve");
    if (resolve != NULL) {
        if (!json_is_string(resolve) || strcmp(json_string_value(resolve), "warehouse") != 0 || f->value.kind != ORDER_TEXT ||
            (!at.root && !at.in_articles))
            return refuse(c, "\"resolve\" can be \"warehouse\", for a string of the order or of an article");
        if (at.root ? p->warehouse != NULL : p->article_warehouse)
            return refuse(c, "there is a resolved warehouse already");
        f->role = at.root ? ORDER_ROLE_WAREHOUSE : ORDER_ROLE_ARTICLE_WAREHOUSE;
        if (at.root)
            p->warehouse = f;
        else
            p->article_warehouse = true;
        return RC_OK;
    }
    bool records = f->value.kind == ORDER_ARRAY && f->value.items->kind == ORDER_RECORD && !f->value.items->nullable;
    if (at.in_items && strcmp(f->name, "articles") == 0 && records)
        f->role = ORDER_ROLE_ARTICLES;
    if (!at.root)
        return RC_OK;
    if (strcmp(f->name, "orderId") == 0 && f->value.kind == ORDER_LONG && !f->value.nullable) {
        f->role = ORDER_ROLE_ID;
        p->id = f;
    } else if (strcmp(f->name, "items") == 0 && records) {
        f->role = ORDER_ROLE_ITEMS;
        p->items = f;
    } else if (strcmp(f->name, "statusId") == 0 && f->value.kind == ORDER_LONG)
        p->status = f;
    else if (strcmp(f->name, "integrationId") == 0 && f->value.kind == ORDER_LONG)
        p->integration = f;
    return RC_OK;
}

static bool is_true(const json_t *field, const char *attribute)
{
    return json_is_true(json_object_get(field, attribute));
}

/* The record that a field's value is made of stands for lines or articles when the field is named so. */
static struct place inside(const struct schema_field *from, struct place at)
{
    struct place in = {.depth = at.depth};
    in.in_items = at.root && strcmp(from->name, "items") == 0;
    in.in_articles = at.in_items && strcmp(from->name, "articles") == 0;
    return in;
}

static enum rc compile_mapped(struct compiler *c, const struct schema_field *from, const json_t *xsale, struct place at,
                              struct order_field *f)
{
    json_t *alone = json_is_array(xsale) && json_array_size(xsale) == 1 ? json_array_get(xsale, 0) : NULL;
    f->same = json_is_string(alone) && json_string_length(alone) == 0;
    struct order_scope *shared = f->same ? at.record->scope : NULL;
    enum rc rc = compile_value(c, from->type, from->json, inside(from, at), shared, &f->value);
    if (rc == RC_OK && f->same && f->value.kind != ORDER_RECORD)
        rc = refuse(c, "the pointer \"\" is for records only");
    if (rc == RC_OK)
        rc = compile_sources(c, xsale, at, f);
    return rc != RC_OK ? rc : find_role(c, from, at, f);
}

static enum rc compile_field(struct compiler *c, const struct schema_field *from, struct place at, struct order_field *f)
{
    const json_t *xsale = json_object_get(from->json, "xsale"), *bridge = json_object_get(from->json, "bridge");
    f->name = from->name;
    f->required = is_true(from->json, "required");
    f->changing = is_true(from->json, "volatile");
    if (++c->fields > ORDER_PLAN_FIELDS)
        return refuse(c, "more than 4096 fields");
    if (f->changing && !at.root)
        return refuse(c, "\"volatile\" is for the order's own fields");
    if (xsale == NULL && json_object_get(from->json, "resolve") != NULL)
        return refuse(c, "\"resolve\" needs \"xsale\"");
    enum rc rc = compile_default(c, from, f);
    if (rc != RC_OK)
        return rc;
    if (bridge != NULL)
        return compile_bridge(c, from, bridge, at, f);
    if (xsale != NULL)
        return compile_mapped(c, from, xsale, at, f);
    return f->initial != NULL ? RC_OK : refuse(c, "neither \"xsale\" nor \"bridge\" nor \"default\" says what it holds");
}

static enum rc compile_record(struct compiler *c, const struct schema_node *type, struct place at, struct order_scope *shared,
                              const struct order_record **out)
{
    struct arena *a = &c->plan->arena;
    struct order_record *r = arena_take(a, sizeof *r);
    if (r == NULL || (r->fields = arena_take_array(a, type->count, sizeof *r->fields)) == NULL ||
        (r->scope = shared != NULL ? shared : arena_take(a, sizeof *r->scope)) == NULL)
        return no_memory(c);
    r->own_scope = shared == NULL;
    r->fields_n = type->count;
    at.record = r;
    if (at.root)
        c->root = r->scope;
    for (size_t i = 0; i < type->count; i++) {
        enum rc rc = compile_field(c, &type->fields[i], at, &r->fields[i]);
        if (rc != RC_OK) {
            err_prefix(c->e, "field %s", type->fields[i].name);
            return rc;
        }
    }
    *out = r;
    return RC_OK;
}

static enum rc finish_value(struct compiler *c, const struct order_value *v);

static enum order_shape shape_of(const struct order_field *f)
{
    if (f->bridge != ORDER_BRIDGE_NONE)
        return ORDER_SHAPE_HOLE;
    if (f->sources_n == 0)
        return ORDER_SHAPE_DEFAULT;
    if (f->same)
        return ORDER_SHAPE_SAME;
    if (f->role == ORDER_ROLE_WAREHOUSE)
        return ORDER_SHAPE_WAREHOUSE;
    if (f->role == ORDER_ROLE_ARTICLE_WAREHOUSE)
        return ORDER_SHAPE_ARTICLE_WAREHOUSE;
    if (f->value.kind == ORDER_ARRAY)
        return ORDER_SHAPE_ARRAY;
    return f->value.kind == ORDER_RECORD ? ORDER_SHAPE_RECORD : ORDER_SHAPE_SCALAR;
}

/* Tables can only be built when every join has put its pointers into the scopes. */
static enum rc finish_record(struct compiler *c, const struct order_record *r)
{
    enum rc rc = r->own_scope ? order_scope_finish(r->scope, &c->plan->arena, c->e) : RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->fields_n; i++) {
        r->fields[i].shape = shape_of(&r->fields[i]);
        if (r->fields[i].sources_n > 0)
            rc = finish_value(c, &r->fields[i].value);
    }
    return rc;
}

static enum rc finish_value(struct compiler *c, const struct order_value *v)
{
    if (v->kind == ORDER_ARRAY)
        return finish_value(c, v->items);
    return v->kind == ORDER_RECORD ? finish_record(c, v->record) : RC_OK;
}

static enum rc check_order(struct compiler *c)
{
    struct order_plan *p = c->plan;
    if (p->id == NULL)
        return refuse(c, "field orderId (a long with \"xsale\") is missing");
    if (p->items == NULL)
        return refuse(c, "field items (an array of records with \"xsale\") is missing");
    for (size_t i = 0; i < sizeof bridge_rows / sizeof bridge_rows[0]; i++)
        if (bridge_rows[i].demanded && p->bridged[bridge_rows[i].bridge] == NULL) {
            err_set(c->e, "no field with \"bridge\": \"%s\"", bridge_rows[i].name);
            return RC_REJECT;
        }
    return RC_OK;
}

enum rc order_plan_create(const struct schema *s, struct order_plan **out, struct err *e)
{
    const struct schema_node *root = schema_root(s);
    struct order_plan *p = calloc(1, sizeof *p);
    struct compiler c = {.plan = p, .e = e};
    enum rc rc = RC_OK;
    if (p == NULL)
        return no_memory(&c);
    arena_init(&p->arena);
    if (root->kind != SCHEMA_RECORD)
        rc = refuse(&c, "the schema of an order must be a record");
    if (rc == RC_OK)
        rc = compile_record(&c, root, (struct place){.root = true}, NULL, &p->order);
    if (rc == RC_OK)
        rc = check_order(&c);
    if (rc == RC_OK)
        rc = finish_record(&c, p->order);
    if (rc == RC_OK) {
        *out = p;
        return RC_OK;
    }
    err_prefix(e, "mapping");
    order_plan_destroy(p);
    return rc;
}

void order_plan_destroy(struct order_plan *p)
{
    if (p == NULL)
        return;
    arena_release(&p->arena);
    free(p);
}
