#include "common/contract/schema_build.h"

#include <string.h>

#include "common/contract/schema_default.h"

/* A node while it is built. */
struct made {
    struct schema_node node; /* first: a node is found again by its address */
    size_t weight;           /* types in it with every name written out */
    int height;              /* types inside types */
    bool open;               /* a record whose fields are not complete yet */
};

struct builder {
    struct arena *arena;
    struct made *named[SCHEMA_NAMED];
    size_t named_n;
};

/* Where a type stands: the namespace that its names inherit ("": none) and how deep it is. */
struct place {
    const char *space;
    size_t space_n;
    int depth;
};

static const struct {
    const char *name;
    enum schema_kind kind;
    size_t min_bytes;
} primitives[] = {
    {"null", SCHEMA_NULL, 0},   {"boolean", SCHEMA_BOOLEAN, 1}, {"int", SCHEMA_INT, 1},     {"long", SCHEMA_LONG, 1},
    {"float", SCHEMA_FLOAT, 4}, {"double", SCHEMA_DOUBLE, 8},   {"bytes", SCHEMA_BYTES, 1}, {"string", SCHEMA_STRING, 1},
};
enum { PRIMITIVES = sizeof primitives / sizeof primitives[0] };

static enum rc build_type(struct builder *b, const json_t *json, struct place at, struct made **out, struct err *e);

static enum rc no_memory(struct err *e)
{
    err_set(e, "schema: out of memory");
    return RC_FATAL;
}

static enum rc reject(struct err *e, const char *words)
{
    err_set(e, "%s", words);
    return RC_REJECT;
}

static struct made *made_new(struct builder *b, enum schema_kind kind, const json_t *json)
{
    struct made *m = arena_take(b->arena, sizeof *m);
    if (m == NULL)
        return NULL;
    m->node.kind = kind;
    m->node.json = json;
    m->weight = 1;
    m->height = 1;
    return m;
}

/* [A-Za-z_][A-Za-z0-9_]* ; dots allow several of them. */
static bool name_valid(const char *name, bool dots)
{
    bool begins = true;
    for (; *name != '\0'; name++) {
        char c = *name;
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (dots && c == '.' && !begins) {
            begins = true;
            continue;
        }
        if (!letter && (begins || c < '0' || c > '9'))
            return false;
        begins = false;
    }
    return !begins;
}

static struct made *named_find(const struct builder *b, const char *space, size_t space_n, const char *name)
{
    for (size_t i = 0; i < b->named_n; i++) {
        const char *full = b->named[i]->node.name;
        if (space_n == 0 ? strcmp(full, name) == 0
                         : strncmp(full, space, space_n) == 0 && full[space_n] == '.' && strcmp(full + space_n + 1, name) == 0)
            return b->named[i];
    }
    return NULL;
}

/* The outer type grows by a part of it. A record that is still open counts once: it ends at a union or an array. */
static enum rc grow(struct made *outer, const struct made *part, struct err *e)
{
    if (part->open)
        return RC_OK;
    if (part->weight > SCHEMA_WEIGHT - outer->weight)
        return reject(e, "records used again and again make the schema too large");
    outer->weight += part->weight;
    if (part->height >= outer->height)
        outer->height = part->height + 1;
    if (outer->height > SCHEMA_DEPTH)
        return reject(e, "types nested too deep");
    return RC_OK;
}

static int fixed_digits(size_t size) /* decimal digits that always fit size bytes of two's complement */
{
    return size > 20 ? 48 : (int)((8 * size - 1) * 30103 / 100000);
}

static bool integer_in(const json_t *json, json_int_t low, json_int_t high, json_int_t *out)
{
    if (!json_is_integer(json) || json_integer_value(json) < low || json_integer_value(json) > high)
        return false;
    *out = json_integer_value(json);
    return true;
}

static enum rc read_decimal(struct schema_node *n, struct err *e)
{
    json_int_t precision = 0, scale = 0;
    const json_t *given = json_object_get(n->json, "scale");
    if (n->kind != SCHEMA_BYTES && n->kind != SCHEMA_FIXED)
        return reject(e, "logical type decimal must be bytes or fixed");
    if (!integer_in(json_object_get(n->json, "precision"), 1, 38, &precision))
        return reject(e, "decimal: precision must be an integer from 1 to 38");
    if (given != NULL && !integer_in(given, 0, 38, &scale))
        return reject(e, "decimal: scale must be an integer from 0 to 38");
    if (scale > precision)
        return reject(e, "decimal: scale is larger than precision");
    if (n->kind == SCHEMA_FIXED && (n->size == 0 || n->size > 16 || precision > fixed_digits(n->size)))
        return reject(e, "decimal: precision does not fit the fixed size (16 bytes at most)");
    n->logical = SCHEMA_DECIMAL;
    n->precision = (int)precision;
    n->scale = (int)scale;
    return RC_OK;
}

