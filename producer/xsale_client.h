/* xSale's REST API as the bridge uses it, on the loop: tokens, quota, back-off, statuses by name, pages, one order, change-status.
 *
 * Every call waits for tokens and for the quota of the program (requests_per_minute; Retry-After on 429 and 503 closes it), in one queue that serves pages,
 * looks and changes in turn; what waits shows in /readyz as "xsale-quota".
 *   GET: repeated inside with back-off and jitter after transport errors, 408, 429, 5xx, redirects and answers that are no JSON (a login
 *        page), until it is answered or cancelled; health "xsale" is down meanwhile and says why. One order that xSale fails to show for two minutes, or for
 *        ten when it answers nobody, is given up, so that nobody waits for it for ever.
 *   PUT: sent once, so that nothing is repeated blindly; the caller decides (it looks first). One that tokens or quota keep back for long (half a minute and
 *        eight turns of the quota) is not sent at all: what the caller has looked at may be another status by then.
 *   401 on either: the tokens are dropped, one login is made, the call is repeated once.
 * The configured statuses are looked at again every ten minutes and when a call is refused as malformed: one that was renamed or deleted shows as health
 * "xsale-statuses"; the ids stay in use, and the filter by name uses the new name.
 * A login that is refused (400, 401, 403) is repeated at most with a back-off of 30 s to 15 minutes: an account is never hammered.
 * No text made here holds a token, a password or anything of an order. Redirects are never followed.
 * Thread rule: the loop's thread; no done function is called from inside the call that asked for it. */
#ifndef BRIDGE_PRODUCER_XSALE_CLIENT_H
#define BRIDGE_PRODUCER_XSALE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/health.h"
#include "common/net/loop.h"

struct xsale_client;
struct xsale_call;

enum xsale_end {
    XSALE_OK,       /* 2xx */
    XSALE_GONE,     /* 404 */
    XSALE_REFUSED,  /* any other 4xx, 401 after a fresh login too (or, for a PUT, while other calls are taken with the same tokens): repeating it soon is no use; words say what (403: which right is missing) */
    XSALE_LATER,    /* PUT: surely not done (never sent, kept back for long, 429, 503); one order: it cannot be shown now: may be repeated later */
    XSALE_AMBIGUOUS /* PUT only: may have been done (time-out, cut, 408, 5xx, a redirect, a web page instead of JSON): look before anything else */
};

struct xsale_reply { /* valid during the callback only */
    enum xsale_end end;
    int status;       /* 0: no status line */
    bool web_page;    /* XSALE_GONE: perhaps not xSale's own answer, but that of something before it */
    const char *body; /* body_n bytes, zero-terminated behind them; JSON by its content type only: its parser decides */
    size_t body_n;
    const char *words; /* "GET /acme/orders: HTTP 403: ..." ; "" when XSALE_OK */
    const char *request; /* "GET /acme/orders?...", for words about an answer that turns out to be no good */
};

typedef void xsale_done_fn(void *arg, const struct xsale_reply *reply);

/* What happens inside, for the program's metrics. */
enum xsale_count {
    XSALE_COUNT_REQUESTS,   /* every HTTP request, logins too */
    XSALE_COUNT_LOGINS,     /* token requests that succeeded */
    XSALE_COUNT_LOGINS_REFUSED,
    XSALE_COUNT_QUOTA_WAIT, /* seconds that requests waited for the quota */
    XSALE_COUNT_WAITING,    /* +1, -1: requests that wait for the quota now */
    XSALE_COUNT_REPEATS     /* requests repeated after a failure */
};
typedef void xsale_count_fn(void *arg, enum xsale_count what, double amount);

/* words: borrowed. */
typedef void xsale_refused_fn(void *arg, const char *words);

struct xsale_status {
    int64_t id;
    const char *name;
};

/* Checks what the table cannot: new, imported and manual statuses must differ, order_path and query must be usable. Adds a line per problem; no network. */
void xsale_client_check(const struct config *c, struct config_problems *problems);

