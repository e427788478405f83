#include "producer/status_setter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/backoff.h"
#include "common/base/probe.h"
#include "common/base/traceparent.h"
#include "common/contract/order_key.h"
#include "producer/blame.h"

enum { REFUSED_MS = 600000, UNSHOWN_MS = 300000, AGAIN_LOW_MS = 2000, AGAIN_HIGH_MS = 60000, UNCHANGED_MOST = 2, DOUBLINGS = 9 };

enum stage { LOOKING, PUTTING, VERIFYING };

/* One try for one order. The ledger may move on meanwhile: what was true when it began stands here. */
struct work {
    TAILQ_ENTRY(work) link;
    struct status_setter *setter;
    struct xsale_call *call;
    enum stage stage;
    int64_t order_id, publication, round;
    uint64_t take; /* of the ledger */
    bool noted;    /* the row says something new */
    bool verifies; /* the process waits for what becomes of its PUT */
    bool refused_gone; /* the PUT said that there is no such order: only a look can tell */
    enum ledger_wanted wanted;
    char found[128];
    int64_t found_id; /* status of the look before the PUT; 0: none */
};

struct status_setter {
    struct setter_parts p;
    const struct setter_ops *ops;
    void *arg;
    TAILQ_HEAD(, work) works;
    size_t busy;
    struct json_tape tape;
    struct order_facts *facts; /* 4 KB of warehouses: not on the stack of every callback */
    struct backoff again;
    bool verified, verifying, stuck;
    int unchanged; /* PUTs that were accepted and changed nothing, one after another */
    char words[600];
    char failing[600]; /* the last change that xSale fails at again and again; "": none is known */
    bool outage;       /* told as down */
};

enum rc setter_create(const struct setter_parts *parts, const struct setter_ops *ops, void *arg, struct status_setter **out, struct err *e)
{
    struct status_setter *s = calloc(1, sizeof *s);
    if (s == NULL || (s->facts = calloc(1, sizeof *s->facts)) == NULL) {
        err_set(e, "status changes: out of memory");
        free(s);
        return RC_FATAL;
    }
    s->p = *parts;
    s->ops = ops;
    s->arg = arg;
    s->verified = !xsale_client_can_look(parts->xsale);
    TAILQ_INIT(&s->works);
    json_tape_init(&s->tape);
    backoff_init(&s->again, AGAIN_LOW_MS, AGAIN_HIGH_MS, (uint64_t)loop_now(parts->loop));
    *out = s;
    return RC_OK;
}

void setter_destroy(struct status_setter *s)
{
    if (s == NULL)
        return;
    struct work *w = NULL;
    while ((w = TAILQ_FIRST(&s->works)) != NULL) {
        TAILQ_REMOVE(&s->works, w, link);
        xsale_cancel(w->call);
        free(w);
    }
    json_tape_release(&s->tape);
    free(s->facts);
    free(s);
}

static void order_name(const struct work *w, char out[ORDER_KEY_BYTES])
{
    if (order_key_format(out, xsale_client_organization(w->setter->p.xsale), w->order_id) == 0)
        out[0] = '\0';
}

static bool holds(const struct work *w)
{
    return ledger_holds(w->setter->p.ledger, w->order_id, w->take);
}

/* Is what the try is about still what the ledger wants? */
static bool still_wanted(const struct work *w)
{
    uint64_t version = 0;
    if (!holds(w))
        return false;
    const struct ledger_row *row = ledger_row_of(w->setter->p.ledger, w->order_id, &version);
    return row != NULL && row->publication == w->publication && row->wanted == w->wanted && row->settled_at == 0;
}

static void drop(struct work *w)
{
    struct status_setter *s = w->setter;
    TAILQ_REMOVE(&s->works, w, link);
    s->busy--;
    if (w->verifies)
        s->verifying = false;
    free(w);
}

