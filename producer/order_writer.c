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
    bool note, abandoned;
    bool owing; /* a refusal whose dead letter is acknowledged and whose outcome found no room: nothing of it is under way */
    size_t text_n;
    struct letter *letter; /* owned; NULL: not a refusal */
};

/* A refusal: what is needed to send its dead letter again without the order's bytes, and the outcome behind it. */
struct letter {
    size_t key_n;
    int64_t publication, round;
    bool nameless, shrunk; /* nameless: nobody is told; shrunk: it went without the order's bytes */
    char revision[ORDER_REVISION_BYTES];
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
    size_t in_air;
    bool owes; /* some are owing */
    struct traceparent traces;
    char trace[TRACEPARENT_TEXT]; /* of the order sent last */
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

void order_writer_abandon(struct order_writer *w)
{
    for (struct flight *f = w->flights, *next; f != NULL; f = next) {
        next = f->next;
        if (f->owing)
            free_flight(f);
        else
            f->abandoned = true;
    }
    w->in_air = 0;
    w->owes = false;
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

static void land(struct flight *f, bool refused, const char *words)
{
    struct order_writer *w = f->w;
    struct flight_report report = {.end = refused ? FLIGHT_REFUSED : FLIGHT_DONE, .order_id = f->order_id, .note = f->note,
                                   .bare = f->text_n == 0, .words = words};
    bool abandoned = f->abandoned;
    free_flight(f);
    if (!abandoned && w->landed != NULL)
        w->landed(w->arg, &report);
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    land(arg, ack->rc != RC_OK, ack->words);
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

/* ---- a refusal: the dead letter, and when it is acknowledged the outcome. Once the outcome is there nobody comes back to the order. */

static void on_dead_letter(void *arg, const struct publisher_ack *ack);

/* text: NULL: without the order's bytes. */
static enum rc send_letter(struct flight *f, const char *text, struct err *e)
{
    struct order_writer *w = f->w;
    const struct letter *l = f->letter;
    struct dlq_entry entry = {.kind = DLQ_XSALE_ORDER, .key = l->key, .key_n = l->key_n, .value = text != NULL ? text : "", .value_n = f->text_n,
                              .reason = l->reason, .program = "xsale-producer", .at = clock_wall(w->n.clock), .omit_value = text == NULL};
    enum rc rc = dlq_publish(w->n.publisher, w->topics[TOPIC_DLQ], &entry, on_dead_letter, f, e);
    PROBE(refused_order_produced);
    return rc;
}

static enum rc send_outcome(struct flight *f, struct err *e)
{
    struct order_writer *w = f->w;
    const struct letter *l = f->letter;
    struct outcome o = {.organization = w->n.organization, .order_id = f->order_id, .publication = l->publication, .round = l->round,
                        .warehouse = "", .result = OUTCOME_REJECTED, .reason = l->reason, .attempts = 1, .at = clock_wall(w->n.clock),
                        .partition = -1, .offset = -1};
    memcpy(o.revision, l->revision, sizeof o.revision);
    o.warehouses.n = 0;
    buf_reset(&w->record);
    frame_put(&w->record, w->n.outcome_schema_id);
    enum rc rc = outcome_encode(&o, &w->record, e);
    if (rc != RC_OK)
        return rc;
    struct kafka_record record = {.topic = w->topics[TOPIC_OUTCOMES], .partition = -1, .key = l->key, .key_n = l->key_n, .value = w->record.p,
                                  .value_n = w->record.n};
    rc = publisher_send(w->n.publisher, &record, on_refusal_ack, f, e);
    PROBE(refusal_produced);
    return rc;
}

/* false: no room. */
static bool tell(struct flight *f)
{
    struct err e;
    enum rc rc = send_outcome(f, &e);
    f->owing = rc == RC_RETRY;
    f->w->owes = f->w->owes || f->owing;
    if (rc == RC_OK || f->owing)
        return rc == RC_OK;
    f->text_n = 0; /* an outcome is small and ours */
    land(f, true, e.text);
    return true;
}

void order_writer_room(struct order_writer *w)
{
    if (!w->owes)
        return;
    w->owes = false;
    for (struct flight *f = w->oldest, *next; f != NULL; f = next) {
        next = f->prev;
        if (f->owing && !tell(f))
            return;
    }
}

static void on_dead_letter(void *arg, const struct publisher_ack *ack)
{
    struct flight *f = arg;
    struct err e;
    PROBE(refused_order_acknowledged);
    if (ack->rc == RC_REJECT) {
        log_event(f->w->n.log, LOG_ERROR, "dlq", NULL, "the dead-letter topic refuses an order's bytes; they are lost", LOG_I("order_id", f->order_id),
                  LOG_I("bytes", f->text_n), LOG_S("why", ack->words));
        bool again = !f->letter->shrunk;
        f->letter->shrunk = true;
        if (again && send_letter(f, NULL, &e) == RC_OK) /* the topic's limit is lower than ours; the record has just made room for the smaller one */
            return;
    }
    if (f->abandoned || f->letter->nameless)
        land(f, false, "");
    else
        (void)tell(f); /* else when there is room */
}

static struct flight *new_refusal(struct order_writer *w, const struct refusal *r, const char *key, size_t key_n, struct err *e)
{
    struct flight *f = new_flight(w, r->order_id, e);
    struct letter *l = f != NULL ? calloc(1, sizeof *l) : NULL;
    if (l == NULL || key_n > sizeof l->key) {
        err_set(e, "out of memory");
        free(l);
        if (f != NULL)
            free_flight(f);
        return NULL;
    }
    *l = (struct letter){.key_n = key_n, .publication = r->publication, .round = r->round, .nameless = r->order_id == 0, .shrunk = r->text == NULL};
    memcpy(l->key, key, key_n);
    (void)snprintf(l->revision, sizeof l->revision, "%s", r->revision); /* 16 digits */
    (void)snprintf(l->reason, sizeof l->reason, "%s", r->reason);       /* cut is fine */
    f->letter = l;
    f->text_n = r->text_n;
    return f;
}

static enum rc begin_refusal(struct order_writer *w, const struct refusal *r, const char *key, size_t key_n, struct err *e)
{
    struct flight *f = new_refusal(w, r, key, key_n, e);
    if (f == NULL)
        return RC_FATAL;
    enum rc rc = send_letter(f, r->text, e);
    if (rc != RC_OK)
        free_flight(f);
    return rc;
}

enum rc order_writer_refuse(struct order_writer *w, const struct refusal *r, struct err *e)
{
    char key[ORDER_KEY_BYTES];
    return begin_refusal(w, r, key, order_key_format(key, w->n.organization, r->order_id), e);
}

enum rc order_writer_nameless(struct order_writer *w, const struct order_facts *facts, const char *reason, struct err *e)
{
    char key[ORDER_KEY_BYTES + ORDER_REVISION_BYTES];
    int key_n = snprintf(key, sizeof key, "%s/?%s", w->n.organization, facts->revision);
    struct refusal r = {.revision = facts->revision, .reason = reason, .text = facts->text, .text_n = facts->text_n};
    return key_n > 0 ? begin_refusal(w, &r, key, (size_t)key_n, e) : RC_FATAL;
}

/* ---- orders and notes */

static enum rc send_order(struct order_writer *w, struct flight *f, const struct order_facts *facts, const struct order_book_offer *offer,
                          struct err *e)
{
    char key[ORDER_KEY_BYTES], publication[NUMBER_TEXT], *trace = w->trace;
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

const char *order_writer_trace(const struct order_writer *w)
{
    return w->trace;
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
    if (rc != RC_OK)
        free_flight(f);
    return rc;
}
