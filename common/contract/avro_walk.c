#include "common/contract/avro_walk.h"

#if defined(__SSE2__) && !defined(BRIDGE_PORTABLE)
#include <emmintrin.h>
#endif
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/decimal.h"

enum { PATH_BYTES = 256 };

/* Where the walk stands, a link for each nested value; lives on the stack. name NULL: item number index. */
struct step {
    const struct step *up;
    const char *name;
    uint64_t index;
};

struct walk {
    struct avro_cursor cursor;
    const unsigned char *begin;
    uint64_t empty_left; /* items that take no bytes: nothing else bounds them */
    bool texts;          /* check UTF-8 and decimals too */
    struct err *e;
};

static bool walk_value(struct walk *w, const struct schema_node *s, const struct step *at, int depth);

static size_t left(const struct avro_cursor *c)
{
    return (size_t)(c->end - c->p);
}

bool avro_read_long_longer(struct avro_cursor *c, int64_t *out)
{
    uint64_t v = 0;
    size_t n = left(c);
    for (unsigned i = 0; i < 10 && i < n; i++) {
        unsigned char byte = c->p[i];
        if (i == 9 && byte > 1) /* the tenth byte holds one bit */
            return false;
        v |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            c->p += i + 1;
            *out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return true;
        }
    }
    return false;
}

bool avro_read_bytes_longer(struct avro_cursor *c, const unsigned char **p, size_t *n)
{
    struct avro_cursor ahead = *c;
    int64_t length;
    if (!avro_read_long(&ahead, &length) || length < 0 || (uint64_t)length > left(&ahead))
        return false;
    *p = ahead.p;
    *n = (size_t)length;
    c->p = ahead.p + length;
    return true;
}

bool avro_read_sized_block(struct avro_cursor *c, size_t min_item, uint64_t *count, const unsigned char **end)
{
    struct avro_cursor ahead = *c;
    int64_t n, bytes;
    *end = NULL;
    if (!avro_read_long(&ahead, &n) || n == INT64_MIN)
        return false;
    if (n < 0) {
        if (!avro_read_long(&ahead, &bytes) || bytes < 0 || (uint64_t)bytes > left(&ahead))
            return false;
        *end = ahead.p + bytes;
        n = -n;
    }
    size_t room = *end == NULL ? left(&ahead) : (size_t)(*end - ahead.p);
    if (min_item == 0 ? n > AVRO_WALK_EMPTY : (uint64_t)n > room / min_item)
        return false;
    *count = (uint64_t)n;
    *c = ahead;
    return true;
}

bool avro_read_block(struct avro_cursor *c, size_t min_item, uint64_t *count)
{
    const unsigned char *end;
    return avro_read_sized_block(c, min_item, count, &end);
}

/* "items[3].quantity"; a path longer than room keeps its beginning. */
static void print_path(const struct step *at, char out[PATH_BYTES])
{
    const struct step *steps[AVRO_WALK_DEPTH + 2];
    size_t n = 0, used = 0;
    for (; at != NULL && at->up != NULL && n < AVRO_WALK_DEPTH + 2; at = at->up)
        steps[n++] = at;
    out[0] = '\0';
    while (n-- > 0 && used < PATH_BYTES - 1) {
        const struct step *s = steps[n];
        int made = s->name != NULL ? snprintf(out + used, PATH_BYTES - used, "%s%s", used > 0 ? "." : "", s->name)
                                   : snprintf(out + used, PATH_BYTES - used, "[%" PRIu64 "]", s->index);
        used += made > 0 ? (size_t)made : 0;
    }
}

static bool fault(const struct walk *w, const struct step *at, const char *words)
{
    char path[PATH_BYTES];
    if (w->e == NULL)
        return false;
    print_path(at, path);
    err_set(w->e, "%s%s%s at byte %zu", path, path[0] == '\0' ? "" : ": ", words, (size_t)(w->cursor.p - w->begin));
    return false;
}

static bool walk_raw(struct walk *w, size_t n, const struct step *at)
{
    if (n > left(&w->cursor))
        return fault(w, at, "the bytes end too early");
    w->cursor.p += n;
    return true;
}

static bool decimal_fits(const struct schema_node *s, const unsigned char *p, size_t n)
{
    decimal_t number;
    return decimal_from_bytes(p, n, s->precision, &number, NULL) == RC_OK;
}

/* For a short text with more behind it: is it ASCII? false: perhaps. */
static inline bool short_ascii(const unsigned char *p, size_t n, const unsigned char *end)
{
#if defined(__SSE2__) && !defined(BRIDGE_PORTABLE)
    return n <= 16 && end - p >= 16 && (_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)p)) & ((1 << n) - 1)) == 0;
