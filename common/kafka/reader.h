/* Reads given partitions of any topics without a group: from an offset, the beginning, or a time, to the end and, when asked, on.
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
    /* Once: every partition was read to the end that it had (a later end may come while reading). */
    void (*end)(void *arg);
};

/* starts: starts_n, copied. A missing broker or topic is waited for (health name "kafka"); an offset that is gone means the
 * earliest that is left. */
enum rc reader_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h,
                      const struct reader_start *starts, size_t starts_n, const struct reader_ops *ops, void *arg,
                      struct reader **out, struct err *e);
void reader_destroy(struct reader *r); /* allowed from inside end, not from inside record */
/* Asks whether everything that exists now was read: calls done(arg) once the position reached the end offsets fetched from the broker
 * after this call (a look at the ledger "read to its end"). One at a time. */
enum rc reader_catch_up(struct reader *r, loop_fn *done, void *arg);

#endif
