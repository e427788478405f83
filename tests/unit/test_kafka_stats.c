#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/kafka_stats.h"

#define BROKER(name, source, state, waits, idle) \
    "\"" name "\":{\"name\":\"" name "\",\"source\":\"" source "\",\"state\":\"" state "\",\"waitresp_cnt\":" waits ",\"rxidle\":" idle \
    ",\"req_timeouts\":2,\"txerrs\":1,\"rxerrs\":0,\"rtt\":{\"avg\":1500}}"

static struct kafka_vitals vitals(const char *brokers)
{
    char json[4000];
    struct kafka_vitals v;
    int n = snprintf(json, sizeof json, "{\"type\":\"consumer\",\"brokers\":{%s}}", brokers);
    assert_int_equal(kafka_stats_take(json, (size_t)n, "kafka-group", NULL, &v), RC_OK);
    return v;
}

static void a_broker_that_owes_an_answer_for_long_is_silent(void **state)
{
    (void)state;
    struct kafka_vitals v = vitals(BROKER("a:1/1", "learned", "UP", "1", "20500000") "," BROKER("b:1/2", "learned", "UP", "2", "31000000"));
    assert_string_equal(v.silent, "b:1/2");
    assert_int_equal(v.silent_ms, 31000);
    assert_false(v.answers);
}

static void one_that_owes_nothing_answered_lately_or_is_not_connected_is_not(void **state)
{
    (void)state;
    assert_string_equal(vitals(BROKER("a:1/1", "learned", "UP", "0", "900000000")).silent, "");
    assert_string_equal(vitals(BROKER("a:1/1", "learned", "UP", "1", "19000000")).silent, "");
    assert_string_equal(vitals(BROKER("a:1/1", "learned", "CONNECT", "1", "900000000")).silent, "");
    assert_string_equal(vitals(BROKER("a:1/1", "learned", "APIVERSION_QUERY", "1", "-1")).silent, "");
    assert_string_equal(vitals(BROKER("GroupCoordinator", "logical", "UP", "1", "900000000")).silent, ""); /* a join waits for the others */
    assert_string_equal(vitals("\"a:1/1\":{}").silent, "");
}

static void one_is_enough_to_have_an_answer(void **state)
{
    (void)state;
    assert_true(vitals(BROKER("a:1/1", "learned", "UP", "1", "300000000") "," BROKER("b:1/2", "learned", "UP", "0", "0")).answers);
    assert_false(vitals(BROKER("a:1/1", "learned", "UP", "0", "30000000")).answers);
    assert_false(vitals(BROKER("a:1/1", "learned", "CONNECT", "0", "1000")).answers);
    assert_false(vitals(BROKER("GroupCoordinator", "logical", "UP", "0", "0")).answers);
}

static bool joins(const char *state)
{
    char json[200];
    struct kafka_vitals v;
    int n = snprintf(json, sizeof json, "{\"type\":\"consumer\",\"brokers\":{},\"cgrp\":{\"state\":\"up\",\"join_state\":\"%s\"}}", state);
    assert_int_equal(kafka_stats_take(json, (size_t)n, "kafka-group", NULL, &v), RC_OK);
    return v.joining;
}

static void a_member_that_waits_for_its_group_is_told_from_one_without_partitions(void **state)
{
    (void)state;
    assert_true(joins("wait-join"));
    assert_true(joins("wait-sync"));
    assert_false(joins("steady"));
    assert_false(joins("init")); /* the new protocol's, without partitions */
    assert_false(joins("wait-unassign-call"));
    assert_false(vitals(BROKER("a:1/1", "learned", "UP", "0", "1")).joining);
}

static void figures_become_metrics(void **state)
{
    (void)state;
    static const char json[] = "{\"type\":\"consumer\",\"brokers\":{" BROKER("a:1/1", "learned", "UP", "1", "1") "," BROKER("b:1/2", "learned", "DOWN", "1", "1") "},"
                               "\"topics\":{\"t\":{\"partitions\":{\"0\":{\"fetchq_cnt\":5},\"1\":{\"fetchq_cnt\":7},\"-1\":{}}}},\"cgrp\":{\"rebalance_cnt\":3}}";
    struct metrics *m = metrics_create("tester", NULL, 0);
    struct kafka_vitals v;
    struct buf b;
    assert_int_equal(kafka_stats_take(json, sizeof json - 1, "kafka-group", m, &v), RC_OK);
    buf_init(&b, 65536);
    metrics_print(m, METRICS_PROMETHEUS, 0, &b);
    static const char *const lines[] = {"\nxsale_bridge_kafka_brokers_up{client=\"kafka-group\"} 1\n", "\nxsale_bridge_kafka_round_trip_seconds{client=\"kafka-group\"} 0.0015\n",
                                        "\nxsale_bridge_kafka_request_timeouts_total{client=\"kafka-group\"} 4\n",
                                        "\nxsale_bridge_kafka_request_errors_total{client=\"kafka-group\"} 2\n",
                                        "\nxsale_bridge_kafka_fetched_records{client=\"kafka-group\"} 12\n", "\nxsale_bridge_kafka_rebalances_total{client=\"kafka-group\"} 3\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(buf_text(&b), lines[i]) == NULL)
            fail_msg("no %s in %s", lines[i], buf_text(&b));
    buf_release(&b);
    metrics_destroy(m);
}

static void what_is_no_report_changes_nothing(void **state)
{
    (void)state;
    struct kafka_vitals v;
    assert_int_equal(kafka_stats_take("{", 1, "x", NULL, &v), RC_REJECT);
    assert_int_equal(kafka_stats_take("[]", 2, "x", NULL, &v), RC_REJECT);
    assert_int_equal(kafka_stats_take("{\"brokers\":1}", 13, "x", NULL, &v), RC_REJECT);
    assert_string_equal(v.silent, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_that_owes_an_answer_for_long_is_silent),
        cmocka_unit_test(one_that_owes_nothing_answered_lately_or_is_not_connected_is_not),
        cmocka_unit_test(one_is_enough_to_have_an_answer),
        cmocka_unit_test(a_member_that_waits_for_its_group_is_told_from_one_without_partitions),
        cmocka_unit_test(figures_become_metrics),
        cmocka_unit_test(what_is_no_report_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