/* Ends the try; the order is free for the next one after delay_ms, at once when something else is wanted of it meanwhile. */
static void finish(struct work *w, enum setter_result result, int64_t delay_ms)
{
    struct status_setter *s = w->setter;
    int64_t order_id = w->order_id;
    bool changed = (result != SETTER_DELAYED || w->noted) && holds(w);
    ledger_give_back(s->p.ledger, order_id, w->take, loop_now(s->p.loop), still_wanted(w) ? delay_ms : 0);
    drop(w);
    if (changed)
        s->ops->changed(s->arg, order_id);
    s->ops->done(s->arg, order_id, result);
}

/* One order that xSale cannot change is no reason to call the program unready: it is told beside. */
static void tell_failing(struct status_setter *s)
{
    struct ledger_counts c;
    ledger_count(s->p.ledger, &c);
    if (c.failing == 0)
        s->failing[0] = '\0';
    if (s->words[0] == '\0' && !s->outage)
        health_set(s->p.health, "status-change", HEALTH_UP, c.failing > 0 ? s->failing : NULL, c.failing > 0 ? "tries each again, every 10 minutes in the end" : NULL);
}

static void note_set(struct work *w)
{
    w->noted = true;
    if (holds(w))
        ledger_note_set(w->setter->p.ledger, w->order_id, w->round, w->wanted);
}

static void settle(struct work *w, enum setter_result result, const char *note)
{
    struct status_setter *s = w->setter;
    char order[ORDER_KEY_BYTES], trace[TRACEPARENT_ID];
    order_name(w, order);
    order_traces_id(s->p.traces, w->order_id, trace);
    bool now = holds(w) && ledger_settle(s->p.ledger, w->order_id, w->publication, w->wanted, w->found[0] != '\0' ? w->found : NULL, note,
                             clock_wall(loop_clock(s->p.loop)));
    log_fact(s->p.log, LOG_INFO, "status", order, now ? "status settled" : "status set, but the order has moved on meanwhile",
             LOG_S("wanted", w->wanted == LEDGER_IMPORTED ? "imported" : "manual"), LOG_S("found", w->found),
             LOG_S("how", note != NULL ? note : result == SETTER_SET ? "set" : "already there"), LOG_S("trace", trace));
    if (!s->stuck && (s->words[0] != '\0' || s->failing[0] != '\0')) {
        s->words[0] = '\0';
        tell_failing(s);
    }
    finish(w, result, 0);
}

static void delay(struct work *w, const char *words, int64_t ms)
{
    struct status_setter *s = w->setter;
    char order[ORDER_KEY_BYTES], trace[TRACEPARENT_ID];
    order_name(w, order);
    order_traces_id(s->p.traces, w->order_id, trace);
    log_event(s->p.log, LOG_WARN, "status", order, "status not settled yet", LOG_S("why", words), LOG_I("again_in_ms", ms), LOG_S("trace", trace));
    finish(w, SETTER_DELAYED, ms);
}

static void refused(struct work *w, const char *words)
{
    struct status_setter *s = w->setter;
    (void)snprintf(s->words, sizeof s->words, "%s", words); /* cut on purpose */
    health_set(s->p.health, "status-change", HEALTH_DOWN, words, "keeps the order and tries again every 10 minutes");
    delay(w, words, REFUSED_MS);
}

static void tell_outage(struct status_setter *s, const char *words)
{
    char text[600];
    s->outage = true;
    (void)snprintf(text, sizeof text, "xSale changes no or few statuses at the moment, whichever order is tried: %s", words); /* cut on purpose */
    health_set(s->p.health, "status-change", HEALTH_DOWN, text, "keeps the orders, tries each again within a minute, and all of them as soon as one succeeds");
}

static void end_outage(struct status_setter *s)
{
    s->outage = false;
    tell_failing(s);
}

