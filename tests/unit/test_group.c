#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/group.h"
#include "common/kafka/publisher.h"
#include "tests/mock/kafka_rig.h"

enum { PARTS = 16, API_OFFSET_FETCH = 9 };

/* One member and what it saw. */
struct member {
    struct kafka_rig *rig;
    struct group *group;
    int assigned, revoked, records, ends, closed, commits, refused, answered;
    int parts;
    int lost;
    int64_t start[PARTS], next[PARTS], end[PARTS];
    char metadata[PARTS][64];
    int64_t start_at; /* -2: as committed */
    bool hold;        /* release later */
    bool out_of_order;
    bool after_revoke;
    int pause_after;
};

static void on_assigned(void *arg, struct group_partition *parts, size_t n)
{
    struct member *m = arg;
    for (size_t i = 0; i < n; i++) {
        int32_t at = parts[i].partition;
        if (m->start_at != -2)
            parts[i].offset = m->start_at;
        m->start[at] = parts[i].offset;
        m->next[at] = parts[i].offset < 0 ? 0 : parts[i].offset;
        (void)snprintf(m->metadata[at], sizeof m->metadata[at], "%s", parts[i].metadata);
    }
    m->parts += (int)n;
    m->assigned++;
    m->after_revoke = false;
}

static void on_record(void *arg, const struct kafka_record *r)
{
    struct member *m = arg;
    m->out_of_order |= r->offset != m->next[r->partition] || m->after_revoke;
    m->next[r->partition] = r->offset + 1;
    m->records++;
    if (m->pause_after > 0 && m->records == m->pause_after)
        group_pause(m->group, r->topic, r->partition);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct member *m = arg;
    assert_string_equal(topic, "t");
    m->end[partition] = offset;
    m->ends++;
}

static void on_revoked(void *arg, const struct group_partition *parts, size_t n, bool lost)
{
    struct member *m = arg;
    (void)parts;
    m->parts -= (int)n;
    m->revoked++;
    m->lost += lost;
    m->after_revoke = m->parts == 0;
    if (!m->hold)
        group_released(m->group);
}

static void on_closed(void *arg)
{
    ((struct member *)arg)->closed++;
}

static void on_commit(void *arg, enum rc rc)
{
    struct member *m = arg;
    m->commits += rc == RC_OK;
    m->refused += rc != RC_OK;
    m->answered++;
}

static void join_watched(struct member *m, struct kafka_rig *rig, const char *group_id, struct health *health)
{
    static const struct group_ops ops = {on_assigned, on_record, on_end, on_revoked};
    const char *const topics[] = {"t"};
    struct err e = {""};
    memset(m, 0, sizeof *m);
    m->rig = rig;
    m->start_at = -2;
    assert_int_equal(group_create(rig->loop, rig->worker, rig->config, rig->log, health, group_id, topics, 1, &ops, m, &m->group, &e),
                     RC_OK);
}

static void join_group(struct member *m, struct kafka_rig *rig, const char *group_id)
{
    join_watched(m, rig, group_id, NULL);
}

static void leave_group(struct member *m)
{
    int64_t begin = loop_now(m->rig->loop);
    group_close(m->group, on_closed, m);
    kafka_rig_until(m->rig, &m->closed, 1, 15000);
    assert_true(loop_now(m->rig->loop) - begin < 9000); /* left, and not given up after 10 s */
    group_destroy(m->group);
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    assert_int_equal(ack->rc, RC_OK);
    ++*(int *)arg;
}

/* n records into each of `parts` partitions. */
static void fill(struct kafka_rig *rig, int parts, int n)
{
    struct publisher *p = NULL;
    struct err e = {""};
    int acks = 0;
    assert_int_equal(publisher_create(rig->loop, rig->config, rig->log, NULL, &p, &e), RC_OK);
    for (int i = 0; i < n; i++)
        for (int at = 0; at < parts; at++) {
            struct kafka_record r = {.topic = "t", .partition = at, .key = "k", .key_n = 1, .value = "v", .value_n = 1};
            assert_int_equal(publisher_send(p, &r, on_ack, &acks, &e), RC_OK);
        }
    kafka_rig_until(rig, &acks, n * parts, 60000);
    publisher_destroy(p);
}

