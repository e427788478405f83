/* Exponential back-off with full jitter: the n-th wait is random in [low, min(high, low * 2^n)], so that many clients that fail
 * together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter"). Thread rule: one owner. */
#ifndef BRIDGE_BASE_BACKOFF_H
#define BRIDGE_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t low_ms, high_ms;
    unsigned failures; /* in a row */
    uint64_t seed;     /* xorshift state, never 0 */
};

/* seed: any; 0 is replaced. 0 < low_ms <= high_ms. */
void backoff_init(struct backoff *b, int64_t low_ms, int64_t high_ms, uint64_t seed);
/* Milliseconds to wait after one more failure. */
int64_t backoff_next(struct backoff *b);
void backoff_reset(struct backoff *b);

#endif
