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
    assert_true(open_sockets_quiet(&s, (int)port)); /* nothing is known of what is spoken there */
    open_sockets_answered(&s, (int)port, true);
    assert_false(open_sockets_quiet(&s, (int)port));
    assert_true(open_sockets_quiet(&s, (int)port + 1)); /* another one's business */
    open_sockets_answered(&s, (int)port, false);
    assert_true(open_sockets_quiet(&s, (int)port)); /* HTTP/2: something is always under way */
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
        assert_false(open_sockets_quiet(&s, (int)port));
    }
    for (size_t i = 0; i < 20; i++)
        curl_easy_cleanup(easy[i]);
    assert_int_equal(s.n, 0);
    open_sockets_release(&s);
    script_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_noted_looked_at_and_forgotten),
        cmocka_unit_test(a_connection_that_has_ended_is_not_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
