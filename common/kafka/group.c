#include "common/kafka/group.h"

#include <stdlib.h>
#include <string.h>

#include "common/kafka/fetch_nudge.h"
#include "common/kafka/group_changes.h"
#include "common/kafka/group_commits.h"
#include "common/kafka/group_parts.h"
#include "common/kafka/kafka_message.h"
#include "common/kafka/refetch.h"

struct group {
    struct loop *loop;
    struct log *log;
    struct health *health;
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    struct group_ops ops;
    void *arg;
    struct group_parts parts; /* assigned and told to the owner */
    struct group_changes *changes;
    struct group_commits commits;
    struct kafka_message view;
    struct refetch refetch;
    struct fetch_nudge nudge;
    struct loop_timer nudging; /* after a resume: one for all that are resumed in one turn */
    bool stepped_back;         /* since the last assignment */
    bool leaving;
};

static enum rc subscribe(struct group *g, struct err *e);

/* ---- what comes and goes */

/* librdkafka's metadata ends without a zero byte: copied behind the table, with one. NULL: out of memory. */
static struct group_partition *make_parts(const rd_kafka_topic_partition_list_t *list)
{
    size_t table = ((size_t)list->cnt + 1) * sizeof(struct group_partition), texts = 0;
    for (int i = 0; i < list->cnt; i++)
        texts += list->elems[i].metadata_size + 1;
    struct group_partition *parts = calloc(1, table + texts);
    if (parts == NULL)
        return NULL;
    char *text = (char *)parts + table;
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &list->elems[i];
        if (p->metadata_size > 0)
            memcpy(text, p->metadata, p->metadata_size);
        parts[i] = (struct group_partition){p->topic, p->partition, p->offset, text};
        text += p->metadata_size + 1;
    }
    return parts;
}

/* The owner may move the offsets. */
static bool on_assigned(void *arg, rd_kafka_topic_partition_list_t *list)
{
    struct group *g = arg;
    struct group_partition *parts = make_parts(list);
    bool ok = parts != NULL;
    g->stepped_back = false;
    if (ok)
        g->ops.assigned(g->arg, parts, (size_t)list->cnt);
    for (int i = 0; ok && i < list->cnt; i++) {
        rd_kafka_topic_partition_t *p = &list->elems[i];
        p->offset = parts[i].offset < 0 ? RD_KAFKA_OFFSET_BEGINNING : parts[i].offset;
        ok = group_parts_add(&g->parts, p->topic, p->partition, parts[i].offset);
    }
    free(parts);
    return ok;
}

/* Takes the partitions from the table, so no record of them passes any more; tells the owner of those that it knew. */
static void on_revoked(void *arg, const rd_kafka_topic_partition_list_t *list, bool lost)
{
    struct group *g = arg;
    size_t n = 0;
    struct group_partition *parts = calloc((size_t)list->cnt + 1, sizeof *parts);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &list->elems[i];
        refetch_forget(&g->refetch, p->topic, p->partition);
        group_resume(g, p->topic, p->partition); /* librdkafka would remember the pause for the next assignment */
        if (group_parts_remove(&g->parts, p->topic, p->partition) && parts != NULL)
            parts[n++] = (struct group_partition){p->topic, p->partition, -1, ""};
    }
    if (n == 0)
        group_released(g);
    else
        g->ops.revoked(g->arg, parts, n, lost); /* may call group_released: list is gone then */
    free(parts);
}

static const struct group_changes_ops changes_ops = {on_assigned, on_revoked};

void group_released(struct group *g)
{
    group_changes_released(g->changes);
}

/* ---- records */

static void on_end(struct group *g, const char *topic, int32_t partition, int64_t offset)
{
    struct group_part *p = group_parts_find(&g->parts, topic, partition);
    if (p == NULL || refetch_holds(&g->refetch, topic, partition))
        return;
    refetch_passed(&g->refetch, false);
    if (!p->paused && offset >= p->next)
        g->ops.end(g->arg, p->topic, partition, offset);
}

