/* The contract of erp_sink.h held to http, against the simulator of an ERP, and to file, against a directory. Then what is each one's own: faults that
 * only HTTP or only a disk has. */
#include "tests/unit/sink_contract.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "consumer/erp_view.h"
#include "tests/unit/scripted_server.h"

static int open_http(void **state)
{
    struct bench *b = bench_create();
    simulator_start(b);
    set(b, "erp.http.url", "%s/orders", b->url);
    set(b, "erp.http.withdraw_url", "%s/orders/{organization}/{order_id}/{warehouse}", b->url);
    b->refusal = "Nieznany towar";
    open_sink(b, "http");
    *state = b;
    return 0;
}

static int open_file(void **state)
{
    struct bench *b = bench_create();
    (void)snprintf(b->directory, sizeof b->directory, "/tmp/test-erp-sink-XXXXXX");
    assert_non_null(mkdtemp(b->directory));
    set(b, "erp.sink", "%s", "file");
    set(b, "erp.file.directory", "%s", b->directory);
    open_sink(b, "file");
    *state = b;
    return 0;
}

static struct scripted_server *script_http(struct bench **b, const struct script_row *rows, size_t n, const char *key, const char *value)
{
    char url[60];
    struct scripted_server *s = script_start(rows, n);
    *b = bench_create();
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", s->port);
    set(*b, "erp.http.url", "%s/load", url);
    set(*b, "erp.http.withdraw_url", "%s/back?o={order_id}", url);
    if (key != NULL)
        set(*b, key, "%s", value);
    open_sink(*b, "http");
    return s;
}

static const char *const short_time = "2s"; /* for an answer that never comes; enough for the request to go out on a busy machine */

struct reply_case {
    const char *reply;
    enum script_then then;
    enum fate fate;
    bool ambiguous;
    int64_t retry_after;
    const char *words; /* part of them */
};

