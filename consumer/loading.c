#include "consumer/loading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common/base/probe.h"
#include "common/base/traceparent.h"
#include "consumer/consumer_metrics.h"
#include "consumer/erp_view.h"
#include "consumer/load.h"
#include "consumer/load_lag.h"

/* So many times the concurrency. Measured: no slower at 256 in flight; a fifth slower one at a time and with 20 in flight of 2.5 ms each. */
enum { UNCOMMITTED_TIMES = 4 };
enum { HELD_GLANCE_MS = 2000, STRANGERS_MAX = 250, DOCUMENT_MAX = 64 * 1024 * 1024, DOCUMENT_USUAL_MAX = 64 * 1024 };

struct loading {
    struct loading_env env;
    struct loop *loop;
    struct log *log;
    const char *warehouse; /* ours; "": every one */
    bool own_lines;
    int64_t unknown_schema_ms;
    struct lanes *lanes;
    struct erp_sink *sink;
    struct outbox *outbox;
    struct schema *view; /* what the ERP sees; NULL: everything */
    struct order_views *views;
    struct load *all;
    struct load_lag lag;
    struct load *turn; /* the first one held for which there was no room when what is held was looked at; the next look begins there. NULL: none */
    unsigned look;
    size_t records, bytes, held, uncommitted;
    size_t document_about; /* bytes that the next document may be expected to take */
    size_t strangers, stranger_bytes, strangers_most, stranger_bytes_most; /* held records that nothing says to be ours */
    struct loop_timer timer, glance;
    bool stopped, failed;
    char pause_words[300]; /* of the last try while the ERP is down */
};

static void pump(void *arg);

static struct load *load_of(struct lane_item *item)
{
    return (struct load *)item; /* its first member */
}

static void fail(struct loading *l)
{
    if (!l->failed)
        l->env.ops.failed(l->env.arg, "out of memory");
    l->failed = true;
}

static void gauges(struct loading *l)
{
    struct metrics *m = l->env.metrics;
    metrics_set(m, METRIC_IN_HAND, NULL, (double)l->records);
    metrics_set(m, METRIC_IN_FLIGHT, NULL, lanes_flying(l->lanes));
    metrics_set(m, METRIC_PARKED, NULL, (double)lanes_parked(l->lanes));
    metrics_set(m, METRIC_PAUSED, NULL, lanes_gate(l->lanes)->paused);
    metrics_set(m, METRIC_UNREADABLE_YET, NULL, (double)l->held);
}

static void stranger_set(struct loading *l, struct load *load, bool is)
{
    if (load->stranger == is)
        return;
    load->stranger = is;
    if (is) {
        l->strangers++;
        l->stranger_bytes += load->record->bytes;
    } else {
        l->strangers--;
        l->stranger_bytes -= load->record->bytes;
    }
}

/* The load is not held any more. */
static void held_over(struct loading *l, struct load *load)
{
    stranger_set(l, load, false);
    if (--l->held == 0)
        health_set(l->env.health, "schema", HEALTH_UP, NULL, NULL);
}

/* The load is over, and with its last load the record. done: its outcomes are acknowledged, not just forgotten. */
static void release(struct loading *l, struct load *load, bool done)
{
    struct order_record *r = load->record;
    if (load->item.held)
        held_over(l, load);
    r->tried += load->item.tries > 0;
    if (l->turn == load)
        l->turn = load->next;
    DL_DELETE(l->all, load);
    load_destroy(load);
    if (r->open > 0)
        return;
    l->records--;
    l->bytes -= r->bytes;
    if (done)
        l->env.ops.record_done(l->env.arg, r);
    order_record_destroy(r);
}

static void left(void *arg, struct lane_item *item)
{
    release(arg, load_of(item), true);
}

/* There is nothing more to do about it. */
static void over(struct loading *l, struct load *load)
{
    if (load->item.lane != NULL)
        lanes_done(l->lanes, &load->item, left, l);
    else
        release(l, load, true);
}

static struct load *add(struct loading *l, struct order_record *r, const char *warehouse)
{
    struct load *load = load_create(l, r, warehouse);
    if (load == NULL) {
        fail(l);
        return NULL;
    }
    DL_APPEND(l->all, load);
    return load;
}

