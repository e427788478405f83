#include "producer/xsale_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/backoff.h"
#include "common/base/bucket.h"
#include "common/net/http_client.h"
#include "producer/xsale_auth.h"
#include "producer/xsale_names.h"
#include "producer/xsale_url.h"

enum { URL_BYTES = 16384, BODY_BYTES = 4096, HEADER_BYTES = 16384, REOPEN_MS = 30 * 1000, REOPEN_MOST_MS = 300 * 1000 };

struct xsale_client {
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct http_client *http;
    struct xsale_auth *auth;
    struct bucket quota;
    struct xsale_names names;
    char *organization; /* owned; NULL: not known yet */
    xsale_count_fn *count;
    void *count_arg;
    xsale_refused_fn *refused;
    void *refused_arg;
    uint64_t put_denied; /* login whose fresh tokens a PUT was refused with; 0: none */
    struct xsale_call *calls; /* newest first */
    size_t pending;
    struct {
        xsale_opened_fn *done; /* NULL: not opening */
        void *arg;
        struct loop_timer timer;
        struct backoff backoff;
        char words[sizeof((struct err *)0)->text];
        enum rc rc;
    } opening;
};

struct xsale_call {
    struct xsale_call *next, *prev;
    struct xsale_client *x;
    bool put;
    bool needed;      /* nothing goes on without it: a refusal is told */
    const char *hint; /* what to look at after a 403 or 404; NULL: nothing */
    struct buf url, body; /* as they are sent */
    const char *path;     /* of url, for words: behind scheme and host, query included (parameter names and ids only) */
    xsale_done_fn *done;
    void *arg;
    struct xsale_auth_wait wait;
    struct loop_timer timer;
    struct http_call *http;
    struct backoff backoff;
    uint64_t login; /* whose tokens the request under way carries */
    bool again;     /* repeated once already after a 401 */
};

static void count_nothing(void *arg, enum xsale_count what, double amount)
{
    (void)arg, (void)what, (void)amount;
}

static void count(void *arg, enum xsale_count what, double amount)
{
    struct xsale_client *x = arg;
    x->count(x->count_arg, what, amount);
}

static void refuse_nothing(void *arg, const char *words)
{
    (void)arg, (void)words;
}

static void refused(void *arg, const char *words)
{
    struct xsale_client *x = arg;
    x->refused(x->refused_arg, words);
}

/* ---- one call */

static void step(void *arg);

static void release_call(struct xsale_call *call)
{
    struct xsale_client *x = call->x;
    if (call->http != NULL)
        http_cancel(call->http);
    xsale_auth_forget(x->auth, &call->wait);
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
    if (call != NULL)
        release_call(call);
}

static const char *method(const struct xsale_call *call)
{
    return call->put ? "PUT" : "GET";
}

static void finish(struct xsale_call *call, enum xsale_end end, const struct http_reply *reply, const char *words)
{
    struct xsale_reply out = {.end = end, .status = reply != NULL ? reply->status : 0, .body = reply != NULL ? reply->body : "",
                              .body_n = reply != NULL ? reply->body_n : 0, .words = words};
    xsale_done_fn *done = call->done;
    void *arg = call->arg;
    release_call(call);
    done(arg, &out);
}

static void finish_wrong(struct xsale_call *call, enum xsale_end end, const struct http_reply *reply, const char *what)
{
    struct err e;
    bool hinted = call->hint != NULL && (end == XSALE_GONE || reply->status == 403);
    err_set(&e, "%s %s: %s%s", method(call), call->path, what, hinted ? call->hint : "");
    if (end != XSALE_GONE) /* gone is an answer, not trouble */
        log_event(call->x->log, LOG_WARN, "xsale", NULL, "xSale refused a request", LOG_S("why", e.text));
    if (call->needed)
        refused(call->x, e.text);
    finish(call, end, reply, e.text);
}

/* GET only. */
static void repeat(struct xsale_call *call, const struct http_reply *reply, const char *what)
{
    struct xsale_client *x = call->x;
    struct err e;
    char doing[64];
    int64_t delay = backoff_next(&call->backoff);
    if (reply != NULL && reply->retry_after_ms > delay)
        delay = reply->retry_after_ms;
    err_set(&e, "%s %s: %s", method(call), call->path, what);
    (void)snprintf(doing, sizeof doing, "tries again in %" PRId64 " s", (delay + 999) / 1000); /* fits */
    health_set(x->health, "xsale", HEALTH_DOWN, e.text, doing);
    log_event(x->log, LOG_WARN, "xsale", NULL, "a request to xSale failed and is repeated", LOG_S("why", e.text), LOG_I("again_in_ms", delay));
    count(x, XSALE_COUNT_REPEATS, 1);
    loop_timer_in(x->loop, &call->timer, delay, step, call);
}

