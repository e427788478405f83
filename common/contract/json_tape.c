#include "common/contract/json_tape.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/decimal.h"

/* While a container is open its `next` holds the index of the container around it, so no stack is needed. */
#define NONE UINT32_MAX

enum { NUMBER_BYTES = 64 };

struct scan {
    struct json_tape *t;
    const char *p, *end;
    uint32_t open; /* innermost open container; NONE: none */
    unsigned depth;
    const char *fault; /* what is wrong at p */
    bool no_memory;
};

void json_tape_init(struct json_tape *t)
{
    *t = (struct json_tape){0};
}

void json_tape_release(struct json_tape *t)
{
    free(t->nodes);
    json_tape_init(t);
}

static bool wrong(struct scan *s, const char *fault)
{
    s->fault = fault;
    return false;
}

/* Every value takes at least two bytes of text (its comma, colon or end included), so the nodes never outgrow the text. */
static bool grow(struct scan *s)
{
    struct json_tape *t = s->t;
    size_t cap = t->cap < 512 ? 512 : t->cap * 2;
    struct json_node *nodes = realloc(t->nodes, cap * sizeof *nodes);
    if (nodes == NULL) {
        s->no_memory = true;
        return false;
    }
    t->nodes = nodes;
    t->cap = cap;
    return true;
}

static inline bool add(struct scan *s, enum json_type type, const char *start, const char *end, bool escaped)
{
    struct json_tape *t = s->t;
    if (t->n == t->cap && !grow(s))
        return false;
    t->nodes[t->n] = (struct json_node){.start = (uint32_t)(start - t->text),
                                        .end = (uint32_t)(end - t->text),
                                        .next = (uint32_t)t->n + 1,
                                        .type = (uint8_t)type,
                                        .escaped = escaped};
    t->n++;
    return true;
}

static inline const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* To the first quote, backslash or control character, 16 bytes at a time where SSE2 is (every x86-64), then 8. The tests are those of "Bit Twiddling Hacks" (a zero byte, a byte less than n):
 * a byte behind a hit may be reported wrongly, the first one never. */
static inline const char *skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\'), last_control = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        __m128i w = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(w, last_control), w); /* unsigned w <= 0x1f */
        int hit = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(w, quotes), _mm_cmpeq_epi8(w, slashes))));
        if (hit != 0)
            return p + __builtin_ctz((unsigned)hit);
    }
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        uint64_t hit = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops;
        if (hit != 0)
            return p + __builtin_ctzll(hit) / 8;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

static bool scan_string(struct scan *s)
{
    const char *start = s->p, *p = start + 1, *end = s->end;
    bool escaped = false;
    for (;;) {
        p = skip_plain(p, end);
        if (p < end && *p == '\\' && end - p >= 2 && (unsigned char)p[1] >= 0x20) {
            escaped = true;
            p += 2; /* what the escape says is checked when the string is taken */
            continue;
        }
        break;
    }
    s->p = p;
    if (p == end)
        return wrong(s, "the text ends inside a string");
    if (*p != '"') {
        s->p = *p == '\\' ? p + 1 : p;
        return wrong(s, s->p == end ? "the text ends inside a string" : "control character in a string");
    }
    s->p = p + 1;
    return add(s, JSON_TAPE_STRING, start, s->p, escaped);
}

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static bool scan_number(struct scan *s)
{
    const char *start = s->p, *p = start, *end = s->end;
    if (*p == '-')
        p++;
    bool zero = p < end && *p == '0', ok = is_digit(p, end);
    while (is_digit(p, end))
        p++;
    if (zero && p - start > (*start == '-' ? 2 : 1)) {
        s->p = start;
        return wrong(s, "number with a leading zero");
    }
    if (ok && p < end && *p == '.') {
        ok = is_digit(++p, end);
        while (is_digit(p, end))
            p++;
    }
    if (ok && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        ok = is_digit(p, end);
        while (is_digit(p, end))
            p++;
    }
    s->p = p;
    return ok ? add(s, JSON_TAPE_NUMBER, start, p, false) : wrong(s, "bad number");
}