/* Which warehouses' loads this consumer has to do for the record. */
static void wanted(const struct loading *l, const struct order_record *r, struct warehouse_set *set)
{
    order_record_warehouses(r, set);
    if (l->warehouse[0] == '\0')
        return;
    bool named = warehouse_set_has(set, l->warehouse);
    set->n = 0;
    if (named)
        (void)warehouse_set_add(set, l->warehouse, strlen(l->warehouse)); /* an empty set has room for one */
}

/* place: the load that stood for the record until now, at its place in the lane; NULL: none. Returns the load for `warehouse` behind *last. */
static struct load *place_next(struct loading *l, struct order_record *r, struct load **place, const char *warehouse)
{
    if (*place == NULL)
        return add(l, r, warehouse);
    struct load *load = *place;
    (void)snprintf(load->warehouse, sizeof load->warehouse, "%s", warehouse); /* a warehouse's name fits */
    load_describe(load);
    *place = NULL;
    return load;
}

/* Puts a described load into its lane: a former place where it stands, another one behind the last, the first one at the end. */
static void enter(struct loading *l, struct load *load, struct load *last)
{
    if (load->item.lane != NULL)
        return; /* the place; it is let go when all are there */
    enum rc rc = last != NULL && last->item.lane != NULL ? lanes_push_behind(l->lanes, &last->item, &load->item)
                                                           : lanes_push(l->lanes, &load->item);
    if (rc == RC_OK)
        return;
    release(l, load, false);
    fail(l);
}

static void unhold(struct loading *l, struct load *place)
{
    if (place == NULL)
        return;
    held_over(l, place);
    lanes_unhold(l->lanes, &place->item);
}

/* It may stay for a while yet, until what settled before it has left: it is not read again. */
static void not_ours(struct loading *l, struct load *place)
{
    held_over(l, place);
    place->item.held = false;
    lanes_remove(l->lanes, &place->item);
}

/* The record is readable: one load for each warehouse. */
static void make_loads(struct loading *l, struct order_record *r, const struct warehouse_set *delivering, struct load *place)
{
    struct warehouse_set set;
    struct load *held = place, *last = NULL;
    wanted(l, r, &set);
    for (size_t i = 0; i < set.n && !l->failed; i++) {
        struct load *load = place_next(l, r, &place, set.names[i]);
        if (load == NULL)
            return;
        load->takes_back = r->withdrawn || !warehouse_set_has(delivering, set.names[i]);
        load->item.needs_erp = !load->takes_back || l->sink->ops->withdraws(l->sink);
        load->noted = OUTCOME_WITHDRAWN;
        enter(l, load, last);
        last = load;
    }
    if (set.n > 0) {
        unhold(l, held);
        return;
    }
    metrics_add(l->env.metrics, METRIC_SKIPPED, "warehouse", 1); /* its header was missing or wrong */
    if (held != NULL)
        not_ours(l, held);
    else
        held = add(l, r, "");
    if (held != NULL)
        over(l, held);
}

/* The record can never be loaded: rejected, or, when it does not say which order it is, only copied to the dead-letter topic. */
static void refuse(struct loading *l, struct order_record *r, const char *code, const char *words, struct load *place)
{
    struct warehouse_set set = {.n = 0};
    struct load *held = place, *last = NULL;
    bool tell = r->key[0] != '\0' && r->publication > 0 && r->revision[0] != '\0';
    if (l->warehouse[0] != '\0')
        (void)warehouse_set_add(&set, l->warehouse, strlen(l->warehouse)); /* an empty set has room for one */
    else
        order_record_warehouses(r, &set);
    tell = tell && set.n > 0;
    log_event(l->log, LOG_ERROR, "orders", r->key, tell ? "record refused" : "record refused, and it does not say whom to tell",
              LOG_S("why", words), LOG_I("partition", r->source.partition), LOG_I("offset", r->source.offset));
    for (size_t i = 0; (i < set.n || i == 0) && !l->failed; i++) {
        struct load *load = place_next(l, r, &place, set.n > 0 ? set.names[i] : "");
        if (load == NULL)
            return;
        load->item.needs_erp = false;
        load->noted = OUTCOME_REJECTED;
        load->entry.dead_letter = i == 0;
        load->entry.outcome = tell;
        load_words(load, code, words, NULL);
        enter(l, load, last);
        last = load;
        if (!tell)
            break;
    }
    unhold(l, held);
}

