#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/http_client.h"
#include "common/net/web_site.h"
#include "tests/unit/scripted_server.h"

#define TOKEN "a-token-of-20-characters"

struct world {
    struct loop *loop;
    struct http_client *client;
    struct web_site *site;
    const char *token;
    struct err e;
    int calls, status;
    char body[20000], policy[1000], challenge[200], storing[100], framing[100];
};

static const char *token(void *arg)
{
    return ((struct world *)arg)->token;
}

static unsigned print_echo(void *arg, const struct web_request *r, struct buf *out)
{
    (void)arg;
    const char *q = web_request_value(r, "q");
    buf_printf(out, "nonce=%s q=%s", r->nonce, q != NULL ? q : "(none)");
    return 200;
}

static unsigned print_huge(void *arg, const struct web_request *r, struct buf *out)
{
    (void)arg;
    (void)r;
    for (size_t i = 0; i <= WEB_PAGE_MAX; i++)
        buf_put_byte(out, 'x');
    return 200;
}

static const struct web_page pages[] = {
    {"/", "text/html; charset=utf-8", print_echo},
    {"/huge", "text/html; charset=utf-8", print_huge},
};

static enum rc open_site(struct world *w, const char *address)
{
    struct web_site_desc d = {.address = address, .token = token, .pages = pages, .pages_n = 2, .arg = w};
    return web_site_create(w->loop, &d, &w->site, &w->e);
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.token = "";
    w.loop = loop_create(NULL, &w.e);
    struct http_settings s = {.insecure = true, .connect_timeout_ms = 40000, .timeout_ms = 40000, .max_body = 19999};
    w.client = w.loop != NULL ? http_client_create(w.loop, &s, &w.e) : NULL;
    *state = &w;
    return w.client != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_client_destroy(w->client);
    web_site_destroy(w->site);
    loop_destroy(w->loop);
    return 0;
}

static void note(const struct http_reply *r, const char *name, char *out, size_t room)
{
    const char *value = http_reply_header(r, name);
    (void)snprintf(out, room, "%s", value != NULL ? value : "");
}

static void on_done(void *arg, const struct http_reply *r)
{
    struct world *w = arg;
    w->calls++;
    assert_int_equal(r->end, HTTP_REPLIED);
    w->status = r->status;
    (void)snprintf(w->body, sizeof w->body, "%s", r->body);
    note(r, "Content-Security-Policy", w->policy, sizeof w->policy);
    note(r, "WWW-Authenticate", w->challenge, sizeof w->challenge);
    note(r, "Cache-Control", w->storing, sizeof w->storing);
    note(r, "X-Frame-Options", w->framing, sizeof w->framing);
}

static int ask(struct world *w, const char *method, const char *path, const char *header, const char *password)
{
    char url[300];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", web_site_port(w->site), path);
    struct http_request r = {.method = method, .url = url, .headers = &header, .headers_n = header != NULL, .username = password != NULL ? "anybody" : NULL, .password = password};
    assert_non_null(http_submit(w->client, &r, on_done, w, &w->e));
    int64_t end = clock_mono(clock_system()) + 60000;
    for (w->calls = 0; w->calls == 0 && clock_mono(clock_system()) < end;)
        loop_turn(w->loop, 100);
    assert_int_equal(w->calls, 1);
    return w->status;
}

static void a_page_gets_its_parameters_decoded(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_site(w, "127.0.0.1"), RC_OK);
    assert_int_equal(ask(w, "GET", "/?q=a%20%3Cb%3E%26+%C5%BC", NULL, NULL), 200);
    assert_non_null(strstr(w->body, "q=a <b>& ż"));
    assert_int_equal(ask(w, "GET", "/?q=%FF", NULL, NULL), 200);
    assert_non_null(strstr(w->body, "q=(none)"));
    assert_int_equal(ask(w, "GET", "/?q=a%00b", NULL, NULL), 200);
    assert_non_null(strstr(w->body, "q=(none)"));
    assert_int_equal(ask(w, "GET", "/nowhere", NULL, NULL), 404);
}

static void every_answer_brings_its_own_nonce_and_forbids_the_rest(void **state)
{
    struct world *w = *state;
    char first[1000], nonce[60];
    assert_int_equal(open_site(w, "127.0.0.1"), RC_OK);
    assert_int_equal(ask(w, "GET", "/", NULL, NULL), 200);
    memcpy(first, w->policy, sizeof first);
    assert_int_equal(sscanf(w->body, "nonce=%59s", nonce), 1);
    assert_int_equal(strlen(nonce), WEB_NONCE_BYTES - 1);
    assert_non_null(strstr(w->policy, nonce));
    assert_non_null(strstr(w->policy, "default-src 'none'"));
    assert_non_null(strstr(w->policy, "frame-ancestors 'none'"));
    assert_string_equal(w->storing, "no-store");
    assert_string_equal(w->framing, "DENY");
    assert_int_equal(ask(w, "GET", "/", NULL, NULL), 200);
    assert_string_not_equal(first, w->policy);
}

