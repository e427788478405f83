#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/http_client.h"
#include "producer/xsale_client.h"

/* ---- an HTTP client of the test's own, linked instead of the real one: the test plays the server */

struct http_call {
    char method[8], url[1024], body[2048], headers[2048];
    http_done_fn *done;
    void *arg;
};

static struct {
    struct http_call *open[16];
    size_t n;
    size_t sent; /* ever */
} net;

struct http_client *http_client_create(struct loop *l, const struct http_settings *s, struct err *e)
{
    (void)s, (void)e;
    return (struct http_client *)l; /* anything but NULL */
}

void http_client_destroy(struct http_client *c)
{
    (void)c;
}

void http_client_times(struct http_client *c, int64_t connect_timeout_ms, int64_t timeout_ms)
{
    (void)c, (void)connect_timeout_ms, (void)timeout_ms;
}

struct http_call *http_submit(struct http_client *c, const struct http_request *r, http_done_fn *done, void *arg, struct err *e)
{
    (void)c, (void)e;
    struct http_call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    snprintf(call->method, sizeof call->method, "%s", r->method);
    snprintf(call->url, sizeof call->url, "%s", r->url);
    snprintf(call->body, sizeof call->body, "%.*s", (int)r->body_n, r->body != NULL ? (const char *)r->body : "");
    for (size_t i = 0; i < r->headers_n; i++) {
        size_t at = strlen(call->headers);
        snprintf(call->headers + at, sizeof call->headers - at, "%s\n", r->headers[i]);
    }
    call->done = done;
    call->arg = arg;
    assert_true(net.n < 16);
    net.open[net.n++] = call;
    net.sent++;
    return call;
}

static void take_out(struct http_call *call)
{
    for (size_t i = 0; i < net.n; i++)
        if (net.open[i] == call) {
            memmove(&net.open[i], &net.open[i + 1], (net.n - i - 1) * sizeof *net.open);
            net.n--;
            return;
        }
    fail_msg("a call that is not open");
}

void http_cancel(struct http_call *call)
{
    if (call == NULL)
        return;
    take_out(call);
    free(call);
}

void http_escape(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] == ' ' || text[i] == '/' || (unsigned char)text[i] > 127)
            buf_printf(out, "%%%02X", (unsigned char)text[i]);
        else
            buf_put_byte(out, (unsigned char)text[i]);
}

/* ---- a clock of the test's own */

static int64_t now = 1000000;

static int64_t read_clock(void *arg)
{
    (void)arg;
    return now;
}

static const struct clock test_clock = {read_clock, read_clock, NULL};

/* ---- the bench */

struct bench {
    struct loop *loop;
    struct config *config;
    struct log *log;
    struct health *health;
    struct xsale_client *x;
    enum rc opened;
    bool opened_done;
    bool by_hand; /* reviews of the statuses are answered by the test */
    char words[600];
    enum xsale_end end;
    char body[256];
    unsigned done;
    double counts[XSALE_COUNT_REPEATS + 1];
    unsigned refusals;
    char refusal[600];
    char log_path[64];
    int log_fd;
};

static void on_opened(void *arg, enum rc rc, const char *words)
{
    struct bench *b = arg;
    b->opened = rc;
    b->opened_done = true;
    snprintf(b->words, sizeof b->words, "%s", words);
}

static void on_done(void *arg, const struct xsale_reply *r)
{
    struct bench *b = arg;
    b->done++;
    b->end = r->end;
    snprintf(b->body, sizeof b->body, "%s", r->body);
    snprintf(b->words, sizeof b->words, "%s", r->words);
}

static void on_count(void *arg, enum xsale_count what, double amount)
{
    struct bench *b = arg;
    b->counts[what] += amount;
}

static void on_refused(void *arg, const char *words)
{
    struct bench *b = arg;
    b->refusals++;
    snprintf(b->refusal, sizeof b->refusal, "%s", words);
}

static struct config *load(const char *const *more, size_t more_n)
{
    const char *all[32] = {"xsale.organization=acme", "xsale.api_url=https://api.test/", "xsale.auth_url=https://login.test/oauth/token", "xsale.client_id=abc",
                           "xsale.client_secret=S3CRET", "xsale.username=me@acme.pl", "xsale.password=PASSW0RD", "kafka.bootstrap.servers=127.0.0.1:1",
                           "registry.url=http://127.0.0.1:1"};
    size_t n = 9;
    struct config *c = NULL;
    struct config_problems problems = {.count = 0};
    for (size_t i = 0; i < more_n; i++)
        all[n++] = more[i];
    buf_init(&problems.text, 100000);
    struct config_source source = {.overrides = all, .overrides_n = n, .program = CONFIG_PRODUCER};
    if (config_load(&source, &c, &problems) != RC_OK)
        fail_msg("%s", buf_text(&problems.text));
    buf_release(&problems.text);
    return c;
}