#else
    (void)p, (void)n, (void)end;
    return false;
#endif
}

static bool walk_bytes(struct walk *w, const struct schema_node *s, const struct step *at)
{
    struct avro_cursor ahead = w->cursor;
    const unsigned char *p;
    size_t n;
    if (!avro_read_bytes(&ahead, &p, &n))
        return fault(w, at, "no length that fits");
    if (w->texts && s->kind == SCHEMA_STRING && !short_ascii(p, n, w->cursor.end)) {
        size_t good = utf8_check(p, n);
        w->cursor.p = p + good;
        if (good < n)
            return fault(w, at, "no valid UTF-8");
    }
    if (w->texts && s->logical == SCHEMA_DECIMAL && !decimal_fits(s, p, n))
        return fault(w, at, "no decimal of the schema's precision");
    w->cursor = ahead;
    return true;
}

static bool walk_fixed(struct walk *w, const struct schema_node *s, const struct step *at)
{
    if (s->size <= left(&w->cursor) && w->texts && s->logical == SCHEMA_DECIMAL && !decimal_fits(s, w->cursor.p, s->size))
        return fault(w, at, "no decimal of the schema's precision");
    return walk_raw(w, s->size, at);
}

static bool walk_boolean(struct walk *w, const struct step *at)
{
    if (left(&w->cursor) == 0 || *w->cursor.p > 1)
        return fault(w, at, "neither true nor false");
    w->cursor.p++;
    return true;
}

/* A number from low to high; the cursor stays where it is when it is not. */
static inline bool walk_long(struct walk *w, const struct step *at, int64_t low, int64_t high, int64_t *v, const char *words)
{
    struct avro_cursor ahead = w->cursor;
    if (!avro_read_long(&ahead, v))
        return fault(w, at, "no whole number");
    if (*v < low || *v > high)
        return fault(w, at, words);
    w->cursor = ahead;
    return true;
}

static bool walk_record(struct walk *w, const struct schema_node *s, const struct step *at, int depth)
{
    struct step in = {at, NULL, 0};
    for (size_t i = 0; i < s->count; i++) {
        in.name = s->fields[i].name;
        if (!walk_value(w, s->fields[i].type, &in, depth + 1))
            return false;
    }
    return true;
}

static bool walk_items(struct walk *w, const struct schema_node *s, const struct step *at, int depth, uint64_t first, uint64_t count)
{
    static const struct schema_node key = {.kind = SCHEMA_STRING};
    for (uint64_t i = 0; i < count; i++) {
        struct step in = {at, NULL, first + i};
        if (s->kind == SCHEMA_MAP && !walk_bytes(w, &key, &in))
            return false;
        if (!walk_value(w, s->branches[0], &in, depth + 1))
            return false;
    }
    return true;
}

static bool walk_blocks(struct walk *w, const struct schema_node *s, const struct step *at, int depth)
{
    size_t min_item = s->branches[0]->min_bytes + (s->kind == SCHEMA_MAP);
    for (uint64_t first = 0, count = 0;; first += count) {
        struct avro_cursor ahead = w->cursor;
        const unsigned char *end;
        if (!avro_read_sized_block(&ahead, min_item, &count, &end))
            return fault(w, at, "no count that fits");
        if (min_item == 0 && count > w->empty_left)
            return fault(w, at, "too many empty items");
        w->empty_left -= min_item == 0 ? count : 0;
        w->cursor = ahead;
        if (count > 0 && min_item > 0 && !walk_items(w, s, at, depth, first, count)) /* items without bytes have nothing to check */
            return false;
        if (end != NULL && w->cursor.p != end)
            return fault(w, at, "a block does not end where it says");
        if (count == 0)
            return true;
    }
}

/* To the branch that is there. */
static inline bool enter_union(struct walk *w, const struct schema_node **s, const struct step *at)
{
    struct avro_cursor *c = &w->cursor;
    int64_t branch;
    if (c->p < c->end && *c->p < 0x80 && (*c->p & 1) == 0 && *c->p / 2 < (*s)->count) { /* nearly every one */
        *s = (*s)->branches[*c->p++ / 2];
        return true;
    }
    if (!walk_long(w, at, 0, (int64_t)(*s)->count - 1, &branch, "no such branch of the union"))
        return false;
    *s = (*s)->branches[branch];
    return true;
}

