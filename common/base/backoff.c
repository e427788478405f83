#include "common/base/backoff.h"

void backoff_init(struct backoff *b, int64_t low_ms, int64_t high_ms, uint64_t seed)
{
    if (low_ms < 1)
        low_ms = 1;
    *b = (struct backoff){
        .low_ms = low_ms,
        .high_ms = high_ms < low_ms ? low_ms : high_ms,
        .seed = seed != 0 ? seed : 0x9E3779B97F4A7C15u,
    };
}

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003): spreads clients apart, which is all that is asked of it. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

int64_t backoff_next(struct backoff *b)
{
    if (b->failures < UINT32_MAX)
        b->failures++;
    int64_t top = b->low_ms;
    for (unsigned i = 0; i < b->failures && top < b->high_ms; i++)
        top = top > b->high_ms / 2 ? b->high_ms : top * 2;
    uint64_t span = (uint64_t)(top - b->low_ms) + 1;
    return b->low_ms + (int64_t)(next_random(&b->seed) % span);
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
