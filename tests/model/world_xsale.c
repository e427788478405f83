/* xSale, seen through the client's functions: pages of orders that are in the new status at the moment they are made, and looks at one order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/world.h"

enum { CALLS = 8, BODY = 4096 };

struct xsale_call {
    bool used, served;
    bool is_page;
    int64_t index, received, id; /* of a page, of an order */
    struct buf *into;
    xsale_done_fn *done;
    void *arg;
    struct xsale_reply reply;
    char body[BODY];
    int causes[KEYS]; /* of the orders in the body; 0: not in it */
};

static struct xsale_call calls[CALLS];
static bool lied[KEYS]; /* the last look at the order was answered by something before xSale: a web page with 404 */

void world_xsale_reset(void)
{
    memset(calls, 0, sizeof calls);
    memset(lied, 0, sizeof lied);
}

struct xsale_client *world_xsale(void)
{
    return (struct xsale_client *)calls; /* never looked into */
}

static struct xsale_call *call(xsale_done_fn *done, void *arg)
{
    for (size_t i = 0; i < CALLS; i++)
        if (!calls[i].used) {
            memset(&calls[i], 0, offsetof(struct xsale_call, body));
            memset(calls[i].causes, 0, sizeof calls[i].causes);
            calls[i].used = true;
            calls[i].done = done;
            calls[i].arg = arg;
            return &calls[i];
        }
    broke("too many requests at a time", -1);
    return NULL;
}

struct xsale_call *xsale_get_page(struct xsale_client *x, const struct xsale_page *page, xsale_done_fn *done, void *arg)
{
    (void)x;
    struct xsale_call *c = call(done, arg);
    if (c != NULL) {
        c->is_page = true;
        c->index = page->index;
        c->received = page->received;
        c->into = page->into;
    }
    return c;
}

struct xsale_call *xsale_get_order(struct xsale_client *x, int64_t order_id, xsale_done_fn *done, void *arg)
{
    (void)x;
    struct xsale_call *c = call(done, arg);
    if (c != NULL)
        c->id = order_id;
    return c;
}

void xsale_cancel(struct xsale_call *c)
{
    if (c != NULL)
        c->used = false;
}

const char *xsale_client_organization(const struct xsale_client *x)
{
    (void)x;
    return "acme";
}

bool xsale_client_is_new(const struct xsale_client *x, int64_t status)
{
    (void)x;
    return status == STATUS_NEW;
}

bool xsale_client_can_look(const struct xsale_client *x)
{
    (void)x;
    return true;
}

bool xsale_client_room(const struct xsale_client *x)
{
    (void)x;
    return chance(60);
}

int64_t xsale_client_imported(const struct xsale_client *x)
{
    (void)x;
    return STATUS_IMPORTED;
}

int64_t xsale_client_manual(const struct xsale_client *x)
{
    (void)x;
    return STATUS_MANUAL;
}

/* ---- answers */

static void print_order(struct xsale_call *c, int k)
{
    const struct shop_order *o = &the->shop[k];
    size_t n = strlen(c->body);
    n += (size_t)snprintf(c->body + n, BODY - n, "{\"Id\":%d,\"Cause\":%d,\"StatusId\":%d,\"PurchaseDate\":\"2026-11-20\",\"Number\":\"R%d\",\"Items\":[",
                          FIRST_ID + k, o->cause, o->status, o->c.rev);
    if (!o->c.bad) {
        n += (size_t)snprintf(c->body + n, BODY - n, "{\"Id\":1,\"Quantity\":1,\"OrderItemArticles\":[");
        for (int wh = 0, some = 0; wh < WAREHOUSES; wh++)
            if (o->c.whs & 1U << wh)
                n += (size_t)snprintf(c->body + n, BODY - n, "%s{\"Code\":\"X\",\"Quantity\":1,\"WarehouseCode\":\"%c\"}", some++ ? "," : "", 'A' + wh);
        n += (size_t)snprintf(c->body + n, BODY - n, "]}");
    }
    (void)snprintf(c->body + n, BODY - n, "]}");
    c->causes[k] = o->cause;
}

static void make_page(struct xsale_call *c)
{
    int64_t at = 0, from = c->index * PAGE_SIZE;
    strcpy(c->body, "[");
    for (int k = 0; k < KEYS; k++) {
        if (!the->shop[k].there || the->shop[k].status != STATUS_NEW || at++ < from || at > from + PAGE_SIZE)
            continue;
        if (strlen(c->body) > 1)
            strcat(c->body, ",");
        print_order(c, k);
    }
    strcat(c->body, "]");
}

/* Never twice in a row of one order: that is believed. */
static bool lie(int k)
{
    if (k < 0)
        return false;
    lied[k] = !lied[k] && !the->calm && chance(10);
    return lied[k];
}

static void serve(struct xsale_call *c)
{
    int k = c->is_page ? -1 : key_of_id(c->id);
    c->served = true;
    c->reply = (struct xsale_reply){.end = XSALE_OK, .status = 200, .words = ""};
    c->body[0] = '\0';
    if (!the->calm && chance(5)) { /* whatever the client does not repeat by itself */
        c->reply = (struct xsale_reply){.end = XSALE_REFUSED, .status = 403, .words = "HTTP 403"};
    } else if (c->is_page) {
        make_page(c);
    } else if (lie(k)) {
        c->reply = (struct xsale_reply){.end = XSALE_GONE, .status = 404, .web_page = true, .words = "HTTP 404"};
    } else if (k < 0 || !the->shop[k].there) {
        c->reply = (struct xsale_reply){.end = XSALE_GONE, .status = 404, .web_page = chance(30), .words = "HTTP 404"};
        if (k >= 0)
            c->causes[k] = the->shop[k].cause;
    } else {
        print_order(c, k);
    }
    if (!the->calm && c->reply.end == XSALE_OK && chance(3)) { /* cut */
        c->body[strlen(c->body) / 2] = '\0';
        memset(c->causes, 0, sizeof c->causes);
    }
}

static void answer(struct xsale_call *c)
{
    static char body[BODY];
    struct xsale_reply reply = c->reply;
    xsale_done_fn *done = c->done;
    void *arg = c->arg;
    strcpy(body, c->body);
    reply.body = body;
    reply.body_n = strlen(body);
    if (c->into != NULL) {
        buf_reset(c->into);
        buf_put(c->into, body, reply.body_n);
        reply.body = buf_text(c->into);
    }
    for (int k = 0; k < KEYS; k++)
        if (c->causes[k] != 0) {
            the->served[k] = c->causes[k];
            the->shown[k] = the->shown[k] || (c->is_page && c->causes[k] == the->shop[k].cause);
        }
    c->used = false;
    done(arg, &reply);
}

bool world_xsale_serve(void)
{
    size_t from = dice(CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        struct xsale_call *c = &calls[(from + i) % CALLS];
        if (!c->used)
            continue;
        if (!c->served)
            serve(c);
        else
            answer(c);
        return true;
    }
    return false;
}
