#include "common/contract/avro_json.h"

#if defined(__SSE2__) && !defined(BRIDGE_PORTABLE)
#include <emmintrin.h>
#endif
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/contract/decimal.h"
#include "common/contract/zone.h"

/* Years 1 to 9999: what RFC 3339 can write. */
#define MOMENT_FIRST INT64_C(-62135596800000)
#define MOMENT_LAST INT64_C(253402300799999)
enum { DAY_FIRST = -719162, DAY_LAST = 2932896, DAY_MS = 86400000 };

static enum rc print(const struct schema_node *s, const struct schema_field *f, struct avro_cursor *c, struct buf *out, int depth,
                     struct err *e);

static enum rc reject(struct err *e, const char *words)
{
    err_set(e, "%s", words);
    return RC_REJECT;
}

static enum rc broken(struct err *e)
{
    return reject(e, "bytes that do not fit the schema");
}

/* Room for n bytes; NULL: the buffer is full. */
static inline unsigned char *room(struct buf *out, size_t n)
{
    return !out->failed && (out->cap - out->n >= n || buf_reserve(out, n)) ? out->p + out->n : NULL;
}

static inline void put_byte(struct buf *out, unsigned char byte)
{
    unsigned char *to = room(out, 1);
    if (to == NULL)
        return;
    *to = byte;
    out->n++;
}

static inline void put(struct buf *out, const void *p, size_t n)
{
    unsigned char *to = room(out, n);
    if (to == NULL || n == 0)
        return;
    memcpy(to, p, n);
    out->n += n;
}

static void print_escape(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    const char *at = c == 0 ? NULL : strchr(from, c);
    if (at != NULL) {
        unsigned char two[2] = {'\\', (unsigned char)to[at - from]};
        put(out, two, sizeof two);
        return;
    }
    unsigned char six[6] = {'\\', 'u', '0', '0', (unsigned char)hex[c >> 4], (unsigned char)hex[c & 15]};
    put(out, six, sizeof six);
}

/* Of n bytes those in front of the first that needs an escape, 16 or 8 at a time. The tests on 8 are those of "Bit Twiddling Hacks" (a zero byte, a byte less than n): the first hit is never
 * wrong, so neither is their absence. */
static inline size_t count_plain(const unsigned char *p, size_t n)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t i = 0;
#if defined(__SSE2__) && !defined(BRIDGE_PORTABLE)
    for (; n - i >= 16; i += 16) {
        __m128i w = _mm_loadu_si128((const __m128i *)(const void *)(p + i)), control = _mm_cmpeq_epi8(_mm_min_epu8(w, _mm_set1_epi8(0x1f)), w);
        __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8('"')), _mm_cmpeq_epi8(w, _mm_set1_epi8('\\')));
        if (_mm_movemask_epi8(_mm_or_si128(control, marks)) != 0)
            break;
    }