static void each_answer_has_its_fate(void **state)
{
    (void)state;
    static const struct reply_case cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"DocumentId\":12345}", SCRIPT_CLOSE, FATE_LOADED, false, -1, ""},
        {"HTTP/1.1 204 No Content\r\n\r\n", SCRIPT_CLOSE, FATE_LOADED, false, -1, ""},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "web page"},
        {"HTTP/1.1 400 Bad\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", SCRIPT_CLOSE, FATE_PARK, false, -1, "web page"},
        {"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_REJECT, false, -1, ""},
        {"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_REJECT, false, -1, ""},
        {"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "redirects"},
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "credential"},
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "erp.http.url"},
        {"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, 7000, ""},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PARK, true, -1, ""},
        {"HTTP/1.1 524 Slow\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, true, -1, "524"},
        {"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "503"},
        {"HTTP/1.1 504 Gateway\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, true, -1, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", SCRIPT_CLOSE, FATE_AGAIN, true, -1, ""},
        {"", SCRIPT_CLOSE, FATE_AGAIN, true, -1, ""},
        {NULL, SCRIPT_KEEP, FATE_PAUSE, true, -1, "no answer in time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script_row row = {cases[i].reply, cases[i].then};
        struct bench *b;
        struct scripted_server *s = script_http(&b, &row, 1, row.reply == NULL ? "erp.http.timeout" : NULL, short_time);
        struct order o;
        enum fate fate = load(b, order(&o, 1, 10, "aa", false));
        if (fate != cases[i].fate || o.end.v.ambiguous != cases[i].ambiguous || o.end.v.retry_after_ms != cases[i].retry_after ||
            strstr(o.end.words, cases[i].words) == NULL)
            fail_msg("case %zu: %s, ambiguous %d, retry after %lld: %s", i, fate_name(fate), o.end.v.ambiguous,
                     (long long)o.end.v.retry_after_ms, o.end.words);
        if (i == 0)
            assert_string_equal(o.end.document, "12345");
        if (fate == FATE_REJECT)
            assert_true(o.end.reason[0] != '\0'); /* even without a body the operator reads something */
        script_stop(s);
        bench_destroy(b);
    }
}

static void the_request_says_what_it_is(void **state)
{
    (void)state;
    struct script_row row = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", SCRIPT_CLOSE};
    struct bench *b;
    struct scripted_server *s = script_http(&b, &row, 1, "erp.http.authorization", "Bearer geheim");
    static const char *const lines[] = {
        "POST /load HTTP/1.1\r\n", "\r\nIdempotency-Key: acme/1/MAG-1/10\r\n", "\r\nX-Xsale-Organization: ac%20me\r\n", "\r\nX-Xsale-Order: 1\r\n",
        "\r\nX-Xsale-Warehouse: MAG-1\r\n", "\r\nX-Xsale-Revision: aa\r\n", "\r\nX-Xsale-Publication: 10\r\n", "\r\ntraceparent: 00-x\r\n",
        "\r\nContent-Type: application/json\r\n", "\r\nAuthorization: Bearer geheim\r\n", "\r\n\r\n{\"organization\""};
    struct order o;
    order(&o, 1, 10, "aa", false);
    o.load.organization = "ac me";
    o.load.traceparent = "00-x";
    assert_int_equal(load(b, &o), FATE_LOADED);
    assert_string_equal(o.end.document, ""); /* accepted all the same */
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(s->requests[0], lines[i]) == NULL)
            fail_msg("%s is not in %s", lines[i], s->requests[0]);
    assert_null(strstr(s->requests[0], "Expect:"));
    script_stop(s);
    bench_destroy(b);
}

static void a_withdrawal_is_done_when_the_erp_itself_says_that_nothing_is_there(void **state)
{
    (void)state;
    static const struct reply_case cases[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", SCRIPT_CLOSE, FATE_LOADED, false, -1, ""},
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_LOADED, false, -1, ""},
        {"HTTP/1.1 410 Gone\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", SCRIPT_CLOSE, FATE_LOADED, false, -1, ""},
        {"HTTP/1.1 404 No\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n\r\n<html>", SCRIPT_CLOSE, FATE_PAUSE, false, -1,
         "web page"},
        {"HTTP/1.1 410 Gone\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "web page"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script_row row = {cases[i].reply, cases[i].then};
        struct bench *b;
        struct scripted_server *s = script_http(&b, &row, 1, "erp.http.withdraw_method", "DELETE");
        struct order o;
        enum fate fate = load(b, order(&o, 1, 10, "aa", true));
        if (fate != cases[i].fate || strstr(o.end.words, cases[i].words) == NULL)
            fail_msg("case %zu: %s: %s", i, fate_name(fate), o.end.words);
        script_stop(s);
        bench_destroy(b);
    }
}

static void an_answer_that_means_exists_already_is_loaded(void **state)
{
    (void)state;
    struct script_row row = {"HTTP/1.1 409 Conflict\r\nContent-Length: 17\r\n\r\n{\"DocumentId\":77}", SCRIPT_CLOSE};
    struct bench *b;
    struct scripted_server *s = script_http(&b, &row, 1, "erp.http.exists_status", "409");
    struct order o;
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_LOADED);
    assert_string_equal(o.end.document, "77");
    script_stop(s);
    bench_destroy(b);
}

static void the_document_may_be_named_by_a_header(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"Location", "HTTP/1.1 201 Created\r\nLocation: http://x/orders/ZK%2F7\r\nContent-Length: 0\r\n\r\n", "ZK/7"},
        {"X-Document", "HTTP/1.1 200 OK\r\nX-Document:  ZK/8 \r\nContent-Length: 0\r\n\r\n", "ZK/8"},
        {"X-Document", "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"DocumentId\":\"9\"}", ""},
    };
    for (size_t i = 0; i < 3; i++) {
        struct script_row row = {rows[i][1], SCRIPT_CLOSE};
        struct bench *b;
        struct scripted_server *s = script_http(&b, &row, 1, "erp.http.document_header", rows[i][0]);
        struct order o;
        assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_LOADED);
        assert_string_equal(o.end.document, rows[i][2]);
        script_stop(s);
        bench_destroy(b);
    }
}

static void the_users_fates_go_before_ours(void **state)
{
    (void)state;
    struct script_row rows[] = {{"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE},
                                {"HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\nno", SCRIPT_CLOSE}};
    struct bench *b;
    struct scripted_server *s = script_http(&b, rows, 2, "erp.fates", "409=park");
    struct order o;
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_PARK);
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_REJECT);
    script_stop(s);
    bench_destroy(b);
}

/* Token endpoint and ERP are one server here: it answers in order. */
static struct scripted_server *script_token(struct bench **b, const struct script_row *rows, size_t n)
{
    struct scripted_server *s = script_start(rows, n);
    *b = bench_create();
    set(*b, "erp.http.url", "http://127.0.0.1:%d/load", s->port);
    set(*b, "erp.http.token_url", "http://127.0.0.1:%d/token", s->port);
    set(*b, "erp.http.client_id", "%s", "bridge");
    set(*b, "erp.http.client_secret", "%s", "geheim");
    set(*b, "erp.http.scope", "%s", "orders write");
    open_sink(*b, "http");
    return s;
}

