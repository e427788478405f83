#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/kafka/publisher.h"
#include "producer/schema_reader.h"
#include "tests/mock/kafka_rig.h"

struct seen {
    int records, ends;
    int64_t first;
};

static void on_record(void *arg, const struct schema_record *r)
{
    struct seen *s = arg;
    if (s->records++ == 0)
        s->first = r->record->offset;
}

static void on_end(void *arg)
{
    ((struct seen *)arg)->ends++;
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    assert_int_equal(ack->rc, RC_OK);
    ++*(int *)arg;
}

static void fill(struct kafka_rig *rig, int n)
{
    struct publisher *p = NULL;
    struct err e = {""};
    int acks = 0;
    assert_int_equal(publisher_create(rig->loop, rig->config, rig->log, NULL, &p, &e), RC_OK);
    for (int i = 0; i < n; i++) {
        struct kafka_record r = {.topic = "t", .partition = 0, .key = "k", .key_n = 1, .value = "v", .value_n = 1};
        assert_int_equal(publisher_send(p, &r, on_ack, &acks, &e), RC_OK);
    }
    kafka_rig_until(rig, &acks, n, 60000);
    publisher_destroy(p);
}

static void a_topic_that_was_made_anew_is_read_and_counted_from_its_beginning(void **state)
{
    (void)state;
    static const struct schema_reader_ops ops = {.record = on_record, .end = on_end};
    struct kafka_rig rig;
    struct schema_reader *sr = NULL;
    struct err e;
    struct seen s = {.first = -1};
    kafka_rig_open(&rig, "t:1,empty:1", NULL);
    fill(&rig, 5);
    struct schema_reader_needs needs = {.loop = rig.loop, .worker = rig.worker, .config = rig.config, .log = rig.log};
    struct reader_start starts[] = {{"t", 0, READER_OFFSET, 500}, {"empty", 0, READER_OFFSET, 7}};
    assert_int_equal(schema_reader_create(&needs, starts, 2, &ops, &s, &sr, &e), RC_OK);
    kafka_rig_until(&rig, &s.ends, 1, 60000);
    assert_int_equal(s.records, 5);
    assert_int_equal(s.first, 0);
    assert_int_equal(schema_reader_next(sr, 0), 5);
    assert_int_equal(schema_reader_next(sr, 1), 0); /* what comes there is not to be skipped after a restart either */
    schema_reader_destroy(sr);
    kafka_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_that_was_made_anew_is_read_and_counted_from_its_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
