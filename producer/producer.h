/* xsale-producer: orders of one organization from xSale to Kafka. Start-up: topics, schema ids and the login (side by side), then membership of the group
 * `<prefix>-producer-<organization>` on order-state. Whoever owns its partition holds a tenure (tenure.h); the others stand by.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_PRODUCER_H
#define BRIDGE_PRODUCER_PRODUCER_H

#include "common/program/program.h"
#include "producer/tenure.h"

/* For program_desc. The option --once: one complete poll, then the end with exit 0; exit 1 at once when xSale refuses the login, the statuses or a page, and when
 * the organization is not ours within producer.once_wait. Whoever does not answer is waited for. */
void producer_check(const struct config *c, struct config_problems *problems);
enum rc producer_start(struct program *p, void **state, struct err *e);
void producer_stop(void *state);
void producer_reload(void *state); /* the program has read the secrets again */
void producer_release(void *state);

#endif
