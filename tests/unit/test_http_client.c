#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/net/http_client.h"
#include "tests/unit/scripted_server.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

struct got {
    int calls;
    enum http_end end;
    int status, curl_code;
    char body[256], words[400], location[200], type[100];
    size_t body_n;
    int64_t retry_after_ms, took_ms;
};

struct world {
    struct loop *loop;
    struct http_client *client;
    struct scripted_server *server;
    char url[64];
    struct err e;
    struct got got[16];
};

enum { PATIENCE_MS = 60000, SHORT_MS = 500 };

/* Times that no test reaches on a busy machine; what is about time sets SHORT_MS. */
static struct http_settings settings(void)
{
    return (struct http_settings){.user_agent = "test/1",
                                  .insecure = true,
                                  .connect_timeout_ms = 40000,
                                  .timeout_ms = 40000,
                                  .max_body = 100000};
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.loop = loop_create(NULL, &w.e);
    *state = &w;
    return w.loop != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_client_destroy(w->client);
    loop_destroy(w->loop);
    script_stop(w->server);
    return 0;
}

static void begin(struct world *w, struct http_settings s, const struct script_row *rows, size_t rows_n)
{
    w->client = http_client_create(w->loop, &s, &w->e);
    assert_non_null(w->client);
    if (rows_n > 0)
        w->server = script_start(rows, rows_n);
    (void)snprintf(w->url, sizeof w->url, "http://127.0.0.1:%d/x",
                   rows_n > 0 ? w->server->port : script_dead_port());
}

static void on_done(void *arg, const struct http_reply *r)
{
    struct got *g = arg;
    g->calls++;
    g->end = r->end;
    g->status = r->status;
    g->curl_code = r->curl_code;
    g->body_n = r->body_n;
    g->retry_after_ms = r->retry_after_ms;
    g->took_ms = r->took_ms;
    assert_int_equal(r->body[r->body_n], '\0');
    (void)snprintf(g->body, sizeof g->body, "%s", r->body);
    (void)snprintf(g->words, sizeof g->words, "%s", r->words);
    (void)snprintf(g->location, sizeof g->location, "%s", r->location);
    (void)snprintf(g->type, sizeof g->type, "%s", r->content_type);
}

static struct http_call *get(struct world *w, struct got *g)
{
    struct http_request r = {.method = "GET", .url = w->url};
    struct http_call *call = http_submit(w->client, &r, on_done, g, &w->e);
    assert_non_null(call);
    assert_int_equal(g->calls, 0);
    return call;
}

static void wait_all(struct world *w)
{
    int64_t end = loop_now(w->loop) + PATIENCE_MS;
    while (http_pending(w->client) > 0 && loop_now(w->loop) < end)
        loop_turn(w->loop, 100);
    assert_int_equal(http_pending(w->client), 0);
}

/* Until the server holds no more than n connections. */
static void wait_open(struct world *w, size_t n)
{
    int64_t end = loop_now(w->loop) + PATIENCE_MS;
    while (script_open(w->server) > n && loop_now(w->loop) < end)
        loop_turn(w->loop, 10);
    assert_int_equal(script_open(w->server), n);
}

/* A busy machine may use the time up before the request goes out: that was not sent, so the server has not seen it, and it is tried again. */
static struct got *get_in_short_time(struct world *w, const char *reply)
{
    struct got *g = &w->got[0];
    struct http_settings s = settings();
    s.timeout_ms = SHORT_MS;
    begin(w, s, &(struct script_row){reply, SCRIPT_KEEP}, 1);
    for (int i = 0; i < 20; i++) {
        memset(g, 0, sizeof *g);
        get(w, g);
        wait_all(w);
        assert_int_equal(g->calls, 1);
        if (g->end != HTTP_NOT_SENT)
            break;
        (void)usleep(200000);
        assert_int_equal(script_requests(w->server), 0);
    }
    return g;
}

static struct got *get_one(struct world *w, const char *reply, enum script_then then)
{
    begin(w, settings(), &(struct script_row){reply, then}, 1);
    get(w, &w->got[0]);
    wait_all(w);
    assert_int_equal(w->got[0].calls, 1);
    return &w->got[0];
}

