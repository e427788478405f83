#include "producer/xsale_auth.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "producer/jwt.h"

enum {
    SOON_MS = 1000,
    SOON_MOST_MS = 60 * 1000,
    REFUSED_MS = 30 * 1000,
    REFUSED_MOST_MS = 15 * 60 * 1000,
    MARGIN_MS = 60 * 1000,          /* renewed this long before the end, or a tenth of the life when that is less */
    UNKNOWN_LIFE_MS = 5 * 60 * 1000, /* tokens that say nothing about their end, or ended before they were born (a wrong clock) */
    LONGEST_LIFE_S = 30 * 24 * 3600,
    DESCRIPTION_BYTES = 200,
    TRUST_MS = 60 * 1000
};

struct xsale_auth {
    struct xsale_auth_needs n;
    char *access, *id;    /* NULL: none */
    int64_t renew_at;     /* monotonic ms */
    uint64_t login;       /* number of the login that the tokens come from */
    int64_t accepted_at;  /* monotonic ms, the last time; means nothing while unproven */
    bool unproven;        /* xSale has not taken these tokens yet */
    int64_t not_before;   /* monotonic ms: no login earlier */
    struct http_call *call;
    struct loop_timer timer; /* next login, or calling those who wait */
    struct backoff soon, refused;
    struct xsale_auth_wait waiting; /* ring */
};

struct xsale_auth *xsale_auth_create(const struct xsale_auth_needs *needs)
{
    struct xsale_auth *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->n = *needs;
    a->waiting.next = a->waiting.prev = &a->waiting;
    uint64_t seed = (uint64_t)loop_now(needs->loop) ^ (uint64_t)(uintptr_t)a;
    backoff_init(&a->soon, SOON_MS, SOON_MOST_MS, seed);
    backoff_init(&a->refused, REFUSED_MS, REFUSED_MOST_MS, seed + 1);
    return a;
}

