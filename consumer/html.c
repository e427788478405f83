#include "consumer/html.h"

#include <string.h>

#include "common/base/utf8.h"
#include "common/net/http_client.h"

static const char *reference(unsigned char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return c < ' ' || c == 0x7f ? "\xEF\xBF\xBD" : NULL;
    }
}

static void put_valid(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *r = reference((unsigned char)text[i]);
        if (r != NULL && text[i] != '\n' && text[i] != '\t')
            buf_put_text(out, r);
        else
            buf_put_byte(out, (unsigned char)text[i]);
    }
}

void html_put(struct buf *out, const char *text, size_t n)
{
    while (n > 0) {
        size_t good = utf8_check(text, n);
        put_valid(out, text, good);
        if (good == n)
            return;
        buf_put_text(out, "\xEF\xBF\xBD");
        text += good + 1;
        n -= good + 1;
    }
}

void html_text(struct buf *out, const char *text)
{
    html_put(out, text, strlen(text));
}

void html_url(struct buf *out, const char *text)
{
    http_escape(out, text, strlen(text));
}
