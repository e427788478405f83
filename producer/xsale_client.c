#include "producer/xsale_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "producer/xsale_call.h"
#include "producer/xsale_names.h"
#include "producer/xsale_url.h"

enum { CONNECTIONS = 4 };
enum { LOOK_MS = 120 * 1000 }; /* an order that xSale fails to show for so long is left to another time */
enum { SEND_MS = 30 * 1000, SEND_TURNS = 8 }; /* a change goes out within so long, and so many turns of the quota, after the look before it */
enum { REOPEN_MS = 30 * 1000, REOPEN_MOST_MS = 300 * 1000, REVIEW_MS = 600 * 1000, REVIEW_DOUBT_MS = 60 * 1000, IDLE_MS = 300 * 1000 };

struct xsale_client {
    struct xsale_line line; /* loop, log and all that calls share */
    xsale_trace_fn *trace;  /* may be NULL */
    void *trace_arg;
    struct xsale_names names;
    char *organization; /* owned; NULL: not known yet */
    xsale_count_fn *count;
    void *count_arg;
    xsale_refused_fn *refused;
    void *refused_arg;
    struct {
        xsale_opened_fn *done; /* NULL: not opening */
        void *arg;
        struct loop_timer timer;
        struct backoff backoff;
        char words[sizeof((struct err *)0)->text];
        enum rc rc;
    } opening;
    struct {
        bool open; /* the statuses are known */
        struct xsale_call *call;
        int64_t at; /* monotonic ms of the last one */
        struct loop_timer idle;
    } review;
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

/* ---- the statuses, once more: a person may rename or delete one at any time */

static void on_review(void *arg, const struct xsale_reply *reply)
{
    struct xsale_client *x = arg;
    struct xsale_names now = {0};
    struct err e;
    x->review.call = NULL;
    if (reply->end != XSALE_OK || xsale_names_parse(&now, reply->body, reply->body_n, &e) != RC_OK) {
        xsale_names_release(&now);
        return; /* said already, or no list: the next time */
    }
    if (xsale_names_follow(&x->names, &now, x->line.config, &e) == RC_OK)
        health_set(x->line.health, "xsale-statuses", HEALTH_UP, NULL, NULL);
    else {
        log_event(x->line.log, LOG_WARN, "xsale", NULL, "a configured status has changed in xSale", LOG_S("what", e.text));
        health_set(x->line.health, "xsale-statuses", HEALTH_DOWN, e.text, "goes on with the ids; the next start needs the right names");
    }
}

static void review(struct xsale_client *x, int64_t not_within_ms)
{
    int64_t now = loop_now(x->line.loop);
    if (!x->review.open || x->review.call != NULL || now - x->review.at < not_within_ms)
        return;
    x->review.at = now;
    struct xsale_call *call = xsale_call_create(&x->line, XSALE_LOOK, on_review, x);
    if (call == NULL)
        return;
    xsale_url_statuses(x->line.config, x->organization, xsale_call_url(call));
    x->review.call = xsale_call_start(call);
}

/* With nothing to ask, nobody would notice that xSale is gone until an order needs it. */
static void on_idle(void *arg)
{
    struct xsale_client *x = arg;
    int64_t since = loop_now(x->line.loop) - x->line.answered_at;
    bool due = since >= IDLE_MS;
    if (due && x->line.pending == 0)
        review(x, 0);
    loop_timer_in(x->line.loop, &x->review.idle, due ? IDLE_MS : IDLE_MS - since, on_idle, x);
}

static void on_doubtful(void *arg)
{
    review(arg, REVIEW_DOUBT_MS);
}

/* ---- calls */

struct xsale_call *xsale_get_page(struct xsale_client *x, const struct xsale_page *page, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = xsale_call_create(&x->line, XSALE_PAGE, done, arg);
    if (call == NULL)
        return NULL;
    xsale_call_needed(call, NULL);
    xsale_url_page(x->line.config, x->organization, x->names.fresh, x->names.fresh_n, page->index, page->received, xsale_call_url(call));
    xsale_call_into(call, page->into);
    call = xsale_call_start(call);
    if (page->index == 0)
        review(x, REVIEW_MS);
    return call;
}

struct xsale_call *xsale_get_order(struct xsale_client *x, int64_t order_id, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = xsale_call_create(&x->line, XSALE_LOOK, done, arg);
    if (call == NULL)
        return NULL;
    xsale_call_patience(call, LOOK_MS);
    xsale_url_order(x->line.config, x->organization, order_id, xsale_call_url(call));
    return xsale_call_start(call);
}

struct xsale_call *xsale_put_status(struct xsale_client *x, int64_t order_id, int64_t status_id, xsale_done_fn *done, void *arg)
{
    struct xsale_call *call = xsale_call_create(&x->line, XSALE_CHANGE, done, arg);
    if (call == NULL)
        return NULL;
    if (xsale_client_can_look(x))
        xsale_call_send_within(call, SEND_MS + SEND_TURNS * xsale_quota_interval(&x->line.quota));
    xsale_call_traceparent(call, x->trace != NULL ? x->trace(x->trace_arg, order_id) : NULL);
    xsale_url_change_status(x->line.config, x->organization, order_id, status_id, xsale_call_url(call), xsale_call_body(call));
    call = xsale_call_start(call);
    review(x, REVIEW_MS);
    return call;
}

void xsale_client_on_trace(struct xsale_client *x, xsale_trace_fn *fn, void *arg)
{
    x->trace = fn;
    x->trace_arg = arg;
}

bool xsale_client_room(const struct xsale_client *x)
{
    return xsale_quota_open(&x->line.quota);
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
    loop_timer_in(x->line.loop, &x->opening.timer, 0, opened, x);
}

/* A wrong answer to what must work: a setting, or xSale in trouble; nobody can tell, so it is said and tried again slowly. */
static void open_again(struct xsale_client *x, const char *words)
{
    int64_t delay = backoff_next(&x->opening.backoff);
    health_retry(x->line.health, "xsale", words, "tries again", delay);
    log_event(x->line.log, LOG_WARN, "xsale", NULL, "xSale cannot be used yet", LOG_S("why", words), LOG_I("again_in_ms", delay));
    loop_timer_in(x->line.loop, &x->opening.timer, delay, open_next, x);
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
    rc = xsale_names_resolve(&x->names, x->line.config, &e);
    x->review.open = rc == RC_OK;
    x->review.at = loop_now(x->line.loop);
    if (x->review.open)
        loop_timer_in(x->line.loop, &x->review.idle, IDLE_MS, on_idle, x);
    end_opening(x, rc, rc == RC_OK ? "" : e.text);
}

static void open_next(void *arg)
{
    struct xsale_client *x = arg;
    bool have = x->organization != NULL;
    struct xsale_call *call = xsale_call_create(&x->line, XSALE_LOOK, have ? on_statuses : on_me, x);
    if (call != NULL) {
        xsale_call_needed(call, have ? "; is xsale.organization right?" : "; is xsale.api_url right?");
        if (have)
            xsale_url_statuses(x->line.config, x->organization, xsale_call_url(call));
        else
            xsale_url_me(x->line.config, xsale_call_url(call));
        call = xsale_call_start(call);
    }
    if (call == NULL)
        end_opening(x, RC_FATAL, "xSale client: out of memory");
}

void xsale_client_open(struct xsale_client *x, xsale_opened_fn *done, void *arg)
{
    x->opening.done = done;
    x->opening.arg = arg;
    health_set(x->line.health, "xsale", HEALTH_UNKNOWN, NULL, "logs in");
    open_next(x);
}

/* ---- life */

size_t xsale_client_connections(const struct config *c)
{
    (void)c;
    return 2 * CONNECTIONS; /* those that xSale has closed are still open here for a moment */
}

static struct http_client *new_http(struct loop *l, const struct config *c, struct err *e)
{
    struct http_settings s = {.user_agent = "xsale-bridge/" BRIDGE_VERSION, .ca_file = config_text(c, "xsale.ca_file"),
                              .insecure = config_bool(c, "xsale.insecure"), .connect_timeout_ms = config_ms(c, "xsale.connect_timeout"),
                              .timeout_ms = config_ms(c, "xsale.timeout"), .max_body = (size_t)config_int(c, "xsale.max_body"),
                              .max_connections = CONNECTIONS};
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
    x->count = count_nothing;
    x->refused = refuse_nothing;
    x->line = (struct xsale_line){.loop = l, .config = c, .log = log, .health = h, .count = count, .count_arg = x,
                                  .refused = refused, .refused_arg = x, .doubtful = on_doubtful, .doubtful_arg = x};
    xsale_quota_init(&x->line.quota, l, h, requests_per_minute, count, x);
    if (*organization != '\0' && (x->organization = strdup(organization)) == NULL)
        goto fail;
    backoff_init(&x->opening.backoff, REOPEN_MS, REOPEN_MOST_MS, (uint64_t)loop_now(l) + 7);
    if ((x->line.http = new_http(l, c, e)) == NULL)
        goto fail;
    struct xsale_auth_needs needs = {.loop = l, .http = x->line.http, .config = c, .log = log, .health = h, .count = count, .count_arg = x,
                                    .refused = refused, .refused_arg = x};
    if ((x->line.auth = xsale_auth_create(&needs)) == NULL)
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
    if (x->line.loop != NULL) {
        xsale_call_drop_all(&x->line);
        loop_timer_clear(x->line.loop, &x->opening.timer);
        loop_timer_clear(x->line.loop, &x->review.idle);
    }
    xsale_quota_release(&x->line.quota);
    xsale_auth_destroy(x->line.auth);
    http_client_destroy(x->line.http);
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
    xsale_auth_again(x->line.auth);
}

void xsale_client_reload(struct xsale_client *x, int64_t requests_per_minute)
{
    xsale_quota_rate(&x->line.quota, requests_per_minute);
    http_client_times(x->line.http, config_ms(x->line.config, "xsale.connect_timeout"), config_ms(x->line.config, "xsale.timeout"));
    xsale_auth_again(x->line.auth);
    review(x, 0);
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
    return *config_text(x->line.config, "xsale.order_path") != '\0';
}

size_t xsale_client_pending(const struct xsale_client *x)
{
    return x->line.pending;
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
    const char *same = *imported != '\0' && strcmp(imported, manual) == 0 ? "xsale.manual_status" : NULL;
    size_t n = config_list_count(c, "xsale.new_statuses");
    for (size_t i = 0; i < n && same == NULL; i++) {
        const char *fresh = config_list_item(c, "xsale.new_statuses", i);
        same = strcmp(fresh, imported) == 0 ? "xsale.imported_status" : strcmp(fresh, manual) == 0 ? "xsale.manual_status" : NULL;
    }
    if (n == 0)
        config_problem(c, problems, "xsale.new_statuses", "needs at least one status, for example Nowe");
    if (*imported == '\0')
        config_problem(c, problems, "xsale.imported_status", "needs the name of a status, for example Zaimportowano do ERP");
    if (*manual == '\0')
        config_problem(c, problems, "xsale.manual_status", "needs the name of a status, for example Do obsługi ręcznej");
    if (same != NULL)
        config_problem(c, problems, same, "new_statuses, imported_status and manual_status must differ, or imported orders would be taken again");
}

void xsale_client_check(const struct config *c, struct config_problems *problems)
{
    check_scheme(c, "xsale.api_url", problems);
    check_scheme(c, "xsale.auth_url", problems);
    check_statuses(c, problems);
    config_problem_unreadable(c, problems, "xsale.ca_file");
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