static struct bench *bench_with(const char *const *more, size_t more_n, int64_t per_minute)
{
    struct bench *b = calloc(1, sizeof *b);
    struct err e;
    assert_non_null(b);
    memset(&net, 0, sizeof net);
    b->loop = loop_create(&test_clock, &e);
    b->config = load(more, more_n);
    snprintf(b->log_path, sizeof b->log_path, "/tmp/test_xsale_client.XXXXXX");
    b->log_fd = mkstemp(b->log_path);
    b->log = log_create("test", b->log_fd, &test_clock);
    b->health = health_create(&test_clock, NULL);
    assert_int_equal(xsale_client_create(b->loop, b->config, b->log, b->health, per_minute, &b->x, &e), RC_OK);
    xsale_client_on_count(b->x, on_count, b);
    xsale_client_on_refused(b->x, on_refused, b);
    return b;
}

static void bench_end(struct bench *b)
{
    char text[65536];
    xsale_client_destroy(b->x);
    assert_int_equal(net.n, 0);
    FILE *f = fopen(b->log_path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    remove(b->log_path);
    assert_null(strstr(text, "S3CRET")); /* the canaries */
    assert_null(strstr(text, "PASSW0RD"));
    assert_null(strstr(text, "ACCESS"));
    health_destroy(b->health);
    log_destroy(b->log);
    config_destroy(b->config);
    loop_destroy(b->loop);
    free(b);
}

#define STATUSES "[{\"Id\":1,\"Name\":\"Nowe\"},{\"Id\":2,\"Name\":\"Zaimportowano do ERP\"},{\"Id\":3,\"Name\":\"Do obsługi ręcznej\"},{\"Id\":9,\"Name\":\"Anulowane\"}]"

static void take_out(struct http_call *call);

/* The statuses are asked for again from time to time; most tests do not care. */
static void answer_reviews(struct bench *b)
{
    for (size_t i = 0; b->opened_done && !b->by_hand && i < net.n; i++) {
        struct http_call *call = net.open[i];
        if (strcmp(call->url, "https://api.test/acme/statuses") != 0)
            continue;
        struct http_reply reply = {.status = 200, .body = STATUSES, .body_n = strlen(STATUSES), .retry_after_ms = -1, .content_type = "", .location = "", .words = ""};
        take_out(call);
        call->done(call->arg, &reply);
        free(call);
        return;
    }
}

static void turn(struct bench *b, int64_t ms)
{
    for (int i = 0; i < 5; i++)
        loop_turn(b->loop, 0);
    now += ms;
    for (int i = 0; i < 5; i++)
        loop_turn(b->loop, 0);
    answer_reviews(b);
}

static struct http_call *open_call(const char *method, const char *url)
{
    if (net.n == 0)
        fail_msg("nothing is asked, %s %s was expected", method, url);
    struct http_call *call = net.open[0];
    assert_string_equal(call->method, method);
    assert_string_equal(call->url, url);
    return call;
}

static void answer(struct bench *b, struct http_reply reply)
{
    struct http_call *call = net.open[0];
    reply.body = reply.body != NULL ? reply.body : "";
    reply.body_n = strlen(reply.body);
    reply.content_type = reply.content_type != NULL ? reply.content_type : "application/json";
    reply.location = reply.location != NULL ? reply.location : "";
    reply.words = reply.words != NULL ? reply.words : "HTTP status";
    if (reply.retry_after_ms == 0)
        reply.retry_after_ms = -1;
    take_out(call);
    call->done(call->arg, &reply);
    free(call);
    turn(b, 0);
}

static void answer_status(struct bench *b, int status, const char *body)
{
    answer(b, (struct http_reply){.status = status, .body = body});
}

/* {"exp": now + seconds} as a token. */
static const char *token(const char *mark, int64_t seconds)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static char out[4][256];
    static unsigned turn_no;
    char payload[64], *to = out[turn_no++ % 4], *p = to;
    int n = snprintf(payload, sizeof payload, "{\"exp\":%lld}", (long long)(now / 1000 + seconds));
    p += snprintf(p, 32, "%s.", mark);
    for (int i = 0; i < n; i += 3) {
        unsigned v = (unsigned)(unsigned char)payload[i] << 16;
        v |= i + 1 < n ? (unsigned)(unsigned char)payload[i + 1] << 8 : 0;
        v |= i + 2 < n ? (unsigned)(unsigned char)payload[i + 2] : 0;
        for (int k = 0; k < (n - i >= 3 ? 4 : n - i + 1); k++)
            *p++ = digits[v >> (18 - 6 * k) & 63];
    }
    snprintf(p, 8, ".sig");
    return to;
}

