#include "common/kafka/reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/kafka/fetch_nudge.h"
#include "common/kafka/kafka_handle.h"
#include "common/kafka/kafka_message.h"
#include "common/kafka/reader_bounds.h"
#include "common/kafka/refetch.h"

enum { TRIES_A_HANDLE = 6 };

struct part {
    const char *topic; /* one of the starts' */
    int32_t partition;
    int64_t position; /* everything below was delivered or does not exist */
    int64_t end;      /* at the start */
    int64_t want;     /* of catch_up */
};

/* One question in the worker; outlives the reader when it must. */
struct question {
    struct reader *reader; /* NULL: gone */
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    struct reader_start *starts; /* with their texts, one block */
    size_t starts_n;
    bool ends; /* only the ends, of `bounds` */
    struct reader_bounds bounds;
    enum rc rc;
    struct err e;
};

struct reader {
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct kafka_handle *handle;
    unsigned failures; /* questions in a row that this handle did not answer */
    struct reader_ops ops;
    void *arg;
    struct reader_start *starts;
    size_t starts_n;
    struct part *parts; /* NULL: not started yet */
    size_t parts_n;
    struct part *last;
    struct kafka_message view;
    struct refetch refetch;
    struct fetch_nudge nudge;
    struct question *asked;
    struct backoff backoff;
    struct loop_timer again, settling;
    bool ended;
    loop_fn *caught_up; /* NULL: nobody asks */
    void *caught_up_arg;
    bool want_known;
};

static void ask(void *arg);

/* A copy with all texts in one block. */
static struct reader_start *copy_starts(const struct reader_start *starts, size_t n)
{
    size_t table = (n + 1) * sizeof *starts, texts = 0;
    for (size_t i = 0; i < n; i++)
        texts += strlen(starts[i].topic) + 1;
    struct reader_start *made = calloc(1, table + texts);
    if (made == NULL)
        return NULL;
    char *text = (char *)made + table;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(starts[i].topic) + 1;
        memcpy(text, starts[i].topic, length);
        made[i] = starts[i];
        made[i].topic = text;
        text += length;
    }
    return made;
}

static struct part *part_find(struct reader *r, const char *topic, int32_t partition)
{
    struct part *p = r->last;
    if (p != NULL && p->partition == partition && strcmp(p->topic, topic) == 0)
        return p;
    for (size_t i = 0; i < r->parts_n; i++) {
        p = &r->parts[i];
        if (p->partition == partition && strcmp(p->topic, topic) == 0)
            return r->last = p;
    }
    return NULL;
}

static bool at_end(const struct reader *r)
{
    for (size_t i = 0; i < r->parts_n; i++)
        if (r->parts[i].position < r->parts[i].end)
            return false;
    return r->parts != NULL;
}

static bool at_want(const struct reader *r)
{
    for (size_t i = 0; i < r->parts_n; i++)
        if (r->parts[i].position < r->parts[i].want)
            return false;
    return true;
}

/* From a timer, so that the owner may destroy the reader in what is called; one call a time. */
static void settle(void *arg)
{
    struct reader *r = arg;
    if (!r->ended && at_end(r)) {
        r->ended = true;
        loop_timer_in(r->loop, &r->settling, 0, settle, r);
        r->ops.end(r->arg);
    } else if (r->caught_up != NULL && r->want_known && at_want(r)) {
        loop_fn *fn = r->caught_up;
        r->caught_up = NULL;
        fn(r->caught_up_arg);
    }
}

static void settle_soon(struct reader *r)
{
    if (!r->settling.armed && (!r->ended || r->caught_up != NULL))
        loop_timer_in(r->loop, &r->settling, 0, settle, r);
}

static void advance(struct reader *r, struct part *p, int64_t position)
{
    int64_t before = p->position;
    if (position <= before)
        return;
    p->position = position;
    if ((before < p->end && position >= p->end) || (before < p->want && position >= p->want))
        settle_soon(r);
}