/* The longer an order itself is to blame, the longer it waits: its fault must not cost the quota of the others. What fails for all makes none of them wait longer. */
static void failed(struct work *w, const char *words)
{
    struct status_setter *s = w->setter;
    char order[ORDER_KEY_BYTES];
    int64_t ms = backoff_next(&s->again);
    unsigned tries = 0, n = ledger_note_failure(s->p.ledger, w->order_id, w->take, &tries);
    int64_t own = n == 0 ? 0 : (int64_t)AGAIN_LOW_MS << (n - 1 < DOUBLINGS ? n - 1 : DOUBLINGS);
    if (n >= BLAME_FAILING_FROM) {
        order_name(w, order);
        (void)snprintf(s->failing, sizeof s->failing, "the status of order %s cannot be set, tried %u times: %s", order, tries, words); /* cut on purpose */
        tell_failing(s);
    }
    if (ledger_outage(s->p.ledger))
        tell_outage(s, words);
    own = own < REFUSED_MS ? own : REFUSED_MS;
    delay(w, words, ms > own ? ms : own);
}

static int64_t wanted_id(const struct work *w)
{
    return w->wanted == LEDGER_IMPORTED ? xsale_client_imported(w->setter->p.xsale) : xsale_client_manual(w->setter->p.xsale);
}

static void on_put(void *arg, const struct xsale_reply *reply);
static void on_look(void *arg, const struct xsale_reply *reply);

static void look(struct work *w, enum stage stage)
{
    w->stage = stage;
    w->call = xsale_get_order(w->setter->p.xsale, w->order_id, on_look, w);
    PROBE(look_asked);
    if (w->call == NULL)
        delay(w, "out of memory", AGAIN_HIGH_MS);
}

static void put(struct work *w)
{
    struct status_setter *s = w->setter;
    if (!still_wanted(w)) {
        finish(w, SETTER_DELAYED, 0);
        return;
    }
    if (s->stuck || (!s->verified && s->verifying)) { /* until the first PUT is verified, no second one */
        finish(w, SETTER_DELAYED, s->stuck ? REFUSED_MS : AGAIN_LOW_MS);
        return;
    }
    w->verifies = s->verifying = !s->verified;
    w->stage = PUTTING;
    w->call = xsale_put_status(s->p.xsale, w->order_id, wanted_id(w), on_put, w);
    PROBE(change_asked);
    if (w->call == NULL)
        delay(w, "out of memory", AGAIN_HIGH_MS);
}

static bool may_overwrite(const struct status_setter *s, int64_t status_id)
{
    const struct xsale_status *known = xsale_client_status_by_id(s->p.xsale, status_id);
    size_t n = config_list_count(s->p.config, "updater.may_overwrite");
    for (size_t i = 0; known != NULL && i < n; i++)
        if (strcmp(config_list_item(s->p.config, "updater.may_overwrite", i), known->name) == 0)
            return true;
    return false;
}

static enum ledger_seen seen(const struct status_setter *s, int64_t status_id)
{
    if (xsale_client_is_new(s->p.xsale, status_id))
        return LEDGER_SEEN_NEW;
    if (status_id == xsale_client_imported(s->p.xsale))
        return LEDGER_SEEN_IMPORTED;
    if (status_id == xsale_client_manual(s->p.xsale))
        return LEDGER_SEEN_MANUAL;
    return may_overwrite(s, status_id) ? LEDGER_SEEN_OVERWRITABLE : LEDGER_SEEN_OTHER;
}

/* Reads the status out of the order's answer. */
static bool read_status(struct work *w, const struct xsale_reply *reply, int64_t *status_id, struct err *e)
{
    struct status_setter *s = w->setter;
    if (json_tape_parse(&s->tape, reply->body, reply->body_n, e) != RC_OK ||
        order_encoder_peek(s->p.encoder, &s->tape, 0, s->facts, e) != RC_OK)
        return false;
    if (s->facts->order_id != w->order_id || !s->facts->has_status) {
        err_set(e, "the answer to xsale.order_path is another order or has no status: check order_path and the schema's statusId");
        return false;
    }
    *status_id = s->facts->status_id;
    return true;
}

