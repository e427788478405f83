#include "common/kafka/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/probe.h"
#include "common/kafka/committed.h"
#include "common/kafka/fetch_nudge.h"
#include "common/kafka/kafka_message.h"
#include "common/kafka/refetch.h"

enum { CLOSE_LOOKS_MS = 20, CLOSE_WAITS_MS = 10000, ABANDON_FROM = 0x020c0000 /* older ones end without the broker */ };

/* A rebalance is one change after the other: IDLE, or LOOKING up where the group stands in what was assigned, or DRAINING what is
 * revoked. A change that comes meanwhile waits. */
enum phase { IDLE, LOOKING, DRAINING };

struct change {
    struct change *next;
    bool assign;
    bool lost;
    rd_kafka_topic_partition_list_t *list;
};

struct part {
    const char *topic; /* one of group.topics */
    int32_t partition;
    int64_t next; /* offset that is read next at the least */
    bool paused;
    int64_t committed; /* as far as known; what lies behind it up to the end is the lag */
};

struct commit {
    struct commit *next, *prev;
    void (*done)(void *arg, enum rc rc);
    void *arg;
    enum rc rc; /* on the refused list */
};

struct group {
    struct loop *loop;
    struct worker *worker;
    struct log *log;
    struct health *health;
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    struct group_ops ops;
    void *arg;
    char **topics;
    size_t topics_n;
    struct part *parts; /* assigned and told to the owner */
    size_t parts_n;
    struct part *last; /* of the last record: the next one is likely of the same partition */
    struct kafka_message view;
    struct refetch refetch;
    struct fetch_nudge nudge;
    struct loop_timer nudging; /* after a resume: one for all that are resumed in one turn */
    bool stepped_back; /* since the last assignment */
    enum phase phase;
    struct change *changes; /* the first is under way unless IDLE */
    struct committed *looking;
    struct backoff backoff;
    struct loop_timer again;
    struct commit asked;   /* ring: at the broker */
    struct commit refused; /* ring: answered by `answering` */
    struct loop_timer answering;
    struct loop_timer closing;
    int64_t close_by;
    loop_fn *closed;
    void *closed_arg;
};

static void next_change(void *arg);
static void look_up(void *arg);
static enum rc subscribe(struct group *g, struct err *e);

static struct part *part_find(struct group *g, const char *topic, int32_t partition)
{
    struct part *p = g->last;
    if (p != NULL && p->partition == partition && strcmp(p->topic, topic) == 0)
        return p;
    for (size_t i = 0; i < g->parts_n; i++) {
        p = &g->parts[i];
        if (p->partition == partition && strcmp(p->topic, topic) == 0)
            return g->last = p;
    }
    return NULL;
}

static const char *own_name(const struct group *g, const char *topic)
{
    for (size_t i = 0; i < g->topics_n; i++)
        if (strcmp(g->topics[i], topic) == 0)
            return g->topics[i];
    return NULL;
}

static bool part_add(struct group *g, const char *topic, int32_t partition, int64_t offset)
{
    struct part *more = realloc(g->parts, (g->parts_n + 1) * sizeof *more);
    if (more == NULL)
        return false;
    g->parts = more;
    g->last = NULL;
    g->parts[g->parts_n++] = (struct part){own_name(g, topic), partition, offset < 0 ? 0 : offset, false, offset};
    return true;
}

static bool part_remove(struct group *g, const char *topic, int32_t partition)
{
    struct part *p = part_find(g, topic, partition);
    if (p == NULL)
        return false;
    *p = g->parts[--g->parts_n];
    g->last = NULL;
    return true;
}

