#include "common/kafka/group_commits.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"

enum { COMMIT_WAITS_MS = 5000 };

void group_commits_init(struct group_commits *c, struct loop *loop, struct log *log)
{
    *c = (struct group_commits){.loop = loop, .log = log};
    c->asked.next = c->asked.prev = &c->asked;
    c->refused.next = c->refused.prev = &c->refused;
}

static void ring_put(struct group_commit *ring, struct group_commit *one)
{
    one->next = ring;
    one->prev = ring->prev;
    ring->prev->next = one;
    ring->prev = one;
}

static void answer(struct group_commit *one, enum rc rc)
{
    one->prev->next = one->next;
    one->next->prev = one->prev;
    if (one->done != NULL && !one->told)
        one->done(one->arg, rc);
    free(one);
}

static void answer_refused(void *arg)
{
    struct group_commits *c = arg;
    while (c->refused.next != &c->refused)
        answer(c->refused.next, c->refused.next->rc);
}

void group_commits_release(struct group_commits *c)
{
    loop_timer_clear(c->loop, &c->answering);
    loop_timer_clear(c->loop, &c->giving_up);
    while (c->asked.next != &c->asked)
        answer(c->asked.next, RC_RETRY);
    answer_refused(c);
}

static void refuse(struct group_commits *c, struct group_commit *one, enum rc rc)
{
    one->rc = rc;
    ring_put(&c->refused, one);
    loop_timer_in(c->loop, &c->answering, 0, answer_refused, c);
}

static void told_code(struct group_commits *c, rd_kafka_resp_err_t err)
{
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_event(c->log, LOG_WARN, "group", NULL, "commit failed", LOG_S("why", rd_kafka_err2str(err)));
}

void group_commits_event(struct group_commits *c, rd_kafka_event_t *event, struct group_parts *parts)
{
    struct group_commit *one = rd_kafka_event_opaque(event);
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt; i++) {
        struct group_part *p = group_parts_find(parts, list->elems[i].topic, list->elems[i].partition);
        err = list->elems[i].err;
        if (p != NULL && err == RD_KAFKA_RESP_ERR_NO_ERROR)
            p->committed = list->elems[i].offset;
    }
    told_code(c, err);
    PROBE(offsets_committed);
    if (one != NULL)
        answer(one, err == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : RC_RETRY);
}

/* The next one is due once for all that are asked: none is forgotten, since it stays until librdkafka's answer, which may still come. */
static void give_up(void *arg)
{
    struct group_commits *c = arg;
    for (struct group_commit *one = c->asked.next; one != &c->asked; one = one->next) { /* done may put new ones behind */
        int64_t left = one->asked_at + COMMIT_WAITS_MS - loop_now(c->loop);
        if (one->told)
            continue;
        if (left > 0) {
            loop_timer_in(c->loop, &c->giving_up, left, give_up, c);
            return;
        }
        one->told = true;
        log_event(c->log, LOG_WARN, "group", NULL, "commit not answered in time", LOG_I("waited_ms", COMMIT_WAITS_MS));
        if (one->done != NULL)
            one->done(one->arg, RC_RETRY);
    }
}

void group_commits_hurry(struct group_commits *c)
{
    c->hurried = true;
    loop_timer_in(c->loop, &c->giving_up, 0, give_up, c);
}

static bool fill(rd_kafka_topic_partition_list_t *list, const struct group_partition *parts, size_t n)
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

static void ask(struct group_commits *c, struct kafka_handle *handle, const rd_kafka_topic_partition_list_t *list, struct group_commit *one)
{
    PROBE(offsets_committing);
    if (list->cnt == 0) {
        refuse(c, one, RC_OK); /* there is nothing to store */
        return;
    }
    rd_kafka_resp_err_t err = rd_kafka_commit_queue(kafka_handle_rk(handle), list, kafka_handle_queue(handle), NULL, one);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        told_code(c, err);
        refuse(c, one, RC_RETRY);
        return;
    }
    one->asked_at = loop_now(c->loop);
    ring_put(&c->asked, one);
    if (c->hurried && !c->giving_up.armed)
        loop_timer_in(c->loop, &c->giving_up, COMMIT_WAITS_MS, give_up, c);
}

void group_commits_send(struct group_commits *c, struct kafka_handle *handle, const struct group_partition *parts, size_t n, group_commit_fn *done, void *arg)
{
    struct group_commit *one = calloc(1, sizeof *one);
    if (one == NULL)
        abort(); /* the only call that promises done without a way to say no */
    one->done = done;
    one->arg = arg;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    if (fill(list, parts, n)) {
        ask(c, handle, list, one);
    } else {
        log_event(c->log, LOG_ERROR, "group", NULL, "commit refused: metadata too long", LOG_I("partitions", n));
        refuse(c, one, RC_REJECT);
    }
    rd_kafka_topic_partition_list_destroy(list);
}
