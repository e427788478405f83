#include "common/contract/decimal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide_t;

enum { DIGITS_MAX = 38, FEW_DIGITS = 18 };

/* Of ten. */
static const uint64_t power[] = {1u,
                                 10u,
                                 100u,
                                 1000u,
                                 10000u,
                                 100000u,
                                 1000000u,
                                 10000000u,
                                 100000000u,
                                 1000000000u,
                                 10000000000u,
                                 100000000000u,
                                 1000000000000u,
                                 10000000000000u,
                                 100000000000000u,
                                 1000000000000000u,
                                 10000000000000000u,
                                 100000000000000000u,
                                 1000000000000000000u,
                                 10000000000000000000u};


/* A number's text taken apart: digits (with a point somewhere in them) and the power of ten of the last digit. */
struct number {
    bool negative;
    const char *digits, *end; /* from the first to behind the last digit that is not zero; equal: zero */
    size_t count;             /* digits in between, the point not counted */
    int64_t power;            /* of the last of them */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exponents beyond this are only compared, never computed with. */
static bool parse_exponent(const char **at, const char *end, int64_t *out)
{
    const char *p = *at;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end || !is_digit(*p))
        return false;
    int64_t v = 0;
    for (; p < end && is_digit(*p); p++)
        if (v < 100000000000)
            v = v * 10 + (*p - '0');
    *out = negative ? -v : v;
    *at = p;
    return true;
}

/* Drops the zeros in front of and behind the digits that count. */
static void trim(struct number *out, const char *p, const char *last, const char *point)
{
    while (p < last && (*p == '0' || *p == '.'))
        p++;
    while (last > p && (last[-1] == '0' || last[-1] == '.')) {
        if (last[-1] == '0')
            out->power++;
        last--;
    }
    out->digits = p;
    out->end = last;
    out->count = (size_t)(last - p) - (point != NULL && point >= p && point < last ? 1 : 0);
}

static bool parse_number(const char *text, size_t n, struct number *out)
{
    const char *p = text, *end = text + n, *point = NULL;
    *out = (struct number){.negative = n > 0 && *p == '-'};
    if (out->negative)
        p++;
    const char *first = p;
    if (p == end || !is_digit(*p))
        return false;
    if (*p++ != '0')
        while (p < end && is_digit(*p))
            p++;
    if (p < end && *p == '.') {
        point = p++;
        if (p == end || !is_digit(*p))
            return false;
        while (p < end && is_digit(*p))
            p++;
        out->power = -(p - point - 1);
    }
    const char *last = p;
    if (p < end && (*p == 'e' || *p == 'E')) {
        int64_t exponent = 0;
        p++;
        if (!parse_exponent(&p, end, &exponent))
            return false;
        out->power += exponent;
    }
    trim(out, first, last, point);
    return p == end;
}

/* Digits of a number of at most 8 characters all at once: those behind the point are counted. Source of the three products: Lemire, "Quickly parsing eight digits". */
static bool parse_short(const char *text, size_t n, uint64_t *out, int *behind)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u;
    uint64_t w = 0;
    uint32_t low, high;
    if (n >= 4) { /* two words that overlap */
        memcpy(&low, text, 4);
        memcpy(&high, text + n - 4, 4);
        w = low | (uint64_t)high << (8 * (n - 4));
    } else {
        w = (uint64_t)(unsigned char)text[0] | (uint64_t)(unsigned char)text[n / 2] << (8 * (n / 2)) | (uint64_t)(unsigned char)text[n - 1] << (8 * (n - 1));
    }
    w = (w << (64 - 8 * n)) ^ ((ones * '0') << (64 - 8 * n)); /* the last character at the top; what is not there is a leading zero */
    uint64_t strange = (((w & ones * 0x7f) + ones * 0x76) | w) & ones * 0x80;
    *behind = 0;
    if (strange != 0) {
        unsigned at = (unsigned)__builtin_ctzll(strange) - 7; /* bits below the first that is no digit */
        if ((strange & (strange - 1)) != 0 || (w >> at & 0xff) != ('.' ^ '0') || at == 56 || at == 64 - 8 * n)
            return false;
        *behind = (int)(7 - at / 8);
        w = (w & ~(UINT64_MAX << at)) << 8 | (w & UINT64_MAX << at << 8);
    }
    w = w * 10 + (w >> 8);
    *out = (((w & 0x000000FF000000FFu) * 0x000F424000000064u) + ((w >> 16 & 0x000000FF000000FFu) * 0x0000271000000001u)) >> 32;
    return true;
