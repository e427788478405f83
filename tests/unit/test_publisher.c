#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/kafka_message.h"
#include "common/kafka/publisher.h"
#include "tests/mock/kafka_rig.h"

enum { RECORDS_MAX = 4000, API_PRODUCE = 0 };

struct acks {
    int ok, rejected, dropped, order_broken;
    int last;
    char words[200];
    struct publisher *send_from; /* send one more from inside done */
    int rooms;
};

struct sent {
    struct acks *acks;
    int number;
};

static struct sent sents[RECORDS_MAX];

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    struct sent *s = arg;
    if (ack->rc == RC_RETRY) {
        s->acks->order_broken += s->number <= s->acks->last;
        s->acks->last = s->number;
        s->acks->dropped++;
        return;
    }
    if (ack->rc != RC_OK) {
        s->acks->rejected++;
        (void)snprintf(s->acks->words, sizeof s->acks->words, "%s", ack->words);
        return;
    }
    assert_true(ack->offset >= 0);
    s->acks->order_broken += s->number <= s->acks->last;
    s->acks->last = s->number;
    s->acks->ok++;
}

static enum rc send_record(struct publisher *p, struct acks *a, const char *topic, int number, size_t padding)
{
    static char value[3 * 1024 * 1024];
    struct err e = {""};
    sents[number] = (struct sent){a, number};
    int n = snprintf(value, 32, "%d", number);
    struct kafka_header header = {"publication", "17", 2};
    struct kafka_record r = {
        .topic = topic,
        .partition = -1,
        .key = "acme/1",
        .key_n = 6,
        .value = value,
        .value_n = (size_t)n + 1 + padding,
        .headers = &header,
        .headers_n = 1,
    };
    return publisher_send(p, &r, on_ack, &sents[number], &e);
}

static struct publisher *open_publisher(struct kafka_rig *r)
{
    struct publisher *p = NULL;
    struct err e = {""};
    assert_int_equal(publisher_create(r->loop, r->config, r->log, NULL, &p, &e), RC_OK);
    return p;
}

/* Reads the topic's only partition with a plain consumer; numbers[] in the order of the log. */
static int read_back(struct kafka_rig *r, const char *topic, int numbers[], int max)
{
    char text[256];
    int n = 0;
    bool end = false;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", mock_cluster_servers(r->mock), text, sizeof text), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "group.id", "reads", text, sizeof text), RD_KAFKA_CONF_OK);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    assert_non_null(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(rk, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    while (!end && n < max) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 10000);
        assert_non_null(m);
        end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            numbers[n++] = (int)strtol(m->payload, NULL, 10);
        rd_kafka_message_destroy(m);
    }
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return n;
}

/* Every number of 0..n-1 is there, and the first appearances are in order. */
static void all_in_order(struct kafka_rig *r, const char *topic, int n)
{
    static int numbers[RECORDS_MAX * 3];
    int got = read_back(r, topic, numbers, RECORDS_MAX * 3), next = 0;
    for (int i = 0; i < got; i++) {
        assert_true(numbers[i] <= next);
        next += numbers[i] == next;
    }
    assert_int_equal(next, n);
}

static void acknowledges_every_record_in_order(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    publisher_warm(p, "t");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(send_record(p, &a, "t", i, 100), RC_OK);
    assert_int_equal(a.ok, 0); /* never from inside send */
    kafka_rig_until(&r, &a.ok, 1000, 60000);
    assert_int_equal(a.order_broken, 0);
    assert_int_equal(publisher_waiting(p), 0);
    all_in_order(&r, "t", 1000);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void keeps_headers_tombstones_and_empty_values(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    struct err e = {""};
    char text[256];
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    struct kafka_header headers[] = {{"a", "1", 1}, {"empty", "", 0}, {"a", "22", 2}};
    struct kafka_record tombstone = {.topic = "t", .partition = -1, .key = "k", .key_n = 1, .headers = headers, .headers_n = 3};
    struct kafka_record empty = tombstone;
    empty.value = "";
    sents[0] = (struct sent){&a, 0};
    sents[1] = (struct sent){&a, 1};
    assert_int_equal(publisher_send(p, &tombstone, on_ack, &sents[0], &e), RC_OK);
    assert_int_equal(publisher_send(p, &empty, on_ack, &sents[1], &e), RC_OK);
    kafka_rig_until(&r, &a.ok, 2, 60000);

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", mock_cluster_servers(r.mock), text, sizeof text), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "group.id", "reads", text, sizeof text), RD_KAFKA_CONF_OK);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "t", 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(rk, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    struct kafka_message view = {.headers_cap = 0};
    for (int i = 0; i < 2; i++) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 10000);
        assert_non_null(m);
        assert_int_equal(kafka_message_view(&view, m), RC_OK);
        assert_true((view.record.value == NULL) == (i == 0));
        assert_int_equal(view.record.value_n, 0);
        assert_int_equal(view.record.headers_n, 3);
        assert_int_equal(kafka_record_header(&view.record, "a")->n, 2);
        assert_int_equal(kafka_record_header(&view.record, "empty")->n, 0);
        assert_null(kafka_record_header(&view.record, "b"));
        assert_true(view.record.timestamp > 1500000000000);
        rd_kafka_message_destroy(m);
    }
    kafka_message_release(&view);
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void on_room(void *arg)
{
    ((struct acks *)arg)->rooms++;
}

