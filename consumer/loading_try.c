#include "consumer/loading_parts.h"

#include <stdio.h>

#include "common/base/probe.h"
#include "common/base/traceparent.h"
#include "consumer/consumer_metrics.h"

enum { DOCUMENT_MAX = 64 * 1024 * 1024, DOCUMENT_USUAL_MAX = 64 * 1024 };

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
            loading_reject(l, load, "refused", v->reason != NULL ? v->reason : v->words);
        } else {
            load_words(load, NULL, NULL, v->document_id);
            load->entry.outcome = true;
            loading_settle(l, load, load->takes_back ? OUTCOME_WITHDRAWN : OUTCOME_IMPORTED);
        }
        break;
    case LANES_GIVEN_UP:
        (void)snprintf(words, sizeof words, "given up after %u tries: %s", load->item.tries, v->reason != NULL ? v->reason : v->words);
        loading_reject(l, load, "given-up", words);
        break;
    case LANES_STAYS:
        load_troubled(load, v->words, now);
        failed_try(l, load, v);
        break;
    case LANES_STALE:
        loading_release(l, load, false);
        break;
    }
    tell_health(l, v);
}

/* Before any order: is the ERP there? While the gate is paused its own words stand. */
void loading_reached(void *arg, bool reached, const char *words, int64_t again_ms)
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
    loading_pump(l);
    l->env.ops.progress(l->env.arg);
}

/* The next document is likely about as long as the last one. */
static size_t expected(size_t n)
{
    return n < DOCUMENT_USUAL_MAX ? n + n / 8 : DOCUMENT_USUAL_MAX;
}

void loading_begin(struct loading *l, struct load *load)
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
    loading_reject(l, load, "unreadable", e.text);
}
