#include "common/base/roff.h"

#include <string.h>

enum { ROFF_WIDTH = 78 };

static void put_escaped(struct buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == '\\')
            buf_put_text(out, "\\e");
        else if (p[i] == '-')
            buf_put_text(out, "\\-");
        else
            buf_put_byte(out, (unsigned char)p[i]);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n';
}

/* mdoc wants a new line after each sentence: a word that ends in a full stop, before one that begins with a capital. */
static bool ends_sentence(const char *word, size_t n, const char *next)
{
    while (n > 0 && (word[n - 1] == ')' || word[n - 1] == '"'))
        n--;
    return n > 1 && strchr(".!?", word[n - 1]) != NULL && (*next == '(' || (*next >= 'A' && *next <= 'Z'));
}

void roff_text(struct buf *out, const char *words, size_t n)
{
    size_t column = 0;
    for (size_t at = 0; at < n;) {
        size_t length = 0;
        while (at < n && is_blank(words[at]))
            at++;
        while (at + length < n && !is_blank(words[at + length]))
            length++;
        if (length == 0)
            break;
        if (column > 0 && column + 1 + length > ROFF_WIDTH) {
            buf_put_byte(out, '\n');
            column = 0;
        }
        if (column > 0)
            buf_put_byte(out, ' ');
        else if (words[at] == '.' || words[at] == '\'') /* a macro at the beginning of a line */
            buf_put_text(out, "\\&");
        size_t before = out->n;
        put_escaped(out, words + at, length);
        column += 1 + (buf_failed(out) ? length : out->n - before);
        at += length;
        if (at + 1 < n && ends_sentence(words + at - length, length, words + at + 1)) {
            buf_put_byte(out, '\n');
            column = 0;
        }
    }
    if (column > 0)
        buf_put_byte(out, '\n');
}

/* Each word may be taken for a macro, or its end for a delimiter. */
void roff_arguments(struct buf *out, const char *words)
{
    for (const char *p = words; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (n > 0 && n <= 3)
            buf_put_text(out, "\\&");
        put_escaped(out, p, n);
        p += n;
        n = strspn(p, " ");
        buf_put(out, p, n);
        p += n;
    }
}

void roff_paragraphs(struct buf *out, const char *text)
{
    for (const char *first = text; *text != '\0';) {
        const char *end = strstr(text, "\n\n");
        size_t n = end == NULL ? strlen(text) : (size_t)(end - text);
        if (text != first)
            buf_put_text(out, ".Pp\n");
        roff_text(out, text, n);
        text += n;
        text += strspn(text, "\n");
    }
}
