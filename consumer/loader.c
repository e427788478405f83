#include "consumer/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/publisher.h"
#include "common/kafka/registry.h"
#include "common/kafka/topics.h"
#include "consumer/assignment.h"
#include "consumer/consumer_metrics.h"
#include "consumer/hand_list.h"
#include "consumer/loading.h"
#include "consumer/outlook.h"

enum { TICK_MS = 1000, LAST_COMMIT_MS = 5000, GROUP_BYTES = 400 };

enum drain { DRAIN_NONE, DRAIN_WAITS, DRAIN_COMMITS };

struct loader {
    struct loader_env env;
    struct registry *registry;
    struct publisher *publisher;
    struct loading *loading;
    struct topics *topics;
    struct schema *outcome_schema;
    struct group *group; /* NULL: not joined yet */
    struct assignment *mine;
    struct outlook *outlook;
    char group_id[GROUP_BYTES];
    char orders[250], outcomes[250], dead_letters[250];
    const char *warehouse;
    size_t queue_records, queue_bytes;
    bool full; /* more in hand than that; until half of it is done */
    enum drain drain;
    bool stopping, assigned, finished, committing, worked_off;
    bool uncommitted; /* records were finished since the last commit began */
    struct loop_timer tick, committer, drain_timer, finish;
};

static void finish(struct loader *l, int code, const char *words)
{
    if (l->finished)
        return;
    l->finished = true;
    l->env.finished(l->env.arg, code, words);
}

/* Whether new tries may begin. */
static void let_load(void *arg)
{
    struct loader *l = arg;
    loading_stop(l->loading, l->stopping || l->drain != DRAIN_NONE || outlook_waits(l->outlook));
}

static void flow(struct loader *l)
{
    size_t records = loading_records(l->loading), bytes = loading_bytes(l->loading);
    if (records >= l->queue_records || bytes >= l->queue_bytes)
        l->full = true;
    else if (records <= l->queue_records / 2 && bytes <= l->queue_bytes / 2)
        l->full = false;
    assignment_flow(l->mine, l->group, l->full);
    outlook_look(l->outlook);
}

static void on_record(void *arg, const struct kafka_record *r)
{
    struct loader *l = arg;
    struct owned *o = assignment_find(l->mine, r->partition);
    if (o == NULL || o->leaving)
        return;
    metrics_add(l->env.metrics, METRIC_RECORDS, NULL, 1);
    o->at_end = false;
    PROBE(record_received);
    if (l->warehouse[0] != '\0' && order_record_not_for(r, l->warehouse)) {
        offset_track_pass(o->track, r->offset);
        o->changed = true;
        metrics_add(l->env.metrics, METRIC_SKIPPED, "warehouse", 1);
        return;
    }
    enum offset_take taken = offset_track_take(o->track, r->offset);
    if (taken == OFFSET_DONE) {
        o->changed = true;
        metrics_add(l->env.metrics, METRIC_SKIPPED, "finished", 1);
    }
    if (taken == OFFSET_DONE || taken == OFFSET_OLD)
        return;
    struct order_record *record = taken == OFFSET_NEW ? order_record_create(r, o->generation) : NULL;
    if (record == NULL) {
        finish(l, 1, "out of memory");
        return;
    }
    o->in_hand++;
    o->changed = true;
    loading_take(l->loading, record);
    flow(l);
}

static void committed(void *arg, enum rc rc);

static void commit(struct loader *l)
{
    if (l->committing || l->drain != DRAIN_NONE || l->group == NULL)
        return;
    l->committing = assignment_commit(l->mine, l->group, committed, l);
    l->uncommitted = false;
}

static void commit_now(void *arg)
{
    commit(arg);
}

/* What is finished and not committed is loaded again after a crash: one commit soon follows the other, each with what was finished meanwhile. */
static void commit_soon(struct loader *l)
{
    if (!l->committing && !l->committer.armed && !l->finished)
        loop_timer_in(l->env.loop, &l->committer, 0, commit_now, l); /* with what this turn finishes besides */
}