/* Logical types that the bridge does not know stay plain, as the specification asks. */
static enum rc read_logical(struct schema_node *n, struct err *e)
{
    const json_t *logical = json_object_get(n->json, "logicalType");
    if (logical == NULL)
        return RC_OK;
    if (!json_is_string(logical))
        return reject(e, "logicalType must be a string");
    const char *name = json_string_value(logical);
    if (strcmp(name, "decimal") == 0)
        return read_decimal(n, e);
    if (strcmp(name, "date") == 0) {
        n->logical = SCHEMA_DATE;
        return n->kind == SCHEMA_INT ? RC_OK : reject(e, "logical type date must be an int");
    }
    if (strcmp(name, "timestamp-millis") == 0) {
        n->logical = SCHEMA_TIMESTAMP_MILLIS;
        return n->kind == SCHEMA_LONG ? RC_OK : reject(e, "logical type timestamp-millis must be a long");
    }
    return RC_OK;
}

static enum rc build_primitive(struct builder *b, const char *name, const json_t *json, struct made **out, struct err *e)
{
    for (size_t i = 0; i < PRIMITIVES; i++) {
        if (strcmp(name, primitives[i].name) != 0)
            continue;
        struct made *m = made_new(b, primitives[i].kind, json);
        if (m == NULL)
            return no_memory(e);
        m->node.min_bytes = primitives[i].min_bytes;
        *out = m;
        return json == NULL ? RC_OK : read_logical(&m->node, e);
    }
    err_set(e, "unknown type '%s'", name);
    return RC_REJECT;
}

static enum rc build_name(struct builder *b, const char *name, struct place at, struct made **out, struct err *e)
{
    for (size_t i = 0; i < PRIMITIVES; i++)
        if (strcmp(name, primitives[i].name) == 0)
            return build_primitive(b, name, NULL, out, e);
    bool full = strchr(name, '.') != NULL;
    *out = named_find(b, at.space, full ? 0 : at.space_n, name);
    if (*out != NULL)
        return RC_OK;
    err_set(e, "unknown type '%s'", name);
    return RC_REJECT;
}

/* Reads name and namespace of a record, enum or fixed, remembers the node by its full name and sets the namespace inside it. */
static enum rc read_name(struct builder *b, struct made *m, struct place *at, struct err *e)
{
    const json_t *json = m->node.json;
    const char *name = json_string_value(json_object_get(json, "name"));
    const json_t *space = json_object_get(json, "namespace");
    if (name == NULL)
        return reject(e, "a record, enum or fixed needs a name");
    if (!name_valid(name, true)) {
        err_set(e, "bad name '%s'", name);
        return RC_REJECT;
    }
    const char *dot = strrchr(name, '.');
    if (dot != NULL) {
        at->space = name;
        at->space_n = (size_t)(dot - name);
        name = dot + 1;
    } else if (space != NULL) {
        if (!json_is_string(space) || (json_string_length(space) > 0 && !name_valid(json_string_value(space), true)))
            return reject(e, "bad namespace");
        at->space = json_string_value(space);
        at->space_n = json_string_length(space);
    }
    for (size_t i = 0; i < PRIMITIVES; i++)
        if (strcmp(name, primitives[i].name) == 0)
            return reject(e, "a type cannot be named like a primitive type");
    if (named_find(b, at->space, at->space_n, name) != NULL) {
        err_set(e, "name '%s' is given twice", name);
        return RC_REJECT;
    }
    if (b->named_n == SCHEMA_NAMED)
        return reject(e, "too many named types");
    size_t name_n = strlen(name);
    char *full = arena_take(b->arena, at->space_n + 1 + name_n + 1);
    if (full == NULL)
        return no_memory(e);
    size_t front = at->space_n;
    if (front > 0) {
        memcpy(full, at->space, front);
        full[front++] = '.';
    }
    memcpy(full + front, name, name_n);
    m->node.name = full;
    b->named[b->named_n++] = m;
    return RC_OK;
}

