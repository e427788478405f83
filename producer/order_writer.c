#include "producer/order_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"
#include "common/base/traceparent.h"
#include "common/contract/order_key.h"
#include "common/contract/outcome.h"
#include "common/kafka/dlq.h"
#include "common/kafka/frame.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/topics.h"

enum { RECORD_BYTES = 64 << 20, TOPIC_BYTES = 250, NUMBER_TEXT = 24, NOTES_WAIT_MS = 60 * 1000 };

struct flight {
    struct flight *next, *prev;
    struct order_writer *w;
    int64_t order_id;
    int64_t began;  /* monotonic ms */
    unsigned parts; /* records not acknowledged */
    bool note, dead_letter_sent, refused, abandoned;
    size_t text_n;
    struct letter *letter; /* owned; NULL: no dead letter, or it went without the order's bytes */
};

/* What is needed to send a dead letter again without the order's bytes. */
struct letter {
    size_t key_n;
    char key[ORDER_KEY_BYTES + ORDER_REVISION_BYTES];
    char reason[sizeof((struct err *)0)->text];
};

struct order_writer {
    struct order_writer_needs n;
    flight_fn *landed;
    void *arg;
    char topics[TOPIC_COUNT][TOPIC_BYTES];
    char fingerprint[17];
    struct buf record; /* the one being made */
    struct buf list;   /* its warehouses */
    struct flight *flights; /* newest first */
    struct flight *oldest;
    struct flight *half; /* a refusal whose dead letter is sent and whose outcome found no room */
    size_t in_air;
    struct traceparent traces;
};

struct order_writer *order_writer_create(const struct order_writer_needs *needs)
{
    struct order_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->n = *needs;
    for (int i = 0; i < TOPIC_COUNT; i++)
        kafka_topic_name(needs->config, topic_table[i].name, w->topics[i]);
    (void)snprintf(w->fingerprint, sizeof w->fingerprint, "%016" PRIx64, schema_fingerprint(needs->order_schema)); /* fits */
    buf_init(&w->record, RECORD_BYTES);
    buf_init(&w->list, RECORD_BYTES);
    return w;
}

void order_writer_on_landed(struct order_writer *w, flight_fn *landed, void *arg)
{
    w->landed = landed;
    w->arg = arg;
}

static void free_flight(struct flight *f)
{
    if (f->next != NULL)
        f->next->prev = f->prev;
    else
        f->w->oldest = f->prev;
    if (f->prev != NULL)
        f->prev->next = f->next;
    else
        f->w->flights = f->next;
    if (!f->abandoned)
        f->w->in_air--;
    free(f->letter);
    free(f);
}

void order_writer_destroy(struct order_writer *w)
{
    if (w == NULL)
        return;
    while (w->flights != NULL)
        free_flight(w->flights);
    buf_release(&w->record);
    buf_release(&w->list);
    free(w);
}

void order_writer_abandon_half(struct order_writer *w, int64_t order_id)
{
    struct flight *f = w->half;
    if (f == NULL || (order_id != 0 && f->order_id != order_id))
        return;
    w->half = NULL;
    if (f->parts == 0) {
        free_flight(f);
        return;
    }
    f->abandoned = true;
    w->in_air--;
}

void order_writer_abandon(struct order_writer *w)
{
    order_writer_abandon_half(w, 0);
    for (struct flight *f = w->flights; f != NULL; f = f->next)
        f->abandoned = true;
    w->in_air = 0;
    publisher_drop_waiting(w->n.publisher); /* their acknowledgements free the flights */
}

size_t order_writer_flights(const struct order_writer *w)
{
    return w->in_air;
}

static struct flight *new_flight(struct order_writer *w, int64_t order_id, struct err *e)
{
    struct flight *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_set(e, "out of memory");
        return NULL;
    }
    f->w = w;
    f->order_id = order_id;
    f->began = clock_mono(w->n.clock);
    f->next = w->flights;
    if (w->flights != NULL)
        w->flights->prev = f;
    else
        w->oldest = f;
    w->flights = f;
    w->in_air++;
    return f;
}

static void land(struct flight *f, const char *words)
{
    struct order_writer *w = f->w;
    struct flight_report report = {.end = f->refused ? FLIGHT_REFUSED : FLIGHT_DONE, .order_id = f->order_id, .note = f->note,
                                   .bare = f->text_n == 0, .words = words};
    bool abandoned = f->abandoned;
    free_flight(f);
    if (!abandoned && w->landed != NULL)
        w->landed(w->arg, &report);
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    struct flight *f = arg;
    if (ack->rc != RC_OK)
        f->refused = true;
    f->parts--;
    if (f->parts == 0 && f != f->w->half)
        land(f, ack->words);
}

static void on_order_ack(void *arg, const struct publisher_ack *ack)
{
    PROBE(order_acknowledged);
    on_ack(arg, ack);
}

static void on_note_ack(void *arg, const struct publisher_ack *ack)
{
    PROBE(note_acknowledged);
    on_ack(arg, ack);
}

