#include "producer/order_intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"
#include "common/base/traceparent.h"
#include "producer/nameless.h"
#include "producer/producer_metrics.h"
#include "producer/schema_compare.h"

enum { KEY_TEXT = 300 };

struct refused_order { /* by the broker, after it was offered: told as a rejection when there is room */
    struct refused_order *next;
    int64_t order_id;
    char reason[sizeof((struct err *)0)->text];
};

struct order_intake {
    struct order_intake_needs n;
    const struct order_intake_ops *ops;
    void *arg;
    struct nameless *nameless;
    struct nameless *elsewhere; /* orders that the list shows in another status, by their ids */
    struct schema_compare *compare;
    struct refused_order *refused; /* owned */
    struct order_intake_counts counts;
};

static void on_schema(void *arg)
{
    struct order_intake *in = arg;
    in->ops->resume(in->arg);
}

struct order_intake *order_intake_create(const struct order_intake_needs *needs, const struct order_intake_ops *ops, void *arg)
{
    struct order_intake *in = calloc(1, sizeof *in);
    if (in == NULL)
        return NULL;
    *in = (struct order_intake){.n = *needs, .ops = ops, .arg = arg};
    in->nameless = nameless_create();
    in->elsewhere = nameless_create();
    struct schema_compare_needs compare = {.loop = needs->loop, .config = needs->config, .log = needs->log, .schemas = needs->schemas, .mapping = needs->mapping,
                                           .organization = xsale_client_organization(needs->xsale)};
    in->compare = schema_compare_create(&compare, on_schema, in);
    if (in->nameless != NULL && in->elsewhere != NULL && in->compare != NULL)
        return in;
    order_intake_destroy(in);
    return NULL;
}

static void drop_refused(struct order_intake *in)
{
    struct refused_order *r = in->refused;
    in->refused = r->next;
    free(r);
}

void order_intake_destroy(struct order_intake *in)
{
    if (in == NULL)
        return;
    while (in->refused != NULL)
        drop_refused(in);
    schema_compare_destroy(in->compare);
    nameless_destroy(in->nameless);
    nameless_destroy(in->elsewhere);
    free(in);
}

void order_intake_poll(struct order_intake *in, bool again)
{
    (again ? nameless_poll_again : nameless_poll)(in->nameless);
    (again ? nameless_poll_again : nameless_poll)(in->elsewhere);
    in->counts = (struct order_intake_counts){0};
    schema_compare_poll(in->compare);
}

void order_intake_polled(struct order_intake *in)
{
    schema_compare_polled(in->compare);
}

const struct order_intake_counts *order_intake_counts(const struct order_intake *in)
{
    return &in->counts;
}

static int64_t wall(const struct order_intake *in)
{
    return clock_wall(loop_clock(in->n.loop));
}

static const char *key_of(const struct order_intake *in, int64_t order_id, char text[KEY_TEXT])
{
    (void)snprintf(text, KEY_TEXT, "%s/%" PRId64, xsale_client_organization(in->n.xsale), order_id); /* for the log only */
    return text;
}

static uint64_t revision_of(const char *text)
{
    return strtoull(text, NULL, 16);
}

/* What a write said, for the poller. */
static enum poller_taken no_room(struct order_intake *in, enum rc rc, const char *words)
{
    if (rc == RC_FATAL)
        in->ops->failed(in->arg, words);
    in->ops->no_room(in->arg);
    return POLLER_WAIT;
}

/* ---- orders that never reach the book */

static enum poller_taken take_nameless(struct order_intake *in, const struct order_facts *facts, const char *reason)
{
    struct err e;
    uint64_t hash = revision_of(facts->revision);
    enum nameless_seen seen = nameless_see(in->nameless, hash);
    if (seen == NAMELESS_REPEATED)
        return POLLER_REPEATED;
    if (seen == NAMELESS_KNOWN)
        return POLLER_FRESH;
    enum rc rc = order_writer_nameless(in->n.writer, facts, reason, &e);
    if (rc != RC_OK)
        return no_room(in, rc, e.text);
    nameless_note(in->nameless, hash);
    metrics_add(in->n.metrics, PRODUCER_NAMELESS, NULL, 1);
    log_fact(in->n.log, LOG_ERROR, "poll", NULL, "an order without a usable id: only its bytes are kept, in the dead-letter topic",
             LOG_S("hash", facts->revision), LOG_S("why", reason));
    return nameless_see(in->nameless, hash) == NAMELESS_REPEATED ? POLLER_FRESH : POLLER_UNSURE; /* not remembered: too many */
}

/* The order itself says that it is in no new status: the filter was not understood (then every order of the account may be listed), or the status changed while
 * the page was made. Either way it is not ours to publish. */
