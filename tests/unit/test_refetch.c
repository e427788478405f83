#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/refetch.h"
#include "tests/mock/kafka_rig.h"

enum { PARTITIONS = 2, FIRST_WAIT_MS = 400, TIMES = 12 };

/* No broker answers: what is paused and sought there does not matter, when and where does. */
struct world {
    int64_t skipped_ms;
    struct clock clock;
    struct config *config;
    struct log *log;
    struct loop *loop;
    struct kafka_handle *handle;
    struct refetch refetch;
    int gone_on[PARTITIONS];
    bool not_now;
};

static int64_t mono(void *arg)
{
    return clock_mono(clock_system()) + ((struct world *)arg)->skipped_ms;
}

static int64_t wall(void *arg)
{
    (void)arg;
    return clock_wall(clock_system());
}

static bool go_on(void *arg, const char *topic, int32_t partition, int64_t *offset)
{
    struct world *w = arg;
    assert_string_equal(topic, "t");
    *offset = 7;
    w->gone_on[partition]++;
    return !w->not_now;
}

static void on_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg;
    (void)event;
}

static int setup(void **state)
{
    static struct world w;
    struct err e = {""};
    memset(&w, 0, sizeof w);
    w.clock = (struct clock){wall, mono, &w};
    w.config = kafka_rig_config("127.0.0.1:1", NULL);
    w.log = log_create("test", 2, clock_system());
    w.loop = loop_create(&w.clock, &e);
    struct kafka_handle_desc d = {.loop = w.loop, .log = w.log, .dependency = "kafka-read", .role = KAFKA_READ, .event = on_event};
    *state = &w;
    if (w.loop == NULL || kafka_handle_create(&d, w.config, &w.handle, &e) != RC_OK)
        return -1;
    refetch_init(&w.refetch, w.loop, w.log, "test", go_on, &w);
    refetch_use(&w.refetch, w.handle);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    refetch_release(&w->refetch);
    kafka_handle_close(w->handle);
    loop_destroy(w->loop);
    log_destroy(w->log);
    config_destroy(w->config);
    return 0;
}

static void pass_time(struct world *w, int64_t ms)
{
    w->skipped_ms += ms;
    loop_turn(w->loop, 0);
    loop_turn(w->loop, 0);
}

static void damaged(struct world *w, int32_t partition)
{
    refetch_damaged(&w->refetch, "t", partition, "a bit changed");
}

static void each_partition_waits_for_itself(void **state)
{
    struct world *w = *state;
    for (int i = 1; i <= TIMES; i++) { /* stored damaged: it waits ever longer */
        damaged(w, 0);
        assert_true(refetch_holds(&w->refetch, "t", 0));
        assert_false(refetch_holds(&w->refetch, "t", 1));
        pass_time(w, 60000);
        assert_int_equal(w->gone_on[0], i);
        assert_false(refetch_holds(&w->refetch, "t", 0));
    }
    damaged(w, 0);
    pass_time(w, 0);
    for (int i = 1; i <= 3; i++) { /* changed on the way now and then: after a quiet time it does not wait long, whatever the other does */
        damaged(w, 1);
        assert_true(refetch_holds(&w->refetch, "t", 1));
        pass_time(w, FIRST_WAIT_MS);
        assert_int_equal(w->gone_on[1], i);
        pass_time(w, 120001);
        damaged(w, 0);
    }
}

static void the_longest_wait_grows_and_begins_anew(void **state)
{
    struct world *w = *state;
    int late = 0, last = 0;
    for (int i = 0; i < 60; i++) { /* each wait is random: some of 60 are long */
        damaged(w, 0);
        pass_time(w, FIRST_WAIT_MS);
        late += w->gone_on[0] == last;
        pass_time(w, 60000);
        last = w->gone_on[0];
    }
    assert_int_equal(last, 60);
    assert_true(late > 30);
    pass_time(w, 120001);
    damaged(w, 0);
    pass_time(w, FIRST_WAIT_MS);
    assert_int_equal(w->gone_on[0], last + 1);
}

static void a_partition_that_its_owner_keeps_paused_is_asked_about_again(void **state)
{
    struct world *w = *state;
    w->not_now = true;
    damaged(w, 0);
    pass_time(w, FIRST_WAIT_MS);
    assert_int_equal(w->gone_on[0], 1);
    assert_true(refetch_holds(&w->refetch, "t", 0));
    w->not_now = false;
    pass_time(w, 1000);
    assert_int_equal(w->gone_on[0], 2);
    assert_false(refetch_holds(&w->refetch, "t", 0));
}

static void what_is_given_up_is_not_fetched_again(void **state)
{
    struct world *w = *state;
    damaged(w, 0);
    damaged(w, 1);
    refetch_forget(&w->refetch, "t", 0);
    assert_false(refetch_holds(&w->refetch, "t", 0));
    pass_time(w, 60000);
    assert_int_equal(w->gone_on[0], 0);
    assert_int_equal(w->gone_on[1], 1);
    damaged(w, 1);
    refetch_use(&w->refetch, w->handle);
    pass_time(w, 60000);
    assert_int_equal(w->gone_on[1], 1);
}

static void an_end_that_is_not_known_convicts_nobody(void **state)
{
    struct world *w = *state;
    assert_false(refetch_beyond(&w->refetch, "t", 0, INT64_MAX));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_partition_waits_for_itself),
        TEST(the_longest_wait_grows_and_begins_anew),
        TEST(a_partition_that_its_owner_keeps_paused_is_asked_about_again),
        TEST(what_is_given_up_is_not_fetched_again),
        TEST(an_end_that_is_not_known_convicts_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