static void answer_login(struct bench *b, int64_t access_s, int64_t id_s)
{
    char body[1024];
    struct http_call *call = open_call("POST", "https://login.test/oauth/token");
    assert_non_null(strstr(call->body, "\"grant_type\":\"password\""));
    assert_non_null(strstr(call->body, "\"client_secret\":\"S3CRET\""));
    assert_non_null(strstr(call->body, "\"scope\":\"openid profile email xsale production\""));
    snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"id_token\":\"%s\",\"expires_in\":86400,\"token_type\":\"Bearer\"}", token("ACCESS", access_s),
             token("IDTOK", id_s));
    answer_status(b, 200, body);
}

static struct bench *opened_bench(const char *const *more, size_t more_n)
{
    struct bench *b = bench_with(more, more_n, 600);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    open_call("GET", "https://api.test/acme/statuses");
    answer_status(b, 200, STATUSES);
    assert_true(b->opened_done);
    assert_int_equal(b->opened, RC_OK);
    return b;
}

static void opening_logs_in_and_resolves_the_statuses(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    assert_string_equal(xsale_client_organization(b->x), "acme");
    assert_true(xsale_client_is_new(b->x, 1));
    assert_false(xsale_client_is_new(b->x, 2));
    assert_int_equal(xsale_client_imported(b->x), 2);
    assert_int_equal(xsale_client_manual(b->x), 3);
    assert_int_equal(xsale_client_status_by_name(b->x, "Anulowane")->id, 9);
    assert_null(xsale_client_status_by_name(b->x, "anulowane"));
    assert_true(health_ready(b->health));
    bench_end(b);
}

static void both_headers_travel_on_every_call(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    assert_non_null(xsale_get_page(b->x, &(struct xsale_page){.index = 0, .received = 0}, on_done, b));
    turn(b, 0);
    struct http_call *call = open_call("GET", "https://api.test/acme/orders?statusidin=1&page=1&pageSize=100");
    assert_non_null(strstr(call->headers, "Authorization: Bearer ACCESS."));
    assert_non_null(strstr(call->headers, "x-id-token: IDTOK."));
    answer_status(b, 200, "[]");
    assert_int_equal(b->done, 1);
    assert_int_equal(b->end, XSALE_OK);
    assert_string_equal(b->body, "[]");
    bench_end(b);
}

static void an_unknown_status_is_fatal_and_names_those_that_exist(void **state)
{
    (void)state;
    const char *more[] = {"xsale.new_statuses=Nowy"};
    struct bench *b = bench_with(more, 1, 600);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    answer_status(b, 200, "{\"Statuses\":" STATUSES "}");
    assert_int_equal(b->opened, RC_FATAL);
    assert_non_null(strstr(b->words, "'Nowy'"));
    assert_non_null(strstr(b->words, "Nowe, Zaimportowano do ERP"));
    bench_end(b);
}

static void two_kinds_with_one_status_are_fatal(void **state)
{
    (void)state;
    const char *more[] = {"xsale.manual_status=Nowe"};
    struct bench *b = bench_with(more, 1, 600);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    answer_status(b, 200, STATUSES);
    assert_int_equal(b->opened, RC_FATAL);
    bench_end(b);
}

static void an_organization_that_is_not_set_is_asked_for(void **state)
{
    (void)state;
    const char *more[] = {"xsale.organization="};
    struct bench *b = bench_with(more, 1, 600);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    open_call("GET", "https://api.test/me");
    answer_status(b, 200, "{\"Id\":1,\"Organizations\":[{\"Id\":5,\"ShortName\":\"x\",\"Name\":\"my shop\"}]}");
    open_call("GET", "https://api.test/my%20shop/statuses");
    answer_status(b, 200, STATUSES);
    assert_int_equal(b->opened, RC_OK);
    bench_end(b);
    b = bench_with(more, 1, 600);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    answer_status(b, 200, "{\"Organizations\":[{\"Name\":\"one\"},{\"Name\":\"two\"}]}");
    assert_true(b->opened_done);
    assert_int_equal(b->opened, RC_FATAL);
    assert_non_null(strstr(b->words, "one, two"));
    bench_end(b);
}

static void tokens_are_renewed_before_the_earlier_one_ends(void **state)
{
    (void)state;
    struct bench *b = bench_with(NULL, 0, 600);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 1000); /* the id token ends first */
    answer_status(b, 200, STATUSES);
    turn(b, 930 * 1000);
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    open_call("GET", "https://api.test/acme/orders/7"); /* 70 s before the end */
    answer_status(b, 200, "{}");
    turn(b, 15 * 1000);
    xsale_get_order(b->x, 8, on_done, b);
    xsale_get_order(b->x, 9, on_done, b);
    turn(b, 0);
    assert_int_equal(net.n, 1); /* single flight */
    answer_login(b, 86400, 86400);
    assert_int_equal(net.n, 2);
    answer_status(b, 200, "{}");
    answer_status(b, 200, "{}");
    assert_int_equal(b->done, 3);
    assert_int_equal((int)b->counts[XSALE_COUNT_LOGINS], 2);
    bench_end(b);
}

