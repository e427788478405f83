#include "producer/poller.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/backoff.h"

enum { ORDERS_A_TURN = 200, AGAIN_MS = 1000, AGAIN_MOST_MS = 60 * 1000 };

struct poller {
    struct loop *loop;
    struct xsale_client *x;
    const struct config *config;
    struct log *log;
    struct health *health;
    const struct poller_ops *ops;
    void *arg;
    struct xsale_call *call; /* a page under way */
    struct loop_timer timer; /* the next step */
    struct backoff backoff;
    struct buf body; /* of the page at hand; the tape looks into it */
    struct page page;
    uint32_t node; /* the order to hand out next, when have_node */
    bool busy, have_node, waiting;
    int64_t index, received; /* pages and orders of this poll */
    size_t fresh;            /* orders of this page that the poll had not brought before */
    size_t unsure;           /* orders of this page of which nobody knows that */
    int unsure_pages;        /* in a row, without a fresh one */
};

struct poller *poller_create(struct loop *l, struct xsale_client *x, const struct config *c, struct log *log, struct health *h,
                             const struct poller_ops *ops, void *arg)
{
    struct poller *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    *p = (struct poller){.loop = l, .x = x, .config = c, .log = log, .health = h, .ops = ops, .arg = arg};
    buf_init(&p->body, (size_t)config_int(c, "xsale.max_body"));
    page_init(&p->page);
    backoff_init(&p->backoff, AGAIN_MS, AGAIN_MOST_MS, (uint64_t)loop_now(l) + 3);
    return p;
}

void poller_destroy(struct poller *p)
{
    if (p == NULL)
        return;
    xsale_cancel(p->call);
    loop_timer_clear(p->loop, &p->timer);
    page_release(&p->page);
    buf_release(&p->body);
    free(p);
}

bool poller_busy(const struct poller *p)
{
    return p->busy;
}

static void ask(void *arg);

static void ask_again(struct poller *p, const char *why)
{
    char doing[64];
    int64_t delay = backoff_next(&p->backoff);
    (void)snprintf(doing, sizeof doing, "asks for the page again in %" PRId64 " s", (delay + 999) / 1000); /* fits */
    health_set(p->health, "xsale", HEALTH_DOWN, why, doing);
    log_event(p->log, LOG_WARN, "poll", NULL, "a page failed and is asked for again", LOG_I("page", p->index), LOG_S("why", why),
              LOG_I("again_in_ms", delay));
    loop_timer_in(p->loop, &p->timer, delay, ask, p);
}

static void end_poll(struct poller *p)
{
    char words[160];
    bool endless = p->unsure_pages >= POLLER_UNSURE_PAGES;
    (void)snprintf(words, sizeof words, "%d pages in a row brought nothing that is known to be new: does xSale repeat its pages? (xsale.paging)", p->unsure_pages); /* fits */
    p->busy = false;
    buf_release(&p->body); /* between polls nothing is held */
    page_release(&p->page);
    page_init(&p->page);
    if (endless)
        p->ops->failed(p->arg, words); /* p may be gone */
    else
        p->ops->complete(p->arg); /* here too */
}

static void end_page(struct poller *p)
{
    bool over = p->page.count == 0 || (p->fresh == 0 && p->unsure == 0);
    p->unsure_pages = over || p->fresh > 0 ? 0 : p->unsure_pages + 1;
    if (p->ops->page != NULL)
        p->ops->page(p->arg, p->page.count);
    p->index++;
    p->received += p->page.count;
    if (over || p->unsure_pages >= POLLER_UNSURE_PAGES)
        end_poll(p);
    else
        ask(p);
}

static void hand_out(void *arg)
{
    struct poller *p = arg;
    for (int i = 0; i < ORDERS_A_TURN; i++) {
        if (!p->have_node && !page_next(&p->page, &p->node)) {
            end_page(p);
            return;
        }
        p->have_node = true;
        enum poller_taken taken = p->ops->order(p->arg, &p->page.tape, p->node);
        if (taken == POLLER_WAIT) {
            p->waiting = true;
            return;
        }
        p->have_node = false;
        p->fresh += taken == POLLER_FRESH;
        p->unsure += taken == POLLER_UNSURE;
    }
    loop_timer_in(p->loop, &p->timer, 0, hand_out, p);
}

/* The reply's text is gone after the call, and handing out may take long: it is copied. */
static enum rc keep(struct poller *p, const struct xsale_reply *reply, struct err *e)
{
    buf_reset(&p->body);
    buf_put(&p->body, reply->body, reply->body_n);
    if (buf_text(&p->body) == NULL) {
        err_set(e, "the page has %zu bytes: out of memory, or more than xsale.max_body", reply->body_n);
        return RC_RETRY;
    }
    return page_parse(&p->page, (const char *)p->body.p, p->body.n, config_text(p->config, "xsale.envelope"), e);
}

static void on_page(void *arg, const struct xsale_reply *reply)
{
    struct poller *p = arg;
    struct err e;
    p->call = NULL;
    if (reply->end != XSALE_OK) {
        ask_again(p, reply->words);
        return;
    }
    if (keep(p, reply, &e) != RC_OK) {
        err_prefix(&e, "page %" PRId64 " of the orders", p->index);
        ask_again(p, e.text);
        return;
    }
    backoff_reset(&p->backoff);
    p->fresh = p->unsure = 0;
    p->have_node = false;
    hand_out(p);
}

static void ask(void *arg)
{
    struct poller *p = arg;
    p->call = xsale_get_page(p->x, p->index, p->received, on_page, p);
    if (p->call == NULL)
        ask_again(p, "out of memory");
}

void poller_start(struct poller *p)
{
    p->busy = true;
    p->waiting = p->have_node = false;
    p->index = p->received = 0;
    p->unsure_pages = 0;
    ask(p);
}

void poller_resume(struct poller *p)
{
    if (!p->waiting)
        return;
    p->waiting = false;
    loop_timer_in(p->loop, &p->timer, 0, hand_out, p);
}
