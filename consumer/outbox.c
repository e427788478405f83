#include "consumer/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common/base/probe.h"
#include "common/kafka/dlq.h"
#include "common/kafka/frame.h"

enum { OUTCOME_BYTES = 65536, AGAIN_MS = 5000 };

struct outbox {
    struct outbox_env env;
    outbox_done_fn *done;
    void *arg;
    int32_t schema_id;
    struct buf value; /* scratch */
    struct outbox_entry *waiting; /* for room, or for another try */
    struct loop_timer again;
};

static void flush(void *arg);

struct outbox *outbox_create(const struct outbox_env *env, outbox_done_fn *done, void *arg)
{
    struct outbox *o = calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->env = *env;
    o->done = done;
    o->arg = arg;
    o->schema_id = -1;
    buf_init(&o->value, OUTCOME_BYTES);
    publisher_on_room(env->publisher, flush, o);
    return o;
}

void outbox_destroy(struct outbox *o)
{
    if (o == NULL)
        return;
    loop_timer_clear(o->env.loop, &o->again);
    buf_release(&o->value);
    free(o);
}

static void wait(struct outbox *o, struct outbox_entry *en)
{
    en->waits = true;
    DL_APPEND(o->waiting, en);
}

/* The words of a text header. */
static struct kafka_header text_header(const char *name, const char *text)
{
    return (struct kafka_header){name, text, strlen(text)};
}

static void dead_letter_acked(void *arg, const struct publisher_ack *ack);
static void outcome_acked(void *arg, const struct publisher_ack *ack);

static enum rc send_dead_letter(struct outbox *o, struct outbox_entry *en, struct err *e)
{
    const struct order_record *r = en->record;
    char partition[16], offset[24], attempts[16], publication[24];
    (void)snprintf(partition, sizeof partition, "%" PRId32, r->source.partition); /* each fits */
    (void)snprintf(offset, sizeof offset, "%" PRId64, r->source.offset);
    (void)snprintf(attempts, sizeof attempts, "%" PRId32, en->attempts);
    (void)snprintf(publication, sizeof publication, "%" PRId64, r->publication);
    const char *reason = en->reason != NULL ? en->reason : "";
    const struct kafka_header extra[] = {
        text_header("__connect.errors.topic", r->source.topic),
        text_header("__connect.errors.partition", partition),
        text_header("__connect.errors.offset", offset),
        text_header("__connect.errors.task.id", o->env.group),
        text_header("__connect.errors.exception.message", reason),
        text_header("reason-code", en->reason_code != NULL ? en->reason_code : "refused"),
        text_header("warehouse", en->warehouse),
        text_header("group", o->env.group),
        text_header("attempts", attempts),
        text_header("revision", r->revision),
        text_header("publication", publication),
    };
    struct dlq_entry entry = {.kind = DLQ_ORDER, .key = r->source.key, .key_n = r->source.key_n, .value = r->source.value,
                              .value_n = r->source.value_n, .reason = reason, .program = "erp-consumer",
                              .at = clock_wall(loop_clock(o->env.loop)), .source = &r->source, .extra = extra,
                              .extra_n = sizeof extra / sizeof *extra, .omit_value = en->omit_value, .bare = en->bare};
    enum rc rc = dlq_publish(o->env.publisher, o->env.dead_letters, &entry, dead_letter_acked, en, e);
    PROBE(dead_letter_produced);
    return rc;
}

static enum rc outcome_value(struct outbox *o, struct outbox_entry *en, struct err *e)
{
    const struct order_record *r = en->record;
    struct outcome out = {.organization = r->organization, .order_id = r->order_id, .publication = r->publication, .round = r->round,
                          .withdrawn = r->withdrawn, .warehouse = en->warehouse, .result = en->result,
                          .document_id = en->plain ? NULL : en->document_id, .reason = en->plain ? "not representable" : en->reason,
                          .attempts = en->attempts, .at = clock_wall(loop_clock(o->env.loop)), .group = o->env.group,
                          .partition = r->source.partition, .offset = r->source.offset};
    memcpy(out.revision, r->revision, sizeof out.revision);
    order_record_warehouses(r, &out.warehouses);
    buf_reset(&o->value);
    frame_put(&o->value, o->schema_id);
    return outcome_encode(&out, &o->value, e);
}

