#include "producer/xsale_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/backoff.h"

enum { URL_BYTES = 16384, BODY_BYTES = 4096, HEADER_BYTES = 16384, ALONE = 5 };

struct xsale_call {
    struct xsale_call *next, *prev;
    struct xsale_line *line;
    enum xsale_kind kind;
    bool needed;      /* nothing goes on without it: a refusal is told */
    const char *hint; /* what to look at after a 403 or 404; NULL: nothing */
    struct buf url, body; /* as they are sent */
    char trace[80];       /* the header traceparent; "": none */
    struct buf *into;     /* for the reply; NULL: nobody keeps it */
    const char *path;     /* of url, for words: behind scheme and host, query included (parameter names and ids only) */
    xsale_done_fn *done;
    void *arg;
    struct xsale_auth_wait wait;
    struct xsale_quota_wait quota_wait;
    struct loop_timer timer;
    int64_t send_within; /* ms; 0: whenever it can be sent */
    int64_t send_until;  /* monotonic ms; 0: whenever */
    int64_t patience;    /* ms; 0: for ever */
    int64_t failing_since; /* monotonic ms; 0: has not failed yet */
    struct http_call *http;
    struct backoff backoff;
    uint64_t login; /* whose tokens the request under way carries */
    bool again;     /* repeated once already after a 401 */
    bool paid;      /* the quota let it through, and it has not been sent since */
};

static void step(void *arg);

static bool is_put(const struct xsale_call *call)
{
    return call->kind == XSALE_CHANGE;
}

static void release_call(struct xsale_call *call)
{
    struct xsale_line *x = call->line;
    if (call->http != NULL)
        http_cancel(call->http);
    xsale_auth_forget(x->auth, &call->wait);
    xsale_quota_forget(&x->quota, &call->quota_wait);
    loop_timer_clear(x->loop, &call->timer);
    if (call->next != NULL)
        call->next->prev = call->prev;
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        x->calls = call->next;
    x->pending--;
    buf_release(&call->url);
    buf_release(&call->body);
    free(call);
}

void xsale_cancel(struct xsale_call *call)
{
    if (call == NULL)
        return;
    struct xsale_line *x = call->line;
    bool failing = call->backoff.failures > 0;
    release_call(call);
    if (failing && x->pending == 0) /* a replica that stands by must not show for ever what failed last */
        health_set(x->health, "xsale", HEALTH_UP, NULL, "nothing is asked of it now");
}

bool xsale_is_sent(const struct xsale_call *call)
{
    return call->http != NULL;
}

static const char *method(const struct xsale_call *call)
{
    return is_put(call) ? "PUT" : "GET";
}

/* By what it says, or by how it begins: no JSON begins with '<'. */
static bool is_web_page(const struct http_reply *reply)
{
    size_t blanks = 0;
    while (blanks < reply->body_n && strchr(" \t\r\n", reply->body[blanks]) != NULL && reply->body[blanks] != '\0')
        blanks++;
    return strncasecmp(reply->content_type, "text/html", strlen("text/html")) == 0 || (blanks < reply->body_n && reply->body[blanks] == '<');
}

static void finish(struct xsale_call *call, enum xsale_end end, const struct http_reply *reply, const char *words)
{
    struct err request;
    err_set(&request, "%s %s", method(call), call->path);
    struct xsale_reply out = {.end = end, .status = reply != NULL ? reply->status : 0, .body = reply != NULL ? reply->body : "",
                              .body_n = reply != NULL ? reply->body_n : 0, .web_page = end == XSALE_GONE && is_web_page(reply), .words = words,
                              .request = request.text};
    xsale_done_fn *done = call->done;
    void *arg = call->arg;
    release_call(call);
    done(arg, &out);
}

