/* The views of the writer schemas met so far, one per schema id, asked from the registry once and kept. An id that the registry does not give
 * is asked for again, 1 s to 30 s apart, while anybody wants it. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ORDER_VIEWS_H
#define BRIDGE_CONSUMER_ORDER_VIEWS_H

#include "common/contract/order_view.h"
#include "common/kafka/registry.h"
#include "common/net/loop.h"

enum { ORDER_VIEWS_MAX = 256 }; /* ids; beyond that one that is not readable is forgotten first */

struct order_views;

/* changed: called on the loop when an id that was unknown has become RC_OK or RC_REJECT. l and r are borrowed. NULL: out of memory. */
struct order_views *order_views_create(struct loop *l, struct registry *r, loop_fn *changed, void *arg);
/* What the ERP sees (order_view_create_for); borrowed, NULL: the whole record. Before the first order_views_get. A writer's schema that does not fit it is
 * RC_RETRY: the setting is wrong, not the order. */
void order_views_through(struct order_views *v, const struct schema *view);
/* Before registry_destroy, after every record that holds a view is gone. */
void order_views_destroy(struct order_views *v);

/* fingerprint: of the schema that the record was written with, 0 = not told. RC_OK: *out borrowed, alive as long as v.
 * RC_RETRY: not to be had now, or the registry gives the id to another schema: words say which. RC_REJECT: no order schema. */
enum rc order_views_get(struct order_views *v, int32_t id, uint64_t fingerprint, const struct order_view **out, struct err *e);
/* Was the id's last RC_RETRY for another reason than what the registry says about it: it could not be asked, memory, a view that does not fit? Then no order may be
 * rejected for it. false also for an id that is not among those kept. */
bool order_views_excused(const struct order_views *v, int32_t id);

#endif
