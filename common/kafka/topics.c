#include "common/kafka/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/kafka/kafka_handle.h"
#include "common/kafka/topic_rules.h"

enum {
    LIST_WAITS_MS = 5000, /* a large cluster lists thousands */
    CONTROLLER_WAITS_MS = 2000,
    ADMIN_WAITS_MS = 5000,
    DESTROY_WAITS_MS = 6000,
    WORDS_MAX = 512
};

/* One look at the cluster in the worker. */
struct look {
    struct topics *topics; /* NULL: gone */
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    char names[TOPIC_COUNT][250];
    int partitions[TOPIC_COUNT];
    bool controller; /* somebody answers admin requests */
    rd_kafka_resp_err_t err;
};

struct topics {
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct kafka_handle *handle;
    unsigned wanted;
    char names[TOPIC_COUNT][250];
    struct topic_seen seen[TOPIC_COUNT];
    struct look *looking;
    bool asked;  /* an admin request is not answered */
    bool tried;  /* creation was asked for since the last pause */
    struct backoff backoff;
    struct loop_timer again;
    topics_done_fn *done;
    void *arg;
};

static void look(void *arg);

static bool wants(const struct topics *t, int i)
{
    return (t->wanted & (1U << i)) != 0;
}

static int partitions_of(const struct topics *t, int i)
{
    return topic_table[i].partitions > 0 ? topic_table[i].partitions : (int)config_int(t->config, "topics.partitions");
}

static const char *servers(const struct topics *t)
{
    return config_text(t->config, "kafka.bootstrap.servers");
}

static void again_later(struct topics *t, const char *why)
{
    int64_t wait = backoff_next(&t->backoff);
    t->tried = false;
    kafka_handle_trouble(t->handle, why, "looks again");
    log_event(t->log, LOG_WARN, "topics", NULL, "topics are not ready", LOG_S("why", why), LOG_I("again_ms", wait));
    loop_timer_in(t->loop, &t->again, wait, look, t);
}

/* The last step: t may be gone afterwards. */
static void judge(struct topics *t)
{
    struct topics_found found = {{0}};
    struct err e = {""};
    for (int i = 0; i < TOPIC_COUNT; i++) {
        found.partitions[i] = t->seen[i].partitions;
        if (topic_rules_wrong_time(i, &t->seen[i]))
            log_fact(t->log, LOG_WARN, "topics", NULL, "record times are not the broker's", LOG_S("topic", t->names[i]),
                     LOG_S("message.timestamp.type", t->seen[i].timestamp), LOG_S("wanted", topic_table[i].timestamp));
        if (topic_rules_short_retention(i, &t->seen[i]))
            log_fact(t->log, LOG_WARN, "topics", NULL, "records are deleted sooner than designed: an outage that lasts longer loses orders", LOG_S("topic", t->names[i]),
                     LOG_S("retention.ms", t->seen[i].retention), LOG_S("wanted", topic_table[i].retention));
    }
    enum rc rc = topic_rules_check(t->seen, config_text(t->config, "topics.prefix"), servers(t), &e);
    if (rc == RC_OK)
        kafka_handle_well(t->handle);
    else
        kafka_handle_trouble(t->handle, e.text, "stops");
    t->done(t->arg, rc, &found, e.text);
}

static rd_kafka_AdminOptions_t *admin_options(struct topics *t, rd_kafka_admin_op_t op)
{
    char text[256];
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(kafka_handle_rk(t->handle), op);
    rd_kafka_resp_err_t err = rd_kafka_AdminOptions_set_request_timeout(o, ADMIN_WAITS_MS, text, sizeof text);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && op == RD_KAFKA_ADMIN_OP_CREATETOPICS)
        err = rd_kafka_AdminOptions_set_operation_timeout(o, ADMIN_WAITS_MS, text, sizeof text);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_event(t->log, LOG_WARN, "topics", NULL, "admin request without a time-out of ours", LOG_S("why", text));
    return o;
}

static rd_kafka_NewTopic_t *new_topic(struct topics *t, int i, struct err *e)
{
    const struct topic_row *row = &topic_table[i];
    char text[256] = "";
    rd_kafka_NewTopic_t *n = rd_kafka_NewTopic_new(t->names[i], partitions_of(t, i),
                                                   (int)config_int(t->config, "topics.replication"), text, sizeof text);
    if (n == NULL) {
        err_set(e, "topic %s: %s", t->names[i], text);
        return NULL;
    }
    rd_kafka_resp_err_t err = rd_kafka_NewTopic_set_config(n, "cleanup.policy", row->cleanup);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && row->retention != NULL)
        err = rd_kafka_NewTopic_set_config(n, "retention.ms", row->retention);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && row->timestamp != NULL)
        err = rd_kafka_NewTopic_set_config(n, "message.timestamp.type", row->timestamp);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return n;
    err_set(e, "topic %s: %s", t->names[i], rd_kafka_err2str(err));
    rd_kafka_NewTopic_destroy(n);
    return NULL;
}