/* The most connections to xSale that a client has open at once. */
size_t xsale_client_connections(const struct config *c);
/* c is borrowed while the client lives. RC_FATAL: words. */
enum rc xsale_client_create(struct loop *l, const struct config *c, struct log *log, struct health *h, int64_t requests_per_minute,
                            struct xsale_client **out, struct err *e);
/* Open calls are dropped without done. */
void xsale_client_destroy(struct xsale_client *x);
void xsale_client_on_count(struct xsale_client *x, xsale_count_fn *fn, void *arg);
/* fn is told, from the loop, whenever xSale refuses what nothing goes on without and what somebody has to put right: a login, fresh tokens, the organization, the
 * statuses, a page of the orders (4xx but 408 and 429). For a program that is to end then; it is repeated all the same. fn must not destroy the client. */
void xsale_client_on_refused(struct xsale_client *x, xsale_refused_fn *fn, void *arg);
/* fn tells the traceparent of an order, which the request that changes its status carries as a header; NULL: it carries none. */
typedef const char *xsale_trace_fn(void *arg, int64_t order_id);
void xsale_client_on_trace(struct xsale_client *x, xsale_trace_fn *fn, void *arg);
/* config_refresh_secrets said so: a login that was refused and waits is tried at once. */
void xsale_client_secrets_changed(struct xsale_client *x);
/* The configuration was read again: takes over the quota, the time-outs and the secrets, and looks at the statuses. */
void xsale_client_reload(struct xsale_client *x, int64_t requests_per_minute);

/* Logs in, finds the organization (when it is not configured) and resolves the configured status names. done once: RC_OK, or RC_FATAL with words that
 * list what exists (unknown status, several organizations, two kinds with one id). An absent xSale is tried again until it is there. */
typedef void xsale_opened_fn(void *arg, enum rc rc, const char *words);
void xsale_client_open(struct xsale_client *x, xsale_opened_fn *done, void *arg);

/* All below only after xsale_client_open ended with RC_OK; texts live until the loop's next turn, the organization's as long as the client. */
const char *xsale_client_organization(const struct xsale_client *x);
const struct xsale_status *xsale_client_statuses(const struct xsale_client *x, size_t *n); /* all that exist */
const struct xsale_status *xsale_client_status_by_name(const struct xsale_client *x, const char *name); /* NULL: none */
const struct xsale_status *xsale_client_status_by_id(const struct xsale_client *x, int64_t id);         /* NULL: none */
bool xsale_client_is_new(const struct xsale_client *x, int64_t status_id);
int64_t xsale_client_imported(const struct xsale_client *x); /* id of xsale.imported_status */
int64_t xsale_client_manual(const struct xsale_client *x);   /* id of xsale.manual_status */
/* false: xsale.order_path is empty, orders cannot be looked at. */
bool xsale_client_can_look(const struct xsale_client *x);

/* Would a call go out at once, as far as the quota is concerned? */
bool xsale_client_room(const struct xsale_client *x);

struct xsale_page {
    int64_t index, received; /* 0, 1, 2 ... of the page in this poll; orders received so far in it (offset paging) */
    struct buf *into;        /* the page is read into it, its max instead of xsale.max_body; borrowed until done or xsale_cancel. NULL: only done sees it */
};
/* One page of the orders in the new statuses. NULL: out of memory. A call pointer is valid until its done or xsale_cancel. */
struct xsale_call *xsale_get_page(struct xsale_client *x, const struct xsale_page *page, xsale_done_fn *done, void *arg);
/* One order; XSALE_GONE: there is no such order. */
struct xsale_call *xsale_get_order(struct xsale_client *x, int64_t order_id, xsale_done_fn *done, void *arg);
struct xsale_call *xsale_put_status(struct xsale_client *x, int64_t order_id, int64_t status_id, xsale_done_fn *done, void *arg);
/* done will not be called; a PUT that is under way may still happen. NULL is a no-op. */
void xsale_cancel(struct xsale_call *call);
/* Has the request left? One that has not, because it waits for tokens or for the quota, has no effect when it is cancelled. */
bool xsale_is_sent(const struct xsale_call *call);
/* Calls not answered yet. */
size_t xsale_client_pending(const struct xsale_client *x);

#endif
