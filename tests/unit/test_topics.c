#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/topic_rules.h"
#include "common/kafka/topics.h"
#include "tests/mock/kafka_rig.h"

static const struct topic_seen good[TOPIC_COUNT] = {
    [TOPIC_ORDERS] = {.partitions = 6, .cleanup = "delete", .timestamp = "LogAppendTime"},
    [TOPIC_STATE] = {.partitions = 1, .cleanup = "compact", .timestamp = "LogAppendTime"},
    [TOPIC_OUTCOMES] = {.partitions = 6, .cleanup = "delete", .timestamp = "CreateTime"},
    [TOPIC_STATUS] = {.partitions = 6, .cleanup = "compact,delete", .timestamp = "CreateTime"},
    [TOPIC_DLQ] = {.partitions = 1, .cleanup = "delete", .timestamp = "CreateTime"},
};

static enum rc check(const struct topic_seen *seen, struct err *e)
{
    return topic_rules_check(seen, "shop", "h:1", e);
}

static void topics_as_designed_are_fine(void **state)
{
    (void)state;
    struct err e = {""};
    struct topic_seen none[TOPIC_COUNT] = {{.partitions = 0}};
    assert_int_equal(check(good, &e), RC_OK);
    assert_int_equal(check(none, &e), RC_OK);
    for (int i = 0; i < TOPIC_COUNT; i++)
        assert_false(topic_rules_wrong_time(i, &good[i]));
}

static void refused(int topic, const char *cleanup, const char *command)
{
    struct topic_seen seen[TOPIC_COUNT];
    struct err e = {""};
    memcpy(seen, good, sizeof seen);
    (void)snprintf(seen[topic].cleanup, sizeof seen[topic].cleanup, "%s", cleanup);
    assert_int_equal(check(seen, &e), RC_FATAL);
    assert_non_null(strstr(e.text, command));
}

static void a_dangerous_clean_up_is_refused_with_the_command_that_mends_it(void **state)
{
    (void)state;
    refused(TOPIC_STATE, "delete", "--entity-name shop.order-state --add-config cleanup.policy=[compact]");
    refused(TOPIC_STATE, "compact,delete", "cleanup.policy=[compact]");
    refused(TOPIC_STATE, "delete, compact", "cleanup.policy=[compact]");
    refused(TOPIC_STATUS, "delete", "--entity-name shop.order-status --add-config cleanup.policy=[compact,delete]");
    refused(TOPIC_ORDERS, "compact", "--bootstrap-server h:1 --alter");
    refused(TOPIC_ORDERS, "delete,compact", "cleanup.policy=[delete]");
    refused(TOPIC_OUTCOMES, "compact", "shop.order-outcomes");
    refused(TOPIC_DLQ, "compact", "shop.orders-dlq");
    struct topic_seen seen[TOPIC_COUNT];
    struct err e = {""};
    memcpy(seen, good, sizeof seen);
    (void)snprintf(seen[TOPIC_STATUS].cleanup, sizeof seen[TOPIC_STATUS].cleanup, "compact");
    seen[TOPIC_ORDERS].cleanup[0] = '\0'; /* not known */
    assert_int_equal(check(seen, &e), RC_OK);
}

static void partition_counts_that_do_not_join_are_refused(void **state)
{
    (void)state;
    struct topic_seen seen[TOPIC_COUNT];
    struct err e = {""};
    memcpy(seen, good, sizeof seen);
    seen[TOPIC_OUTCOMES].partitions = 4;
    assert_int_equal(check(seen, &e), RC_FATAL);
    assert_non_null(strstr(e.text, "--alter --topic shop.order-outcomes --partitions 6"));
    seen[TOPIC_OUTCOMES].partitions = 0;
    assert_int_equal(check(seen, &e), RC_OK);
    seen[TOPIC_STATUS].partitions = 12;
    assert_int_equal(check(seen, &e), RC_FATAL);
    assert_non_null(strstr(e.text, "--alter --topic shop.orders --partitions 12"));
    memcpy(seen, good, sizeof seen);
    seen[TOPIC_STATE].partitions = 4;
    assert_int_equal(check(seen, &e), RC_FATAL);
    assert_non_null(strstr(e.text, "--delete --topic shop.order-state"));
}

static void times_that_are_not_the_brokers_are_noticed(void **state)
{
    (void)state;
    struct topic_seen seen = {.partitions = 6, .cleanup = "delete", .timestamp = "CreateTime"};
    assert_true(topic_rules_wrong_time(TOPIC_ORDERS, &seen));
    assert_true(topic_rules_wrong_time(TOPIC_STATE, &seen));
    assert_false(topic_rules_wrong_time(TOPIC_OUTCOMES, &seen));
    seen.timestamp[0] = '\0';
    assert_false(topic_rules_wrong_time(TOPIC_ORDERS, &seen));
}

