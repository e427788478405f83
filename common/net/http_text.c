#include <string.h>

#include "common/base/buf.h"
#include "common/net/http_client.h"

bool http_line_ok(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

bool http_header_ok(const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    return colon != NULL && colon != line && http_line_ok(line, n);
}

void http_escape(struct buf *out, const char *text, size_t n)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)text[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
                     ch == '-' || ch == '.' || ch == '_' || ch == '~';
        if (plain) {
            buf_put_byte(out, ch);
        } else {
            buf_put_byte(out, '%');
            buf_put_byte(out, (unsigned char)hex[ch >> 4]);
            buf_put_byte(out, (unsigned char)hex[ch & 15]);
        }
    }
}