/* The topic was deleted and made anew under us. Joining again asks where the group stands, which is past the end then. */
static void on_step_back(struct group *g, const struct group_part *p, int64_t offset)
{
    if (g->stepped_back || g->leaving)
        return;
    g->stepped_back = true;
    log_fact(g->log, LOG_ERROR, "group", NULL, "offsets went back: the topic was made anew", LOG_S("topic", p->topic),
             LOG_I("partition", p->partition), LOG_I("expected", p->next), LOG_I("offset", offset));
    struct err e = {""};
    if (subscribe(g, &e) != RC_OK)
        kafka_handle_trouble(g->handle, e.text, "needs a restart");
}

static void nudge(void *arg)
{
    struct group *g = arg;
    fetch_nudge_send(&g->nudge, g->rk, group_parts_listed(&g->parts));
}

static void on_damage(struct group *g, const char *topic, int32_t partition, const char *words)
{
    if (group_parts_find(&g->parts, topic, partition) != NULL)
        refetch_damaged(&g->refetch, topic, partition, words);
}

/* refetch_where_fn */
static bool go_on_at(void *arg, const char *topic, int32_t partition, int64_t *offset)
{
    struct group *g = arg;
    struct group_part *p = group_parts_find(&g->parts, topic, partition);
    if (p == NULL || p->paused)
        return false;
    *offset = p->next;
    loop_timer_in(g->loop, &g->nudging, 0, nudge, g);
    return true;
}

static void on_message(struct group *g, const rd_kafka_message_t *m)
{
    const char *topic = rd_kafka_topic_name(m->rkt);
    if (fetch_nudge_due(&g->nudge, m))
        nudge(g);
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        on_end(g, topic, m->partition, m->offset);
        return;
    }
    if (refetch_means_damage(m->err)) {
        on_damage(g, topic, m->partition, rd_kafka_message_errstr(m));
        return;
    }
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_event(g->log, LOG_WARN, "group", NULL, rd_kafka_message_errstr(m), LOG_S("topic", topic), LOG_I("partition", m->partition));
        return;
    }
    struct group_part *p = group_parts_find(&g->parts, topic, m->partition);
    if (p == NULL || refetch_holds(&g->refetch, topic, m->partition)) /* given up; or behind a batch that comes again */
        return;
    if (m->offset < p->next) {
        on_step_back(g, p, m->offset);
        return;
    }
    if (m->offset > p->next && refetch_beyond(&g->refetch, topic, m->partition, m->offset)) {
        refetch_damaged(&g->refetch, topic, m->partition, "a record's offset lies past the partition's end");
        return;
    }
    if (kafka_message_view(&g->view, m) != RC_OK) {
        kafka_handle_trouble(g->handle, "out of memory", "needs a restart");
        return;
    }
    p->next = m->offset + 1;
    refetch_passed(&g->refetch, true);
    g->ops.record(g->arg, &g->view.record);
}

/* A member that another process of the same name has replaced would only take the name back by a restart, and so on. */
static const char *mended_by(const struct group *g)
{
    if (rd_kafka_fatal_error(kafka_handle_rk(g->handle), NULL, 0) == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        return "does nothing more: the other process has its partitions. End one of the two, or give each a group.instance.id of its own, and restart this one";
    return "needs a restart";
}

static void on_error(struct group *g, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    rd_kafka_topic_partition_t *at = rd_kafka_event_topic_partition(event);
    if (rd_kafka_event_error_is_fatal(event) != 0)
        err = RD_KAFKA_RESP_ERR__FATAL;
    switch (err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (at != NULL)
            on_end(g, at->topic, at->partition, at->offset);
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        kafka_handle_trouble(g->handle, rd_kafka_event_error_string(event), mended_by(g));
        (void)kafka_conf_event(g->log, event);
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        kafka_handle_trouble(g->handle, rd_kafka_event_error_string(event), "keeps trying");
        (void)kafka_conf_event(g->log, event);
        break;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
        if (at != NULL)
            on_damage(g, at->topic, at->partition, rd_kafka_event_error_string(event));
        break;
    default:
        (void)kafka_conf_event(g->log, event);
        break;
    }
    if (at != NULL)
        rd_kafka_topic_partition_destroy(at);
}

void group_commit(struct group *g, const struct group_partition *parts, size_t n, void (*done)(void *arg, enum rc rc), void *arg)
{
    group_commits_send(&g->commits, g->handle, parts, n, done, arg);
}

static void on_event(void *arg, rd_kafka_event_t *event)
{
    struct group *g = arg;
    const rd_kafka_message_t *m;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
        while ((m = rd_kafka_event_message_next(event)) != NULL)
            on_message(g, m);
        break;
    case RD_KAFKA_EVENT_REBALANCE:
        group_changes_event(g->changes, event);
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        group_commits_event(&g->commits, event, &g->parts);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(g, event);
        break;
    case RD_KAFKA_EVENT_STATS: /* librdkafka looks at the partitions' ends as often */
        group_parts_tell_lag(&g->parts, g->rk, health_metrics(g->health));
        break;
    default:
        break;
    }
}

