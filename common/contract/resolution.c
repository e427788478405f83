#include "common/contract/resolution.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_default.h"
#include "common/contract/resolution_step.h"

enum { DEFAULT_BYTES = 65536, DEPTH = 512, STEPS = 262144, PAIRS = 4096 };

struct pair {
    const struct schema_node *writer, *reader;
    const struct resolution_step *step;
};

struct compiler {
    struct arena *arena;
    struct pair *pairs; /* of records, so that a recursive type ends; PAIRS of them */
    size_t pairs_n, steps;
    int depth;
    enum rc rc; /* sticky: nothing more is compiled */
    struct err *e;
};

static struct resolution_way compile(struct compiler *c, const struct schema_node *writer, const struct schema_node *reader);

static void stop(struct compiler *c, enum rc rc, const char *words)
{
    if (c->rc != RC_OK)
        return;
    c->rc = rc;
    err_set(c->e, "%s", words);
}

static void *take(struct compiler *c, size_t count, size_t size)
{
    void *p = arena_take_array(c->arena, count, size);
    if (p == NULL)
        stop(c, RC_FATAL, "out of memory");
    return p;
}

static struct resolution_step *step_new(struct compiler *c, enum resolution_act act, const struct schema_node *writer,
                                        const struct schema_node *reader)
{
    if (++c->steps > STEPS)
        stop(c, RC_REJECT, "the two schemas are too large together");
    struct resolution_step *s = c->rc == RC_OK ? take(c, 1, sizeof *s) : NULL;
    if (s != NULL)
        *s = (struct resolution_step){.act = act, .writer = writer, .reader = reader};
    return s;
}

bool resolution_path_front(char path[RESOLUTION_PATH], const char *name)
{
    size_t front = strlen(name), n = strlen(path), point = n > 0 && path[0] != '[';
    if (front + point + n >= RESOLUTION_PATH)
        return false;
    memmove(path + front + point, path, n + 1);
    memcpy(path, name, front);
    if (point)
        path[front] = '.';
    return true;
}

