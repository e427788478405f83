#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/kafka/dlq.h"

/* A publisher of the test's own, linked instead of the real one. */
static struct {
    size_t limit; /* larger values are refused */
    unsigned sends;
    size_t value_n;
    size_t limit_all; /* and larger records; 0: none are */
    char headers[4096]; /* "name=value\n" of the last record */
    char key[64];
} sent;

enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e)
{
    (void)p, (void)done, (void)arg;
    sent.sends++;
    size_t all = r->key_n + r->value_n;
    for (size_t i = 0; i < r->headers_n; i++)
        all += r->headers[i].n;
    if (r->value_n > sent.limit || (sent.limit_all > 0 && all > sent.limit_all)) {
        err_set(e, "too large");
        return RC_REJECT;
    }
    sent.value_n = r->value_n;
    snprintf(sent.key, sizeof sent.key, "%.*s", (int)r->key_n, (const char *)r->key);
    size_t at = 0;
    for (size_t i = 0; i < r->headers_n; i++)
        at += (size_t)snprintf(sent.headers + at, sizeof sent.headers - at, "%s=%.*s\n", r->headers[i].name, (int)r->headers[i].n,
                               (const char *)r->headers[i].value);
    return RC_OK;
}

static int setup(void **state)
{
    (void)state;
    memset(&sent, 0, sizeof sent);
    sent.limit = 100;
    return 0;
}

static void a_record_keeps_its_headers_and_says_where_it_came_from(void **state)
{
    (void)state;
    struct kafka_header own[] = {{"publication", "17", 2}};
    struct kafka_record source = {.topic = "t.orders", .partition = 3, .offset = 44, .headers = own, .headers_n = 1};
    struct dlq_entry entry = {.kind = DLQ_ORDER, .key = "acme/1", .key_n = 6, .value = "abc", .value_n = 3, .reason = "refused",
                              .program = "erp-consumer", .at = 5, .source = &source};
    assert_int_equal(dlq_publish(NULL, "t.orders-dlq", &entry, NULL, NULL, NULL), RC_OK);
    assert_string_equal(sent.headers, "publication=17\nkind=order\nreason=refused\nprogram=erp-consumer\nat=5\nsource-topic=t.orders\n"
                                      "source-partition=3\nsource-offset=44\n");
    assert_string_equal(sent.key, "acme/1");
    assert_int_equal(sent.value_n, 3);
}

static void a_value_that_is_too_large_is_left_out_and_its_size_noted(void **state)
{
    (void)state;
    char big[200] = {0};
    struct dlq_entry entry = {.kind = DLQ_XSALE_ORDER, .key = "k", .key_n = 1, .value = big, .value_n = sizeof big, .reason = "r", .program = "p"};
    assert_int_equal(dlq_publish(NULL, "t", &entry, NULL, NULL, NULL), RC_OK);
    assert_int_equal(sent.sends, 2);
    assert_int_equal(sent.value_n, 0);
    assert_non_null(strstr(sent.headers, "kind=xsale-order\n"));
    assert_non_null(strstr(sent.headers, "omitted=200\n"));
}

static void a_key_and_headers_that_are_too_large_are_left_out_too(void **state)
{
    (void)state;
    static char big[5000];
    memset(big, 'k', sizeof big);
    struct kafka_header own[] = {{"publication", "17", 2}, {"big", big, sizeof big}};
    struct kafka_header extra[] = {{"warehouse", "M", 1}};
    struct kafka_record source = {.topic = "t", .partition = 3, .offset = 44, .headers = own, .headers_n = 1};
    struct dlq_entry entry = {.kind = DLQ_ORDER, .key = big, .key_n = sizeof big, .value = "abc", .value_n = 3, .reason = "r", .program = "p", .source = &source,
                              .extra = extra, .extra_n = 1};
    sent.limit_all = 1000;
    for (int i = 0; i < 2; i++) { /* the key alone, the headers alone */
        sent.sends = 0;
        assert_int_equal(dlq_publish(NULL, "t", &entry, NULL, NULL, NULL), RC_OK);
        assert_int_equal(sent.sends, 3);
        assert_int_equal(sent.value_n, 0);
        assert_null(strstr(sent.headers, "publication="));
        assert_non_null(strstr(sent.headers, "warehouse=M\n"));
        assert_non_null(strstr(sent.headers, "source-offset=44\nomitted=3\nomitted-key="));
        assert_int_equal(strlen(sent.key), 17);
        assert_int_equal(sent.key[0], '?');
        entry.key = "acme/1";
        entry.key_n = 6;
        source.headers_n = 2;
    }
    sent.limit_all = 0;
    entry.bare = true; /* the broker's own limit */
    sent.sends = 0;
    assert_int_equal(dlq_publish(NULL, "t", &entry, NULL, NULL, NULL), RC_OK);
    assert_int_equal(sent.sends, 1);
    assert_non_null(strstr(sent.headers, "omitted-key=6\n"));
}

static void a_value_that_the_broker_refused_is_left_out_when_asked(void **state)
{
    (void)state;
    struct dlq_entry entry = {.kind = DLQ_OUTCOME, .key = "k", .key_n = 1, .value = "abc", .value_n = 3, .reason = "r", .program = "p", .omit_value = true};
    assert_int_equal(dlq_publish(NULL, "t", &entry, NULL, NULL, NULL), RC_OK);
    assert_int_equal(sent.sends, 1);
    assert_int_equal(sent.value_n, 0);
    assert_non_null(strstr(sent.headers, "kind=outcome\n"));
}

static void a_long_reason_is_cut_at_a_character(void **state)
{
    (void)state;
    char reason[1100];
    memset(reason, 'a', sizeof reason);
    memcpy(reason + 999, "\xC5\xBC", 2); /* a character across the limit */
    reason[sizeof reason - 1] = '\0';
    struct dlq_entry entry = {.kind = DLQ_ORDER, .key = "k", .key_n = 1, .value = "", .reason = reason, .program = "p"};
    assert_int_equal(dlq_publish(NULL, "t", &entry, NULL, NULL, NULL), RC_OK);
    const char *line = strstr(sent.headers, "reason=");
    assert_int_equal(strcspn(line, "\n"), strlen("reason=") + 999);
}

static void more_headers_than_fit_are_dropped_but_never_ours(void **state)
{
    (void)state;
    struct kafka_header many[200];
    for (size_t i = 0; i < 200; i++)
        many[i] = (struct kafka_header){"x", "y", 1};
    struct kafka_record source = {.topic = "t", .headers = many, .headers_n = 200};
    struct dlq_entry entry = {.kind = DLQ_ORDER, .key = "k", .key_n = 1, .value = "abc", .value_n = 3, .reason = "r", .program = "p",
                              .source = &source, .extra = many, .extra_n = 200, .omit_value = true};
    assert_int_equal(dlq_publish(NULL, "t", &entry, NULL, NULL, NULL), RC_OK);
    assert_non_null(strstr(sent.headers, "kind=order\n"));
    assert_non_null(strstr(sent.headers, "source-offset=0\nomitted=3\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_record_keeps_its_headers_and_says_where_it_came_from, setup),
        cmocka_unit_test_setup(a_value_that_is_too_large_is_left_out_and_its_size_noted, setup),
        cmocka_unit_test_setup(a_key_and_headers_that_are_too_large_are_left_out_too, setup),
        cmocka_unit_test_setup(a_value_that_the_broker_refused_is_left_out_when_asked, setup),
        cmocka_unit_test_setup(a_long_reason_is_cut_at_a_character, setup),
        cmocka_unit_test_setup(more_headers_than_fit_are_dropped_but_never_ours, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
