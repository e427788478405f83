#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "tests/unit/no_descriptors.h"
#include "tests/unit/scripted_server.h"

enum { PATIENCE_MS = 60000 };

static const struct metric_row rows[] = {{"xsale_bridge_things_total", METRIC_COUNTER, NULL, "Things."}};

struct world {
    int64_t skipped_ms;
    bool late; /* the clock jumps by 31 s at each reading */
    struct clock clock;
    struct loop *loop;
    struct health *health;
    struct metrics *metrics;
    struct http_server *server;
    struct http_client *client;
    struct err e;
    int calls, status;
    char body[20000], type[100];
};

static int64_t mono(void *arg)
{
    struct world *w = arg;
    if (w->late)
        w->skipped_ms += 31000;
    return clock_mono(clock_system()) + w->skipped_ms;
}

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall(clock_system());
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.clock = (struct clock){wall, mono, &w};
    w.loop = loop_create(&w.clock, &w.e);
    w.health = health_create(&w.clock, NULL);
    w.metrics = metrics_create("test", rows, 1);
    struct http_settings s = {
        .insecure = true, .connect_timeout_ms = 40000, .timeout_ms = 40000, .max_body = 19999};
    w.client = w.loop != NULL ? http_client_create(w.loop, &s, &w.e) : NULL;
    *state = &w;
    if (w.client == NULL || w.health == NULL || w.metrics == NULL)
        return -1;
    return http_server_create(w.loop, "127.0.0.1", 0, w.health, w.metrics, &w.server, &w.e) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_client_destroy(w->client);
    http_server_destroy(w->server);
    metrics_destroy(w->metrics);
    health_destroy(w->health);
    loop_destroy(w->loop);
    return 0;
}

static void on_done(void *arg, const struct http_reply *r)
{
    struct world *w = arg;
    w->calls++;
    assert_int_equal(r->end, HTTP_REPLIED);
    w->status = r->status;
    (void)snprintf(w->body, sizeof w->body, "%s", r->body);
    (void)snprintf(w->type, sizeof w->type, "%s", r->content_type);
}

static int ask(struct world *w, const char *method, const char *path)
{
    char url[100];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", http_server_port(w->server), path);
    struct http_request r = {.method = method, .url = url};
    assert_non_null(http_submit(w->client, &r, on_done, w, &w->e));
    int64_t end = clock_mono(clock_system()) + PATIENCE_MS;
    for (w->calls = 0; w->calls == 0 && clock_mono(clock_system()) < end;)
        loop_turn(w->loop, 100);
    assert_int_equal(w->calls, 1);
    return w->status;
}

/* Is the answer whole? One that says no length ends with its connection. */
static bool whole(const char *reply, bool head)
{
    const char *end = strstr(reply, "\r\n\r\n"), *length = strstr(reply, "\r\nContent-Length:");
    if (end == NULL)
        return false;
    return head || (length != NULL && length < end && strlen(end + 4) >= strtoul(length + 17, NULL, 10));
}

/* Sends text on a connection of its own and returns what comes back. */
static void talk(struct world *w, const char *text, char *out, size_t room)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(w->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)connect(fd, (struct sockaddr *)&at, sizeof at);
    struct pollfd p = {fd, POLLOUT, 0};
    while (poll(&p, 1, PATIENCE_MS) != 1)
        assert_int_equal(errno, EINTR);
    script_send(fd, text);
    int64_t end = clock_mono(clock_system()) + PATIENCE_MS;
    size_t n = 0;
    out[0] = '\0';
    for (ssize_t got = -1; got != 0 && n < room - 1 && !whole(out, strncmp(text, "HEAD", 4) == 0) && clock_mono(clock_system()) < end;) {
        loop_turn(w->loop, 10);
        got = recv(fd, out + n, room - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno != EAGAIN && errno != EINTR ? 0 : got;
        out[n] = '\0';
    }
    (void)close(fd);
}

static void a_moving_loop_is_alive(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET", "/livez"), 200);
    assert_ptr_equal(strstr(w->body, "ok"), w->body);
}

static void a_turn_of_over_30_seconds_is_told(void **state)
{
    struct world *w = *state;
    w->late = true;
    assert_int_equal(ask(w, "GET", "/livez"), 503);
}

