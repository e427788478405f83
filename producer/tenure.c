#include "producer/tenure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/ledger_row.h"
#include "common/kafka/kafka_conf.h"
#include "producer/group_position.h"
#include "producer/nameless.h"
#include "producer/poller.h"
#include "producer/recall.h"
#include "producer/schema_compare.h"
#include "producer/schema_reader.h"

enum { TOPIC_BYTES = 250, NOTES_A_TURN = 500 };

struct refused_order { /* by the broker, after it was offered: told as a rejection when there is room */
    struct refused_order *next;
    int64_t order_id;
    char reason[sizeof((struct err *)0)->text];
};

struct tenure {
    struct tenure_needs n;
    const struct tenure_ops *ops;
    void *arg;
    const char *organization;
    struct order_book *book;
    struct nameless *nameless;
    struct nameless *elsewhere; /* orders that the list shows in another status, by their ids */
    size_t elsewhere_n;         /* of them in this poll */
    size_t listed_n;            /* orders in a new status in this poll */
    struct recall *recall;
    struct group_position *position;
    struct schema_reader *ledger;
    struct poller *poller;
    struct loop_timer timer; /* next poll */
    struct loop_timer settle_timer;
    int64_t poll_began;      /* monotonic ms */
    size_t published, rejected; /* in this poll */
    bool poll_failed;        /* the one before */
    bool polled;             /* every page of this poll was taken */
    bool forgot;             /* and what it did not show was looked through */
    bool waiting;            /* something found no room */
    bool failed;
    struct refused_order *refused; /* owned */
    struct schema_compare *compare;
    /* the first look */
    struct xsale_call *look;
    bool looked;
    loop_fn *stopped; /* NULL: not stopping */
    void *stopped_arg;
};

static void settle(struct tenure *t);

static void fail(struct tenure *t, const char *words)
{
    if (t->failed)
        return;
    t->failed = true;
    t->ops->failed(t->arg, words);
}

static int64_t wall(const struct tenure *t)
{
    return clock_wall(loop_clock(t->n.loop));
}

/* ---- notes */

static void on_settle(void *arg)
{
    settle(arg);
}

static void settle_soon(struct tenure *t)
{
    if (!t->settle_timer.armed)
        loop_timer_in(t->n.loop, &t->settle_timer, 0, on_settle, t);
}

/* true: none is left. */
static bool write_notes(struct tenure *t)
{
    struct order_state state;
    struct err e;
    bool forgotten;
    for (int i = 0; i < NOTES_A_TURN; i++) {
        if (!order_book_note(t->book, &state, &forgotten))
            return true;
        enum rc rc = order_writer_note(t->n.writer, &state, forgotten, &e);
        if (rc != RC_OK) {
            t->waiting = rc == RC_RETRY;
            if (rc != RC_RETRY)
                fail(t, e.text);
            return false;
        }
        order_book_note_taken(t->book);
    }
    settle_soon(t);
    return false;
}

/* ---- an order of the poll */

static void count_offer(struct tenure *t, const struct order_book_offer *offer, int64_t order_id)
{
    const char *cause = order_book_cause_name(offer->cause);
    char key[300];
    (void)snprintf(key, sizeof key, "%s/%" PRId64, t->organization, order_id); /* for the log only */
    t->published++;
    metrics_add(t->n.metrics, PRODUCER_PUBLISHED, cause, 1);
    log_fact(t->n.log, offer->cause == ORDER_NEW ? LOG_DEBUG : LOG_INFO, "poll", key, offer->cause == ORDER_REOFFER ? "open for long, offered again" : "offered",
             LOG_S("cause", cause), LOG_I("publication", offer->publication));
}

static enum poller_taken no_room(struct tenure *t)
{
    t->waiting = true;
    return POLLER_WAIT;
}

