/* The header `traceparent` of a publication: W3C Trace Context, version 00, a fresh trace each time, sampled. Random bytes are fetched from the kernel for many at
 * a time. Embedded in its owner, zeroed before first use. Thread rule: one owner. */
#ifndef BRIDGE_BASE_TRACEPARENT_H
#define BRIDGE_BASE_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>

enum { TRACEPARENT_ID = 33, TRACEPARENT_TEXT = 56, TRACEPARENT_DRAWN = 24 };

struct traceparent {
    unsigned char drawn[10 * TRACEPARENT_DRAWN]; /* at most 256: getentropy */
    size_t left;
};

/* 55 characters and a zero. */
void traceparent_print(struct traceparent *t, char out[TRACEPARENT_TEXT]);
/* Is it one of this form? n bytes, not terminated. */
bool traceparent_valid(const void *p, size_t n);
/* The trace id in it, 32 hex digits, which a log line carries; "" of NULL. */
void traceparent_id(const char *traceparent, char out[TRACEPARENT_ID]);

#endif
