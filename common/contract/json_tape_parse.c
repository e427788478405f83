/* The pass that makes a tape. The place in the text travels from function to function as an argument and a result, so that it stays in a register: the next byte to look at is what the
 * processor waits for. NULL: stopped, struct scan says why. */
#include "common/contract/json_tape.h"

#if defined(__SSE2__) && !defined(BRIDGE_PORTABLE)
#include <emmintrin.h>
#define SCAN_SSE2
#endif
#include <stdlib.h>
#include <string.h>

/* All of it becomes one function, where what is known beforehand costs nothing. */
#define INLINE static inline __attribute__((always_inline))

/* While a container is open its `next` holds the index of the container around it, so no stack is needed. */
#define NONE UINT32_MAX

struct scan {
    struct json_tape *t;
    const char *end;
    uint32_t open;  /* innermost open container; NONE: none */
    uint32_t count; /* of what it holds so far; that of one around it is in its node */
    bool object;    /* what is open is one */
    unsigned depth;
    const char *fault, *at; /* what is wrong, and where; no fault: memory */
};

static const char *wrong(struct scan *s, const char *p, const char *fault)
{
    s->fault = fault;
    s->at = p;
    return NULL;
}

/* Every value takes at least two bytes of text (its comma, colon or end included), so the nodes never outgrow the text. */
static bool grow(struct json_tape *t)
{
    size_t cap = t->cap < 512 ? 512 : t->cap * 2;
    struct json_node *nodes = realloc(t->nodes, cap * sizeof *nodes);
    if (nodes == NULL)
        return false;
    t->nodes = nodes;
    t->cap = cap;
    return true;
}

/* Returns the end, where the scan goes on. */
INLINE const char *add(struct scan *s, enum json_type type, unsigned flags, const char *start, const char *end)
{
    struct json_tape *t = s->t;
    if (__builtin_expect(t->n == t->cap, 0) && !grow(t))
        return NULL;
    struct json_node *made = &t->nodes[t->n++]; /* member by member: a struct put together elsewhere would be waited for */
    made->start = (uint32_t)(start - t->text);
    made->end = (uint32_t)(end - t->text);
    made->next = (uint32_t)t->n;
    made->count = 0;
    made->height = 0;
    made->type = (uint8_t)type;
    made->flags = (uint8_t)flags;
    return end;
}

/* Whether there is a byte at p. closed, here and below: the text ends with the end of a container, so that nothing that stops at one can run past the text and the question is asked only behind the
 * end of a container. Nearly every text is so, and every function is compiled for both. */
INLINE bool is_there(const struct scan *s, const char *p, bool closed)
{
    return closed || p < s->end;
}

INLINE const char *skip_blanks(const struct scan *s, const char *p, bool closed)
{
    while (is_there(s, p, closed) && (unsigned char)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* To the first quote, backslash or control character, 16 bytes at a time where SSE2 is (every x86-64), else 8. *foreign becomes other than 0 when a byte in front of it is no ASCII. The tests on 8 bytes are
 * those of "Bit Twiddling Hacks" (a zero byte, a byte less than n): a byte behind a hit may be reported wrongly, the first one never. Wider registers gain nothing: strings are short. */
INLINE const char *skip_plain(const char *p, const char *end, unsigned *foreign)
{
#ifdef SCAN_SSE2
    const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\'), last_control = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        __m128i w = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(w, last_control), w); /* unsigned w <= 0x1f */
        unsigned hit = (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(w, quotes), _mm_cmpeq_epi8(w, slashes))));
        unsigned high = (unsigned)_mm_movemask_epi8(w);
        if (hit != 0) {
            *foreign |= high & (hit ^ (hit - 1)); /* those below the lowest hit, which is ASCII itself */
            return p + __builtin_ctz(hit);
        }
        *foreign |= high;
    }
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        uint64_t hit = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops;
        if (hit != 0) {
            *foreign |= (w & tops & (hit ^ (hit - 1))) != 0;
            return p + __builtin_ctzll(hit) / 8;
        }
        *foreign |= (w & tops) != 0;
    }
#endif
    for (; p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20; p++)
        *foreign |= (unsigned char)*p & 0x80u;
    return p;
}

