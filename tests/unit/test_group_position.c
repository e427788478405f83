#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "producer/group_position.h"
#include "tests/mock/kafka_rig.h"

enum { PARTITIONS = 3, API_OFFSET_FETCH = 9 };

struct bench {
    struct kafka_rig rig;
    int done;
    int64_t offsets[PARTITIONS];
};

static void on_done(void *arg, const int64_t *offsets)
{
    struct bench *b = arg;
    memcpy(b->offsets, offsets, sizeof b->offsets);
    b->done++;
}

static int open_bench(void **state)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    kafka_rig_open(&b.rig, "ledger:3", NULL);
    *state = &b;
    return 0;
}

static int close_bench(void **state)
{
    kafka_rig_close(&((struct bench *)*state)->rig);
    return 0;
}

/* By another client, as the producer's own group does it. */
static void commit(struct bench *b, int32_t partition, int64_t offset)
{
    char words[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", mock_cluster_servers(b->rig.mock), words, sizeof words), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "group.id", "g", words, sizeof words), RD_KAFKA_CONF_OK);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof words);
    assert_non_null(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "ledger", partition)->offset = offset;
    assert_int_equal(rd_kafka_commit(rk, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

static struct group_position *ask(struct bench *b)
{
    struct group_position *gp = NULL;
    struct err e = {""};
    struct group_position_needs needs = {.loop = b->rig.loop, .worker = b->rig.worker, .config = b->rig.config, .log = b->rig.log, .group_id = "g",
                                         .topic = "ledger", .partitions = PARTITIONS};
    assert_int_equal(group_position_fetch(&needs, on_done, b, &gp, &e), RC_OK);
    return gp;
}

static void each_partition_has_what_was_committed_for_it_or_none(void **state)
{
    struct bench *b = *state;
    commit(b, 0, 5);
    commit(b, 2, 77);
    (void)ask(b);
    kafka_rig_until(&b->rig, &b->done, 1, 60000);
    assert_int_equal(b->offsets[0], 5);
    assert_int_equal(b->offsets[1], -1);
    assert_int_equal(b->offsets[2], 77);
}

static void a_broker_that_does_not_answer_is_asked_again(void **state)
{
    struct bench *b = *state;
    commit(b, 1, 9);
    assert_true(mock_cluster_errors(b->rig.mock, API_OFFSET_FETCH, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 2));
    (void)ask(b);
    kafka_rig_until(&b->rig, &b->done, 1, 60000);
    assert_int_equal(b->offsets[1], 9);
    kafka_rig_for(&b->rig, 100);
    assert_int_equal(b->done, 1);
}

static void nobody_hears_of_what_was_cancelled(void **state)
{
    struct bench *b = *state;
    group_position_cancel(NULL);
    group_position_cancel(ask(b)); /* before it was asked */
    assert_true(mock_cluster_rtt(b->rig.mock, 300));
    struct group_position *gp = ask(b);
    kafka_rig_for(&b->rig, 100);
    group_position_cancel(gp); /* while it is asked */
    kafka_rig_for(&b->rig, 1500);
    assert_int_equal(b->done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_partition_has_what_was_committed_for_it_or_none, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(a_broker_that_does_not_answer_is_asked_again, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(nobody_hears_of_what_was_cancelled, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
