/* The W3C trace of each order that an outcome was read of lately, for the change of its status and for the log: at most ORDER_TRACES of them, the oldest goes
 * first. Nothing depends on it: without one the request just carries none. Thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_ORDER_TRACES_H
#define BRIDGE_PRODUCER_ORDER_TRACES_H

#include "common/kafka/kafka_record.h"

enum { ORDER_TRACES = 20000 };

struct order_traces;

struct order_traces *order_traces_create(void); /* NULL: out of memory */
void order_traces_destroy(struct order_traces *t);
/* The trace that the outcome's header names; none or a wrong one changes nothing. */
void order_traces_note(struct order_traces *t, int64_t order_id, const struct kafka_record *outcome);
/* traceparent; NULL: not known. Valid until the next note. t may be NULL. */
const char *order_traces_find(struct order_traces *t, int64_t order_id);
/* Its trace id alone, for a log line; "" when it is not known. */
void order_traces_id(struct order_traces *t, int64_t order_id, char out[33]);

#endif