static bool cooperative(struct group *g)
{
    const char *protocol = rd_kafka_rebalance_protocol(g->rk);
    return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

static void told(struct group *g, const char *what, rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    log_event(g->log, LOG_WARN, "group", NULL, what, LOG_S("why", rd_kafka_error_string(error)));
    rd_kafka_error_destroy(error);
}

static void told_code(struct group *g, const char *what, rd_kafka_resp_err_t err)
{
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_event(g->log, LOG_WARN, "group", NULL, what, LOG_S("why", rd_kafka_err2str(err)));
}

static void give_back(struct group *g, const rd_kafka_topic_partition_list_t *list)
{
    if (cooperative(g))
        told(g, "unassign failed", rd_kafka_incremental_unassign(g->rk, list));
    else
        told_code(g, "unassign failed", rd_kafka_assign(g->rk, NULL));
}

static void take(struct group *g, const rd_kafka_topic_partition_list_t *list)
{
    if (cooperative(g))
        told(g, "assign failed", rd_kafka_incremental_assign(g->rk, list));
    else
        told_code(g, "assign failed", rd_kafka_assign(g->rk, list));
}

static void change_end(struct group *g)
{
    struct change *c = g->changes;
    g->changes = c->next;
    rd_kafka_topic_partition_list_destroy(c->list);
    free(c);
    g->phase = IDLE;
    if (g->changes != NULL)
        loop_timer_in(g->loop, &g->again, 0, next_change, g);
}

/* Nobody was told of these partitions: librdkafka only wants its answer before the change that waits. */
static void pass_over(struct group *g)
{
    if (cooperative(g))
        take(g, g->changes->list);
    else
        told_code(g, "assign failed", rd_kafka_assign(g->rk, NULL));
    change_end(g);
}

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
static bool tell_assigned(struct group *g, rd_kafka_topic_partition_list_t *list)
{
    struct group_partition *parts = make_parts(list);
    bool ok = parts != NULL;
    if (ok)
        g->ops.assigned(g->arg, parts, (size_t)list->cnt);
    for (int i = 0; ok && i < list->cnt; i++) {
        rd_kafka_topic_partition_t *p = &list->elems[i];
        p->offset = parts[i].offset < 0 ? RD_KAFKA_OFFSET_BEGINNING : parts[i].offset;
        ok = part_add(g, p->topic, p->partition, parts[i].offset);
    }
    free(parts);
    return ok;
}

static void looked(void *arg, enum rc rc, const rd_kafka_topic_partition_list_t *list, const char *words)
{
    struct group *g = arg;
    g->looking = NULL;
    if (g->changes->next != NULL || g->closed != NULL) {
        pass_over(g);
        return;
    }
    if (rc != RC_OK) {
        int64_t wait = backoff_next(&g->backoff);
        log_event(g->log, LOG_WARN, "group", NULL, "committed offsets are not to be had", LOG_S("why", words),
                  LOG_I("again_ms", wait));
        loop_timer_in(g->loop, &g->again, wait, look_up, g);
        return;
    }
    backoff_reset(&g->backoff);
    rd_kafka_topic_partition_list_t *own = rd_kafka_topic_partition_list_copy(list);
    g->stepped_back = false;
    PROBE(partitions_assigned);
    if (tell_assigned(g, own)) {
        take(g, own);
        kafka_handle_well(g->handle);
        change_end(g);
    } else {
        kafka_handle_trouble(g->handle, "out of memory", "needs a restart");
    }
    rd_kafka_topic_partition_list_destroy(own);
}

static void look_up(void *arg)
{
    struct group *g = arg;
    if (g->changes->next != NULL || g->closed != NULL) {
        pass_over(g);
        return;
    }
    if (committed_ask(g->worker, g->handle, g->log, g->changes->list, looked, g, &g->looking) != RC_OK)
        loop_timer_in(g->loop, &g->again, backoff_next(&g->backoff), look_up, g);
}

/* Takes the partitions from the table, so no record of them passes any more; tells the owner of those that it knew. */
static void begin_drain(struct group *g)
{
    struct change *c = g->changes;
    size_t n = 0;
    struct group_partition *parts = calloc((size_t)c->list->cnt + 1, sizeof *parts);
    for (int i = 0; i < c->list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &c->list->elems[i];
        refetch_forget(&g->refetch, p->topic, p->partition);
        group_resume(g, p->topic, p->partition); /* librdkafka would remember the pause for the next assignment */
        if (part_remove(g, p->topic, p->partition) && parts != NULL)
            parts[n++] = (struct group_partition){p->topic, p->partition, -1, ""};
    }
    g->phase = DRAINING;
    PROBE(partitions_revoked);
    if (n == 0)
        group_released(g);
    else
        g->ops.revoked(g->arg, parts, n, c->lost); /* may call group_released: c is gone then */
    free(parts);
}

static void next_change(void *arg)
{
    struct group *g = arg;
    if (g->phase != IDLE || g->changes == NULL)
        return;
    if (!g->changes->assign) {
        begin_drain(g);
        return;
    }
    g->phase = LOOKING;
    if (g->changes->list->cnt == 0) { /* a standby */
        take(g, g->changes->list);
        kafka_handle_well(g->handle);
        change_end(g);
    } else {
        look_up(g);
    }
}

void group_released(struct group *g)
{
    if (g->phase != DRAINING)
        return;
    PROBE(partitions_released);
    give_back(g, g->changes->list);
    if (g->closed != NULL)
        g->close_by = loop_now(g->loop) + CLOSE_WAITS_MS;
    change_end(g);
}

static void on_rebalance(struct group *g, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    struct change **end = &g->changes;
    struct change *c = calloc(1, sizeof *c);
    if (c == NULL || (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && err != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)) {
        free(c);
        told_code(g, "rebalance failed", err);
        told_code(g, "unassign failed", rd_kafka_assign(g->rk, NULL));
        return;
    }
    c->assign = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    c->lost = !c->assign && rd_kafka_assignment_lost(g->rk) != 0;
    c->list = rd_kafka_topic_partition_list_copy(rd_kafka_event_topic_partition_list(event));
    while (*end != NULL)
        end = &(*end)->next;
    *end = c;
    log_fact(g->log, LOG_INFO, "group", NULL, c->assign ? "partitions are assigned" : "partitions are revoked",
              LOG_I("count", c->list->cnt), LOG_I("lost", c->lost));
    next_change(g);
}

static void on_end(struct group *g, const char *topic, int32_t partition, int64_t offset)
{
    struct part *p = part_find(g, topic, partition);
    if (p == NULL || refetch_holds(&g->refetch, topic, partition))
        return;
    refetch_passed(&g->refetch, false);
    if (!p->paused && offset >= p->next)
        g->ops.end(g->arg, p->topic, partition, offset);
}

/* The topic was deleted and made anew under us. Joining again asks where the group stands, which is past the end then. */
static void on_step_back(struct group *g, const struct part *p, int64_t offset)
{
    if (g->stepped_back)
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
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)g->parts_n);
    for (size_t i = 0; i < g->parts_n; i++)
        (void)rd_kafka_topic_partition_list_add(list, g->parts[i].topic, g->parts[i].partition);
    fetch_nudge_send(&g->nudge, g->rk, list);
}