static void a_whole_reply_is_told_with_its_parts(void **state)
{
    struct got *g = get_one(
        *state,
        "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nContent-Type: text/x\r\nLocation: /doc/7\r\n\r\nhello",
        SCRIPT_KEEP);
    assert_int_equal(g->end, HTTP_REPLIED);
    assert_int_equal(g->status, 201);
    assert_int_equal(g->curl_code, 0);
    assert_string_equal(g->body, "hello");
    assert_int_equal(g->body_n, 5);
    assert_string_equal(g->type, "text/x");
    assert_string_equal(g->location, "/doc/7");
    assert_string_equal(g->words, "HTTP 201");
    assert_int_equal(g->retry_after_ms, -1);
}

static void a_reply_without_body_has_an_empty_text(void **state)
{
    struct got *g = get_one(*state, "HTTP/1.1 204 No Content\r\n\r\n", SCRIPT_KEEP);
    assert_int_equal(g->end, HTTP_REPLIED);
    assert_int_equal(g->status, 204);
    assert_string_equal(g->body, "");
    assert_string_equal(g->location, "");
}

static void a_request_arrives_as_it_was_given(void **state)
{
    struct world *w = *state;
    begin(w, settings(), &(struct script_row){OK_REPLY, SCRIPT_KEEP}, 1);
    char url[128];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/a/../b?q=%%20x", w->server->port);
    const char *headers[] = {"X-One: 1", "content-type: application/json"};
    struct http_request r = {.method = "PUT",
                             .url = url,
                             .headers = headers,
                             .headers_n = 2,
                             .body = "{\"a\":\0"
                                     "1}",
                             .body_n = 8,
                             .username = "u",
                             .password = "p"};
    assert_non_null(http_submit(w->client, &r, on_done, &w->got[0], &w->e));
    wait_all(w);
    const char *sent = w->server->requests[0];
    assert_non_null(sent);
    assert_ptr_equal(strstr(sent, "PUT /a/../b?q=%20x HTTP/1.1\r\n"), sent);
    assert_non_null(strstr(sent, "X-One: 1\r\n"));
    assert_non_null(strstr(sent, "content-type: application/json\r\n"));
    assert_null(strstr(sent, "urlencoded"));
    assert_null(strstr(sent, "Expect"));
    assert_non_null(strstr(sent, "Authorization: Basic dTpw\r\n"));
    assert_non_null(strstr(sent, "User-Agent: test/1\r\n"));
    assert_non_null(strstr(sent, "Accept-Encoding: gzip\r\n"));
    assert_non_null(strstr(sent, "Content-Length: 8\r\n"));
}

static void nothing_of_a_request_stays_for_the_next_one(void **state)
{
    struct world *w = *state;
    begin(w, settings(), &(struct script_row){OK_REPLY, SCRIPT_KEEP}, 1);
    const char *headers[] = {"X-One: 1"};
    struct http_request r = {.method = "PATCH",
                             .url = w->url,
                             .headers = headers,
                             .headers_n = 1,
                             .body = "secret",
                             .body_n = 6,
                             .username = "u"};
    assert_non_null(http_submit(w->client, &r, on_done, &w->got[0], &w->e));
    wait_all(w);
    get(w, &w->got[1]);
    wait_all(w);
    const char *sent = w->server->requests[1];
    assert_ptr_equal(strstr(sent, "GET /x HTTP/1.1\r\n"), sent);
    assert_null(strstr(sent, "Authorization"));
    assert_null(strstr(sent, "X-One"));
    assert_null(strstr(sent, "secret"));
    assert_int_equal(w->server->accepted, 1); /* the connection was reused */
}

