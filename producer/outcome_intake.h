/* Outcomes in hand, in order per partition, from their arrival to the moment when their offset may be committed. A partition is taken in only
 * while it is open (its ledger was read back); its first record blocks the ones behind it until it could be noted. A record that cannot be read yet is parked:
 * it and those of its key that come behind it wait, the others go on. Noted records wait for their acknowledgement; the committed position passes only
 * what is acknowledged. Bounded: a partition that holds more than INTAKE_HIGH records or INTAKE_BYTES asks to be paused, below half of both to be
 * resumed; when as many are parked as may be, the next one blocks. Pure apart from callbacks. Thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_OUTCOME_INTAKE_H
#define BRIDGE_PRODUCER_OUTCOME_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/kafka/kafka_record.h"

enum {
    INTAKE_HIGH = 500,       /* records of a partition in hand */
    INTAKE_BYTES = 4 << 20,  /* of them */
    INTAKE_NOTED = 1000,     /* noted, not acknowledged */
    INTAKE_PARKED = 200,     /* and INTAKE_BYTES of them */
    INTAKE_AHEAD = 100000    /* acknowledged behind one that is not: repeated after a crash */
};

struct outcome_intake;
struct intake_ticket; /* a noted record that waits for its acknowledgement */

enum intake_noted {
    INTAKE_DEALT,   /* intake_finish(ticket) comes exactly once, also from inside */
    INTAKE_NOT_NOW, /* the ticket is void; intake_run is called again later */
    INTAKE_PARK     /* the ticket is void; intake_retry is called again later. As NOT_NOW when too many are parked */
};

struct intake_ops {
    /* The first record of a partition, or a parked one. r is borrowed. since: the owner's own, of this record; 0 at first, kept while it is in hand. */
    enum intake_noted (*note)(void *arg, const struct kafka_record *r, struct intake_ticket *ticket, int64_t *since);
    void (*pause)(void *arg, int32_t partition);
    void (*resume)(void *arg, int32_t partition);
};

/* ops borrowed. NULL: out of memory. */
struct outcome_intake *intake_create(const struct intake_ops *ops, void *arg);
void intake_destroy(struct outcome_intake *in);

/* A closed partition; at: the committed position, -1: none. */
enum rc intake_add(struct outcome_intake *in, int32_t partition, int64_t at);
void intake_open(struct outcome_intake *in, int32_t partition);
/* Nothing more of it is noted; what is not noted is dropped. */
void intake_stop(struct outcome_intake *in, int32_t partition);
/* Forgets the partition; tickets of it may still be finished, which does nothing then. */
void intake_drop(struct outcome_intake *in, int32_t partition);

/* Copies r. RC_RETRY: the partition is not (or no longer) ours: dropped. RC_FATAL: out of memory. */
enum rc intake_push(struct outcome_intake *in, const struct kafka_record *r);
/* Notes what can be noted, at most budget records. true: stopped by the budget. */
bool intake_run(struct outcome_intake *in, size_t budget);
/* Notes what is parked and can be read by now. */
void intake_retry(struct outcome_intake *in);
void intake_finish(struct outcome_intake *in, struct intake_ticket *ticket);

/* The position that may be committed, when it moved since the last call; false: it did not. */
bool intake_commit(struct outcome_intake *in, int32_t partition, int64_t *position);
/* A commit failed: every position counts as moved again. */
void intake_commit_again(struct outcome_intake *in);
bool intake_has(const struct outcome_intake *in, int32_t partition);
/* Calls fn for each partition. */
void intake_each(struct outcome_intake *in, void (*fn)(void *arg, int32_t partition), void *arg);

size_t intake_parked(const struct outcome_intake *in); /* of all partitions */
/* Records not noted (parked ones too), and noted but not acknowledged: of one partition, or of all (-1). */
size_t intake_held(const struct outcome_intake *in, int32_t partition);
size_t intake_unacknowledged(const struct outcome_intake *in, int32_t partition);

#endif