static void a_401_drops_the_tokens_logs_in_once_and_repeats_once(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 0);
    answer_status(b, 401, "");
    answer_login(b, 86400, 86400);
    struct http_call *call = open_call("PUT", "https://api.test/acme/orders/7/change-status");
    assert_string_equal(call->body, "{\"StatusId\":2}");
    answer_status(b, 204, "");
    assert_int_equal(b->end, XSALE_OK);
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    answer_status(b, 401, "");
    answer_login(b, 86400, 86400);
    answer_status(b, 401, "");
    assert_int_equal(b->done, 2);
    assert_int_equal(b->end, XSALE_REFUSED);
    assert_int_equal(net.n, 0);
    xsale_get_order(b->x, 7, on_done, b); /* fresh tokens were refused: the next login waits */
    turn(b, 10);
    assert_int_equal(net.n, 0);
    turn(b, 61 * 1000);
    open_call("POST", "https://login.test/oauth/token");
    bench_end(b);
}

static void a_put_that_lacks_a_right_by_401_does_not_log_in_again_and_again(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    for (int i = 0; i < 200; i++) { /* look, then change: 200 orders in 20 minutes */
        unsigned before = b->done;
        xsale_get_order(b->x, 7, on_done, b);
        turn(b, 3000);
        while (net.n > 0 || b->done == before) {
            if (net.n == 0)
                turn(b, 1000);
            else if (strcmp(net.open[0]->method, "POST") == 0)
                answer_login(b, 86400, 86400);
            else
                answer_status(b, 200, "{}");
        }
        assert_int_equal(b->end, XSALE_OK);
        xsale_put_status(b->x, 7, 2, on_done, b);
        turn(b, 3000);
        while (net.n > 0)
            if (strcmp(net.open[0]->method, "POST") == 0)
                answer_login(b, 86400, 86400);
            else
                answer_status(b, 401, "");
        assert_int_equal(b->end, XSALE_REFUSED);
    }
    assert_non_null(strstr(b->words, "no right"));
    assert_in_range((int)b->counts[XSALE_COUNT_LOGINS], 2, 3);
    xsale_client_reload(b->x, 600); /* looks at the statuses now, so not in between */
    turn(b, 0);
    turn(b, 61 * 1000); /* nothing was taken for a minute: perhaps the tokens are no good any more */
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 0);
    answer_status(b, 401, "");
    answer_login(b, 86400, 86400);
    answer_status(b, 204, "");
    assert_int_equal(b->end, XSALE_OK);
    bench_end(b);
}

static void a_refused_login_is_never_repeated_in_a_tight_loop(void **state)
{
    (void)state;
    struct bench *b = bench_with(NULL, 0, 600);
    size_t before = 0;
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_status(b, 403, "{\"error\":\"invalid_grant\",\"error_description\":\"Wrong PASSW0RD.\"}");
    before = net.sent;
    for (int i = 0; i < 3600; i++) { /* an hour, refused each time */
        turn(b, 1000);
        if (net.n > 0)
            answer_status(b, 403, "{\"error\":\"invalid_grant\"}");
    }
    assert_in_range(net.sent - before, 3, 40);
    assert_false(health_ready(b->health));
    before = net.sent;
    xsale_client_secrets_changed(b->x);
    turn(b, 0);
    assert_int_equal(net.sent, before + 1);
    bench_end(b);
}

static void what_somebody_has_to_put_right_is_told(void **state)
{
    (void)state;
    struct bench *b = bench_with(NULL, 0, 600);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_status(b, 503, "");
    turn(b, 5000);
    assert_int_equal(b->refusals, 0);
    answer_status(b, 403, "{\"error\":\"invalid_grant\",\"error_description\":\"Wrong email or password.\"}");
    assert_int_equal(b->refusals, 1);
    assert_non_null(strstr(b->refusal, "invalid_grant: Wrong email or password."));
    xsale_client_secrets_changed(b->x);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    answer_status(b, 403, "");
    assert_int_equal(b->refusals, 2);
    assert_string_equal(b->refusal, "GET /acme/statuses: HTTP 403: the xSale user has no right to do this; is xsale.organization right?");
    turn(b, 60000);
    answer_status(b, 200, STATUSES);
    assert_true(b->opened_done);
    assert_non_null(xsale_get_order(b->x, 7, on_done, b)); /* an order that is gone, or must not be seen, stops nobody */
    turn(b, 0);
    answer_status(b, 403, "");
    assert_int_equal(b->end, XSALE_REFUSED);
    assert_int_equal(b->refusals, 2);
    assert_non_null(xsale_get_page(b->x, &(struct xsale_page){.index = 0, .received = 0}, on_done, b));
    turn(b, 0);
    answer_status(b, 400, "{\"name\":\"Kowalska\"}");
    assert_int_equal(b->refusals, 3);
    assert_non_null(strstr(b->refusal, "; is the query what xSale expects? (xsale.array_style, xsale.filter_by, xsale.paging, xsale.page_first, "));
    assert_null(strstr(b->refusal, "Kowalska"));
    bench_end(b);
}

