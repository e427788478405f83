/* Revisions by an older schema: after a change of Order.avsc an open order is encoded once more by the plan of the schema that its noted revision was computed
 * with, before an edit is believed. One older schema at a time is kept. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_SCHEMA_COMPARE_H
#define BRIDGE_PRODUCER_SCHEMA_COMPARE_H

#include "common/base/log.h"
#include "producer/order_mapping.h"
#include "producer/writer_schemas.h"

struct schema_compare;

/* All borrowed while it lives. there(arg): the schema that schema_compare_ready missed can be asked for again. NULL: out of memory. */
struct schema_compare *schema_compare_create(struct writer_schemas *schemas, const struct order_mapping *mapping, struct log *log, loop_fn *there,
                                             void *arg);
void schema_compare_destroy(struct schema_compare *sc);

/* Gets the plan of this schema; false: not to be had yet, `there` follows. A schema that cannot be used is logged and counts as ready. */
bool schema_compare_ready(struct schema_compare *sc, int32_t schema_id);
/* The order's revision by that schema; 0: it cannot be told, or the two schemas do not agree whether the order can become a record: it counts as edited.
 * rejected_now: by the present schema it cannot. */
uint64_t schema_compare_revision(struct schema_compare *sc, const struct json_tape *tape, uint32_t node, bool rejected_now);

#endif
