#include "producer/reason_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static size_t width(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Blank, tab, line break, C0, DEL, C1 (U+0080..U+009F), U+2028, U+2029. */
static bool is_blank(const unsigned char *c)
{
    return *c <= 0x20 || *c == 0x7F || (c[0] == 0xC2 && c[1] < 0xA0) || (c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0xA8 || c[2] == 0xA9));
}

const char *reason_line(const char *text, char out[REASON_LINE_BYTES])
{
    size_t used = 0, n = text != NULL ? strlen(text) : 0;
    for (size_t i = 0, w = 0; i < n && i + (w = width((unsigned char)text[i])) <= n; i += w) {
        bool blank = is_blank((const unsigned char *)text + i);
        if (blank && (used == 0 || out[used - 1] == ' '))
            continue;
        if (used + (blank ? 1 : w) >= REASON_LINE_BYTES)
            break;
        memcpy(out + used, blank ? " " : text + i, blank ? 1 : w);
        used += blank ? 1 : w;
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    return used > 0 ? out : NULL;
}
