/* Token bucket: how many requests an account allows. Pure; time comes in as an argument. Thread rule: one owner. */
#ifndef BRIDGE_BASE_BUCKET_H
#define BRIDGE_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t interval_us; /* one token each */
    int64_t burst;       /* tokens at most */
    int64_t full_at_us;  /* monotonic microseconds at which the bucket is full again */
    int64_t closed_until_ms;
};

/* per_minute >= 1. Starts full; burst = max(1, per_minute / 10) so that no minute sees more than 1.1 quotas (below 10: one more). */
void bucket_init(struct bucket *b, int64_t per_minute, int64_t now_ms);
/* Takes a token: 0 = taken; otherwise milliseconds until one is there (nothing taken). */
int64_t bucket_take(struct bucket *b, int64_t now_ms);
/* Nothing for this long (Retry-After); it opens again with one token, not with a burst. A shorter one than already set changes nothing. */
void bucket_close(struct bucket *b, int64_t now_ms, int64_t for_ms);
/* Another quota from now on: what was taken of the old one is not given back, so it starts with one token at most. A closed bucket stays closed. */
void bucket_rate(struct bucket *b, int64_t per_minute, int64_t now_ms);

#endif