static void on_refusal_ack(void *arg, const struct publisher_ack *ack)
{
    PROBE(refusal_acknowledged);
    on_ack(arg, ack);
}

/* ---- dead letters and outcomes */

static void on_dead_letter(void *arg, const struct publisher_ack *ack);

static enum rc publish_letter(struct order_writer *w, struct flight *f, const char *key, size_t key_n, const struct refusal *r, struct err *e)
{
    struct dlq_entry entry = {.kind = DLQ_XSALE_ORDER, .key = key, .key_n = key_n, .value = r->text != NULL ? r->text : "", .value_n = r->text_n,
                              .reason = r->reason, .program = "xsale-producer", .at = clock_wall(w->n.clock), .omit_value = r->text == NULL};
    return dlq_publish(w->n.publisher, w->topics[TOPIC_DLQ], &entry, on_dead_letter, f, e);
}

/* The topic's limit is lower than ours. The record that was refused has just made room for the smaller one. */
static bool send_letter_again(struct flight *f)
{
    struct letter *l = f->letter;
    struct refusal r = {.reason = l != NULL ? l->reason : "", .text_n = f->text_n};
    struct err e;
    f->letter = NULL;
    bool sent = l != NULL && publish_letter(f->w, f, l->key, l->key_n, &r, &e) == RC_OK;
    free(l);
    return sent;
}

static void on_dead_letter(void *arg, const struct publisher_ack *ack)
{
    struct flight *f = arg;
    PROBE(refused_order_acknowledged);
    if (ack->rc == RC_REJECT) {
        log_event(f->w->n.log, LOG_ERROR, "dlq", NULL, "the dead-letter topic refuses an order's bytes; they are lost", LOG_I("order_id", f->order_id),
                  LOG_I("bytes", f->text_n), LOG_S("why", ack->words));
        if (send_letter_again(f))
            return; /* its part is still under way */
    }
    struct publisher_ack fine = {.rc = RC_OK, .words = ""};
    on_ack(f, &fine);
}

static enum rc send_dead_letter(struct order_writer *w, struct flight *f, const char *key, size_t key_n, const struct refusal *r, struct err *e)
{
    struct letter *l = r->text != NULL ? calloc(1, sizeof *l) : NULL; /* no memory: then there is no second try */
    enum rc rc = publish_letter(w, f, key, key_n, r, e);
    if (rc != RC_OK || l == NULL || key_n > sizeof l->key) {
        free(l);
        l = NULL;
    } else {
        memcpy(l->key, key, key_n);
        l->key_n = key_n;
        (void)snprintf(l->reason, sizeof l->reason, "%s", r->reason); /* cut is fine */
    }
    if (rc != RC_OK)
        return rc;
    PROBE(refused_order_produced);
    f->letter = l;
    f->parts++;
    return RC_OK;
}

static enum rc send_outcome(struct order_writer *w, struct flight *f, const char *key, size_t key_n, const struct refusal *r, struct err *e)
{
    struct outcome o = {.organization = w->n.organization, .order_id = r->order_id, .publication = r->publication, .round = r->round,
                        .warehouse = "", .result = OUTCOME_REJECTED, .reason = r->reason, .attempts = 1, .at = clock_wall(w->n.clock),
                        .partition = -1, .offset = -1};
    (void)snprintf(o.revision, sizeof o.revision, "%s", r->revision); /* 16 digits */
    o.warehouses.n = 0;
    buf_reset(&w->record);
    frame_put(&w->record, w->n.outcome_schema_id);
    enum rc rc = outcome_encode(&o, &w->record, e);
    if (rc != RC_OK)
        return rc;
    struct kafka_record record = {.topic = w->topics[TOPIC_OUTCOMES], .partition = -1, .key = key, .key_n = key_n, .value = w->record.p,
                                  .value_n = w->record.n};
    rc = publisher_send(w->n.publisher, &record, on_refusal_ack, f, e);
    PROBE(refusal_produced);
    if (rc == RC_OK)
        f->parts++;
    return rc;
}

enum rc order_writer_refuse(struct order_writer *w, const struct refusal *r, struct err *e)
{
    char key[ORDER_KEY_BYTES];
    size_t key_n = order_key_format(key, w->n.organization, r->order_id);
    enum rc rc = RC_OK;
    if (w->half != NULL && w->half->order_id != r->order_id)
        return RC_RETRY; /* one after another */
    struct flight *f = w->half != NULL ? w->half : new_flight(w, r->order_id, e);
    if (f == NULL)
        return RC_FATAL;
    w->half = f;
    f->text_n = r->text_n;
    if (!f->dead_letter_sent)
        rc = send_dead_letter(w, f, key, key_n, r, e);
    f->dead_letter_sent = f->dead_letter_sent || rc == RC_OK;
    if (rc == RC_OK)
        rc = send_outcome(w, f, key, key_n, r, e);
    if (rc == RC_OK)
        w->half = NULL;
    return rc == RC_REJECT ? RC_FATAL : rc; /* an outcome is small and ours */
}