static void on_record_done(void *arg, const struct order_record *r)
{
    struct loader *l = arg;
    struct owned *o = assignment_find_generation(l->mine, r->source.partition, r->generation);
    if (o == NULL)
        return; /* of an assignment that is gone: whoever has it now does it again under the same key */
    PROBE(record_finished);
    (void)offset_track_finish(o->track, r->source.offset);
    o->in_hand--;
    o->loads_ended += r->tried;
    o->changed = true;
    l->uncommitted = true;
    loading_uncommitted(l->loading, assignment_uncommitted(l->mine));
    commit_soon(l);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct loader *l = arg;
    struct owned *o = assignment_find(l->mine, partition);
    (void)topic;
    (void)offset;
    if (o == NULL)
        return;
    o->ended = o->at_end = true;
    outlook_look(l->outlook);
}

static void committed(void *arg, enum rc rc)
{
    struct loader *l = arg;
    l->committing = false;
    if (l->finished)
        return;
    if (rc != RC_OK)
        assignment_commit_failed(l->mine);
    else if (l->drain != DRAIN_COMMITS) /* then a later one is on its way */
        assignment_committed(l->mine);
    if (rc == RC_OK && l->uncommitted)
        commit_soon(l);
    loading_uncommitted(l->loading, assignment_uncommitted(l->mine));
}

/* --until-end: every partition's end was reached once, nothing is in hand and the broker knows it. */
static bool all_worked_off(const struct loader *l)
{
    if (!l->assigned || l->committing || assignment_changed(l->mine) || loading_records(l->loading) > 0)
        return false;
    for (size_t i = 0; i < assignment_count(l->mine); i++)
        if (!assignment_at(l->mine, i)->ended)
            return false;
    return true;
}

static void tick(void *arg)
{
    struct loader *l = arg;
    commit(l);
    outlook_look(l->outlook);
    loading_tell_lag(l->loading);
    loop_timer_in(l->env.loop, &l->tick, TICK_MS, tick, l);
    if (l->env.until_end && !l->stopping && all_worked_off(l)) {
        log_fact(l->env.log, LOG_INFO, "orders", NULL, "worked off", LOG_I("partitions", assignment_count(l->mine)));
        l->worked_off = true;
        loader_stop(l);
    }
}

static void on_assigned(void *arg, struct group_partition *parts, size_t n)
{
    struct loader *l = arg;
    l->assigned = true;
    for (size_t i = 0; i < n; i++) {
        bool understood = true;
        if (assignment_add(l->mine, &parts[i], &understood) == NULL) {
            finish(l, 1, "out of memory");
            return;
        }
        if (!understood)
            log_event(l->env.log, LOG_WARN, "orders", NULL, "the commit's metadata is of another position and is ignored: what was finished above is loaded again",
                      LOG_I("partition", parts[i].partition), LOG_I("offset", parts[i].offset));
        log_fact(l->env.log, LOG_INFO, "orders", NULL, "partition assigned", LOG_I("partition", parts[i].partition),
                  LOG_I("offset", parts[i].offset));
    }
    outlook_assigned(l->outlook);
    let_load(l);
}

static void drain_over(struct loader *l)
{
    loop_timer_clear(l->env.loop, &l->drain_timer);
    for (size_t i = assignment_count(l->mine); i-- > 0;) {
        struct owned *o = assignment_at(l->mine, i);
        if (!o->leaving)
            continue;
        int32_t partition = o->partition;
        assignment_remove(l->mine, partition);
        loading_drop(l->loading, partition);
    }
    l->drain = DRAIN_NONE;
    if (assignment_uncommitted(l->mine) > 0) { /* of what stays: whether the last commit had it is not told here */
        assignment_commit_failed(l->mine);
        commit_soon(l);
    }
    if (assignment_count(l->mine) == 0)
        l->assigned = false; /* --until-end waits for the next assignment */
    outlook_revoked(l->outlook);
    loading_uncommitted(l->loading, assignment_uncommitted(l->mine));
    let_load(l);
    group_released(l->group);
}

static void drain_over_late(void *arg)
{
    struct loader *l = arg;
    log_event(l->env.log, LOG_WARN, "orders", NULL, "partitions given up before their last commit was answered", LOG_I("partitions", assignment_count(l->mine)));
    drain_over(l);
}

static void last_committed(void *arg, enum rc rc)
{
    struct loader *l = arg;
    if (l->drain != DRAIN_COMMITS || l->finished)
        return;
    if (rc != RC_OK)
        log_event(l->env.log, LOG_WARN, "orders", NULL, "the last commit failed: what it held is loaded again under the same keys", LOG_I("rc", rc));
    drain_over(l);
}

