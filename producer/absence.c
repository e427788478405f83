#include "producer/absence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/bucket.h"
#include "common/base/probe.h"

enum { LEAST_LOOKS = 5, SLOW_PART = 10, KEY_TEXT = 300, LOOK_MS = 120 * 1000, HELD_MS = 500 };

struct absence {
    struct absence_needs n;
    const struct absence_ops *ops;
    void *arg;
    struct bucket slow; /* looks that are not the first of an order */
    struct loop_timer timer, deadline, held; /* held: while the ledger is read */
    struct xsale_call *call; /* the look under way */
    struct buf body;         /* of the order found; empty: gone */
    struct order_book_absence at;
    enum order_book_found found;
    int64_t until;
    int64_t proving; /* the listed order that is looked at; 0: none */
    size_t looks;    /* after this poll */
    bool slow_token; /* taken and not used */
    bool proven, named_status, reading, vanished, waiting;
    bool doubting; /* "looks" is down */
};

static void next(void *arg);

struct absence *absence_create(const struct absence_needs *needs, const struct absence_ops *ops, void *arg)
{
    struct absence *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    *a = (struct absence){.n = *needs, .ops = ops, .arg = arg};
    int64_t rate = config_int(needs->config, "producer.requests_per_minute") / SLOW_PART;
    bucket_init(&a->slow, rate > 0 ? rate : 1, loop_now(needs->loop));
    buf_init(&a->body, (size_t)config_int(needs->config, "xsale.max_body"));
    return a;
}

void absence_destroy(struct absence *a)
{
    if (a == NULL)
        return;
    if (a->reading)
        schema_reader_catch_up_cancel(a->n.ledger);
    xsale_cancel(a->call);
    absence_none(a); /* from now on it waits for no order: whoever polls next looks anew */
    loop_timer_clear(a->n.loop, &a->timer);
    loop_timer_clear(a->n.loop, &a->deadline);
    loop_timer_clear(a->n.loop, &a->held);
    buf_release(&a->body);
    free(a);
}

static void soon(struct absence *a, loop_fn *fn)
{
    loop_timer_in(a->n.loop, &a->timer, 0, fn, a);
}

static const char *key_of(const struct absence *a, int64_t order_id, char text[KEY_TEXT])
{
    (void)snprintf(text, KEY_TEXT, "%s/%" PRId64, xsale_client_organization(a->n.xsale), order_id); /* for the log only */
    return text;
}

/* ---- a question */

static void no_answer(void *arg);

/* A GET is repeated until it is answered; one order that xSale cannot show must not hold the polls up. */
static void ask(struct absence *a, int64_t order_id, xsale_done_fn *done)
{
    a->call = xsale_get_order(a->n.xsale, order_id, done, a);
    if (a->call == NULL)
        a->ops->failed(a->arg, "out of memory");
    else
        loop_timer_in(a->n.loop, &a->deadline, LOOK_MS, no_answer, a);
}

static void answered(struct absence *a)
{
    a->call = NULL;
    loop_timer_clear(a->n.loop, &a->deadline);
}

/* ---- an answer */

/* What an answer says of the order that was asked for. RC_REJECT: it is not that order, or names no status. */
static enum rc read_status(const struct absence *a, const struct xsale_reply *reply, int64_t order_id, struct order_facts *facts, struct err *e)
{
    struct json_tape tape;
    json_tape_init(&tape);
    enum rc rc = json_tape_parse(&tape, reply->body, reply->body_n, e);
    if (rc == RC_OK)
        rc = order_encoder_peek(a->n.encoder, &tape, 0, facts, e);
    json_tape_release(&tape);
    if (rc == RC_OK && facts->order_id != order_id) {
        err_set(e, "another order was answered than the one that was asked for");
        rc = RC_REJECT;
    }
    return rc;
}

static enum order_book_found what_is(const struct absence *a, int64_t status)
{
    if (xsale_client_is_new(a->n.xsale, status))
        return ORDER_FOUND_NEW;
    if (status == xsale_client_imported(a->n.xsale))
        return ORDER_FOUND_IMPORTED;
    return status == xsale_client_manual(a->n.xsale) ? ORDER_FOUND_MANUAL : ORDER_FOUND_OTHER;
}