static void hold(struct loading *l, struct order_record *r)
{
    struct load *load = add(l, r, l->warehouse);
    if (load == NULL)
        return;
    load->item.held = true;
    load->held_since = loop_now(l->loop);
    l->held++;
    enter(l, load, NULL);
}

/* Garbage must not stop the intake for good. Our producer tells the fingerprint of an order's schema; of what does not, no more than this is held. */
static bool too_many_strangers(const struct loading *l)
{
    return l->strangers > l->strangers_most || l->stranger_bytes > l->stranger_bytes_most;
}

/* The wait counts only while the registry itself says that it does not know the schema: its absence rejects nobody. */
static void still_held(struct loading *l, struct order_record *r, const char *words, struct load *place)
{
    int64_t now = loop_now(l->loop);
    enum order_views_standing standing = order_views_standing(l->views, r->schema_id, r->fingerprint);
    if (standing == VIEWS_NO_ROOM && l->turn == NULL)
        l->turn = place;
    if (standing == VIEWS_DISOWNED || standing == VIEWS_EXCUSED)
        place->disowned = standing == VIEWS_DISOWNED;
    if (standing == VIEWS_EXCUSED)
        place->held_since = now;
    stranger_set(l, place, place->disowned && r->fingerprint == 0);
    if (place->disowned && (now - place->held_since >= l->unknown_schema_ms || (place->stranger && too_many_strangers(l)))) {
        refuse(l, r, "schema-unknown", words, place);
        return;
    }
    health_set(l->env.health, "schema", HEALTH_DOWN, words, "its orders wait, the registry is asked again");
    log_event(l->log, LOG_WARN, "orders", r->key, "schema not to be had, the order waits", LOG_S("why", words));
}

/* place: NULL for a new record, or the load that is held for it. */
static void read_record(struct loading *l, struct order_record *r, struct load *place)
{
    struct warehouse_set delivering; /* 4 KB: not cleared for each record */
    struct err e = {{0}};
    delivering.n = 0;
    enum rc rc = order_record_decode(r, l->views, &delivering, &e);
    if (rc == RC_OK)
        make_loads(l, r, &delivering, place);
    else if (rc == RC_REJECT)
        refuse(l, r, "unreadable", e.text, place);
    else if (place == NULL)
        hold(l, r); /* mostly for the moment that the first question takes */
    else
        still_held(l, r, e.text, place);
}

/* Reads again what is held from `load` on and was not seen by this look. */
static void look_from(struct loading *l, struct load *load)
{
    struct load *next;
    for (; load != NULL && !l->failed; load = next) {
        next = load->next;
        if (load->item.held && load->look != l->look) {
            load->look = l->look;
            read_record(l, load->record, load);
        }
    }
}

/* The registry has answered, or time has passed. */
static void read_held(void *arg)
{
    struct loading *l = arg;
    struct load *first = l->turn;
    l->turn = NULL;
    l->look++;
    look_from(l, first);
    look_from(l, l->all);
    if (l->held > 0)
        loop_timer_in(l->loop, &l->glance, HELD_GLANCE_MS, read_held, l);
    pump(l);
    l->env.ops.progress(l->env.arg); /* there may be room for intake again */
}

void loading_take(struct loading *l, struct order_record *r)
{
    l->records++;
    l->bytes += r->bytes;
    read_record(l, r, NULL);
    if (l->held > 0 && !l->glance.armed)
        loop_timer_in(l->loop, &l->glance, HELD_GLANCE_MS, read_held, l);
    pump(l);
}

static void settle(struct loading *l, struct load *load, enum outcome_result result)
{
    struct outbox_entry *en = &load->entry;
    en->record = load->record;
    en->warehouse = load->warehouse;
    en->result = result;
    en->attempts = (int32_t)load->item.tries;
    en->reason_code = load->reason_code;
    en->reason = load->reason;
    en->document_id = load->document_id;
    outbox_put(l->outbox, en);
    if (outbox_sent(en))
        lanes_sent(l->lanes, &load->item);
}

static void reject(struct loading *l, struct load *load, const char *code, const char *reason)
{
    char trace[TRACEPARENT_ID];
    traceparent_id(load->record->traceparent, trace);
    load_words(load, code, reason, NULL);
    load->entry.outcome = load->entry.dead_letter = true;
    log_event(l->log, LOG_WARN, "erp", load->record->key, "order rejected", LOG_S("warehouse", load->warehouse), LOG_S("code", code),
              LOG_I("tries", load->item.tries), LOG_S("trace", trace));
    settle(l, load, OUTCOME_REJECTED);
}

