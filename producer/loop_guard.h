/* The guard against a wrong setting that would publish one unchanged order for ever: the third and every further retry of an order with the same
 * revision within a day waits, 1 minute at first, doubling to 1 hour. An order that comes as if it were new although it was offered within that day (the
 * book had forgotten it meanwhile) counts as retried. Orders are remembered for a day; of more than LOOP_GUARD_ORDERS the oldest are forgotten first.
 * Pure; time comes in as an argument (ms of a clock that never jumps). Thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_LOOP_GUARD_H
#define BRIDGE_PRODUCER_LOOP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOOP_GUARD_ORDERS = 100000 };

struct loop_guard;

struct loop_guard *loop_guard_create(void); /* NULL: out of memory */
void loop_guard_destroy(struct loop_guard *g);

/* May this order be retried now? Changes nothing. */
bool loop_guard_allows(const struct loop_guard *g, int64_t order_id, uint64_t revision, int64_t now_ms);
/* ms until an order that is unchanged may be retried; 0: now. */
int64_t loop_guard_wait(const struct loop_guard *g, int64_t order_id, int64_t now_ms);
/* It was retried. Out of memory: not counted (a guard is no reason to stop). */
void loop_guard_note(struct loop_guard *g, int64_t order_id, uint64_t revision, int64_t now_ms);
/* It was offered as an order that the book does not know: the start of a count, or a retry. */
void loop_guard_first(struct loop_guard *g, int64_t order_id, uint64_t revision, int64_t now_ms);
/* An order that is held back was seen in this poll (a number above 0). false: it had been already. */
bool loop_guard_see(struct loop_guard *g, int64_t order_id, uint32_t poll);
size_t loop_guard_orders(const struct loop_guard *g);

#endif