static enum rc refuse(struct tenure *t, const struct order_facts *facts, const struct order_book_offer *offer, const char *reason)
{
    struct refusal r = {.order_id = facts->order_id, .revision = facts->revision, .publication = offer->publication, .round = offer->round,
                        .reason = reason, .text = facts->text, .text_n = facts->text_n};
    struct err e;
    enum rc rc = order_writer_refuse(t->n.writer, &r, &e);
    if (rc == RC_FATAL)
        fail(t, e.text);
    if (rc != RC_OK)
        return rc;
    char key[300];
    (void)snprintf(key, sizeof key, "%s/%" PRId64, t->organization, facts->order_id);
    t->rejected++;
    metrics_add(t->n.metrics, PRODUCER_REJECTED, NULL, 1);
    log_fact(t->n.log, LOG_WARN, "poll", key, "the order cannot become a record: rejected", LOG_S("why", reason),
             LOG_I("publication", offer->publication));
    return RC_OK;
}

static enum poller_taken offer_order(struct tenure *t, const struct order_facts *facts, struct order_book_seen *seen,
                                     const struct order_book_offer *offer, const char *reason)
{
    struct err e;
    enum rc rc = RC_REJECT;
    if (!seen->rejected)
        rc = order_writer_order(t->n.writer, order_mapping_encoder(t->n.mapping), facts, offer, &e);
    bool rejected = rc == RC_REJECT;
    if (rejected)
        rc = refuse(t, facts, offer, seen->rejected ? reason : e.text);
    else if (rc == RC_FATAL)
        fail(t, e.text);
    if (rc != RC_OK)
        return no_room(t);
    if (order_book_offered(t->book, seen, offer, wall(t)) != RC_OK)
        fail(t, "order book: out of memory");
    if (!rejected)
        count_offer(t, offer, facts->order_id);
    return POLLER_FRESH;
}

static uint64_t revision_of(const char *text)
{
    return strtoull(text, NULL, 16);
}

static void resume(void *arg)
{
    struct tenure *t = arg;
    if (t->poller != NULL)
        poller_resume(t->poller);
}

static enum poller_taken take_nameless(struct tenure *t, const struct order_facts *facts, const char *reason)
{
    struct err e;
    enum nameless_seen seen = nameless_see(t->nameless, revision_of(facts->revision));
    if (seen == NAMELESS_REPEATED)
        return POLLER_REPEATED;
    if (seen == NAMELESS_KNOWN)
        return POLLER_FRESH;
    enum rc rc = order_writer_nameless(t->n.writer, facts, reason, &e);
    if (rc == RC_FATAL)
        fail(t, e.text);
    if (rc != RC_OK)
        return no_room(t);
    nameless_note(t->nameless, revision_of(facts->revision));
    metrics_add(t->n.metrics, PRODUCER_NAMELESS, NULL, 1);
    log_fact(t->n.log, LOG_ERROR, "poll", NULL, "an order without a usable id: only its bytes are kept, in the dead-letter topic",
             LOG_S("hash", facts->revision), LOG_S("why", reason));
    return nameless_see(t->nameless, revision_of(facts->revision)) == NAMELESS_REPEATED ? POLLER_FRESH : POLLER_UNSURE; /* not remembered: too many */
}

/* The order itself says that it is in no new status: the filter was not understood (then every order of the account may be listed), or the status changed while
 * the page was made. Either way it is not ours to publish. */
static enum poller_taken take_elsewhere(struct tenure *t, const struct order_facts *facts)
{
    uint64_t id = (uint64_t)facts->order_id;
    char key[300];
    if (nameless_see(t->elsewhere, id) == NAMELESS_REPEATED)
        return POLLER_REPEATED;
    nameless_note(t->elsewhere, id);
    t->elsewhere_n++;
    (void)snprintf(key, sizeof key, "%s/%" PRId64, t->organization, facts->order_id); /* for the log only */
    log_event(t->n.log, LOG_WARN, "poll", key, "listed, but in another status: not published", LOG_I("status_id", facts->status_id));
    return nameless_see(t->elsewhere, id) == NAMELESS_REPEATED ? POLLER_FRESH : POLLER_UNSURE; /* not remembered: too many */
}

static void first_look(struct tenure *t, int64_t order_id);

