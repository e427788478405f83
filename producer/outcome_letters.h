/* Outcomes that cannot be read, on their way to the DLQ with the reason; the outcome's offset passes once the broker has its letter. A letter that the broker
 * refuses shrinks: without the value, then without headers and key, so that it always fits. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_OUTCOME_LETTERS_H
#define BRIDGE_PRODUCER_OUTCOME_LETTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/log.h"
#include "common/kafka/publisher.h"
#include "producer/outcome_intake.h"

struct outcome_letters;

struct outcome_letters_parts { /* borrowed while it lives */
    struct loop *loop;
    struct log *log;
    struct publisher *publisher;
    struct outcome_intake *intake;
    const char *dlq, *outcomes; /* topics */
};

struct outcome_letters_ops {
    void (*sent)(void *arg); /* one was acknowledged, or dropped with its partition */
    void (*failed)(void *arg, const char *words); /* one can never be sent: its outcome is never passed */
};

/* ops borrowed. NULL: out of memory. */
struct outcome_letters *letters_create(const struct outcome_letters_parts *parts, const struct outcome_letters_ops *ops, void *arg);
void letters_destroy(struct outcome_letters *ls); /* after the publisher, before the intake; when nobody commits any more */
/* true: the ticket is finished when the letter is acknowledged. false: no room, or it failed (told); again later. */
bool letters_send(struct outcome_letters *ls, const struct kafka_record *r, struct intake_ticket *t, const char *reason);
/* Sent and not acknowledged. */
size_t letters_waiting(const struct outcome_letters *ls);

#endif
