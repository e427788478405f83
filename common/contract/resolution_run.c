#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_put.h"
#include "common/contract/resolution_step.h"

struct run {
    struct resolution *r;
    struct avro_cursor cursor;
    const unsigned char *begin;
    struct buf *out;
    uint64_t empty_left; /* items of the whole message that take no bytes */
    enum rc rc;
    struct err *e;
    char path[RESOLUTION_PATH]; /* of a fault: grows at the front while the recursion unwinds */
};

/* Types above a value, in the writer's schema and in the reader's. */
struct depth {
    int read, made;
};

static bool run_way(struct run *x, const struct resolution_way *way, struct depth at);

static bool fault(struct run *x, const char *words)
{
    x->rc = RC_REJECT;
    err_set(x->e, "%s at byte %zu", words, (size_t)(x->cursor.p - x->begin));
    return false;
}

/* false, for the caller to hand on. */
static bool fault_in(struct run *x, const char *name)
{
    (void)resolution_path_front(x->path, name); /* no room: the inner part of the path tells more */
    return false;
}

/* Checks the value at the cursor and steps over it. */
static bool check(struct run *x, const struct schema_node *type, struct depth at)
{
    int depth = at.made > at.read ? at.made : at.read;
    if (avro_walk_part(type, depth, x->begin, &x->cursor, &x->empty_left, x->e) == RC_OK)
        return true;
    x->rc = RC_REJECT;
    return false;
}

static bool run_copy(struct run *x, const struct resolution_step *s, struct depth at)
{
    const unsigned char *from = x->cursor.p;
    if (!check(x, s->writer, at))
        return false;
    const unsigned char *end = x->cursor.p;
    if (!s->same) { /* the same bytes, but not each value of the one type is one of the other */
        uint64_t empty_left = x->empty_left;
        x->cursor.p = from;
        x->empty_left = AVRO_WALK_EMPTY; /* counted already */
        if (!check(x, s->reader, at))
            return false;
        x->empty_left = empty_left;
    }
    buf_put(x->out, from, (size_t)(end - from));
    return true;
}

static bool read_float(struct run *x, double *out)
{
    const unsigned char *p = x->cursor.p;
    uint32_t bits = 0;
    float v;
    if (x->cursor.end - p < 4)
        return fault(x, "the bytes end too early");
    for (unsigned i = 0; i < 4; i++)
        bits |= (uint32_t)p[i] << (8 * i);
    memcpy(&v, &bits, sizeof v);
    *out = (double)v;
    x->cursor.p += 4;
    return true;
}

static bool run_real(struct run *x, const struct resolution_step *s)
{
    double real = 0;
    float narrow;
    int64_t whole = 0;
    if (s->writer->kind == SCHEMA_FLOAT) {
        if (!read_float(x, &real))
            return false;
        avro_put_double(x->out, real);
        return true;
    }
    struct avro_cursor ahead = x->cursor;
    if (!avro_read_long(&ahead, &whole))
        return fault(x, "no whole number");
    if (s->writer->kind == SCHEMA_INT && (whole < INT32_MIN || whole > INT32_MAX))
        return fault(x, "more than 32 bits");
    x->cursor = ahead;
    narrow = (float)whole; /* rounded once, not by way of a double */
    if (s->reader->kind == SCHEMA_FLOAT)
        avro_put_float(x->out, narrow);
    else
        avro_put_double(x->out, (double)whole);
    return true;
}

static bool read_index(struct run *x, size_t count, const char *words, size_t *out)
{
    struct avro_cursor ahead = x->cursor;
    int64_t index;
    if (!avro_read_long(&ahead, &index) || index < 0 || (uint64_t)index >= count)
        return fault(x, words);
    x->cursor = ahead;
    *out = (size_t)index;
    return true;
}

static bool run_symbol(struct run *x, const struct resolution_step *s)
{
    const unsigned char *from = x->cursor.p;
    size_t index;
    if (!read_index(x, s->writer->count, "no such symbol of the enum", &index))
        return false;
    if (s->symbols[index] < 0) {
        x->cursor.p = from;
        return fault(x, "a symbol that the reader does not know");
    }
    avro_put_long(x->out, s->symbols[index]);
    return true;
}

static bool run_item(struct run *x, const struct resolution_step *s, uint64_t index, struct depth in)
{
    static const struct schema_node key = {.kind = SCHEMA_STRING};
    const unsigned char *from = x->cursor.p;
    char number[32];
    bool ok = true;
    if (s->writer->kind == SCHEMA_MAP) {
        ok = check(x, &key, in);
        if (ok)
            buf_put(x->out, from, (size_t)(x->cursor.p - from));
    }
    ok = ok && run_way(x, &s->items, in);
    if (ok)
        return true;
    (void)snprintf(number, sizeof number, "[%" PRIu64 "]", index);
    return fault_in(x, number);
}

/* Blocks stay as the writer made them, but tell no sizes. */
static bool run_list(struct run *x, const struct resolution_step *s, struct depth at)
{
    size_t min_item = s->writer->branches[0]->min_bytes + (s->writer->kind == SCHEMA_MAP);
    struct depth in = {at.read + 1, at.made + 1};
    for (uint64_t index = 0, count = 0;;) {
        struct avro_cursor ahead = x->cursor;
        const unsigned char *end;
        if (!avro_read_sized_block(&ahead, min_item, &count, &end))
            return fault(x, "no count that fits");
        if (min_item == 0 && count > x->empty_left)
            return fault(x, "too many empty items");
        x->empty_left -= min_item == 0 ? count : 0;
        x->cursor = ahead;
        avro_put_long(x->out, (int64_t)count);
        for (uint64_t i = 0; i < count; i++, index++) {
            if (!run_item(x, s, index, in))
                return false;
            if (buf_failed(x->out))
                return fault(x, "the result is too large");
        }
        if (end != NULL && x->cursor.p != end)
            return fault(x, "a block does not end where it says");
        if (count == 0)
            return true;
    }
}

