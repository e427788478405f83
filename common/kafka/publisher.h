/* Records to topics, acknowledged. One idempotent librdkafka producer (acks=all). A record that was taken is tried until the broker
 * has it, however long that takes, in order per key; a fatal error of the idempotent producer is survived by a new one that sends
 * again what was not acknowledged (a repeat then is possible; repeats are harmless by design).
 * Memory is bounded by publisher.max (records and bytes); the caller waits for room.
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
    enum rc rc; /* RC_OK: durable. RC_REJECT: the broker will never take this record (too large, invalid): why in words */
    int32_t partition;
    int64_t offset;
    const char *words;
};

/* Exactly once for each record taken, on the loop, never from inside publisher_send. */
typedef void publisher_done_fn(void *arg, const struct publisher_ack *ack);

/* Does not wait for a broker. health name "kafka". */
enum rc publisher_create(struct loop *l, const struct config *c, struct log *log, struct health *h, struct publisher **out,
                         struct err *e);
/* Drops what is not acknowledged without calling done: it was not acknowledged backwards, so it is done again after a restart. */
void publisher_destroy(struct publisher *p);

/* Takes the record (copies it). RC_OK: done will follow. RC_RETRY: no room now; try again when `room` is called.
 * RC_REJECT: larger than message.max.bytes. */
enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e);
/* room is called on the loop after a send was refused with RC_RETRY and room is there again. */
void publisher_on_room(struct publisher *p, loop_fn *room, void *arg);
/* Records taken and not yet acknowledged. */
size_t publisher_waiting(const struct publisher *p);

#endif