/* Tokens do not stay behind in freed memory. */
static void wipe(char *text)
{
    if (text == NULL)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

static void drop_tokens(struct xsale_auth *a)
{
    wipe(a->access);
    wipe(a->id);
    a->access = a->id = NULL;
}

void xsale_auth_destroy(struct xsale_auth *a)
{
    if (a == NULL)
        return;
    if (a->call != NULL)
        http_cancel(a->call);
    loop_timer_clear(a->n.loop, &a->timer);
    drop_tokens(a);
    free(a);
}

bool xsale_auth_tokens(struct xsale_auth *a, struct xsale_tokens *out)
{
    if (a->access == NULL || loop_now(a->n.loop) >= a->renew_at)
        return false;
    *out = (struct xsale_tokens){a->access, a->id, a->login};
    return true;
}

static void unlink_wait(struct xsale_auth_wait *w)
{
    w->next->prev = w->prev;
    w->prev->next = w->next;
    w->next = w->prev = NULL;
}

static void wake_all(void *arg)
{
    struct xsale_auth *a = arg;
    struct xsale_auth_wait now = {.next = &now, .prev = &now}; /* those who wait again meanwhile come later */
    if (a->waiting.next != &a->waiting) {
        now = a->waiting;
        now.next->prev = now.prev->next = &now;
        a->waiting.next = a->waiting.prev = &a->waiting;
    }
    while (now.next != &now) {
        struct xsale_auth_wait *w = now.next;
        unlink_wait(w);
        w->fn(w->arg);
    }
}

static void login(void *arg);

static void login_later(struct xsale_auth *a, bool refused, int64_t at_least_ms, const char *why)
{
    int64_t delay = backoff_next(refused ? &a->refused : &a->soon);
    if (delay < at_least_ms)
        delay = at_least_ms;
    if (delay > REFUSED_MOST_MS)
        delay = REFUSED_MOST_MS;
    health_retry(a->n.health, "xsale", why, "logs in again", delay);
    log_event(a->n.log, LOG_WARN, "login", NULL, refused ? "xSale refused the login" : "xSale login failed", LOG_S("why", why),
              LOG_I("again_in_ms", delay));
    a->not_before = loop_now(a->n.loop) + delay;
    loop_timer_in(a->n.loop, &a->timer, delay, login, a);
}

/* A description may echo what was sent: then it is not for the log. */
static bool repeats_secret(const struct xsale_auth *a, const char *text)
{
    static const char *const names[] = {"xsale.client_secret", "xsale.password", "xsale.username", "xsale.client_id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *secret = config_text(a->n.config, names[i]);
        if (*secret != '\0' && strstr(text, secret) != NULL)
            return true;
    }
    return false;
}

static void add_reason(const struct xsale_auth *a, const struct http_reply *reply, struct err *e)
{
    json_t *root = json_loadb(reply->body, reply->body_n, 0, NULL);
    const char *code = json_string_value(json_object_get(root, "error"));
    const char *text = json_string_value(json_object_get(root, "error_description"));
    if (code != NULL && strlen(code) <= 64 && !repeats_secret(a, code))
        err_set(e, "%s: %s", e->text, code);
    if (text != NULL && !repeats_secret(a, text))
        err_set(e, "%s: %.*s", e->text, DESCRIPTION_BYTES, text);
    json_decref(root);
}

/* Milliseconds until a token ends; 0: it does not say, or a wrong clock says it has ended. */
static int64_t life_of(const struct xsale_auth *a, const char *token)
{
    int64_t ends;
    if (!jwt_expiry(token, &ends))
        return 0;
    int64_t now_s = clock_wall(loop_clock(a->n.loop)) / 1000;
    if (ends <= now_s)
        return 0;
    return (ends - now_s > LONGEST_LIFE_S ? LONGEST_LIFE_S : ends - now_s) * 1000;
}

static int64_t shorter(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t renewal_in(const struct xsale_auth *a, const json_t *expires_in)
{
    int64_t life = shorter(life_of(a, a->access), life_of(a, a->id));
    int64_t told = json_integer_value(expires_in); /* 0 when it is no integer */
    if (told > 0)
        life = shorter(life, (told > LONGEST_LIFE_S ? LONGEST_LIFE_S : told) * 1000);
    if (life == 0)
        life = UNKNOWN_LIFE_MS;
    return life - (life / 10 < MARGIN_MS ? life / 10 : MARGIN_MS);
}

/* A header's value: visible ASCII only, or it could smuggle a header in. */
static bool is_token(const char *text)
{
    if (text == NULL || *text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static enum rc take_tokens(struct xsale_auth *a, const struct http_reply *reply, struct err *e)
{
    enum rc rc = RC_RETRY;
    json_t *root = json_loadb(reply->body, reply->body_n, 0, NULL);
    const char *access = json_string_value(json_object_get(root, "access_token"));
    const char *id = json_string_value(json_object_get(root, "id_token"));
    if (!json_is_object(root))
        err_set(e, "the answer is no JSON object (content type %.60s)", reply->content_type);
    else if (!is_token(access))
        err_set(e, "the answer has no access_token");
    else if (!is_token(id))
        err_set(e, "the answer has no id_token (xsale.scope must contain openid)");
    else {
        drop_tokens(a);
        a->access = strdup(access);
        a->id = strdup(id);
        if (a->access != NULL && a->id != NULL) {
            a->renew_at = loop_now(a->n.loop) + renewal_in(a, json_object_get(root, "expires_in"));
            rc = RC_OK;
        } else {
            drop_tokens(a);
            err_set(e, "out of memory");
        }
    }
    json_decref(root);
    return rc;
}

static void on_login(void *arg, const struct http_reply *reply)
{
    struct xsale_auth *a = arg;
    struct err e;
    a->call = NULL;
    err_set(&e, "%s", reply->words);
    bool refused = reply->end == HTTP_REPLIED && (reply->status == 400 || reply->status == 401 || reply->status == 403);
    enum rc rc = RC_RETRY;
    if (reply->end == HTTP_REPLIED && reply->status >= 300 && reply->status < 400)
        err_set(&e, "HTTP %d: a redirect, which is not followed; check xsale.auth_url", reply->status);
    else if (reply->end == HTTP_REPLIED && reply->status >= 200 && reply->status < 300)
        rc = take_tokens(a, reply, &e);
    else if (refused)
        add_reason(a, reply, &e);
    if (rc != RC_OK) {
        if (refused)
            a->n.count(a->n.count_arg, XSALE_COUNT_LOGINS_REFUSED, 1);
        err_prefix(&e, "login");
        login_later(a, refused, reply->retry_after_ms, e.text);
        if (refused)
            a->n.refused(a->n.refused_arg, e.text);
        return;
    }
    backoff_reset(&a->soon);
    a->login++;
    a->unproven = true;
    health_set(a->n.health, "xsale", HEALTH_UP, NULL, NULL);
    a->n.count(a->n.count_arg, XSALE_COUNT_LOGINS, 1);
    log_event(a->n.log, LOG_INFO, "login", NULL, "logged in to xSale",
              LOG_I("renewed_in_s", (a->renew_at - loop_now(a->n.loop)) / 1000));
    wake_all(a);
}

/* The grant's JSON body, owned by the caller. NULL: out of memory, or a value is no UTF-8. */
static char *grant(const struct config *c)
{
    json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "client_id", config_text(c, "xsale.client_id"), "client_secret",
                             config_text(c, "xsale.client_secret"), "audience", config_text(c, "xsale.audience"), "username",
                             config_text(c, "xsale.username"), "password", config_text(c, "xsale.password"), "grant_type", "password",
                             "scope", config_text(c, "xsale.scope"));
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

static void login(void *arg)
{
    struct xsale_auth *a = arg;
    struct err e = {"cannot build the login (memory, or a value that is no UTF-8)"};
    if (a->call != NULL)
        return;
    static const char *const headers[] = {"Content-Type: application/json", "Accept: application/json"};
    char *body = grant(a->n.config);
    if (body != NULL) {
        struct http_request r = {.method = "POST", .url = config_text(a->n.config, "xsale.auth_url"), .headers = headers,
                                 .headers_n = 2, .body = body, .body_n = strlen(body)};
        a->n.count(a->n.count_arg, XSALE_COUNT_REQUESTS, 1);
        a->call = http_submit(a->n.http, &r, on_login, a, &e);
    }
    wipe(body);
    if (a->call == NULL) {
        err_prefix(&e, "login");
        login_later(a, false, 0, e.text);
    }
}

void xsale_auth_wait(struct xsale_auth *a, struct xsale_auth_wait *w, loop_fn *fn, void *arg)
{
    struct xsale_tokens t;
    w->fn = fn;
    w->arg = arg;
    w->next = &a->waiting;
    w->prev = a->waiting.prev;
    w->prev->next = w->next->prev = w;
    if (xsale_auth_tokens(a, &t))
        loop_timer_in(a->n.loop, &a->timer, 0, wake_all, a);
    else if (a->call == NULL && !(a->timer.armed && a->timer.fn == login))
        loop_timer_set(a->n.loop, &a->timer, a->not_before, login, a);
}

void xsale_auth_forget(struct xsale_auth *a, struct xsale_auth_wait *w)
{
    (void)a;
    if (w->next != NULL)
        unlink_wait(w);
}

void xsale_auth_refused(struct xsale_auth *a, uint64_t login_no)
{
    if (login_no != a->login || a->access == NULL)
        return;
    drop_tokens(a);
    if (!a->unproven)
        return;
    int64_t delay = backoff_next(&a->refused);
    a->not_before = loop_now(a->n.loop) + delay;
    log_event(a->n.log, LOG_WARN, "login", NULL, "xSale refuses tokens that are fresh; check xsale.audience and xsale.scope",
              LOG_I("login_not_before_ms", delay));
}

void xsale_auth_accepted(struct xsale_auth *a, uint64_t login_no)
{
    if (login_no != a->login)
        return;
    a->unproven = false;
    a->accepted_at = loop_now(a->n.loop);
    backoff_reset(&a->refused);
}

bool xsale_auth_trusted(const struct xsale_auth *a, uint64_t login_no)
{
    return login_no == a->login && a->access != NULL && !a->unproven && loop_now(a->n.loop) - a->accepted_at <= TRUST_MS;
}

void xsale_auth_again(struct xsale_auth *a)
{
    a->not_before = 0;
    backoff_reset(&a->refused);
    if (a->call == NULL && a->timer.armed && a->timer.fn == login)
        loop_timer_in(a->n.loop, &a->timer, 0, login, a);
}