static void finish_wrong(struct xsale_call *call, enum xsale_end end, const struct http_reply *reply, const char *what)
{
    struct err e;
    bool hinted = call->hint != NULL && (end == XSALE_GONE || (reply != NULL && reply->status == 403));
    err_set(&e, "%s %s: %s%s", method(call), call->path, what, hinted ? call->hint : "");
    if (end != XSALE_GONE) /* gone is an answer, not trouble */
        log_event(call->line->log, LOG_WARN, "xsale", NULL, "xSale refused a request", LOG_S("why", e.text));
    if (call->needed)
        call->line->refused(call->line->refused_arg, e.text);
    finish(call, end, reply, e.text);
}

/* It is this one that xSale cannot answer, or xSale answers nobody for very long. */
static bool is_hopeless(const struct xsale_call *call)
{
    int64_t lasts = loop_now(call->line->loop) - call->failing_since;
    return call->patience > 0 && lasts >= (call->line->answered_at > call->failing_since ? call->patience : ALONE * call->patience);
}

/* GET only. */
static void repeat(struct xsale_call *call, const struct http_reply *reply, const char *what)
{
    struct xsale_line *x = call->line;
    struct err e;
    int64_t delay = backoff_next(&call->backoff);
    if (reply != NULL && reply->retry_after_ms > delay)
        delay = reply->retry_after_ms;
    err_set(&e, "%s %s: %s", method(call), call->path, what);
    if (call->failing_since == 0)
        call->failing_since = loop_now(x->loop);
    if (is_hopeless(call)) {
        health_set(x->health, "xsale", HEALTH_DOWN, e.text, "asks for other orders first");
        finish(call, XSALE_LATER, reply, e.text);
        return;
    }
    health_retry(x->health, "xsale", e.text, "tries again", delay);
    log_event(x->log, LOG_WARN, "xsale", NULL, "a request to xSale failed and is repeated", LOG_S("why", e.text), LOG_I("again_in_ms", delay));
    x->count(x->count_arg, XSALE_COUNT_REPEATS, 1);
    loop_timer_in(x->loop, &call->timer, delay, step, call);
}

static void on_unanswered(struct xsale_call *call, const struct http_reply *reply)
{
    if (!is_put(call))
        repeat(call, reply, reply->words);
    else
        finish_wrong(call, reply->end == HTTP_NOT_SENT ? XSALE_LATER : XSALE_AMBIGUOUS, reply, reply->words);
}

static void on_success(struct xsale_call *call, const struct http_reply *reply)
{
    struct xsale_line *x = call->line;
    static const char page[] = "answered with a web page instead of JSON (a login or maintenance page?); check xsale.api_url";
    if (is_web_page(reply) && is_put(call)) { /* whoever made that page, it was not xSale setting a status */
        finish_wrong(call, XSALE_AMBIGUOUS, reply, page);
        return;
    }
    if (is_web_page(reply)) {
        repeat(call, reply, page);
        return;
    }
    xsale_auth_accepted(x->auth, call->login);
    x->answered_at = loop_now(x->loop);
    health_set(x->health, "xsale", HEALTH_UP, NULL, NULL);
    finish(call, XSALE_OK, reply, "");
}

/* Not everybody says 403 when a right is missing. Tokens that a PUT was refused with right after their login, and that other calls are taken with, are good:
 * another login would change nothing. */
static bool lacks_right(struct xsale_call *call)
{
    struct xsale_line *x = call->line;
    if (!is_put(call))
        return false;
    if (call->again)
        x->put_denied = call->login;
    return x->put_denied == call->login && xsale_auth_trusted(x->auth, call->login);
}

static void on_unauthorized(struct xsale_call *call, const struct http_reply *reply)
{
    struct xsale_line *x = call->line;
    if (lacks_right(call)) {
        finish_wrong(call, XSALE_REFUSED, reply, "HTTP 401, although other calls are taken with the same tokens: the xSale user has no right to do this");
        return;
    }
    if (!is_put(call) || !call->again) /* fresh tokens that only a PUT was refused with stay: the next call shows whether they are any good */
        xsale_auth_refused(x->auth, call->login);
    if (call->again) {
        health_set(call->line->health, "xsale", HEALTH_DOWN, "HTTP 401 with fresh tokens", "logs in again later");
        finish_wrong(call, XSALE_REFUSED, reply, "HTTP 401 again after a fresh login");
        return;
    }
    call->again = true;
    step(call);
}

