/* How a member leaves its group: what librdkafka is asked then is counted, since a question that meets the group's end is never answered. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/kafka/group.h"
#include "common/kafka/publisher.h"
#include "tests/mock/kafka_rig.h"

enum { COOPERATIVE_FROM = 0x020a0000, RECORDS = 5, LOOK_LASTS_MS = 40000 };

/* ---- librdkafka's calls that wait for its thread (linked with --wrap) */

static struct {
    atomic_bool leaving, hold;
    atomic_int asked, looks; /* since the group is left; for committed positions */
} seen;

rd_kafka_error_t *__real_rd_kafka_consumer_close_queue(rd_kafka_t *rk, rd_kafka_queue_t *queue);
rd_kafka_error_t *__wrap_rd_kafka_consumer_close_queue(rd_kafka_t *rk, rd_kafka_queue_t *queue);
rd_kafka_resp_err_t __real_rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list);
rd_kafka_resp_err_t __wrap_rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list);
rd_kafka_error_t *__real_rd_kafka_incremental_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list);
rd_kafka_error_t *__wrap_rd_kafka_incremental_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list);
rd_kafka_error_t *__real_rd_kafka_incremental_unassign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list);
rd_kafka_error_t *__wrap_rd_kafka_incremental_unassign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list);
const char *__real_rd_kafka_rebalance_protocol(rd_kafka_t *rk);
const char *__wrap_rd_kafka_rebalance_protocol(rd_kafka_t *rk);
rd_kafka_resp_err_t __real_rd_kafka_committed(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int ms);
rd_kafka_resp_err_t __wrap_rd_kafka_committed(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int ms);

rd_kafka_error_t *__wrap_rd_kafka_consumer_close_queue(rd_kafka_t *rk, rd_kafka_queue_t *queue)
{
    seen.leaving = true;
    return __real_rd_kafka_consumer_close_queue(rk, queue);
}

static void asks(void)
{
    if (seen.leaving)
        seen.asked++;
}

rd_kafka_resp_err_t __wrap_rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    asks();
    return __real_rd_kafka_assign(rk, list);
}

rd_kafka_error_t *__wrap_rd_kafka_incremental_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    asks();
    return __real_rd_kafka_incremental_assign(rk, list);
}

rd_kafka_error_t *__wrap_rd_kafka_incremental_unassign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    asks();
    return __real_rd_kafka_incremental_unassign(rk, list);
}

const char *__wrap_rd_kafka_rebalance_protocol(rd_kafka_t *rk)
{
    asks();
    return __real_rd_kafka_rebalance_protocol(rk);
}

/* A frozen broker: the question takes its whole time. In the worker. */
rd_kafka_resp_err_t __wrap_rd_kafka_committed(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int ms)
{
    const struct timespec step = {0, 10 * 1000 * 1000};
    seen.looks++;
    for (int i = 0; seen.hold && i < LOOK_LASTS_MS / 10; i++)
        (void)nanosleep(&step, NULL);
    return seen.hold ? RD_KAFKA_RESP_ERR__TIMED_OUT : __real_rd_kafka_committed(rk, list, ms);
}

/* ---- a member */

struct member {
    struct kafka_rig rig;
    struct group *group;
    int assigned, revoked, records, closed, answered, refused;
    bool commits; /* when revoked; the partitions are given up with the answer */
};

static void on_assigned(void *arg, struct group_partition *parts, size_t n)
{
    (void)parts, (void)n;
    ((struct member *)arg)->assigned++;
}

static void on_record(void *arg, const struct kafka_record *r)
{
    (void)r;
    ((struct member *)arg)->records++;
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    (void)arg, (void)topic, (void)partition, (void)offset;
}

static void on_commit(void *arg, enum rc rc)
{
    struct member *m = arg;
    m->answered++;
    m->refused += rc == RC_RETRY;
    group_released(m->group);
}

static void on_revoked(void *arg, const struct group_partition *parts, size_t n, bool lost)
{
    struct member *m = arg;
    (void)n, (void)lost;
    struct group_partition at = {parts[0].topic, parts[0].partition, RECORDS, ""};
    m->revoked++;
    if (m->commits)
        group_commit(m->group, &at, 1, on_commit, m);
    else
        group_released(m->group);
}

