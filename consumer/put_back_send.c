#include "consumer/put_back_send.h"

#include <stdlib.h>
#include <string.h>

#include "common/kafka/publisher.h"

enum { CATCH_UP_US = 200000 };

struct flight {
    struct put_back_send *send;
    struct put_back_order *order;
};

struct put_back_send {
    struct program *program;
    struct loop *loop;
    struct put_back *list;
    struct put_back_send_ops ops;
    void *arg;
    struct publisher *publisher;
    struct topic_scan *scan; /* of the chunk; NULL: none */
    struct order_again again;
    struct flight *flights; /* one for each of list->chosen */
    struct order_copy *copies[PUT_BACK_CHUNK]; /* of chosen[first .. end), NULL: could not be made, or sent */
    size_t first, end;   /* the chunk inside list->chosen */
    size_t asked, got;   /* inside the chunk: wanted from the reader; delivered */
    size_t next;         /* the next to be sent */
    size_t bytes;
    size_t in_air, settled;
    int64_t interval_us, due_us; /* the pace */
    struct loop_timer step, pace;
    bool loading, stopping, over;
};

static void begin_chunk(void *arg);
static void pump(void *arg);

static void fail(struct put_back_send *s, const char *words)
{
    if (s->over)
        return;
    s->over = true;
    s->ops.failed(s->arg, words);
}

static void finish_if_done(struct put_back_send *s)
{
    bool all = s->stopping || s->next >= s->list->chosen_n;
    if (s->over || !all || s->in_air > 0)
        return;
    s->over = true;
    s->ops.done(s->arg);
}

static void not_put(struct put_back_send *s, struct put_back_order *o, const char *words)
{
    o->failed = true;
    s->settled++;
    free(o->fault);
    o->fault = strdup(words); /* NULL: the words are missing, no more */
}

/* ---- reading a chunk */

static void end_chunk(void *arg)
{
    struct put_back_send *s = arg;
    topic_scan_destroy(s->scan);
    s->scan = NULL;
    order_again_forget(&s->again);
    s->loading = false;
    pump(s);
}

static void loaded(struct put_back_send *s, size_t end)
{
    s->end = end;
    loop_timer_in(s->loop, &s->step, 0, end_chunk, s);
}

static bool wanted(void *arg, const struct kafka_record *r)
{
    struct put_back_send *s = arg;
    while (s->asked < s->end && s->list->chosen[s->asked]->offset < r->offset)
        s->asked++;
    return s->asked < s->end && s->list->chosen[s->asked]->offset == r->offset;
}

static void on_record(void *arg, const struct scan_record *r)
{
    struct put_back_send *s = arg;
    struct err e;
    if (s->step.armed) /* the chunk is complete */
        return;
    while (s->got < s->end && s->list->chosen[s->got]->offset < r->record->offset)
        s->got++;
    if (s->got >= s->end || s->list->chosen[s->got]->offset != r->record->offset)
        return;
    struct put_back_order *o = s->list->chosen[s->got];
    struct order_again_stamp stamp = {.publication = o->publication + 1, .how = s->list->redrive ? "redrive" : "resend",
                                      .redrives = s->list->redrive ? o->redrives + 1 : 0};
    struct order_copy **copy = &s->copies[s->got - s->first];
    enum rc rc = order_again_make(&s->again, r, s->list->topics[TOPIC_ORDERS], &stamp, copy, &e);
    s->got++;
    if (rc == RC_FATAL)
        fail(s, e.text);
    else if (rc != RC_OK)
        not_put(s, o, e.text);
    else
        s->bytes += (*copy)->value.n;
    if (s->got == s->end || s->bytes > PUT_BACK_CHUNK_BYTES)
        loaded(s, s->got);
}

static void on_end(void *arg)
{
    struct put_back_send *s = arg;
    if (!s->step.armed)
        loaded(s, s->end); /* what did not come is gone */
}

static void on_failed(void *arg, const char *words)
{
    fail(arg, words);
}

/* The next orders that stand in the same partition. */
static void begin_chunk(void *arg)
{
    static const struct topic_scan_ops ops = {wanted, on_record, on_end, on_failed, false};
    struct put_back_send *s = arg;
    struct err e;
    struct put_back_order **chosen = s->list->chosen, *from = chosen[s->next];
    size_t end = s->next;
    while (end < s->list->chosen_n && end - s->next < PUT_BACK_CHUNK && chosen[end]->source == from->source && chosen[end]->partition == from->partition)
        end++;
    s->first = s->asked = s->got = s->next;
    s->end = end;
    s->bytes = 0;
    s->loading = true;
    struct reader_start start = {s->list->topics[from->source == PUT_BACK_LETTER ? TOPIC_DLQ : TOPIC_ORDERS], from->partition, READER_OFFSET, from->offset};
    if (topic_scan_create(s->program, &start, 1, &ops, s, &s->scan, &e) != RC_OK) {
        fail(s, e.text);
        return;
    }
    topic_scan_open_letters(s->scan);
}

