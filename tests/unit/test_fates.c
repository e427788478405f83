/* What follows from which cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "consumer/fates.h"

static void every_success_is_loaded(void **state)
{
    (void)state;
    for (int status = 200; status < 300; status++)
        assert_int_equal(fate_of(CAUSE_HTTP, status)->fate, FATE_LOADED);
}

static void system_trouble_never_rejects(void **state)
{
    (void)state;
    static const int statuses[] = {0, 100, 301, 302, 307, 308, 401, 402, 403, 404, 405, 406, 407, 408, 410, 411, 414, 415, 421, 425, 426, 429, 431};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_int_not_equal(fate_of(CAUSE_HTTP, statuses[i])->fate, FATE_REJECT);
    for (int status = 500; status < 1000; status++)
        assert_int_not_equal(fate_of(CAUSE_HTTP, status)->fate, FATE_REJECT);
    for (int code = 1; code < CURL_LAST; code++) {
        assert_int_not_equal(fate_of(CAUSE_HTTP_NOT_SENT, code)->fate, FATE_REJECT);
        assert_int_not_equal(fate_of(CAUSE_HTTP_AMBIGUOUS, code)->fate, FATE_REJECT);
    }
}

static void what_the_erp_says_about_the_order_rejects(void **state)
{
    (void)state;
    static const int statuses[] = {400, 409, 412, 413, 422, 451};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_int_equal(fate_of(CAUSE_HTTP, statuses[i])->fate, FATE_REJECT);
}

static void only_an_error_inside_the_erp_or_a_lock_parks_one_order(void **state)
{
    (void)state;
    for (int status = 0; status < 700; status++)
        if (fate_of(CAUSE_HTTP, status)->fate == FATE_PARK)
            assert_true(status == 423 || status == 500);
}

static void an_answer_that_never_came_is_ambiguous_and_a_request_that_never_left_is_not(void **state)
{
    (void)state;
    for (int code = 1; code < CURL_LAST; code++) {
        assert_true(fate_of(CAUSE_HTTP_AMBIGUOUS, code)->ambiguous);
        assert_false(fate_of(CAUSE_HTTP_NOT_SENT, code)->ambiguous);
    }
    for (int status = 100; status < 700; status++) /* errors inside and 52x of a gateway too: the load may have been done before */
        assert_int_equal(fate_of(CAUSE_HTTP, status)->ambiguous, status >= 500 && status < 600 && status != 501 && status != 503);
    assert_int_equal(fate_of(CAUSE_HTTP_AMBIGUOUS, CURLE_OPERATION_TIMEDOUT)->fate, FATE_PAUSE);
    assert_int_equal(fate_of(CAUSE_HTTP_AMBIGUOUS, CURLE_RECV_ERROR)->fate, FATE_AGAIN);
    assert_int_equal(fate_of(CAUSE_HTTP_AMBIGUOUS, CURLE_ABORTED_BY_CALLBACK)->fate, FATE_AGAIN);
}

static void a_disk_that_fails_pauses_and_a_name_that_is_too_long_rejects(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EDQUOT, EROFS, EACCES, EPERM, ENOENT, EIO, EMFILE, ENOMEM, ENOTDIR};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_int_equal(fate_of(CAUSE_ERRNO, errors[i])->fate, FATE_PAUSE);
    assert_int_equal(fate_of(CAUSE_ERRNO, EINTR)->fate, FATE_AGAIN);
    assert_int_equal(fate_of(CAUSE_ERRNO, ENAMETOOLONG)->fate, FATE_REJECT);
    for (int error = 0; error < 200; error++) { /* what is wrong with the directory is wrong for every order, its name too */
        assert_int_equal(fate_of(CAUSE_DIRECTORY, error)->fate, FATE_PAUSE);
        assert_false(fate_of(CAUSE_DIRECTORY, error)->ambiguous);
    }
}

static void every_row_has_words_and_every_fate_a_name(void **state)
{
    (void)state;
    for (int status = 0; status < 700; status++)
        assert_true(strlen(fate_of(CAUSE_HTTP, status)->words) > 3);
    for (int f = 0; f < FATES; f++)
        assert_true(strlen(fate_name((enum fate)f)) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_success_is_loaded),
        cmocka_unit_test(system_trouble_never_rejects),
        cmocka_unit_test(what_the_erp_says_about_the_order_rejects),
        cmocka_unit_test(only_an_error_inside_the_erp_or_a_lock_parks_one_order),
        cmocka_unit_test(an_answer_that_never_came_is_ambiguous_and_a_request_that_never_left_is_not),
        cmocka_unit_test(a_disk_that_fails_pauses_and_a_name_that_is_too_long_rejects),
        cmocka_unit_test(every_row_has_words_and_every_fate_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