static void a_get_is_repeated_until_it_is_answered(void **state)
{
    (void)state;
    struct http_reply bad[] = {{.end = HTTP_NOT_SENT, .words = "connection refused"}, {.end = HTTP_AMBIGUOUS, .words = "time-out"}, {.status = 500},
                               {.status = 408}, {.status = 302, .location = "https://other.test/x?secret=1"},
                               {.status = 200, .content_type = "text/html; charset=utf-8", .body = "<html>"}};
    struct bench *b = opened_bench(NULL, 0);
    xsale_get_page(b->x, &(struct xsale_page){.index = 2, .received = 200}, on_done, b);
    turn(b, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        open_call("GET", "https://api.test/acme/orders?statusidin=1&page=3&pageSize=100");
        answer(b, bad[i]);
        assert_int_equal(b->done, 0);
        assert_int_equal(net.n, 0);
        assert_false(health_ready(b->health));
        turn(b, 301 * 1000);
    }
    answer_status(b, 200, "[]");
    assert_int_equal(b->done, 1);
    assert_true(health_ready(b->health));
    assert_int_equal((int)b->counts[XSALE_COUNT_REPEATS], 6);
    bench_end(b);
}

static void on_other(void *arg, const struct xsale_reply *r)
{
    (void)arg;
    assert_int_equal(r->end, XSALE_OK);
}

/* Fails with 500 until b->done; how long that took, in ms. */
static int64_t fails(struct bench *b, bool others_are_answered)
{
    int64_t began = now;
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    while (b->done == 0 && now - began < 3600 * 1000) {
        if (net.n > 0) {
            open_call("GET", "https://api.test/acme/orders/7");
            answer(b, (struct http_reply){.status = 500});
        }
        if (others_are_answered && net.n == 0) {
            xsale_get_order(b->x, 8, on_other, b);
            turn(b, 0);
            open_call("GET", "https://api.test/acme/orders/8");
            answer_status(b, 200, "{}");
        }
        turn(b, 1000);
    }
    return now - began;
}

static void an_order_that_cannot_be_shown_is_given_up(void **state)
{
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        struct bench *b = opened_bench(NULL, 0);
        int64_t took = fails(b, !alone);
        assert_int_equal(b->end, XSALE_LATER);
        assert_int_equal(xsale_client_pending(b->x), 0);
        assert_non_null(strstr(b->words, "GET /acme/orders/7"));
        assert_in_range(took, alone ? 600 * 1000 : 120 * 1000, alone ? 900 * 1000 : 420 * 1000);
        assert_false(health_ready(b->health) && alone);
        bench_end(b);
    }
}

static void a_put_is_never_repeated_blindly(void **state)
{
    (void)state;
    struct {
        struct http_reply reply;
        enum xsale_end end;
    } cases[] = {{{.end = HTTP_NOT_SENT}, XSALE_LATER}, {{.end = HTTP_AMBIGUOUS}, XSALE_AMBIGUOUS}, {{.status = 500}, XSALE_AMBIGUOUS},
                 {{.status = 503}, XSALE_LATER}, {{.status = 429}, XSALE_LATER}, {{.status = 408}, XSALE_AMBIGUOUS}, {{.status = 404}, XSALE_GONE},
                 {{.status = 403}, XSALE_REFUSED}, {{.status = 400}, XSALE_REFUSED}, {{.status = 301}, XSALE_AMBIGUOUS},
                 {{.status = 200, .content_type = "text/html; charset=utf-8", .body = "<html>"}, XSALE_AMBIGUOUS},
                 {{.status = 200, .content_type = "Text/HTML", .body = "log in"}, XSALE_AMBIGUOUS},
                 {{.status = 200, .body = " \n<!DOCTYPE html>"}, XSALE_AMBIGUOUS}, {{.status = 200, .body = "{}"}, XSALE_OK},
                 {{.status = 200, .content_type = "text/plain", .body = "OK"}, XSALE_OK}, {{.status = 204}, XSALE_OK}};
    struct bench *b = opened_bench(NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        xsale_put_status(b->x, 7, 2, on_done, b);
        turn(b, 1000);
        answer(b, cases[i].reply);
        assert_int_equal(b->done, i + 1);
        assert_int_equal(b->end, cases[i].end);
        turn(b, 600 * 1000);
        assert_int_equal(net.n, 0);
    }
    bench_end(b);
}