#define TOKEN(text) "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n{\"access_token\":\"" text "\",\"expires_in\":99}"
#define LOADED "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"DocumentId\":7}"

static void a_token_is_asked_for_once_and_again_when_it_is_refused(void **state)
{
    (void)state;
    struct script_row rows[] = {{TOKEN("one"), SCRIPT_CLOSE}, {LOADED, SCRIPT_CLOSE}, {LOADED, SCRIPT_CLOSE},
                                {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE}, {TOKEN("two"), SCRIPT_CLOSE}, {LOADED, SCRIPT_CLOSE}};
    struct bench *b;
    struct scripted_server *s = script_token(&b, rows, 6);
    struct order o;
    for (int i = 0; i < 3; i++)
        assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_LOADED);
    assert_non_null(strstr(s->requests[0], "POST /token HTTP/1.1\r\n"));
    assert_non_null(strstr(s->requests[0], "\r\nAuthorization: Basic YnJpZGdlOmdlaGVpbQ==\r\n"));
    assert_non_null(strstr(s->requests[0], "\r\n\r\ngrant_type=client_credentials&scope=orders%20write"));
    assert_non_null(strstr(s->requests[1], "\r\nAuthorization: Bearer one\r\n"));
    assert_non_null(strstr(s->requests[2], "\r\nAuthorization: Bearer one\r\n"));
    assert_non_null(strstr(s->requests[4], "POST /token"));
    assert_non_null(strstr(s->requests[5], "\r\nAuthorization: Bearer two\r\n"));
    script_stop(s);
    bench_destroy(b);
}

static void without_a_token_everything_waits(void **state)
{
    (void)state;
    struct script_row rows[] = {{"HTTP/1.1 401 No\r\nContent-Length: 29\r\n\r\n{\"error\":\"geheim is unknown\"}", SCRIPT_CLOSE},
                                {"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE},
                                {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", SCRIPT_CLOSE},
                                {TOKEN("one"), SCRIPT_CLOSE}, {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE},
                                {TOKEN("two"), SCRIPT_CLOSE}, {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE}};
    static const char *const words[] = {"token refused: check erp.http.client_id", "no token to be had (HTTP 429)", "holds no access_token", "credential refused"};
    struct bench *b;
    struct scripted_server *s = script_token(&b, rows, 7);
    struct order o;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_PAUSE);
        assert_non_null(strstr(o.end.words, words[i]));
        assert_null(strstr(o.end.words, "geheim"));
        assert_int_equal(o.end.v.retry_after_ms, i == 1 ? 7000 : -1);
    }
    script_stop(s);
    bench_destroy(b);
}

static struct scripted_server *script_lookup(struct bench **b, const struct script_row *rows, size_t n, const char *pointer)
{
    struct scripted_server *s = script_start(rows, n);
    *b = bench_create();
    set(*b, "erp.http.url", "http://127.0.0.1:%d/load", s->port);
    set(*b, "erp.http.lookup_url", "http://127.0.0.1:%d/look?o={order_id}&r={revision}", s->port);
    set(*b, "erp.http.document_pointer", "%s", pointer);
    if (rows[0].reply == NULL)
        set(*b, "erp.http.timeout", "%s", short_time);
    open_sink(*b, "http");
    return s;
}

static void every_load_is_looked_up_first(void **state)
{
    (void)state;
    static const struct script_row rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"DocumentId\":55}", SCRIPT_KEEP}, /* of a life before this one */
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", SCRIPT_KEEP},
        {"HTTP/1.1 201 Created\r\nContent-Length: 17\r\n\r\n{\"DocumentId\":56}", SCRIPT_KEEP},
    };
    struct bench *b;
    struct scripted_server *s = script_lookup(&b, rows, 3, "/DocumentId");
    struct order o;
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_LOADED);
    assert_string_equal(o.end.document, "55");
    assert_non_null(strstr(s->requests[0], "GET /look?o=1&r=aa "));
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_LOADED);
    assert_string_equal(o.end.document, "56");
    assert_int_equal(script_requests(s), 3);
    assert_non_null(strstr(s->requests[2], "POST /load "));
    script_stop(s);
    bench_destroy(b);
}