static enum poller_taken on_order(void *arg, const struct json_tape *tape, uint32_t node)
{
    struct tenure *t = arg;
    struct order_facts facts;
    struct order_book_offer offer;
    struct err e;
    enum rc rc = order_encoder_read(order_mapping_encoder(t->n.mapping), tape, node, &facts, &e);
    if (rc == RC_FATAL || t->failed || t->stopped != NULL) {
        if (rc == RC_FATAL)
            fail(t, e.text);
        return POLLER_WAIT; /* for ever: this poll ends here */
    }
    if (!facts.has_id)
        return take_nameless(t, &facts, rc == RC_OK ? "no usable id" : e.text);
    if (facts.has_status && !xsale_client_is_new(t->n.xsale, facts.status_id))
        return take_elsewhere(t, &facts);
    t->listed_n++;
    struct order_book_seen seen = {.order_id = facts.order_id, .revision = revision_of(facts.revision), .rejected = rc == RC_REJECT,
                                   .schema_id = t->n.order_schema_id, .warehouses = &facts.warehouses, .steady_ms = loop_now(t->n.loop)};
    if (!t->looked)
        first_look(t, facts.order_id);
    enum order_book_action action = order_book_see(t->book, &seen, wall(t), &offer);
    if (action == ORDER_COMPARE) {
        if (!schema_compare_ready(t->compare, offer.schema_id))
            return POLLER_WAIT; /* until resume */
        seen.compared = true;
        seen.old_revision = schema_compare_revision(t->compare, tape, node, seen.rejected);
        action = order_book_see(t->book, &seen, wall(t), &offer);
    }
    switch (action) {
    case ORDER_REPEATED:
        return POLLER_REPEATED;
    case ORDER_PUBLISH:
        return offer_order(t, &facts, &seen, &offer, e.text);
    case ORDER_SKIP:
    case ORDER_HELD:
    case ORDER_COMPARE:
        break;
    }
    return POLLER_FRESH;
}

/* ---- the first look: is order_path right? */

static void on_look(void *arg, const struct xsale_reply *reply)
{
    struct tenure *t = arg;
    t->look = NULL;
    if (reply->end == XSALE_OK) {
        struct json_tape tape;
        struct order_facts facts = {0};
        struct err e;
        json_tape_init(&tape);
        if (json_tape_parse(&tape, reply->body, reply->body_n, &e) != RC_OK ||
            order_encoder_peek(order_mapping_encoder(t->n.mapping), &tape, 0, &facts, &e) != RC_OK)
            log_event(t->n.log, LOG_WARN, "poll", NULL, "xsale.order_path answers, but not with an order: looks will not work",
                      LOG_S("why", e.text));
        json_tape_release(&tape);
        return;
    }
    log_event(t->n.log, LOG_WARN, "poll", NULL,
              "xsale.order_path does not give an order that is listed: orders cannot be looked at before their status is set; correct it or make it empty",
              LOG_S("why", reply->words));
}

static void first_look(struct tenure *t, int64_t order_id)
{
    t->looked = true;
    if (xsale_client_can_look(t->n.xsale))
        t->look = xsale_get_order(t->n.xsale, order_id, on_look, t); /* NULL: no memory, no look */
}

/* ---- a poll */

static void begin_poll(void *arg)
{
    struct tenure *t = arg;
    int64_t publication = order_book_poll(t->book, wall(t));
    (t->poll_failed ? nameless_poll_again : nameless_poll)(t->nameless);
    (t->poll_failed ? nameless_poll_again : nameless_poll)(t->elsewhere);
    t->poll_failed = false;
    t->elsewhere_n = t->listed_n = 0;
    t->poll_began = loop_now(t->n.loop);
    t->published = t->rejected = 0;
    t->polled = t->forgot = false;
    log_event(t->n.log, LOG_DEBUG, "poll", NULL, "poll begins", LOG_I("publication", publication));
    poller_start(t->poller);
}

static void on_page(void *arg, size_t orders)
{
    struct tenure *t = arg;
    metrics_add(t->n.metrics, PRODUCER_PAGES, NULL, 1);
    metrics_add(t->n.metrics, PRODUCER_ORDERS_SEEN, NULL, (double)orders);
}

static void on_polled(void *arg)
{
    struct tenure *t = arg;
    t->polled = true;
    settle_soon(t);
}

