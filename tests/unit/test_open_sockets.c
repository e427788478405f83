#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/open_sockets.h"
#include "tests/unit/scripted_server.h"

static size_t swallow(char *p, size_t size, size_t n, void *arg)
{
    (void)p;
    (void)arg;
    return size * n;
}

static void a_connection_is_noted_looked_at_and_forgotten(void **state)
{
    const struct script_row row = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", SCRIPT_MORE};
    struct scripted_server *server = script_start(&row, 1);
    struct open_sockets s = {.rows = NULL};
    char url[64];
    long port = 0;
    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", server->port);
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    assert_int_equal(open_sockets_note(&s, easy), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, url), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow), CURLE_OK);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    assert_int_equal(curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port), CURLE_OK);
    assert_int_equal(s.n, 1);
    script_wait_later(server, 1);
    assert_true(open_sockets_quiet(&s, easy, (int)port)); /* nothing is known of what is spoken there */
    open_sockets_answered(&s, (int)port, true);
    assert_false(open_sockets_quiet(&s, easy, (int)port));
    assert_true(open_sockets_quiet(&s, easy, (int)port + 1)); /* another one's business */
    open_sockets_answered(&s, (int)port, false);
    assert_true(open_sockets_quiet(&s, easy, (int)port)); /* HTTP/2: something is always under way */
    curl_easy_cleanup(easy);
    assert_int_equal(s.n, 0);
    open_sockets_release(&s);
    script_stop(server);
}

static void a_connection_that_has_ended_is_not_quiet(void **state)
{
    const struct script_row row = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", SCRIPT_DROP};
    struct scripted_server *server = script_start(&row, 1);
    struct open_sockets s = {.rows = NULL};
    CURL *easy[20];
    char url[64];
    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", server->port);
    for (size_t i = 0; i < 20; i++) {
        long port = 0;
        easy[i] = curl_easy_init();
        assert_non_null(easy[i]);
        assert_int_equal(open_sockets_note(&s, easy[i]), CURLE_OK);
        assert_int_equal(curl_easy_setopt(easy[i], CURLOPT_URL, url), CURLE_OK);
        assert_int_equal(curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, swallow), CURLE_OK);
        assert_int_equal(curl_easy_perform(easy[i]), CURLE_OK);
        assert_int_equal(curl_easy_getinfo(easy[i], CURLINFO_LOCAL_PORT, &port), CURLE_OK);
        open_sockets_answered(&s, (int)port, true);
        assert_int_equal(s.n, i + 1);
        script_wait_later(server, i + 1);
        assert_false(open_sockets_quiet(&s, easy[i], (int)port));
    }
    for (size_t i = 0; i < 20; i++)
        curl_easy_cleanup(easy[i]);
    assert_int_equal(s.n, 0);
    open_sockets_release(&s);
    script_stop(server);
}

/* A listener that lets nobody in: its queue is full. */
static int full_listener(int *others, size_t n, int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    *port = ntohs(at.sin_port);
    for (size_t i = 0; i < n; i++) {
        others[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(connect(others[i], (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS);
    }
    return fd;
}

/* libcurl 7.88 closes these itself, and tells nobody. */
static void connections_that_never_stood_leave_a_row_at_most(void **state)
{
    struct open_sockets s = {.rows = NULL};
    int others[8], port;
    char url[64];
    int listener = full_listener(others, 8, &port);
    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    for (size_t i = 0; i < 6; i++) {
        CURL *easy = curl_easy_init();
        assert_non_null(easy);
        assert_int_equal(open_sockets_note(&s, easy), CURLE_OK);
        assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, url), CURLE_OK);
        assert_int_equal(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 30L), CURLE_OK);
        assert_int_equal(curl_easy_perform(easy), CURLE_OPERATION_TIMEDOUT);
        curl_easy_cleanup(easy);
        assert_in_range(s.n, 0, 1);
    }
    assert_true(open_sockets_quiet(&s, NULL, 1));
    assert_int_equal(s.n, 0); /* seen to be gone */
    for (size_t i = 0; i < 8; i++)
        (void)close(others[i]);
    (void)close(listener);
    open_sockets_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_noted_looked_at_and_forgotten),
        cmocka_unit_test(a_connection_that_has_ended_is_not_quiet),
        cmocka_unit_test(connections_that_never_stood_leave_a_row_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