INLINE const char *scan_string(struct scan *s, const char *start)
{
    const char *p = start + 1, *end = s->end;
    unsigned escaped = 0, foreign = 0;
    for (;;) {
        p = skip_plain(p, end, &foreign);
        if (__builtin_expect(p < end && *p == '"', 1))
            return add(s, JSON_TAPE_STRING, escaped | (foreign != 0 ? JSON_TAPE_FOREIGN : 0), start, p + 1);
        if (p == end)
            return wrong(s, p, "the text ends inside a string");
        if (*p == '\\' && ++p == end)
            return wrong(s, p, "the text ends inside a string");
        if ((unsigned char)*p < 0x20)
            return wrong(s, p, "control character in a string");
        escaped = JSON_TAPE_ESCAPED;
        foreign |= (unsigned char)*p++ & 0x80u; /* what the escape says is checked when the string is taken */
    }
}

INLINE bool is_digit(const struct scan *s, const char *p, bool closed)
{
    return is_there(s, p, closed) && (unsigned char)(*p - '0') <= 9;
}

INLINE const char *skip_digits(const struct scan *s, const char *p, bool closed)
{
    while (is_digit(s, p, closed))
        p++;
    return p;
}

/* At the point or the exponent. */
INLINE const char *scan_fraction(struct scan *s, const char *start, const char *p, bool closed)
{
    if (*p == '.') {
        if (!is_digit(s, ++p, closed))
            return wrong(s, p, "bad number");
        p = skip_digits(s, p, closed);
    }
    if (is_there(s, p, closed) && (*p == 'e' || *p == 'E')) {
        p++;
        if (is_there(s, p, closed) && (*p == '+' || *p == '-'))
            p++;
        if (!is_digit(s, p, closed))
            return wrong(s, p, "bad number");
        p = skip_digits(s, p, closed);
    }
    return add(s, JSON_TAPE_NUMBER, 0, start, p);
}

INLINE const char *scan_number(struct scan *s, const char *start, bool closed)
{
    const char *p = *start == '-' ? start + 1 : start, *first = p;
    p = skip_digits(s, p, closed);
    if (p == first)
        return wrong(s, p, "bad number");
    if (*first == '0' && p - first > 1)
        return wrong(s, start, "number with a leading zero");
    if (is_there(s, p, closed) && (*p == '.' || *p == 'e' || *p == 'E'))
        return scan_fraction(s, start, p, closed);
    return add(s, JSON_TAPE_NUMBER, 0, start, p);
}

INLINE const char *scan_word(struct scan *s, const char *p, const char *word, size_t n, enum json_type type)
{
    if ((size_t)(s->end - p) < n || memcmp(p, word, n) != 0)
        return wrong(s, p, "unknown word");
    return add(s, type, 0, p, p + n);
}

static const char *ends_inside(struct scan *s, const char *p)
{
    return wrong(s, p, s->object ? "the text ends inside an object" : "the text ends inside an array");
}

INLINE const char *open_container(struct scan *s, const char *p, enum json_type type)
{
    if (s->depth == JSON_TAPE_DEPTH)
        return wrong(s, p, "nested too deeply");
    if (add(s, type, 0, p, p) == NULL)
        return NULL;
    struct json_node *nodes = s->t->nodes;
    uint32_t made = (uint32_t)s->t->n - 1;
    if (s->open != NONE)
        nodes[s->open].count = s->count;
    nodes[made].next = s->open;
    nodes[made].height = 1;
    s->open = made;
    s->count = 0;
    s->object = type == JSON_TAPE_OBJECT;
    s->depth++;
    return p + 1;
}

INLINE const char *close_container(struct scan *s, const char *p, bool closed)
{
    struct json_node *nodes = s->t->nodes, *closing = &nodes[s->open];
    uint32_t around = closing->next;
    closing->end = (uint32_t)(p + 1 - s->t->text);
    closing->next = (uint32_t)s->t->n;
    closing->count = s->count;
    if (around != NONE) {
        if (nodes[around].height <= closing->height)
            nodes[around].height = (uint16_t)(closing->height + 1); /* JSON_TAPE_DEPTH keeps it in range */
        s->object = nodes[around].type == JSON_TAPE_OBJECT;
        s->count = nodes[around].count;
    }
    s->open = around;
    s->depth--;
    return closed && p + 1 == s->end && around != NONE ? ends_inside(s, p + 1) : p + 1;
}