static void nudge(struct reader *r)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)r->parts_n);
    for (size_t i = 0; i < r->parts_n; i++)
        (void)rd_kafka_topic_partition_list_add(list, r->parts[i].topic, r->parts[i].partition);
    fetch_nudge_send(&r->nudge, kafka_handle_rk(r->handle), list);
}

static void on_message(struct reader *r, const rd_kafka_message_t *m)
{
    struct part *p = part_find(r, rd_kafka_topic_name(m->rkt), m->partition);
    if (fetch_nudge_due(&r->nudge, m))
        nudge(r);
    if (p == NULL || refetch_holds(&r->refetch, p->topic, p->partition)) /* what is behind a damaged batch comes again */
        return;
    if (refetch_means_damage(m->err)) {
        refetch_damaged(&r->refetch, p->topic, p->partition, rd_kafka_message_errstr(m));
        return;
    }
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        refetch_passed(&r->refetch, false);
        advance(r, p, m->offset);
        return;
    }
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_event(r->log, LOG_WARN, "reader", NULL, rd_kafka_message_errstr(m), LOG_S("topic", p->topic), LOG_I("partition", p->partition));
        return;
    }
    if (m->offset > p->position && refetch_beyond(&r->refetch, p->topic, p->partition, m->offset)) {
        refetch_damaged(&r->refetch, p->topic, p->partition, "a record's offset lies past the partition's end");
        return;
    }
    if (kafka_message_view(&r->view, m) != RC_OK) {
        kafka_handle_trouble(r->handle, "out of memory", "needs a restart");
        return;
    }
    refetch_passed(&r->refetch, true);
    advance(r, p, m->offset + 1);
    r->ops.record(r->arg, &r->view.record);
}

/* refetch_where_fn */
static bool go_on_at(void *arg, const char *topic, int32_t partition, int64_t *offset)
{
    struct reader *r = arg;
    const struct part *p = part_find(r, topic, partition);
    *offset = p != NULL ? p->position : 0;
    return p != NULL;
}

static void on_event(void *arg, rd_kafka_event_t *event)
{
    struct reader *r = arg;
    const rd_kafka_message_t *m;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH) {
        while ((m = rd_kafka_event_message_next(event)) != NULL)
            on_message(r, m);
        return;
    }
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR)
        return;
    rd_kafka_topic_partition_t *at = rd_kafka_event_topic_partition(event);
    struct part *p = at == NULL ? NULL : part_find(r, at->topic, at->partition);
    if (p != NULL && refetch_means_damage(rd_kafka_event_error(event)))
        refetch_damaged(&r->refetch, p->topic, p->partition, rd_kafka_event_error_string(event));
    else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        (void)kafka_conf_event(r->log, event);
    else if (p != NULL && !refetch_holds(&r->refetch, p->topic, p->partition)) {
        refetch_passed(&r->refetch, false);
        advance(r, p, at->offset);
    }
    if (at != NULL)
        rd_kafka_topic_partition_destroy(at);
}

static void question_free(struct question *q)
{
    if (q == NULL)
        return;
    kafka_handle_unref(q->handle);
    reader_bounds_release(&q->bounds);
    free(q->starts);
    free(q);
}

static void question_run(void *arg)
{
    struct question *q = arg;
    if (q->ends)
        q->rc = reader_bounds_ends(q->rk, &q->bounds, &q->e);
    else
        q->rc = reader_bounds_ask(q->rk, q->starts, q->starts_n, &q->bounds, &q->e);
}

static const char *own_name(const struct reader *r, const char *topic)
{
    for (size_t i = 0; i < r->starts_n; i++)
        if (strcmp(r->starts[i].topic, topic) == 0)
            return r->starts[i].topic;
    return "";
}

