#include "consumer/loading_parts.h"

enum { HELD_GLANCE_MS = 2000, STRANGERS_MAX = 250 };

void loading_held_init(struct loading *l)
{
    size_t quarter = (size_t)config_int(l->env.config, "consumer.queue_records") / 4; /* far from what stops the intake */
    l->strangers_most = quarter < STRANGERS_MAX ? quarter : STRANGERS_MAX;             /* nor may they fill a commit's metadata */
    l->stranger_bytes_most = (size_t)config_int(l->env.config, "consumer.queue_bytes") / 4;
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
void loading_held_over(struct loading *l, struct load *load)
{
    stranger_set(l, load, false);
    if (--l->held == 0)
        health_set(l->env.health, "schema", HEALTH_UP, NULL, NULL);
}

void loading_hold(struct loading *l, struct order_record *r)
{
    struct load *load = loading_add(l, r, l->warehouse);
    if (load == NULL)
        return;
    load->item.held = true;
    load->held_since = loop_now(l->loop);
    l->held++;
    loading_enter(l, load, NULL);
}

/* Garbage must not stop the intake for good. Our producer tells the fingerprint of an order's schema; of what does not, no more than this is held. */
static bool too_many_strangers(const struct loading *l)
{
    return l->strangers > l->strangers_most || l->stranger_bytes > l->stranger_bytes_most;
}

/* The wait counts only while the registry itself says that it does not know the schema: its absence rejects nobody. */
void loading_still_held(struct loading *l, struct order_record *r, const char *words, struct load *place)
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
        loading_refuse(l, r, "schema-unknown", words, place);
        return;
    }
    health_set(l->env.health, "schema", HEALTH_DOWN, words, "its orders wait, the registry is asked again");
    log_event(l->log, LOG_WARN, "orders", r->key, "schema not to be had, the order waits", LOG_S("why", words));
}

void loading_held_glance(struct loading *l)
{
    if (l->held > 0 && !l->glance.armed)
        loop_timer_in(l->loop, &l->glance, HELD_GLANCE_MS, loading_read_held, l);
}

/* Reads again what is held from `load` on and was not seen by this look. */
static void look_from(struct loading *l, struct load *load)
{
    struct load *next;
    for (; load != NULL && !l->failed; load = next) {
        next = load->next;
        if (load->item.held && load->look != l->look) {
            load->look = l->look;
            loading_read(l, load->record, load);
        }
    }
}

/* The registry has answered, or time has passed. */
void loading_read_held(void *arg)
{
    struct loading *l = arg;
    struct load *first = l->turn;
    l->turn = NULL;
    l->look++;
    look_from(l, first);
    look_from(l, l->all);
    if (l->held > 0)
        loop_timer_in(l->loop, &l->glance, HELD_GLANCE_MS, loading_read_held, l);
    loading_pump(l);
    l->env.ops.progress(l->env.arg); /* there may be room for intake again */
}