static void retry_after_closes_the_quota_for_everybody(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 0);
    answer(b, (struct http_reply){.status = 429, .retry_after_ms = 20000});
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 19000);
    assert_int_equal(net.n, 0);
    turn(b, 1500);
    assert_int_equal(net.n, 1);
    bench_end(b);
}

/* What was looked at before it may be another status an hour later. */
static void a_change_that_is_kept_back_for_long_is_not_sent(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 0);
    answer(b, (struct http_reply){.status = 429, .retry_after_ms = 3600 * 1000});
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 20 * 1000);
    assert_int_equal(b->done, 1);
    turn(b, 40 * 1000);
    assert_int_equal(b->done, 2);
    assert_int_equal(b->end, XSALE_LATER);
    assert_non_null(strstr(b->words, "PUT /acme/orders/7/change-status: not sent"));
    turn(b, 3600 * 1000);
    assert_int_equal(net.n, 0);
    assert_int_equal(xsale_client_pending(b->x), 0);
    bench_end(b);
}

static void a_change_that_waits_for_a_login_for_long_is_not_sent(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    struct xsale_call *call = xsale_put_status(b->x, 7, 2, on_done, b);
    assert_false(xsale_is_sent(call));
    turn(b, 0);
    assert_true(xsale_is_sent(call));
    answer_status(b, 401, "");
    assert_false(xsale_is_sent(call));
    turn(b, 0);
    answer_status(b, 403, "{\"error\":\"invalid_grant\"}"); /* the login */
    turn(b, 60 * 1000);
    assert_int_equal(b->done, 1);
    assert_int_equal(b->end, XSALE_LATER);
    bench_end(b);
}

static void without_looks_a_change_is_sent_whenever_it_can_be(void **state)
{
    (void)state;
    const char *const blind[] = {"xsale.order_path="};
    struct bench *b = opened_bench(blind, 1);
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 0);
    answer(b, (struct http_reply){.status = 429, .retry_after_ms = 3600 * 1000});
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 3601 * 1000);
    assert_int_equal(net.n, 1);
    assert_string_equal(net.open[0]->method, "PUT");
    answer_status(b, 204, "");
    assert_int_equal(b->end, XSALE_OK);
    bench_end(b);
}

static void requests_keep_to_the_quota(void **state)
{
    (void)state;
    struct bench *b = bench_with(NULL, 0, 6); /* one in ten seconds */
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    answer_status(b, 200, STATUSES);
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 9000);
    assert_int_equal(net.n, 0);
    turn(b, 1100);
    assert_int_equal(net.n, 1);
    assert_true(b->counts[XSALE_COUNT_QUOTA_WAIT] > 8);
    bench_end(b);
}

/* /readyz, in a text of its own */
static const char *readiness(struct bench *b)
{
    static char text[4096];
    struct buf out;
    buf_init(&out, sizeof text);
    health_print(b->health, &out);
    snprintf(text, sizeof text, "%s", buf_text(&out));
    buf_release(&out);
    return text;
}

static void pages_looks_and_changes_share_the_quota_in_turn(void **state)
{
    (void)state;
    struct bench *b = bench_with(NULL, 0, 6);
    char order[16] = "";
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    answer_status(b, 200, STATUSES);
    for (int i = 0; i < 3; i++)
        xsale_get_page(b->x, &(struct xsale_page){.index = i + 1, .received = 0}, on_done, b);
    for (int i = 0; i < 3; i++)
        xsale_get_order(b->x, 7, on_done, b);
    for (int i = 0; i < 3; i++)
        xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 0);
    assert_int_equal((int)b->counts[XSALE_COUNT_WAITING], 9);
    assert_non_null(strstr(readiness(b), "9 requests wait because requests_per_minute are used up"));
    assert_true(health_ready(b->health)); /* waiting is no fault */
    assert_false(xsale_client_room(b->x));
    for (int i = 0; i < 9; i++) {
        turn(b, 10001);
        assert_int_equal(net.n, 1);
        order[i] = strcmp(net.open[0]->method, "PUT") == 0 ? 'c' : strstr(net.open[0]->url, "page=") != NULL ? 'p' : 'l';
        answer_status(b, 200, "{}");
    }
    assert_string_equal(order, "plcplcplc");
    assert_int_equal((int)b->counts[XSALE_COUNT_WAITING], 0);
    assert_null(strstr(readiness(b), "requests wait"));
    turn(b, 10001);
    assert_true(xsale_client_room(b->x));
    bench_end(b);
}

static void a_pause_that_xsale_asks_for_is_told(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    answer(b, (struct http_reply){.status = 503, .retry_after_ms = 20000});
    xsale_get_order(b->x, 8, on_done, b);
    turn(b, 0);
    assert_non_null(strstr(readiness(b), "1 requests wait because xSale asked for a pause"));
    bench_end(b);
}

