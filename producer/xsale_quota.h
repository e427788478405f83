/* The quota of one program at xSale: a token bucket and one queue before it. Those who wait are served kind by kind in turn and in order within a kind, so
 * that neither a long list of pages nor a long list of status changes makes the others wait for more than one request each.
 * What waits shows as health "xsale-quota", which is always up: waiting is no fault. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_XSALE_QUOTA_H
#define BRIDGE_PRODUCER_XSALE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bucket.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "producer/xsale_client.h"

enum xsale_kind { XSALE_PAGE, XSALE_LOOK, XSALE_CHANGE, XSALE_KINDS };

/* Embedded in whoever waits; zeroed before first use. */
struct xsale_quota_wait {
    struct xsale_quota_wait *next, *prev; /* NULL: does not wait */
    loop_fn *fn;
    void *arg;
    int64_t since; /* monotonic ms */
};

struct xsale_quota { /* embedded */
    struct loop *loop;
    struct health *health;
    xsale_count_fn *count;
    void *count_arg;
    struct bucket bucket;
    struct xsale_quota_wait queue[XSALE_KINDS]; /* rings */
    enum xsale_kind turn;                       /* served next, if somebody of it waits */
    size_t waiting;
    bool asked_to_pause; /* by Retry-After, since somebody last got through */
    struct loop_timer timer;
};

/* count gets XSALE_COUNT_QUOTA_WAIT and XSALE_COUNT_WAITING. */
void xsale_quota_init(struct xsale_quota *q, struct loop *l, struct health *h, int64_t per_minute, xsale_count_fn *count, void *count_arg);
/* Nobody is called any more. */
void xsale_quota_release(struct xsale_quota *q);
/* true: one request may go now. false: fn is called once, from the loop, when one may. */
bool xsale_quota_take(struct xsale_quota *q, struct xsale_quota_wait *w, enum xsale_kind kind, loop_fn *fn, void *arg);
/* Waits no longer; allowed for one that does not. */
void xsale_quota_forget(struct xsale_quota *q, struct xsale_quota_wait *w);
/* Retry-After: nothing goes out for so long. */
void xsale_quota_pause(struct xsale_quota *q, int64_t for_ms);
/* Another number of requests a minute from now on. */
void xsale_quota_rate(struct xsale_quota *q, int64_t per_minute);
/* ms from one request to the next, as the quota goes. */
int64_t xsale_quota_interval(const struct xsale_quota *q);
/* Would a request go out at once? */
bool xsale_quota_open(const struct xsale_quota *q);

#endif
