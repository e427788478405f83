/* Revisions by an older schema: after a change of Order.avsc an open order is encoded once more by the plan of the schema that its noted revision was computed
 * with, before an edit is believed. One older schema at a time is kept.
 *
 * A schema that the registry does not give holds up only the orders that were published with it: they are left alone, poll by poll, and named in health "schema" and in the
 * log. Once the registry has said for producer.unknown_schema_after that it does not know the id they count as edited, so that a real edit is not held back for ever. Not at
 * once: a registry that is being restored says the same for a while, and an unchanged order would reach the ERP as an edit, which it may refuse. A registry that does not
 * answer says nothing: then they wait, up to producer.reoffer_after. Each poll asks once more. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_SCHEMA_COMPARE_H
#define BRIDGE_PRODUCER_SCHEMA_COMPARE_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "producer/order_mapping.h"
#include "producer/writer_schemas.h"

struct schema_compare;

struct schema_compare_needs { /* borrowed while it lives */
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct writer_schemas *schemas;
    const struct order_mapping *mapping;
    const char *organization;
};

/* there(arg): the order that had to wait (SCHEMA_COMPARE_WAIT) can be brought again. NULL: out of memory. */
struct schema_compare *schema_compare_create(const struct schema_compare_needs *needs, loop_fn *there, void *arg);
void schema_compare_destroy(struct schema_compare *sc);

/* A poll begins; it was complete. */
void schema_compare_poll(struct schema_compare *sc);
void schema_compare_polled(struct schema_compare *sc);

enum schema_compare_found {
    SCHEMA_COMPARE_READY, /* its plan is there, or it will not be had: schema_compare_revision tells */
    SCHEMA_COMPARE_WAIT,  /* the registry is asked; `there` follows soon, whatever it answers */
    SCHEMA_COMPARE_LATER  /* not to be had now: nothing can be said of the order in this poll */
};
/* Gets the plan of this schema, for this order. A schema that cannot be used is logged and counts as ready. */
enum schema_compare_found schema_compare_find(struct schema_compare *sc, int32_t schema_id, int64_t order_id);
/* The order's revision by that schema; 0: it cannot be told, or the two schemas do not agree whether the order can become a record: it counts as edited.
 * rejected_now: by the present schema it cannot. */
uint64_t schema_compare_revision(struct schema_compare *sc, const struct json_tape *tape, uint32_t node, bool rejected_now);

#endif