/* The look after the first PUT of the process: an accepted change that changed nothing is a wrong setting; when it was only once, somebody may have set the
 * order back in between. */
static void verify(struct work *w, int64_t status_id)
{
    struct status_setter *s = w->setter;
    if (status_id != wanted_id(w) && status_id == w->found_id) {
        if (++s->unchanged < UNCHANGED_MOST) {
            delay(w, "xSale accepted the change but still shows the old status", AGAIN_LOW_MS);
            return;
        }
        s->stuck = true;
        (void)snprintf(s->words, sizeof s->words,
                       "xSale accepted the change of order %" PRId64 " to status %" PRId64 " but still shows %" PRId64
                       ": check xsale.change_status and xsale.change_status_field; no status is changed until a restart",
                       w->order_id, wanted_id(w), status_id);
        health_set(s->p.health, "status-setting", HEALTH_DOWN, s->words, "stands still until it is restarted with the right setting");
        log_event(s->p.log, LOG_ERROR, "status", NULL, "status changes stand still", LOG_S("why", s->words));
        finish(w, SETTER_DELAYED, REFUSED_MS);
        return;
    }
    s->verified = true;
    settle(w, SETTER_SET, NULL); /* another status than ours: somebody was faster, which is theirs to say */
}

/* A row closed as gone while the order stands in a new status is an operator's retry to the producer: a gateway's web page is not believed at the first look. */
static void gone(struct work *w, bool web_page)
{
    struct status_setter *s = w->setter;
    if (web_page && !ledger_doubt(s->p.ledger, w->order_id, w->take, loop_now(s->p.loop)))
        refused(w, "HTTP 404 with a web page: perhaps not xSale's own; believed when it is so again in ten minutes");
    else
        settle(w, SETTER_GONE, "xSale has no such order any more");
}

static void on_look(void *arg, const struct xsale_reply *reply)
{
    struct work *w = arg;
    struct status_setter *s = w->setter;
    PROBE(look_answered);
    w->call = NULL;
    if (reply->end == XSALE_GONE) {
        gone(w, reply->web_page);
        return;
    }
    ledger_end_doubt(s->p.ledger, w->order_id, w->take);
    if (reply->end == XSALE_LATER) { /* nobody has refused anything: the others get their turn */
        delay(w, reply->words, UNSHOWN_MS);
        return;
    }
    if (reply->end != XSALE_OK) {
        refused(w, reply->words);
        return;
    }
    struct err e = {0};
    int64_t status_id = 0;
    if (!read_status(w, reply, &status_id, &e)) { /* no order, and no refusal either: nothing to wait ten minutes for */
        failed(w, e.text);
        return;
    }
    if (w->stage == VERIFYING) {
        verify(w, status_id);
        return;
    }
    const struct xsale_status *known = xsale_client_status_by_id(s->p.xsale, status_id);
    if (known != NULL)
        (void)snprintf(w->found, sizeof w->found, "%s", known->name);
    else
        (void)snprintf(w->found, sizeof w->found, "%" PRId64, status_id);
    w->found_id = status_id;
    if (!still_wanted(w)) {
        finish(w, SETTER_DELAYED, 0); /* moved on while we looked: begin again with what is true now */
        return;
    }
    if (w->refused_gone) {
        refused(w, "xSale answers a status change with HTTP 404, but still has the order: check xsale.change_status and the rights of the account");
        return;
    }
    uint64_t version = 0;
    switch (ledger_decide(ledger_row_of(s->p.ledger, w->order_id, &version), seen(s, status_id))) {
    case LEDGER_SETTLED_ALREADY:
        note_set(w);
        settle(w, SETTER_ALREADY, NULL);
        break;
    case LEDGER_PUT:
        put(w);
        break;
    case LEDGER_LEAVE_ALONE:
        settle(w, SETTER_LEFT_ALONE, "left alone: another status was set by a person");
        break;
    case LEDGER_GONE:
        settle(w, SETTER_GONE, "xSale has no such order any more");
        break;
    }
}