/* Every batch fills the queue, after which librdkafka before 2.2 would look again a second later: 60 s in all. */
static void goes_on_at_once_when_a_full_queue_was_emptied(void **state)
{
    static const char *const settings[] = {"kafka.producer.batch.num.messages=1", "kafka.consumer.queued.min.messages=1",
                                           "kafka.consumer.fetch.message.max.bytes=1", NULL};
    (void)state;
    struct kafka_rig rig;
    struct member m;
    kafka_rig_open(&rig, "t:1", settings);
    fill(&rig, 1, 60);
    join_group(&m, &rig, "g");
    kafka_rig_until(&rig, &m.records, 60, 30000);
    assert_false(m.out_of_order);
    leave_group(&m);
    kafka_rig_close(&rig);
}

static void reads_from_the_earliest_and_goes_on_where_it_committed(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct member m;
    kafka_rig_open(&rig, "t:3", NULL);
    fill(&rig, 3, 10);
    join_group(&m, &rig, "g");
    kafka_rig_until(&rig, &m.records, 30, 60000);
    assert_int_equal(m.assigned, 1);
    assert_int_equal(m.start[0], -1);
    assert_string_equal(m.metadata[0], "");
    kafka_rig_until(&rig, &m.ends, 3, 60000);
    assert_int_equal(m.end[2], 10);

    char longest[GROUP_METADATA_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[GROUP_METADATA_MAX + 1] = '\0';
    struct group_partition parts[] = {{"t", 0, 4, "4,2;1"}, {"t", 1, 10, ""}};
    struct group_partition too_long = {"t", 2, 5, longest};
    group_commit(m.group, parts, 2, on_commit, &m);
    group_commit(m.group, &too_long, 1, on_commit, &m);
    assert_int_equal(m.commits + m.refused, 0);
    kafka_rig_until(&rig, &m.commits, 1, 60000);
    kafka_rig_until(&rig, &m.refused, 1, 60000);
    leave_group(&m);
    assert_int_equal(m.revoked, 1);
    assert_int_equal(m.parts, 0);

    join_group(&m, &rig, "g");
    kafka_rig_until(&rig, &m.records, 16, 60000);
    assert_int_equal(m.start[0], 4);
    assert_string_equal(m.metadata[0], "4,2;1");
    assert_int_equal(m.start[1], 10);
    assert_int_equal(m.start[2], -1);
    kafka_rig_for(&rig, 200);
    assert_int_equal(m.records, 16);
    assert_false(m.out_of_order);
    leave_group(&m);
    kafka_rig_close(&rig);
}

static void begins_where_the_owner_says(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct member m;
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, 1, 10);
    join_group(&m, &rig, "g");
    m.start_at = 7;
    kafka_rig_until(&rig, &m.ends, 1, 60000);
    assert_int_equal(m.records, 3);
    assert_false(m.out_of_order);
    leave_group(&m);
    kafka_rig_close(&rig);
}

static void pauses_and_resumes_without_loss_or_repeat(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct member m;
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, 1, 1000);
    join_group(&m, &rig, "g");
    m.pause_after = 100;
    kafka_rig_until(&rig, &m.records, 100, 60000);
    kafka_rig_for(&rig, 500);
    assert_int_equal(m.records, 100);
    m.pause_after = 400;
    group_resume(m.group, "t", 0);
    group_resume(m.group, "t", 0);
    kafka_rig_until(&rig, &m.records, 400, 60000);
    kafka_rig_for(&rig, 500);
    assert_int_equal(m.records, 400);
    group_resume(m.group, "t", 0);
    group_resume(m.group, "t", 0);
    group_resume(m.group, "t", 1);
    kafka_rig_until(&rig, &m.records, 1000, 60000);
    kafka_rig_for(&rig, 200);
    assert_int_equal(m.records, 1000);
    assert_int_equal(m.assigned, 1); /* nothing was read again, which would look like a topic made anew */
    assert_false(m.out_of_order);
    leave_group(&m);
    kafka_rig_close(&rig);
}