/* A debugger, or whoever stops this process, ends a wait that has a limit. */
static ssize_t receive(int fd, char *out, size_t room)
{
    ssize_t n = -1;
    do
        n = recv(fd, out, room, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Without a turn of the loop: only the server's own thread can answer. */
static void asked_beside_the_loop(struct world *w, const char *path, char *out, size_t room)
{
    char text[200];
    size_t n = 0;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(w->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    script_send(fd, text);
    for (ssize_t got = 1; got > 0 && n < room - 1; n += (size_t)(got > 0 ? got : 0))
        got = receive(fd, out + n, room - 1 - n);
    out[n] = '\0';
    (void)close(fd);
}

static void a_loop_that_stands_is_told_by_the_server_and_a_moving_one_again(void **state)
{
    struct world *w = *state;
    static char reply[20000];
    loop_turn(w->loop, 1);
    asked_beside_the_loop(w, "/livez", reply, sizeof reply);
    assert_ptr_equal(strstr(reply, "HTTP/1.1 200"), reply);
    w->skipped_ms += 310000;
    asked_beside_the_loop(w, "/livez", reply, sizeof reply);
    assert_ptr_equal(strstr(reply, "HTTP/1.1 503"), reply);
    assert_non_null(strstr(reply, "the loop is late, last turn 31"));
    asked_beside_the_loop(w, "/readyz", reply, sizeof reply);
    assert_ptr_equal(strstr(reply, "HTTP/1.1 503"), reply);
    assert_non_null(strstr(reply, "{\"ready\":false,\"error\":\"the loop is late"));
    asked_beside_the_loop(w, "/metrics", reply, sizeof reply);
    assert_ptr_equal(strstr(reply, "HTTP/1.1 200"), reply);
    assert_non_null(strstr(reply, "\nxsale_bridge_loop_turn_seconds 31"));
    assert_null(strstr(reply, "xsale_bridge_things_total"));
    loop_turn(w->loop, 1);
    assert_int_equal(ask(w, "GET", "/livez"), 200);
}

static void questions_that_the_loop_never_answers_do_not_keep_the_others_out(void **state)
{
    struct world *w = *state;
    char reply[2000];
    int fds[20];
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(w->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 20; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
        script_send(fds[i], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    asked_beside_the_loop(w, "/livez", reply, sizeof reply);
    assert_ptr_equal(strstr(reply, "HTTP/1.1 200"), reply);
    http_server_destroy(w->server); /* with questions open */
    w->server = NULL;
    for (int i = 0; i < 20; i++)
        (void)close(fds[i]);
}

static void openmetrics_is_given_to_who_asks_for_it(void **state)
{
    struct world *w = *state;
    static char reply[20000];
    talk(w, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n", reply, sizeof reply);
    assert_non_null(strstr(reply, "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    assert_non_null(strstr(reply, "# TYPE xsale_bridge_things counter\n"));
    assert_string_equal(reply + strlen(reply) - 6, "# EOF\n");
    talk(w, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n", reply, sizeof reply);
    assert_non_null(strstr(reply, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
}

static void readiness_follows_the_dependencies(void **state)
{
    struct world *w = *state;
    health_set(w->health, "kafka", HEALTH_UP, NULL, NULL);
    assert_int_equal(ask(w, "GET", "/readyz"), 200);
    assert_string_equal(w->type, "application/json");
    health_set(w->health, "erp", HEALTH_DOWN, "connection refused", "tries again in 4 s");
    assert_int_equal(ask(w, "GET", "/readyz"), 503);
    assert_non_null(strstr(w->body, "\"erp\""));
    assert_non_null(strstr(w->body, "tries again in 4 s"));
    health_set(w->health, "erp", HEALTH_UP, NULL, NULL);
    assert_int_equal(ask(w, "GET", "/readyz"), 200);
}

static void metrics_are_prometheus_text(void **state)
{
    struct world *w = *state;
    metrics_add(w->metrics, 0, NULL, 3);
    assert_int_equal(ask(w, "GET", "/metrics"), 200);
    assert_ptr_equal(strstr(w->type, "text/plain; version=0.0.4"), w->type);
    assert_non_null(strstr(w->body, "xsale_bridge_things_total 3"));
}

static void other_paths_and_methods_are_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, "GET", "/"), 404);
    assert_int_equal(ask(w, "GET", "/livez/x"), 404);
    assert_int_equal(ask(w, "POST", "/livez"), 405);
    assert_int_equal(ask(w, "DELETE", "/metrics"), 405);
    assert_int_equal(ask(w, "GET", "/livez"), 200);
}

static void every_answer_forbids_storing_and_guessing(void **state)
{
    char reply[2000];
    talk(*state, "HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n", reply, sizeof reply);
    assert_ptr_equal(strstr(reply, "HTTP/1.1 200"), reply);
    assert_non_null(strstr(reply, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(reply, "Cache-Control: no-store\r\n"));
    assert_null(strstr(reply, "\r\n\r\nok"));
}

static void nonsense_harms_nobody(void **state)
{
    struct world *w = *state;
    static char reply[2000], many[60000];
    talk(w, "\x16\x03\x01 nonsense\r\n\r\n\r\n", reply, sizeof reply);
    memset(many, 'A', sizeof many - 1);
    memcpy(many, "GET /", 5);
    talk(w, many, reply, sizeof reply);
    assert_null(strstr(reply, "200 OK"));
    assert_int_equal(ask(w, "GET", "/livez"), 200);
}

static void more_than_32_connections_wait_and_do_not_block(void **state)
{
    struct world *w = *state;
    int fds[40];
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(w->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 40; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
    }
    for (int i = 0; i < 20; i++)
        loop_turn(w->loop, 5);
    for (int i = 0; i < 40; i++)
        (void)close(fds[i]);
    assert_int_equal(ask(w, "GET", "/livez"), 200);
}

static void a_process_without_free_descriptors_answers_one_probe_at_a_time(void **state)
{
    struct world *w = *state;
    struct no_descriptors none;
    char reply[2000];
    int fds[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(w->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    no_descriptors_begin(&none);
    for (int i = 0; i < 2; i++)
        assert_int_equal(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    script_send(fds[1], "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"); /* has to wait: the first one asks nothing and stays */
    (void)usleep(100000);
    assert_int_equal(shutdown(fds[0], SHUT_RDWR), 0); /* not closed: that would give a descriptor to this process */
    assert_true(receive(fds[1], reply, sizeof reply) > 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
    no_descriptors_end(&none);
}

static void a_taken_port_is_told(void **state)
{
    struct world *w = *state;
    struct http_server *other = NULL;
    assert_int_equal(http_server_create(w->loop, "127.0.0.1", http_server_port(w->server), w->health,
                                        w->metrics, &other, &w->e),
                     RC_FATAL);
    assert_null(other);
    assert_non_null(strstr(w->e.text, "in use"));
}

static void an_address_that_is_none_is_told(void **state)
{
    struct world *w = *state;
    struct http_server *other = NULL;
    assert_int_equal(http_server_create(w->loop, "example.invalid", 0, w->health, w->metrics, &other, &w->e),
                     RC_FATAL);
    assert_non_null(strstr(w->e.text, "example.invalid"));
    assert_int_equal(http_server_create(w->loop, "127.0.0.1", 70000, w->health, w->metrics, &other, &w->e),
                     RC_FATAL);
}

static void an_ipv6_address_works_too(void **state)
{
    struct world *w = *state;
    struct http_server *other = NULL;
    enum rc rc = http_server_create(w->loop, "::1", 0, w->health, w->metrics, &other, &w->e);
    if (rc != RC_OK) /* a machine without IPv6: then at least the words must say so */
        assert_non_null(strstr(w->e.text, "::1"));
    else
        assert_true(http_server_port(other) > 0);
    http_server_destroy(other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_moving_loop_is_alive),
        TEST(a_turn_of_over_30_seconds_is_told),
        TEST(a_loop_that_stands_is_told_by_the_server_and_a_moving_one_again),
        TEST(questions_that_the_loop_never_answers_do_not_keep_the_others_out),
        TEST(openmetrics_is_given_to_who_asks_for_it),
        TEST(readiness_follows_the_dependencies),
        TEST(metrics_are_prometheus_text),
        TEST(other_paths_and_methods_are_refused),
        TEST(every_answer_forbids_storing_and_guessing),
        TEST(nonsense_harms_nobody),
        TEST(more_than_32_connections_wait_and_do_not_block),
        TEST(a_process_without_free_descriptors_answers_one_probe_at_a_time),
        TEST(a_taken_port_is_told),
        TEST(an_address_that_is_none_is_told),
        TEST(an_ipv6_address_works_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