static void nothing_but_reading_is_possible(void **state)
{
    struct world *w = *state;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH"};
    assert_int_equal(open_site(w, "127.0.0.1"), RC_OK);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        assert_int_equal(ask(w, methods[i], "/", NULL, NULL), 405);
}

static void a_foreign_host_name_is_refused_without_a_token(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_site(w, "127.0.0.2"), RC_OK); /* all of 127/8 is this machine */
    web_site_destroy(w->site);
    w->site = NULL;
    assert_int_equal(open_site(w, "127.0.0.1"), RC_OK);
    assert_int_equal(ask(w, "GET", "/", "Host: evil.example", NULL), 403);
    assert_null(strstr(w->body, "nonce="));
    assert_int_equal(ask(w, "GET", "/", "Host: localhost:1", NULL), 200);
}

static void the_token_is_asked_for_and_opens(void **state)
{
    struct world *w = *state;
    w->token = TOKEN;
    assert_int_equal(open_site(w, "127.0.0.1"), RC_OK);
    assert_int_equal(ask(w, "GET", "/", NULL, NULL), 401);
    assert_non_null(strstr(w->challenge, "Basic realm="));
    assert_int_equal(ask(w, "GET", "/huge", NULL, NULL), 401);
    assert_int_equal(ask(w, "GET", "/nowhere", NULL, NULL), 401);
    assert_int_equal(ask(w, "POST", "/", NULL, NULL), 401);
    assert_int_equal(ask(w, "GET", "/", "Authorization: Bearer " TOKEN "x", NULL), 401);
    assert_int_equal(ask(w, "GET", "/", "Authorization: Bearer", NULL), 401);
    assert_int_equal(ask(w, "GET", "/", NULL, "wrong"), 401);
    assert_int_equal(ask(w, "GET", "/", NULL, ""), 401);
    assert_int_equal(ask(w, "GET", "/", "Authorization: Bearer " TOKEN, NULL), 200);
    assert_int_equal(ask(w, "GET", "/", NULL, TOKEN), 200);
}

static void others_than_this_machine_need_a_token(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_site(w, "0.0.0.0"), RC_REJECT);
    assert_non_null(strstr(w->e.text, "token"));
    assert_int_equal(open_site(w, "::"), RC_REJECT);
    w->token = "short";
    assert_int_equal(open_site(w, "127.0.0.1"), RC_REJECT);
    assert_null(strstr(w->e.text, "short"));
    w->token = TOKEN;
    assert_int_equal(open_site(w, "0.0.0.0"), RC_OK);
    assert_int_equal(ask(w, "GET", "/", NULL, NULL), 401);
    assert_int_equal(ask(w, "GET", "/", NULL, TOKEN), 200);
    w->token = ""; /* taken away by a reload */
    assert_int_equal(ask(w, "GET", "/", NULL, NULL), 401);
    assert_int_equal(ask(w, "GET", "/", NULL, ""), 401);
}

static void a_page_beyond_the_limit_is_an_error_and_no_half_page(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_site(w, "127.0.0.1"), RC_OK);
    assert_int_equal(ask(w, "GET", "/huge", NULL, NULL), 500);
    assert_non_null(strstr(w->body, "too large"));
}

static void turn_for(struct world *w, int64_t ms)
{
    for (int64_t end = clock_mono(clock_system()) + ms; clock_mono(clock_system()) < end;)
        loop_turn(w->loop, 20);
}

static void who_leaves_makes_room_for_others(void **state)
{
    struct world *w = *state;
    int fds[40];
    assert_int_equal(open_site(w, "127.0.0.1"), RC_OK);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)web_site_port(w->site)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int round = 0; round < 3; round++) { /* who left makes room */
        for (int i = 0; i < 40; i++) {
            fds[i] = socket(AF_INET, SOCK_STREAM, 0);
            assert_int_equal(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
        }
        turn_for(w, 50);
        for (int i = 0; i < 40; i++)
            (void)close(fds[i]);
        assert_int_equal(ask(w, "GET", "/", NULL, NULL), 200);
    }
}

static void a_name_is_no_address(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_site(w, "example.invalid"), RC_REJECT);
    assert_null(w->site);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_page_gets_its_parameters_decoded),
        TEST(every_answer_brings_its_own_nonce_and_forbids_the_rest),
        TEST(nothing_but_reading_is_possible),
        TEST(a_foreign_host_name_is_refused_without_a_token),
        TEST(the_token_is_asked_for_and_opens),
        TEST(others_than_this_machine_need_a_token),
        TEST(a_page_beyond_the_limit_is_an_error_and_no_half_page),
        TEST(who_leaves_makes_room_for_others),
        TEST(a_name_is_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