static void is_resumed_after_a_rebalance(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct member a, b;
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, 1, 50);
    join_group(&a, &rig, "g");
    a.pause_after = 10;
    kafka_rig_until(&rig, &a.records, 10, 60000);
    join_group(&b, &rig, "g");
    kafka_rig_until(&rig, &a.revoked, 1, 60000);
    for (int i = 0; i < 20 && (i < 4 || a.parts + b.parts != 1); i++) /* the mock rebalances more than once */
        kafka_rig_for(&rig, 1000);
    assert_int_equal(a.parts + b.parts, 1);
    struct member *owner = a.parts == 1 ? &a : &b;
    kafka_rig_until(&rig, &owner->records, owner == &a ? 60 : 50, 60000);
    leave_group(&b);
    leave_group(&a);
    kafka_rig_close(&rig);
}

static void waits_for_the_drain_before_it_gives_partitions_up(void **state)
{
    static const char *const settings[] = {"kafka.consumer.session.timeout.ms=8000", NULL}; /* the mock lets it wait a second less than that, then goes on without the one that drains */
    (void)state;
    struct kafka_rig rig;
    struct member a, b;
    kafka_rig_open(&rig, "t:4", settings);
    fill(&rig, 4, 50);
    join_group(&a, &rig, "g");
    kafka_rig_until(&rig, &a.records, 200, 60000);
    a.hold = true;
    int64_t joins = loop_now(rig.loop);
    join_group(&b, &rig, "g");
    kafka_rig_until(&rig, &a.revoked, 1, 60000);
    fill(&rig, 4, 1);
    kafka_rig_for(&rig, 1000);
    if (loop_now(rig.loop) - joins < 6500)
        assert_int_equal(b.assigned, 0);
    assert_int_equal(a.records, 200);
    struct group_partition parts[] = {{"t", 0, 50, "x"}, {"t", 1, 50, ""}, {"t", 2, 50, ""}, {"t", 3, 50, ""}};
    group_commit(a.group, parts, 4, on_commit, &a);
    kafka_rig_until(&rig, &a.answered, 1, 60000); /* a real broker stores it, the mock refuses during a rebalance */
    a.hold = false;
    group_released(a.group);
    group_released(a.group);
    kafka_rig_until(&rig, &b.assigned, 1, 60000);
    kafka_rig_until(&rig, &a.assigned, 2, 60000);
    kafka_rig_until(&rig, &a.parts, 2, 60000); /* on a busy machine the mock may rebalance once more */
    kafka_rig_until(&rig, &b.parts, 2, 60000);
    assert_int_equal(a.parts, 2);
    assert_int_equal(b.parts, 2);
    int again = a.commits == 1 ? 2 : 102;
    kafka_rig_until(&rig, &b.records, again, 60000);
    kafka_rig_until(&rig, &a.records, 200 + again, 60000);
    assert_false(a.out_of_order);
    assert_false(b.out_of_order);
    leave_group(&a);
    leave_group(&b);
    kafka_rig_close(&rig);
}

static void until_ready(struct kafka_rig *rig, const struct health *h)
{
    for (int i = 0; i < 2400 && !health_ready(h); i++)
        kafka_rig_for(rig, 50);
    assert_true(health_ready(h));
}

static void until_it_waits(struct kafka_rig *rig, const struct health *h)
{
    char words[300] = "";
    for (int i = 0; i < 2400 && strstr(words, "kafka-group is down: not let into the group yet") == NULL; i++) {
        kafka_rig_for(rig, 50);
        health_summary(h, words, sizeof words);
    }
    assert_non_null(strstr(words, "kafka-group is down: not let into the group yet"));
}

/* One of the two has no partition in the end. */
static void is_not_ready_while_it_waits_to_be_let_in_and_ready_without_partitions(void **state)
{
    static const char *const settings[] = {"kafka.consumer.statistics.interval.ms=200", "kafka.consumer.session.timeout.ms=30000", NULL}; /* so long does the mock let it wait */
    (void)state;
    struct kafka_rig rig;
    struct member a, b;
    kafka_rig_open(&rig, "t:1", settings);
    fill(&rig, 1, 5);
    join_group(&a, &rig, "g");
    kafka_rig_until(&rig, &a.records, 5, 60000);
    a.hold = true;
    struct health *h = health_create(clock_system(), NULL);
    join_watched(&b, &rig, "g", h);
    until_it_waits(&rig, h);
    kafka_rig_until(&rig, &a.revoked, 1, 60000);
    a.hold = false;
    group_released(a.group);
    until_ready(&rig, h);
    leave_group(&a);
    leave_group(&b);
    health_destroy(h);
    kafka_rig_close(&rig);
}