/* ---- sending it */

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    struct flight *f = arg;
    struct put_back_send *s = f->send;
    s->in_air--;
    if (ack->rc == RC_OK) {
        f->order->put = true;
        s->settled++;
    } else {
        not_put(s, f->order, ack->words);
    }
    if (!s->over)
        pump(s);
}

/* RC_RETRY: no room now. */
static enum rc send_one(struct put_back_send *s, struct put_back_order *o, struct order_copy *copy)
{
    struct err e;
    struct flight *f = &s->flights[s->next];
    *f = (struct flight){s, o};
    enum rc rc = publisher_send(s->publisher, &copy->record, on_ack, f, &e);
    if (rc == RC_OK) {
        s->in_air++;
        return RC_OK;
    }
    if (rc == RC_REJECT)
        not_put(s, o, e.text);
    else if (rc == RC_FATAL)
        fail(s, e.text);
    return rc;
}

/* Settles the next order of the chunk. RC_RETRY: not now. */
static enum rc settle_next(struct put_back_send *s)
{
    struct put_back_order *o = s->list->chosen[s->next];
    struct order_copy **copy = &s->copies[s->next - s->first];
    enum rc rc = RC_OK;
    enum put_back_fate fate = put_back_judge(s->list, o);
    if (fate != PUT_BACK_YES && !o->failed) {
        o->fate = fate;
        s->settled++;
    } else if (*copy != NULL) {
        rc = send_one(s, o, *copy);
    } else if (!o->failed) {
        not_put(s, o, "its record is no longer there");
    }
    if (rc == RC_RETRY || rc == RC_FATAL)
        return rc;
    order_copy_destroy(*copy);
    *copy = NULL;
    s->next++;
    return RC_OK;
}

/* ms until the pace allows one more; 0: now, and it is taken. */
static int64_t pace(struct put_back_send *s)
{
    int64_t now_us = loop_now(s->loop) * 1000;
    if (s->due_us < now_us - CATCH_UP_US)
        s->due_us = now_us - CATCH_UP_US;
    if (s->due_us > now_us)
        return (s->due_us - now_us + 999) / 1000;
    s->due_us += s->interval_us;
    return 0;
}

static void pump(void *arg)
{
    struct put_back_send *s = arg;
    while (!s->over && !s->stopping && !s->loading && s->next < s->end && s->in_air < PUT_BACK_IN_AIR) {
        int64_t wait = pace(s);
        if (wait > 0) {
            loop_timer_in(s->loop, &s->pace, wait, pump, s);
            return;
        }
        if (settle_next(s) != RC_OK)
            return; /* room, or an acknowledgement, calls again */
    }
    if (!s->over && !s->stopping && !s->loading && s->next == s->end && s->next < s->list->chosen_n)
        begin_chunk(s);
    finish_if_done(s);
}

enum rc put_back_send_create(struct program *p, struct put_back *list, int64_t rate, const struct put_back_send_ops *ops, void *arg, struct put_back_send **out,
                             struct err *e)
{
    struct put_back_send *s = calloc(1, sizeof *s);
    if (s == NULL || (s->flights = calloc(list->chosen_n + 1, sizeof *s->flights)) == NULL) {
        free(s);
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    s->program = p;
    s->loop = program_loop(p);
    s->list = list;
    s->ops = *ops;
    s->arg = arg;
    s->interval_us = 1000000 / rate;
    enum rc rc = publisher_create(s->loop, program_config(p), program_log(p), program_health(p), &s->publisher, e);
    if (rc != RC_OK) {
        free(s->flights);
        free(s);
        return rc;
    }
    publisher_warm(s->publisher, list->topics[TOPIC_ORDERS]);
    publisher_on_room(s->publisher, pump, s);
    loop_timer_in(s->loop, &s->pace, 0, pump, s);
    *out = s;
    return RC_OK;
}

void put_back_send_stop(struct put_back_send *s)
{
    s->stopping = true;
    loop_timer_in(s->loop, &s->pace, 0, pump, s);
}

size_t put_back_send_settled(const struct put_back_send *s)
{
    return s->settled;
}

void put_back_send_destroy(struct put_back_send *s)
{
    if (s == NULL)
        return;
    loop_timer_clear(s->loop, &s->step);
    loop_timer_clear(s->loop, &s->pace);
    publisher_destroy(s->publisher);
    topic_scan_destroy(s->scan);
    order_again_forget(&s->again);
    for (size_t i = 0; i < PUT_BACK_CHUNK; i++)
        order_copy_destroy(s->copies[i]);
    free(s->flights);
    free(s);
}