static void on_closed(void *arg)
{
    ((struct member *)arg)->closed++;
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    assert_int_equal(ack->rc, RC_OK);
    ++*(int *)arg;
}

static void fill(struct kafka_rig *rig)
{
    struct publisher *p = NULL;
    struct err e = {""};
    int acks = 0;
    assert_int_equal(publisher_create(rig->loop, rig->config, rig->log, NULL, &p, &e), RC_OK);
    for (int i = 0; i < RECORDS; i++) {
        struct kafka_record r = {.topic = "t", .partition = 0, .key = "k", .key_n = 1, .value = "v", .value_n = 1};
        assert_int_equal(publisher_send(p, &r, on_ack, &acks, &e), RC_OK);
    }
    kafka_rig_until(rig, &acks, RECORDS, 20000);
    publisher_destroy(p);
}

/* As far as this librdkafka can: where changes wait for each other. */
static void join_group(struct member *m)
{
    static const struct group_ops ops = {on_assigned, on_record, on_end, on_revoked};
    static const char *const topics[] = {"t"};
    const char *settings[] = {"kafka.consumer.session.timeout.ms=45000",
                              rd_kafka_version() < COOPERATIVE_FROM ? NULL : "kafka.consumer.partition.assignment.strategy=cooperative-sticky", NULL};
    struct err e = {""};
    memset(m, 0, sizeof *m);
    seen.leaving = seen.hold = false;
    seen.asked = seen.looks = 0;
    kafka_rig_open(&m->rig, "t:1", settings);
    fill(&m->rig);
    assert_int_equal(group_create(m->rig.loop, m->rig.worker, m->rig.config, m->rig.log, NULL, "g", topics, 1, &ops, m, &m->group, &e), RC_OK);
}

static void until_it_looks(struct member *m)
{
    for (int i = 0; seen.looks == 0 && i < 1000; i++)
        kafka_rig_for(&m->rig, 20);
    assert_int_equal(seen.looks, 1);
}

static void end(struct member *m)
{
    group_destroy(m->group);
    seen.hold = false;
    kafka_rig_close(&m->rig);
}

/* ---- the tests */

static void leaves_at_once_while_it_looks_for_its_positions_and_asks_librdkafka_once_at_most(void **state)
{
    struct member m;
    (void)state;
    join_group(&m);
    seen.hold = true;
    until_it_looks(&m);
    group_close(m.group, on_closed, &m);
    kafka_rig_until(&m.rig, &m.closed, 1, LOOK_LASTS_MS - 10000);
    assert_int_equal(m.assigned + m.revoked, 0);
    assert_true(seen.asked <= 1);
    end(&m);
}

static void asks_librdkafka_once_when_it_leaves_from_the_middle_of_its_work(void **state)
{
    struct member m;
    (void)state;
    join_group(&m);
    m.commits = true;
    kafka_rig_until(&m.rig, &m.records, RECORDS, 20000);
    group_close(m.group, on_closed, &m);
    kafka_rig_until(&m.rig, &m.closed, 1, 20000);
    assert_int_equal(m.revoked, 1);
    assert_int_equal(m.answered, 1);
    assert_int_equal(m.refused, 0);
    assert_true(seen.asked <= 1);
    end(&m);
}

static void leaves_without_the_broker_that_does_not_answer_its_commit(void **state)
{
    struct member m;
    (void)state;
    join_group(&m);
    m.commits = true;
    kafka_rig_until(&m.rig, &m.records, RECORDS, 20000);
    assert_true(mock_cluster_down(m.rig.mock));
    group_close(m.group, on_closed, &m);
    kafka_rig_until(&m.rig, &m.closed, 1, 30000); /* the session's time-out is 45 s */
    assert_int_equal(m.answered, 1);
    assert_int_equal(m.refused, 1);
    assert_true(seen.asked <= 1);
    end(&m);
    assert_int_equal(m.answered, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_at_once_while_it_looks_for_its_positions_and_asks_librdkafka_once_at_most),
        cmocka_unit_test(asks_librdkafka_once_when_it_leaves_from_the_middle_of_its_work),
        cmocka_unit_test(leaves_without_the_broker_that_does_not_answer_its_commit),
    };
    if (getenv("RIG_ONLY") != NULL)
        cmocka_set_test_filter(getenv("RIG_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