/* The gate's state for /readyz. */
static void tell_health(struct loading *l, const struct erp_verdict *v)
{
    const struct gate *g = lanes_gate(l->lanes);
    if (!g->paused) {
        if (v->fate == FATE_LOADED || v->fate == FATE_REJECT)
            health_set(l->env.health, "erp", HEALTH_UP, NULL, NULL);
        return;
    }
    if (v->fate != FATE_LOADED && v->fate != FATE_REJECT) {
        (void)snprintf(l->pause_words, sizeof l->pause_words, "%s", v->words);
        health_retry(l->env.health, "erp", v->words, "one order at a time is tried, the next", g->probe_at - loop_now(l->loop));
    }
}

static void failed_try(struct loading *l, const struct load *load, const struct erp_verdict *v)
{
    char trace[TRACEPARENT_ID];
    traceparent_id(load->record->traceparent, trace);
    log_event(l->log, LOG_WARN, "erp", load->record->key, "load failed, tried again", LOG_S("why", v->words), LOG_S("fate", fate_name(v->fate)),
              LOG_S("warehouse", load->warehouse), LOG_I("tries", load->item.tries), LOG_S("trace", trace));
}

static void try_over(struct loading *l, struct load *load, const struct erp_verdict *v)
{
    int64_t now = loop_now(l->loop);
    struct lanes_result r = {v->fate, v->ambiguous, v->retry_after_ms};
    char words[ERP_REASON_BYTES + 40];
    load_land(load);
    switch (lanes_end(l->lanes, &load->item, &r, now)) {
    case LANES_VERDICT:
        if (v->fate == FATE_REJECT) {
            reject(l, load, "refused", v->reason != NULL ? v->reason : v->words);
        } else {
            load_words(load, NULL, NULL, v->document_id);
            load->entry.outcome = true;
            settle(l, load, load->takes_back ? OUTCOME_WITHDRAWN : OUTCOME_IMPORTED);
        }
        break;
    case LANES_GIVEN_UP:
        (void)snprintf(words, sizeof words, "given up after %u tries: %s", load->item.tries, v->reason != NULL ? v->reason : v->words);
        reject(l, load, "given-up", words);
        break;
    case LANES_STAYS:
        load_troubled(load, v->words, now);
        failed_try(l, load, v);
        break;
    case LANES_STALE:
        release(l, load, false);
        break;
    }
    tell_health(l, v);
}

/* Before any order: is the ERP there? While the gate is paused its own words stand. */
static void on_reached(void *arg, bool reached, const char *words, int64_t again_ms)
{
    struct loading *l = arg;
    if (lanes_gate(l->lanes)->paused)
        return;
    if (reached)
        health_set(l->env.health, "erp", HEALTH_UP, NULL, NULL);
    else
        health_retry(l->env.health, "erp", words, "looks again", again_ms);
}

static void tried(void *arg, const struct erp_verdict *v)
{
    struct load *load = arg;
    struct loading *l = load->owner;
    PROBE(verdict_received);
    metrics_add(l->env.metrics, METRIC_TRIES, fate_name(v->fate), 1);
    metrics_observe(l->env.metrics, METRIC_LOAD_SECONDS, NULL, (double)(loop_now(l->loop) - load->item.began_at) / 1000);
    bool paused = lanes_gate(l->lanes)->paused;
    try_over(l, load, v);
    if (paused && !lanes_gate(l->lanes)->paused && l->env.ops.reopened != NULL)
        l->env.ops.reopened(l->env.arg);
    pump(l);
    l->env.ops.progress(l->env.arg);
}

/* The next document is likely about as long as the last one. */
static size_t expected(size_t n)
{
    return n < DOCUMENT_USUAL_MAX ? n + n / 8 : DOCUMENT_USUAL_MAX;
}

