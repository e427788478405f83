/* Outcomes that stand in another partition than their key's (a writer with another partitioner than murmur2_random, the default of some clients): written once
 * more, to where the other outcomes and the row of their order are; the first one's offset passes after that. A repeat is harmless, as of any outcome.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_OUTCOME_MOVER_H
#define BRIDGE_PRODUCER_OUTCOME_MOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/log.h"
#include "common/kafka/publisher.h"
#include "producer/outcome_intake.h"

struct outcome_mover;

struct outcome_mover_parts { /* borrowed while it lives */
    struct log *log;
    struct publisher *publisher;
    struct outcome_intake *intake;
    const char *outcomes; /* topic */
};

struct outcome_mover_ops {
    void (*moved)(void *arg); /* one was acknowledged, or dropped with its partition */
    void (*failed)(void *arg, const char *words);
};

/* ops borrowed. NULL: out of memory. */
struct outcome_mover *mover_create(const struct outcome_mover_parts *parts, const struct outcome_mover_ops *ops, void *arg);
void mover_destroy(struct outcome_mover *m); /* after the publisher, before the intake; when nobody commits any more */
/* true: the ticket is finished when the broker has it there. false: no room, or it failed (told). */
bool mover_move(struct outcome_mover *m, const struct kafka_record *r, int32_t to, struct intake_ticket *t);
/* Sent and not acknowledged. */
size_t mover_waiting(const struct outcome_mover *m);

#endif