#else
    (void)text, (void)n, (void)out, (void)behind;
    return false;
#endif
}

static bool parse_long(const char *text, size_t n, uint64_t *out, int *behind)
{
    const char *p = text, *end = text + n, *point = NULL;
    uint64_t v = 0;
    for (; p < end && (is_digit(*p) || (*p == '.' && point == NULL && p > text)); p++) {
        if (*p == '.')
            point = p;
        else
            v = v * 10 + (uint64_t)(*p - '0');
    }
    *out = v;
    *behind = point != NULL ? (int)(p - point - 1) : 0;
    return p == end && (point == NULL || point + 1 < end);
}

bool decimal_parse_few(const char *text, size_t n, int precision, int scale, int64_t *out)
{
    bool negative = n > 0 && text[0] == '-';
    uint64_t v;
    int behind;
    text += negative;
    n -= negative;
    if (n - 1 >= FEW_DIGITS || (text[0] == '0' && n > 1 && text[1] != '.'))
        return false;
    if (!(n <= 8 && parse_short(text, n, &v, &behind)) && !parse_long(text, n, &v, &behind))
        return false;
    int zeros = scale - behind;
    if (zeros < 0 || precision > FEW_DIGITS || zeros > precision || v >= power[precision - zeros])
        return false; /* with more digits than that the product would have more than precision; else it is below 10^18 */
    v *= power[zeros];
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

enum rc decimal_parse(const char *text, size_t n, int precision, int scale, decimal_t *out, struct err *e)
{
    struct number d;
    if (!parse_number(text, n, &d)) {
        err_set(e, "not a number");
        return RC_REJECT;
    }
    if (d.count == 0) {
        *out = 0;
        return RC_OK;
    }
    int64_t zeros = d.power + scale;
    if (zeros < 0) {
        err_set(e, "more than %d fraction digits", scale);
        return RC_REJECT;
    }
    if (precision > DIGITS_MAX)
        precision = DIGITS_MAX;
    if (zeros > precision - (int64_t)d.count) {
        err_set(e, "more than %d digits", precision);
        return RC_REJECT;
    }
    decimal_t v = 0;
    for (const char *p = d.digits; p < d.end; p++)
        if (*p != '.')
            v = v * 10 + (*p - '0');
    for (; zeros > 0; zeros--)
        v *= 10;
    *out = d.negative ? -v : v;
    return RC_OK;
}

size_t decimal_to_bytes(decimal_t v, unsigned char out[DECIMAL_BYTES])
{
    size_t n = 1;
    if (v == (int64_t)v) { /* hardly an amount is longer */
        uint64_t few = (uint64_t)v, magnitude = v < 0 ? ~few : few;
        n = (size_t)(64 - __builtin_clzll(magnitude | 1)) / 8 + 1;
        few <<= 64 - 8 * n;
        for (size_t i = 0; i < 8; i++)
            out[i] = (unsigned char)(few >> (56 - 8 * i));
        return n;
    }
    for (decimal_t rest = v; rest > 127 || rest < -128; rest /= 256, n++)
        if (rest < 0) /* the division rounds towards zero, the representation towards minus infinity */
            rest -= 255;
    wide_t u = (wide_t)v;
    for (size_t i = 0; i < n; i++, u >>= 8)
        out[n - 1 - i] = (unsigned char)u;
    return n;
}

static wide_t power_of_ten(int n)
{
    wide_t v = 1;
    while (n-- > 0)
        v *= 10;
    return v;
}

/* What nearly all amounts are: at most 8 bytes. false: the long way must decide. */
static bool from_few_bytes(const unsigned char *p, size_t n, int precision, decimal_t *out)
{
    if (n == 0 || n > 8 || precision < 0 || precision > FEW_DIGITS + 1)
        return false;
    uint64_t u = p[0] >= 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        u = u << 8 | p[i];
    int64_t v;
    memcpy(&v, &u, sizeof v);
    if ((v < 0 ? 0 - u : u) >= power[precision])
        return false;
    *out = v;
    return true;
}

enum rc decimal_from_bytes(const unsigned char *p, size_t n, int precision, decimal_t *out, struct err *e)
{
    if (from_few_bytes(p, n, precision, out))
        return RC_OK;
    if (n == 0 || n > DECIMAL_BYTES) {
        err_set(e, "a decimal of %zu bytes", n);
        return RC_REJECT;
    }
    wide_t u = p[0] >= 0x80 ? ~(wide_t)0 : 0;
    for (size_t i = 0; i < n; i++)
        u = u << 8 | p[i];
    decimal_t v;
    memcpy(&v, &u, sizeof v);
    wide_t magnitude = v < 0 ? -u : u;
    if (precision < DIGITS_MAX ? magnitude >= power_of_ten(precision) : magnitude >= power_of_ten(DIGITS_MAX)) {
        err_set(e, "a decimal of more than %d digits", precision);
        return RC_REJECT;
    }
    *out = v;
    return RC_OK;
}

/* 128 bits divide slowly, and hardly an amount needs them. */
static unsigned take_digit(wide_t *u)
{
    unsigned digit;
    if (*u <= UINT64_MAX) {
        uint64_t few = (uint64_t)*u;
        digit = (unsigned)(few % 10);
        *u = few / 10;
    } else {
        digit = (unsigned)(*u % 10);
        *u /= 10;
    }
    return digit;
}

static size_t put_digits(uint64_t v, char *to)
{
    char digits[20];
    size_t n = sizeof digits;
    do
        digits[--n] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    memcpy(to, digits + n, sizeof digits - n);
    return sizeof digits - n;
}

/* Of an amount in 64 bits: the whole part, then the fraction without the zeros at its end. */
static size_t few_to_text(uint64_t v, bool negative, size_t scale, char *out)
{
    uint64_t whole = v / power[scale], fraction = v % power[scale];
    size_t at = 0;
    if (negative)
        out[at++] = '-';
    at += put_digits(whole, out + at);
    if (fraction > 0) {
        for (; fraction % 10 == 0; fraction /= 10)
            scale--;
        out[at] = '.';
        for (size_t i = scale; i > 0; i--, fraction /= 10)
            out[at + i] = (char)('0' + fraction % 10);
        at += scale + 1;
    }
    out[at] = '\0';
    return at;
}

size_t decimal_to_text(decimal_t v, int scale, char out[DECIMAL_TEXT])
{
    if (v == (int64_t)v && scale >= 0 && scale <= FEW_DIGITS)
        return few_to_text(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, (size_t)scale, out);
    char digits[DECIMAL_TEXT]; /* from the end */
    size_t n = 0, at = 0, fraction = scale > DIGITS_MAX ? DIGITS_MAX : scale < 0 ? 0 : (size_t)scale;
    wide_t u = v < 0 ? -(wide_t)v : (wide_t)v;
    if (u == 0)
        fraction = 0;
    while (fraction > 0 || u > 0 || n == 0) {
        unsigned digit = take_digit(&u);
        if (digit == 0 && n == 0 && fraction > 0) { /* zeros that end a fraction */
            fraction--;
            continue;
        }
        digits[n++] = (char)('0' + digit);
        if (u == 0 && n > fraction)
            break;
    }
    if (v < 0)
        out[at++] = '-';
    while (n > 0) {
        out[at++] = digits[--n];
        if (n == fraction && n > 0)
            out[at++] = '.';
    }
    out[at] = '\0';
    return at;
}