static void tell_moved(struct reader *r, const struct reader_bound *at)
{
    if (at->missing > 0)
        log_fact(r->log, LOG_ERROR, "reader", NULL, "records were deleted before they were read", LOG_S("topic", at->topic),
                 LOG_I("partition", at->partition), LOG_I("earliest", at->start), LOG_I("missing", at->missing));
    if (at->beyond >= 0)
        log_fact(r->log, LOG_ERROR, "reader", NULL, "the wanted offset lies past the topic's end: reading from the earliest", LOG_S("topic", at->topic),
                 LOG_I("partition", at->partition), LOG_I("wanted", at->beyond), LOG_I("end", at->end), LOG_I("earliest", at->start));
    if ((at->missing > 0 || at->beyond >= 0) && r->ops.moved != NULL)
        r->ops.moved(r->arg, own_name(r, at->topic), at->partition, at->start);
}

/* From where each partition stands. */
static void assign(struct reader *r)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)r->parts_n);
    for (size_t i = 0; i < r->parts_n; i++)
        rd_kafka_topic_partition_list_add(list, r->parts[i].topic, r->parts[i].partition)->offset = r->parts[i].position;
    rd_kafka_resp_err_t err = rd_kafka_assign(kafka_handle_rk(r->handle), list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_handle_trouble(r->handle, rd_kafka_err2str(err), "needs a restart");
}

static bool start_reading(struct reader *r, const struct reader_bounds *b)
{
    r->parts = calloc(b->n + 1, sizeof *r->parts);
    if (r->parts == NULL)
        return false;
    for (size_t i = 0; i < b->n; i++) {
        const struct reader_bound *at = &b->all[i];
        r->parts[i] = (struct part){own_name(r, at->topic), at->partition, at->start, at->end, 0};
        tell_moved(r, at);
    }
    r->parts_n = b->n;
    assign(r);
    return true;
}

static bool take_answer(struct reader *r, const struct question *q)
{
    if (!q->ends && !start_reading(r, &q->bounds))
        return false;
    if (q->ends) {
        for (size_t i = 0; i < q->bounds.n; i++)
            r->parts[i].want = q->bounds.all[i].end;
        r->want_known = true;
    }
    return true;
}

static enum rc open_handle(struct reader *r, bool troubled, struct kafka_handle **out, struct err *e)
{
    struct kafka_handle_desc d = {
        .loop = r->loop,
        .log = r->log,
        .health = r->health,
        .dependency = "kafka-read",
        .role = KAFKA_READ,
        .troubled = troubled,
        .event = on_event,
        .arg = r,
    };
    enum rc rc = kafka_handle_create(&d, r->config, out, e);
    if (rc == RC_OK)
        fetch_nudge_init(&r->nudge, kafka_handle_rk(*out));
    return rc;
}

/* librdkafka may go by what it knew before the brokers' trouble for as long as it lives: a new one knows nothing. */
static void replace_handle(struct reader *r)
{
    struct kafka_handle *fresh = NULL;
    struct err e = {""};
    r->failures = 0;
    if (open_handle(r, true, &fresh, &e) != RC_OK) {
        log_event(r->log, LOG_WARN, "reader", NULL, "no new connection to Kafka can be made", LOG_S("why", e.text));
        return;
    }
    kafka_handle_close(r->handle);
    r->handle = fresh;
    refetch_use(&r->refetch, fresh);
    if (r->parts != NULL)
        assign(r);
}

static void question_failed(struct reader *r, const char *why)
{
    kafka_handle_trouble(r->handle, why, "asks again");
    log_event(r->log, LOG_WARN, "reader", NULL, r->parts == NULL ? "reading cannot begin" : "the end cannot be asked for", LOG_S("why", why));
    if (++r->failures >= TRIES_A_HANDLE)
        replace_handle(r);
}

static void question_done(void *arg, bool ran)
{
    struct question *q = arg;
    struct reader *r = q->reader;
    if (r != NULL) {
        r->asked = NULL;
        if (!ran)
            err_set(&q->e, "stopped");
        if (ran && q->rc == RC_OK && take_answer(r, q)) {
            r->failures = 0;
            backoff_reset(&r->backoff);
            kafka_handle_well(r->handle);
            settle_soon(r);
        } else {
            question_failed(r, q->e.text);
        }
        bool more = r->parts == NULL || (r->caught_up != NULL && !r->want_known);
        if (ran && more)
            loop_timer_in(r->loop, &r->again, q->rc == RC_OK ? 0 : backoff_next(&r->backoff), ask, r);
    }
    question_free(q);
}

