#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/web_guard.h"

static void only_loopback_is_loopback(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "127.0.0.2", "127.255.255.254", "::1"};
    static const char *const no[] = {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "localhost", "", "127.0.0.1.example", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(web_guard_loopback(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(web_guard_loopback(no[i]));
}

static void a_foreign_name_that_leads_here_is_noticed(void **state)
{
    (void)state;
    static const char *const yes[] = {"localhost", "LOCALHOST:9104", "127.0.0.1", "127.0.0.1:1", "127.0.0.9:65535", "[::1]", "[::1]:9104"};
    static const char *const no[] = {"", ":", "evil.example", "evil.example:9104", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1:", "127.0.0.1:x",
                                     "127.0.0.1:9104@evil.example", "[::1", "[::1]x", "::1", "localhost ", "192.168.0.1", "[::2]:1",
                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(web_guard_host(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(web_guard_host(no[i]));
    assert_false(web_guard_host(NULL));
}

static void a_bearer_is_taken_out_of_its_header(void **state)
{
    (void)state;
    assert_string_equal(web_guard_bearer("Bearer abc"), "abc");
    assert_string_equal(web_guard_bearer("bearer   abc"), "abc");
    assert_null(web_guard_bearer("Basic abc"));
    assert_null(web_guard_bearer("Bearer"));
    assert_null(web_guard_bearer(NULL));
}

static void only_the_whole_token_opens(void **state)
{
    (void)state;
    static const char token[] = "0123456789abcdef";
    static const char *const no[] = {"", "0", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0", "0123456789abcdef0123456789abcdef", "x123456789abcdef"};
    assert_true(web_guard_token("0123456789abcdef", token));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(web_guard_token(no[i], token));
    assert_false(web_guard_token(NULL, token));
    assert_false(web_guard_token("", ""));
    assert_false(web_guard_token("a", ""));
}

static void where_to_listen_is_an_address_and_a_port(void **state)
{
    (void)state;
    char address[64];
    int port = -1;
    assert_true(web_guard_listen("127.0.0.1:9104", address, sizeof address, &port));
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(port, 9104);
    assert_true(web_guard_listen("[::1]:0", address, sizeof address, &port));
    assert_string_equal(address, "::1");
    assert_int_equal(port, 0);
    static const char *const no[] = {"", "9104", ":9104", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536", "::1:9104", "127.0.0.1:1x"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(web_guard_listen(no[i], address, sizeof address, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_loopback_is_loopback),
        cmocka_unit_test(a_foreign_name_that_leads_here_is_noticed),
        cmocka_unit_test(a_bearer_is_taken_out_of_its_header),
        cmocka_unit_test(only_the_whole_token_opens),
        cmocka_unit_test(where_to_listen_is_an_address_and_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
