#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/publisher.h"
#include "common/kafka/reader.h"
#include "tests/mock/kafka_rig.h"

struct seen {
    struct reader *reader;
    int records, ends, caught_up;
    int at_catch_up; /* records when it was said */
    int64_t next[16];
    bool out_of_order;
    bool destroy_at_end;
    int moved;
    int64_t moved_to;
};

static void on_moved(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct seen *s = arg;
    assert_string_equal(topic, "t");
    assert_int_equal(partition, 0);
    assert_int_equal(s->records, 0);
    s->moved++;
    s->moved_to = offset;
}

static void on_record(void *arg, const struct kafka_record *r)
{
    struct seen *s = arg;
    int at = r->partition + (strcmp(r->topic, "u") == 0 ? 8 : 0);
    s->out_of_order |= r->offset < s->next[at];
    s->next[at] = r->offset + 1;
    s->records++;
}

static void on_end(void *arg)
{
    struct seen *s = arg;
    s->ends++;
    if (s->destroy_at_end) {
        reader_destroy(s->reader);
        s->reader = NULL;
    }
}

static void on_caught_up(void *arg)
{
    struct seen *s = arg;
    s->caught_up++;
    s->at_catch_up = s->records;
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    assert_int_equal(ack->rc, RC_OK);
    ++*(int *)arg;
}

static void fill(struct kafka_rig *rig, const char *topic, int partition, int n)
{
    struct publisher *p = NULL;
    struct err e = {""};
    int acks = 0;
    assert_int_equal(publisher_create(rig->loop, rig->config, rig->log, NULL, &p, &e), RC_OK);
    for (int i = 0; i < n; i++) {
        struct kafka_record r = {.topic = topic, .partition = partition, .key = "k", .key_n = 1, .value = "v", .value_n = 1};
        assert_int_equal(publisher_send(p, &r, on_ack, &acks, &e), RC_OK);
    }
    kafka_rig_until(rig, &acks, n, 60000);
    publisher_destroy(p);
}

static void open_reader(struct seen *s, struct kafka_rig *rig, const struct reader_start *starts, size_t n)
{
    static const struct reader_ops ops = {on_record, on_end, on_moved};
    struct err e = {""};
    memset(s, 0, sizeof *s);
    assert_int_equal(reader_create(rig->loop, rig->worker, rig->config, rig->log, NULL, starts, n, &ops, s, &s->reader, &e), RC_OK);
}