static void on_unanswered(struct xsale_call *call, const struct http_reply *reply)
{
    if (!call->put)
        repeat(call, reply, reply->words);
    else
        finish_wrong(call, reply->end == HTTP_NOT_SENT ? XSALE_LATER : XSALE_AMBIGUOUS, reply, reply->words);
}

/* By what it says, or by how it begins: no JSON begins with '<'. */
static bool is_web_page(const struct http_reply *reply)
{
    size_t blanks = 0;
    while (blanks < reply->body_n && strchr(" \t\r\n", reply->body[blanks]) != NULL && reply->body[blanks] != '\0')
        blanks++;
    return strncasecmp(reply->content_type, "text/html", strlen("text/html")) == 0 || (blanks < reply->body_n && reply->body[blanks] == '<');
}

static void on_success(struct xsale_call *call, const struct http_reply *reply)
{
    struct xsale_client *x = call->x;
    static const char page[] = "answered with a web page instead of JSON (a login or maintenance page?); check xsale.api_url";
    if (is_web_page(reply) && call->put) { /* whoever made that page, it was not xSale setting a status */
        finish_wrong(call, XSALE_AMBIGUOUS, reply, page);
        return;
    }
    if (is_web_page(reply)) {
        repeat(call, reply, page);
        return;
    }
    xsale_auth_accepted(x->auth, call->login);
    health_set(x->health, "xsale", HEALTH_UP, NULL, NULL);
    finish(call, XSALE_OK, reply, "");
}

/* Not everybody says 403 when a right is missing. Tokens that a PUT was refused with right after their login, and that other calls are taken with, are good:
 * another login would change nothing. */
static bool lacks_right(struct xsale_call *call)
{
    struct xsale_client *x = call->x;
    if (!call->put)
        return false;
    if (call->again)
        x->put_denied = call->login;
    return x->put_denied == call->login && xsale_auth_trusted(x->auth, call->login);
}

