#include "consumer/loading_parts.h"

#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "consumer/consumer_metrics.h"

struct load *loading_add(struct loading *l, struct order_record *r, const char *warehouse)
{
    struct load *load = load_create(l, r, warehouse);
    if (load == NULL) {
        loading_fail(l);
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
        return loading_add(l, r, warehouse);
    struct load *load = *place;
    (void)snprintf(load->warehouse, sizeof load->warehouse, "%s", warehouse); /* a warehouse's name fits */
    load_describe(load);
    *place = NULL;
    return load;
}

/* Puts a described load into its lane: a former place where it stands, another one behind the last, the first one at the end. */
void loading_enter(struct loading *l, struct load *load, struct load *last)
{
    if (load->item.lane != NULL)
        return; /* the place; it is let go when all are there */
    enum rc rc = last != NULL && last->item.lane != NULL ? lanes_push_behind(l->lanes, &last->item, &load->item)
                                                           : lanes_push(l->lanes, &load->item);
    if (rc == RC_OK)
        return;
    loading_release(l, load, false);
    loading_fail(l);
}

static void unhold(struct loading *l, struct load *place)
{
    if (place == NULL)
        return;
    loading_held_over(l, place);
    lanes_unhold(l->lanes, &place->item);
}

/* It may stay for a while yet, until what settled before it has left: it is not read again. */
static void not_ours(struct loading *l, struct load *place)
{
    loading_held_over(l, place);
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
        loading_enter(l, load, last);
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
        held = loading_add(l, r, "");
    if (held != NULL)
        loading_over(l, held);
}

/* The record can never be loaded: rejected, or, when it does not say which order it is, only copied to the dead-letter topic. */
void loading_refuse(struct loading *l, struct order_record *r, const char *code, const char *words, struct load *place)
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
        loading_enter(l, load, last);
        last = load;
        if (!tell)
            break;
    }
    unhold(l, held);
}

/* place: NULL for a new record, or the load that is held for it. */
void loading_read(struct loading *l, struct order_record *r, struct load *place)
{
    struct warehouse_set delivering; /* 4 KB: not cleared for each record */
    struct err e = {{0}};
    delivering.n = 0;
    enum rc rc = order_record_decode(r, l->views, &delivering, &e);
    if (rc == RC_OK)
        make_loads(l, r, &delivering, place);
    else if (rc == RC_REJECT)
        loading_refuse(l, r, "unreadable", e.text, place);
    else if (place == NULL)
        loading_hold(l, r); /* mostly for the moment that the first question takes */
    else
        loading_still_held(l, r, e.text, place);
}