static enum rc build_field(struct builder *b, struct made *record, struct schema_field *f, const json_t *json, struct place at, struct err *e)
{
    struct made *type = NULL;
    f->json = json;
    f->initial = json_object_get(json, "default");
    f->json_name = json_string_value(json_object_get(json, "erp"));
    if (f->json_name == NULL)
        f->json_name = f->name;
    enum rc rc = json_object_get(json, "type") == NULL ? reject(e, "type is missing")
                                                       : build_type(b, json_object_get(json, "type"), at, &type, e);
    if (rc != RC_OK)
        return rc;
    if (type->open && type->node.kind == SCHEMA_RECORD)
        return reject(e, "the record holds itself without a union or array between");
    f->type = &type->node;
    record->node.min_bytes += type->node.min_bytes; /* weight and size bound the sum */
    rc = grow(record, type, e);
    if (rc == RC_OK && f->initial != NULL)
        rc = schema_default_check(f->type, f->initial, e);
    return rc;
}

static enum rc build_fields(struct builder *b, struct made *m, struct place at, struct err *e)
{
    const json_t *fields = json_object_get(m->node.json, "fields");
    if (!json_is_array(fields))
        return reject(e, "fields must be an array");
    size_t n = json_array_size(fields);
    if (n > SCHEMA_MEMBERS)
        return reject(e, "too many fields");
    struct schema_field *list = arena_take_array(b->arena, n, sizeof *list);
    if (list == NULL)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        const json_t *json = json_array_get(fields, i);
        list[i].name = json_string_value(json_object_get(json, "name"));
        if (list[i].name == NULL || !name_valid(list[i].name, false)) {
            err_set(e, "field %zu: its name is missing or bad", i + 1);
            return RC_REJECT;
        }
        for (size_t k = 0; k < i; k++)
            if (strcmp(list[k].name, list[i].name) == 0) {
                err_set(e, "field %s is given twice", list[i].name);
                return RC_REJECT;
            }
        enum rc rc = build_field(b, m, &list[i], json, at, e);
        if (rc != RC_OK) {
            err_prefix(e, "field %s", list[i].name);
            return rc;
        }
    }
    m->node.fields = list;
    m->node.count = n;
    return RC_OK;
}

static enum rc build_symbols(struct builder *b, struct made *m, struct err *e)
{
    const json_t *symbols = json_object_get(m->node.json, "symbols"), *initial = json_object_get(m->node.json, "default");
    size_t n = json_array_size(symbols);
    bool initial_found = initial == NULL;
    if (n == 0 || n > SCHEMA_MEMBERS)
        return reject(e, "symbols must be an array of 1 to 4096 names");
    const char **list = arena_take_array(b->arena, n, sizeof *list);
    if (list == NULL)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        list[i] = json_string_value(json_array_get(symbols, i));
        if (list[i] == NULL || !name_valid(list[i], false)) {
            err_set(e, "symbol %zu is bad", i + 1);
            return RC_REJECT;
        }
        for (size_t k = 0; k < i; k++)
            if (strcmp(list[k], list[i]) == 0) {
                err_set(e, "symbol %s is given twice", list[i]);
                return RC_REJECT;
            }
        initial_found = initial_found || (json_is_string(initial) && strcmp(json_string_value(initial), list[i]) == 0);
    }
    m->node.symbols = list;
    m->node.count = n;
    m->node.min_bytes = 1;
    return initial_found ? RC_OK : reject(e, "the default is no symbol");
}

static enum rc read_size(struct schema_node *n, struct err *e)
{
    json_int_t size = 0;
    if (!integer_in(json_object_get(n->json, "size"), 0, SCHEMA_FIXED_BYTES, &size))
        return reject(e, "size must be an integer from 0 to 1048576");
    n->size = (size_t)size;
    n->min_bytes = n->size;
    return read_logical(n, e);
}