#endif
    for (; n - i >= 8; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        if (((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops) != 0)
            break;
    }
    while (i < n && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

/* Short texts 16 bytes at once, where so many may be read and written. */
static inline void copy(unsigned char *to, const unsigned char *from, size_t n, size_t readable)
{
    if (n <= 16 && readable >= 16)
        memcpy(to, from, 16);
    else if (n > 0)
        memcpy(to, from, n);
}

/* readable: bytes that are there from p on, n or more. */
static inline void print_text(struct buf *out, const unsigned char *p, size_t n, size_t readable)
{
    size_t from = 0;
    if (__builtin_expect(count_plain(p, n) == n, 1)) {
        unsigned char *to = room(out, n + 2);
        if (to == NULL)
            return;
        to[0] = '"';
        copy(to + 1, p, n, out->cap - out->n >= 32 ? readable : 0);
        to[n + 1] = '"';
        out->n += n + 2;
        return;
    }
    put_byte(out, '"');
    for (size_t i = 0; i < n; i++) {
        if (p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
            continue;
        put(out, p + from, i - from);
        print_escape(out, p[i]);
        from = i + 1;
    }
    put(out, p + from, n - from);
    put_byte(out, '"');
}

void avro_json_text(struct buf *out, const unsigned char *p, size_t n)
{
    print_text(out, p, n, n);
}

static inline void print_name(const struct schema_field *f, struct buf *out)
{
    size_t n = f->json_member_n;
    unsigned char *to = room(out, n);
    if (to == NULL)
        return;
    if (n <= SCHEMA_MEMBER_STEP && out->cap - out->n >= SCHEMA_MEMBER_STEP)
        memcpy(to, f->json_member, SCHEMA_MEMBER_STEP);
    else
        memcpy(to, f->json_member, n);
    out->n += n;
}

void avro_json_name(const struct schema_field *f, struct buf *out)
{
    print_name(f, out);
}

void avro_json_base64(struct buf *out, const unsigned char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    put_byte(out, '"');
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (have > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0);
        unsigned char four[4] = {(unsigned char)digits[v >> 18], (unsigned char)digits[v >> 12 & 63],
                                 (unsigned char)(have > 1 ? digits[v >> 6 & 63] : '='),
                                 (unsigned char)(have > 2 ? digits[v & 63] : '=')};
        put(out, four, sizeof four);
    }
    put_byte(out, '"');
}

static void print_integer(struct buf *out, int64_t v)
{
    char digits[20];
    size_t n = sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        digits[--n] = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    if (v < 0)
        digits[--n] = '-';
    put(out, digits + n, sizeof digits - n);
}

static enum rc print_long(const struct schema_node *s, const struct schema_field *f, struct avro_cursor *c, struct buf *out, struct err *e)
{
    char text[32];
    int64_t v;
    if (!avro_read_long(c, &v))
        return broken(e);
    if (s->logical == SCHEMA_DATE) {
        if (v < DAY_FIRST || v > DAY_LAST)
            return reject(e, "a date outside the years 1 to 9999");
        zone_print_moment(v * DAY_MS, text);
        put_byte(out, '"');
        put(out, text, strlen("2026-11-20"));
        put_byte(out, '"');
        return RC_OK;
    }
    if (s->logical != SCHEMA_TIMESTAMP_MILLIS || (f != NULL && f->json_millis)) {
        print_integer(out, v);
        return RC_OK;
    }
    if (v < MOMENT_FIRST || v > MOMENT_LAST)
        return reject(e, "a moment outside the years 1 to 9999");
    zone_print_moment(v, text);
    avro_json_text(out, (const unsigned char *)text, strlen(text));
    return RC_OK;
}

static enum rc print_bytes(const struct schema_node *s, struct avro_cursor *c, struct buf *out, struct err *e)
{
    const unsigned char *p = c->p;
    size_t n = s->size;
    if (s->kind == SCHEMA_FIXED) {
        if (n > (size_t)(c->end - c->p))
            return broken(e);
        c->p += n;
    } else if (!avro_read_bytes(c, &p, &n)) {
        return broken(e);
    }
    if (s->logical == SCHEMA_DECIMAL) {
        char text[DECIMAL_TEXT];
        decimal_t v;
        if (decimal_from_bytes(p, n, s->precision, &v, e) != RC_OK)
            return RC_REJECT;
        put(out, text, decimal_to_text(v, s->scale, text));
    } else if (s->kind == SCHEMA_STRING) {
        print_text(out, p, n, (size_t)(c->end - p));
    } else {
        avro_json_base64(out, p, n);
    }
    return RC_OK;
}

/* Avro's floats are little endian whatever the machine is. */
static enum rc print_real(const struct schema_node *s, struct avro_cursor *c, struct buf *out, struct err *e)
{
    size_t n = s->kind == SCHEMA_FLOAT ? 4 : 8;
    uint64_t bits = 0;
    double v;
    if (n > (size_t)(c->end - c->p))
        return broken(e);
    for (size_t i = 0; i < n; i++)
        bits |= (uint64_t)c->p[i] << (8 * i);
    c->p += n;
    if (s->kind == SCHEMA_FLOAT) {
        uint32_t half = (uint32_t)bits;
        float narrow;
        memcpy(&narrow, &half, sizeof narrow);
        v = (double)narrow;
    } else {
        memcpy(&v, &bits, sizeof v);
    }
    if (!isfinite(v))
        return reject(e, "a number that is not finite");
    buf_printf(out, s->kind == SCHEMA_FLOAT ? "%.9g" : "%.17g", v);
    return RC_OK;
}

static enum rc print_record(const struct schema_node *s, struct avro_cursor *c, struct buf *out, int depth, struct err *e)
{
    put_byte(out, '{');
    for (size_t i = 0; i < s->count; i++) {
        const struct schema_field *f = &s->fields[i];
        if (i > 0)
            put_byte(out, ',');
        print_name(f, out);
        enum rc rc = print(f->type, f, c, out, depth, e);
        if (rc != RC_OK) {
            err_prefix(e, "%s", f->name);
            return rc;
        }
    }
    put_byte(out, '}');
    return RC_OK;
}

static enum rc print_list(const struct schema_node *s, struct avro_cursor *c, struct buf *out, int depth, struct err *e)
{
    bool map = s->kind == SCHEMA_MAP, first = true;
    uint64_t count;
    put_byte(out, map ? '{' : '[');
    do {
        if (!avro_read_block(c, s->branches[0]->min_bytes + map, &count))
            return broken(e);
        for (uint64_t i = 0; i < count && !buf_failed(out); i++) {
            const unsigned char *key;
            size_t key_n;
            if (!first)
                put_byte(out, ',');
            first = false;
            if (map && !avro_read_bytes(c, &key, &key_n))
                return broken(e);
            if (map) {
                avro_json_text(out, key, key_n);
                put_byte(out, ':');
            }
            enum rc rc = print(s->branches[0], NULL, c, out, depth, e);
            if (rc != RC_OK)
                return rc;
        }
    } while (count > 0 && !buf_failed(out));
    put_byte(out, map ? '}' : ']');
    return RC_OK;
}

static enum rc print_index(const struct schema_node *s, const struct schema_field *f, struct avro_cursor *c, struct buf *out, int depth,
                           struct err *e)
{
    int64_t index;
    if (!avro_read_long(c, &index) || index < 0 || (uint64_t)index >= s->count)
        return broken(e);
    if (s->kind == SCHEMA_UNION)
        return print(s->branches[index], f, c, out, depth, e);
    avro_json_text(out, (const unsigned char *)s->symbols[index], strlen(s->symbols[index]));
    return RC_OK;
}

static enum rc print_boolean(struct avro_cursor *c, struct buf *out, struct err *e)
{
    if (c->p == c->end)
        return broken(e);
    buf_put_text(out, *c->p++ != 0 ? "true" : "false");
    return RC_OK;
}

static enum rc print(const struct schema_node *s, const struct schema_field *f, struct avro_cursor *c, struct buf *out, int depth,
                     struct err *e)
{
    if (depth > AVRO_WALK_DEPTH)
        return broken(e);
    switch (s->kind) {
    case SCHEMA_NULL:
        put(out, "null", 4);
        return RC_OK;
    case SCHEMA_BOOLEAN:
        return print_boolean(c, out, e);
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return print_long(s, f, c, out, e);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return print_real(s, c, out, e);
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
    case SCHEMA_FIXED:
        return print_bytes(s, c, out, e);
    case SCHEMA_ENUM:
    case SCHEMA_UNION:
        return print_index(s, f, c, out, depth + 1, e);
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        return print_list(s, c, out, depth + 1, e);
    case SCHEMA_RECORD:
        return print_record(s, c, out, depth + 1, e);
    }
    return broken(e);
}

enum rc avro_json_value(const struct schema_node *type, const struct schema_field *field, struct avro_cursor *c, struct buf *out,
                        struct err *e)
{
    return print(type, field, c, out, 0, e);
}
