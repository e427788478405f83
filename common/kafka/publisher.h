/* Records to topics, acknowledged. One idempotent librdkafka producer (acks=all). A record that was taken is tried until the broker
 * has it, however long that takes, in order per key.
 *
 * The publisher's own list of what was taken is the truth; librdkafka only borrows from it. Whenever a delivery fails in any way that is not
 * a verdict on the record (the idempotent producer became fatal, an unknown topic, no permission, ...) everything that is not acknowledged is called back,
 * the handle is replaced and all of it is sent again in the original order before anything newer (a repeat then is possible; repeats are harmless by
 * design). A verdict may concern a whole batch, so a record that got one is sent again alone, and only the verdict on it alone counts.
 *
 * Memory is bounded by publisher.queue_records and publisher.queue_bytes; the caller waits for room. Health name "kafka-publish".
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_PUBLISHER_H
#define BRIDGE_KAFKA_PUBLISHER_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/kafka/kafka_record.h"
#include "common/net/health.h"
#include "common/net/loop.h"

struct publisher;

struct publisher_ack {
    /* RC_OK: durable. RC_REJECT: the broker will never take this record (too large, invalid): why in words.
     * RC_RETRY: only from inside publisher_drop_waiting: given up, and nobody knows whether the broker has it. */
    enum rc rc;
    int32_t partition;
    int64_t offset;
    const char *words; /* "" for RC_OK; borrowed during the call */
};

/* Exactly once for each record taken, on the loop, never from inside publisher_send. May call publisher_send, not publisher_destroy. */
typedef void publisher_done_fn(void *arg, const struct publisher_ack *ack);

/* Does not wait for a broker. */
enum rc publisher_create(struct loop *l, const struct config *c, struct log *log, struct health *h, struct publisher **out,
                         struct err *e);
/* Drops what is not acknowledged without calling done: it was not acknowledged backwards, so it is done again after a restart. */
void publisher_destroy(struct publisher *p);
/* For whoever has lost the right to publish: nothing that was taken and is not acknowledged is sent any more, what was out already may still have reached the
 * broker. Calls done with RC_RETRY for each such record, oldest first, before it returns; what those send is sent. Records taken later
 * go out through a new handle. Not from inside a done function. Does not wait for a broker. */
void publisher_drop_waiting(struct publisher *p);

/* Finds the topic's leaders now, without waiting: the first record to a topic unknown so far may be held for a second (librdkafka 2.0.2).
 * A hint; failures show when a record is sent. */
void publisher_warm(struct publisher *p, const char *topic);

/* Takes the record (copies it). RC_OK: done will follow. RC_RETRY: no room now; try again when `room` is called.
 * RC_REJECT: larger than message.max.bytes. RC_FATAL: out of memory. */
enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e);
/* room is called on the loop after a send was refused with RC_RETRY and room is there again. One receiver; a later call replaces it. */
void publisher_on_room(struct publisher *p, loop_fn *room, void *arg);
/* Records taken and not yet acknowledged. */
size_t publisher_waiting(const struct publisher *p);
/* How often the producer had to be replaced since the start. */
unsigned publisher_rebuilds(const struct publisher *p);
/* For tests: raises a fatal error in the idempotent producer. */
void publisher_break(struct publisher *p);

#endif