static void reads_every_partition_to_its_end_and_on(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start starts[] = {{"t", -1, READER_BEGINNING, 0}, {"u", 0, READER_OFFSET, 3}};
    kafka_rig_open(&rig, "t:3,u:1", NULL);
    fill(&rig, "t", 0, 20);
    fill(&rig, "t", 2, 10);
    fill(&rig, "u", 0, 5);
    open_reader(&s, &rig, starts, 2);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_int_equal(s.records, 32);
    fill(&rig, "t", 1, 7);
    kafka_rig_until(&rig, &s.records, 39, 60000);
    kafka_rig_for(&rig, 300);
    assert_int_equal(s.records, 39);
    assert_int_equal(s.ends, 1);
    assert_false(s.out_of_order);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

static void ends_at_once_on_an_empty_topic_and_may_be_destroyed_there(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", -1, READER_BEGINNING, 0};
    kafka_rig_open(&rig, "t:2", NULL);
    open_reader(&s, &rig, &start, 1);
    s.destroy_at_end = true;
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_null(s.reader);
    kafka_rig_close(&rig);
}

static void catches_up_with_what_exists_at_the_question(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", -1, READER_BEGINNING, 0};
    kafka_rig_open(&rig, "t:2", NULL);
    fill(&rig, "t", 0, 50);
    open_reader(&s, &rig, &start, 1);
    assert_int_equal(reader_catch_up(s.reader, on_caught_up, &s), RC_OK); /* before it started */
    assert_int_equal(reader_catch_up(s.reader, on_caught_up, &s), RC_RETRY);
    assert_int_equal(s.caught_up, 0);
    kafka_rig_until(&rig, &s.caught_up, 1, 60000);
    assert_int_equal(s.at_catch_up, 50);
    assert_int_equal(s.ends, 1);
    assert_int_equal(reader_catch_up(s.reader, on_caught_up, &s), RC_OK); /* nothing new */
    kafka_rig_until(&rig, &s.caught_up, 2, 60000);
    fill(&rig, "t", 1, 30);
    assert_int_equal(reader_catch_up(s.reader, on_caught_up, &s), RC_OK);
    kafka_rig_until(&rig, &s.caught_up, 3, 60000);
    assert_int_equal(s.at_catch_up, 80);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

static void starts_by_time_at_the_beginning_where_that_cannot_be_looked_up(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", 0, READER_TIME, 4000000000000};
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, "t", 0, 12);
    open_reader(&s, &rig, &start, 1);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_int_equal(s.records, 12);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

static void takes_the_earliest_for_an_offset_that_is_gone(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", 0, READER_OFFSET, 900};
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, "t", 0, 12);
    open_reader(&s, &rig, &start, 1);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_int_equal(s.records, 12);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

static void waits_for_the_broker_and_the_topic(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", 0, READER_BEGINNING, 0};
    kafka_rig_open(&rig, "", NULL);
    assert_true(mock_cluster_down(rig.mock));
    open_reader(&s, &rig, &start, 1);
    kafka_rig_for(&rig, 1000);
    assert_int_equal(s.ends, 0);
    assert_true(mock_cluster_topic(rig.mock, "t", 1)); /* first: the mock makes one of its own when it is asked for it */
    assert_true(mock_cluster_up(rig.mock));
    fill(&rig, "t", 0, 3);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_true(s.records >= 0);
    kafka_rig_until(&rig, &s.records, 3, 60000);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

static void goes_on_after_the_broker_was_away(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", 0, READER_BEGINNING, 0};
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, "t", 0, 10);
    open_reader(&s, &rig, &start, 1);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_true(mock_cluster_down(rig.mock));
    assert_int_equal(reader_catch_up(s.reader, on_caught_up, &s), RC_OK);
    kafka_rig_for(&rig, 500);
    assert_int_equal(s.caught_up, 0);
    assert_true(mock_cluster_up(rig.mock));
    fill(&rig, "t", 0, 10);
    kafka_rig_until(&rig, &s.records, 20, 60000);
    kafka_rig_until(&rig, &s.caught_up, 1, 60000);
    assert_false(s.out_of_order);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

/* Every batch fills the queue, after which librdkafka before 2.2 would look again a second later: 60 s in all. */
static void goes_on_at_once_when_a_full_queue_was_emptied(void **state)
{
    static const char *const settings[] = {"kafka.producer.batch.num.messages=1", "kafka.consumer.queued.min.messages=1",
                                           "kafka.consumer.fetch.message.max.bytes=1", NULL};
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", -1, READER_BEGINNING, 0};
    kafka_rig_open(&rig, "t:1", settings);
    fill(&rig, "t", 0, 60);
    open_reader(&s, &rig, &start, 1);
    kafka_rig_until(&rig, &s.ends, 1, 30000);
    assert_int_equal(s.records, 60);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

static void can_be_destroyed_while_its_question_runs(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    const struct reader_start start = {"t", -1, READER_BEGINNING, 0};
    kafka_rig_open(&rig, "t:1", NULL);
    assert_true(mock_cluster_rtt(rig.mock, 200));
    open_reader(&s, &rig, &start, 1);
    kafka_rig_for(&rig, 100);
    reader_destroy(s.reader);
    kafka_rig_for(&rig, 50);
    kafka_rig_close(&rig);
}

static void an_offset_past_the_end_means_the_earliest_and_is_told(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct seen s;
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, "t", 0, 5);
    struct reader_start start = {.topic = "t", .partition = 0, .from = READER_OFFSET, .value = 500};
    open_reader(&s, &rig, &start, 1);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_int_equal(s.records, 5);
    assert_int_equal(s.moved, 1);
    assert_int_equal(s.moved_to, 0);
    reader_destroy(s.reader);
    start.value = 5; /* the end itself is nothing special */
    open_reader(&s, &rig, &start, 1);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_int_equal(s.moved, 0);
    reader_destroy(s.reader);
    kafka_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offset_past_the_end_means_the_earliest_and_is_told),
        cmocka_unit_test(reads_every_partition_to_its_end_and_on),
        cmocka_unit_test(ends_at_once_on_an_empty_topic_and_may_be_destroyed_there),
        cmocka_unit_test(catches_up_with_what_exists_at_the_question),
        cmocka_unit_test(starts_by_time_at_the_beginning_where_that_cannot_be_looked_up),
        cmocka_unit_test(takes_the_earliest_for_an_offset_that_is_gone),
        cmocka_unit_test(waits_for_the_broker_and_the_topic),
        cmocka_unit_test(goes_on_after_the_broker_was_away),
        cmocka_unit_test(goes_on_at_once_when_a_full_queue_was_emptied),
        cmocka_unit_test(can_be_destroyed_while_its_question_runs),
    };
    if (getenv("RIG_ONLY") != NULL)
        cmocka_set_test_filter(getenv("RIG_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