static void a_body_is_copied_unless_it_stays(void **state)
{
    struct world *w = *state;
    begin(w, settings(), &(struct script_row){OK_REPLY, SCRIPT_KEEP}, 1);
    char body[] = "12345678";
    struct http_request r = {.method = "POST", .url = w->url, .body = body, .body_n = sizeof body - 1};
    assert_non_null(http_submit(w->client, &r, on_done, &w->got[0], &w->e));
    body[0] = 'X'; /* no caller that says "it stays" may do this */
    wait_all(w);
    r.body_stays = true;
    assert_non_null(http_submit(w->client, &r, on_done, &w->got[1], &w->e));
    body[0] = 'Y';
    wait_all(w);
    assert_non_null(strstr(w->server->requests[0], "\r\n\r\n12345678"));
    assert_non_null(strstr(w->server->requests[1], "\r\n\r\nY2345678"));
    assert_non_null(strstr(w->server->requests[1], "Content-Length: 8\r\n"));
}

static void a_post_without_body_says_so_and_is_no_form(void **state)
{
    struct world *w = *state;
    begin(w, settings(), &(struct script_row){OK_REPLY, SCRIPT_KEEP}, 1);
    struct http_request r = {.method = "POST", .url = w->url};
    assert_non_null(http_submit(w->client, &r, on_done, &w->got[0], &w->e));
    r.method = "DELETE";
    wait_all(w);
    assert_non_null(http_submit(w->client, &r, on_done, &w->got[1], &w->e));
    wait_all(w);
    assert_non_null(strstr(w->server->requests[0], "Content-Length: 0\r\n"));
    assert_null(strstr(w->server->requests[0], "Content-Type"));
    assert_ptr_equal(strstr(w->server->requests[1], "DELETE /x"), w->server->requests[1]);
}

static void a_refused_connection_was_not_sent(void **state)
{
    struct world *w = *state;
    begin(w, settings(), NULL, 0);
    get(w, &w->got[0]);
    wait_all(w);
    assert_int_equal(w->got[0].end, HTTP_NOT_SENT);
    assert_int_equal(w->got[0].status, 0);
    assert_string_equal(w->got[0].body, "");
    assert_non_null(strstr(w->got[0].words, "connect"));
}

static void an_unknown_host_was_not_sent(void **state)
{
    struct world *w = *state;
    begin(w, settings(), NULL, 0);
    (void)snprintf(w->url, sizeof w->url, "http://no-such-host.invalid/");
    get(w, &w->got[0]);
    wait_all(w);
    assert_int_equal(w->got[0].end, HTTP_NOT_SENT);
}

static void a_handshake_that_never_ends_was_not_sent(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.timeout_ms = SHORT_MS;
    begin(w, s, &(struct script_row){NULL, SCRIPT_KEEP}, 1);
    (void)snprintf(w->url, sizeof w->url, "https://127.0.0.1:%d/", w->server->port);
    get(w, &w->got[0]);
    wait_all(w);
    assert_int_equal(w->got[0].end, HTTP_NOT_SENT);
    assert_int_equal(w->got[0].curl_code, CURLE_OPERATION_TIMEDOUT);
}

static void a_server_that_speaks_no_tls_was_not_sent(void **state)
{
    struct world *w = *state;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    begin(w, settings(), NULL, 0);
    (void)snprintf(w->url, sizeof w->url, "https://127.0.0.1:%d/", ntohs(at.sin_port));
    get(w, &w->got[0]);
    struct pollfd came = {listener, POLLIN, 0};
    while (poll(&came, 1, 0) != 1)
        loop_turn(w->loop, 20);
    int fd = accept(listener, NULL, NULL);
    script_send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    wait_all(w);
    assert_int_equal(w->got[0].end, HTTP_NOT_SENT);
    (void)close(fd);
    (void)close(listener);
}

static void a_server_that_never_answers_is_ambiguous(void **state)
{
    struct got *g = get_in_short_time(*state, NULL);
    assert_int_equal(g->end, HTTP_AMBIGUOUS);
    assert_int_equal(g->status, 0);
    assert_in_range(g->took_ms, SHORT_MS - 50, PATIENCE_MS / 2); /* not the connection's patience */
}

static void a_connection_closed_before_the_reply_is_ambiguous(void **state)
{
    assert_int_equal(get_one(*state, "", SCRIPT_CLOSE)->end, HTTP_AMBIGUOUS);
}

