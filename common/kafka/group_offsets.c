#include "common/kafka/group_offsets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/kafka_handle.h"
#include "common/kafka/reader_bounds.h"

enum { WAITS_MS = 10000 };

struct question {
    struct group_offsets *asker; /* NULL: gone */
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    char group[256], topic[250];
    struct reader_start target;
    bool set; /* commit offsets' targets first */
    struct group_offset *offsets; /* owned */
    size_t offsets_n;
    struct group_sight sight;
    enum rc rc;
    struct err e;
    group_offsets_fn *done;
    void *arg;
};

struct group_offsets {
    struct worker *worker;
    struct kafka_handle *handle;
    char group[256], topic[250];
    struct question *asked;
};

static void on_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg; /* nothing is subscribed to: what comes are log lines and errors, which the handle has told */
    (void)event;
}

enum rc group_offsets_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, const char *group,
                             const char *topic, struct group_offsets **out, struct err *e)
{
    struct group_offsets *g = calloc(1, sizeof *g);
    if (g == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    g->worker = w;
    (void)snprintf(g->group, sizeof g->group, "%s", group);
    (void)snprintf(g->topic, sizeof g->topic, "%s", topic);
    struct kafka_handle_desc d = {.loop = l, .log = log, .health = h, .dependency = "kafka-group", .role = KAFKA_GROUP, .group_id = g->group, .event = on_event, .arg = g};
    enum rc rc = kafka_handle_create(&d, c, &g->handle, e);
    if (rc != RC_OK) {
        free(g);
        return rc;
    }
    *out = g;
    return RC_OK;
}

void group_offsets_destroy(struct group_offsets *g)
{
    if (g == NULL)
        return;
    if (g->asked != NULL)
        g->asked->asker = NULL;
    kafka_handle_close(g->handle);
    free(g);
}

static void question_free(struct question *q)
{
    kafka_handle_unref(q->handle);
    free(q->offsets);
    free(q);
}

/* What asking again can mend is RC_RETRY. */
static enum rc trouble(struct question *q, rd_kafka_resp_err_t err, const char *what)
{
    bool never = err == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE || err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
                 err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    bool away = err == RD_KAFKA_RESP_ERR__TIMED_OUT || err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    err_set(&q->e, "group %s: %s: %s%s", q->group, what, rd_kafka_err2str(err), away ? ": Kafka does not answer" : "");
    return never ? RC_REJECT : RC_RETRY;
}

static enum rc ask_members(struct question *q)
{
    rd_kafka_resp_err_t err = group_members_ask(q->rk, q->group, WAITS_MS, &q->sight.members);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return RC_OK;
    return trouble(q, err, err == RD_KAFKA_RESP_ERR__PARTIAL ? "not every broker answered" : "its members cannot be asked for");
}

static int64_t within(int64_t offset, int64_t low, int64_t high)
{
    return offset < low ? low : offset > high ? high : offset;
}

static enum rc ask_targets(struct question *q)
{
    struct reader_bounds first = {NULL, 0}, wanted = {NULL, 0};
    struct reader_start all = {q->topic, -1, READER_BEGINNING, 0}, target = q->target;
    bool to_end = target.from == READER_TIME && target.value == INT64_MAX;
    target.topic = q->topic;
    target.partition = -1;
    if (to_end)
        target.from = READER_BEGINNING;
    enum rc rc = reader_bounds_ask(q->rk, &all, 1, &first, &q->e);
    if (rc == RC_OK)
        rc = reader_bounds_ask(q->rk, &target, 1, &wanted, &q->e);
    if (rc == RC_OK && (first.n != wanted.n || (q->offsets = calloc(first.n + 1, sizeof *q->offsets)) == NULL)) {
        err_set(&q->e, "%s: %s", q->topic, first.n != wanted.n ? "its partitions change" : "out of memory");
        rc = RC_RETRY;
    }
    for (size_t i = 0; rc == RC_OK && i < first.n; i++) {
        int64_t at = q->target.from == READER_OFFSET ? q->target.value : to_end ? first.all[i].end : wanted.all[i].start;
        q->offsets[i] = (struct group_offset){.partition = first.all[i].partition, .committed = -1, .earliest = first.all[i].start, .end = first.all[i].end,
                                              .target = within(at, first.all[i].start, first.all[i].end)};
        q->offsets_n = i + 1;
    }
    reader_bounds_release(&first);
    reader_bounds_release(&wanted);
    return rc;
}

static rd_kafka_topic_partition_list_t *list_of(const struct question *q)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)q->offsets_n);
    for (size_t i = 0; i < q->offsets_n; i++)
        rd_kafka_topic_partition_list_add(list, q->topic, q->offsets[i].partition)->offset = q->offsets[i].target;
    return list;
}