static void on_unauthorized(struct xsale_call *call, const struct http_reply *reply)
{
    struct xsale_client *x = call->x;
    if (lacks_right(call)) {
        finish_wrong(call, XSALE_REFUSED, reply, "HTTP 401, although other calls are taken with the same tokens: the xSale user has no right to do this");
        return;
    }
    if (!call->put || !call->again) /* fresh tokens that only a PUT was refused with stay: the next call shows whether they are any good */
        xsale_auth_refused(x->auth, call->login);
    if (call->again) {
        health_set(call->x->health, "xsale", HEALTH_DOWN, "HTTP 401 with fresh tokens", "logs in again later");
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
    if (!call->put)
        repeat(call, reply, e.text);
    else
        finish_wrong(call, XSALE_AMBIGUOUS, reply, e.text);
}

/* 408, 429 and 5xx. */
static void on_busy(struct xsale_call *call, const struct http_reply *reply)
{
    struct xsale_client *x = call->x;
    bool not_done = reply->status == 429 || reply->status == 503;
    if (not_done && reply->retry_after_ms > 0)
        bucket_close(&x->quota, loop_now(x->loop), reply->retry_after_ms);
    if (!call->put)
        repeat(call, reply, reply->words);
    else
        finish_wrong(call, not_done ? XSALE_LATER : XSALE_AMBIGUOUS, reply, reply->words);
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
        finish_wrong(call, XSALE_REFUSED, reply, reply->words);
}

static void send_call(struct xsale_call *call, const struct xsale_tokens *tokens)
{
    struct xsale_client *x = call->x;
    struct err e;
    struct buf bearer, id;
    buf_init(&bearer, HEADER_BYTES);
    buf_init(&id, HEADER_BYTES);
    buf_printf(&bearer, "Authorization: Bearer %s", tokens->access);
    buf_printf(&id, "x-id-token: %s", tokens->id);
    const char *headers[] = {buf_text(&bearer), buf_text(&id), "Accept: application/json", "Content-Type: application/json"};
    struct http_request r = {.method = method(call), .url = buf_text(&call->url), .headers = headers,
                             .headers_n = call->put && call->body.n > 0 ? 4 : 3, .body = call->put ? call->body.p : NULL, .body_n = call->body.n};
    err_set(&e, "out of memory, or tokens longer than %d bytes", HEADER_BYTES);
    call->login = tokens->login;
    count(x, XSALE_COUNT_REQUESTS, 1);
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
    if (!call->put)
        repeat(call, NULL, e.text);
    else
        finish_wrong(call, XSALE_LATER, NULL, e.text);
}

/* Tokens, then the quota, then the request. */
static void step(void *arg)
{
    struct xsale_call *call = arg;
    struct xsale_client *x = call->x;
    struct xsale_tokens tokens;
    if (!xsale_auth_tokens(x->auth, &tokens)) {
        xsale_auth_wait(x->auth, &call->wait, step, call);
        return;
    }
    int64_t wait = bucket_take(&x->quota, loop_now(x->loop));
    if (wait > 0) {
        count(x, XSALE_COUNT_QUOTA_WAIT, (double)wait / 1000);
        loop_timer_in(x->loop, &call->timer, wait, step, call);
        return;
    }
    send_call(call, &tokens);
}

/* The caller fills url and body, then calls start. NULL: out of memory. */
static struct xsale_call *new_call(struct xsale_client *x, bool put, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->x = x;
    call->put = put;
    call->done = done;
    call->arg = arg;
    buf_init(&call->url, URL_BYTES);
    buf_init(&call->body, BODY_BYTES);
    backoff_init(&call->backoff, config_ms(x->config, "xsale.retry_min"), config_ms(x->config, "xsale.retry_max"),
                 (uint64_t)loop_now(x->loop) ^ (uint64_t)(uintptr_t)call);
    if (call->backoff.high_ms < call->backoff.low_ms)
        call->backoff.high_ms = call->backoff.low_ms;
    call->next = x->calls;
    if (x->calls != NULL)
        x->calls->prev = call;
    x->calls = call;
    x->pending++;
    return call;
}

/* NULL: out of memory (the call is gone). */
static struct xsale_call *start(struct xsale_call *call)
{
    const char *url = buf_text(&call->url);
    if (url == NULL || buf_failed(&call->body)) {
        release_call(call);
        return NULL;
    }
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    call->path = path != NULL ? path : "/";
    loop_timer_in(call->x->loop, &call->timer, 0, step, call);
    return call;
}

struct xsale_call *xsale_get_page(struct xsale_client *x, int64_t index, int64_t received, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = new_call(x, false, done, arg);
    if (call == NULL)
        return NULL;
    call->needed = true;
    xsale_url_page(x->config, x->organization, x->names.fresh, x->names.fresh_n, index, received, &call->url);
    return start(call);
}

struct xsale_call *xsale_get_order(struct xsale_client *x, int64_t order_id, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = new_call(x, false, done, arg);
    if (call == NULL)
        return NULL;
    xsale_url_order(x->config, x->organization, order_id, &call->url);
    return start(call);
}

struct xsale_call *xsale_put_status(struct xsale_client *x, int64_t order_id, int64_t status_id, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = new_call(x, true, done, arg);
    if (call == NULL)
        return NULL;
    xsale_url_change_status(x->config, x->organization, order_id, status_id, &call->url, &call->body);
    return start(call);
}

/* ---- opening: organization, statuses */

static void open_next(void *arg);

static void opened(void *arg)
{
    struct xsale_client *x = arg;
    xsale_opened_fn *done = x->opening.done;
    x->opening.done = NULL;
    done(x->opening.arg, x->opening.rc, x->opening.words);
}

static void end_opening(struct xsale_client *x, enum rc rc, const char *words)
{
    x->opening.rc = rc;
    (void)snprintf(x->opening.words, sizeof x->opening.words, "%s", words); /* same size as err.text */
    loop_timer_in(x->loop, &x->opening.timer, 0, opened, x);
}

/* A wrong answer to what must work: a setting, or xSale in trouble; nobody can tell, so it is said and tried again slowly. */
static void open_again(struct xsale_client *x, const char *words)
{
    char doing[64];
    int64_t delay = backoff_next(&x->opening.backoff);
    (void)snprintf(doing, sizeof doing, "tries again in %" PRId64 " s", (delay + 999) / 1000); /* fits */
    health_set(x->health, "xsale", HEALTH_DOWN, words, doing);
    log_event(x->log, LOG_WARN, "xsale", NULL, "xSale cannot be used yet", LOG_S("why", words), LOG_I("again_in_ms", delay));
    loop_timer_in(x->loop, &x->opening.timer, delay, open_next, x);
}

static void after_document(struct xsale_client *x, enum rc rc, struct err *e, const char *what)
{
    if (rc != RC_OK)
        err_prefix(e, "%s", what);
    if (rc == RC_RETRY)
        open_again(x, e->text);
    else if (rc != RC_OK)
        end_opening(x, rc, e->text);
    else
        open_next(x);
}

static void on_me(void *arg, const struct xsale_reply *reply)
{
    struct xsale_client *x = arg;
    struct err e;
    if (reply->end != XSALE_OK)
        open_again(x, reply->words);
    else
        after_document(x, xsale_names_organization(reply->body, reply->body_n, &x->organization, &e), &e, "GET /me");
}

static void on_statuses(void *arg, const struct xsale_reply *reply)
{
    struct xsale_client *x = arg;
    struct err e;
    if (reply->end != XSALE_OK) {
        open_again(x, reply->words);
        return;
    }
    enum rc rc = xsale_names_parse(&x->names, reply->body, reply->body_n, &e);
    if (rc != RC_OK) {
        after_document(x, rc, &e, "GET statuses");
        return;
    }
    rc = xsale_names_resolve(&x->names, x->config, &e);
    end_opening(x, rc, rc == RC_OK ? "" : e.text);
}

static void open_next(void *arg)
{
    struct xsale_client *x = arg;
    bool have = x->organization != NULL;
    struct xsale_call *call = new_call(x, false, have ? on_statuses : on_me, x);
    if (call != NULL) {
        call->needed = true;
        call->hint = have ? "; is xsale.organization right?" : "; is xsale.api_url right?";
        if (have)
            xsale_url_statuses(x->config, x->organization, &call->url);
        else
            xsale_url_me(x->config, &call->url);
        call = start(call);
    }
    if (call == NULL)
        end_opening(x, RC_FATAL, "xSale client: out of memory");
}

void xsale_client_open(struct xsale_client *x, xsale_opened_fn *done, void *arg)
{
    x->opening.done = done;
    x->opening.arg = arg;
    health_set(x->health, "xsale", HEALTH_UNKNOWN, NULL, "logs in");
    open_next(x);
}

/* ---- life */

static struct http_client *new_http(struct loop *l, const struct config *c, struct err *e)
{
    struct http_settings s = {.user_agent = "xsale-bridge/" BRIDGE_VERSION, .ca_file = config_text(c, "xsale.ca_file"),
                              .insecure = config_bool(c, "xsale.insecure"), .connect_timeout_ms = config_ms(c, "xsale.connect_timeout"),
                              .timeout_ms = config_ms(c, "xsale.timeout"), .max_body = (size_t)config_int(c, "xsale.max_body"),
                              .max_connections = 4};
    return http_client_create(l, &s, e);
}

enum rc xsale_client_create(struct loop *l, const struct config *c, struct log *log, struct health *h, int64_t requests_per_minute,
                            struct xsale_client **out, struct err *e)
{
    struct xsale_client *x = calloc(1, sizeof *x);
    const char *organization = config_text(c, "xsale.organization");
    err_set(e, "out of memory");
    if (x == NULL)
        goto fail;
    *x = (struct xsale_client){.loop = l, .config = c, .log = log, .health = h, .count = count_nothing, .refused = refuse_nothing};
    if (*organization != '\0' && (x->organization = strdup(organization)) == NULL)
        goto fail;
    bucket_init(&x->quota, requests_per_minute, loop_now(l));
    backoff_init(&x->opening.backoff, REOPEN_MS, REOPEN_MOST_MS, (uint64_t)loop_now(l) + 7);
    if ((x->http = new_http(l, c, e)) == NULL)
        goto fail;
    struct xsale_auth_needs needs = {.loop = l, .http = x->http, .config = c, .log = log, .health = h, .count = count, .count_arg = x,
                                    .refused = refused, .refused_arg = x};
    if ((x->auth = xsale_auth_create(&needs)) == NULL)
        goto fail;
    *out = x;
    return RC_OK;
fail:
    err_prefix(e, "xSale client");
    xsale_client_destroy(x);
    return RC_FATAL;
}

void xsale_client_destroy(struct xsale_client *x)
{
    if (x == NULL)
        return;
    while (x->calls != NULL)
        release_call(x->calls);
    loop_timer_clear(x->loop, &x->opening.timer);
    xsale_auth_destroy(x->auth);
    http_client_destroy(x->http);
    xsale_names_release(&x->names);
    free(x->organization);
    free(x);
}

void xsale_client_on_count(struct xsale_client *x, xsale_count_fn *fn, void *arg)
{
    x->count = fn;
    x->count_arg = arg;
}

void xsale_client_on_refused(struct xsale_client *x, xsale_refused_fn *fn, void *arg)
{
    x->refused = fn;
    x->refused_arg = arg;
}

void xsale_client_secrets_changed(struct xsale_client *x)
{
    xsale_auth_again(x->auth);
}

const char *xsale_client_organization(const struct xsale_client *x)
{
    return x->organization;
}

const struct xsale_status *xsale_client_statuses(const struct xsale_client *x, size_t *n)
{
    *n = x->names.all_n;
    return x->names.all;
}

const struct xsale_status *xsale_client_status_by_name(const struct xsale_client *x, const char *name)
{
    return xsale_names_find(&x->names, name);
}

const struct xsale_status *xsale_client_status_by_id(const struct xsale_client *x, int64_t id)
{
    for (size_t i = 0; i < x->names.all_n; i++)
        if (x->names.all[i].id == id)
            return &x->names.all[i];
    return NULL;
}

bool xsale_client_is_new(const struct xsale_client *x, int64_t status_id)
{
    for (size_t i = 0; i < x->names.fresh_n; i++)
        if (x->names.fresh[i].id == status_id)
            return true;
    return false;
}

int64_t xsale_client_imported(const struct xsale_client *x)
{
    return x->names.imported;
}

int64_t xsale_client_manual(const struct xsale_client *x)
{
    return x->names.manual;
}

bool xsale_client_can_look(const struct xsale_client *x)
{
    return *config_text(x->config, "xsale.order_path") != '\0';
}

size_t xsale_client_pending(const struct xsale_client *x)
{
    return x->pending;
}

/* ---- check */

static void check_scheme(const struct config *c, const char *name, struct config_problems *problems)
{
    if (!config_bool(c, "xsale.insecure") && strncmp(config_text(c, name), "http://", 7) == 0)
        config_problem(c, problems, name, "must be https://, or set xsale.insecure = true: tokens and orders then travel readable by anybody");
}

static void check_statuses(const struct config *c, struct config_problems *problems)
{
    const char *imported = config_text(c, "xsale.imported_status"), *manual = config_text(c, "xsale.manual_status");
    const char *same = strcmp(imported, manual) == 0 ? "xsale.manual_status" : NULL;
    size_t n = config_list_count(c, "xsale.new_statuses");
    for (size_t i = 0; i < n && same == NULL; i++) {
        const char *fresh = config_list_item(c, "xsale.new_statuses", i);
        same = strcmp(fresh, imported) == 0 ? "xsale.imported_status" : strcmp(fresh, manual) == 0 ? "xsale.manual_status" : NULL;
    }
    if (n == 0)
        config_problem(c, problems, "xsale.new_statuses", "needs at least one status, for example Nowe");
    if (same != NULL)
        config_problem(c, problems, same, "new_statuses, imported_status and manual_status must differ, or imported orders would be taken again");
}

void xsale_client_check(const struct config *c, struct config_problems *problems)
{
    check_scheme(c, "xsale.api_url", problems);
    check_scheme(c, "xsale.auth_url", problems);
    check_statuses(c, problems);
    const char *path = config_text(c, "xsale.order_path"), *envelope = config_text(c, "xsale.envelope");
    if (*path != '\0' && strstr(path, "{id}") == NULL)
        config_problem(c, problems, "xsale.order_path", "must contain {id}");
    if (*envelope != '\0' && *envelope != '/')
        config_problem(c, problems, "xsale.envelope", "is a JSON Pointer: empty, or it begins with '/', for example /Orders");
    if (config_ms(c, "xsale.retry_max") < config_ms(c, "xsale.retry_min"))
        config_problem(c, problems, "xsale.retry_max", "must not be less than xsale.retry_min");
    if (strpbrk(config_text(c, "xsale.query"), " \t#") != NULL)
        config_problem(c, problems, "xsale.query", "must be percent-encoded, without blanks and '#'");
    if (strchr(config_text(c, "xsale.organization"), '/') != NULL)
        config_problem(c, problems, "xsale.organization", "must not contain '/'");
}