static void begin(struct loading *l, struct load *load)
{
    struct err e = {{0}};
    enum rc rc = load_take_off(load, l->own_lines, DOCUMENT_MAX, l->document_about, &e);
    if (rc == RC_OK)
        l->document_about = expected(load->flight->document.n);
    PROBE(load_submitting);
    if (rc == RC_OK && (rc = l->sink->ops->submit(l->sink, &load->flight->erp, tried, load, &e)) == RC_OK)
        return;
    if (rc != RC_REJECT) { /* a setting, or this machine: what keeps one load from beginning keeps all, or this one parks in the end */
        struct erp_verdict v = {.fate = FATE_PAUSE, .retry_after_ms = -1, .words = e.text};
        metrics_add(l->env.metrics, METRIC_TRIES, fate_name(v.fate), 1);
        try_over(l, load, &v);
        return;
    }
    load_land(load);
    lanes_refused(l->lanes, &load->item);
    reject(l, load, "unreadable", e.text);
}

static void pump(void *arg)
{
    struct loading *l = arg;
    struct lane_item *item = NULL;
    int64_t now = loop_now(l->loop);
    enum lanes_turn turn = LANES_NOTHING;
    while (!l->stopped && !l->failed && (turn = lanes_next(l->lanes, now, &item)) != LANES_NOTHING) {
        struct load *load = load_of(item);
        if (turn == LANES_TRY) {
            begin(l, load);
            continue;
        }
        if (turn == LANES_SUPERSEDED) {
            load->entry.outcome = true;
            settle(l, load, OUTCOME_SUPERSEDED);
        } else {
            load->entry.outcome = load->noted != OUTCOME_REJECTED || load->entry.outcome;
            settle(l, load, load->noted);
        }
    }
    int64_t deadline = l->stopped ? INT64_MAX : lanes_deadline(l->lanes, now);
    if (deadline == INT64_MAX)
        loop_timer_clear(l->loop, &l->timer);
    else
        loop_timer_set(l->loop, &l->timer, deadline, pump, l);
    gauges(l);
}

/* One line an order is too many but for who asked for it. */
static void tell_outcome(struct loading *l, const struct load *load)
{
    char trace[TRACEPARENT_ID];
    traceparent_id(load->record->traceparent, trace);
    log_fact(l->log, LOG_DEBUG, "erp", load->record->key, "outcome published", LOG_S("result", outcome_result_name(load->entry.result)),
             LOG_S("warehouse", load->warehouse), LOG_I("publication", load->record->publication), LOG_S("trace", trace));
}

static void published(void *arg, struct outbox_entry *en)
{
    struct loading *l = arg;
    struct load *load = (struct load *)(void *)((char *)en - offsetof(struct load, entry));
    if (en->outcome)
        metrics_add(l->env.metrics, METRIC_OUTCOMES, outcome_result_name(en->result), 1);
    if (en->outcome && log_enabled(l->log, LOG_DEBUG))
        tell_outcome(l, load);
    if (en->result == OUTCOME_REJECTED && en->reason_code != NULL)
        metrics_add(l->env.metrics, METRIC_DLQ, NULL, 1);
    over(l, load);
    pump(l); /* its key's next load may go now */
    l->env.ops.progress(l->env.arg);
}

void loading_uncommitted(struct loading *l, size_t loads)
{
    bool fewer = loads < l->uncommitted;
    l->uncommitted = loads;
    lanes_uncommitted(l->lanes, loads);
    if (fewer)
        pump(l);
}

void loading_tell_lag(struct loading *l)
{
    load_lag_tell(&l->lag, l->warehouse, l->all, clock_wall(loop_clock(l->loop)), l->env.metrics);
}

void loading_stop(struct loading *l, bool stop)
{
    l->stopped = stop;
    pump(l);
}

size_t loading_busy(const struct loading *l, int32_t partition)
{
    size_t n = 0;
    for (const struct load *load = l->all; load != NULL; load = load->next)
        if (load->item.partition == partition && !load->item.stale &&
            (load->item.state == LANE_FLYING || (load->item.state == LANE_SETTLING && load->entry.box != NULL)))
            n++;
    return n;
}

static void dropped(void *arg, struct lane_item *item)
{
    release(arg, load_of(item), item->durable);
}

void loading_drop(struct loading *l, int32_t partition)
{
    lanes_drop(l->lanes, partition, dropped, l);
    gauges(l);
}

size_t loading_records(const struct loading *l)
{
    return l->records;
}

size_t loading_bytes(const struct loading *l)
{
    return l->bytes;
}

void loading_schema(struct loading *l, int32_t id)
{
    outbox_schema(l->outbox, id);
}