static void drain_commit(void *arg)
{
    struct loader *l = arg;
    l->drain = DRAIN_COMMITS;
    loop_timer_in(l->env.loop, &l->drain_timer, LAST_COMMIT_MS, drain_over_late, l);
    if (l->committing)
        assignment_commit_failed(l->mine); /* its answer may be late: commit the newest anyway */
    if (!assignment_commit(l->mine, l->group, last_committed, l))
        drain_over(l);
}

static void drain_look(struct loader *l)
{
    if (l->drain != DRAIN_WAITS)
        return;
    for (size_t i = 0; i < assignment_count(l->mine); i++) {
        struct owned *o = assignment_at(l->mine, i);
        if (o->leaving && loading_busy(l->loading, o->partition) > 0)
            return;
    }
    drain_commit(l);
}

static void on_revoked(void *arg, const struct group_partition *parts, size_t n, bool lost)
{
    struct loader *l = arg;
    for (size_t i = 0; i < n; i++) {
        struct owned *o = assignment_find(l->mine, parts[i].partition);
        if (o != NULL)
            o->leaving = true;
        log_event(l->env.log, lost ? LOG_WARN : LOG_INFO, "orders", NULL, lost ? "partition lost" : "partition revoked",
                  LOG_I("partition", parts[i].partition));
    }
    l->drain = DRAIN_WAITS;
    let_load(l);
    if (lost) {
        drain_over(l);
        return;
    }
    loop_timer_in(l->env.loop, &l->drain_timer, config_ms(l->env.config, "consumer.drain_timeout"), drain_commit, l);
    drain_look(l);
}

/* A try ended or an outcome was acknowledged. */
static void on_progress(void *arg)
{
    struct loader *l = arg;
    if (l->group == NULL)
        return;
    drain_look(l);
    flow(l);
}

static void on_reopened(void *arg)
{
    struct loader *l = arg;
    outlook_reopened(l->outlook);
    let_load(l);
}

static bool on_outdated(void *arg, const void *key, size_t key_n, const char *warehouse, int64_t publication)
{
    const struct loader *l = arg;
    return outlook_outdated(l->outlook, key, key_n, warehouse, publication);
}

static void on_failed(void *arg, const char *words)
{
    finish(arg, 1, words);
}

static void on_registered(void *arg, enum rc rc, int32_t id, const char *words)
{
    struct loader *l = arg;
    static const struct group_ops ops = {.assigned = on_assigned, .record = on_record, .end = on_end, .revoked = on_revoked};
    const char *topics[] = {l->orders};
    struct err e;
    if (rc != RC_OK) {
        finish(l, 1, words);
        return;
    }
    loading_schema(l->loading, id);
    publisher_warm(l->publisher, l->outcomes); /* the topics exist by now; what ended waits for its outcome, so a second lost here holds up every load */
    publisher_warm(l->publisher, l->dead_letters);
    if (l->stopping)
        return;
    if (group_create(l->env.loop, l->env.worker, l->env.config, l->env.log, l->env.health, l->group_id, topics, 1, &ops, l, &l->group, &e) != RC_OK) {
        finish(l, 1, e.text);
        return;
    }
    log_fact(l->env.log, LOG_INFO, "orders", NULL, "joining the group", LOG_S("group", l->group_id),
             LOG_S("warehouse", l->warehouse[0] != '\0' ? l->warehouse : "(every one)"), LOG_S("sink", config_text(l->env.config, "erp.sink")));
    loop_timer_in(l->env.loop, &l->tick, TICK_MS, tick, l);
}

static void on_topics(void *arg, enum rc rc, const struct topics_found *found, const char *words)
{
    struct loader *l = arg;
    struct err e;
    (void)found;
    if (rc != RC_OK)
        finish(l, 1, words);
    else if (registry_register(l->registry, l->outcomes, l->outcome_schema, on_registered, l, &e) != RC_OK)
        finish(l, 1, e.text);
}

static void group_name(struct loader *l)
{
    const char *own = config_text(l->env.config, "consumer.group");
    if (own[0] != '\0')
        (void)snprintf(l->group_id, sizeof l->group_id, "%s", own); /* cut: the broker refuses such a name anyway */
    else
        (void)snprintf(l->group_id, sizeof l->group_id, "%s-erp-%s", config_text(l->env.config, "topics.prefix"),
                       l->warehouse[0] != '\0' ? l->warehouse : "all");
}

