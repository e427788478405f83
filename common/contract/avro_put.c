#include "common/contract/avro_put.h"

#include <string.h>

#include "common/base/utf8.h"

void avro_put_long(struct buf *out, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
    unsigned char bytes[10];
    size_t n = 0;
    for (; z >= 0x80; z >>= 7)
        bytes[n++] = (unsigned char)(z | 0x80);
    bytes[n++] = (unsigned char)z;
    buf_put(out, bytes, n);
}

/* IEEE 754, least significant byte first whatever the machine is. */
static void put_bits(struct buf *out, uint64_t bits, size_t n)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < n; i++, bits >>= 8)
        bytes[i] = (unsigned char)bits;
    buf_put(out, bytes, n);
}

void avro_put_float(struct buf *out, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_bits(out, bits, sizeof bits);
}

void avro_put_double(struct buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_bits(out, bits, sizeof bits);
}

void avro_put_bool(struct buf *out, bool v)
{
    unsigned char byte = v;
    buf_put(out, &byte, 1);
}

enum rc avro_put_text(struct buf *out, const char *text)
{
    size_t n = strlen(text);
    if (utf8_check(text, n) != n)
        return RC_REJECT;
    avro_put_long(out, (int64_t)n);
    buf_put(out, text, n);
    return RC_OK;
}