/* Like a poll that never was: nothing that it did not show is forgotten, and no position is committed. What it published stands. */
static void on_poll_failed(void *arg, const char *words)
{
    struct tenure *t = arg;
    int64_t now = loop_now(t->n.loop), next = t->poll_began + config_ms(t->n.config, "producer.poll_interval");
    log_event(t->n.log, LOG_ERROR, "poll", NULL, "a poll came to no end and does not count", LOG_S("why", words));
    health_set(t->n.health, "polling", HEALTH_DOWN, words, "polls again");
    t->poll_failed = true;
    if (t->n.once)
        fail(t, words);
    else
        loop_timer_set(t->n.loop, &t->timer, next > now ? next : now, begin_poll, t);
}

static size_t ledger_partitions(const struct tenure *t)
{
    return (size_t)t->n.partitions[TOPIC_STATUS];
}

static void commit(struct tenure *t)
{
    size_t n = ledger_partitions(t);
    int64_t *positions = calloc(n, sizeof *positions);
    if (positions == NULL || t->ledger == NULL) {
        free(positions);
        return; /* the next time */
    }
    for (size_t i = 0; i < n; i++)
        positions[i] = schema_reader_next(t->ledger, i);
    order_book_ledger_positions(t->book, positions, n);
    t->ops->commit(t->arg, positions, n);
    free(positions);
}

static void tell_numbers(struct tenure *t)
{
    struct order_book_counts c;
    order_book_count(t->book, &c);
    metrics_set(t->n.metrics, PRODUCER_OPEN, NULL, (double)c.open);
    metrics_set(t->n.metrics, PRODUCER_CLOSED, NULL, (double)c.closed);
    metrics_set(t->n.metrics, PRODUCER_HELD, NULL, (double)c.held);
    metrics_set(t->n.metrics, PRODUCER_MEMORY, NULL, (double)c.bytes);
    char words[300];
    if (t->elsewhere_n > t->listed_n) { /* more than a status that changed while a page was made */
        (void)snprintf(words, sizeof words, "the last poll listed %zu orders that are in other statuses: does xSale understand the filter? "
                       "(xsale.filter_by, xsale.array_style, xsale.query, or the schema's statusId)", t->elsewhere_n); /* fits */
        health_set(t->n.health, "polling", HEALTH_DOWN, words, "does not publish them");
        return;
    }
    (void)snprintf(words, sizeof words, "%zu orders come back again and again unchanged; is a setting wrong?", c.held); /* fits */
    health_set(t->n.health, "polling", c.held > 0 ? HEALTH_DOWN : HEALTH_UP, c.held > 0 ? words : NULL,
               c.held > 0 ? "the loop guard holds them back, up to an hour each" : NULL);
}

static void end_poll(struct tenure *t)
{
    int64_t now = loop_now(t->n.loop), next = t->poll_began + config_ms(t->n.config, "producer.poll_interval");
    double seconds = (double)(now - t->poll_began) / 1000;
    t->polled = false;
    metrics_add(t->n.metrics, PRODUCER_POLLS, NULL, 1);
    metrics_set(t->n.metrics, PRODUCER_LAST_POLL, NULL, (double)wall(t) / 1000);
    metrics_observe(t->n.metrics, PRODUCER_POLL_SECONDS, NULL, seconds);
    tell_numbers(t);
    log_fact(t->n.log, t->published + t->rejected > 0 || t->n.once ? LOG_INFO : LOG_DEBUG, "poll", NULL, "poll complete",
             LOG_I("published", t->published), LOG_I("rejected", t->rejected), LOG_I("ms", now - t->poll_began));
    commit(t);
    if (t->n.once)
        t->ops->complete(t->arg);
    else
        loop_timer_set(t->n.loop, &t->timer, next > now ? next : now, begin_poll, t);
}

/* ---- whatever was waited for has moved */

static void drop_refused(struct tenure *t)
{
    struct refused_order *r = t->refused;
    t->refused = r->next;
    free(r);
}

/* What the broker refused after it was offered becomes a rejection; without its bytes, which it would not take either. true: none is left. */
static bool write_refused(struct tenure *t)
{
    struct order_state state;
    struct err e;
    while (t->refused != NULL) {
        if (!order_book_get(t->book, t->refused->order_id, &state)) {
            drop_refused(t);
            continue;
        }
        struct refusal r = {.order_id = state.order_id, .revision = state.revision, .publication = state.publication, .round = state.round,
                            .reason = t->refused->reason};
        enum rc rc = order_writer_refuse(t->n.writer, &r, &e);
        if (rc == RC_FATAL)
            fail(t, e.text);
        t->waiting = t->waiting || rc == RC_RETRY;
        if (rc != RC_OK)
            return false;
        metrics_add(t->n.metrics, PRODUCER_REJECTED, NULL, 1);
        drop_refused(t);
        resume(t); /* a rejection of the poll may have waited for this one */
    }
    return true;
}