static void tell_who(const struct loader *l)
{
    char labels[ORDER_WAREHOUSE_BYTES + GROUP_BYTES + 2];
    (void)snprintf(labels, sizeof labels, "%s\t%s", l->warehouse, l->group_id); /* cut as a label would be */
    metrics_set(l->env.metrics, METRIC_CONSUMER_INFO, labels, 1);
}

static enum rc open_parts(struct loader *l, struct err *e)
{
    const struct loader_env *env = &l->env;
    const char *text = schema_builtin("OrderOutcome");
    enum rc rc;
    if ((rc = schema_parse(text, strlen(text), &l->outcome_schema, e)) != RC_OK)
        return rc;
    if ((rc = registry_create(env->loop, env->config, env->log, env->health, &l->registry, e)) != RC_OK)
        return rc;
    if ((rc = publisher_create(env->loop, env->config, env->log, env->health, &l->publisher, e)) != RC_OK)
        return rc;
    struct loading_env loading = {
        .config = env->config, .health = env->health, .metrics = env->metrics, .registry = l->registry,
        .outbox = {.loop = env->loop, .log = env->log, .publisher = l->publisher, .outcomes = l->outcomes, .dead_letters = l->dead_letters,
                   .group = l->group_id},
        .ops = {.record_done = on_record_done, .progress = on_progress, .failed = on_failed, .reopened = on_reopened, .outdated = on_outdated},
        .arg = l,
    };
    struct lookahead_env ahead = {.loop = env->loop, .worker = env->worker, .config = env->config, .log = env->log, .health = env->health,
                                  .metrics = env->metrics, .topic = l->orders, .warehouse = l->warehouse};
    if ((l->outlook = outlook_create(&ahead, l->mine, let_load, l)) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    if ((rc = loading_create(&loading, &l->loading, e)) != RC_OK)
        return rc;
    outlook_of(l->outlook, l->loading);
    return topics_create(env->loop, env->worker, env->config, env->log, env->health,
                         1u << TOPIC_ORDERS | 1u << TOPIC_OUTCOMES | 1u << TOPIC_DLQ, on_topics, l, &l->topics, e);
}

unsigned loader_orders(const struct loader *l, const char *rest, struct buf *out)
{
    return hand_list_print(l->loading, loop_clock(l->env.loop), l->warehouse, rest, out);
}

enum rc loader_create(const struct loader_env *env, struct loader **out, struct err *e)
{
    struct loader *l = calloc(1, sizeof *l);
    enum rc rc = RC_FATAL;
    err_set(e, "out of memory");
    if (l == NULL)
        return RC_FATAL;
    l->env = *env;
    l->warehouse = config_text(env->config, "consumer.warehouse");
    l->queue_records = (size_t)config_int(env->config, "consumer.queue_records");
    l->queue_bytes = (size_t)config_int(env->config, "consumer.queue_bytes");
    kafka_topic_name(env->config, "orders", l->orders);
    kafka_topic_name(env->config, "order-outcomes", l->outcomes);
    kafka_topic_name(env->config, "orders-dlq", l->dead_letters);
    group_name(l);
    tell_who(l);
    if ((l->mine = assignment_create(l->orders)) == NULL || (rc = open_parts(l, e)) != RC_OK) {
        loader_destroy(l);
        return rc;
    }
    *out = l;
    return RC_OK;
}

void loader_destroy(struct loader *l)
{
    if (l == NULL)
        return;
    loop_timer_clear(l->env.loop, &l->tick);
    loop_timer_clear(l->env.loop, &l->committer);
    loop_timer_clear(l->env.loop, &l->drain_timer);
    loop_timer_clear(l->env.loop, &l->finish);
    l->finished = true;
    group_destroy(l->group);
    topics_destroy(l->topics);
    publisher_destroy(l->publisher);
    outlook_destroy(l->outlook);
    loading_destroy(l->loading);
    registry_destroy(l->registry);
    assignment_destroy(l->mine);
    schema_destroy(l->outcome_schema);
    free(l);
}

static void closed(void *arg)
{
    struct loader *l = arg;
    if (l->env.until_end && !l->worked_off) /* a signal came first */
        finish(l, 1, "stopped before everything was worked off");
    else
        finish(l, 0, NULL);
}

void loader_stop(struct loader *l)
{
    if (l->stopping)
        return;
    l->stopping = true;
    let_load(l);
    loop_timer_clear(l->env.loop, &l->tick);
    if (l->group != NULL)
        group_close(l->group, closed, l);
    else
        loop_timer_in(l->env.loop, &l->finish, 0, closed, l);
}