static void on_redirect(struct xsale_call *call, const struct http_reply *reply)
{
    struct err e;
    const char *host = strstr(reply->location, "://");
    host = host != NULL ? host + 3 : "";
    err_set(&e, "HTTP %d: a redirect to '%.*s', which is not followed with credentials; check xsale.api_url (https?)", reply->status,
            (int)strcspn(host, "/?#@"), host);
    if (!is_put(call))
        repeat(call, reply, e.text);
    else
        finish_wrong(call, XSALE_AMBIGUOUS, reply, e.text);
}

/* 408, 429 and 5xx. */
static void on_busy(struct xsale_call *call, const struct http_reply *reply)
{
    struct xsale_line *x = call->line;
    bool not_done = reply->status == 429 || reply->status == 503;
    if (not_done && reply->retry_after_ms > 0)
        xsale_quota_pause(&x->quota, reply->retry_after_ms);
    if (!is_put(call))
        repeat(call, reply, reply->words);
    else
        finish_wrong(call, not_done ? XSALE_LATER : XSALE_AMBIGUOUS, reply, reply->words);
}

/* Any other 4xx: we ask for something that is not there in this form. */
static void on_malformed(struct xsale_call *call, const struct http_reply *reply)
{
    if (call->line->doubtful != NULL)
        call->line->doubtful(call->line->doubtful_arg);
    struct err e;
    bool query = call->kind == XSALE_PAGE && (reply->status == 400 || reply->status == 422);
    err_set(&e, "%s%s", reply->words,
            query ? "; is the query what xSale expects? (xsale.array_style, xsale.filter_by, xsale.paging, xsale.page_first, xsale.page_parameter, xsale.query)" : "");
    finish_wrong(call, XSALE_REFUSED, reply, e.text);
}

static void on_reply(void *arg, const struct http_reply *reply)
{
    struct xsale_call *call = arg;
    int status = reply->status;
    call->http = NULL;
    if (reply->end != HTTP_REPLIED)
        on_unanswered(call, reply);
    else if (status >= 200 && status < 300)
        on_success(call, reply);
    else if (status == 401)
        on_unauthorized(call, reply);
    else if (status >= 300 && status < 400)
        on_redirect(call, reply);
    else if (status == 408 || status == 429 || status >= 500)
        on_busy(call, reply);
    else if (status == 404)
        finish_wrong(call, XSALE_GONE, reply, "HTTP 404: there is no such thing");
    else if (status == 403)
        finish_wrong(call, XSALE_REFUSED, reply, "HTTP 403: the xSale user has no right to do this");
    else
        on_malformed(call, reply);
}

void xsale_call_traceparent(struct xsale_call *call, const char *traceparent)
{
    if (traceparent != NULL)
        (void)snprintf(call->trace, sizeof call->trace, "traceparent: %s", traceparent); /* 55 characters */
}

static void send_call(struct xsale_call *call, const struct xsale_tokens *tokens)
{
    struct xsale_line *x = call->line;
    struct err e;
    struct buf bearer, id;
    buf_init(&bearer, HEADER_BYTES);
    buf_init(&id, HEADER_BYTES);
    buf_printf(&bearer, "Authorization: Bearer %s", tokens->access);
    buf_printf(&id, "x-id-token: %s", tokens->id);
    const char *headers[5] = {buf_text(&bearer), buf_text(&id), "Accept: application/json"};
    size_t headers_n = 3;
    if (is_put(call) && call->body.n > 0)
        headers[headers_n++] = "Content-Type: application/json";
    if (call->trace[0] != '\0')
        headers[headers_n++] = call->trace;
    struct http_request r = {.method = method(call), .url = buf_text(&call->url), .headers = headers,
                             .headers_n = headers_n, .body = is_put(call) ? call->body.p : NULL, .body_n = call->body.n, .into = call->into};
    err_set(&e, "out of memory, or tokens longer than %d bytes", HEADER_BYTES);
    loop_timer_clear(x->loop, &call->timer);
    call->login = tokens->login;
    call->paid = false;
    x->count(x->count_arg, XSALE_COUNT_REQUESTS, 1);
    if (headers[0] != NULL && headers[1] != NULL && r.url != NULL)
        call->http = http_submit(x->http, &r, on_reply, call, &e);
    if (bearer.p != NULL)
        explicit_bzero(bearer.p, bearer.cap);
    if (id.p != NULL)
        explicit_bzero(id.p, id.cap);
    buf_release(&bearer);
    buf_release(&id);
    if (call->http != NULL)
        return;
    if (!is_put(call))
        repeat(call, NULL, e.text);
    else
        finish_wrong(call, XSALE_LATER, NULL, e.text);
}