/* ---- proof */

bool absence_is_proven(const struct absence *a)
{
    return a->proven || !xsale_client_can_look(a->n.xsale);
}

static void end_proof(struct absence *a, const char *words)
{
    a->proving = 0;
    a->ops->proven(a->arg, words); /* a may be gone */
}

static void on_proof(void *arg, const struct xsale_reply *reply)
{
    struct absence *a = arg;
    struct order_facts facts;
    struct err e;
    answered(a);
    if (reply->end != XSALE_OK) {
        err_set(&e, "%s", reply->words);
    } else if (read_status(a, reply, a->proving, &facts, &e) == RC_OK) {
        a->proven = facts.has_status || !a->named_status;
        if (!a->proven)
            err_set(&e, "the answer names no status");
    }
    end_proof(a, a->proven ? NULL : e.text);
}

void absence_prove(struct absence *a, int64_t order_id, bool named_status)
{
    if (a->proving != 0)
        return;
    a->proving = order_id;
    a->named_status = named_status;
    ask(a, order_id, on_proof);
}

/* ---- what was found */

static void looks_are_up(struct absence *a)
{
    a->doubting = false;
    health_set(a->n.health, "looks", HEALTH_UP, NULL, NULL);
}

void absence_none(struct absence *a)
{
    if (a->doubting)
        looks_are_up(a);
}

static void end(void *arg)
{
    struct absence *a = arg;
    buf_release(&a->body);
    a->ops->done(a->arg); /* a may be gone */
}

/* Not believed: the rest waits for another poll. */
static void doubt(struct absence *a, const char *why)
{
    char key[KEY_TEXT];
    log_event(a->n.log, LOG_WARN, "look", key_of(a, a->at.order_id, key), "cannot be looked at: nothing is withdrawn", LOG_S("why", why));
    a->doubting = true;
    health_set(a->n.health, "looks", HEALTH_DOWN, why, "withdraws nothing meanwhile; looks again");
    soon(a, end);
}

static void no_answer(void *arg)
{
    struct absence *a = arg;
    xsale_cancel(a->call);
    a->call = NULL;
    if (a->proving != 0)
        end_proof(a, "no answer within two minutes");
    else
        doubt(a, "no answer within two minutes");
}

/* The order as it is now, or what is left of it, into the encoder. facts: id and revision of what it has. */
static enum rc encode(struct absence *a, struct order_facts *facts, struct err *e)
{
    struct order_state known;
    struct json_tape tape;
    enum rc rc = RC_REJECT;
    if (!a->vanished && a->found != ORDER_FOUND_GONE) {
        json_tape_init(&tape);
        rc = json_tape_parse(&tape, (const char *)a->body.p, a->body.n, e);
        if (rc == RC_OK)
            rc = order_encoder_read(a->n.encoder, &tape, 0, facts, e);
        json_tape_release(&tape); /* the text is the body's */
    }
    if (rc != RC_REJECT || !order_book_get(a->n.book, a->at.order_id, &known))
        return rc;
    *facts = (struct order_facts){.has_id = true, .order_id = known.order_id};
    (void)snprintf(facts->revision, sizeof facts->revision, "%s", known.revision); /* 16 digits */
    return order_encoder_vanished(a->n.encoder, known.order_id, known.revision, e);
}

static void ledger_is_read(struct absence *a)
{
    a->reading = false;
    loop_timer_clear(a->n.loop, &a->held);
}

/* What stands in the ledger behind a row that cannot be read nobody knows: nothing is judged without it, and the polls do not wait for it. */
static void watch_ledger(void *arg)
{
    struct absence *a = arg;
    if (!schema_reader_is_held(a->n.ledger)) {
        loop_timer_in(a->n.loop, &a->held, HELD_MS, watch_ledger, a);
        return;
    }
    schema_reader_catch_up_cancel(a->n.ledger);
    ledger_is_read(a);
    log_event(a->n.log, LOG_WARN, "look", NULL, "the ledger cannot be read to its end: no order that polls do not show is withdrawn",
              LOG_S("why", "a row waits for its schema"));
    soon(a, end);
}