/* A key and its colon. */
INLINE const char *scan_key(struct scan *s, const char *p, bool closed)
{
    p = skip_blanks(s, p, closed);
    if (!is_there(s, p, closed))
        return wrong(s, p, "the text ends inside an object");
    if (*p != '"')
        return wrong(s, p, "no key where one must be");
    p = scan_string(s, p);
    if (p == NULL)
        return NULL;
    p = skip_blanks(s, p, closed);
    return is_there(s, p, closed) && *p == ':' ? p + 1 : wrong(s, p, "no colon behind a key");
}

/* A scalar, or the beginning of a container. */
INLINE const char *scan_value(struct scan *s, const char *p, bool closed)
{
    p = skip_blanks(s, p, closed);
    if (!is_there(s, p, closed))
        return wrong(s, p, "the text ends where a value must be");
    switch (*p) {
    case '"':
        return scan_string(s, p);
    case '{':
        return open_container(s, p, JSON_TAPE_OBJECT);
    case '[':
        return open_container(s, p, JSON_TAPE_ARRAY);
    case 't':
        return scan_word(s, p, "true", 4, JSON_TAPE_TRUE);
    case 'f':
        return scan_word(s, p, "false", 5, JSON_TAPE_FALSE);
    case 'n':
        return scan_word(s, p, "null", 4, JSON_TAPE_NULL);
    default:
        return *p == '-' || is_digit(s, p, true) ? scan_number(s, p, closed) : wrong(s, p, "no value where one must be");
    }
}

/* Behind a value: closes what ends here. Stops in front of the next value or, with nothing open, at the end of the outermost one. */
INLINE const char *scan_ends(struct scan *s, const char *p, bool closed)
{
    while (s->open != NONE) {
        p = skip_blanks(s, p, closed);
        if (!is_there(s, p, closed))
            return ends_inside(s, p);
        s->count++;
        if (*p == ',')
            return s->object ? scan_key(s, p + 1, closed) : p + 1;
        if (*p != (s->object ? '}' : ']'))
            return wrong(s, p, "no comma or end behind a value");
        p = close_container(s, p, closed);
        if (p == NULL)
            break;
    }
    return p;
}

/* Behind the beginning of a container: in front of its first value, or behind its end. */
INLINE const char *scan_begin(struct scan *s, const char *p, bool closed)
{
    p = skip_blanks(s, p, closed);
    if (is_there(s, p, closed) && *p == (s->object ? '}' : ']')) {
        p = close_container(s, p, closed);
        return p != NULL ? scan_ends(s, p, closed) : NULL;
    }
    return s->object ? scan_key(s, p, closed) : p;
}

INLINE bool scan_text(struct scan *s, const char *p, bool closed)
{
    do {
        unsigned depth = s->depth;
        p = scan_value(s, p, closed);
        if (p != NULL)
            p = s->depth == depth ? scan_ends(s, p, closed) : scan_begin(s, p, closed);
        if (p == NULL)
            return false;
    } while (s->open != NONE);
    p = skip_blanks(s, p, false);
    return p == s->end || wrong(s, p, "more text behind the value") != NULL;
}

static bool ends_closed(const char *text, size_t n)
{
    return n > 0 && (text[n - 1] == '}' || text[n - 1] == ']');
}

enum rc json_tape_parse(struct json_tape *t, const char *text, size_t n, struct err *e)
{
    t->text = text;
    t->text_n = n;
    t->n = 0;
    struct scan s = {.t = t, .end = text + n, .open = NONE};
    if (n > INT32_MAX)
        (void)wrong(&s, text, "longer than 2 GiB");
    else if (ends_closed(text, n) ? scan_text(&s, text, true) : scan_text(&s, text, false))
        return RC_OK;
    t->n = 0;
    if (s.fault == NULL) {
        err_set(e, "JSON: out of memory");
        return RC_FATAL;
    }
    err_set(e, "JSON: %s at byte %zu", s.fault, (size_t)(s.at - text));
    return RC_REJECT;
}