static enum poller_taken take_elsewhere(struct order_intake *in, const struct order_facts *facts)
{
    uint64_t id = (uint64_t)facts->order_id;
    char key[KEY_TEXT];
    if (nameless_see(in->elsewhere, id) == NAMELESS_REPEATED)
        return POLLER_REPEATED;
    nameless_note(in->elsewhere, id);
    in->counts.elsewhere++;
    log_event(in->n.log, LOG_WARN, "poll", key_of(in, facts->order_id, key), "listed, but in another status: not published",
              LOG_I("status_id", facts->status_id));
    return nameless_see(in->elsewhere, id) == NAMELESS_REPEATED ? POLLER_FRESH : POLLER_UNSURE; /* not remembered: too many */
}

/* ---- offers */

static void count_offer(struct order_intake *in, const struct order_book_offer *offer, int64_t order_id)
{
    const char *cause = order_book_cause_name(offer->cause);
    const char *words = offer->cause == ORDER_REOFFER ? "open for long, offered again" : offer->cause == ORDER_WITHDRAWAL ? "withdrawn" : "offered";
    char key[KEY_TEXT], trace[TRACEPARENT_ID];
    traceparent_id(order_writer_trace(in->n.writer), trace);
    if (offer->cause == ORDER_WITHDRAWAL)
        in->counts.withdrawn++;
    else
        in->counts.published++;
    metrics_add(in->n.metrics, PRODUCER_PUBLISHED, cause, 1);
    log_fact(in->n.log, offer->cause == ORDER_NEW ? LOG_DEBUG : LOG_INFO, "poll", key_of(in, order_id, key), words, LOG_S("cause", cause),
             LOG_I("publication", offer->publication), LOG_S("trace", trace));
}

static enum rc refuse(struct order_intake *in, const struct order_facts *facts, const struct order_book_offer *offer, const char *reason,
                      struct err *e)
{
    struct refusal r = {.order_id = facts->order_id, .revision = facts->revision, .publication = offer->publication, .round = offer->round,
                        .reason = reason, .text = facts->text, .text_n = facts->text_n};
    char key[KEY_TEXT];
    enum rc rc = order_writer_refuse(in->n.writer, &r, e);
    if (rc != RC_OK)
        return rc;
    in->counts.rejected++;
    metrics_add(in->n.metrics, PRODUCER_REJECTED, NULL, 1);
    log_fact(in->n.log, LOG_WARN, "poll", key_of(in, facts->order_id, key), "the order cannot become a record: rejected", LOG_S("why", reason),
             LOG_I("publication", offer->publication));
    return RC_OK;
}

/* reason: why it cannot become a record, when seen->rejected. */
static enum poller_taken offer_order(struct order_intake *in, const struct order_facts *facts, const struct order_book_seen *seen,
                                     const struct order_book_offer *offer, const char *reason)
{
    struct err e, why;
    enum rc rc = RC_REJECT;
    err_set(&why, "%s", reason);
    if (!seen->rejected)
        rc = order_writer_order(in->n.writer, order_mapping_encoder(in->n.mapping), facts, offer, &why);
    bool rejected = rc == RC_REJECT;
    if (rejected)
        rc = refuse(in, facts, offer, why.text, &e);
    if (rc != RC_OK)
        return no_room(in, rc, rejected ? e.text : why.text);
    if (order_book_offered(in->n.book, seen, offer, wall(in)) != RC_OK)
        in->ops->failed(in->arg, "order book: out of memory");
    if (!rejected)
        count_offer(in, offer, facts->order_id);
    return POLLER_FRESH;
}

enum rc order_intake_withdraw(struct order_intake *in, const struct order_facts *facts, const struct order_book_offer *offer)
{
    struct err e;
    enum rc rc = order_writer_order(in->n.writer, order_mapping_encoder(in->n.mapping), facts, offer, &e);
    if (rc == RC_RETRY || rc == RC_FATAL)
        (void)no_room(in, rc, e.text);
    if (rc != RC_OK)
        return rc;
    PROBE(withdrawal_produced);
    order_book_withdrawn(in->n.book, facts->order_id, offer, wall(in));
    count_offer(in, offer, facts->order_id);
    return RC_OK;
}

/* Only what is remembered of it: its bytes cannot become a record. */
static enum rc withdraw_remembered(struct order_intake *in, const struct order_state *known, const struct order_book_offer *offer)
{
    struct order_facts facts = {.has_id = true, .order_id = known->order_id};
    struct err e;
    (void)snprintf(facts.revision, sizeof facts.revision, "%s", known->revision); /* 16 digits */
    enum rc rc = order_encoder_vanished(order_mapping_encoder(in->n.mapping), known->order_id, known->revision, &e);
    if (rc == RC_OK)
        return order_intake_withdraw(in, &facts, offer);
    in->ops->failed(in->arg, e.text);
    return rc;
}