static void on_overdue(void *arg)
{
    struct xsale_call *call = arg;
    struct err e;
    err_set(&e, "%s %s: not sent, since a login or the quota (perhaps Retry-After) did not let it through within %" PRId64 " s", method(call), call->path,
            call->send_within / 1000);
    finish(call, XSALE_LATER, NULL, e.text);
}

/* It has to wait. */
static void watch(struct xsale_call *call)
{
    if (call->send_until > 0)
        loop_timer_set(call->line->loop, &call->timer, call->send_until, on_overdue, call);
}

/* The tokens may have ended meanwhile. */
static void on_paid(void *arg)
{
    struct xsale_call *call = arg;
    call->paid = true;
    step(call);
}

/* Tokens, then the quota, then the request. */
static void step(void *arg)
{
    struct xsale_call *call = arg;
    struct xsale_line *x = call->line;
    struct xsale_tokens tokens;
    if (!xsale_auth_tokens(x->auth, &tokens)) {
        xsale_auth_wait(x->auth, &call->wait, step, call);
        watch(call);
        return;
    }
    call->paid = call->paid || xsale_quota_take(&x->quota, &call->quota_wait, call->kind, on_paid, call);
    if (call->paid)
        send_call(call, &tokens);
    else
        watch(call);
}

struct xsale_call *xsale_call_create(struct xsale_line *line, enum xsale_kind kind, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->line = line;
    call->kind = kind;
    call->done = done;
    call->arg = arg;
    buf_init(&call->url, URL_BYTES);
    buf_init(&call->body, BODY_BYTES);
    backoff_init(&call->backoff, config_ms(line->config, "xsale.retry_min"), config_ms(line->config, "xsale.retry_max"),
                 (uint64_t)loop_now(line->loop) ^ (uint64_t)(uintptr_t)call);
    if (call->backoff.high_ms < call->backoff.low_ms)
        call->backoff.high_ms = call->backoff.low_ms;
    call->next = line->calls;
    if (line->calls != NULL)
        line->calls->prev = call;
    line->calls = call;
    line->pending++;
    return call;
}

void xsale_call_needed(struct xsale_call *call, const char *hint)
{
    call->needed = true;
    call->hint = hint;
}

void xsale_call_patience(struct xsale_call *call, int64_t ms)
{
    call->patience = ms;
}

void xsale_call_send_within(struct xsale_call *call, int64_t ms)
{
    call->send_within = ms;
    call->send_until = loop_now(call->line->loop) + ms;
}

void xsale_call_into(struct xsale_call *call, struct buf *into)
{
    call->into = into;
}

struct buf *xsale_call_url(struct xsale_call *call)
{
    return &call->url;
}

struct buf *xsale_call_body(struct xsale_call *call)
{
    return &call->body;
}

struct xsale_call *xsale_call_start(struct xsale_call *call)
{
    const char *url = buf_text(&call->url);
    if (url == NULL || buf_failed(&call->body)) {
        release_call(call);
        return NULL;
    }
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    call->path = path != NULL ? path : "/";
    loop_timer_in(call->line->loop, &call->timer, 0, step, call);
    return call;
}

void xsale_call_drop_all(struct xsale_line *line)
{
    while (line->calls != NULL)
        release_call(line->calls);
}