static enum rc build_named(struct builder *b, enum schema_kind kind, const json_t *json, struct place at, struct made **out, struct err *e)
{
    struct made *m = made_new(b, kind, json);
    if (m == NULL)
        return no_memory(e);
    enum rc rc = read_name(b, m, &at, e);
    if (rc != RC_OK)
        return rc;
    m->open = kind == SCHEMA_RECORD;
    if (kind == SCHEMA_RECORD)
        rc = build_fields(b, m, at, e);
    else
        rc = kind == SCHEMA_ENUM ? build_symbols(b, m, e) : read_size(&m->node, e);
    m->open = false;
    if (rc != RC_OK)
        err_prefix(e, "%s %s", kind == SCHEMA_RECORD ? "record" : kind == SCHEMA_ENUM ? "enum" : "fixed", m->node.name);
    *out = m;
    return rc;
}

static enum rc build_list(struct builder *b, enum schema_kind kind, const json_t *json, struct place at, struct made **out, struct err *e)
{
    const char *what = kind == SCHEMA_ARRAY ? "items" : "values";
    const json_t *inner = json_object_get(json, what);
    struct made *m = made_new(b, kind, json), *part = NULL;
    const struct schema_node **branch = arena_take_array(b->arena, 1, sizeof *branch);
    if (m == NULL || branch == NULL)
        return no_memory(e);
    if (inner == NULL) {
        err_set(e, "%s are missing", what);
        return RC_REJECT;
    }
    enum rc rc = build_type(b, inner, at, &part, e);
    if (rc != RC_OK)
        return rc;
    branch[0] = &part->node;
    m->node.branches = branch;
    m->node.count = 1;
    m->node.min_bytes = 1;
    *out = m;
    return grow(m, part, e);
}

static bool same_branch(const struct schema_node *a, const struct schema_node *b)
{
    return a->kind == b->kind && (a->name == NULL || strcmp(a->name, b->name) == 0);
}

static enum rc build_union(struct builder *b, const json_t *json, struct place at, struct made **out, struct err *e)
{
    size_t n = json_array_size(json);
    struct made *m = made_new(b, SCHEMA_UNION, NULL);
    if (n == 0 || n > SCHEMA_MEMBERS)
        return reject(e, "a union has 1 to 4096 branches");
    const struct schema_node **list = arena_take_array(b->arena, n, sizeof *list);
    if (m == NULL || list == NULL)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        struct made *part = NULL;
        enum rc rc = build_type(b, json_array_get(json, i), at, &part, e);
        if (rc != RC_OK)
            return rc;
        list[i] = &part->node;
        if (part->node.kind == SCHEMA_UNION)
            return reject(e, "a union stands directly in a union");
        for (size_t k = 0; k < i; k++)
            if (same_branch(list[k], list[i]))
                return reject(e, "a union has two branches of the same type");
        rc = grow(m, part, e);
        if (rc != RC_OK)
            return rc;
    }
    m->node.branches = list;
    m->node.count = n;
    m->node.min_bytes = 1;
    *out = m;
    return RC_OK;
}

static enum rc build_type(struct builder *b, const json_t *json, struct place at, struct made **out, struct err *e)
{
    if (++at.depth > SCHEMA_DEPTH)
        return reject(e, "types nested too deep");
    if (json_is_string(json))
        return build_name(b, json_string_value(json), at, out, e);
    if (json_is_array(json))
        return build_union(b, json, at, out, e);
    const char *type = json_string_value(json_object_get(json, "type"));
    if (type == NULL)
        return reject(e, "a type must be a name, an array or an object with a type name");
    if (strcmp(type, "record") == 0)
        return build_named(b, SCHEMA_RECORD, json, at, out, e);
    if (strcmp(type, "enum") == 0)
        return build_named(b, SCHEMA_ENUM, json, at, out, e);
    if (strcmp(type, "fixed") == 0)
        return build_named(b, SCHEMA_FIXED, json, at, out, e);
    if (strcmp(type, "array") == 0)
        return build_list(b, SCHEMA_ARRAY, json, at, out, e);
    if (strcmp(type, "map") == 0)
        return build_list(b, SCHEMA_MAP, json, at, out, e);
    return build_primitive(b, type, json, out, e);
}

enum rc schema_build(const json_t *json, struct arena *arena, const struct schema_node **out, struct err *e)
{
    struct builder *b = arena_take(arena, sizeof *b);
    struct made *root = NULL;
    if (b == NULL)
        return no_memory(e);
    b->arena = arena;
    enum rc rc = build_type(b, json, (struct place){"", 0, 0}, &root, e);
    if (rc == RC_OK)
        *out = &root->node;
    return rc;
}
