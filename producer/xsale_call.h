/* One call of xSale's API: tokens, then the quota, then the request, and what its answer means (the rules stand in xsale_client.h). Between xsale_client.c, which
 * knows the addresses, and xsale_auth, xsale_quota and http_client. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_XSALE_CALL_H
#define BRIDGE_PRODUCER_XSALE_CALL_H

#include "common/base/buf.h"
#include "common/net/http_client.h"
#include "producer/xsale_auth.h"
#include "producer/xsale_quota.h"

/* What all calls of a client share; members public to the client. */
struct xsale_line {
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct http_client *http;
    struct xsale_auth *auth;
    struct xsale_quota quota;
    xsale_count_fn *count; /* never NULL */
    void *count_arg;
    xsale_refused_fn *refused; /* never NULL: a call that is needed was refused */
    void *refused_arg;
    loop_fn *doubtful; /* a request was refused as malformed: perhaps a status is no longer what it was; may be NULL */
    void *doubtful_arg;
    uint64_t put_denied; /* login whose fresh tokens a PUT was refused with; 0: none */
    int64_t answered_at;      /* monotonic ms of the last success */
    struct xsale_call *calls; /* newest first */
    size_t pending;
};

/* The caller fills url (and body) and calls xsale_call_start. A change is a PUT, everything else a GET. NULL: out of memory. */
struct xsale_call *xsale_call_create(struct xsale_line *line, enum xsale_kind kind, xsale_done_fn *done, void *arg);
/* Nothing goes on without this call. hint: a literal behind the words of a 403 or 404, or NULL. */
void xsale_call_needed(struct xsale_call *call, const char *hint);
/* A GET that fails for so many ms, or five times as many when nothing else is answered meanwhile, is given up: XSALE_LATER. */
void xsale_call_patience(struct xsale_call *call, int64_t ms);
/* A change that has not been sent within so many ms is not sent any more: XSALE_LATER. What was looked at before it is no longer sure then. */
void xsale_call_send_within(struct xsale_call *call, int64_t ms);
/* The W3C trace that the request belongs to, copied; NULL: none. */
void xsale_call_traceparent(struct xsale_call *call, const char *traceparent);
/* As http_request.into. */
void xsale_call_into(struct xsale_call *call, struct buf *into);
struct buf *xsale_call_url(struct xsale_call *call);
struct buf *xsale_call_body(struct xsale_call *call);
/* Takes the call; NULL: out of memory, it is gone. */
struct xsale_call *xsale_call_start(struct xsale_call *call);
/* Every call is dropped without done. */
void xsale_call_drop_all(struct xsale_line *line);

#endif