static void on_put(void *arg, const struct xsale_reply *reply)
{
    struct work *w = arg;
    struct status_setter *s = w->setter;
    PROBE(change_answered);
    w->call = NULL;
    switch (reply->end) {
    case XSALE_OK:
        backoff_reset(&s->again);
        ledger_note_success(s->p.ledger, w->order_id, w->take, loop_now(s->p.loop), AGAIN_LOW_MS);
        note_set(w);
        if (!s->verified) {
            look(w, VERIFYING);
            return;
        }
        settle(w, SETTER_SET, NULL);
        break;
    case XSALE_GONE: /* the order, or the address: a look tells them apart */
        w->refused_gone = true;
        if (xsale_client_can_look(s->p.xsale))
            look(w, LOOKING);
        else
            refused(w, reply->words);
        break;
    case XSALE_REFUSED:
        refused(w, reply->words);
        break;
    case XSALE_AMBIGUOUS: /* may have been set: the next try looks first */
    case XSALE_LATER:
        failed(w, reply->words);
        break;
    }
}

/* A try that outlived its row: the partition was lost and came back meanwhile. */
static bool still_busy(const struct status_setter *s, int64_t order_id)
{
    const struct work *w = NULL;
    TAILQ_FOREACH(w, &s->works, link)
        if (w->order_id == order_id)
            return true;
    return false;
}

static void take_up(struct status_setter *s, int64_t order_id, uint64_t take)
{
    uint64_t version = 0;
    if (still_busy(s, order_id)) {
        ledger_give_back(s->p.ledger, order_id, take, loop_now(s->p.loop), AGAIN_LOW_MS);
        return;
    }
    const struct ledger_row *row = ledger_row_of(s->p.ledger, order_id, &version);
    struct work *w = calloc(1, sizeof *w);
    if (w == NULL || row == NULL) {
        free(w);
        ledger_give_back(s->p.ledger, order_id, take, loop_now(s->p.loop), AGAIN_HIGH_MS);
        return;
    }
    *w = (struct work){.setter = s, .take = take, .order_id = order_id, .publication = row->publication, .round = row->round, .wanted = row->wanted};
    TAILQ_INSERT_TAIL(&s->works, w, link);
    s->busy++;
    if (xsale_client_can_look(s->p.xsale))
        look(w, LOOKING);
    else
        put(w);
}

void setter_run(struct status_setter *s)
{
    int64_t order_id = 0;
    uint64_t take = 0;
    /* One alone until a PUT was verified: the others would have looked in vain. */
    if (s->outage && !ledger_outage(s->p.ledger)) /* one succeeded, or nothing of it waits any more */
        end_outage(s);
    size_t most = s->verified ? (size_t)config_int(s->p.config, "updater.concurrency") : 1;
    while (!s->stuck && s->busy < most && (order_id = ledger_take(s->p.ledger, loop_now(s->p.loop), &take)) != 0)
        take_up(s, order_id, take);
}

void setter_drain(struct status_setter *s)
{
    for (struct work *w = TAILQ_FIRST(&s->works), *next = NULL; w != NULL; w = next) {
        next = TAILQ_NEXT(w, link);
        if (w->stage == VERIFYING || (w->stage == PUTTING && xsale_is_sent(w->call)))
            continue;
        xsale_cancel(w->call);
        ledger_give_back(s->p.ledger, w->order_id, w->take, loop_now(s->p.loop), 0);
        drop(w);
    }
}

size_t setter_busy(const struct status_setter *s)
{
    return s->busy;
}

const char *setter_stuck(const struct status_setter *s)
{
    return s->stuck ? s->words : NULL;
}

const char *setter_refused(const struct status_setter *s)
{
    return s->words[0] != '\0' ? s->words : NULL;
}