static bool keep_slots(struct run *x, size_t n)
{
    struct resolution *r = x->r;
    if (n > r->kept_room - r->kept_n) {
        size_t room = (r->kept_n + n) * 2;
        struct avro_cursor *grown = realloc(r->kept, room * sizeof *grown);
        if (grown == NULL) {
            x->rc = RC_FATAL;
            err_set(x->e, "out of memory");
            return false;
        }
        r->kept = grown;
        r->kept_room = room;
    }
    r->kept_n += n;
    return true;
}

/* Steps over a field of the writer, which is dropped or wanted later. */
static bool pass_field(struct run *x, const struct resolution_step *s, size_t field, size_t slots, struct depth in)
{
    if (s->record.slots[field] != RESOLUTION_NO_SLOT)
        x->r->kept[slots + (size_t)s->record.slots[field]] = x->cursor;
    return check(x, s->writer->fields[field].type, (struct depth){in.read, 0}) || fault_in(x, s->writer->fields[field].name);
}

static bool put_default(struct run *x, const struct resolution_part *part, struct depth in)
{
    if (in.made + part->initial_depth > AVRO_WALK_DEPTH)
        return fault(x, "nested too deep") || fault_in(x, part->name);
    buf_put(x->out, part->initial, part->initial_n);
    return true;
}

static bool run_part(struct run *x, const struct resolution_part *part, struct depth in)
{
    return run_way(x, &part->way, in) || fault_in(x, part->name);
}

/* The writer's fields come in its order and go in the reader's: what comes too early is stepped over, its place kept, and read from there. */
static bool run_parts(struct run *x, const struct resolution_step *s, size_t slots, struct depth in)
{
    size_t next = 0;
    for (size_t i = 0; i < s->reader->count; i++) {
        const struct resolution_part *part = &s->record.parts[i];
        if (part->way.step == NULL) {
            if (!put_default(x, part, in))
                return false;
            continue;
        }
        for (; next < part->from; next++)
            if (!pass_field(x, s, next, slots, in))
                return false;
        struct avro_cursor behind = x->cursor;
        bool kept = part->from < next;
        if (kept)
            x->cursor = x->r->kept[slots + (size_t)s->record.slots[part->from]];
        if (!run_part(x, part, in))
            return false;
        if (kept)
            x->cursor = behind;
        else
            next++;
    }
    for (; next < s->writer->count; next++)
        if (!pass_field(x, s, next, slots, in))
            return false;
    return true;
}

static bool run_record(struct run *x, const struct resolution_step *s, struct depth at)
{
    size_t slots = x->r->kept_n;
    bool ok = keep_slots(x, s->record.slots_n) && run_parts(x, s, slots, (struct depth){at.read + 1, at.made + 1});
    x->r->kept_n = slots;
    return ok;
}

static bool run_union(struct run *x, const struct resolution_step *s, struct depth at)
{
    size_t branch;
    if (!read_index(x, s->writer->count, "no such branch of the union", &branch))
        return false;
    return run_way(x, &s->ways[branch], (struct depth){at.read + 1, at.made});
}

static bool run_never(struct run *x, const struct resolution_step *s)
{
    (void)snprintf(x->path, sizeof x->path, "%s", s->never.path);
    return fault(x, s->never.words);
}

static bool run_way(struct run *x, const struct resolution_way *way, struct depth at)
{
    const struct resolution_step *s = way->step;
    if (way->branch >= 0) {
        avro_put_long(x->out, way->branch);
        at.made++;
    }
    if (at.read > AVRO_WALK_DEPTH || at.made > AVRO_WALK_DEPTH)
        return fault(x, "nested too deep");
    switch (s->act) {
    case RESOLUTION_COPY:
        return run_copy(x, s, at);
    case RESOLUTION_REAL:
        return run_real(x, s);
    case RESOLUTION_SYMBOL:
        return run_symbol(x, s);
    case RESOLUTION_LIST:
        return run_list(x, s, at);
    case RESOLUTION_RECORD:
        return run_record(x, s, at);
    case RESOLUTION_UNION:
        return run_union(x, s, at);
    case RESOLUTION_NEVER:
        return run_never(x, s);
    }
    return fault(x, "no known step");
}

enum rc resolution_run(struct resolution *r, const unsigned char *avro, size_t n, struct buf *out, struct err *e)
{
    static const unsigned char nothing;
    const unsigned char *begin = avro == NULL ? &nothing : avro;
    struct run x = {.r = r, .cursor = {begin, begin + (avro == NULL ? 0 : n)}, .begin = begin, .out = out, .empty_left = AVRO_WALK_EMPTY, .e = e};
    size_t before = out->n;
    if (buf_failed(out))
        (void)fault(&x, "the result is too large");
    else if (run_way(&x, &r->root, (struct depth){0, 0}) && x.cursor.p != x.cursor.end)
        (void)fault(&x, "bytes are left over");
    else if (x.rc == RC_OK && buf_failed(out))
        (void)fault(&x, "the result is too large");
    if (x.rc == RC_OK)
        return RC_OK;
    out->n = before;
    if (x.path[0] != '\0')
        err_prefix(e, "%s", x.path);
    return x.rc;
}