static void set_paused(struct group *g, const char *topic, int32_t partition, bool paused)
{
    struct group_part *p = group_parts_find(&g->parts, topic, partition);
    if (p == NULL || p->paused == paused) /* a resume of what was not paused may read again */
        return;
    if (refetch_holds(&g->refetch, topic, partition)) {
        p->paused = paused;
        return;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t err = paused ? rd_kafka_pause_partitions(g->rk, list) : rd_kafka_resume_partitions(g->rk, list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        err = list->elems[0].err;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->paused = paused;
    else
        log_event(g->log, LOG_WARN, "group", NULL, paused ? "pause failed" : "resume failed", LOG_S("why", rd_kafka_err2str(err)));
    if (!p->paused)
        loop_timer_in(g->loop, &g->nudging, 0, nudge, g);
    rd_kafka_topic_partition_list_destroy(list);
}

void group_pause(struct group *g, const char *topic, int32_t partition)
{
    set_paused(g, topic, partition, true);
}

void group_resume(struct group *g, const char *topic, int32_t partition)
{
    set_paused(g, topic, partition, false);
}

/* ---- begin and end */

void group_close(struct group *g, loop_fn *done, void *arg)
{
    if (g->leaving)
        return;
    g->leaving = true;
    group_commits_hurry(&g->commits);
    group_changes_leave(g->changes, done, arg);
}

static enum rc subscribe(struct group *g, struct err *e)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)g->parts.topics_n);
    for (size_t i = 0; i < g->parts.topics_n; i++)
        (void)rd_kafka_topic_partition_list_add(list, g->parts.topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(g->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return RC_OK;
    err_set(e, "subscribe: %s", rd_kafka_err2str(err));
    return RC_FATAL;
}

enum rc group_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h,
                     const char *group_id, const char *const *topics, size_t topics_n, const struct group_ops *ops, void *arg,
                     struct group **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct group *g = calloc(1, sizeof *g);
    if (g == NULL) {
        err_set(e, "group %s: out of memory", group_id);
        return RC_FATAL;
    }
    g->loop = l;
    g->log = log;
    g->health = h;
    g->ops = *ops;
    g->arg = arg;
    group_commits_init(&g->commits, l, log);
    if ((rc = group_parts_init(&g->parts, topics, topics_n, e)) != RC_OK)
        goto out;
    struct kafka_handle_desc d = {
        .loop = l,
        .log = log,
        .health = h,
        .dependency = "kafka-group",
        .role = KAFKA_GROUP,
        .group_id = group_id,
        .event = on_event,
        .arg = g,
    };
    if ((rc = kafka_handle_create(&d, c, &g->handle, e)) != RC_OK)
        goto out;
    g->rk = kafka_handle_rk(g->handle);
    refetch_init(&g->refetch, l, log, "group", go_on_at, g);
    refetch_use(&g->refetch, g->handle);
    fetch_nudge_init(&g->nudge, g->rk);
    if ((rc = group_changes_create(l, w, log, g->handle, &changes_ops, g, &g->changes, e)) != RC_OK || (rc = subscribe(g, e)) != RC_OK)
        goto out;
    *out = g;
    return RC_OK;
out:
    err_prefix(e, "group %s", group_id);
    group_destroy(g);
    return rc;
}

void group_destroy(struct group *g)
{
    if (g == NULL)
        return;
    loop_timer_clear(g->loop, &g->nudging);
    group_changes_destroy(g->changes);
    refetch_release(&g->refetch);
    kafka_handle_close(g->handle);
    group_commits_release(&g->commits);
    group_parts_release(&g->parts);
    kafka_message_release(&g->view);
    free(g);
}
