/* The views of the writer schemas met so far, one per schema id and fingerprint, asked from the registry once and kept. What the registry does not give, or
 * gives another schema for (it was rebuilt), is asked for again, 1 s to 30 s apart, while anybody wants it. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ORDER_VIEWS_H
#define BRIDGE_CONSUMER_ORDER_VIEWS_H

#include "common/contract/order_view.h"
#include "common/kafka/registry.h"
#include "common/net/loop.h"

/* Beyond that one that is not readable is forgotten first, but at most 100 a second that nobody wants and 10 that somebody does: unknown ids must not become a storm
 * of questions. */
enum { ORDER_VIEWS_MAX = 256 };

struct order_views;

/* changed: called on the loop when what was RC_RETRY has become RC_OK or RC_REJECT. l and r are borrowed. NULL: out of memory. */
struct order_views *order_views_create(struct loop *l, struct registry *r, loop_fn *changed, void *arg);
/* What the ERP sees (order_view_create_for); borrowed, NULL: the whole record. Before the first order_views_get. A writer's schema that does not fit it is
 * RC_RETRY: the setting is wrong, not the order. */
void order_views_through(struct order_views *v, const struct schema *view);
/* Before registry_destroy, after every record that holds a view is gone. */
void order_views_destroy(struct order_views *v);

/* fingerprint: of the schema that the record was written with, 0 = not told. RC_OK: *out borrowed, alive as long as v.
 * RC_RETRY: not to be had now, or the registry gives the id to another schema (be it no Avro at all): words say which. RC_REJECT: no order schema. */
enum rc order_views_get(struct order_views *v, int32_t id, uint64_t fingerprint, const struct order_view **out, struct err *e);

/* Scratch for one order's head at a time. */
struct order_head *order_views_head(struct order_views *v);
/* What follows from the last RC_RETRY. */
enum order_views_standing {
    VIEWS_UNANSWERED, /* nothing yet */
    VIEWS_NO_ROOM,    /* nothing: too many others are asked for; whoever wanted it first should be the first to want it again */
    VIEWS_DISOWNED,   /* the registry itself says that it does not know the id, or gives it to another schema */
    VIEWS_EXCUSED     /* it could not be asked, or there is no memory, or erp.view does not fit: no order is to blame */
};
enum order_views_standing order_views_standing(const struct order_views *v, int32_t id, uint64_t fingerprint);

#endif