static void another_quota_counts_from_now_on(void **state)
{
    (void)state;
    struct bench *b = bench_with(NULL, 0, 1);
    xsale_client_open(b->x, on_opened, b);
    turn(b, 0);
    answer_login(b, 86400, 86400);
    answer_status(b, 200, STATUSES);
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 2000);
    assert_int_equal(net.n, 0);
    xsale_client_reload(b->x, 60);
    turn(b, 2000);
    assert_int_equal(net.n, 1);
    bench_end(b);
}

static void a_status_that_is_renamed_or_gone_is_told_and_the_ids_stay(void **state)
{
    (void)state;
    const char *more[] = {"xsale.filter_by=name"};
    struct bench *b = opened_bench(more, 1);
    b->by_hand = true;
    for (int i = 0; i < 3; i++) { /* not idle */
        turn(b, 200 * 1000 + 1);
        xsale_get_order(b->x, 7, on_done, b);
        turn(b, 0);
        answer_status(b, 200, "{}");
    }
    xsale_get_page(b->x, &(struct xsale_page){.index = 0, .received = 0}, on_done, b);
    turn(b, 0);
    assert_int_equal(net.n, 2);
    open_call("GET", "https://api.test/acme/orders?statusnamein=Nowe&page=1&pageSize=100");
    answer_status(b, 200, "[]");
    open_call("GET", "https://api.test/acme/statuses");
    answer_status(b, 200, "[{\"Id\":1,\"Name\":\"Nowiutkie\"},{\"Id\":2,\"Name\":\"Zaimportowano do ERP\"},{\"Id\":4,\"Name\":\"Inne\"}]");
    assert_false(health_ready(b->health));
    assert_non_null(strstr(readiness(b), "xsale.new_statuses: the status 'Nowe' (id 1) is now called 'Nowiutkie'"));
    assert_non_null(strstr(readiness(b), "(id 3) no longer exists"));
    assert_true(xsale_client_is_new(b->x, 1));
    assert_int_equal(xsale_client_manual(b->x), 3);
    assert_string_equal(xsale_client_status_by_id(b->x, 4)->name, "Inne");
    xsale_get_page(b->x, &(struct xsale_page){.index = 0, .received = 0}, on_done, b);
    turn(b, 0);
    assert_int_equal(net.n, 1); /* not again so soon */
    open_call("GET", "https://api.test/acme/orders?statusnamein=Nowiutkie&page=1&pageSize=100");
    turn(b, 61 * 1000);
    answer_status(b, 400, "{}"); /* refused as malformed: that may be why */
    open_call("GET", "https://api.test/acme/statuses");
    answer_status(b, 200, STATUSES);
    assert_int_equal(net.n, 0);
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    answer_status(b, 200, "{}");
    assert_true(health_ready(b->health));
    bench_end(b);
}

static void xsale_is_asked_for_something_when_nobody_needs_anything_for_long(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    b->by_hand = true;
    turn(b, 299 * 1000);
    assert_int_equal(net.n, 0);
    turn(b, 2 * 1000);
    assert_int_equal(net.n, 1);
    open_call("GET", "https://api.test/acme/statuses");
    answer_status(b, 503, "{}");
    assert_false(health_ready(b->health)); /* it is known before an order needs it */
    turn(b, 60 * 1000);
    open_call("GET", "https://api.test/acme/statuses");
    answer_status(b, 200, STATUSES);
    assert_true(health_ready(b->health));
    turn(b, 200 * 1000);
    assert_int_equal(net.n, 0);
    bench_end(b);
}

static void a_cancelled_call_is_silent_wherever_it_stands(void **state)
{
    (void)state;
    struct bench *b = opened_bench(NULL, 0);
    struct xsale_call *call = xsale_get_order(b->x, 7, on_done, b);
    xsale_cancel(call);
    call = xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    xsale_cancel(call);
    call = xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    answer_status(b, 500, "");
    assert_false(health_ready(b->health));
    xsale_cancel(call);
    assert_true(health_ready(b->health)); /* nobody asks, so nobody would say that it works again */
    turn(b, 86400 * 1000);
    call = xsale_get_order(b->x, 7, on_done, b); /* waits for tokens */
    turn(b, 0);
    xsale_cancel(call);
    answer_login(b, 86400, 86400);
    assert_int_equal(b->done, 0);
    assert_int_equal(xsale_client_pending(b->x), 0);
    bench_end(b);
}

