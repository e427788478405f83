/* Reads given partitions of any topics without a group: from an offset, the beginning, or a time, to the end and, when asked, on.
 * Health name "kafka-read" (one for all readers of a process).
 *
 * A start by time asks the broker for the first record at or after it. Kafka answers "none" when there is none, and so does a broker without
 * such a look-up, always. They are told apart by asking for the first record since 1970: Kafka knows one (then reading starts at the end that was seen before
 * the question), the other does not (then at the beginning, which is always right, only slower).
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_READER_H
#define BRIDGE_KAFKA_READER_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/kafka/kafka_record.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

struct reader;

enum reader_from { READER_OFFSET, READER_BEGINNING, READER_TIME };

struct reader_start {
    const char *topic;
    int32_t partition; /* -1: every partition of the topic */
    enum reader_from from;
    int64_t value; /* offset, or ms since 1970 (a broker without look-up by time: from the beginning) */
};

struct reader_ops {
    void (*record)(void *arg, const struct kafka_record *r); /* r borrowed */
    /* Once: every partition was read to the end that it had at the start. Reading goes on until the reader is destroyed. */
    void (*end)(void *arg);
    /* A partition is read from another offset than the one that was asked for, which is gone or lies past the topic's end (the topic was made anew). Before any
     * record; only for READER_OFFSET. May be NULL. */
    void (*moved)(void *arg, const char *topic, int32_t partition, int64_t offset);
};

/* starts: starts_n, copied. A missing broker or topic is waited for; an offset that is gone, or lies past the end, means the
 * earliest that is left. */
enum rc reader_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h,
                      const struct reader_start *starts, size_t starts_n, const struct reader_ops *ops, void *arg,
                      struct reader **out, struct err *e);
void reader_destroy(struct reader *r); /* allowed from inside end and catch_up's done, not from inside record; NULL is a no-op */
/* Asks whether everything that exists now was read: calls done(arg) on the loop once the position reached the end offsets fetched from the
 * broker after this call (a look at the ledger "read to its end"). RC_RETRY: one is still asked for. */
enum rc reader_catch_up(struct reader *r, loop_fn *done, void *arg);

#endif
