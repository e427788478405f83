#include "common/base/bucket.h"

enum { MINUTE_US = 60 * 1000 * 1000 };

void bucket_init(struct bucket *b, int64_t per_minute, int64_t now_ms)
{
    if (per_minute < 1)
        per_minute = 1;
    *b = (struct bucket){
        .interval_us = (MINUTE_US + per_minute - 1) / per_minute, /* rounded up: never faster than allowed */
        .burst = per_minute < 20 ? 1 : per_minute / 10,
        .full_at_us = now_ms * 1000,
        .closed_until_ms = now_ms,
    };
}

/* The bucket is not counted in tokens but in the time until it is full: one token is interval_us of it, so no fraction of a
 * token is ever lost or gained however irregularly it is asked. */
int64_t bucket_take(struct bucket *b, int64_t now_ms)
{
    if (now_ms < b->closed_until_ms)
        return b->closed_until_ms - now_ms;
    int64_t now_us = now_ms * 1000;
    int64_t full_at = (b->full_at_us > now_us ? b->full_at_us : now_us) + b->interval_us;
    int64_t missing = full_at - now_us - b->burst * b->interval_us;
    if (missing > 0)
        return (missing + 999) / 1000;
    b->full_at_us = full_at;
    return 0;
}

void bucket_close(struct bucket *b, int64_t now_ms, int64_t for_ms)
{
    int64_t until = now_ms + for_ms;
    if (for_ms <= 0 || until <= b->closed_until_ms)
        return;
    b->closed_until_ms = until;
    /* The server has just said "too many": opening again with a whole burst would earn the same answer. One token is there. */
    int64_t full_at = until * 1000 + (b->burst - 1) * b->interval_us;
    if (full_at > b->full_at_us)
        b->full_at_us = full_at;
}

void bucket_rate(struct bucket *b, int64_t per_minute, int64_t now_ms)
{
    struct bucket fresh;
    bool has_one = b->full_at_us <= now_ms * 1000 + (b->burst - 1) * b->interval_us;
    bucket_init(&fresh, per_minute, now_ms);
    if (fresh.interval_us == b->interval_us)
        return;
    fresh.full_at_us += (has_one ? fresh.burst - 1 : fresh.burst) * fresh.interval_us;
    if (b->closed_until_ms > now_ms)
        bucket_close(&fresh, now_ms, b->closed_until_ms - now_ms);
    *b = fresh;
}
