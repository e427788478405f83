#include "common/kafka/kafka_stats.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct sums {
    double up, timeouts, errors, round_trip_us;
};

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key)); /* 0 for what is not there */
}

static const char *text(const json_t *object, const char *key)
{
    const char *found = json_string_value(json_object_get(object, key));
    return found == NULL ? "" : found;
}

/* The coordinator's connection may rightly be silent for minutes: a join waits for the other members. */
static bool is_logical(const json_t *broker)
{
    return strcmp(text(broker, "source"), "logical") == 0;
}

static void look_at_broker(const json_t *broker, struct kafka_vitals *out)
{
    double idle_us = json_object_get(broker, "rxidle") == NULL ? -1 : number(broker, "rxidle");
    bool up = strcmp(text(broker, "state"), "UP") == 0;
    if (idle_us < 0 || is_logical(broker))
        return;
    int64_t idle_ms = (int64_t)(idle_us / 1000);
    if (up && idle_ms <= KAFKA_SILENT_MS)
        out->answers = true;
    if (!up || number(broker, "waitresp_cnt") <= 0 || idle_ms <= KAFKA_SILENT_MS || idle_ms <= out->silent_ms)
        return;
    out->silent_ms = idle_ms;
    (void)snprintf(out->silent, sizeof out->silent, "%s", text(broker, "name")); /* cut is fine */
}

static void add_broker(const json_t *broker, struct sums *s)
{
    double round_trip = number(json_object_get(broker, "rtt"), "avg");
    s->up += !is_logical(broker) && strcmp(text(broker, "state"), "UP") == 0;
    s->timeouts += number(broker, "req_timeouts");
    s->errors += number(broker, "txerrs") + number(broker, "rxerrs");
    if (round_trip > s->round_trip_us)
        s->round_trip_us = round_trip;
}

static double fetched(const json_t *root)
{
    double n = 0;
    const char *name, *id;
    json_t *topic, *partition;
    json_object_foreach(json_object_get(root, "topics"), name, topic)
        json_object_foreach(json_object_get(topic, "partitions"), id, partition)
            n += number(partition, "fetchq_cnt");
    return n;
}

/* By the classic protocol; a member by the new one that rightly has no partitions cannot be told from one that waits. */
static bool is_joining(const json_t *group)
{
    static const char *const states[] = {"wait-join", "wait-metadata", "wait-sync"};
    const char *state = text(group, "join_state");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(state, states[i]) == 0)
            return true;
    return false;
}

static void publish(const json_t *root, const struct sums *s, const char *client, struct metrics *m)
{
    bool produces = strcmp(text(root, "type"), "producer") == 0;
    metrics_set(m, metrics_shared(m, SHARED_KAFKA_BROKERS_UP), client, s->up);
    metrics_set(m, metrics_shared(m, SHARED_KAFKA_ROUND_TRIP), client, s->round_trip_us / 1e6);
    metrics_set(m, metrics_shared(m, SHARED_KAFKA_TIMEOUTS), client, s->timeouts);
    metrics_set(m, metrics_shared(m, SHARED_KAFKA_ERRORS), client, s->errors);
    if (produces) {
        metrics_set(m, metrics_shared(m, SHARED_KAFKA_QUEUE_RECORDS), client, number(root, "msg_cnt"));
        metrics_set(m, metrics_shared(m, SHARED_KAFKA_QUEUE_BYTES), client, number(root, "msg_size"));
        return;
    }
    metrics_set(m, metrics_shared(m, SHARED_KAFKA_FETCHED_RECORDS), client, fetched(root));
    if (json_object_get(root, "cgrp") != NULL)
        metrics_set(m, metrics_shared(m, SHARED_KAFKA_REBALANCES), client, number(json_object_get(root, "cgrp"), "rebalance_cnt"));
}

enum rc kafka_stats_take(const char *json, size_t n, const char *client, struct metrics *m, struct kafka_vitals *out)
{
    struct sums sums = {0};
    const char *name;
    json_t *broker;
    json_t *root = json_loadb(json, n, 0, NULL);
    *out = (struct kafka_vitals){.silent = ""};
    if (!json_is_object(root) || !json_is_object(json_object_get(root, "brokers"))) {
        json_decref(root);
        return RC_REJECT;
    }
    json_object_foreach(json_object_get(root, "brokers"), name, broker)
    {
        add_broker(broker, &sums);
        look_at_broker(broker, out);
    }
    out->joining = is_joining(json_object_get(root, "cgrp"));
    publish(root, &sums, client, m);
    json_decref(root);
    return RC_OK;
}
