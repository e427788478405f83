#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/kafka_conf.h"
#include "tests/mock/kafka_rig.h"

static struct config *config_of(const char *setting)
{
    const char *const settings[] = {setting, NULL};
    return kafka_rig_config("127.0.0.1:1", settings);
}

/* The problems' text of settings that end with NULL; "" for none. */
static void problems_of_all(const char *const *settings, char *text, size_t n)
{
    struct config_problems p = {.count = 0};
    struct config *c = kafka_rig_config("127.0.0.1:1", settings);
    buf_init(&p.text, 65536);
    kafka_conf_check(c, &p);
    const char *all = buf_text(&p.text);
    assert_non_null(all);
    (void)snprintf(text, n, "%s", all);
    assert_true((p.count > 0) == (text[0] != '\0'));
    buf_release(&p.text);
    config_destroy(c);
}

static void problems_of(const char *setting, char *text, size_t n)
{
    const char *const settings[] = {setting, NULL};
    problems_of_all(settings, text, n);
}

static void value_is(rd_kafka_conf_t *conf, const char *name, const char *wanted)
{
    char value[512] = "";
    size_t n = sizeof value;
    assert_int_equal(rd_kafka_conf_get(conf, name, value, &n), RD_KAFKA_CONF_OK);
    assert_string_equal(value, wanted);
}

static rd_kafka_conf_t *conf_of(const char *setting, enum kafka_role role, const char *group)
{
    struct config *c = config_of(setting);
    rd_kafka_conf_t *conf = NULL;
    struct err e = {""};
    assert_int_equal(kafka_conf_create(c, role, group, &conf, &e), RC_OK);
    config_destroy(c);
    return conf;
}

static void sets_what_the_bridge_needs(void **state)
{
    (void)state;
    rd_kafka_conf_t *conf = conf_of("kafka.linger.ms=9", KAFKA_PRODUCE, NULL);
    value_is(conf, "enable.idempotence", "true");
    value_is(conf, "acks", "-1");
    value_is(conf, "partitioner", "murmur2_random");
    value_is(conf, "message.timeout.ms", "0");
    value_is(conf, "socket.nagle.disable", "true");
    value_is(conf, "compression.codec", "lz4");
    value_is(conf, "linger.ms", "9");
    value_is(conf, "bootstrap.servers", "127.0.0.1:1");
    rd_kafka_conf_destroy(conf);
    conf = conf_of("kafka.fetch.min.bytes=2", KAFKA_GROUP, "xsale-erp-all");
    value_is(conf, "group.id", "xsale-erp-all");
    value_is(conf, "enable.auto.commit", "false");
    value_is(conf, "enable.auto.offset.store", "false");
    value_is(conf, "auto.offset.reset", "smallest"); /* its older name for earliest */
    value_is(conf, "partition.assignment.strategy", "range");
    value_is(conf, "queued.max.messages.kbytes", "4096");
    value_is(conf, "fetch.message.max.bytes", "262144");
    rd_kafka_conf_destroy(conf);
    conf = conf_of("kafka.consumer.fetch.message.max.bytes=5000", KAFKA_GROUP, "xsale-erp-all");
    value_is(conf, "fetch.message.max.bytes", "5000"); /* the user's own goes before */
    rd_kafka_conf_destroy(conf);
    conf = conf_of("kafka.fetch.min.bytes=2", KAFKA_READ, NULL);
    value_is(conf, "queued.max.messages.kbytes", "6144"); /* reads to an end, as fast as it can */
    value_is(conf, "fetch.message.max.bytes", "131072");
    rd_kafka_conf_destroy(conf);
}

static void fetch_wait_is(enum kafka_role role, const char *wanted)
{
    const char *const overrides[] = {"kafka.bootstrap.servers=127.0.0.1:1"};
    struct config_source source = {.overrides = overrides, .overrides_n = 1};
    struct config_problems problems = {.count = 0};
    struct config *c = NULL;
    rd_kafka_conf_t *conf = NULL;
    buf_init(&problems.text, 65536);
    assert_int_equal(config_load(&source, &c, &problems), RC_OK);
    assert_int_equal(kafka_conf_create(c, role, "g", &conf, NULL), RC_OK);
    value_is(conf, "fetch.wait.max.ms", wanted);
    rd_kafka_conf_destroy(conf);
    config_destroy(c);
    buf_release(&problems.text);
}