static bool outdated(void *arg, const struct lane_item *item)
{
    struct loading *l = arg;
    return l->env.ops.outdated(l->env.arg, item->key, item->key_n, item->warehouse, item->publication);
}

void loading_each(const struct loading *l, void (*fn)(void *arg, const struct lane_item *item), void *arg)
{
    lanes_each(l->lanes, fn, arg);
}

const char *loading_paused(const struct loading *l)
{
    return lanes_gate(l->lanes)->paused ? l->pause_words : NULL;
}

static struct lanes *lanes_configured(const struct config *c, struct loading *l)
{
    struct lanes_settings s = {
        .concurrency = (unsigned)config_int(c, "consumer.concurrency"),
        .uncommitted_most = (size_t)config_int(c, "consumer.uncommitted"),
        .reject_after = (unsigned)config_int(c, "consumer.reject_after"),
        .park_min_ms = config_ms(c, "erp.park_min"),
        .park_max_ms = config_ms(c, "erp.park_max"),
        .probe_min_ms = config_ms(c, "erp.probe_min"),
        .probe_max_ms = config_ms(c, "erp.probe_max"),
        .seed = (uint64_t)clock_wall(loop_clock(l->loop)),
        .outdated = l->env.ops.outdated != NULL ? outdated : NULL,
        .arg = l,
    };
    if (s.uncommitted_most == 0)
        s.uncommitted_most = UNCOMMITTED_TIMES * (size_t)s.concurrency;
    if (s.park_max_ms < s.park_min_ms)
        s.park_max_ms = s.park_min_ms;
    if (s.probe_max_ms < s.probe_min_ms)
        s.probe_max_ms = s.probe_min_ms;
    return lanes_create(&s);
}

enum rc loading_create(const struct loading_env *env, struct loading **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct loading *l = calloc(1, sizeof *l);
    const char *name = config_text(env->config, "erp.sink");
    const struct erp_sink_ops *ops = erp_sink_find(name);
    err_set(e, "out of memory");
    if (l == NULL)
        goto out;
    if (ops == NULL) {
        err_set(e, "erp.sink: %s is not built in", name);
        rc = RC_REJECT;
        goto out;
    }
    l->env = *env;
    l->loop = env->outbox.loop;
    l->log = env->outbox.log;
    l->warehouse = config_text(env->config, "consumer.warehouse");
    l->own_lines = strcmp(config_text(env->config, "consumer.lines"), "own") == 0;
    l->unknown_schema_ms = config_ms(env->config, "consumer.unknown_schema_after");
    size_t quarter = (size_t)config_int(env->config, "consumer.queue_records") / 4; /* far from what stops the intake */
    l->strangers_most = quarter < STRANGERS_MAX ? quarter : STRANGERS_MAX;           /* nor may they fill a commit's metadata */
    l->stranger_bytes_most = (size_t)config_int(env->config, "consumer.queue_bytes") / 4;
    if ((l->lanes = lanes_configured(env->config, l)) == NULL || (l->outbox = outbox_create(&env->outbox, published, l)) == NULL ||
        (l->views = order_views_create(l->loop, env->registry, read_held, l)) == NULL)
        goto out;
    if ((rc = erp_view_open(env->config, &l->view, e)) != RC_OK)
        goto out;
    order_views_through(l->views, l->view);
    health_set(env->health, "erp", HEALTH_UNKNOWN, "not reached yet", "connects");
    struct erp_sink_env sink = {l->loop, env->config, l->log, on_reached, l};
    if ((rc = ops->open(&sink, &l->sink, e)) != RC_OK)
        goto out;
    *out = l;
    l = NULL;
out:
    loading_destroy(l);
    return rc;
}

void loading_destroy(struct loading *l)
{
    struct load *load, *next;
    if (l == NULL)
        return;
    if (l->sink != NULL)
        l->sink->ops->close(l->sink);
    if (l->loop != NULL) {
        loop_timer_clear(l->loop, &l->timer);
        loop_timer_clear(l->loop, &l->glance);
    }
    lanes_destroy(l->lanes);
    l->lanes = NULL;
    DL_FOREACH_SAFE(l->all, load, next)
    {
        release(l, load, false);
    }
    outbox_destroy(l->outbox);
    order_views_destroy(l->views);
    schema_destroy(l->view);
    free(l);
}