static void judge(void *arg)
{
    struct absence *a = arg;
    struct order_book_offer offer;
    struct order_facts facts;
    struct err e;
    ledger_is_read(a);
    if (!order_book_looked(a->n.book, &a->at, a->found, &offer)) {
        next(a);
        return;
    }
    enum rc rc = encode(a, &facts, &e);
    if (rc == RC_OK)
        rc = a->ops->withdraw(a->arg, &facts, &offer);
    else if (rc == RC_FATAL)
        a->ops->failed(a->arg, e.text);
    a->waiting = rc == RC_RETRY;
    if (rc == RC_OK) {
        next(a);
    } else if (rc == RC_REJECT) {
        bool again = !a->vanished;
        a->vanished = true;
        if (again)
            soon(a, judge);
        else
            a->ops->failed(a->arg, "a withdrawal without content cannot become a record");
    }
}

static void read_ledger(struct absence *a, loop_fn *then)
{
    a->reading = true;
    if (schema_reader_catch_up(a->n.ledger, then, a) == RC_OK)
        loop_timer_in(a->n.loop, &a->held, 0, watch_ledger, a);
    else
        a->ops->failed(a->arg, "the ledger is read to its end twice at a time"); /* a broken invariant */
}

static void on_found(struct absence *a, enum order_book_found found, const struct xsale_reply *reply)
{
    buf_reset(&a->body);
    if (found != ORDER_FOUND_GONE)
        buf_put(&a->body, reply->body, reply->body_n);
    a->found = found;
    a->vanished = buf_failed(&a->body); /* then as if nothing were known but its id */
    looks_are_up(a);
    if (found == ORDER_FOUND_NEW)
        soon(a, next);
    else
        read_ledger(a, judge);
}

static void on_look(void *arg, const struct xsale_reply *reply)
{
    struct absence *a = arg;
    struct order_facts facts;
    struct err e;
    PROBE(absent_order_looked_at);
    answered(a);
    if (reply->end == XSALE_GONE && reply->web_page && !a->at.doubted) {
        order_book_doubt(a->n.book, a->at.order_id);
        doubt(a, "HTTP 404 with a web page: perhaps not xSale's own; believed when it is so again in ten minutes");
    } else if (reply->end == XSALE_GONE && absence_is_proven(a)) {
        on_found(a, ORDER_FOUND_GONE, reply);
    } else if (reply->end != XSALE_OK) {
        doubt(a, reply->words);
    } else if (read_status(a, reply, a->at.order_id, &facts, &e) != RC_OK) {
        doubt(a, e.text);
    } else if (!facts.has_status) {
        doubt(a, "the answer names no status (the schema's statusId)");
    } else {
        a->proven = true;
        on_found(a, what_is(a, facts.status_id), reply);
    }
}

/* ---- one after another */

static bool enough(const struct absence *a)
{
    return !a->n.all && a->looks >= LEAST_LOOKS && loop_now(a->n.loop) >= a->until;
}

static void next(void *arg)
{
    struct absence *a = arg;
    a->slow_token = a->slow_token || bucket_take(&a->slow, loop_now(a->n.loop)) == 0;
    if (enough(a) || !order_book_absent(a->n.book, loop_now(a->n.loop), a->slow_token, &a->at)) {
        soon(a, end);
        return;
    }
    a->slow_token = a->slow_token && !a->at.slow;
    a->looks++;
    ask(a, a->at.order_id, on_look);
}

static void on_read(void *arg)
{
    struct absence *a = arg;
    ledger_is_read(a);
    next(a);
}

void absence_start(struct absence *a, int64_t until_ms)
{
    a->looks = 0;
    a->until = until_ms;
    if (xsale_client_can_look(a->n.xsale))
        read_ledger(a, on_read); /* most of what is absent was closed meanwhile, and needs no look */
    else
        soon(a, end);
}

void absence_resume(struct absence *a)
{
    if (!a->waiting)
        return;
    a->waiting = false;
    soon(a, judge);
}