static bool scan_word(struct scan *s, const char *word, size_t n, enum json_type type)
{
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return wrong(s, "unknown word");
    s->p += n;
    return add(s, type, s->p - n, s->p, false);
}

static bool open_container(struct scan *s, enum json_type type)
{
    if (s->depth == JSON_TAPE_DEPTH)
        return wrong(s, "nested too deeply");
    if (!add(s, type, s->p, s->p, false))
        return false;
    struct json_node *made = &s->t->nodes[s->t->n - 1];
    made->next = s->open;
    made->height = 1;
    s->open = (uint32_t)s->t->n - 1;
    s->depth++;
    s->p++;
    return true;
}

static void close_container(struct scan *s)
{
    struct json_node *nodes = s->t->nodes, *closing = &nodes[s->open];
    uint32_t around = closing->next;
    s->p++;
    closing->end = (uint32_t)(s->p - s->t->text);
    closing->next = (uint32_t)s->t->n;
    if (around != NONE && nodes[around].height <= closing->height)
        nodes[around].height = (uint16_t)(closing->height + 1); /* JSON_TAPE_DEPTH keeps it in range */
    s->open = around;
    s->depth--;
}

/* A key and its colon. */
static bool scan_key(struct scan *s)
{
    s->p = skip_blanks(s->p, s->end);
    if (s->p == s->end)
        return wrong(s, "the text ends inside an object");
    if (*s->p != '"')
        return wrong(s, "no key where one must be");
    if (!scan_string(s))
        return false;
    s->p = skip_blanks(s->p, s->end);
    if (s->p == s->end || *s->p != ':')
        return wrong(s, "no colon behind a key");
    s->p++;
    return true;
}