/* Turns s into one that says why there is no way. */
static void never(struct compiler *c, struct resolution_step *s, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void never(struct compiler *c, struct resolution_step *s, const char *path, const char *format, ...)
{
    char words[RESOLUTION_PATH];
    va_list list;
    if (s == NULL)
        return;
    va_start(list, format);
    int n = vsnprintf(words, sizeof words, format, list);
    va_end(list);
    if (n < 0)
        words[0] = '\0';
    s->act = RESOLUTION_NEVER;
    s->never.words = arena_text(c->arena, words, strlen(words));
    s->never.path = arena_text(c->arena, path, strlen(path));
    if (s->never.words == NULL || s->never.path == NULL)
        stop(c, RC_FATAL, "out of memory");
}

/* A part of s has no way, so s has none. */
static void never_inside(struct compiler *c, struct resolution_step *s, const char *name, const struct resolution_step *inner)
{
    char path[RESOLUTION_PATH];
    (void)snprintf(path, sizeof path, "%s", inner->never.path);
    (void)resolution_path_front(path, name);
    never(c, s, path, "%s", inner->never.words);
}

static const char *type_name(const struct schema_node *n)
{
    static const char *const names[] = {
        [SCHEMA_NULL] = "null",   [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",       [SCHEMA_LONG] = "long",     [SCHEMA_FLOAT] = "float",
        [SCHEMA_DOUBLE] = "double", [SCHEMA_BYTES] = "bytes",   [SCHEMA_STRING] = "string", [SCHEMA_FIXED] = "fixed",   [SCHEMA_ENUM] = "enum",
        [SCHEMA_ARRAY] = "array", [SCHEMA_MAP] = "map",         [SCHEMA_RECORD] = "record", [SCHEMA_UNION] = "union",
    };
    return n->name != NULL ? n->name : names[n->kind];
}

static const char *unqualified(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

/* By unqualified name, or by an alias of the reader: one with a namespace means it, one without is good for any. */
static bool names_match(const struct schema_node *writer, const struct schema_node *reader)
{
    const json_t *aliases = json_object_get(reader->json, "aliases");
    if (strcmp(unqualified(writer->name), unqualified(reader->name)) == 0)
        return true;
    for (size_t i = 0; i < json_array_size(aliases); i++) {
        const char *alias = json_string_value(json_array_get(aliases, i));
        if (alias != NULL && strcmp(strchr(alias, '.') != NULL ? writer->name : unqualified(writer->name), alias) == 0)
            return true;
    }
    return false;
}

static bool is_text(enum schema_kind k)
{
    return k == SCHEMA_BYTES || k == SCHEMA_STRING;
}

/* Kinds without names and parts. */
static bool kinds_match(enum schema_kind writer, enum schema_kind reader)
{
    if (writer == reader || (is_text(writer) && is_text(reader)))
        return true;
    return writer >= SCHEMA_INT && writer < SCHEMA_DOUBLE && reader > writer && reader <= SCHEMA_DOUBLE;
}

/* The specification's "match", which looks no deeper than it must to choose a branch. */
static bool matches(const struct schema_node *writer, const struct schema_node *reader)
{
    if (writer->kind == SCHEMA_UNION || reader->kind == SCHEMA_UNION)
        return true;
    if (!kinds_match(writer->kind, reader->kind))
        return false;
    if (writer->kind == SCHEMA_ARRAY || writer->kind == SCHEMA_MAP)
        return matches(writer->branches[0], reader->branches[0]);
    return writer->name == NULL || (names_match(writer, reader) && writer->size == reader->size);
}

/* The same type or, among named ones, the same full name goes before the first match, as in Java's Avro: the specification's plain first would make a text
 * bytes and a long a double where the reader has the very type. SIZE_MAX: no branch matches. */
static size_t choose_branch(const struct schema_node *writer, const struct schema_node *reader)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->branches[i]->kind == writer->kind && (writer->name == NULL || strcmp(reader->branches[i]->name, writer->name) == 0) &&
            matches(writer, reader->branches[i]))
            return i;
    for (size_t i = 0; i < reader->count; i++)
        if (matches(writer, reader->branches[i]))
            return i;
    return SIZE_MAX;
}

static bool way_same(const struct resolution_way *w)
{
    return w->branch < 0 && w->step->act == RESOLUTION_COPY && w->step->same;
}

static void turn_to_copy(struct resolution_step *s)
{
    s->act = RESOLUTION_COPY;
    s->same = true;
}

static void compile_decimal(struct compiler *c, struct resolution_step *s)
{
    const struct schema_node *w = s->writer, *r = s->reader;
    bool both = w->logical == SCHEMA_DECIMAL && r->logical == SCHEMA_DECIMAL;
    if (both && w->scale != r->scale)
        never(c, s, "", "a decimal of scale %d cannot be read with scale %d", w->scale, r->scale);
    else if (both && w->precision > r->precision)
        never(c, s, "", "a decimal of precision %d cannot be read with precision %d", w->precision, r->precision);
    else
        s->same = both || r->logical != SCHEMA_DECIMAL;
}

static void compile_scalar(struct compiler *c, struct resolution_step *s)
{
    enum schema_kind w = s->writer->kind, r = s->reader->kind;
    if (w != r && (r == SCHEMA_FLOAT || r == SCHEMA_DOUBLE)) {
        s->act = RESOLUTION_REAL;
        return;
    }
    compile_decimal(c, s);
    if (w == SCHEMA_BYTES && r == SCHEMA_STRING)
        s->same = false;
}

static int64_t find_symbol(const struct schema_node *type, const char *name)
{
    for (size_t i = 0; name != NULL && i < type->count; i++)
        if (strcmp(type->symbols[i], name) == 0)
            return (int64_t)i;
    return -1;
}

static void compile_symbols(struct compiler *c, struct resolution_step *s)
{
    int64_t initial = find_symbol(s->reader, json_string_value(json_object_get(s->reader->json, "default")));
    int64_t *map = take(c, s->writer->count, sizeof *map);
    bool known = false, same = true;
    if (map == NULL)
        return;
    for (size_t i = 0; i < s->writer->count; i++) {
        map[i] = find_symbol(s->reader, s->writer->symbols[i]);
        if (map[i] < 0)
            map[i] = initial;
        known = known || map[i] >= 0;
        same = same && map[i] == (int64_t)i;
    }
    s->symbols = map;
    if (!known)
        never(c, s, "", "enum %s: the reader knows none of its symbols", s->writer->name);
    else if (same)
        turn_to_copy(s);
}

static void compile_items(struct compiler *c, struct resolution_step *s)
{
    struct resolution_way way = compile(c, s->writer->branches[0], s->reader->branches[0]);
    if (c->rc != RC_OK)
        return;
    s->items = way;
    if (way.step->act == RESOLUTION_NEVER)
        never_inside(c, s, "[]", way.step);
    else if (way_same(&way))
        turn_to_copy(s);
}

static bool has_alias(const struct schema_field *f, const char *name)
{
    const json_t *aliases = json_object_get(f->json, "aliases");
    for (size_t i = 0; i < json_array_size(aliases); i++) {
        const char *alias = json_string_value(json_array_get(aliases, i));
        if (alias != NULL && strcmp(alias, name) == 0)
            return true;
    }
    return false;
}

/* The writer's field for a field of the reader: by name, or by an alias where no field of the reader has that name itself. taken: who got which.
 * SIZE_MAX: none. */
static size_t find_source(const struct resolution_step *s, const struct schema_field *f, bool *taken)
{
    const struct schema_node *w = s->writer;
    const struct schema_field *found = schema_field(w, f->name);
    for (size_t i = 0; found == NULL && i < w->count; i++)
        if (!taken[i] && has_alias(f, w->fields[i].name) && schema_field(s->reader, w->fields[i].name) == NULL)
            found = &w->fields[i];
    if (found == NULL)
        return SIZE_MAX;
    taken[found - w->fields] = true;
    return (size_t)(found - w->fields);
}

/* How many types deep the bytes of a default go: the walk refuses them from one more on. */
static int depth_of(const struct schema_node *type, const unsigned char *p, size_t n)
{
    for (int depth = 0; depth <= AVRO_WALK_DEPTH; depth++) {
        struct avro_cursor cursor = {p, p + n};
        if (avro_walk_value(type, AVRO_WALK_DEPTH - depth, p, &cursor, NULL) == RC_OK)
            return depth;
    }
    return AVRO_WALK_DEPTH + 1;
}

static void compile_default(struct compiler *c, struct resolution_step *s, const struct schema_field *f, struct resolution_part *out)
{
    if (f->initial == NULL) {
        never(c, s, f->name, "the writer has no such field, and it has no default");
        return;
    }
    struct buf made;
    buf_init(&made, DEFAULT_BYTES);
    avro_default_put(f->type, f->initial, &made);
    unsigned char *copy = buf_failed(&made) ? NULL : take(c, made.n + 1, 1);
    if (buf_failed(&made))
        never(c, s, f->name, "its default is too large");
    else if (copy != NULL) {
        if (made.n > 0)
            memcpy(copy, made.p, made.n);
        out->initial = copy;
        out->initial_n = made.n;
        out->initial_depth = depth_of(f->type, copy, made.n);
    }
    buf_release(&made);
}

/* Marks what the reader wants after something that comes behind it. */
static void compile_slots(struct compiler *c, struct resolution_step *s, const struct resolution_part *parts)
{
    int *slots = take(c, s->writer->count, sizeof *slots);
    size_t next = 0; /* fields of the writer before it have come */
    if (slots == NULL)
        return;
    for (size_t i = 0; i < s->writer->count; i++)
        slots[i] = RESOLUTION_NO_SLOT;
    for (size_t i = 0; i < s->reader->count; i++) {
        if (parts[i].way.step == NULL)
            continue;
        if (parts[i].from < next)
            slots[parts[i].from] = (int)s->record.slots_n++;
        else
            next = parts[i].from + 1;
    }
    s->record.slots = slots;
}

static void compile_parts(struct compiler *c, struct resolution_step *s, struct resolution_part *parts, bool *taken)
{
    bool same = s->writer->count == s->reader->count;
    for (size_t i = 0; i < s->reader->count; i++) {
        const struct schema_field *f = &s->reader->fields[i];
        struct resolution_part *part = &parts[i];
        part->name = f->name;
        part->from = find_source(s, f, taken);
        same = same && part->from == i;
        if (part->from == SIZE_MAX) {
            compile_default(c, s, f, part);
        } else {
            part->way = compile(c, s->writer->fields[part->from].type, f->type);
            if (c->rc == RC_OK && part->way.step->act == RESOLUTION_NEVER)
                never_inside(c, s, f->name, part->way.step);
        }
        if (c->rc != RC_OK || s->act == RESOLUTION_NEVER)
            return;
        same = same && way_same(&part->way);
    }
    s->record.slots_n = 0;
    s->record.parts = parts;
    if (same)
        turn_to_copy(s);
    else
        compile_slots(c, s, parts);
}

static void compile_record(struct compiler *c, struct resolution_step *s)
{
    if (c->pairs_n == PAIRS) {
        stop(c, RC_REJECT, "the two schemas are too large together");
        return;
    }
    c->pairs[c->pairs_n++] = (struct pair){s->writer, s->reader, s};
    struct resolution_part *parts = take(c, s->reader->count, sizeof *parts);
    bool *taken = take(c, s->writer->count, sizeof *taken);
    if (parts != NULL && taken != NULL)
        compile_parts(c, s, parts, taken);
}

static const struct resolution_step *find_pair(const struct compiler *c, const struct schema_node *writer, const struct schema_node *reader)
{
    for (size_t i = 0; i < c->pairs_n; i++)
        if (c->pairs[i].writer == writer && c->pairs[i].reader == reader)
            return c->pairs[i].step;
    return NULL;
}

/* Neither is a union. A record that is being compiled is met again as it stands: should it fail in the end, it becomes a step that says so. */
static const struct resolution_step *compile_plain(struct compiler *c, const struct schema_node *writer, const struct schema_node *reader)
{
    const struct resolution_step *known = reader->kind == SCHEMA_RECORD ? find_pair(c, writer, reader) : NULL;
    struct resolution_step *s = known == NULL ? step_new(c, RESOLUTION_COPY, writer, reader) : NULL;
    if (known != NULL || s == NULL)
        return known;
    if (!kinds_match(writer->kind, reader->kind) || (writer->name != NULL && !names_match(writer, reader))) {
        never(c, s, "", "%s cannot be read as %s", type_name(writer), type_name(reader));
        return s;
    }
    switch (writer->kind) {
    case SCHEMA_FIXED:
        if (writer->size != reader->size)
            never(c, s, "", "fixed of %zu bytes cannot be read with %zu", writer->size, reader->size);
        else
            compile_decimal(c, s);
        break;
    case SCHEMA_ENUM:
        s->act = RESOLUTION_SYMBOL;
        compile_symbols(c, s);
        break;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        s->act = RESOLUTION_LIST;
        compile_items(c, s);
        break;
    case SCHEMA_RECORD:
        s->act = RESOLUTION_RECORD;
        compile_record(c, s);
        break;
    default:
        compile_scalar(c, s);
    }
    return s;
}

/* One branch of the writer that can be read is enough: the others are told when they come. */
static const struct resolution_step *compile_union(struct compiler *c, const struct schema_node *writer, const struct schema_node *reader)
{
    struct resolution_step *s = step_new(c, RESOLUTION_UNION, writer, reader);
    struct resolution_way *ways = s != NULL ? take(c, writer->count, sizeof *ways) : NULL;
    const struct resolution_step *fault = NULL;
    bool any = false, same = reader->kind == SCHEMA_UNION;
    if (ways == NULL)
        return NULL;
    for (size_t i = 0; i < writer->count; i++) {
        ways[i] = compile(c, writer->branches[i], reader);
        if (c->rc != RC_OK)
            return NULL;
        if (ways[i].step->act != RESOLUTION_NEVER)
            any = true;
        else if (fault == NULL || fault->writer->kind == SCHEMA_NULL)
            fault = ways[i].step;
        struct resolution_way inner = {ways[i].step, -1};
        same = same && ways[i].branch == (int64_t)i && way_same(&inner);
    }
    s->ways = ways;
    if (!any)
        never(c, s, fault->never.path, "%s", fault->never.words);
    else if (same)
        turn_to_copy(s);
    return s;
}

static struct resolution_way compile(struct compiler *c, const struct schema_node *writer, const struct schema_node *reader)
{
    struct resolution_way way = {NULL, -1};
    if (++c->depth > DEPTH)
        stop(c, RC_REJECT, "the two schemas are nested too deep together");
    if (c->rc != RC_OK)
        return way;
    if (writer->kind == SCHEMA_UNION) {
        way.step = compile_union(c, writer, reader);
    } else if (reader->kind == SCHEMA_UNION) {
        size_t branch = choose_branch(writer, reader);
        if (branch == SIZE_MAX) {
            struct resolution_step *s = step_new(c, RESOLUTION_NEVER, writer, reader);
            never(c, s, "", "%s is none of the reader's branches", type_name(writer));
            way.step = s;
        } else {
            way.branch = (int64_t)branch;
            way.step = compile_plain(c, writer, reader->branches[branch]);
        }
    } else {
        way.step = compile_plain(c, writer, reader);
    }
    c->depth--;
    return way;
}

/* Recursive types never come out as a copy by themselves. */
static bool identical(const struct schema *writer, const struct schema *reader)
{
    return writer == reader ||
           (schema_fingerprint(writer) == schema_fingerprint(reader) && strcmp(schema_text(writer), schema_text(reader)) == 0);
}

static void compile_root(struct compiler *c, struct resolution *r, const struct schema *writer, const struct schema *reader)
{
    if (identical(writer, reader)) {
        struct resolution_step *s = step_new(c, RESOLUTION_COPY, schema_root(writer), schema_root(reader));
        if (s != NULL)
            s->same = true;
        r->root = (struct resolution_way){s, -1};
        return;
    }
    r->root = compile(c, schema_root(writer), schema_root(reader));
    if (c->rc != RC_OK || r->root.step->act != RESOLUTION_NEVER)
        return;
    c->rc = RC_REJECT;
    const char *path = r->root.step->never.path;
    err_set(c->e, "%s%s%s", path, path[0] == '\0' ? "" : ": ", r->root.step->never.words);
}

enum rc resolution_compile(const struct schema *writer, const struct schema *reader, struct resolution **out, struct err *e)
{
    struct resolution *r = calloc(1, sizeof *r);
    struct compiler c = {.pairs = calloc(PAIRS, sizeof *c.pairs), .rc = RC_OK, .e = e};
    if (r == NULL || c.pairs == NULL) {
        stop(&c, RC_FATAL, "out of memory");
    } else {
        arena_init(&r->arena);
        c.arena = &r->arena;
        compile_root(&c, r, writer, reader);
    }
    free(c.pairs);
    if (c.rc == RC_OK)
        *out = r;
    else
        resolution_destroy(r);
    return c.rc;
}

void resolution_destroy(struct resolution *r)
{
    if (r == NULL)
        return;
    arena_release(&r->arena);
    free(r->kept);
    free(r);
}

bool resolution_is_identity(const struct resolution *r)
{
    return way_same(&r->root);
}