static void create_missing(struct topics *t)
{
    rd_kafka_NewTopic_t *all[TOPIC_COUNT];
    size_t n = 0;
    struct err e = {""};
    for (int i = 0; i < TOPIC_COUNT; i++) {
        if (!wants(t, i) || t->seen[i].partitions > 0)
            continue;
        if ((all[n] = new_topic(t, i, &e)) == NULL)
            break;
        n++;
    }
    if (e.text[0] != '\0' || n == 0) {
        again_later(t, e.text);
    } else {
        rd_kafka_AdminOptions_t *o = admin_options(t, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        rd_kafka_CreateTopics(kafka_handle_rk(t->handle), all, n, o, kafka_handle_queue(t->handle));
        rd_kafka_AdminOptions_destroy(o);
        t->asked = true;
        t->tried = true;
    }
    rd_kafka_NewTopic_destroy_array(all, n);
}

static void describe(struct topics *t)
{
    rd_kafka_ConfigResource_t *all[TOPIC_COUNT];
    size_t n = 0;
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (wants(t, i))
            all[n++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, t->names[i]);
    rd_kafka_AdminOptions_t *o = admin_options(t, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(kafka_handle_rk(t->handle), all, n, o, kafka_handle_queue(t->handle));
    rd_kafka_AdminOptions_destroy(o);
    t->asked = true;
    rd_kafka_ConfigResource_destroy_array(all, n);
}

static void say_missing(struct topics *t, int i)
{
    char words[WORDS_MAX];
    struct buf command;
    buf_init(&command, WORDS_MAX);
    topic_rules_command(i, config_text(t->config, "topics.prefix"), servers(t), partitions_of(t, i), &command);
    const char *text = buf_text(&command);
    (void)snprintf(words, sizeof words, "topic %s is missing; make it with: %s", t->names[i], text == NULL ? "kafka-topics.sh" : text);
    buf_release(&command);
    again_later(t, words);
}

static void looked(struct topics *t, const struct look *l)
{
    int missing = -1;
    if (l->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        again_later(t, rd_kafka_err2str(l->err));
        return;
    }
    for (int i = 0; i < TOPIC_COUNT; i++) {
        t->seen[i].partitions = wants(t, i) ? l->partitions[i] : 0;
        if (wants(t, i) && l->partitions[i] == 0)
            missing = i;
    }
    if (!l->controller)
        log_event(t->log, LOG_WARN, "topics", NULL, "the broker answers no admin requests: settings of topics are not checked",
                  LOG_S("servers", servers(t)));
    if (missing >= 0 && l->controller && !t->tried && config_bool(t->config, "topics.create"))
        create_missing(t);
    else if (missing >= 0)
        say_missing(t, missing);
    else if (l->controller)
        describe(t);
    else
        judge(t);
}

/* All topics are listed: asking for one by name may create it, with the wrong number of partitions. */
static void look_run(void *arg)
{
    struct look *l = arg;
    const struct rd_kafka_metadata *found = NULL;
    l->err = rd_kafka_metadata(l->rk, 1, NULL, &found, LIST_WAITS_MS);
    if (l->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (int i = 0; i < found->topic_cnt; i++)
        for (int n = 0; n < TOPIC_COUNT; n++)
            if (strcmp(found->topics[i].topic, l->names[n]) == 0)
                l->partitions[n] = found->topics[i].partition_cnt;
    /* Admin requests go to the controller; without one they would only time out (librdkafka's mock names one that is no broker). */
    int32_t controller = rd_kafka_controllerid(l->rk, CONTROLLER_WAITS_MS);
    for (int i = 0; i < found->broker_cnt; i++)
        l->controller |= found->brokers[i].id == controller;
    rd_kafka_metadata_destroy(found);
}

static void look_done(void *arg, bool ran)
{
    struct look *l = arg;
    if (l->topics != NULL) {
        l->topics->looking = NULL;
        if (ran)
            looked(l->topics, l);
    }
    kafka_handle_unref(l->handle);
    free(l);
}

static void look(void *arg)
{
    struct topics *t = arg;
    struct look *l = calloc(1, sizeof *l);
    if (l == NULL) {
        again_later(t, "out of memory");
        return;
    }
    l->topics = t;
    kafka_handle_ref(t->handle);
    l->handle = t->handle;
    l->rk = kafka_handle_rk(t->handle);
    memcpy(l->names, t->names, sizeof l->names);
    if (worker_submit(t->worker, look_run, look_done, l) != RC_OK) {
        kafka_handle_unref(l->handle);
        free(l);
        again_later(t, "too much to do");
        return;
    }
    t->looking = l;
}

static void on_created(struct topics *t, rd_kafka_event_t *event)
{
    size_t n = 0;
    const rd_kafka_topic_result_t **all = NULL;
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
        all = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    else
        log_event(t->log, LOG_WARN, "topics", NULL, "topics cannot be created", LOG_S("why", rd_kafka_event_error_string(event)));
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t err = rd_kafka_topic_result_error(all[i]);
        const char *name = rd_kafka_topic_result_name(all[i]);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            log_fact(t->log, LOG_INFO, "topics", NULL, "topic created", LOG_S("topic", name));
        } else if (err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            const char *why = rd_kafka_topic_result_error_string(all[i]);
            log_fact(t->log, LOG_WARN, "topics", NULL, "topic cannot be created", LOG_S("topic", name),
                     LOG_S("why", why != NULL ? why : rd_kafka_err2str(err)));
        }
    }
    loop_timer_in(t->loop, &t->again, 200, look, t); /* it takes a moment until every broker shows them */
}

static void read_settings(struct topics *t, const rd_kafka_ConfigResource_t *r)
{
    size_t n = 0;
    struct topic_seen *seen = NULL;
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (strcmp(t->names[i], rd_kafka_ConfigResource_name(r)) == 0)
            seen = &t->seen[i];
    if (seen == NULL)
        return;
    if (rd_kafka_ConfigResource_error(r) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *why = rd_kafka_ConfigResource_error_string(r);
        log_fact(t->log, LOG_WARN, "topics", NULL, "settings cannot be checked", LOG_S("topic", rd_kafka_ConfigResource_name(r)),
                 LOG_S("why", why));
        return;
    }
    const rd_kafka_ConfigEntry_t **all = rd_kafka_ConfigResource_configs(r, &n);
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConfigEntry_name(all[i]), *value = rd_kafka_ConfigEntry_value(all[i]);
        if (value != NULL && strcmp(name, "cleanup.policy") == 0)
            (void)snprintf(seen->cleanup, sizeof seen->cleanup, "%s", value);
        if (value != NULL && strcmp(name, "message.timestamp.type") == 0)
            (void)snprintf(seen->timestamp, sizeof seen->timestamp, "%s", value);
        if (value != NULL && strcmp(name, "retention.ms") == 0)
            (void)snprintf(seen->retention, sizeof seen->retention, "%s", value);
    }
}

