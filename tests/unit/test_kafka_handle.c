#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/kafka/kafka_handle.h"
#include "common/kafka/kafka_stats.h"
#include "tests/mock/kafka_rig.h"

/* ---- what librdkafka's statistics say of the member (linked with --wrap) */

static struct {
    bool joining;
    int reports;
} told;

enum rc __wrap_kafka_stats_take(const char *json, size_t n, const char *client, struct metrics *m, struct kafka_vitals *out);

enum rc __wrap_kafka_stats_take(const char *json, size_t n, const char *client, struct metrics *m, struct kafka_vitals *out)
{
    (void)json, (void)n, (void)client, (void)m;
    told.reports++;
    *out = (struct kafka_vitals){.answers = true, .joining = told.joining};
    return RC_OK;
}

/* ---- a group's handle and what /readyz says of it */

struct world {
    struct kafka_rig rig;
    struct health *health;
    struct kafka_handle *handle;
};

static void on_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg, (void)event;
}

static void begin(struct world *w, bool joining, int rtt_ms)
{
    static const char *const settings[] = {"kafka.consumer.statistics.interval.ms=100", NULL};
    struct err e = {""};
    told.joining = joining;
    told.reports = 0;
    kafka_rig_open(&w->rig, "t:1", settings);
    assert_true(mock_cluster_rtt(w->rig.mock, rtt_ms));
    w->health = health_create(clock_system(), NULL);
    assert_non_null(w->health);
    struct kafka_handle_desc d = {
        .loop = w->rig.loop, .log = w->rig.log, .health = w->health, .dependency = "kafka-group", .role = KAFKA_GROUP, .group_id = "g", .event = on_event};
    assert_int_equal(kafka_handle_create(&d, w->rig.config, &w->handle, &e), RC_OK);
}

static void end(struct world *w)
{
    kafka_handle_close(w->handle);
    health_destroy(w->health);
    kafka_rig_close(&w->rig);
}

static bool waits(const struct world *w)
{
    char words[400];
    health_summary(w->health, words, sizeof words);
    return strstr(words, "kafka-group is down: not let into the group yet") != NULL;
}

static void until_it_waits(struct world *w, bool wanted)
{
    for (int i = 0; i < 6000 && waits(w) != wanted; i++)
        kafka_rig_for(&w->rig, 20);
    assert_int_equal(waits(w), wanted);
}

static void until_ready(struct world *w)
{
    for (int i = 0; i < 6000 && !health_ready(w->health); i++)
        kafka_rig_for(&w->rig, 20);
    assert_true(health_ready(w->health));
}

/* ---- the tests */

static void a_member_that_waits_for_its_group_says_so_though_it_never_was_ready_and_is_ready_once_it_is_in(void **state)
{
    struct world w;
    (void)state;
    begin(&w, true, 5000); /* it has waited before a broker has answered */
    until_it_waits(&w, true);
    assert_true(mock_cluster_rtt(w.rig.mock, 0));
    told.joining = false;
    until_ready(&w);
    end(&w);
}

/* It waits no more, since there is nobody whom it could ask. */
static void a_member_that_waits_for_its_group_is_not_ready_when_the_broker_goes(void **state)
{
    struct world w;
    (void)state;
    begin(&w, false, 0);
    until_ready(&w);
    told.joining = true;
    until_it_waits(&w, true);
    assert_true(mock_cluster_down(w.rig.mock));
    until_it_waits(&w, false); /* the connection's end was noticed */
    for (int until = told.reports + 10; told.reports < until;)
        kafka_rig_for(&w.rig, 20); /* the coordinator's, too */
    told.joining = false;
    for (int until = told.reports + 20; told.reports < until; kafka_rig_for(&w.rig, 20))
        assert_false(health_ready(w.health));
    assert_true(mock_cluster_up(w.rig.mock));
    until_ready(&w);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_that_waits_for_its_group_says_so_though_it_never_was_ready_and_is_ready_once_it_is_in),
        cmocka_unit_test(a_member_that_waits_for_its_group_is_not_ready_when_the_broker_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
