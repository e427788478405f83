#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/contract/order_key.h"

static void a_key_is_organization_slash_id_and_reads_back(void **state)
{
    (void)state;
    char key[ORDER_KEY_BYTES];
    const char *organization = NULL;
    size_t n = 0;
    int64_t id = 0;
    assert_int_equal(order_key_format(key, "acme", 100123), 11);
    assert_string_equal(key, "acme/100123");
    assert_true(order_key_parse(key, 11, &organization, &n, &id));
    assert_ptr_equal(organization, key);
    assert_int_equal(n, 4);
    assert_int_equal(id, 100123);
}

static void the_longest_key_fits(void **state)
{
    (void)state;
    char key[ORDER_KEY_BYTES], name[257];
    const char *organization = NULL;
    size_t n = 0;
    int64_t id = 0;
    memset(name, 'o', sizeof name);
    name[255] = '\0';
    size_t made = order_key_format(key, name, INT64_MAX);
    assert_int_equal(made, 255 + 1 + 19);
    assert_true(order_key_parse(key, made, &organization, &n, &id));
    assert_int_equal(n, 255);
    assert_true(id == INT64_MAX);
    name[255] = 'o';
    name[256] = '\0';
    assert_int_equal(order_key_format(key, name, 1), 0);
}

static void what_cannot_be_a_key_is_not_made(void **state)
{
    (void)state;
    char key[ORDER_KEY_BYTES];
    assert_int_equal(order_key_format(key, "", 1), 0);
    assert_int_equal(order_key_format(key, "a/b", 1), 0);
    assert_int_equal(order_key_format(key, "acme", 0), 0);
    assert_int_equal(order_key_format(key, "acme", -5), 0);
}

static void only_one_spelling_is_a_key(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "acme",     "/1",        "acme/",     "acme/0",    "acme/01",  "acme/-1",
                                      "acme/+1",   "acme/1 ",  "acme/a/1",  "acme/1/2",  "acme/?ab",  "acme/1x",  "acme/9223372036854775808",
                                      "acme/99999999999999999999"};
    const char *organization = NULL;
    size_t n = 0;
    int64_t id = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(order_key_parse(bad[i], strlen(bad[i]), &organization, &n, &id));
    assert_false(order_key_parse("a\0b/1", 5, &organization, &n, &id));
    assert_false(order_key_parse(NULL, 0, &organization, &n, &id));
    assert_true(order_key_parse("acme/9223372036854775807", 24, &organization, &n, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_organization_slash_id_and_reads_back),
        cmocka_unit_test(the_longest_key_fits),
        cmocka_unit_test(what_cannot_be_a_key_is_not_made),
        cmocka_unit_test(only_one_spelling_is_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
