#include "producer/xsale_quota.h"

#include <stdio.h>
#include <time.h>

void xsale_quota_init(struct xsale_quota *q, struct loop *l, struct health *h, int64_t per_minute, xsale_count_fn *count, void *count_arg)
{
    *q = (struct xsale_quota){.loop = l, .health = h, .count = count, .count_arg = count_arg};
    for (int i = 0; i < XSALE_KINDS; i++)
        q->queue[i].next = q->queue[i].prev = &q->queue[i];
    bucket_init(&q->bucket, per_minute, loop_now(l));
    health_set(h, "xsale-quota", HEALTH_UP, NULL, NULL);
}

void xsale_quota_release(struct xsale_quota *q)
{
    if (q->loop != NULL)
        loop_timer_clear(q->loop, &q->timer);
}

static void unlink_wait(struct xsale_quota *q, struct xsale_quota_wait *w)
{
    w->next->prev = w->prev;
    w->prev->next = w->next;
    w->next = w->prev = NULL;
    q->waiting--;
    q->count(q->count_arg, XSALE_COUNT_WAITING, -1);
}

/* The next one in turn; somebody waits. */
static struct xsale_quota_wait *first(struct xsale_quota *q)
{
    while (q->queue[q->turn].next == &q->queue[q->turn])
        q->turn = (q->turn + 1) % XSALE_KINDS;
    struct xsale_quota_wait *w = q->queue[q->turn].next;
    q->turn = (q->turn + 1) % XSALE_KINDS;
    return w;
}

static void tell(const struct xsale_quota *q, int64_t wait_ms)
{
    char words[160], at[32] = "";
    struct tm t;
    time_t next = (time_t)((clock_wall(loop_clock(q->loop)) + wait_ms) / 1000);
    if (gmtime_r(&next, &t) != NULL)
        (void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &t);
    (void)snprintf(words, sizeof words, "%zu requests wait because %s; the next one goes out at %s", q->waiting,
                   q->asked_to_pause ? "xSale asked for a pause (Retry-After)" : "requests_per_minute are used up", at); /* fits */
    health_set(q->health, "xsale-quota", HEALTH_UP, NULL, words);
}

static void serve(void *arg)
{
    struct xsale_quota *q = arg;
    while (q->waiting > 0) {
        int64_t now = loop_now(q->loop), wait = bucket_take(&q->bucket, now);
        if (wait > 0) {
            tell(q, wait);
            loop_timer_in(q->loop, &q->timer, wait, serve, q);
            return;
        }
        struct xsale_quota_wait *w = first(q);
        unlink_wait(q, w);
        q->asked_to_pause = false;
        q->count(q->count_arg, XSALE_COUNT_QUOTA_WAIT, (double)(now - w->since) / 1000);
        w->fn(w->arg);
    }
    health_set(q->health, "xsale-quota", HEALTH_UP, NULL, NULL);
}

bool xsale_quota_take(struct xsale_quota *q, struct xsale_quota_wait *w, enum xsale_kind kind, loop_fn *fn, void *arg)
{
    if (q->waiting == 0 && bucket_take(&q->bucket, loop_now(q->loop)) == 0) {
        q->asked_to_pause = false;
        return true;
    }
    struct xsale_quota_wait *ring = &q->queue[kind];
    *w = (struct xsale_quota_wait){.next = ring, .prev = ring->prev, .fn = fn, .arg = arg, .since = loop_now(q->loop)};
    w->prev->next = w->next->prev = w;
    q->waiting++;
    q->count(q->count_arg, XSALE_COUNT_WAITING, 1);
    if (!q->timer.armed)
        loop_timer_in(q->loop, &q->timer, 0, serve, q);
    return false;
}

void xsale_quota_forget(struct xsale_quota *q, struct xsale_quota_wait *w)
{
    if (w->next == NULL)
        return;
    unlink_wait(q, w);
    loop_timer_in(q->loop, &q->timer, 0, serve, q); /* so that what is told stays true */
}

void xsale_quota_pause(struct xsale_quota *q, int64_t for_ms)
{
    bucket_close(&q->bucket, loop_now(q->loop), for_ms);
    q->asked_to_pause = true;
}

void xsale_quota_rate(struct xsale_quota *q, int64_t per_minute)
{
    bucket_rate(&q->bucket, per_minute, loop_now(q->loop));
    if (q->waiting > 0)
        loop_timer_in(q->loop, &q->timer, 0, serve, q);
}

bool xsale_quota_open(const struct xsale_quota *q)
{
    struct bucket glance = q->bucket;
    return q->waiting == 0 && bucket_take(&glance, loop_now(q->loop)) == 0;
}

int64_t xsale_quota_interval(const struct xsale_quota *q)
{
    return (q->bucket.interval_us + 999) / 1000;
}