static enum poller_taken withdraw_edited(struct order_intake *in, int64_t order_id, const struct order_book_offer *offer)
{
    struct order_state known;
    if (!order_book_get(in->n.book, order_id, &known))
        return POLLER_FRESH;
    enum rc rc = withdraw_remembered(in, &known, offer);
    if (rc == RC_REJECT)
        in->ops->failed(in->arg, "a withdrawal without content cannot become a record");
    return rc == RC_OK ? POLLER_FRESH : POLLER_WAIT;
}

/* ---- an order */

static enum poller_taken take_order(struct order_intake *in, const struct json_tape *tape, uint32_t node, const struct order_facts *facts,
                                    const char *reason)
{
    struct order_book_offer offer;
    struct order_book_seen seen = {.order_id = facts->order_id, .revision = revision_of(facts->revision), .rejected = reason != NULL,
                                   .schema_id = in->n.order_schema_id, .warehouses = &facts->warehouses, .steady_ms = loop_now(in->n.loop)};
    enum order_book_action action = order_book_see(in->n.book, &seen, wall(in), &offer);
    if (action == ORDER_COMPARE) {
        enum schema_compare_found found = schema_compare_find(in->compare, offer.schema_id, facts->order_id);
        if (found == SCHEMA_COMPARE_WAIT)
            return POLLER_WAIT; /* until resume */
        seen.compared = true;
        seen.undecided = found == SCHEMA_COMPARE_LATER;
        seen.old_revision = seen.undecided ? 0 : schema_compare_revision(in->compare, tape, node, seen.rejected);
        action = order_book_see(in->n.book, &seen, wall(in), &offer);
    }
    switch (action) {
    case ORDER_REPEATED:
        return POLLER_REPEATED;
    case ORDER_PUBLISH:
        return offer_order(in, facts, &seen, &offer, reason != NULL ? reason : "");
    case ORDER_WITHDRAW:
        return withdraw_edited(in, facts->order_id, &offer);
    case ORDER_SKIP:
    case ORDER_HELD:
    case ORDER_COMPARE:
        break;
    }
    return POLLER_FRESH;
}

enum poller_taken order_intake_take(struct order_intake *in, const struct json_tape *tape, uint32_t node)
{
    struct order_facts facts;
    struct err e;
    enum rc rc = order_encoder_read(order_mapping_encoder(in->n.mapping), tape, node, &facts, &e);
    if (rc == RC_FATAL) {
        in->ops->failed(in->arg, e.text);
        return POLLER_WAIT;
    }
    if (!facts.has_id)
        return take_nameless(in, &facts, rc == RC_OK ? "no usable id" : e.text);
    if (facts.has_status && !xsale_client_is_new(in->n.xsale, facts.status_id))
        return take_elsewhere(in, &facts);
    if (!in->ops->admit(in->arg, &facts))
        return POLLER_WAIT;
    in->counts.listed++;
    return take_order(in, tape, node, &facts, rc == RC_REJECT ? e.text : NULL);
}

/* ---- what the broker refused */

void order_intake_refused(struct order_intake *in, int64_t order_id, const char *why)
{
    struct refused_order *r = calloc(1, sizeof *r);
    log_event(in->n.log, LOG_ERROR, "poll", NULL, "the broker refuses an order", LOG_I("order_id", order_id), LOG_S("why", why));
    if (r == NULL) {
        in->ops->failed(in->arg, "out of memory");
        return;
    }
    r->order_id = order_id;
    r->next = in->refused;
    (void)snprintf(r->reason, sizeof r->reason, "Kafka refuses the record: %s", why); /* cut is fine */
    in->refused = r;
}

static enum rc tell_refused(struct order_intake *in, const struct order_state *known, const char *reason)
{
    struct order_book_offer offer = {.cause = ORDER_WITHDRAWAL, .publication = known->publication, .round = known->round,
                                     .warehouses = known->warehouses};
    struct order_facts facts = {.order_id = known->order_id};
    struct err e;
    if (known->withdrawn)
        return withdraw_remembered(in, known, &offer);
    (void)snprintf(facts.revision, sizeof facts.revision, "%s", known->revision); /* 16 digits */
    enum rc rc = refuse(in, &facts, &offer, reason, &e);
    if (rc != RC_OK)
        (void)no_room(in, rc, e.text);
    return rc;
}

bool order_intake_settle(struct order_intake *in)
{
    struct order_state known;
    while (in->refused != NULL) {
        if (order_book_get(in->n.book, in->refused->order_id, &known)) {
            if (tell_refused(in, &known, in->refused->reason) != RC_OK)
                return false;
        }
        drop_refused(in);
    }
    return true;
}