static void a_look_up_that_says_neither_there_nor_not_there_loads_nothing_and_loses_nothing(void **state)
{
    (void)state;
    static const struct {
        struct reply_case c;
        const char *pointer;
    } rows[] = {
        {{"HTTP/1.1 202 Accepted\r\nContent-Length: 17\r\n\r\n{\"DocumentId\":55}", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "lookup_url"}, "/DocumentId"},
        {{"HTTP/1.1 204 No Content\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "lookup_url"}, ""},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "document_pointer"}, "/DocumentId"},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", SCRIPT_CLOSE, FATE_LOADED, false, -1, ""}, ""}, /* 200 is enough there */
        {{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "web page"}, ""},
        {{"HTTP/1.1 404 No\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "web page"}, ""},
        {{"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "lookup_url"}, ""},
        {{"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "lookup_url"}, ""},
        {{"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "credential"}, ""},
        {{"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, -1, "500"}, ""},
        {{"HTTP/1.1 503 Later\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE, FATE_PAUSE, false, 7000, "503"}, ""},
        {{"", SCRIPT_CLOSE, FATE_AGAIN, false, -1, ""}, ""},
        {{NULL, SCRIPT_KEEP, FATE_PAUSE, false, -1, "no answer in time"}, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct reply_case *c = &rows[i].c;
        struct script_row row = {c->reply, c->then};
        struct bench *b;
        struct scripted_server *s = script_lookup(&b, &row, 1, rows[i].pointer);
        struct order o;
        enum fate fate = load(b, order(&o, 1, 10, "aa", false));
        if (fate != c->fate || o.end.v.ambiguous || o.end.v.retry_after_ms != c->retry_after || strstr(o.end.words, c->words) == NULL)
            fail_msg("row %zu: %s, ambiguous %d, retry after %lld: %s", i, fate_name(fate), o.end.v.ambiguous,
                     (long long)o.end.v.retry_after_ms, o.end.words);
        assert_true(script_requests(s) >= 1);
        for (size_t n = 0; n < script_requests(s); n++)
            assert_memory_equal(s->requests[n], "GET ", 4);
        script_stop(s);
        bench_destroy(b);
    }
}

static void an_erp_that_nobody_hears_is_down_and_nothing_was_loaded(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    char url[60];
    struct order o;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/orders", script_dead_port());
    set(b, "erp.http.url", "%s", url);
    open_sink(b, "http");
    assert_false(b->sink->ops->withdraws(b->sink)); /* not configured */
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_PAUSE);
    assert_false(o.end.v.ambiguous);
    bench_destroy(b);
}

/* Runs the loop until the sink said so `times`. */
static void wait_told(struct bench *b, int times)
{
    int64_t end = loop_now(b->loop) + PATIENCE_MS;
    while (b->told < times && loop_now(b->loop) < end)
        loop_turn(b->loop, 10);
    assert_true(b->told >= times);
}

static void an_erp_that_is_absent_is_told_before_any_order_until_it_is_there(void **state)
{
    (void)state;
    struct script_row row = {"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"DocumentId\":55}", SCRIPT_KEEP};
    struct bench *b = bench_create();
    struct scripted_server *s = script_start(&row, 1);
    set(b, "erp.http.url", "http://127.0.0.1:%d/orders/{order_id}", script_dead_port());
    set(b, "erp.probe_min", "%s", "5ms");
    open_sink(b, "http");
    assert_int_equal(b->told, 0); /* never from inside open */
    wait_told(b, 3);
    assert_false(b->there);
    assert_non_null(strstr(b->there_words, "cannot be reached"));
    close_sink(b);
    b->values_n = 0;
    b->told = 0;
    set(b, "erp.http.url", "http://127.0.0.1:%d/orders/{order_id}", s->port);
    open_sink(b, "http");
    wait_told(b, 1);
    assert_true(b->there);
    for (int i = 0; i < 10; i++)
        loop_turn(b->loop, 10);
    assert_int_equal(b->told, 1);
    assert_int_equal(script_requests(s), 0); /* nothing that could be taken for a load */
    assert_int_equal(s->accepted, 1);
    bench_destroy(b);
    script_stop(s);
}

static void an_order_that_reaches_the_erp_ends_the_looking(void **state)
{
    (void)state;
    struct script_row row = {"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE};
    struct bench *b;
    struct scripted_server *s = script_http(&b, &row, 1, NULL, NULL);
    struct order o;
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_PAUSE);
    wait_told(b, 1);
    assert_true(b->there); /* once: the callback holds it to that */
    script_stop(s);
    bench_destroy(b);
}

static void a_host_that_depends_on_the_order_is_not_looked_at(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    set(b, "erp.http.url", "%s", "http://{warehouse}.invalid/orders");
    open_sink(b, "http");
    wait_told(b, 1);
    assert_true(b->there);
    bench_destroy(b);
}

static void wrong_settings_are_all_told(void **state)
{
    (void)state;
    static const char *const overrides[] = {
        "kafka.bootstrap.servers=x:1", "erp.http.url=http://x/{order}", "erp.http.lookup_url=http://x/}", "erp.http.document_pointer=id",
        "erp.http.header=nonsense", "erp.http.client_key=/k", "registry.url=http://x", "consumer.concurrency=300"};
    struct config_source source = {.overrides = overrides, .overrides_n = 8, .program = CONFIG_CONSUMER};
    struct config_problems problems = {.count = 0};
    struct config *c = NULL;
    buf_init(&problems.text, 10000);
    assert_int_equal(config_load(&source, &c, &problems), RC_OK);
    erp_sink_find("http")->check(c, &problems);
    assert_int_equal(problems.count, 6);
    erp_sink_find("file")->check(c, &problems);
    assert_int_equal(problems.count, 8);
    assert_null(erp_sink_find("fax"));
    config_destroy(c);
    buf_release(&problems.text);
}

/* How many problems the http sink's check finds when `setting` is added to sound ones; *text owned by the caller. */
static unsigned problems_with(const char *setting, char **text)
{
    const char *overrides[] = {"kafka.bootstrap.servers=x:1", "registry.url=http://x", "erp.http.url=http://x/", setting};
    struct config_source source = {.overrides = overrides, .overrides_n = 4, .program = CONFIG_CONSUMER};
    struct config_problems problems = {.count = 0};
    struct config *c = NULL;
    buf_init(&problems.text, 10000);
    assert_int_equal(config_load(&source, &c, &problems), RC_OK);
    erp_sink_find("http")->check(c, &problems);
    *text = strdup(problems.count > 0 ? buf_text(&problems.text) : "");
    assert_non_null(*text);
    config_destroy(c);
    buf_release(&problems.text);
    return problems.count;
}

static void what_no_request_can_carry_is_told_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *words;
    } rows[] = {
        {"erp.http.header=X-One: geheim\tgeheim", "line 1: a control character"},
        {"erp.http.header=X-One: 1\nX-Two: geheim\x7f", "line 2: a control character"},
        {"erp.http.header=: geheim", "line 1: write Name: value"},
        {"erp.http.authorization=Bearer geheim\tx", "authorization: more than one line"},
        {"erp.http.authorization=Bearer geheim\nX-Other: 1", "authorization: more than one line"},
        {"erp.http.document_header=X:", "not the name of a header"},
        {"erp.http.token_url=http://x/token", "client_id: is needed"},
        {"erp.http.header=X-One: 1\nX-Two:\nX-Three: ł", NULL},
        {"erp.http.authorization=Bearer x y", NULL},
    };
    char *text = NULL, longer[9000];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (problems_with(rows[i].setting, &text) != (rows[i].words != NULL) || (rows[i].words != NULL && strstr(text, rows[i].words) == NULL) ||
            strstr(text, "geheim") != NULL)
            fail_msg("row %zu: %s", i, text);
        free(text);
    }
    for (int n = 7200; n <= 7500; n += 300) { /* an organization of 255 bytes may take 765 */
        int at = snprintf(longer, sizeof longer, "erp.http.lookup_url=http://x/{organization}/");
        memset(longer + at, 'a', (size_t)n);
        longer[at + n] = '\0';
        assert_int_equal(problems_with(longer, &text), n > 7400);
        free(text);
    }
}

/* The file sink's own. */

static size_t files(const struct bench *b)
{
    size_t n = 0;
    DIR *d = opendir(b->directory);
    struct dirent *entry;
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(d);
    return n;
}

static bool holds(const struct bench *b, const char *name, const char *content)
{
    char path[500], text[1000];
    (void)snprintf(path, sizeof path, "%s/%s", b->directory, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return strcmp(text, content) == 0;
}

static void the_file_is_the_newest_document_and_nothing_else_is_left(void **state)
{
    struct bench *b = *state;
    struct order one, edit, older;
    load(b, order(&one, 9, 10, "aa", false));
    assert_string_equal(one.end.document, "acme_9_MAG-1.json");
    assert_true(holds(b, "acme_9_MAG-1.json", one.document));
    load(b, order(&edit, 9, 20, "bb", false));
    load(b, order(&older, 9, 15, "cc", false));
    assert_true(holds(b, "acme_9_MAG-1.json", edit.document));
    assert_int_equal(files(b), 1);
}

static void a_withdrawal_leaves_its_marker_only(void **state)
{
    struct bench *b = *state;
    struct order one, back, late, anew;
    load(b, order(&one, 9, 10, "aa", false));
    load(b, order(&back, 9, 20, "aa", true));
    assert_int_equal(files(b), 1);
    load(b, order(&late, 9, 15, "aa", false));
    assert_true(holds(b, "acme_9_MAG-1.withdrawn.json", back.document));
    assert_int_equal(files(b), 1);
    load(b, order(&anew, 9, 30, "aa", false));
    assert_true(holds(b, "acme_9_MAG-1.json", anew.document));
    assert_int_equal(files(b), 1);
}

static void unsafe_names_are_encoded(void **state)
{
    struct bench *b = *state;
    struct order o;
    order(&o, 9, 10, "aa", false);
    o.load.organization = "../a_b";
    o.load.warehouse = "Łódź";
    assert_int_equal(load(b, &o), FATE_LOADED);
    assert_string_equal(o.end.document, "%2E%2E%2Fa%5Fb_9_%C5%81%C3%B3d%C5%BA.json");
    assert_int_equal(files(b), 1);
}

static void a_name_that_is_too_long_is_the_orders_own_fault(void **state)
{
    struct order o;
    char organization[400];
    memset(organization, 'x', sizeof organization - 1);
    organization[sizeof organization - 1] = '\0';
    order(&o, 9, 10, "aa", false);
    o.load.organization = organization;
    assert_int_equal(load(*state, &o), FATE_REJECT);
}

static void put_file(const struct bench *b, const char *name, const char *content)
{
    char path[500];
    (void)snprintf(path, sizeof path, "%s/%s", b->directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void a_half_written_file_of_a_crash_is_written_over(void **state)
{
    struct bench *b = *state;
    struct order o;
    put_file(b, "acme_9_MAG-1.json", "{\"publica");
    assert_int_equal(load(b, order(&o, 9, 10, "aa", false)), FATE_LOADED);
    assert_true(holds(b, "acme_9_MAG-1.json", o.document));
    assert_int_equal(files(b), 1);
}

static void what_crashes_left_half_written_is_removed_at_the_start_and_nothing_else(void **state)
{
    struct bench *b = *state;
    close_sink(b);
    b->told = 0;
    put_file(b, ".xsale-bridge-1-00ff.part", "{\"publica");
    put_file(b, ".someone-elses.part", "x");
    put_file(b, "acme_9_MAG-1.json", "x");
    open_sink(b, "file");
    wait_told(b, 1);
    assert_int_equal(files(b), 2);
    assert_true(holds(b, ".someone-elses.part", "x"));
}

static void a_withdrawal_is_never_the_document_of_a_warehouse_with_such_a_name(void **state)
{
    struct bench *b = *state;
    struct order back, other, late;
    assert_int_equal(load(b, order(&back, 9, 20, "aa", true)), FATE_LOADED);
    order(&other, 9, 10, "aa", false)->load.warehouse = "MAG-1.withdrawn";
    assert_int_equal(load(b, &other), FATE_LOADED);
    assert_int_equal(files(b), 2);
    assert_true(holds(b, "acme_9_MAG-1.withdrawn.json", back.document));
    assert_true(holds(b, "acme_9_MAG-1%2Ewithdrawn.json", other.document));
    assert_int_equal(load(b, order(&late, 9, 15, "aa", false)), FATE_LOADED);
    assert_int_equal(files(b), 2); /* still known to be withdrawn */
}

/* The sink's fsync is this one: it counts, and hangs on demand. */
static atomic_int directory_flushes;
static atomic_bool hangs;
static sem_t hanging, go_on;

int fsync(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        atomic_fetch_add(&directory_flushes, 1);
    if (atomic_load(&hangs)) {
        (void)sem_post(&hanging);
        (void)sem_wait(&go_on);
    }
    return fdatasync(fd);
}

static void every_success_is_flushed_with_its_directory(void **state)
{
    struct bench *b = *state;
    struct order one, again, older, back, back_again;
    atomic_store(&directory_flushes, 0);
    assert_int_equal(load(b, order(&one, 9, 10, "aa", false)), FATE_LOADED);
    assert_int_equal(atomic_load(&directory_flushes), 1);
    assert_int_equal(load(b, order(&again, 9, 10, "aa", false)), FATE_LOADED); /* its first life may have ended before the flush */
    assert_int_equal(atomic_load(&directory_flushes), 2);
    assert_int_equal(load(b, order(&older, 9, 5, "bb", false)), FATE_LOADED);
    assert_int_equal(atomic_load(&directory_flushes), 3);
    assert_int_equal(load(b, order(&back, 9, 20, "aa", true)), FATE_LOADED);
    assert_int_equal(load(b, order(&back_again, 9, 20, "aa", true)), FATE_LOADED);
    assert_int_equal(atomic_load(&directory_flushes), 5);
}

static void a_file_system_that_hangs_does_not_keep_the_program(void **state)
{
    struct bench *b = *state;
    struct order one, two;
    assert_int_equal(sem_init(&hanging, 0, 0), 0);
    assert_int_equal(sem_init(&go_on, 0, 0), 0);
    atomic_store(&hangs, true);
#ifdef __SANITIZE_ADDRESS__
    __lsan_disable(); /* what is left behind stays */
#endif
    submit(b, order(&one, 9, 10, "aa", false));
#ifdef __SANITIZE_ADDRESS__
    __lsan_enable();
#endif
    submit(b, order(&two, 10, 10, "aa", false));
    assert_int_equal(sem_wait(&hanging), 0);
    int64_t began = loop_now(b->loop);
    close_sink(b);
    assert_in_range(loop_now(b->loop) - began, 500, PATIENCE_MS);
    assert_int_equal(one.end.calls + two.end.calls, 0);
    memset(&one, 'x', sizeof one); /* it goes on with nothing of ours */
    atomic_store(&hangs, false);
    (void)sem_post(&go_on);
    for (int i = 0; i < PATIENCE_MS / 10 && files(b) != 1; i++)
        (void)usleep(10000);
    (void)usleep(50000);
    assert_true(files(b) == 1);
}

static void a_directory_that_another_one_writes_to_is_waited_for(void **state)
{
    struct bench *b = *state;
    struct order o;
    int directory = open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    wait_told(b, 1);
    assert_true(directory >= 0);
    assert_int_equal(flock(directory, LOCK_EX), 0);
    submit(b, order(&o, 9, 10, "aa", false));
    for (int i = 0; i < 10; i++)
        loop_turn(b->loop, 10);
    assert_int_equal(o.end.calls, 0);
    assert_int_equal(files(b), 0);
    assert_int_equal(flock(directory, LOCK_UN), 0);
    assert_int_equal(finish(b, &o), FATE_LOADED);
    (void)close(directory);
}

static void two_programs_in_one_directory_leave_the_newest(void **state)
{
    static struct order orders[2][MANY];
    struct bench *b = *state, *other = bench_create();
    (void)snprintf(other->values[0], sizeof other->values[0], "erp.file.directory=%s", b->directory);
    other->values_n = 1;
    open_sink(other, "file");
    for (int i = 0; i < MANY; i++) {
        submit(b, order(&orders[0][i], 9, 10 + i, "aa", false));
        submit(other, order(&orders[1][i], 9, 10 + MANY - i, "bb", false));
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(finish(b, &orders[0][i]), FATE_LOADED);
        assert_int_equal(finish(other, &orders[1][i]), FATE_LOADED);
    }
    assert_int_equal(files(b), 1);
    assert_true(holds(b, "acme_9_MAG-1.json", orders[1][0].document));
    bench_destroy(other);
}

static void a_directory_is_told_before_any_order_until_it_can_be_written(void **state)
{
    struct bench *b = *state;
    close_sink(b);
    b->told = 0;
    assert_int_equal(rmdir(b->directory), 0);
    set(b, "erp.probe_min", "%s", "5ms");
    open_sink(b, "file");
    assert_int_equal(b->told, 0);
    wait_told(b, 2);
    assert_false(b->there);
    assert_non_null(strstr(b->there_words, "no such directory"));
    assert_int_equal(mkdir(b->directory, 0700), 0);
    for (int64_t end = loop_now(b->loop) + PATIENCE_MS; !b->there && loop_now(b->loop) < end;)
        loop_turn(b->loop, 10);
    assert_true(b->there);
    assert_int_equal(files(b), 0);
}

static void a_directory_whose_own_name_is_too_long_is_nobodys_orders_fault(void **state)
{
    struct bench *b = bench_create();
    struct order o;
    char name[270];
    (void)state;
    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    set(b, "erp.file.directory", "/tmp/%s", name);
    open_sink(b, "file");
    assert_int_equal(load(b, order(&o, 9, 10, "aa", false)), FATE_PAUSE);
    assert_non_null(strstr(o.end.words, "erp.file.directory"));
    bench_destroy(b);
}

/* Problems of a view with this field besides orderId. */
static unsigned view_problems(const char *directory, const char *sink, const char *field)
{
    char path[100], view[120], file[120], setting[60];
    (void)snprintf(path, sizeof path, "%s/view.avsc", directory);
    (void)snprintf(view, sizeof view, "erp.view=%s", path);
    (void)snprintf(file, sizeof file, "erp.file.directory=%s", directory);
    (void)snprintf(setting, sizeof setting, "erp.sink=%s", sink);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"orderId\",\"type\":\"long\"}%s]}", field) > 0);
    assert_int_equal(fclose(f), 0);
    const char *overrides[] = {"kafka.bootstrap.servers=x:1", "registry.url=http://x", view, file, setting};
    struct config_source source = {.overrides = overrides, .overrides_n = 5, .program = CONFIG_CONSUMER};
    struct config_problems problems = {.count = 0};
    struct config *c = NULL;
    buf_init(&problems.text, 10000);
    assert_int_equal(config_load(&source, &c, &problems), RC_OK);
    erp_view_check(c, &problems);
    assert_true(problems.count == 0 || strstr(buf_text(&problems.text), "publication") != NULL);
    config_destroy(c);
    buf_release(&problems.text);
    return problems.count;
}

static void a_view_without_the_publication_gives_no_files(void **state)
{
    const struct bench *b = *state;
    static const char millis[] = ",{\"name\":\"publication\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"json\":\"millis\"}";
    static const char moment[] = ",{\"name\":\"publication\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}";
    assert_int_equal(view_problems(b->directory, "file", millis), 0);
    assert_int_equal(view_problems(b->directory, "file", moment), 1); /* printed as a text */
    assert_int_equal(view_problems(b->directory, "file", ""), 1);
    assert_int_equal(view_problems(b->directory, "http", ""), 0);
    assert_int_equal(view_problems(b->directory, "file", ",{\"name\":\"publication\",\"type\":\"long\",\"erp\":\"At\"}"), 1);
}

static void a_directory_that_is_missing_pauses_until_it_is_there(void **state)
{
    struct bench *b = *state;
    struct order o;
    assert_int_equal(rmdir(b->directory), 0);
    assert_int_equal(load(b, order(&o, 9, 10, "aa", false)), FATE_PAUSE);
    assert_non_null(strstr(o.end.words, "erp.file.directory"));
    assert_int_equal(mkdir(b->directory, 0700), 0);
    assert_int_equal(load(b, order(&o, 9, 10, "aa", false)), FATE_LOADED);
}

#define of_file(test) {#test, test, open_file, close_all, NULL}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SINK_CONTRACT("http", open_http),
        SINK_CONTRACT("file", open_file),
        cmocka_unit_test(each_answer_has_its_fate),
        cmocka_unit_test(the_request_says_what_it_is),
        cmocka_unit_test(a_withdrawal_is_done_when_the_erp_itself_says_that_nothing_is_there),
        cmocka_unit_test(an_answer_that_means_exists_already_is_loaded),
        cmocka_unit_test(the_document_may_be_named_by_a_header),
        cmocka_unit_test(the_users_fates_go_before_ours),
        cmocka_unit_test(a_token_is_asked_for_once_and_again_when_it_is_refused),
        cmocka_unit_test(without_a_token_everything_waits),
        cmocka_unit_test(every_load_is_looked_up_first),
        cmocka_unit_test(a_look_up_that_says_neither_there_nor_not_there_loads_nothing_and_loses_nothing),
        cmocka_unit_test(an_erp_that_nobody_hears_is_down_and_nothing_was_loaded),
        cmocka_unit_test(an_erp_that_is_absent_is_told_before_any_order_until_it_is_there),
        cmocka_unit_test(an_order_that_reaches_the_erp_ends_the_looking),
        cmocka_unit_test(a_host_that_depends_on_the_order_is_not_looked_at),
        cmocka_unit_test(wrong_settings_are_all_told),
        cmocka_unit_test(what_no_request_can_carry_is_told_at_once),
        of_file(the_file_is_the_newest_document_and_nothing_else_is_left),
        of_file(a_withdrawal_leaves_its_marker_only),
        of_file(unsafe_names_are_encoded),
        of_file(a_name_that_is_too_long_is_the_orders_own_fault),
        of_file(a_half_written_file_of_a_crash_is_written_over),
        of_file(what_crashes_left_half_written_is_removed_at_the_start_and_nothing_else),
        of_file(a_withdrawal_is_never_the_document_of_a_warehouse_with_such_a_name),
        of_file(every_success_is_flushed_with_its_directory),
        of_file(a_file_system_that_hangs_does_not_keep_the_program),
        of_file(a_directory_that_another_one_writes_to_is_waited_for),
        of_file(two_programs_in_one_directory_leave_the_newest),
        of_file(a_directory_is_told_before_any_order_until_it_can_be_written),
        cmocka_unit_test(a_directory_whose_own_name_is_too_long_is_nobodys_orders_fault),
        of_file(a_view_without_the_publication_gives_no_files),
        of_file(a_directory_that_is_missing_pauses_until_it_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