static void lets_nothing_wait_long_behind_a_fetch_at_a_partitions_end(void **state)
{
    (void)state;
    fetch_wait_is(KAFKA_GROUP, "100");
    fetch_wait_is(KAFKA_READ, "100");
    fetch_wait_is(KAFKA_ADMIN, "500"); /* librdkafka's own: it fetches nothing */
}

static void lets_one_direction_override_both(void **state)
{
    (void)state;
    const char *const settings[] = {"kafka.client.id=both", "kafka.consumer.client.id=reads", NULL};
    struct config *c = kafka_rig_config("127.0.0.1:1", settings);
    rd_kafka_conf_t *conf = NULL;
    assert_int_equal(kafka_conf_create(c, KAFKA_READ, NULL, &conf, NULL), RC_OK);
    value_is(conf, "client.id", "reads");
    value_is(conf, "group.id", "xsale-read");
    rd_kafka_conf_destroy(conf);
    assert_int_equal(kafka_conf_create(c, KAFKA_PRODUCE, NULL, &conf, NULL), RC_OK);
    value_is(conf, "client.id", "both");
    rd_kafka_conf_destroy(conf);
    config_destroy(c);
}

static void names_every_wrong_property(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *words;
    } rows[] = {
        {"kafka.bogus.property=1", "kafka.bogus.property: librdkafka"},
        {"kafka.producer.linger.ms=soon", "kafka.producer.linger.ms: "},
        {"kafka.enable.auto.commit=true", "kafka.enable.auto.commit: always false"},
        {"kafka.producer.acks=1", "kafka.producer.acks: always all"},
        {"kafka.producer.enable.idempotence=false", "always true"},
        {"kafka.consumer.group.id=mine", "kafka.consumer.group.id"},
        {"kafka.consumer.auto.offset.reset=latest", "loses records"},
        {"kafka.producer.partitioner=random", "co-partitioned"},
        {"kafka.producer.transactional.id=x", "no transactions"},
        {"kafka.consumer.enable.partition.eof=false", "always true"},
        {"kafka.ssl.ca.location=/nonexistent/ca.pem", ""},
    };
    char text[4096];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        problems_of(rows[i].setting, text, sizeof text);
        assert_non_null(strstr(text, rows[i].words));
    }
    if (rd_kafka_version() < 0x020a0000) {
        problems_of("kafka.consumer.partition.assignment.strategy=cooperative-sticky", text, sizeof text);
        assert_non_null(strstr(text, "2.10"));
    }
}

static void finds_nothing_wrong_with_good_properties(void **state)
{
    (void)state;
    char text[4096];
    problems_of("kafka.compression.codec=zstd", text, sizeof text);
    assert_string_equal(text, "");
}

static void finds_contradictions_of_properties_that_are_fine_alone(void **state)
{
    (void)state;
    char text[4096];
    problems_of("kafka.consumer.max.poll.interval.ms=2000", text, sizeof text);
    assert_non_null(strstr(text, "max.poll.interval.ms"));
}

static void finds_what_the_new_group_protocol_cannot_do(void **state)
{
    (void)state;
    char text[4096];
    const char *const settings[] = {"kafka.consumer.group.protocol=consumer", "kafka.consumer.group.instance.id=a", NULL};
    problems_of_all(settings, text, sizeof text);
    assert_non_null(strstr(text, "kafka.consumer.group.instance.id: not together with group.protocol=consumer"));
}

static void never_shows_the_value_of_a_secret(void **state)
{
    (void)state;
    char text[4096];
    problems_of("kafka.ssl.key.pem=hunter2", text, sizeof text);
    assert_null(strstr(text, "hunter2"));
    problems_of("kafka.sasl.oauthbearer.client.secret=hunter2", text, sizeof text);
    assert_null(strstr(text, "hunter2"));
}

static void names_topics_by_the_prefix(void **state)
{
    (void)state;
    char name[250];
    struct config *c = config_of("topics.prefix=shop");
    kafka_topic_name(c, "order-state", name);
    assert_string_equal(name, "shop.order-state");
    config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_what_the_bridge_needs),
        cmocka_unit_test(lets_nothing_wait_long_behind_a_fetch_at_a_partitions_end),
        cmocka_unit_test(lets_one_direction_override_both),
        cmocka_unit_test(names_every_wrong_property),
        cmocka_unit_test(finds_nothing_wrong_with_good_properties),
        cmocka_unit_test(finds_contradictions_of_properties_that_are_fine_alone),
        cmocka_unit_test(finds_what_the_new_group_protocol_cannot_do),
        cmocka_unit_test(never_shows_the_value_of_a_secret),
        cmocka_unit_test(names_topics_by_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