/* A scalar, or the beginning of a container; *opened says which. */
static bool scan_value(struct scan *s, bool *opened)
{
    *opened = false;
    s->p = skip_blanks(s->p, s->end);
    if (s->p == s->end)
        return wrong(s, "the text ends where a value must be");
    switch (*s->p) {
    case '"':
        return scan_string(s);
    case '{':
        *opened = true;
        return open_container(s, JSON_TAPE_OBJECT);
    case '[':
        *opened = true;
        return open_container(s, JSON_TAPE_ARRAY);
    case 't':
        return scan_word(s, "true", 4, JSON_TAPE_TRUE);
    case 'f':
        return scan_word(s, "false", 5, JSON_TAPE_FALSE);
    case 'n':
        return scan_word(s, "null", 4, JSON_TAPE_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(s);
    default:
        return wrong(s, "no value where one must be");
    }
}

/* Behind a value: closes what ends here. Stops in front of the next value (*done false) or at the end of the outermost one. */
static bool scan_ends(struct scan *s, bool *done)
{
    for (*done = s->open == NONE; !*done; *done = s->open == NONE) {
        struct json_node *around = &s->t->nodes[s->open];
        bool object = around->type == JSON_TAPE_OBJECT;
        s->p = skip_blanks(s->p, s->end);
        if (s->p == s->end)
            return wrong(s, object ? "the text ends inside an object" : "the text ends inside an array");
        if (*s->p == ',') {
            around->count++;
            s->p++;
            return object ? scan_key(s) : true;
        }
        if (*s->p != (object ? '}' : ']'))
            return wrong(s, "no comma or end behind a value");
        around->count++;
        close_container(s);
    }
    return true;
}

static bool scan_text(struct scan *s)
{
    for (bool done = false, opened; !done;) {
        if (!scan_value(s, &opened))
            return false;
        if (opened) {
            bool object = s->t->nodes[s->open].type == JSON_TAPE_OBJECT;
            s->p = skip_blanks(s->p, s->end);
            bool empty = s->p < s->end && *s->p == (object ? '}' : ']');
            if (!empty && object && !scan_key(s))
                return false;
            if (!empty)
                continue;
            close_container(s);
        }
        if (!scan_ends(s, &done))
            return false;
    }
    s->p = skip_blanks(s->p, s->end);
    return s->p == s->end ? true : wrong(s, "more text behind the value");
}

enum rc json_tape_parse(struct json_tape *t, const char *text, size_t n, struct err *e)
{
    t->text = text;
    t->text_n = n;
    t->n = 0;
    struct scan s = {.t = t, .p = text, .end = text + n, .open = NONE};
    if (n > INT32_MAX)
        (void)wrong(&s, "longer than 2 GiB");
    else if (scan_text(&s))
        return RC_OK;
    t->n = 0;
    if (s.no_memory) {
        err_set(e, "JSON: out of memory");
        return RC_FATAL;
    }
    err_set(e, "JSON: %s at byte %zu", s.fault, (size_t)(s.p - text));
    return RC_REJECT;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex4(const char **at, const char *end, uint32_t *out)
{
    uint32_t v = 0;
    if (end - *at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit((*at)[i]);
        if (d < 0)
            return false;
        v = v << 4 | (uint32_t)d;
    }
    *at += 4;
    *out = v;
    return true;
}

static size_t encode_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; --i > 0; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

/* One escape; *at stands behind its backslash. Returns the bytes written; 0: *why says what is wrong. */
static size_t unescape(const char **at, const char *end, char out[4], const char **why)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t c, low;
    *why = "bad escape";
    if (*at == end)
        return 0;
    char kind = *(*at)++;
    const char *known = memchr(from, kind, sizeof from - 1);
    if (known != NULL) {
        out[0] = to[known - from];
        return 1;
    }
    if (kind != 'u' || !hex4(at, end, &c))
        return 0;
    if (c == 0) {
        *why = "U+0000";
        return 0;
    }
    if (c >= 0xd800 && c <= 0xdfff) {
        *why = "lone surrogate";
        if (c > 0xdbff || end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
            return 0;
        *at += 2;
        if (!hex4(at, end, &low) || low < 0xdc00 || low > 0xdfff)
            return 0;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return encode_utf8(c, out);
}

bool json_tape_equals(const struct json_tape *t, uint32_t at, const char *wanted, size_t wanted_n)
{
    const struct json_node *node = &t->nodes[at];
    if (node->type != JSON_TAPE_STRING)
        return false;
    const char *p = t->text + node->start + 1, *end = t->text + node->end - 1;
    if (!node->escaped)
        return (size_t)(end - p) == wanted_n && memcmp(p, wanted, wanted_n) == 0;
    while (p < end) {
        char made[4];
        const char *why;
        size_t n = 1;
        made[0] = *p++;
        if (made[0] == '\\' && (n = unescape(&p, end, made, &why)) == 0)
            return false;
        if (n > wanted_n || memcmp(made, wanted, n) != 0)
            return false;
        wanted += n;
        wanted_n -= n;
    }
    return wanted_n == 0;
}

bool json_tape_blank(const struct json_tape *t, uint32_t node)
{
    const struct json_node *at = &t->nodes[node];
    return at->type == JSON_TAPE_NULL || (at->type == JSON_TAPE_STRING && at->end - at->start == 2);
}

uint32_t json_tape_member(const struct json_tape *t, uint32_t object, const char *key, size_t key_n, bool *twice)
{
    uint32_t found = 0;
    if (twice != NULL)
        *twice = false;
    if (t->nodes[object].type != JSON_TAPE_OBJECT)
        return 0;
    for (uint32_t at = object + 1; at < t->nodes[object].next; at = t->nodes[at + 1].next) {
        if (!json_tape_equals(t, at, key, key_n))
            continue;
        if (found != 0) {
            *twice = true;
            return found;
        }
        found = at + 1;
        if (twice == NULL)
            return found;
    }
    return found;
}

static uint32_t element(const struct json_tape *t, uint32_t array, const char *token, size_t n)
{
    uint64_t wanted = 0;
    if (n == 0 || n > 9 || (n > 1 && token[0] == '0'))
        return NONE;
    for (size_t i = 0; i < n; i++) {
        if (token[i] < '0' || token[i] > '9')
            return NONE;
        wanted = wanted * 10 + (uint64_t)(token[i] - '0');
    }
    if (wanted >= t->nodes[array].count)
        return NONE;
    uint32_t at = array + 1;
    while (wanted-- > 0)
        at = t->nodes[at].next;
    return at;
}

/* twice may be NULL: then it is not looked for, which is faster. */
static uint32_t follow(const struct json_tape *t, uint32_t node, const char *pointer, bool *twice)
{
    bool here = false;
    while (*pointer == '/') {
        char token[256];
        size_t n = 0;
        for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
            if (n == sizeof token)
                return NONE;
            bool tilde = *pointer == '~' && (pointer[1] == '0' || pointer[1] == '1');
            token[n++] = !tilde ? *pointer : *++pointer == '0' ? '~' : '/';
        }
        if (t->nodes[node].type == JSON_TAPE_ARRAY) {
            node = element(t, node, token, n);
        } else {
            node = json_tape_member(t, node, token, n, twice != NULL ? &here : NULL);
            if (here)
                *twice = true;
            if (node == 0)
                node = NONE;
        }
        if (node == NONE)
            return NONE;
    }
    return *pointer == '\0' ? node : NONE;
}

uint32_t json_tape_pointer(const struct json_tape *t, uint32_t node, const char *pointer)
{
    return follow(t, node, pointer, NULL);
}

uint32_t json_tape_pointer_once(const struct json_tape *t, uint32_t node, const char *pointer, bool *twice)
{
    *twice = false;
    return follow(t, node, pointer, twice);
}

/* Unescapes between p and end; the bytes in between escapes are taken as they are. */
static bool unescape_all(const char *p, const char *end, struct buf *out, const char **why)
{
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        buf_put(out, p, (size_t)((slash != NULL ? slash : end) - p));
        if (slash == NULL)
            break;
        char made[4];
        p = slash + 1;
        size_t n = unescape(&p, end, made, why);
        if (n == 0)
            return false;
        buf_put(out, made, n);
    }
    return true;
}

enum rc json_tape_string(const struct json_tape *t, uint32_t node, struct buf *out, struct err *e)
{
    const struct json_node *s = &t->nodes[node];
    const char *p = t->text + s->start + 1, *end = t->text + s->end - 1, *why = NULL;
    if (s->type != JSON_TAPE_STRING) {
        err_set(e, "not a text");
        return RC_REJECT;
    }
    if (utf8_check(p, (size_t)(end - p)) != (size_t)(end - p)) {
        err_set(e, "bad UTF-8");
        return RC_REJECT;
    }
    if (!s->escaped)
        buf_put(out, p, (size_t)(end - p));
    else if (!unescape_all(p, end, out, &why)) {
        err_set(e, "%s in a text", why);
        return RC_REJECT;
    }
    if (buf_failed(out)) {
        err_set(e, "a text that is too long");
        return RC_REJECT;
    }
    return RC_OK;
}

/* The characters of a number or a text, at most as many as a number of 64 bits has in any sane notation. */
static bool number_text(const struct json_tape *t, const struct json_node *s, char room[NUMBER_BYTES], const char **text, size_t *n)
{
    size_t quote = s->type == JSON_TAPE_STRING ? 1 : 0;
    const char *p = t->text + s->start + quote, *end = t->text + s->end - quote, *why;
    *text = p;
    *n = (size_t)(end - p);
    if (!s->escaped)
        return s->type == JSON_TAPE_NUMBER || s->type == JSON_TAPE_STRING;
    for (*text = room, *n = 0; p < end && *n + 4 <= NUMBER_BYTES;) {
        size_t made = 1;
        room[*n] = *p++;
        if (room[*n] == '\\' && (made = unescape(&p, end, room + *n, &why)) == 0)
            return false;
        *n += made;
    }
    return p == end;
}

enum rc json_tape_integer(const struct json_tape *t, uint32_t node, int64_t *out, struct err *e)
{
    char room[NUMBER_BYTES];
    const char *text;
    size_t n;
    decimal_t v;
    if (!number_text(t, &t->nodes[node], room, &text, &n) || decimal_parse(text, n, 19, 0, &v, NULL) != RC_OK || v > INT64_MAX || v < INT64_MIN) {
        err_set(e, "not an integer of 64 bits");
        return RC_REJECT;
    }
    *out = (int64_t)v;
    return RC_OK;
}