static void a_reply_cut_in_its_headers_is_ambiguous(void **state)
{
    assert_int_equal(get_one(*state, "HTTP/1.1 200 OK\r\nContent-Le", SCRIPT_CLOSE)->end, HTTP_AMBIGUOUS);
}

static void a_body_shorter_than_announced_is_ambiguous_and_not_shown(void **state)
{
    struct got *g = get_one(*state, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", SCRIPT_CLOSE);
    assert_int_equal(g->end, HTTP_AMBIGUOUS);
    assert_int_equal(g->status, 200);
    assert_int_equal(g->body_n, 0);
}

static void a_chunked_body_that_is_cut_is_ambiguous(void **state)
{
    struct got *g =
        get_one(*state, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", SCRIPT_CLOSE);
    assert_int_equal(g->end, HTTP_AMBIGUOUS);
}

static void broken_gzip_is_ambiguous(void **state)
{
    struct got *g =
        get_one(*state, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
                SCRIPT_KEEP);
    assert_int_equal(g->end, HTTP_AMBIGUOUS);
}

static void garbage_is_ambiguous(void **state)
{
    assert_int_equal(get_one(*state, "\x01\x02 hello, I am no HTTP server\r\n\r\n", SCRIPT_CLOSE)->end,
                     HTTP_AMBIGUOUS);
}

static void a_body_that_never_ends_meets_the_time_out(void **state)
{
    struct got *g = get_in_short_time(*state, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    assert_int_equal(g->end, HTTP_AMBIGUOUS);
    assert_int_equal(g->curl_code, CURLE_OPERATION_TIMEDOUT);
}

static void a_body_over_the_limit_is_given_up(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.max_body = 4;
    begin(w, s, &(struct script_row){"HTTP/1.1 200 OK\r\n\r\n12345", SCRIPT_CLOSE}, 1);
    get(w, &w->got[0]);
    wait_all(w);
    assert_int_equal(w->got[0].end, HTTP_AMBIGUOUS);
    assert_string_equal(w->got[0].words, "reply larger than 4 bytes");
}

static void a_body_of_exactly_the_limit_is_taken(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.max_body = 5;
    begin(w, s, &(struct script_row){"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", SCRIPT_KEEP}, 1);
    get(w, &w->got[0]);
    wait_all(w);
    assert_int_equal(w->got[0].end, HTTP_REPLIED);
    assert_string_equal(w->got[0].body, "12345");
}

static void a_body_is_read_into_the_buffer_that_is_given_and_no_further_than_its_limit(void **state)
{
    static const struct script_row rows[] = {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", SCRIPT_KEEP},
                                             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n67", SCRIPT_KEEP},
                                             {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456", SCRIPT_KEEP}};
    static const char *const bodies[] = {"12345", "67"};
    struct world *w = *state;
    struct buf into;
    buf_init(&into, 5);
    buf_put_text(&into, "old");
    begin(w, settings(), rows, 3);
    struct http_request r = {.method = "GET", .url = w->url, .into = &into};
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(http_submit(w->client, &r, on_done, &w->got[i], NULL));
        assert_int_equal(into.n, 0);
        wait_all(w);
        assert_int_equal(w->got[i].end, i < 2 ? HTTP_REPLIED : HTTP_AMBIGUOUS);
        if (i < 2)
            assert_string_equal(buf_text(&into), bodies[i]);
    }
    assert_string_equal(w->got[2].words, "reply larger than 5 bytes");
    buf_release(&into);
}

static void endless_headers_are_given_up(void **state)
{
    static char reply[400000];
    size_t n = (size_t)snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\n");
    while (n < 380000)
        n += (size_t)snprintf(reply + n, sizeof reply - n, "X-%zu: %0100d\r\n", n, 0);
    struct got *g = get_one(*state, reply, SCRIPT_CLOSE);
    assert_int_equal(g->end, HTTP_AMBIGUOUS);
    assert_string_equal(g->words, "reply headers larger than 262144 bytes");
}

static void a_redirect_is_told_and_not_followed(void **state)
{
    struct world *w = *state;
    struct got *g = get_one(
        w, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/y\r\nContent-Length: 0\r\n\r\n", SCRIPT_KEEP);
    assert_int_equal(g->end, HTTP_REPLIED);
    assert_int_equal(g->status, 302);
    assert_string_equal(g->location, "http://127.0.0.1:1/y");
    assert_int_equal(script_requests(w->server), 1);
}

static void retry_after_is_read_as_seconds(void **state)
{
    struct got *g =
        get_one(*state, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", SCRIPT_KEEP);
    assert_int_equal(g->end, HTTP_REPLIED);
    assert_int_equal(g->status, 503);
    assert_int_equal(g->retry_after_ms, 7000);
}

static void retry_after_is_read_as_a_date(void **state)
{
    char reply[200], date[64];
    time_t at = time(NULL) + 600;
    struct tm tm;
    assert_non_null(gmtime_r(&at, &tm));
    assert_true(strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
    (void)snprintf(reply, sizeof reply, "HTTP/1.1 429 Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
                   date);
    assert_in_range(get_one(*state, reply, SCRIPT_KEEP)->retry_after_ms, 500000, 600000);
}

static void a_retry_after_in_the_past_is_now(void **state)
{
    struct got *g = get_one(
        *state,
        "HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n",
        SCRIPT_KEEP);
    assert_int_equal(g->retry_after_ms, 0);
}

static void a_retry_after_of_years_is_cut_to_a_day(void **state)
{
    struct got *g = get_one(
        *state, "HTTP/1.1 503 Busy\r\nRetry-After: 999999999\r\nContent-Length: 0\r\n\r\n", SCRIPT_KEEP);
    assert_int_equal(g->retry_after_ms, 86400000);
}

static void a_request_that_cannot_be_made_is_refused_with_words(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.insecure = false;
    begin(w, s, NULL, 0);
    static const struct {
        const char *method, *url, *header, *words;
    } rows[] = {
        {"GET", "http://127.0.0.1/", NULL, "https"},
        {"GET", "ftp://127.0.0.1/", NULL, "scheme"},
        {"GET", "file:///etc/passwd", NULL, "scheme"},
        {"GET", "https://u:hidden@127.0.0.1/", NULL, "user name"},
        {"GET", "https://127.0.0.1/a\r\nX: 1", NULL, "URL"},
        {"GET", "", NULL, "URL"},
        {"GET", "https://127.0.0.1/", "X: 1\r\nY: 2", "one line"},
        {"GET", "https://127.0.0.1/", "no colon", "one line"},
        {"TRACE", "https://127.0.0.1/", NULL, "method"},
        {"GET\r\n", "https://127.0.0.1/", NULL, "method"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request r = {.method = rows[i].method,
                                 .url = rows[i].url,
                                 .headers = &rows[i].header,
                                 .headers_n = rows[i].header != NULL};
        assert_null(http_submit(w->client, &r, on_done, &w->got[0], &w->e));
        assert_non_null(strstr(w->e.text, rows[i].words));
        assert_null(strstr(w->e.text, "hidden"));
    }
    assert_int_equal(http_pending(w->client), 0);
    assert_int_equal(w->got[0].calls, 0);
}

static void files_that_cannot_be_read_are_refused_at_once(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.ca_file = "/nonexistent/ca.pem";
    assert_null(http_client_create(w->loop, &s, &w->e));
    assert_non_null(strstr(w->e.text, "/nonexistent/ca.pem"));
}

static void a_cancelled_call_is_never_told(void **state)
{
    struct world *w = *state;
    struct http_call *call = NULL;
    begin(w, settings(), &(struct script_row){OK_REPLY, SCRIPT_DELAY}, 1);
    for (size_t i = 0; i < 20 && call == NULL; i++) { /* a busy machine may get its answer before it is cancelled */
        size_t before = script_requests(w->server);
        w->got[0] = (struct got){0};
        call = get(w, &w->got[0]);
        while (script_requests(w->server) == before)
            loop_turn(w->loop, 10);
        if (w->got[0].calls > 0)
            call = NULL;
    }
    assert_non_null(call);
    get(w, &w->got[1]);
    http_cancel(call);
    assert_int_equal(http_pending(w->client), 1);
    wait_all(w);
    loop_turn(w->loop, 20);
    assert_int_equal(w->got[0].calls, 0);
    assert_int_equal(w->got[1].calls, 1);
}

static void a_client_may_go_with_calls_under_way(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.max_connections = 2;
    begin(w, s, &(struct script_row){NULL, SCRIPT_KEEP}, 1);
    for (int i = 0; i < 5; i++)
        get(w, &w->got[i]);
    loop_turn(w->loop, 20);
    http_client_destroy(w->client);
    w->client = NULL;
    loop_turn(w->loop, 20);
    for (int i = 0; i < 5; i++)
        assert_int_equal(w->got[i].calls, 0);
}

struct destroyer {
    struct world *w;
    int calls;
};

static void destroy_client(void *arg, const struct http_reply *r)
{
    struct destroyer *d = arg;
    d->calls++;
    http_client_destroy(d->w->client);
    d->w->client = NULL;
    assert_string_equal(r->words, "HTTP 200"); /* the reply outlives the client */
    assert_string_equal(r->content_type, "text/x");
}

static void a_client_may_go_from_inside_a_done(void **state)
{
    struct world *w = *state;
    begin(w, settings(),
          &(struct script_row){"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 0\r\n\r\n",
                               SCRIPT_KEEP},
          1);
    struct destroyer d = {w, 0};
    struct http_request r = {.method = "GET", .url = w->url};
    assert_non_null(http_submit(w->client, &r, destroy_client, &d, &w->e));
    get(w, &w->got[0]);
    int64_t end = loop_now(w->loop) + PATIENCE_MS;
    while (w->client != NULL && loop_now(w->loop) < end)
        loop_turn(w->loop, 50);
    for (int i = 0; i < 3; i++)
        loop_turn(w->loop, 20);
    assert_in_range(d.calls + w->got[0].calls, 1, 2); /* the other one may have been told before */
    assert_int_equal(d.calls, 1);
}

static void two_clients_share_a_loop(void **state)
{
    struct world *w = *state;
    begin(w, settings(), &(struct script_row){OK_REPLY, SCRIPT_KEEP}, 1);
    struct http_settings s = settings();
    struct http_client *other = http_client_create(w->loop, &s, &w->e);
    assert_non_null(other);
    struct http_request r = {.method = "GET", .url = w->url};
    assert_non_null(http_submit(other, &r, on_done, &w->got[1], &w->e));
    get(w, &w->got[0]);
    wait_all(w);
    while (http_pending(other) > 0)
        loop_turn(w->loop, 50);
    http_client_destroy(other);
    assert_int_equal(w->got[0].calls, 1);
    assert_int_equal(w->got[1].calls, 1);
}

static void no_more_connections_than_allowed_are_open_at_once(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.max_connections = 3;
    begin(w, s, &(struct script_row){OK_REPLY, SCRIPT_KEEP}, 1);
    for (int i = 0; i < 16; i++)
        get(w, &w->got[i]);
    assert_int_equal(http_pending(w->client), 16);
    wait_all(w);
    for (int i = 0; i < 16; i++)
        assert_int_equal(w->got[i].status, 200);
    assert_in_range(w->server->open_peak, 1, 3);
    assert_int_equal(script_requests(w->server), 16);
}

static void a_waiting_call_takes_the_place_of_a_cancelled_one(void **state)
{
    struct world *w = *state;
    struct http_settings s = settings();
    s.max_connections = 1;
    const struct script_row rows[] = {{NULL, SCRIPT_KEEP}, {OK_REPLY, SCRIPT_KEEP}};
    begin(w, s, rows, 2);
    struct http_call *stuck = get(w, &w->got[0]);
    get(w, &w->got[1]);
    while (script_requests(w->server) == 0)
        loop_turn(w->loop, 10);
    http_cancel(stuck);
    wait_all(w);
    assert_int_equal(w->got[0].calls, 0);
    assert_int_equal(w->got[1].status, 200);
}

static void a_connection_that_died_while_idle_is_replaced(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{OK_REPLY, SCRIPT_CLOSE}, {OK_REPLY, SCRIPT_KEEP}};
    begin(w, settings(), rows, 2);
    get(w, &w->got[0]);
    wait_all(w);
    get(w, &w->got[1]);
    wait_all(w);
    assert_int_equal(w->got[1].end, HTTP_REPLIED);
    assert_int_equal(w->server->accepted, 2);
}

static void a_kept_connection_that_closes_without_a_byte_repeats_a_get_only(void **state)
{
    struct world *w = *state;
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "GET"};
    const struct script_row rows[] = {{OK_REPLY, SCRIPT_KEEP}, {"", SCRIPT_CLOSE}, {OK_REPLY, SCRIPT_KEEP}};
    for (size_t i = 0; i < 5; i++) {
        bool get = i == 4;
        struct http_request r = {.method = methods[i], .url = w->url};
        begin(w, settings(), rows, 3);
        assert_non_null(http_submit(w->client, &r, on_done, &w->got[2 * i], &w->e));
        wait_all(w);
        assert_non_null(http_submit(w->client, &r, on_done, &w->got[2 * i + 1], &w->e));
        wait_all(w);
        struct got *g = &w->got[2 * i + 1];
        assert_int_equal(g->calls, 1);
        assert_int_equal(g->end, get ? HTTP_REPLIED : HTTP_AMBIGUOUS);
        assert_int_equal(g->curl_code, get ? 0 : CURLE_ABORTED_BY_CALLBACK);
        assert_int_equal(script_requests(w->server), get ? 3 : 2);
        if (!get)
            assert_non_null(strstr(g->words, "closed without an answer"));
        http_client_destroy(w->client);
        script_stop(w->server);
        w->client = NULL;
        w->server = NULL;
    }
}

/* Each time another connection carries the next request, which goes out once; the old one is closed. */
static void what_came_on_a_kept_connection_unasked_for_answers_nobody(void **state)
{
    struct world *w = *state;
    static const char *const methods[] = {"POST", "GET"};
    static const enum script_then thens[] = {SCRIPT_MORE, SCRIPT_DROP};
    for (size_t i = 0; i < 4; i++) {
        const struct script_row rows[] = {{OK_REPLY, thens[i / 2]}, {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine", SCRIPT_KEEP}};
        struct http_request r = {.method = methods[i % 2], .url = w->url};
        begin(w, settings(), rows, 2);
        for (int n = 0; n < 3; n++) {
            struct got *g = &w->got[3 * i + (size_t)n];
            assert_non_null(http_submit(w->client, &r, on_done, g, &w->e));
            wait_all(w);
            assert_int_equal(g->end, HTTP_REPLIED);
            assert_string_equal(g->body, n == 0 ? "hi" : "mine");
            script_wait_later(w->server, 1);
        }
        assert_int_equal(script_requests(w->server), 3);
        assert_int_equal(w->server->accepted, 2); /* the third request went out on the connection of the second one */
        wait_open(w, 1);
        http_client_destroy(w->client);
        script_stop(w->server);
        w->client = NULL;
        w->server = NULL;
    }
}

static void reaching_connects_and_sends_nothing(void **state)
{
    struct world *w = *state;
    begin(w, settings(), &(struct script_row){OK_REPLY, SCRIPT_KEEP}, 1);
    get(w, &w->got[0]); /* its connection stays, and is none of the look's */
    wait_all(w);
    assert_non_null(http_reach(w->client, w->url, on_done, &w->got[1], &w->e));
    assert_int_equal(w->got[1].calls, 0);
    wait_all(w);
    assert_int_equal(w->got[1].calls, 1);
    assert_int_equal(w->got[1].end, HTTP_REPLIED);
    assert_int_equal(w->got[1].status, 0);
    assert_string_equal(w->got[1].words, "connected");
    get(w, &w->got[2]); /* nothing of it stays for the next one */
    wait_all(w);
    assert_int_equal(w->got[2].status, 200);
    assert_int_equal(script_requests(w->server), 2);
    assert_int_equal(w->server->accepted, 2);
    wait_open(w, 1); /* the other is closed */
}

static void reaching_nobody_was_not_sent(void **state)
{
    struct world *w = *state;
    begin(w, settings(), NULL, 0);
    assert_non_null(http_reach(w->client, w->url, on_done, &w->got[0], &w->e));
    wait_all(w);
    assert_int_equal(w->got[0].calls, 1);
    assert_int_equal(w->got[0].end, HTTP_NOT_SENT);
    assert_null(http_reach(w->client, "ftp://127.0.0.1/", on_done, &w->got[0], &w->e));
}

static void reaching_a_server_without_its_tls_was_not_sent(void **state)
{
    struct world *w = *state;
    char url[64];
    begin(w, settings(), &(struct script_row){"not TLS at all\r\n\r\n", SCRIPT_CLOSE}, 1);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%d/", w->server->port);
    struct http_settings s = settings();
    s.connect_timeout_ms = s.timeout_ms = SHORT_MS;
    http_client_destroy(w->client);
    w->client = http_client_create(w->loop, &s, &w->e);
    assert_non_null(w->client);
    assert_non_null(http_reach(w->client, url, on_done, &w->got[0], &w->e));
    wait_all(w);
    assert_int_equal(w->got[0].end, HTTP_NOT_SENT);
}

static void a_path_segment_is_escaped(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    http_escape(&b, "aZ9-._~/ ?\xc5\x82\0x", 14);
    assert_string_equal(buf_text(&b), "aZ9-._~%2F%20%3F%C5%82%00x");
    buf_release(&b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_reply_is_told_with_its_parts),
        TEST(a_reply_without_body_has_an_empty_text),
        TEST(a_request_arrives_as_it_was_given),
        TEST(nothing_of_a_request_stays_for_the_next_one),
        TEST(a_body_is_copied_unless_it_stays),
        TEST(a_post_without_body_says_so_and_is_no_form),
        TEST(a_refused_connection_was_not_sent),
        TEST(an_unknown_host_was_not_sent),
        TEST(a_handshake_that_never_ends_was_not_sent),
        TEST(a_server_that_speaks_no_tls_was_not_sent),
        TEST(a_server_that_never_answers_is_ambiguous),
        TEST(a_connection_closed_before_the_reply_is_ambiguous),
        TEST(a_reply_cut_in_its_headers_is_ambiguous),
        TEST(a_body_shorter_than_announced_is_ambiguous_and_not_shown),
        TEST(a_chunked_body_that_is_cut_is_ambiguous),
        TEST(broken_gzip_is_ambiguous),
        TEST(garbage_is_ambiguous),
        TEST(a_body_that_never_ends_meets_the_time_out),
        TEST(a_body_over_the_limit_is_given_up),
        TEST(a_body_of_exactly_the_limit_is_taken),
        TEST(a_body_is_read_into_the_buffer_that_is_given_and_no_further_than_its_limit),
        TEST(endless_headers_are_given_up),
        TEST(a_redirect_is_told_and_not_followed),
        TEST(retry_after_is_read_as_seconds),
        TEST(retry_after_is_read_as_a_date),
        TEST(a_retry_after_in_the_past_is_now),
        TEST(a_retry_after_of_years_is_cut_to_a_day),
        TEST(a_request_that_cannot_be_made_is_refused_with_words),
        TEST(files_that_cannot_be_read_are_refused_at_once),
        TEST(a_cancelled_call_is_never_told),
        TEST(a_client_may_go_with_calls_under_way),
        TEST(a_client_may_go_from_inside_a_done),
        TEST(two_clients_share_a_loop),
        TEST(no_more_connections_than_allowed_are_open_at_once),
        TEST(a_waiting_call_takes_the_place_of_a_cancelled_one),
        TEST(a_connection_that_died_while_idle_is_replaced),
        TEST(a_kept_connection_that_closes_without_a_byte_repeats_a_get_only),
        TEST(what_came_on_a_kept_connection_unasked_for_answers_nobody),
        TEST(reaching_connects_and_sends_nothing),
        TEST(reaching_nobody_was_not_sent),
        TEST(reaching_a_server_without_its_tls_was_not_sent),
        TEST(a_path_segment_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