static bool question_fill(struct question *q, const struct reader *r)
{
    q->ends = r->parts != NULL;
    if (!q->ends) {
        q->starts = copy_starts(r->starts, r->starts_n);
        q->starts_n = r->starts_n;
        return q->starts != NULL;
    }
    /* The names of the parts live in the reader, which may go: copied as starts. */
    struct reader_start *starts = calloc(r->parts_n + 1, sizeof *starts);
    q->bounds.all = calloc(r->parts_n + 1, sizeof *q->bounds.all);
    if (starts != NULL && q->bounds.all != NULL) {
        for (size_t i = 0; i < r->parts_n; i++)
            starts[i] = (struct reader_start){r->parts[i].topic, r->parts[i].partition, READER_BEGINNING, 0};
        q->starts = copy_starts(starts, r->parts_n);
        for (size_t i = 0; q->starts != NULL && i < r->parts_n; i++)
            q->bounds.all[i] = (struct reader_bound){q->starts[i].topic, q->starts[i].partition, 0, 0, 0, -1, NULL};
        q->bounds.n = r->parts_n;
    }
    free(starts);
    return q->starts != NULL;
}

static void ask(void *arg)
{
    struct reader *r = arg;
    if (r->asked != NULL)
        return;
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL) {
        loop_timer_in(r->loop, &r->again, backoff_next(&r->backoff), ask, r);
        return;
    }
    q->reader = r;
    kafka_handle_ref(r->handle);
    q->handle = r->handle;
    q->rk = kafka_handle_rk(r->handle);
    if (!question_fill(q, r) || worker_submit(r->worker, question_run, question_done, q) != RC_OK) {
        question_free(q);
        loop_timer_in(r->loop, &r->again, backoff_next(&r->backoff), ask, r);
        return;
    }
    r->asked = q;
}

enum rc reader_catch_up(struct reader *r, loop_fn *done, void *arg)
{
    if (r->caught_up != NULL)
        return RC_RETRY;
    r->caught_up = done;
    r->caught_up_arg = arg;
    r->want_known = false;
    if (r->asked == NULL && !r->again.armed)
        ask(r); /* else the answer under way asks on */
    return RC_OK;
}

enum rc reader_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h,
                      const struct reader_start *starts, size_t starts_n, const struct reader_ops *ops, void *arg,
                      struct reader **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, "reader: out of memory");
        return RC_FATAL;
    }
    r->loop = l;
    r->worker = w;
    r->config = c;
    r->log = log;
    r->health = h;
    r->ops = *ops;
    r->arg = arg;
    backoff_init(&r->backoff, 200, 5000, (uint64_t)clock_wall(loop_clock(l)) ^ (uint64_t)(uintptr_t)r);
    if ((r->starts = copy_starts(starts, starts_n)) == NULL) {
        err_set(e, "reader: out of memory");
        goto out;
    }
    r->starts_n = starts_n;
    if ((rc = open_handle(r, false, &r->handle, e)) != RC_OK)
        goto out;
    refetch_init(&r->refetch, l, log, "reader", go_on_at, r);
    refetch_use(&r->refetch, r->handle);
    ask(r);
    *out = r;
    r = NULL;
out:
    reader_destroy(r);
    return rc;
}

void reader_destroy(struct reader *r)
{
    if (r == NULL)
        return;
    loop_timer_clear(r->loop, &r->again);
    loop_timer_clear(r->loop, &r->settling);
    refetch_release(&r->refetch);
    if (r->asked != NULL)
        r->asked->reader = NULL;
    if (r->handle != NULL)
        kafka_handle_well(r->handle); /* nobody depends on it any more */
    kafka_handle_close(r->handle);
    kafka_message_release(&r->view);
    free(r->parts);
    free(r->starts);
    free(r);
}
