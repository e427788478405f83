#include "tests/mock/kafka_rig.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct config *kafka_rig_config(const char *servers, const char *const *settings)
{
    char where[256];
    const char *overrides[RIG_SETTINGS_MAX + 3];
    size_t n = 0;
    struct config_problems problems = {.count = 0};
    struct config *c = NULL;
    (void)snprintf(where, sizeof where, "kafka.bootstrap.servers=%s", servers);
    overrides[n++] = where;
    /* The mock makes a lone member that comes back wait for it, less a second. And it lets a member that joins wait for 3 s while its session runs already: one that is no longer ends
     * just then, and its JoinGroup is never answered. */
    overrides[n++] = "kafka.consumer.session.timeout.ms=4000";
    overrides[n++] = "kafka.consumer.fetch.wait.max.ms=50";
    for (size_t i = 0; settings != NULL && settings[i] != NULL && i < RIG_SETTINGS_MAX; i++)
        overrides[n++] = settings[i];
    buf_init(&problems.text, 65536);
    struct config_source s = {.overrides = overrides, .overrides_n = n, .program = 0};
    enum rc rc = config_load(&s, &c, &problems);
    if (rc != RC_OK)
        print_error("%s", problems.text.p == NULL ? "?" : buf_text(&problems.text));
    buf_release(&problems.text);
    assert_int_equal(rc, RC_OK);
    return c;
}

static void make_topics(struct mock_cluster *m, const char *topics)
{
    while (*topics != '\0') {
        char name[250];
        size_t n = strcspn(topics, ":");
        assert_true(n < sizeof name && topics[n] == ':');
        memcpy(name, topics, n);
        name[n] = '\0';
        char *end = NULL;
        long partitions = strtol(topics + n + 1, &end, 10);
        assert_true(mock_cluster_topic(m, name, (int)partitions));
        topics = *end == ',' ? end + 1 : end;
    }
}

void kafka_rig_open(struct kafka_rig *r, const char *topics, const char *const *settings)
{
    char text[512] = "";
    struct err e = {""};
    memset(r, 0, sizeof *r);
    r->mock = mock_cluster_create(text, sizeof text);
    assert_non_null(r->mock);
    make_topics(r->mock, topics);
    r->config = kafka_rig_config(mock_cluster_servers(r->mock), settings);
    r->loop = loop_create(clock_system(), &e);
    assert_non_null(r->loop);
    r->worker = worker_create(r->loop, &e);
    assert_non_null(r->worker);
    if (getenv("RIG_LOG") != NULL) {
        r->log = log_create("test", 2, clock_system());
        assert_non_null(r->log);
    }
}

void kafka_rig_close(struct kafka_rig *r)
{
    worker_destroy(r->worker);
    loop_destroy(r->loop);
    log_destroy(r->log);
    config_destroy(r->config);
    mock_cluster_destroy(r->mock);
}

void kafka_rig_until(struct kafka_rig *r, const int *value, int wanted, int ms)
{
    int64_t end = loop_now(r->loop) + ms;
    while (*value < wanted && loop_now(r->loop) < end)
        loop_turn(r->loop, 20);
    if (*value < wanted)
        fail_msg("%d of %d after %d ms", *value, wanted, ms);
}

void kafka_rig_for(struct kafka_rig *r, int ms)
{
    int64_t end = loop_now(r->loop) + ms;
    while (loop_now(r->loop) < end)
        loop_turn(r->loop, 20);
}