static void on_damage(struct group *g, const char *topic, int32_t partition, const char *words)
{
    if (part_find(g, topic, partition) != NULL)
        refetch_damaged(&g->refetch, topic, partition, words);
}

/* refetch_where_fn */
static bool go_on_at(void *arg, const char *topic, int32_t partition, int64_t *offset)
{
    struct group *g = arg;
    struct part *p = part_find(g, topic, partition);
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
    struct part *p = part_find(g, topic, m->partition);
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
        kafka_handle_trouble(g->handle, rd_kafka_event_error_string(event), "needs a restart");
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

static void ring_put(struct commit *ring, struct commit *c)
{
    c->next = ring;
    c->prev = ring->prev;
    ring->prev->next = c;
    ring->prev = c;
}

static void ring_take(struct commit *c)
{
    c->prev->next = c->next;
    c->next->prev = c->prev;
}

static void answer(struct commit *c, enum rc rc)
{
    ring_take(c);
    if (c->done != NULL)
        c->done(c->arg, rc);
    free(c);
}

static void answer_refused(void *arg)
{
    struct group *g = arg;
    while (g->refused.next != &g->refused)
        answer(g->refused.next, g->refused.next->rc);
}

static void refuse(struct group *g, struct commit *c, enum rc rc)
{
    c->rc = rc;
    ring_put(&g->refused, c);
    loop_timer_in(g->loop, &g->answering, 0, answer_refused, g);
}

static void on_committed(struct group *g, rd_kafka_event_t *event)
{
    struct commit *c = rd_kafka_event_opaque(event);
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt; i++) {
        struct part *p = part_find(g, list->elems[i].topic, list->elems[i].partition);
        err = list->elems[i].err;
        if (p != NULL && err == RD_KAFKA_RESP_ERR_NO_ERROR)
            p->committed = list->elems[i].offset;
    }
    told_code(g, "commit failed", err);
    PROBE(offsets_committed);
    if (c != NULL)
        answer(c, err == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : RC_RETRY);
}

static bool fill_commit(rd_kafka_topic_partition_list_t *list, const struct group_partition *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = parts[i].metadata == NULL ? 0 : strlen(parts[i].metadata);
        if (length > GROUP_METADATA_MAX)
            return false;
        rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, parts[i].topic, parts[i].partition);
        p->offset = parts[i].offset;
        if (length == 0)
            continue;
        p->metadata = rd_kafka_mem_malloc(NULL, length);
        if (p->metadata == NULL)
            return false;
        memcpy(p->metadata, parts[i].metadata, length);
        p->metadata_size = length;
    }
    return true;
}