static void settle(struct tenure *t)
{
    if (t->failed || !write_refused(t) || !write_notes(t) || order_writer_flights(t->n.writer) > 0)
        return;
    if (t->stopped != NULL) {
        loop_fn *done = t->stopped;
        t->stopped = NULL;
        commit(t);
        done(t->stopped_arg);
        return;
    }
    if (!t->polled)
        return;
    if (!t->forgot) {
        t->forgot = true;
        order_book_poll_complete(t->book);
        settle_soon(t);
        return;
    }
    end_poll(t);
}

static void keep_refused(struct tenure *t, const struct flight_report *report)
{
    struct refused_order *r = calloc(1, sizeof *r);
    log_event(t->n.log, LOG_ERROR, "poll", NULL, "the broker refuses an order", LOG_I("order_id", report->order_id), LOG_S("why", report->words));
    if (r == NULL) {
        fail(t, "out of memory");
        return;
    }
    r->order_id = report->order_id;
    r->next = t->refused;
    (void)snprintf(r->reason, sizeof r->reason, "Kafka refuses the record: %s", report->words); /* cut is fine */
    t->refused = r;
    settle_soon(t);
}

static void on_landed(void *arg, const struct flight_report *report)
{
    struct tenure *t = arg;
    if (report->end == FLIGHT_REFUSED && (report->note || report->order_id == 0)) {
        fail(t, "the broker refuses a record of ours that is small");
        return;
    }
    if (report->end == FLIGHT_REFUSED) {
        keep_refused(t, report);
        return;
    }
    if (!report->note && report->order_id != 0)
        order_book_published(t->book, report->order_id);
    settle_soon(t);
}

void tenure_room(struct tenure *t)
{
    if (!t->waiting)
        return;
    t->waiting = false;
    settle_soon(t);
    if (t->poller != NULL)
        poller_resume(t->poller);
}

/* ---- the ledger */

static bool is_our_row(void *arg, const struct kafka_record *record)
{
    struct tenure *t = arg;
    int64_t id;
    return recall_is_ours(t->organization, record, &id) && record->value != NULL;
}

static void on_row(void *arg, const struct schema_record *sr)
{
    struct tenure *t = arg;
    struct ledger_row *row = NULL;
    struct err e;
    err_set(&e, "no frame, or a schema that cannot be read");
    enum rc rc = sr->writer == NULL ? RC_REJECT : ledger_row_decode(sr->writer, sr->avro, sr->avro_n, &row, &e);
    if (rc == RC_REJECT)
        log_event(t->n.log, LOG_ERROR, "ledger", NULL, "a row cannot be read and is passed over", LOG_I("partition", sr->record->partition),
                  LOG_I("offset", sr->record->offset), LOG_S("why", e.text));
    else if (rc != RC_OK || order_book_ledger(t->book, row, sr->record->partition, sr->record->offset) != RC_OK)
        fail(t, "ledger: out of memory");
    ledger_row_destroy(row);
    if (t->poller != NULL) /* before that, notes wait until everything was read */
        settle_soon(t);
}

static void on_ledger_end(void *arg)
{
    static const struct poller_ops ops = {.order = on_order, .page = on_page, .complete = on_polled, .failed = on_poll_failed};
    struct tenure *t = arg;
    order_book_restored(t->book);
    t->poller = poller_create(t->n.loop, t->n.xsale, t->n.config, t->n.log, t->n.health, &ops, t);
    if (t->poller == NULL) {
        fail(t, "poller: out of memory");
        return;
    }
    tell_numbers(t);
    settle_soon(t);
    if (t->stopped == NULL)
        loop_timer_in(t->n.loop, &t->timer, 0, begin_poll, t);
}

