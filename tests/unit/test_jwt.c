#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "producer/jwt.h"

static void the_expiry_is_read_from_the_payload(void **state)
{
    (void)state;
    int64_t exp = 0;
    assert_true(jwt_expiry("e30.eyJzdWIiOiJ4IiwiZXhwIjoxNzk1NDc3NDUyfQ.c2ln", &exp)); /* {"sub":"x","exp":1795477452} */
    assert_int_equal(exp, 1795477452);
    assert_true(jwt_expiry("e30.eyJleHAiOjE3OTU0Nzc0NTIuOX0.c2ln", &exp)); /* 1795477452.9 */
    assert_int_equal(exp, 1795477452);
    assert_true(jwt_expiry("e30.eyJleHAiOjE3OTU0Nzc0NTIsIm4iOiLFu8OzxYLEhz8_In0.c2ln", &exp)); /* with '_' of base64url */
}

static void what_is_no_such_token_has_no_expiry(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "opaque", "a.", "a..b", "a.!!!.b", "a.bm8ganNvbg.b" /* no json */, "a.e30.b" /* {} */,
                                      "a.eyJleHAiOiJ4In0.b" /* "x" */, "a.eyJleHAiOi01fQ.b" /* -5 */, "a.eyJleHAiOjFlMzB9.b" /* 1e30 */, "a.W10.b" /* [] */};
    int64_t exp = 42;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(jwt_expiry(bad[i], &exp));
    char *huge = malloc(200000);
    assert_non_null(huge);
    memset(huge, 'A', 199999);
    huge[0] = '.';
    huge[199999] = '\0';
    assert_false(jwt_expiry(huge, &exp));
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_expiry_is_read_from_the_payload),
        cmocka_unit_test(what_is_no_such_token_has_no_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