struct answer {
    int done;
    enum rc rc;
    struct topics_found found;
    char words[512];
};

static void on_done(void *arg, enum rc rc, const struct topics_found *found, const char *words)
{
    struct answer *a = arg;
    a->done++;
    a->rc = rc;
    a->found = *found;
    (void)snprintf(a->words, sizeof a->words, "%s", words);
}

static struct topics *ask(struct kafka_rig *rig, unsigned wanted, struct answer *a)
{
    struct topics *t = NULL;
    struct err e = {""};
    memset(a, 0, sizeof *a);
    assert_int_equal(topics_create(rig->loop, rig->worker, rig->config, rig->log, NULL, wanted, on_done, a, &t, &e), RC_OK);
    return t;
}

static void records_that_are_deleted_sooner_are_noticed(void **state)
{
    (void)state;
    struct topic_seen seen = {.partitions = 6, .retention = "3600000"};
    assert_true(topic_rules_short_retention(TOPIC_ORDERS, &seen));
    assert_false(topic_rules_short_retention(TOPIC_STATE, &seen)); /* compacted only */
    strcpy(seen.retention, "2592000000");
    assert_false(topic_rules_short_retention(TOPIC_ORDERS, &seen));
    strcpy(seen.retention, "-1");
    assert_false(topic_rules_short_retention(TOPIC_ORDERS, &seen));
    strcpy(seen.retention, "");
    assert_false(topic_rules_short_retention(TOPIC_ORDERS, &seen));
}

static void finds_topics_on_a_broker_without_admin_answers(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct answer a;
    kafka_rig_open(&rig, "xsale.orders:6,xsale.order-state:1,xsale.order-outcomes:6", NULL);
    struct topics *t = ask(&rig, 1U << TOPIC_ORDERS | 1U << TOPIC_STATE, &a);
    kafka_rig_until(&rig, &a.done, 1, 60000);
    assert_int_equal(a.rc, RC_OK);
    assert_int_equal(a.found.partitions[TOPIC_ORDERS], 6);
    assert_int_equal(a.found.partitions[TOPIC_STATE], 1);
    assert_int_equal(a.found.partitions[TOPIC_OUTCOMES], 0);
    topics_destroy(t);
    kafka_rig_close(&rig);
}

static void refuses_counts_that_do_not_join(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct answer a;
    kafka_rig_open(&rig, "xsale.orders:6,xsale.order-outcomes:4", NULL);
    struct topics *t = ask(&rig, 1U << TOPIC_ORDERS | 1U << TOPIC_OUTCOMES, &a);
    kafka_rig_until(&rig, &a.done, 1, 60000);
    assert_int_equal(a.rc, RC_FATAL);
    assert_non_null(strstr(a.words, "order-outcomes"));
    topics_destroy(t);
    kafka_rig_close(&rig);
}

static void waits_for_missing_topics_and_an_absent_broker(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct answer a;
    kafka_rig_open(&rig, "xsale.orders:6", NULL);
    assert_true(mock_cluster_down(rig.mock));
    struct topics *t = ask(&rig, 1U << TOPIC_ORDERS | 1U << TOPIC_DLQ, &a);
    kafka_rig_for(&rig, 1000);
    assert_true(mock_cluster_up(rig.mock));
    kafka_rig_for(&rig, 1000);
    assert_int_equal(a.done, 0);
    assert_true(mock_cluster_topic(rig.mock, "xsale.orders-dlq", 1));
    kafka_rig_until(&rig, &a.done, 1, 60000);
    assert_int_equal(a.rc, RC_OK);
    topics_destroy(t);
    kafka_rig_close(&rig);
}

static void can_be_destroyed_while_it_looks(void **state)
{
    (void)state;
    for (int ms = 0; ms < 300; ms += 100) {
        struct kafka_rig rig;
        struct answer a;
        kafka_rig_open(&rig, "", NULL);
        struct topics *t = ask(&rig, 1U << TOPIC_ORDERS, &a);
        kafka_rig_for(&rig, ms);
        topics_destroy(t);
        kafka_rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_as_designed_are_fine),
        cmocka_unit_test(a_dangerous_clean_up_is_refused_with_the_command_that_mends_it),
        cmocka_unit_test(partition_counts_that_do_not_join_are_refused),
        cmocka_unit_test(times_that_are_not_the_brokers_are_noticed),
        cmocka_unit_test(records_that_are_deleted_sooner_are_noticed),
        cmocka_unit_test(finds_topics_on_a_broker_without_admin_answers),
        cmocka_unit_test(refuses_counts_that_do_not_join),
        cmocka_unit_test(waits_for_missing_topics_and_an_absent_broker),
        cmocka_unit_test(can_be_destroyed_while_it_looks),
    };
    if (getenv("RIG_ONLY") != NULL)
        cmocka_set_test_filter(getenv("RIG_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