static void on_positions(void *arg, const int64_t *offsets)
{
    static const struct schema_reader_ops ops = {.wanted = is_our_row, .record = on_row, .end = on_ledger_end};
    struct tenure *t = arg;
    struct schema_reader_needs needs = {t->n.loop, t->n.worker, t->n.config, t->n.log, t->n.health, t->n.schemas};
    char topic[TOPIC_BYTES];
    struct err e;
    size_t n = ledger_partitions(t);
    struct reader_start *starts = calloc(n, sizeof *starts);
    t->position = NULL;
    kafka_topic_name(t->n.config, "order-status", topic);
    err_set(&e, "out of memory");
    for (size_t i = 0; starts != NULL && i < n; i++)
        starts[i] = (struct reader_start){.topic = topic, .partition = (int32_t)i, .from = offsets[i] < 0 ? READER_BEGINNING : READER_OFFSET,
                                          .value = offsets[i]};
    if (starts == NULL || schema_reader_create(&needs, starts, n, &ops, t, &t->ledger, &e) != RC_OK)
        fail(t, e.text);
    free(starts);
}

static void on_recalled(void *arg)
{
    struct tenure *t = arg;
    struct group_position_needs needs = {.loop = t->n.loop, .worker = t->n.worker, .config = t->n.config, .log = t->n.log,
                                         .group_id = t->n.group_id, .partitions = t->n.partitions[TOPIC_STATUS]};
    char topic[TOPIC_BYTES];
    struct err e;
    kafka_topic_name(t->n.config, "order-status", topic);
    needs.topic = topic;
    recall_destroy(t->recall);
    t->recall = NULL;
    if (group_position_fetch(&needs, on_positions, t, &t->position, &e) != RC_OK)
        fail(t, e.text);
}

static void on_recall_failed(void *arg, const char *words)
{
    fail(arg, words);
}

/* ---- life */

struct tenure *tenure_create(const struct tenure_needs *needs, const struct tenure_ops *ops, void *arg)
{
    static const struct recall_ops recall_ops = {.done = on_recalled, .failed = on_recall_failed};
    struct tenure *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct tenure){.n = *needs, .ops = ops, .arg = arg, .organization = xsale_client_organization(needs->xsale)};
    struct recall_needs r = {.reader = {needs->loop, needs->worker, needs->config, needs->log, needs->health, needs->schemas},
                             .organization = t->organization, .state_partitions = needs->partitions[TOPIC_STATE],
                             .order_partitions = needs->partitions[TOPIC_ORDERS]};
    order_writer_on_landed(needs->writer, on_landed, t);
    t->book = order_book_create(config_ms(needs->config, "producer.reoffer_after"));
    t->nameless = nameless_create();
    t->elsewhere = nameless_create();
    t->compare = schema_compare_create(needs->schemas, needs->mapping, needs->log, resume, t);
    if (t->book != NULL && t->nameless != NULL && t->elsewhere != NULL && t->compare != NULL)
        t->recall = recall_create(&r, t->book, &recall_ops, t);
    if (t->recall == NULL) {
        tenure_destroy(t);
        return NULL;
    }
    health_set(needs->health, "polling", HEALTH_UNKNOWN, NULL, "reads back what was published");
    return t;
}

void tenure_destroy(struct tenure *t)
{
    if (t == NULL)
        return;
    order_writer_abandon(t->n.writer);
    order_writer_on_landed(t->n.writer, NULL, NULL);
    loop_timer_clear(t->n.loop, &t->timer);
    loop_timer_clear(t->n.loop, &t->settle_timer);
    xsale_cancel(t->look);
    poller_destroy(t->poller);
    recall_destroy(t->recall);
    group_position_cancel(t->position);
    schema_reader_destroy(t->ledger);
    schema_compare_destroy(t->compare);
    while (t->refused != NULL)
        drop_refused(t);
    nameless_destroy(t->nameless);
    nameless_destroy(t->elsewhere);
    order_book_destroy(t->book);
    free(t);
}

void tenure_stop(struct tenure *t, loop_fn *done, void *arg)
{
    t->stopped = done;
    t->stopped_arg = arg;
    loop_timer_clear(t->n.loop, &t->timer);
    xsale_cancel(t->look);
    t->look = NULL;
    poller_destroy(t->poller);
    t->poller = NULL;
    order_writer_abandon_half(t->n.writer);
    settle_soon(t);
}
