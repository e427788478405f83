#include "common/contract/schema_build.h"

#include <string.h>

#include "common/contract/avro_json.h"

#include "common/contract/schema_default.h"
#include "common/contract/schema_faults.h"

/* A node while it is built. */
struct made {
    struct schema_node node; /* first: a node is found again by its address */
    size_t weight;           /* types in it with every name written out */
    int height;              /* types inside types */
    bool open;               /* a record whose fields are not complete yet */
    bool broken;             /* its own fault was told: whoever uses its name has none */
};

struct builder {
    struct arena *arena;
    struct schema_faults *faults;
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

static enum rc build_type(struct builder *b, const json_t *json, struct place at, struct made **out);

/* place: the object, array, string or number that is wrong. */
static enum rc reject(struct builder *b, const json_t *place, const char *words)
{
    return schema_faults_add(b->faults, place, "%s", words);
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

/* The outer type, at json, grows by a part of it. A record that is still open counts once: it ends at a union or an array. */
static enum rc grow(struct builder *b, const json_t *json, struct made *outer, const struct made *part)
{
    if (part->open)
        return RC_OK;
    if (part->weight > SCHEMA_WEIGHT - outer->weight)
        return reject(b, json, "records used again and again make the schema too large");
    outer->weight += part->weight;
    if (part->height >= outer->height)
        outer->height = part->height + 1;
    if (outer->height > SCHEMA_DEPTH)
        return reject(b, json, "types nested too deep");
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

static enum rc read_decimal(struct builder *b, struct schema_node *n)
{
    json_int_t precision = 0, scale = 0;
    const json_t *given = json_object_get(n->json, "scale");
    if (n->kind != SCHEMA_BYTES && n->kind != SCHEMA_FIXED)
        return reject(b, n->json, "logical type decimal must be bytes or fixed");
    if (!integer_in(json_object_get(n->json, "precision"), 1, 38, &precision))
        return reject(b, n->json, "decimal: precision must be an integer from 1 to 38");
    if (given != NULL && !integer_in(given, 0, 38, &scale))
        return reject(b, n->json, "decimal: scale must be an integer from 0 to 38");
    if (scale > precision)
        return reject(b, n->json, "decimal: scale is larger than precision");
    if (n->kind == SCHEMA_FIXED && (n->size == 0 || n->size > 16 || precision > fixed_digits(n->size)))
        return reject(b, n->json, "decimal: precision does not fit the fixed size (16 bytes at most)");
    n->logical = SCHEMA_DECIMAL;
    n->precision = (int)precision;
    n->scale = (int)scale;
    return RC_OK;
}

/* Logical types that the bridge does not know stay plain, as the specification asks. */
static enum rc read_logical(struct builder *b, struct schema_node *n)
{
    const json_t *logical = json_object_get(n->json, "logicalType");
    if (logical == NULL)
        return RC_OK;
    if (!json_is_string(logical))
        return reject(b, n->json, "logicalType must be a string");
    const char *name = json_string_value(logical);
    if (strcmp(name, "decimal") == 0)
        return read_decimal(b, n);
    if (strcmp(name, "date") == 0) {
        n->logical = SCHEMA_DATE;
        return n->kind == SCHEMA_INT ? RC_OK : reject(b, n->json, "logical type date must be an int");
    }
    if (strcmp(name, "timestamp-millis") == 0) {
        n->logical = SCHEMA_TIMESTAMP_MILLIS;
        return n->kind == SCHEMA_LONG ? RC_OK : reject(b, n->json, "logical type timestamp-millis must be a long");
    }
    return RC_OK;
}

/* at: the object, or the name alone; json: the object, NULL: none. */
static enum rc build_primitive(struct builder *b, const char *name, const json_t *at, const json_t *json, struct made **out)
{
    for (size_t i = 0; i < PRIMITIVES; i++) {
        if (strcmp(name, primitives[i].name) != 0)
            continue;
        struct made *m = made_new(b, primitives[i].kind, json);
        if (m == NULL)
            return RC_FATAL;
        m->node.min_bytes = primitives[i].min_bytes;
        *out = m;
        return json == NULL ? RC_OK : read_logical(b, &m->node);
    }
    return schema_faults_add(b->faults, at, "unknown type '%.100s'", name);
}

static enum rc build_name(struct builder *b, const json_t *json, struct place at, struct made **out)
{
    const char *name = json_string_value(json);
    for (size_t i = 0; i < PRIMITIVES; i++)
        if (strcmp(name, primitives[i].name) == 0)
            return build_primitive(b, name, json, NULL, out);
    bool full = strchr(name, '.') != NULL;
    *out = named_find(b, at.space, full ? 0 : at.space_n, name);
    if (*out != NULL)
        return (*out)->broken ? RC_REJECT : RC_OK;
    return schema_faults_add(b->faults, json, "unknown type '%.100s'", name);
}

/* Reads name and namespace of a record, enum or fixed, remembers the node by its full name and sets the namespace inside it. */
static enum rc read_name(struct builder *b, struct made *m, struct place *at)
{
    const json_t *json = m->node.json;
    const char *name = json_string_value(json_object_get(json, "name"));
    const json_t *space = json_object_get(json, "namespace");
    if (name == NULL)
        return reject(b, json, "a record, enum or fixed needs a name");
    if (!name_valid(name, true))
        return schema_faults_add(b->faults, json, "bad name '%.100s'", name);
    const char *dot = strrchr(name, '.');
    if (dot != NULL) {
        at->space = name;
        at->space_n = (size_t)(dot - name);
        name = dot + 1;
    } else if (space != NULL) {
        if (!json_is_string(space) || (json_string_length(space) > 0 && !name_valid(json_string_value(space), true)))
            return reject(b, json, "bad namespace");
        at->space = json_string_value(space);
        at->space_n = json_string_length(space);
    }
    for (size_t i = 0; i < PRIMITIVES; i++)
        if (strcmp(name, primitives[i].name) == 0)
            return reject(b, json, "a type cannot be named like a primitive type");
    if (named_find(b, at->space, at->space_n, name) != NULL)
        return schema_faults_add(b->faults, json, "name '%.100s' is given twice", name);
    if (b->named_n == SCHEMA_NAMED)
        return reject(b, json, "too many named types");
    size_t name_n = strlen(name);
    char *full = arena_take(b->arena, at->space_n + 1 + name_n + 1);
    if (full == NULL)
        return RC_FATAL;
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

static enum rc check_default(struct builder *b, const struct schema_field *f)
{
    struct err e = {""};
    if (f->initial == NULL || schema_default_check(f->type, f->initial, &e) == RC_OK)
        return RC_OK;
    return schema_faults_add(b->faults, f->initial, "%s", e.text);
}

static enum rc note_member(struct builder *b, struct schema_field *f)
{
    const char *form = json_string_value(json_object_get(f->json, "json"));
    struct buf made;
    buf_init(&made, SIZE_MAX);
    f->json_name = json_string_value(json_object_get(f->json, "erp"));
    if (f->json_name == NULL)
        f->json_name = f->name;
    f->json_millis = form != NULL && strcmp(form, "millis") == 0;
    avro_json_text(&made, (const unsigned char *)f->json_name, strlen(f->json_name));
    buf_put_byte(&made, ':');
    char *member = buf_failed(&made) ? NULL : arena_take(b->arena, made.n + SCHEMA_MEMBER_STEP);
    if (member != NULL)
        memcpy(member, made.p, made.n);
    f->json_member = member;
    f->json_member_n = made.n;
    buf_release(&made);
    return member != NULL ? RC_OK : RC_FATAL;
}

static enum rc build_field(struct builder *b, struct made *record, struct schema_field *f, const json_t *json, struct place at)
{
    struct made *type = NULL;
    f->json = json;
    f->initial = json_object_get(json, "default");
    if (note_member(b, f) != RC_OK)
        return RC_FATAL;
    enum rc rc = json_object_get(json, "type") == NULL ? reject(b, json, "type is missing") : build_type(b, json_object_get(json, "type"), at, &type);
    if (rc != RC_OK)
        return rc;
    if (type->open && type->node.kind == SCHEMA_RECORD)
        return reject(b, json, "the record holds itself without a union or array between");
    f->type = &type->node;
    record->node.min_bytes += type->node.min_bytes; /* weight and size bound the sum */
    rc = grow(b, json, record, type);
    return rc == RC_OK ? check_default(b, f) : rc;
}

/* Field i of the record; those before it are there. */
static enum rc add_field(struct builder *b, struct made *record, struct schema_field *list, size_t i, struct place at)
{
    const json_t *json = json_array_get(json_object_get(record->node.json, "fields"), i);
    struct schema_field *f = &list[i];
    size_t faults = b->faults->n;
    f->name = json_string_value(json_object_get(json, "name"));
    if (f->name == NULL || !name_valid(f->name, false)) {
        f->name = ""; /* no other is called so */
        return schema_faults_add(b->faults, json, "field %zu: its name is missing or bad", i + 1);
    }
    for (size_t k = 0; k < i; k++)
        if (strcmp(list[k].name, f->name) == 0)
            return schema_faults_add(b->faults, json, "field %s is given twice", f->name);
    enum rc rc = build_field(b, record, f, json, at);
    schema_faults_prefix(b->faults, faults, json, "field %.100s: ", f->name);
    return rc;
}

static enum rc build_fields(struct builder *b, struct made *m, struct place at)
{
    const json_t *fields = json_object_get(m->node.json, "fields");
    size_t n = json_array_size(fields);
    enum rc rc = RC_OK;
    if (!json_is_array(fields))
        return reject(b, m->node.json, "fields must be an array");
    if (n > SCHEMA_MEMBERS)
        return reject(b, fields, "too many fields");
    struct schema_field *list = arena_take_array(b->arena, n, sizeof *list);
    if (list == NULL)
        return RC_FATAL;
    for (size_t i = 0; i < n && rc != RC_FATAL; i++) { /* on behind a fault */
        enum rc one = add_field(b, m, list, i, at);
        rc = one != RC_OK ? one : rc;
    }
    m->node.fields = list;
    m->node.count = n;
    return rc;
}

static bool is_text(const json_t *json, const char *text)
{
    return json_is_string(json) && strlen(text) == json_string_length(json) && strcmp(json_string_value(json), text) == 0;
}

static enum rc add_symbol(struct builder *b, const json_t *symbols, const char **list, size_t i)
{
    const json_t *json = json_array_get(symbols, i);
    list[i] = json_string_value(json);
    if (list[i] == NULL || !name_valid(list[i], false)) {
        list[i] = "";
        return schema_faults_add(b->faults, json, "symbol %zu is bad", i + 1);
    }
    for (size_t k = 0; k < i; k++)
        if (strcmp(list[k], list[i]) == 0)
            return schema_faults_add(b->faults, json, "symbol %s is given twice", list[i]);
    return RC_OK;
}

static enum rc build_symbols(struct builder *b, struct made *m)
{
    const json_t *symbols = json_object_get(m->node.json, "symbols"), *initial = json_object_get(m->node.json, "default");
    size_t n = json_array_size(symbols);
    bool initial_found = initial == NULL;
    enum rc rc = RC_OK;
    if (n == 0 || n > SCHEMA_MEMBERS)
        return reject(b, m->node.json, "symbols must be an array of 1 to 4096 names");
    const char **list = arena_take_array(b->arena, n, sizeof *list);
    if (list == NULL)
        return RC_FATAL;
    for (size_t i = 0; i < n; i++) {
        if (add_symbol(b, symbols, list, i) != RC_OK)
            rc = RC_REJECT;
        initial_found = initial_found || is_text(initial, list[i]);
    }
    m->node.symbols = list;
    m->node.count = n;
    m->node.min_bytes = 1;
    return initial_found ? rc : reject(b, m->node.json, "the default is no symbol");
}

static enum rc read_size(struct builder *b, struct schema_node *n)
{
    json_int_t size = 0;
    if (!integer_in(json_object_get(n->json, "size"), 0, SCHEMA_FIXED_BYTES, &size))
        return reject(b, n->json, "size must be an integer from 0 to 1048576");
    n->size = (size_t)size;
    n->min_bytes = n->size;
    return read_logical(b, n);
}

static enum rc build_named(struct builder *b, enum schema_kind kind, const json_t *json, struct place at, struct made **out)
{
    struct made *m = made_new(b, kind, json);
    size_t faults = b->faults->n;
    if (m == NULL)
        return RC_FATAL;
    enum rc rc = read_name(b, m, &at);
    if (rc != RC_OK)
        return rc;
    m->open = kind == SCHEMA_RECORD;
    if (kind == SCHEMA_RECORD)
        rc = build_fields(b, m, at);
    else
        rc = kind == SCHEMA_ENUM ? build_symbols(b, m) : read_size(b, &m->node);
    m->open = false;
    m->broken = rc != RC_OK;
    schema_faults_prefix(b->faults, faults, json, "%s %.100s: ", kind == SCHEMA_RECORD ? "record" : kind == SCHEMA_ENUM ? "enum" : "fixed", m->node.name);
    *out = m;
    return rc;
}

static enum rc build_list(struct builder *b, enum schema_kind kind, const json_t *json, struct place at, struct made **out)
{
    const char *what = kind == SCHEMA_ARRAY ? "items" : "values";
    const json_t *inner = json_object_get(json, what);
    struct made *m = made_new(b, kind, json), *part = NULL;
    const struct schema_node **branch = arena_take_array(b->arena, 1, sizeof *branch);
    if (m == NULL || branch == NULL)
        return RC_FATAL;
    if (inner == NULL)
        return schema_faults_add(b->faults, json, "%s are missing", what);
    enum rc rc = build_type(b, inner, at, &part);
    if (rc != RC_OK)
        return rc;
    branch[0] = &part->node;
    m->node.branches = branch;
    m->node.count = 1;
    m->node.min_bytes = 1;
    *out = m;
    return grow(b, json, m, part);
}

static bool same_branch(const struct schema_node *a, const struct schema_node *b)
{
    return a->kind == b->kind && (a->name == NULL || strcmp(a->name, b->name) == 0);
}

/* list: the sound branches before it, m->node.count of them. */
static enum rc add_branch(struct builder *b, struct made *m, const struct schema_node **list, const json_t *json, const json_t *whole, struct place at)
{
    struct made *part = NULL;
    enum rc rc = build_type(b, json, at, &part);
    if (rc != RC_OK)
        return rc;
    if (part->node.kind == SCHEMA_UNION)
        return reject(b, json, "a union stands directly in a union");
    for (size_t k = 0; k < m->node.count; k++)
        if (same_branch(list[k], &part->node))
            return reject(b, json, "a union has two branches of the same type");
    list[m->node.count++] = &part->node;
    return grow(b, whole, m, part);
}

static enum rc build_union(struct builder *b, const json_t *json, struct place at, struct made **out)
{
    size_t n = json_array_size(json);
    struct made *m = made_new(b, SCHEMA_UNION, NULL);
    enum rc rc = RC_OK;
    if (n == 0 || n > SCHEMA_MEMBERS)
        return reject(b, json, "a union has 1 to 4096 branches");
    const struct schema_node **list = arena_take_array(b->arena, n, sizeof *list);
    if (m == NULL || list == NULL)
        return RC_FATAL;
    for (size_t i = 0; i < n && rc != RC_FATAL; i++) { /* on behind a fault */
        enum rc one = add_branch(b, m, list, json_array_get(json, i), json, at);
        rc = one != RC_OK ? one : rc;
    }
    m->node.branches = list;
    m->node.min_bytes = 1;
    *out = m;
    return rc;
}

static enum rc build_type(struct builder *b, const json_t *json, struct place at, struct made **out)
{
    if (++at.depth > SCHEMA_DEPTH)
        return reject(b, json, "types nested too deep");
    if (json_is_string(json))
        return build_name(b, json, at, out);
    if (json_is_array(json))
        return build_union(b, json, at, out);
    const char *type = json_string_value(json_object_get(json, "type"));
    if (type == NULL)
        return reject(b, json, "a type must be a name, an array or an object with a type name");
    if (strcmp(type, "record") == 0)
        return build_named(b, SCHEMA_RECORD, json, at, out);
    if (strcmp(type, "enum") == 0)
        return build_named(b, SCHEMA_ENUM, json, at, out);
    if (strcmp(type, "fixed") == 0)
        return build_named(b, SCHEMA_FIXED, json, at, out);
    if (strcmp(type, "array") == 0)
        return build_list(b, SCHEMA_ARRAY, json, at, out);
    if (strcmp(type, "map") == 0)
        return build_list(b, SCHEMA_MAP, json, at, out);
    return build_primitive(b, type, json, json, out);
}

enum rc schema_build(const json_t *json, struct arena *arena, struct schema_faults *faults, const struct schema_node **out)
{
    struct builder *b = arena_take(arena, sizeof *b);
    struct made *root = NULL;
    if (b == NULL)
        return RC_FATAL;
    b->arena = arena;
    b->faults = faults;
    enum rc rc = build_type(b, json, (struct place){"", 0, 0}, &root);
    if (rc == RC_OK)
        *out = &root->node;
    return rc;
}
