#include "consumer/erp_reply.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"

enum { REASON_CHARACTERS = 500 };

bool erp_reply_pointer_ok(const char *pointer)
{
    if (pointer[0] != '\0' && pointer[0] != '/')
        return false;
    for (const char *p = strchr(pointer, '~'); p != NULL; p = strchr(p + 1, '~'))
        if (p[1] != '0' && p[1] != '1')
            return false;
    return true;
}

/* One reference token, from behind its '/' to the next; returns where that is. */
static const char *token_read(const char *p, char out[256])
{
    size_t n = 0;
    for (; *p != '\0' && *p != '/'; p++) {
        char c = *p;
        if (c == '~' && p[1] != '\0')
            c = *++p == '0' ? '~' : '/';
        if (n < 255)
            out[n++] = c;
    }
    out[n] = '\0';
    return p;
}

static const json_t *pointer_follow(const json_t *at, const char *pointer)
{
    char token[256];
    while (at != NULL && *pointer == '/') {
        pointer = token_read(pointer + 1, token);
        if (json_is_array(at)) {
            char *end;
            unsigned long i = strtoul(token, &end, 10);
            at = isdigit((unsigned char)token[0]) && *end == '\0' ? json_array_get(at, i) : NULL;
        } else {
            at = json_object_get(at, token);
        }
    }
    return at;
}

bool erp_reply_document(const char *body, size_t n, const char *pointer, char out[ERP_DOCUMENT_BYTES])
{
    json_t *root = json_loadb(body, n, JSON_DECODE_ANY, NULL);
    const json_t *at = pointer_follow(root, pointer);
    int length = -1;
    if (json_is_string(at) && json_string_length(at) == strlen(json_string_value(at)))
        length = snprintf(out, ERP_DOCUMENT_BYTES, "%s", json_string_value(at));
    else if (json_is_integer(at))
        length = snprintf(out, ERP_DOCUMENT_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(at));
    else if (json_is_real(at))
        length = snprintf(out, ERP_DOCUMENT_BYTES, "%.15g", json_real_value(at));
    json_decref(root);
    return length > 0 && length < ERP_DOCUMENT_BYTES;
}

bool erp_reply_header(const char *value, size_t n, char out[ERP_DOCUMENT_BYTES])
{
    if (n == 0 || n >= ERP_DOCUMENT_BYTES || utf8_check(value, n) != n)
        return false;
    memcpy(out, value, n);
    out[n] = '\0';
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool erp_reply_location(const char *value, char out[ERP_DOCUMENT_BYTES])
{
    char text[ERP_DOCUMENT_BYTES];
    const char *path = strstr(value, "://");
    path = path != NULL ? path + 3 + strcspn(path + 3, "/?#") : value; /* behind the host */
    size_t n = strcspn(path, "?#"), used = 0;
    while (n > 0 && path[n - 1] == '/')
        n--;
    size_t begin = n;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    for (size_t i = begin; i < n && used < sizeof text; i++) {
        bool coded = path[i] == '%' && n - i > 2 && hex_digit(path[i + 1]) >= 0 && hex_digit(path[i + 2]) >= 0;
        int c = coded ? hex_digit(path[i + 1]) * 16 + hex_digit(path[i + 2]) : path[i];
        if (c == 0)
            return false;
        text[used++] = (char)c;
        i += coded ? 2 : 0;
    }
    return erp_reply_header(text, used, out);
}

static const char *member_text(const json_t *object)
{
    static const char *const names[] = {"error", "message", "detail", "title", "Error", "Message", "Detail", "Title"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(object, names[i]);
        if (json_is_string(value) && json_string_length(value) > 0)
            return json_string_value(value);
    }
    return NULL;
}

/* What can be shown of the text, in at most 500 characters. */
static void clean(const char *text, size_t n, char out[ERP_REASON_BYTES])
{
    size_t used = 0, characters = 0, i = 0;
    while (i < n && characters < REASON_CHARACTERS) {
        unsigned char c = (unsigned char)text[i];
        size_t width = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        bool c1 = c == 0xC2 && i + 1 < n && (unsigned char)text[i + 1] < 0xA0; /* U+0080..U+009F */
        if (width > n - i || utf8_check(text + i, width) != width) {
            i++;
        } else if (c <= 0x20 || c == 0x7F || c1) {
            if (used > 0 && out[used - 1] != ' ') {
                out[used++] = ' ';
                characters++;
            }
            i += width;
        } else {
            memcpy(out + used, text + i, width);
            used += width;
            characters++;
            i += width;
        }
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
}

void erp_reply_reason(const char *body, size_t n, char out[ERP_REASON_BYTES])
{
    json_t *root = json_loadb(body, n, 0, NULL);
    const char *text = member_text(root);
    char *compact = NULL;
    if (text == NULL)
        text = member_text(json_object_get(root, "error"));
    if (text == NULL && root != NULL)
        text = compact = json_dumps(root, JSON_COMPACT);
    if (text != NULL)
        clean(text, strlen(text), out);
    else
        clean(body, n, out);
    free(compact);
    json_decref(root);
}