static void goes_on_after_the_broker_was_away(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct member m;
    kafka_rig_open(&rig, "t:2", NULL);
    fill(&rig, 2, 20);
    join_group(&m, &rig, "g");
    kafka_rig_until(&rig, &m.records, 40, 60000);
    assert_true(mock_cluster_down(rig.mock));
    struct group_partition part = {"t", 0, 20, ""};
    group_commit(m.group, &part, 1, on_commit, &m);
    kafka_rig_for(&rig, 1500);
    assert_true(mock_cluster_up(rig.mock));
    fill(&rig, 2, 5);
    kafka_rig_until(&rig, &m.records, 50, 60000);
    kafka_rig_until(&rig, &m.answered, 1, 60000);
    leave_group(&m);
    kafka_rig_close(&rig);
}

static void asks_again_when_committed_offsets_are_not_to_be_had(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct member m;
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, 1, 5);
    assert_true(mock_cluster_errors(rig.mock, API_OFFSET_FETCH, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 2));
    join_group(&m, &rig, "g");
    kafka_rig_until(&rig, &m.records, 5, 60000);
    assert_int_equal(m.assigned, 1);
    leave_group(&m);
    kafka_rig_close(&rig);
}

static void starts_at_the_earliest_when_the_committed_offset_is_past_the_end(void **state)
{
    (void)state;
    struct kafka_rig rig;
    struct member m;
    struct group_partition past = {"t", 0, 4000, "stale"};
    kafka_rig_open(&rig, "t:1", NULL);
    fill(&rig, 1, 5);
    join_group(&m, &rig, "g");
    kafka_rig_until(&rig, &m.records, 5, 60000);
    group_commit(m.group, &past, 1, on_commit, &m);
    kafka_rig_until(&rig, &m.commits, 1, 60000);
    leave_group(&m);
    join_group(&m, &rig, "g");
    kafka_rig_until(&rig, &m.records, 5, 60000);
    assert_int_equal(m.start[0], -1);
    assert_string_equal(m.metadata[0], "");
    leave_group(&m);
    kafka_rig_close(&rig);
}

static void can_be_dropped_at_any_moment(void **state)
{
    (void)state;
    for (int ms = 0; ms < 600; ms += 150) {
        struct kafka_rig rig;
        struct member m;
        struct group_partition part = {"t", 0, 1, ""};
        kafka_rig_open(&rig, "t:2", NULL);
        join_group(&m, &rig, "g");
        kafka_rig_for(&rig, ms);
        m.hold = true;
        group_commit(m.group, &part, 1, on_commit, &m);
        if (ms % 300 == 0)
            group_close(m.group, on_closed, &m);
        group_destroy(m.group);
        assert_int_equal(m.commits + m.refused, 1);
        kafka_rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_at_once_when_a_full_queue_was_emptied),
        cmocka_unit_test(reads_from_the_earliest_and_goes_on_where_it_committed),
        cmocka_unit_test(begins_where_the_owner_says),
        cmocka_unit_test(pauses_and_resumes_without_loss_or_repeat),
        cmocka_unit_test(is_resumed_after_a_rebalance),
        cmocka_unit_test(waits_for_the_drain_before_it_gives_partitions_up),
        cmocka_unit_test(is_not_ready_while_it_waits_to_be_let_in_and_ready_without_partitions),
        cmocka_unit_test(goes_on_after_the_broker_was_away),
        cmocka_unit_test(asks_again_when_committed_offsets_are_not_to_be_had),
        cmocka_unit_test(starts_at_the_earliest_when_the_committed_offset_is_past_the_end),
        cmocka_unit_test(can_be_dropped_at_any_moment),
    };
    if (getenv("RIG_ONLY") != NULL)
        cmocka_set_test_filter(getenv("RIG_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
