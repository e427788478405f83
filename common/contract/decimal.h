/* Exact decimals: number text -> scaled integer -> Avro's big-endian two's complement bytes and back. Never through a double.
 * Unscaled values are kept in 128 bits: precision up to 38. Source: Avro specification, "Decimal". Pure. */
#ifndef BRIDGE_CONTRACT_DECIMAL_H
#define BRIDGE_CONTRACT_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

__extension__ typedef __int128 decimal_t;

enum { DECIMAL_BYTES = 16, DECIMAL_TEXT = 64 };

/* text: n bytes, a JSON number (exponent allowed). RC_REJECT: not a number, more fraction digits than scale (trailing zeros apart), more digits than precision. */
enum rc decimal_parse(const char *text, size_t n, int precision, int scale, decimal_t *out, struct err *e);
/* The same for what nearly all numbers are: at most 18 digits, no exponent. false: decimal_parse must say. */
bool decimal_parse_few(const char *text, size_t n, int precision, int scale, int64_t *out);
/* Shortest big-endian two's complement; returns the number of bytes used, at the start of out. */
size_t decimal_to_bytes(decimal_t v, unsigned char out[DECIMAL_BYTES]);
/* RC_REJECT: n is 0 or more than 16, or the value has more than precision digits. */
enum rc decimal_from_bytes(const unsigned char *p, size_t n, int precision, decimal_t *out, struct err *e);
/* "249.99" for 2499900 at scale 4: no trailing zeros, no exponent, "-0.5", "0". Returns the length. */
size_t decimal_to_text(decimal_t v, int scale, char out[DECIMAL_TEXT]);

#endif
