#include "common/contract/decimal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide_t;

enum { DIGITS_MAX = 38 };

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
    if (n == 0 || n > 8 || precision < 0 || precision >= (int)(sizeof power / sizeof power[0]))
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

size_t decimal_to_text(decimal_t v, int scale, char out[DECIMAL_TEXT])
{
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