enum rc order_writer_nameless(struct order_writer *w, const struct order_facts *facts, const char *reason, struct err *e)
{
    char key[ORDER_KEY_BYTES + ORDER_REVISION_BYTES];
    int key_n = snprintf(key, sizeof key, "%s/?%s", w->n.organization, facts->revision);
    struct refusal r = {.reason = reason, .text = facts->text, .text_n = facts->text_n};
    struct flight *f = new_flight(w, 0, e);
    if (f == NULL || key_n < 0)
        return RC_FATAL;
    f->text_n = facts->text_n;
    enum rc rc = send_dead_letter(w, f, key, (size_t)key_n, &r, e);
    if (rc != RC_OK)
        free_flight(f);
    return rc;
}

/* ---- orders and notes */

static enum rc send_order(struct order_writer *w, struct flight *f, const struct order_facts *facts, const struct order_book_offer *offer,
                          struct err *e)
{
    char key[ORDER_KEY_BYTES], publication[NUMBER_TEXT], trace[TRACEPARENT_TEXT];
    size_t key_n = order_key_format(key, w->n.organization, facts->order_id);
    int publication_n = snprintf(publication, sizeof publication, "%" PRId64, offer->publication);
    traceparent_print(&w->traces, trace);
    buf_reset(&w->list);
    warehouse_set_print(&offer->warehouses, &w->list);
    const char *list = buf_text(&w->list);
    if (key_n == 0 || publication_n < 0 || list == NULL) {
        err_set(e, "the organization's name cannot stand in a key, or out of memory");
        return RC_FATAL;
    }
    struct kafka_header headers[] = {
        {"organization", w->n.organization, strlen(w->n.organization)},
        {"revision", facts->revision, strlen(facts->revision)},
        {"publication", publication, (size_t)publication_n},
        {"warehouses", list, w->list.n},
        {"schema", w->fingerprint, strlen(w->fingerprint)},
        {"traceparent", trace, strlen(trace)},
    };
    struct kafka_record record = {.topic = w->topics[TOPIC_ORDERS], .partition = -1, .key = key, .key_n = key_n, .value = w->record.p,
                                  .value_n = w->record.n, .headers = headers, .headers_n = sizeof headers / sizeof *headers};
    PROBE(order_producing);
    enum rc rc = publisher_send(w->n.publisher, &record, on_order_ack, f, e);
    PROBE(order_produced);
    if (rc == RC_OK)
        f->parts = 1;
    return rc;
}

enum rc order_writer_order(struct order_writer *w, const struct order_encoder *enc, const struct order_facts *facts,
                           const struct order_book_offer *offer, struct err *e)
{
    struct order_stamp stamp = {.organization = w->n.organization, .publication = offer->publication, .round = offer->round,
                                .fetched_at = clock_wall(w->n.clock), .raw = config_bool(w->n.config, "producer.raw"),
                                .withdrawn = offer->cause == ORDER_WITHDRAWAL, .warehouses = &offer->warehouses};
    buf_reset(&w->record);
    frame_put(&w->record, w->n.order_schema_id);
    enum rc rc = order_encoder_write(enc, &stamp, &w->record, e);
    if (rc != RC_OK)
        return rc;
    struct flight *f = new_flight(w, facts->order_id, e);
    if (f == NULL)
        return RC_FATAL;
    f->text_n = facts->text_n;
    rc = send_order(w, f, facts, offer, e);
    if (rc != RC_OK)
        free_flight(f);
    return rc;
}

static enum rc encode_note(struct order_writer *w, const struct order_state *state, struct err *e)
{
    struct order_state whole = *state;
    whole.organization = w->n.organization;
    buf_reset(&w->record);
    frame_put(&w->record, w->n.state_schema_id);
    return order_state_encode(&whole, &w->record, e);
}

enum rc order_writer_note(struct order_writer *w, const struct order_state *state, bool forgotten, struct err *e)
{
    char key[ORDER_KEY_BYTES], publication[NUMBER_TEXT];
    if (w->oldest != NULL && clock_mono(w->n.clock) - w->oldest->began > NOTES_WAIT_MS) {
        err_set(e, "something has been in the air for long");
        return RC_RETRY;
    }
    size_t key_n = order_key_format(key, w->n.organization, state->order_id);
    int publication_n = snprintf(publication, sizeof publication, "%" PRId64, state->publication);
    enum rc rc = forgotten ? RC_OK : encode_note(w, state, e);
    if (rc != RC_OK || publication_n < 0)
        return RC_FATAL;
    struct kafka_header header = {"publication", publication, (size_t)publication_n};
    struct kafka_record record = {.topic = w->topics[TOPIC_STATE], .partition = -1, .key = key, .key_n = key_n,
                                  .value = forgotten ? NULL : w->record.p, .value_n = forgotten ? 0 : w->record.n, .headers = &header,
                                  .headers_n = 1};
    struct flight *f = new_flight(w, state->order_id, e);
    if (f == NULL)
        return RC_FATAL;
    f->note = true;
    rc = publisher_send(w->n.publisher, &record, on_note_ack, f, e);
    PROBE(note_produced);
    if (rc == RC_OK)
        f->parts = 1;
    else
        free_flight(f);
    return rc;
}
