#include "consumer/sql_wide.h"

#include "common/base/utf8.h"

static void put_unit(struct buf *out, uint32_t unit)
{
    uint16_t u = (uint16_t)unit;
    buf_put(out, &u, sizeof u);
}

/* The character of `width` checked bytes. */
static uint32_t character(const unsigned char *p, size_t width)
{
    static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = p[0] & first[width];
    for (size_t i = 1; i < width; i++)
        c = c << 6 | (p[i] & 0x3F);
    return c;
}

void sql_wide_put(struct buf *out, const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + n;
    while (p < end) {
        size_t width = *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
        if (width > (size_t)(end - p) || utf8_check(p, width) != width) {
            put_unit(out, 0xFFFD);
            p++;
            continue;
        }
        uint32_t c = character(p, width);
        if (c > 0xFFFF) {
            put_unit(out, 0xD800 + ((c - 0x10000) >> 10));
            put_unit(out, 0xDC00 + (c & 0x3FF));
        } else {
            put_unit(out, c);
        }
        p += width;
    }
}
