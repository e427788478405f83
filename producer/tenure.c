#include "producer/tenure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"
#include "common/contract/ledger_row.h"
#include "common/contract/order_listing.h"
#include "common/kafka/kafka_conf.h"
#include "producer/absence.h"
#include "producer/group_position.h"
#include "producer/order_intake.h"
#include "producer/recall.h"
#include "producer/schema_reader.h"

enum {
    TOPIC_BYTES = 250,
    NOTES_A_TURN = 500,
    ROWS_MARGIN_MS = 6 * 3600 * 1000 /* the ledger carries the updater's clock */
};

struct tenure {
    struct tenure_needs n;
    const struct tenure_ops *ops;
    void *arg;
    const char *organization;
    struct order_book *book;
    struct order_intake *intake;
    struct recall *recall;
    struct group_position *position;
    struct schema_reader *ledger;
    struct schema_reader *back; /* reads rows that lie before the committed positions; only at start */
    struct poller *poller;
    struct absence *absence;
    struct loop_timer timer; /* next poll */
    struct loop_timer settle_timer;
    int64_t poll_began;      /* monotonic ms */
    bool poll_failed;        /* the one before */
    bool polled;             /* every page of this poll was taken */
    bool forgot;             /* and what it did not show was looked through */
    bool looking;            /* what was open or unanswered among that is looked at */
    bool begun;              /* everything was read back; nothing is noted before: what was adopted from the tail may turn out to be closed */
    bool waiting;            /* something found no room */
    bool failed;
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

static void on_no_room(void *arg)
{
    struct tenure *t = arg;
    t->waiting = true;
}

static void resume(void *arg)
{
    struct tenure *t = arg;
    if (t->poller != NULL)
        poller_resume(t->poller);
}

static void on_part_failed(void *arg, const char *words)
{
    fail(arg, words);
}

/* Nothing is published before xsale.order_path is known to give the order that it is asked for: with a wrong one the updater would take every order for gone, the
 * orders would stand in the new status for ever, and each poll would take them for retries. */
static bool admit(void *arg, const struct order_facts *facts)
{
    struct tenure *t = arg;
    if (absence_is_proven(t->absence))
        return true;
    absence_prove(t->absence, facts->order_id, facts->has_status);
    return false;
}

static enum poller_taken on_order(void *arg, const struct json_tape *tape, uint32_t node)
{
    struct tenure *t = arg;
    if (t->failed || t->stopped != NULL)
        return POLLER_WAIT; /* for ever: this poll ends here */
    return order_intake_take(t->intake, tape, node);
}

static void poll_failed(struct tenure *t, const char *words, const char *doing);
static void make_poller(struct tenure *t);

static void on_proven(void *arg, const char *words)
{
    char why[sizeof((struct err *)0)->text];
    struct tenure *t = arg;
    if (words == NULL) {
        resume(t);
        return;
    }
    (void)snprintf(why, sizeof why, "xsale.order_path does not give an order that is listed (correct it, or make it empty to do without looks): %s", words); /* cut is fine */
    poller_destroy(t->poller);
    make_poller(t);
    if (t->poller != NULL)
        poll_failed(t, why, "publishes nothing; polls and asks again");
}

/* ---- a poll */

static void begin_poll(void *arg)
{
    struct tenure *t = arg;
    int64_t publication = order_book_poll(t->book, wall(t));
    order_intake_poll(t->intake, t->poll_failed);
    t->poll_failed = false;
    t->poll_began = loop_now(t->n.loop);
    t->polled = t->forgot = t->looking = false;
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
static void poll_failed(struct tenure *t, const char *words, const char *doing)
{
    int64_t now = loop_now(t->n.loop), next = t->poll_began + config_ms(t->n.config, "producer.poll_interval");
    log_event(t->n.log, LOG_ERROR, "poll", NULL, "a poll came to no end and does not count", LOG_S("why", words));
    health_set(t->n.health, "polling", HEALTH_DOWN, words, doing);
    t->poll_failed = true;
    if (t->n.once)
        fail(t, words);
    else
        loop_timer_set(t->n.loop, &t->timer, next > now ? next : now, begin_poll, t);
}

static void on_poll_failed(void *arg, const char *words)
{
    poll_failed(arg, words, "polls again");
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
    const struct order_intake_counts *n = order_intake_counts(t->intake);
    char words[300];
    if (n->elsewhere > n->listed) { /* more than a status that changed while a page was made */
        (void)snprintf(words, sizeof words, "the last poll listed %zu orders that are in other statuses: does xSale understand the filter? "
                       "(xsale.filter_by, xsale.array_style, xsale.query, or the schema's statusId)", n->elsewhere); /* fits */
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
    const struct order_intake_counts *n = order_intake_counts(t->intake);
    t->polled = false;
    metrics_add(t->n.metrics, PRODUCER_POLLS, NULL, 1);
    metrics_set(t->n.metrics, PRODUCER_LAST_POLL, NULL, (double)wall(t) / 1000);
    metrics_observe(t->n.metrics, PRODUCER_POLL_SECONDS, NULL, seconds);
    tell_numbers(t);
    log_fact(t->n.log, n->published + n->withdrawn + n->rejected > 0 || t->n.once ? LOG_INFO : LOG_DEBUG, "poll", NULL, "poll complete",
             LOG_I("published", n->published), LOG_I("withdrawn", n->withdrawn), LOG_I("rejected", n->rejected), LOG_I("ms", now - t->poll_began));
    order_intake_polled(t->intake);
    PROBE(poll_complete);
    commit(t);
    if (t->n.once)
        t->ops->complete(t->arg);
    else
        loop_timer_set(t->n.loop, &t->timer, next > now ? next : now, begin_poll, t);
}

/* ---- whatever was waited for has moved */

static enum rc on_withdraw(void *arg, const struct order_facts *facts, const struct order_book_offer *offer)
{
    struct tenure *t = arg;
    return order_intake_withdraw(t->intake, facts, offer);
}

static void on_looked(void *arg)
{
    struct tenure *t = arg;
    t->looking = false;
    settle_soon(t);
}

/* true: done follows. A ledger that is held: what a row would say of the orders is not known. */
static bool look_at_absent(struct tenure *t)
{
    if (schema_reader_is_held(t->ledger))
        return false;
    bool absent = order_book_poll_complete(t->book);
    if (absent)
        absence_start(t->absence, t->poll_began + config_ms(t->n.config, "producer.poll_interval"));
    else
        absence_none(t->absence);
    return absent;
}

static void settle(struct tenure *t)
{
    if (t->failed || !order_intake_settle(t->intake) || (t->begun && !write_notes(t)) || order_writer_flights(t->n.writer) > 0)
        return;
    if (t->stopped != NULL) {
        loop_fn *done = t->stopped;
        t->stopped = NULL;
        if (t->begun)
            commit(t);
        done(t->stopped_arg);
        return;
    }
    if (!t->polled)
        return;
    if (!t->forgot) {
        t->forgot = true;
        t->looking = look_at_absent(t);
        settle_soon(t);
        return;
    }
    if (!t->looking)
        end_poll(t);
}

static void on_landed(void *arg, const struct flight_report *report)
{
    struct tenure *t = arg;
    if (report->end == FLIGHT_REFUSED && (report->note || report->bare)) {
        fail(t, "the broker refuses a record of ours that is small");
        return;
    }
    if (report->end == FLIGHT_REFUSED) {
        order_intake_refused(t->intake, report->order_id, report->words);
        settle_soon(t);
        return;
    }
    if (!report->note && report->order_id != 0)
        order_book_published(t->book, report->order_id);
    settle_soon(t);
}

void tenure_reload(struct tenure *t)
{
    int64_t now = loop_now(t->n.loop), next = t->poll_began + config_ms(t->n.config, "producer.poll_interval");
    if (t->timer.armed) /* between two polls */
        loop_timer_set(t->n.loop, &t->timer, next > now ? next : now, begin_poll, t);
}

void tenure_room(struct tenure *t)
{
    order_writer_room(t->n.writer);
    if (!t->waiting)
        return;
    t->waiting = false;
    settle_soon(t);
    resume(t);
    if (t->absence != NULL)
        absence_resume(t->absence);
}

/* ---- the ledger */

static const enum avro_builtin row_reads = AVRO_ORDER_STATUS;

static bool is_our_row(void *arg, const struct kafka_record *record)
{
    struct tenure *t = arg;
    int64_t id;
    return recall_is_ours(t->organization, record, &id) && record->value != NULL;
}

/* Most rows at a first start are of orders that were done with long ago. false: it has to be read whole. */
static bool pass_over(struct tenure *t, const struct schema_record *sr)
{
    int64_t id, publication;
    if (sr->writer == NULL || !recall_is_ours(t->organization, sr->record, &id) || order_book_knows(t->book, id) ||
        ledger_row_publication(sr->writer->schema, sr->avro, sr->avro_n, &publication, NULL) != RC_OK)
        return false;
    order_book_ledger_other(t->book, publication, sr->record->partition, sr->record->offset);
    return true;
}

static void take_row(struct tenure *t, const struct schema_record *sr, bool back)
{
    struct ledger_row *row = NULL;
    struct err e;
    if (pass_over(t, sr))
        return;
    err_set(&e, "no frame, or a schema that cannot be read");
    enum rc rc = sr->writer == NULL ? RC_REJECT : ledger_row_decode(sr->writer, sr->avro, sr->avro_n, &row, &e);
    if (rc == RC_REJECT)
        log_event(t->n.log, LOG_ERROR, "ledger", NULL, "a row cannot be read and is passed over", LOG_I("partition", sr->record->partition),
                  LOG_I("offset", sr->record->offset), LOG_S("why", e.text));
    else if (rc != RC_OK ||
             (back ? order_book_ledger_back : order_book_ledger)(t->book, row, sr->record->partition, sr->record->offset) != RC_OK)
        fail(t, "ledger: out of memory");
    ledger_row_destroy(row);
    PROBE(row_applied);
}

static void on_row(void *arg, const struct schema_record *sr)
{
    struct tenure *t = arg;
    take_row(t, sr, false);
    settle_soon(t);
}

static void on_row_back(void *arg, const struct schema_record *sr)
{
    take_row(arg, sr, true);
}

static void make_poller(struct tenure *t)
{
    static const struct poller_ops ops = {.order = on_order, .page = on_page, .complete = on_polled, .failed = on_poll_failed};
    t->poller = poller_create(t->n.loop, t->n.xsale, t->n.config, t->n.log, t->n.health, &ops, t);
    if (t->poller == NULL)
        fail(t, "poller: out of memory");
}

static void begin_work(struct tenure *t)
{
    static const struct absence_ops ops = {.withdraw = on_withdraw, .done = on_looked, .proven = on_proven, .failed = on_part_failed};
    struct absence_needs needs = {.loop = t->n.loop, .config = t->n.config, .log = t->n.log, .health = t->n.health, .xsale = t->n.xsale,
                                  .encoder = order_mapping_encoder(t->n.mapping), .book = t->book, .ledger = t->ledger, .all = t->n.once};
    order_book_restored(t->book);
    t->begun = true;
    make_poller(t);
    t->absence = absence_create(&needs, &ops, t);
    if (t->poller == NULL || t->absence == NULL) {
        fail(t, "poller: out of memory");
        return;
    }
    tell_numbers(t);
    settle_soon(t);
    if (t->stopped == NULL)
        loop_timer_in(t->n.loop, &t->timer, 0, begin_poll, t);
}

/* starts: one a partition of the ledger; to be freed by the caller. */
static struct reader_start *ledger_starts(struct tenure *t, char topic[TOPIC_BYTES], enum reader_from from, int64_t value)
{
    size_t n = ledger_partitions(t);
    struct reader_start *starts = calloc(n, sizeof *starts);
    kafka_topic_name(t->n.config, "order-status", topic);
    if (starts == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++)
        starts[i] = (struct reader_start){.topic = topic, .partition = (int32_t)i, .from = from, .value = value};
    return starts;
}

static void read_ledger(struct tenure *t, const struct reader_start *starts, const struct schema_reader_ops *ops, struct schema_reader **out)
{
    struct schema_reader_needs needs = {t->n.loop, t->n.worker, t->n.config, t->n.log, t->n.health, t->n.schemas};
    struct err e;
    err_set(&e, "out of memory");
    if (starts == NULL || schema_reader_create(&needs, starts, ledger_partitions(t), ops, t, out, &e) != RC_OK)
        fail(t, e.text);
}

static void on_back_end(void *arg)
{
    struct tenure *t = arg;
    schema_reader_destroy(t->back);
    t->back = NULL;
    begin_work(t);
}

static void on_ledger_end(void *arg)
{
    static const struct schema_reader_ops ops = {.wanted = is_our_row, .record = on_row_back, .end = on_back_end, .reads = &row_reads, .meanwhile = "publishes nothing"};
    struct tenure *t = arg;
    char topic[TOPIC_BYTES];
    int64_t since = order_book_rows_missing_since(t->book);
    if (since < 0) {
        begin_work(t);
        return;
    }
    struct reader_start *starts = ledger_starts(t, topic, READER_TIME, since > ROWS_MARGIN_MS ? since - ROWS_MARGIN_MS : 0);
    read_ledger(t, starts, &ops, &t->back);
    free(starts);
}

static void on_positions(void *arg, const int64_t *offsets)
{
    static const struct schema_reader_ops ops = {.wanted = is_our_row, .record = on_row, .end = on_ledger_end, .reads = &row_reads,
                                                 .meanwhile = "closes no order and withdraws none that polls do not show (nor publishes one after a start)"};
    struct tenure *t = arg;
    char topic[TOPIC_BYTES];
    struct reader_start *starts = ledger_starts(t, topic, READER_BEGINNING, 0);
    t->position = NULL;
    for (size_t i = 0; starts != NULL && i < ledger_partitions(t); i++)
        if (offsets[i] >= 0) {
            starts[i].from = READER_OFFSET;
            starts[i].value = offsets[i];
        }
    read_ledger(t, starts, &ops, &t->ledger);
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

/* ---- life */

struct tenure *tenure_create(const struct tenure_needs *needs, const struct tenure_ops *ops, void *arg)
{
    static const struct order_intake_ops intake_ops = {.admit = admit, .no_room = on_no_room, .resume = resume, .failed = on_part_failed};
    static const struct recall_ops recall_ops = {.done = on_recalled, .failed = on_part_failed};
    struct tenure *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct tenure){.n = *needs, .ops = ops, .arg = arg, .organization = xsale_client_organization(needs->xsale)};
    struct recall_needs r = {.reader = {needs->loop, needs->worker, needs->config, needs->log, needs->health, needs->schemas},
                             .organization = t->organization, .state_partitions = needs->partitions[TOPIC_STATE],
                             .order_partitions = needs->partitions[TOPIC_ORDERS]};
    order_writer_on_landed(needs->writer, on_landed, t);
    t->book = order_book_create(config_ms(needs->config, "producer.reoffer_after"));
    struct order_intake_needs in = {.loop = needs->loop, .config = needs->config, .log = needs->log, .metrics = needs->metrics, .schemas = needs->schemas, .xsale = needs->xsale,
                                    .mapping = needs->mapping, .writer = needs->writer, .book = t->book, .order_schema_id = needs->order_schema_id};
    if (t->book != NULL)
        t->intake = order_intake_create(&in, &intake_ops, t);
    if (t->intake != NULL)
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
    poller_destroy(t->poller);
    absence_destroy(t->absence);
    recall_destroy(t->recall);
    group_position_cancel(t->position);
    schema_reader_destroy(t->ledger);
    schema_reader_destroy(t->back);
    order_intake_destroy(t->intake);
    order_book_destroy(t->book);
    free(t);
}

void tenure_stop(struct tenure *t, loop_fn *done, void *arg)
{
    t->stopped = done;
    t->stopped_arg = arg;
    loop_timer_clear(t->n.loop, &t->timer);
    poller_destroy(t->poller);
    t->poller = NULL;
    absence_destroy(t->absence);
    t->absence = NULL;
    settle_soon(t);
}

unsigned tenure_orders(const struct tenure *t, const char *rest, struct buf *out)
{
    struct order_listing list;
    struct order_state state;
    const char *ours = config_text(t->n.config, "xsale.organization");
    if (!order_listing_begin(&list, rest, "xsale-producer", "", NULL, out))
        return 404;
    if (list.organization != NULL && order_listing_wants(&list, ours, strlen(ours), list.order_id) && order_book_get(t->book, list.order_id, &state)) {
        int64_t held = order_book_held_for(t->book, list.order_id, loop_now(t->n.loop));
        const struct listed_order o = {.organization = ours, .organization_n = strlen(ours), .order_id = list.order_id, .publication = state.publication,
                                       .state = state.closed ? "closed" : "open", .since = -1, .next_in = held > 0 ? held : -1, .tries = -1,
                                       .words = held > 0 ? "set back to the new status unchanged too often: the loop guard holds a retry back" : NULL};
        order_listing_add(&list, &o);
    }
    return order_listing_end(&list);
}
