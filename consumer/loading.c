#include "consumer/loading_parts.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "consumer/consumer_metrics.h"
#include "consumer/erp_view.h"

/* So many times the concurrency. Measured: no slower at 256 in flight; a fifth slower one at a time and with 20 in flight of 2.5 ms each. */
enum { UNCOMMITTED_TIMES = 4 };

static struct load *load_of(struct lane_item *item)
{
    return (struct load *)item; /* its first member */
}

void loading_fail(struct loading *l)
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

/* The load is over, and with its last load the record. done: its outcomes are acknowledged, not just forgotten. */
void loading_release(struct loading *l, struct load *load, bool done)
{
    struct order_record *r = load->record;
    if (load->item.held)
        loading_held_over(l, load);
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

void loading_pump(void *arg)
{
    struct loading *l = arg;
    struct lane_item *item = NULL;
    int64_t now = loop_now(l->loop);
    enum lanes_turn turn = LANES_NOTHING;
    while (!l->stopped && !l->failed && (turn = lanes_next(l->lanes, now, &item)) != LANES_NOTHING) {
        struct load *load = load_of(item);
        if (turn == LANES_TRY) {
            loading_begin(l, load);
            continue;
        }
        if (turn == LANES_SUPERSEDED) {
            load->entry.outcome = true;
            loading_settle(l, load, OUTCOME_SUPERSEDED);
        } else {
            load->entry.outcome = load->noted != OUTCOME_REJECTED || load->entry.outcome;
            loading_settle(l, load, load->noted);
        }
    }
    int64_t deadline = l->stopped ? INT64_MAX : lanes_deadline(l->lanes, now);
    if (deadline == INT64_MAX)
        loop_timer_clear(l->loop, &l->timer);
    else
        loop_timer_set(l->loop, &l->timer, deadline, loading_pump, l);
    gauges(l);
}

void loading_take(struct loading *l, struct order_record *r)
{
    l->records++;
    l->bytes += r->bytes;
    loading_read(l, r, NULL);
    loading_held_glance(l);
    loading_pump(l);
}

void loading_uncommitted(struct loading *l, size_t loads)
{
    bool fewer = loads < l->uncommitted;
    l->uncommitted = loads;
    lanes_uncommitted(l->lanes, loads);
    if (fewer)
        loading_pump(l);
}

void loading_tell_lag(struct loading *l)
{
    load_lag_tell(&l->lag, l->warehouse, l->all, clock_wall(loop_clock(l->loop)), l->env.metrics);
}

void loading_stop(struct loading *l, bool stop)
{
    l->stopped = stop;
    loading_pump(l);
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
    loading_release(arg, load_of(item), item->durable);
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
    loading_held_init(l);
    if ((l->lanes = lanes_configured(env->config, l)) == NULL || (l->outbox = outbox_create(&env->outbox, loading_published, l)) == NULL ||
        (l->views = order_views_create(l->loop, env->registry, loading_read_held, l)) == NULL)
        goto out;
    if ((rc = erp_view_open(env->config, &l->view, e)) != RC_OK)
        goto out;
    order_views_through(l->views, l->view);
    health_set(env->health, "erp", HEALTH_UNKNOWN, "not reached yet", "connects");
    struct erp_sink_env sink = {l->loop, env->config, l->log, loading_reached, l};
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
        loading_release(l, load, false);
    }
    outbox_destroy(l->outbox);
    order_views_destroy(l->views);
    schema_destroy(l->view);
    free(l);
}