static void the_list_is_asked_for_as_the_configuration_says(void **state)
{
    (void)state;
    struct {
        const char *more[6];
        const char *url;
    } cases[] = {
        {{"xsale.array_style=comma", "xsale.new_statuses=Nowe, Anulowane"}, "https://api.test/acme/orders?statusidin=1,9&page=3&pageSize=100"},
        {{"xsale.array_style=brackets", "xsale.new_statuses=Nowe, Anulowane"},
         "https://api.test/acme/orders?statusidin%5B%5D=1&statusidin%5B%5D=9&page=3&pageSize=100"},
        {{"xsale.array_style=indexed", "xsale.new_statuses=Nowe, Anulowane", "xsale.filter_by=name"},
         "https://api.test/acme/orders?statusnamein%5B0%5D=Nowe&statusnamein%5B1%5D=Anulowane&page=3&pageSize=100"},
        {{"xsale.paging=offset", "xsale.page_parameter=skip", "xsale.page_size_parameter=take", "xsale.page_size=50", "xsale.query=from=2026"},
         "https://api.test/acme/orders?statusidin=1&skip=77&take=50&from=2026"},
        {{"xsale.page_first=0"}, "https://api.test/acme/orders?statusidin=1&page=2&pageSize=100"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 0;
        while (cases[i].more[n] != NULL)
            n++;
        struct bench *b = opened_bench(cases[i].more, n);
        xsale_get_page(b->x, &(struct xsale_page){.index = 2, .received = 77}, on_done, b);
        turn(b, 0);
        open_call("GET", cases[i].url);
        bench_end(b);
    }
}

static void a_status_may_travel_in_the_query(void **state)
{
    (void)state;
    const char *more[] = {"xsale.change_status=query", "xsale.change_status_field=statusId", "xsale.order_path=/v2/{organization}/order/{id}"};
    struct bench *b = opened_bench(more, 3);
    xsale_put_status(b->x, 7, 2, on_done, b);
    turn(b, 0);
    assert_string_equal(open_call("PUT", "https://api.test/acme/orders/7/change-status?statusId=2")->body, "");
    answer_status(b, 200, "");
    xsale_get_order(b->x, 7, on_done, b);
    turn(b, 0);
    open_call("GET", "https://api.test/v2/acme/order/7");
    bench_end(b);
}

static void equal_statuses_and_unusable_paths_are_problems_of_the_configuration(void **state)
{
    (void)state;
    const char *more[] = {"xsale.manual_status=Nowe", "xsale.order_path=/orders", "xsale.query=a b"};
    struct config *c = load(more, 3);
    struct config_problems problems = {.count = 0};
    buf_init(&problems.text, 100000);
    xsale_client_check(c, &problems);
    assert_int_equal(problems.count, 3);
    buf_release(&problems.text);
    config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_logs_in_and_resolves_the_statuses),
        cmocka_unit_test(both_headers_travel_on_every_call),
        cmocka_unit_test(an_unknown_status_is_fatal_and_names_those_that_exist),
        cmocka_unit_test(two_kinds_with_one_status_are_fatal),
        cmocka_unit_test(an_organization_that_is_not_set_is_asked_for),
        cmocka_unit_test(tokens_are_renewed_before_the_earlier_one_ends),
        cmocka_unit_test(a_401_drops_the_tokens_logs_in_once_and_repeats_once),
        cmocka_unit_test(a_put_that_lacks_a_right_by_401_does_not_log_in_again_and_again),
        cmocka_unit_test(a_refused_login_is_never_repeated_in_a_tight_loop),
        cmocka_unit_test(what_somebody_has_to_put_right_is_told),
        cmocka_unit_test(a_get_is_repeated_until_it_is_answered),
        cmocka_unit_test(an_order_that_cannot_be_shown_is_given_up),
        cmocka_unit_test(a_put_is_never_repeated_blindly),
        cmocka_unit_test(retry_after_closes_the_quota_for_everybody),
        cmocka_unit_test(a_change_that_is_kept_back_for_long_is_not_sent),
        cmocka_unit_test(a_change_that_waits_for_a_login_for_long_is_not_sent),
        cmocka_unit_test(without_looks_a_change_is_sent_whenever_it_can_be),
        cmocka_unit_test(requests_keep_to_the_quota),
        cmocka_unit_test(pages_looks_and_changes_share_the_quota_in_turn),
        cmocka_unit_test(a_pause_that_xsale_asks_for_is_told),
        cmocka_unit_test(another_quota_counts_from_now_on),
        cmocka_unit_test(a_status_that_is_renamed_or_gone_is_told_and_the_ids_stay),
        cmocka_unit_test(xsale_is_asked_for_something_when_nobody_needs_anything_for_long),
        cmocka_unit_test(a_cancelled_call_is_silent_wherever_it_stands),
        cmocka_unit_test(the_list_is_asked_for_as_the_configuration_says),
        cmocka_unit_test(a_status_may_travel_in_the_query),
        cmocka_unit_test(equal_statuses_and_unusable_paths_are_problems_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