static enum rc send_outcome(struct outbox *o, struct outbox_entry *en, struct err *e)
{
    const struct order_record *r = en->record;
    char publication[24];
    if (o->schema_id < 0) {
        err_set(e, "the outcome's schema has no id yet");
        return RC_RETRY;
    }
    enum rc rc = outcome_value(o, en, e);
    if (rc == RC_REJECT && !en->plain) {
        en->plain = true; /* the verdict matters more than the ERP's words */
        rc = outcome_value(o, en, e);
    }
    if (rc != RC_OK)
        return rc;
    (void)snprintf(publication, sizeof publication, "%" PRId64, r->publication); /* fits */
    const struct kafka_header headers[] = {
        text_header("organization", r->organization),
        text_header("publication", publication),
        text_header("warehouse", en->warehouse),
        text_header("traceparent", r->traceparent != NULL ? r->traceparent : ""),
    };
    struct kafka_record record = {.topic = o->env.outcomes, .partition = -1, .key = r->source.key, .key_n = r->source.key_n,
                                  .value = o->value.p, .value_n = o->value.n, .headers = headers,
                                  .headers_n = sizeof headers / sizeof *headers - (r->traceparent == NULL)};
    rc = publisher_send(o->env.publisher, &record, outcome_acked, en, e);
    PROBE(outcome_produced);
    return rc;
}

/* Sends what is due of the entry, or lets it wait. */
static void advance(struct outbox *o, struct outbox_entry *en)
{
    struct err e = {{0}};
    enum rc rc = en->dead_letter ? send_dead_letter(o, en, &e) : send_outcome(o, en, &e);
    en->sent = rc == RC_OK && !en->dead_letter;
    if (rc == RC_OK)
        return;
    if (rc != RC_RETRY)
        log_event(o->env.log, LOG_ERROR, "outbox", en->record->key, "cannot be published, tried again", LOG_S("why", e.text),
                  LOG_S("what", en->dead_letter ? "dead letter" : "outcome"));
    wait(o, en);
    if (rc != RC_RETRY || o->schema_id >= 0)
        loop_timer_in(o->env.loop, &o->again, AGAIN_MS, flush, o);
}

static void flush(void *arg)
{
    struct outbox *o = arg;
    struct outbox_entry *waiting = o->waiting, *en, *next;
    o->waiting = NULL;
    DL_FOREACH_SAFE(waiting, en, next)
    {
        en->waits = false;
        advance(o, en);
    }
}

/* The broker will not take it: not even what was left of it: again later; nothing is given up. */
static void refused(struct outbox *o, struct outbox_entry *en, const char *what, const char *words)
{
    log_event(o->env.log, LOG_ERROR, "outbox", en->record->key, "the broker refuses a record, tried again", LOG_S("what", what),
              LOG_S("why", words));
    wait(o, en);
    loop_timer_in(o->env.loop, &o->again, AGAIN_MS, flush, o);
}

static void dead_letter_acked(void *arg, const struct publisher_ack *ack)
{
    struct outbox_entry *en = arg;
    struct outbox *o = en->box;
    PROBE(dead_letter_acknowledged);
    if (ack->rc == RC_OK) {
        en->dead_letter = false;
        if (en->outcome)
            advance(o, en);
        else
            o->done(o->arg, en);
    } else if (!en->bare) {
        en->bare = en->omit_value; /* the value first */
        en->omit_value = true;
        advance(o, en);
    } else {
        refused(o, en, "dead letter", ack->words);
    }
}

static void outcome_acked(void *arg, const struct publisher_ack *ack)
{
    struct outbox_entry *en = arg;
    PROBE(outcome_acknowledged);
    if (ack->rc == RC_OK)
        en->box->done(en->box->arg, en);
    else
        refused(en->box, en, "outcome", ack->words);
}

void outbox_schema(struct outbox *o, int32_t id)
{
    o->schema_id = id;
    flush(o);
}

void outbox_put(struct outbox *o, struct outbox_entry *entry)
{
    entry->box = o;
    entry->waits = entry->sent = entry->omit_value = entry->bare = entry->plain = false;
    advance(o, entry);
}

bool outbox_sent(const struct outbox_entry *entry)
{
    return entry->sent;
}