static enum rc ask_committed(struct question *q)
{
    rd_kafka_topic_partition_list_t *list = list_of(q);
    rd_kafka_resp_err_t err = rd_kafka_committed(q->rk, list, WAITS_MS);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        err = list->elems[i].err;
        q->offsets[i].committed = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
        q->offsets[i].metadata = list->elems[i].metadata_size > 0;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : trouble(q, err, "its offsets cannot be read");
}

static enum rc members_again(struct question *q)
{
    err_set(&q->e, "group %s has members again, so nothing was changed: stop its erp-consumers and keep them from starting until this is done", q->group);
    return RC_REJECT;
}

static enum rc commit(struct question *q)
{
    rd_kafka_topic_partition_list_t *list = list_of(q);
    rd_kafka_resp_err_t err = rd_kafka_commit(q->rk, list, 0);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
        err = list->elems[i].err;
    rd_kafka_topic_partition_list_destroy(list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return RC_OK;
    bool away = err == RD_KAFKA_RESP_ERR__TIMED_OUT || err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
        return members_again(q);
    (void)trouble(q, err, away ? "nobody knows whether the broker took the offsets, look again" : "the broker refused the offsets");
    return RC_REJECT;
}

static void run(void *arg)
{
    struct question *q = arg;
    q->rc = ask_members(q);
    if (q->rc == RC_OK && q->set && q->sight.members.active)
        q->rc = members_again(q);
    if (q->rc == RC_OK)
        q->rc = q->set ? commit(q) : ask_targets(q);
    if (q->rc == RC_OK)
        q->rc = ask_committed(q);
    for (size_t i = 0; i < q->offsets_n && !q->set; i++)
        if (q->target.partition >= 0 && q->offsets[i].partition != q->target.partition)
            q->offsets[i].target = q->offsets[i].committed;
    q->sight.offsets = q->offsets;
    q->sight.offsets_n = q->offsets_n;
}

static void done(void *arg, bool ran)
{
    struct question *q = arg;
    if (q->asker != NULL) {
        q->asker->asked = NULL;
        q->done(q->arg, ran ? q->rc : RC_RETRY, &q->sight, ran ? q->e.text : "stopped");
    }
    question_free(q);
}

static enum rc submit(struct group_offsets *g, struct question *q, group_offsets_fn *fn, void *arg)
{
    q->asker = g;
    q->handle = g->handle;
    kafka_handle_ref(g->handle);
    q->rk = kafka_handle_rk(g->handle);
    q->done = fn;
    q->arg = arg;
    (void)snprintf(q->group, sizeof q->group, "%s", g->group);
    (void)snprintf(q->topic, sizeof q->topic, "%s", g->topic);
    enum rc rc = worker_submit(g->worker, run, done, q);
    if (rc != RC_OK)
        question_free(q);
    else
        g->asked = q;
    return rc;
}

enum rc group_offsets_look(struct group_offsets *g, const struct reader_start *target, group_offsets_fn *fn, void *arg)
{
    struct question *q = g->asked == NULL ? calloc(1, sizeof *q) : NULL;
    if (q == NULL)
        return RC_RETRY;
    q->target = *target;
    return submit(g, q, fn, arg);
}

enum rc group_offsets_set(struct group_offsets *g, const struct group_offset *offsets, size_t offsets_n, group_offsets_fn *fn, void *arg)
{
    struct question *q = g->asked == NULL ? calloc(1, sizeof *q) : NULL;
    if (q == NULL)
        return RC_RETRY;
    q->set = true;
    q->offsets = calloc(offsets_n + 1, sizeof *q->offsets);
    if (q->offsets == NULL) {
        free(q);
        return RC_RETRY;
    }
    memcpy(q->offsets, offsets, offsets_n * sizeof *offsets);
    q->offsets_n = offsets_n;
    return submit(g, q, fn, arg);
}