static bool walk_value(struct walk *w, const struct schema_node *s, const struct step *at, int depth)
{
    int64_t number;
    if (s->kind == SCHEMA_UNION && depth <= AVRO_WALK_DEPTH) { /* a branch is no part of the path, but of the depth */
        if (!enter_union(w, &s, at))
            return false;
        depth++;
    }
    if (depth > AVRO_WALK_DEPTH)
        return fault(w, at, "nested too deep");
    switch (s->kind) {
    case SCHEMA_NULL:
        return true;
    case SCHEMA_BOOLEAN:
        return walk_boolean(w, at);
    case SCHEMA_INT:
        return walk_long(w, at, INT32_MIN, INT32_MAX, &number, "more than 32 bits");
    case SCHEMA_LONG:
        return walk_long(w, at, INT64_MIN, INT64_MAX, &number, "");
    case SCHEMA_FLOAT:
        return walk_raw(w, 4, at);
    case SCHEMA_DOUBLE:
        return walk_raw(w, 8, at);
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
        return walk_bytes(w, s, at);
    case SCHEMA_FIXED:
        return walk_fixed(w, s, at);
    case SCHEMA_ENUM:
        return walk_long(w, at, 0, (int64_t)s->count - 1, &number, "no such symbol of the enum");
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        return walk_blocks(w, s, at, depth);
    case SCHEMA_RECORD:
        return walk_record(w, s, at, depth);
    case SCHEMA_UNION: /* none stands in a union */
        break;
    }
    return fault(w, at, "no known type");
}

enum rc avro_walk_check(const struct schema_node *s, const unsigned char *p, size_t n, struct err *e)
{
    static const unsigned char nothing;
    struct step root = {0};
    if (p == NULL) {
        p = &nothing;
        n = 0;
    }
    struct walk w = {.cursor = {p, p + n}, .begin = p, .empty_left = AVRO_WALK_EMPTY, .texts = true, .e = e};
    if (!walk_value(&w, s, &root, 0))
        return RC_REJECT;
    if (w.cursor.p == w.cursor.end)
        return RC_OK;
    (void)fault(&w, &root, "bytes are left over");
    return RC_REJECT;
}

enum rc avro_walk_field(const struct schema_field *f, const unsigned char *begin, struct avro_cursor *c, struct err *e)
{
    struct step root = {0}, in = {&root, f->name, 0};
    struct walk w = {.cursor = *c, .begin = begin, .empty_left = AVRO_WALK_EMPTY, .texts = true, .e = e};
    bool ok = walk_value(&w, f->type, &in, 1);
    *c = w.cursor;
    return ok ? RC_OK : RC_REJECT;
}

enum rc avro_walk_part(const struct schema_node *s, int depth, const unsigned char *begin, struct avro_cursor *c, uint64_t *empty_left, struct err *e)
{
    struct step root = {0};
    struct walk w = {.cursor = *c, .begin = begin, .empty_left = *empty_left, .texts = true, .e = e};
    bool ok = walk_value(&w, s, &root, depth);
    *c = w.cursor;
    *empty_left = w.empty_left;
    return ok ? RC_OK : RC_REJECT;
}

enum rc avro_walk_value(const struct schema_node *s, int depth, const unsigned char *begin, struct avro_cursor *c, struct err *e)
{
    uint64_t empty_left = AVRO_WALK_EMPTY;
    return avro_walk_part(s, depth, begin, c, &empty_left, e);
}

/* Steps over what nearly every field is: null, a text, bytes or a long. false: not that; the cursor stays. */
static inline bool skip_short(const struct schema_node *s, struct avro_cursor *c)
{
    struct avro_cursor ahead = *c;
    const unsigned char *p;
    int64_t number;
    size_t n;
    if (s->kind == SCHEMA_UNION) {
        if (ahead.p >= ahead.end || *ahead.p >= 0x80 || (*ahead.p & 1) != 0 || *ahead.p / 2 >= s->count)
            return false;
        s = s->branches[*ahead.p++ / 2];
    }
    bool done = s->kind == SCHEMA_NULL || ((s->kind == SCHEMA_STRING || s->kind == SCHEMA_BYTES) && avro_read_bytes(&ahead, &p, &n)) ||
                (s->kind == SCHEMA_LONG && avro_read_long(&ahead, &number));
    if (done)
        *c = ahead;
    return done;
}

bool avro_walk_skip(const struct schema_node *s, struct avro_cursor *c)
{
    if (skip_short(s, c))
        return true;
    struct step root = {0};
    struct walk w = {.cursor = *c, .begin = c->p, .empty_left = AVRO_WALK_EMPTY};
    bool ok = walk_value(&w, s, &root, 0);
    *c = w.cursor;
    return ok;
}