void group_commit(struct group *g, const struct group_partition *parts, size_t n, void (*done)(void *arg, enum rc rc), void *arg)
{
    struct commit *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort(); /* the only call that promises done without a way to say no */
    c->done = done;
    c->arg = arg;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    if (!fill_commit(list, parts, n)) {
        log_event(g->log, LOG_ERROR, "group", NULL, "commit refused: metadata too long", LOG_I("partitions", n));
        refuse(g, c, RC_REJECT);
    } else {
        PROBE(offsets_committing);
        rd_kafka_resp_err_t err = n == 0 ? RD_KAFKA_RESP_ERR__NO_OFFSET
                                         : rd_kafka_commit_queue(g->rk, list, kafka_handle_queue(g->handle), NULL, c);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            ring_put(&g->asked, c);
        } else {
            if (n > 0)
                told_code(g, "commit failed", err);
            refuse(g, c, n == 0 ? RC_OK : RC_RETRY);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* With the statistics: librdkafka looks at the partitions' ends as often. */
static void tell_lag(struct group *g)
{
    struct metrics *m = health_metrics(g->health);
    char label[300];
    metrics_forget(m, metrics_shared(m, SHARED_LAG_RECORDS));
    for (size_t i = 0; i < g->parts_n; i++) {
        const struct part *p = &g->parts[i];
        int64_t low = 0, high = 0;
        if (rd_kafka_get_watermark_offsets(g->rk, p->topic, p->partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0)
            continue;
        int64_t from = p->committed < low ? low : p->committed;
        (void)snprintf(label, sizeof label, "%s\t%d", p->topic, (int)p->partition);
        metrics_set(m, metrics_shared(m, SHARED_LAG_RECORDS), label, high > from ? (double)(high - from) : 0);
    }
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
        on_rebalance(g, event);
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        on_committed(g, event);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(g, event);
        break;
    case RD_KAFKA_EVENT_STATS:
        tell_lag(g);
        break;
    default:
        break;
    }
}

static void set_paused(struct group *g, const char *topic, int32_t partition, bool paused)
{
    struct part *p = part_find(g, topic, partition);
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
    told_code(g, paused ? "pause failed" : "resume failed", err);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->paused = paused;
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

static void look_closed(void *arg)
{
    struct group *g = arg;
    bool late = g->phase != DRAINING && loop_now(g->loop) >= g->close_by;
    if (rd_kafka_consumer_closed(g->rk) == 0 && !late) {
        loop_timer_in(g->loop, &g->closing, CLOSE_LOOKS_MS, look_closed, g);
        return;
    }
    if (late) {
        log_event(g->log, LOG_WARN, "group", NULL, "the group was not left in time", LOG_I("waited_ms", CLOSE_WAITS_MS));
        if (rd_kafka_version() >= ABANDON_FROM)
            kafka_handle_abandon(g->handle);
    }
    g->closed(g->closed_arg);
}

void group_close(struct group *g, loop_fn *done, void *arg)
{
    if (g->closed != NULL)
        return;
    g->closed = done;
    g->closed_arg = arg;
    g->close_by = loop_now(g->loop) + CLOSE_WAITS_MS;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(g->rk);
    told(g, "close failed", rd_kafka_consumer_close_queue(g->rk, queue)); /* forwards what the consumer's queue holds */
    kafka_handle_move(g->handle, queue);
    loop_timer_in(g->loop, &g->closing, CLOSE_LOOKS_MS, look_closed, g);
}

static enum rc subscribe(struct group *g, struct err *e)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)g->topics_n);
    for (size_t i = 0; i < g->topics_n; i++)
        (void)rd_kafka_topic_partition_list_add(list, g->topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(g->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return RC_OK;
    err_set(e, "subscribe: %s", rd_kafka_err2str(err));
    return RC_FATAL;
}

static bool copy_topics(struct group *g, const char *const *topics, size_t n)
{
    g->topics = calloc(n + 1, sizeof *g->topics);
    for (size_t i = 0; g->topics != NULL && i < n; i++) {
        if ((g->topics[i] = strdup(topics[i])) == NULL)
            return false;
        g->topics_n++;
    }
    return g->topics != NULL;
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
    g->worker = w;
    g->log = log;
    g->health = h;
    g->ops = *ops;
    g->arg = arg;
    g->asked.next = g->asked.prev = &g->asked;
    g->refused.next = g->refused.prev = &g->refused;
    backoff_init(&g->backoff, 200, 5000, (uint64_t)clock_wall(loop_clock(l)) ^ (uint64_t)(uintptr_t)g);
    if (!copy_topics(g, topics, topics_n)) {
        err_set(e, "out of memory");
        goto out;
    }
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
    if ((rc = subscribe(g, e)) != RC_OK)
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
    loop_timer_clear(g->loop, &g->again);
    loop_timer_clear(g->loop, &g->answering);
    loop_timer_clear(g->loop, &g->nudging);
    loop_timer_clear(g->loop, &g->closing);
    committed_forget(g->looking);
    refetch_release(&g->refetch);
    kafka_handle_close(g->handle);
    while (g->asked.next != &g->asked)
        answer(g->asked.next, RC_RETRY);
    answer_refused(g);
    while (g->changes != NULL) {
        struct change *c = g->changes;
        g->changes = c->next;
        rd_kafka_topic_partition_list_destroy(c->list);
        free(c);
    }
    for (size_t i = 0; i < g->topics_n; i++)
        free(g->topics[i]);
    free(g->topics);
    free(g->parts);
    kafka_message_release(&g->view);
    free(g);
}
