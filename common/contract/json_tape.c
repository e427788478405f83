#include "common/contract/json_tape.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/decimal.h"

#define NONE UINT32_MAX

enum { NUMBER_BYTES = 64 };

void json_tape_init(struct json_tape *t)
{
    *t = (struct json_tape){0};
}

void json_tape_release(struct json_tape *t)
{
    free(t->nodes);
    json_tape_init(t);
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
    if ((node->flags & JSON_TAPE_ESCAPED) == 0)
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
    if ((s->flags & JSON_TAPE_ESCAPED) == 0)
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
    if ((s->flags & JSON_TAPE_ESCAPED) == 0)
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
    const struct json_node *s = &t->nodes[node];
    if (s->type == JSON_TAPE_NUMBER && decimal_parse_few(t->text + s->start, s->end - s->start, 18, 0, out))
        return RC_OK;
    if (!number_text(t, s, room, &text, &n) || decimal_parse(text, n, 19, 0, &v, NULL) != RC_OK || v > INT64_MAX || v < INT64_MIN) {
        err_set(e, "not an integer of 64 bits");
        return RC_REJECT;
    }
    *out = (int64_t)v;
    return RC_OK;
}