static void on_described(struct topics *t, rd_kafka_event_t *event)
{
    size_t n = 0;
    const rd_kafka_ConfigResource_t **all = NULL;
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
        all = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
    else
        log_event(t->log, LOG_WARN, "topics", NULL, "settings of topics cannot be checked",
                  LOG_S("why", rd_kafka_event_error_string(event)));
    for (size_t i = 0; i < n; i++)
        read_settings(t, all[i]);
    judge(t);
}

static void on_event(void *arg, rd_kafka_event_t *event)
{
    struct topics *t = arg;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
        t->asked = false;
        on_created(t, event);
        break;
    case RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT:
        t->asked = false;
        on_described(t, event);
        break;
    default:
        (void)kafka_conf_event(t->log, event);
        break;
    }
}

enum rc topics_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, unsigned wanted,
                      topics_done_fn *done, void *arg, struct topics **out, struct err *e)
{
    struct topics *t = calloc(1, sizeof *t);
    if (t == NULL) {
        err_set(e, "topics: out of memory");
        return RC_FATAL;
    }
    t->loop = l;
    t->worker = w;
    t->config = c;
    t->log = log;
    t->wanted = wanted;
    t->done = done;
    t->arg = arg;
    for (int i = 0; i < TOPIC_COUNT; i++)
        kafka_topic_name(c, topic_table[i].name, t->names[i]);
    backoff_init(&t->backoff, 500, 10000, (uint64_t)clock_wall(loop_clock(l)) ^ (uint64_t)(uintptr_t)t);
    struct kafka_handle_desc d = {
        .loop = l,
        .log = log,
        .health = h,
        .dependency = "kafka-topics",
        .role = KAFKA_ADMIN,
        .event = on_event,
        .arg = t,
    };
    enum rc rc = kafka_handle_create(&d, c, &t->handle, e);
    if (rc != RC_OK) {
        free(t);
        return rc;
    }
    loop_timer_in(l, &t->again, 0, look, t);
    *out = t;
    return RC_OK;
}

/* librdkafka hangs when a handle with an unanswered admin request is destroyed. */
static void await_answer(struct topics *t)
{
    int64_t end = loop_now(t->loop) + DESTROY_WAITS_MS;
    while (t->asked && loop_now(t->loop) < end) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(kafka_handle_queue(t->handle), 100);
        int type = rd_kafka_event_type(event);
        if (type == RD_KAFKA_EVENT_CREATETOPICS_RESULT || type == RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT)
            t->asked = false;
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
}

void topics_destroy(struct topics *t)
{
    if (t == NULL)
        return;
    loop_timer_clear(t->loop, &t->again);
    if (t->looking != NULL)
        t->looking->topics = NULL;
    await_answer(t);
    kafka_handle_close(t->handle);
    free(t);
}