static void refuses_when_full_and_calls_when_there_is_room(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    const char *const settings[] = {"publisher.queue_records=10", NULL};
    kafka_rig_open(&r, "t:1", settings);
    struct publisher *p = open_publisher(&r);
    publisher_on_room(p, on_room, &a);
    for (int i = 0; i < 10; i++)
        assert_int_equal(send_record(p, &a, "t", i, 0), RC_OK);
    assert_int_equal(send_record(p, &a, "t", 10, 0), RC_RETRY);
    assert_int_equal(a.rooms, 0);
    kafka_rig_until(&r, &a.rooms, 1, 60000);
    assert_int_equal(send_record(p, &a, "t", 10, 0), RC_OK);
    kafka_rig_until(&r, &a.ok, 11, 60000);
    kafka_rig_for(&r, 50);
    assert_int_equal(a.rooms, 1);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void bounds_its_bytes_but_takes_one_record_of_any_size(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    const char *const settings[] = {"publisher.queue_bytes=64k", NULL};
    kafka_rig_open(&r, "t:1", settings);
    struct publisher *p = open_publisher(&r);
    assert_int_equal(send_record(p, &a, "t", 0, 100000), RC_OK);
    assert_int_equal(send_record(p, &a, "t", 1, 10), RC_RETRY);
    kafka_rig_until(&r, &a.ok, 1, 60000);
    assert_int_equal(send_record(p, &a, "t", 1, 2 * 1024 * 1024), RC_REJECT);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void loses_nothing_while_the_broker_is_away(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(send_record(p, &a, "t", i, 10), RC_OK);
        if (i == 100)
            kafka_rig_until(&r, &a.ok, 50, 60000);
        if (i == 200)
            assert_true(mock_cluster_down(r.mock));
        if (i % 50 == 0)
            kafka_rig_for(&r, 20);
    }
    kafka_rig_for(&r, 1000);
    assert_true(a.ok < 500);
    assert_true(mock_cluster_up(r.mock));
    kafka_rig_until(&r, &a.ok, 500, 60000);
    all_in_order(&r, "t", 500);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void survives_a_fatal_error_of_the_idempotent_producer(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    assert_true(mock_cluster_rtt(r.mock, 100));
    for (int i = 0; i < 900; i++) {
        assert_int_equal(send_record(p, &a, "t", i, 10), RC_OK);
        if (i % 300 == 150) {
            kafka_rig_for(&r, 120);
            publisher_break(p);
        }
        if (i % 10 == 0)
            kafka_rig_for(&r, 5);
    }
    kafka_rig_until(&r, &a.ok, 900, 60000);
    assert_int_equal(publisher_rebuilds(p), 3);
    all_in_order(&r, "t", 900);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void sends_again_after_an_error_that_is_no_verdict(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    assert_int_equal(send_record(p, &a, "t", 0, 10), RC_OK);
    kafka_rig_until(&r, &a.ok, 1, 60000);
    assert_true(mock_cluster_errors(r.mock, API_PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 2));
    for (int i = 1; i < 200; i++)
        assert_int_equal(send_record(p, &a, "t", i, 10), RC_OK);
    kafka_rig_until(&r, &a.ok, 200, 60000);
    assert_int_equal(a.rejected, 0);
    assert_true(publisher_rebuilds(p) >= 1);
    all_in_order(&r, "t", 200);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

/* No such partition: librdkafka refuses before it takes the record, and must not have taken its headers either. */
static void a_record_that_librdkafka_does_not_take_keeps_its_headers(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    struct err e = {""};
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    assert_int_equal(send_record(p, &a, "t", 0, 10), RC_OK);
    kafka_rig_until(&r, &a.ok, 1, 60000);
    struct kafka_header headers[] = {{"publication", "17", 2}, {"traceparent", NULL, 0}};
    struct kafka_record record = {.topic = "t", .partition = 7, .key = "k", .key_n = 1, .value = "v", .value_n = 1, .headers = headers, .headers_n = 2};
    sents[1] = (struct sent){&a, 1};
    assert_int_equal(publisher_send(p, &record, on_ack, &sents[1], &e), RC_OK);
    kafka_rig_for(&r, 300);
    assert_int_equal(a.ok + a.rejected, 1); /* it waits: a partition may come */
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void believes_a_verdict_only_about_a_record_that_went_alone(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    assert_int_equal(send_record(p, &a, "t", 0, 10), RC_OK);
    kafka_rig_until(&r, &a.ok, 1, 60000);
    /* the batch, then the first of it alone */
    assert_true(mock_cluster_errors(r.mock, API_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2));
    for (int i = 1; i < 20; i++)
        assert_int_equal(send_record(p, &a, "t", i, 10), RC_OK);
    kafka_rig_until(&r, &a.ok, 19, 60000);
    assert_int_equal(a.rejected, 1);
    assert_non_null(strstr(a.words, "too large"));
    assert_int_equal(a.ok, 19);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void what_is_dropped_is_never_sent_and_later_records_are(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    const char *const settings[] = {"publisher.queue_records=100", NULL};
    static int numbers[RECORDS_MAX];
    kafka_rig_open(&r, "t:1", settings);
    struct publisher *p = open_publisher(&r);
    publisher_on_room(p, on_room, &a);
    publisher_drop_waiting(p); /* nothing there */
    assert_int_equal(send_record(p, &a, "t", 0, 10), RC_OK);
    kafka_rig_until(&r, &a.ok, 1, 60000);
    assert_true(mock_cluster_down(r.mock));
    for (int i = 1; i <= 100; i++)
        assert_int_equal(send_record(p, &a, "t", i, 10), RC_OK);
    assert_int_equal(send_record(p, &a, "t", 101, 10), RC_RETRY);
    kafka_rig_for(&r, 300);
    publisher_drop_waiting(p);
    assert_int_equal(a.dropped, 100);
    assert_int_equal(a.order_broken, 0);
    assert_int_equal(publisher_waiting(p), 0);
    assert_int_equal(send_record(p, &a, "t", 101, 10), RC_OK);
    kafka_rig_for(&r, 100);
    assert_int_equal(a.rooms, 1);
    assert_true(mock_cluster_up(r.mock));
    kafka_rig_until(&r, &a.ok, 2, 60000);
    kafka_rig_for(&r, 500);
    assert_int_equal(read_back(&r, "t", numbers, RECORDS_MAX), 2);
    assert_int_equal(numbers[1], 101);
    assert_int_equal(a.dropped, 100);
    assert_int_equal(a.rejected, 0);
    publisher_destroy(p);
    kafka_rig_close(&r);
}

static void ends_with_records_waiting_and_no_broker(void **state)
{
    (void)state;
    struct kafka_rig r;
    struct acks a = {.last = -1};
    kafka_rig_open(&r, "t:1", NULL);
    struct publisher *p = open_publisher(&r);
    assert_true(mock_cluster_down(r.mock));
    for (int i = 0; i < 100; i++)
        assert_int_equal(send_record(p, &a, "t", i, 10), RC_OK);
    kafka_rig_for(&r, 200);
    assert_int_equal(publisher_waiting(p), 100);
    int64_t begin = loop_now(r.loop);
    publisher_destroy(p);
    assert_true(loop_now(r.loop) - begin < 20000); /* what waits would be tried for ever */
    assert_int_equal(a.ok + a.rejected, 0);
    kafka_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledges_every_record_in_order),
        cmocka_unit_test(keeps_headers_tombstones_and_empty_values),
        cmocka_unit_test(refuses_when_full_and_calls_when_there_is_room),
        cmocka_unit_test(bounds_its_bytes_but_takes_one_record_of_any_size),
        cmocka_unit_test(loses_nothing_while_the_broker_is_away),
        cmocka_unit_test(survives_a_fatal_error_of_the_idempotent_producer),
        cmocka_unit_test(sends_again_after_an_error_that_is_no_verdict),
        cmocka_unit_test(a_record_that_librdkafka_does_not_take_keeps_its_headers),
        cmocka_unit_test(believes_a_verdict_only_about_a_record_that_went_alone),
        cmocka_unit_test(what_is_dropped_is_never_sent_and_later_records_are),
        cmocka_unit_test(ends_with_records_waiting_and_no_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
