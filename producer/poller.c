#include "producer/poller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/probe.h"

enum { ORDERS_A_TURN = 200, AHEAD_MOST = 16 };

struct ahead { /* a page behind the one at hand */
    struct poller *p;
    int64_t index;
    struct xsale_call *call; /* NULL: not asked for, or answered */
    struct buf body;         /* the page, when here; its memory serves many pages */
    bool here;
    char request[512];
};

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
    struct ahead ahead[AHEAD_MOST]; /* page i in i % slots */
    int64_t slots;                  /* one more than pages are asked for ahead */
    size_t largest;                 /* orders of a page of this poll */
    bool full;                      /* the page at hand was as large as they come */
    bool troubled;                  /* the page wanted has failed */
    char request[512];              /* that brought the page at hand */
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
    for (int i = 0; i < AHEAD_MOST; i++) {
        p->ahead[i].p = p;
        buf_init(&p->ahead[i].body, (size_t)config_int(c, "xsale.max_body"));
    }
    page_init(&p->page);
    backoff_init(&p->backoff, config_ms(c, "xsale.retry_min"), config_ms(c, "xsale.retry_max"), (uint64_t)loop_now(l) + 3);
    return p;
}

static void drop_ahead(struct ahead *a)
{
    xsale_cancel(a->call);
    a->call = NULL;
    a->here = false;
    buf_release(&a->body);
}

static void drop_all_ahead(struct poller *p)
{
    for (int i = 0; i < AHEAD_MOST; i++)
        drop_ahead(&p->ahead[i]);
}

void poller_destroy(struct poller *p)
{
    if (p == NULL)
        return;
    drop_all_ahead(p);
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

static size_t page_size(const struct poller *p)
{
    return (size_t)config_int(p->config, "xsale.page_size");
}

static void ask_again(struct poller *p, const char *why)
{
    int64_t delay = backoff_next(&p->backoff);
    p->troubled = true;
    health_retry(p->health, "polling", why, "asks for the page again", delay);
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
    drop_all_ahead(p);
    buf_release(&p->body); /* between polls nothing is held */
    page_release(&p->page);
    page_init(&p->page);
    if (endless)
        p->ops->failed(p->arg, words); /* p may be gone */
    else
        p->ops->complete(p->arg); /* here too */
}

static void next_page(struct poller *p);

static void end_page(struct poller *p)
{
    bool over = p->page.count == 0 || (p->fresh == 0 && p->unsure == 0);
    p->unsure_pages = over || p->fresh > 0 ? 0 : p->unsure_pages + 1;
    if (over && p->index == 1 && p->page.count >= page_size(p))
        log_event(p->log, LOG_WARN, "poll", NULL, "the second page repeats the first: either there are no more orders, or xsale.page_parameter is wrong",
                  LOG_S("request", p->request));
    if (p->ops->page != NULL)
        p->ops->page(p->arg, p->page.count);
    p->index++;
    p->received += p->page.count;
    if (over || p->unsure_pages >= POLLER_UNSURE_PAGES)
        end_poll(p);
    else
        next_page(p);
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

static void ask_ahead(struct poller *p);

/* The body of the page wanted is there. */
static void take_page(struct poller *p)
{
    struct err e;
    if (page_parse(&p->page, (const char *)p->body.p, p->body.n, config_text(p->config, "xsale.envelope"), &e) != RC_OK) {
        err_prefix(&e, "%s", p->request);
        ask_again(p, e.text);
        return;
    }
    if (p->troubled)
        health_set(p->health, "polling", HEALTH_UP, NULL, NULL);
    p->troubled = false;
    backoff_reset(&p->backoff);
    p->full = p->page.count > 0 && (p->page.count >= page_size(p) || (p->index > 0 && p->page.count >= p->largest));
    if (p->page.count > p->largest)
        p->largest = p->page.count;
    p->fresh = p->unsure = 0;
    p->have_node = false;
    ask_ahead(p);
    hand_out(p);
}

static void on_page(void *arg, const struct xsale_reply *reply)
{
    struct poller *p = arg;
    PROBE(page_received);
    p->call = NULL;
    (void)snprintf(p->request, sizeof p->request, "%s", reply->request); /* cut is fine */
    if (reply->end == XSALE_OK)
        take_page(p);
    else
        ask_again(p, reply->words);
}

static void ask(void *arg)
{
    struct poller *p = arg;
    p->call = xsale_get_page(p->x, &(struct xsale_page){.index = p->index, .received = p->received, .into = &p->body}, on_page, p);
    if (p->call == NULL)
        ask_again(p, "out of memory");
}

/* ---- pages ahead */

static void take_ahead(struct poller *p, struct ahead *a)
{
    struct buf body = p->body;
    p->body = a->body;
    a->body = body;
    a->here = false;
    memcpy(p->request, a->request, sizeof p->request);
    take_page(p);
}

/* One that failed is asked for again when its turn has come: then it is said, and waited for. */
static void on_ahead(void *arg, const struct xsale_reply *reply)
{
    struct ahead *a = arg;
    struct poller *p = a->p;
    bool wanted = a->index == p->index;
    a->call = NULL;
    a->here = reply->end == XSALE_OK;
    (void)snprintf(a->request, sizeof a->request, "%s", reply->request); /* cut is fine */
    if (wanted && a->here)
        take_ahead(p, a);
    else if (wanted)
        ask_again(p, reply->words);
}

/* Only after a full page: a shorter one is most often the last but one, and a request costs quota. By offset nobody knows where the page after the next begins. */
static void ask_ahead(struct poller *p)
{
    if (!p->full || strcmp(config_text(p->config, "xsale.paging"), "offset") == 0)
        return;
    for (int64_t i = p->index + 1; i < p->index + p->slots; i++) {
        struct ahead *a = &p->ahead[i % p->slots];
        if (a->index == i && (a->call != NULL || a->here))
            continue;
        if (!xsale_client_room(p->x))
            return;
        xsale_cancel(a->call);
        a->here = false;
        a->index = i;
        a->call = xsale_get_page(p->x, &(struct xsale_page){.index = i, .into = &a->body}, on_ahead, a); /* NULL: no memory; asked for in its turn */
    }
}

static void next_page(struct poller *p)
{
    struct ahead *a = &p->ahead[p->index % p->slots];
    if (a->index == p->index && a->here)
        take_ahead(p, a);
    else if (a->index != p->index || a->call == NULL) /* else its answer is awaited */
        ask(p);
}

void poller_start(struct poller *p)
{
    p->busy = true;
    p->waiting = p->have_node = false;
    p->index = p->received = 0;
    p->slots = config_int(p->config, "xsale.parallel_pages") + 1;
    p->unsure_pages = 0;
    p->largest = 0;
    ask(p);
}

void poller_resume(struct poller *p)
{
    if (!p->waiting)
        return;
    p->waiting = false;
    loop_timer_in(p->loop, &p->timer, 0, hand_out, p);
}
