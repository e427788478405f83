#include "common/base/utf8.h"

#if defined(__SSE2__) && !defined(BRIDGE_PORTABLE)
#include <emmintrin.h>
#endif
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Length of the character that begins at p, 0: none. The second byte carries every extra rule (RFC 3629, section 4). */
static size_t character(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t want;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        want = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        want = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        want = 4;
    else
        return 0;
    if (want > n)
        return 0;
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < want; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return want;
}

#if defined(__SSE2__) && !defined(BRIDGE_PORTABLE)
/* 16 bytes of characters of one and two bytes, which is all that Europe's languages need; *open: a first byte stands at the end (and, on entry, in front). false: something else is there, perhaps wrong. */
static inline bool short_characters(__m128i w, unsigned *open)
{
    unsigned high = (unsigned)_mm_movemask_epi8(w);
    unsigned second = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(w, _mm_set1_epi8((char)0xC0))); /* signed: 0x80 to 0xBF */
    __m128i from_c2 = _mm_cmpgt_epi8(w, _mm_set1_epi8((char)0xC1)), to_df = _mm_cmplt_epi8(w, _mm_set1_epi8((char)0xE0));
    unsigned first = (unsigned)_mm_movemask_epi8(_mm_and_si128(from_c2, to_df));
    unsigned wanted = first << 1 | *open;
    *open = wanted >> 16;
    return high == (first | second) && second == (wanted & 0xffff);
}

/* Bytes from the beginning that are fine; the rest is looked at one by one. */
static size_t check_fast(const unsigned char *p, size_t n)
{
    size_t at = 0;
    unsigned open = 0, before = 0;
    for (; n - at >= 16; at += 16) {
        before = open;
        if (!short_characters(_mm_loadu_si128((const __m128i *)(const void *)(p + at)), &open))
            return at - before; /* a character that begins in front is looked at again */
    }
    unsigned char rest[16] = {0};
    memcpy(rest, p + at, n - at);
    before = open;
    return short_characters(_mm_loadu_si128((const __m128i *)(const void *)rest), &open) ? n : at - before;
}
#else
static size_t check_fast(const unsigned char *p, size_t n)
{
    (void)p;
    (void)n;
    return 0;
}
#endif

size_t utf8_check(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t at = check_fast(p, n);
    while (at < n) {
        uint64_t eight;
        if (n - at >= sizeof eight) { /* most text is ASCII: eight characters at a time */
            memcpy(&eight, p + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t length = character(p + at, n - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}
