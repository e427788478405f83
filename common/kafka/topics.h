/* Our topics: created at start with the settings of the design when the broker allows it, checked when they exist. A broker that
 * does not answer admin requests is a warning, not a stop (the topics must then exist). Health name "kafka-topics".
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_TOPICS_H
#define BRIDGE_KAFKA_TOPICS_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

enum { TOPIC_ORDERS, TOPIC_STATE, TOPIC_OUTCOMES, TOPIC_STATUS, TOPIC_DLQ, TOPIC_COUNT };

struct topic_row {
    const char *name;      /* without prefix */
    int partitions;        /* 0: topics.partitions */
    const char *cleanup;   /* cleanup.policy */
    const char *retention; /* retention.ms or NULL */
    const char *timestamp; /* message.timestamp.type or NULL */
};
extern const struct topic_row topic_table[TOPIC_COUNT];

struct topics;

struct topics_found {
    int partitions[TOPIC_COUNT]; /* 0: missing or not asked for */
};

/* rc: RC_OK; RC_FATAL: a dangerous setting or a mismatch of partition counts, words with the command that mends it.
 * Absent broker or topic: tried again until it is there. found is borrowed. */
typedef void topics_done_fn(void *arg, enum rc rc, const struct topics_found *found, const char *words);

/* wanted: bit mask 1 << TOPIC_...; done once, never from inside; it may destroy *out. */
enum rc topics_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, unsigned wanted,
                      topics_done_fn *done, void *arg, struct topics **out, struct err *e);
/* In the middle of an admin request it waits for the answer, 6 s at most. NULL is a no-op. */
void topics_destroy(struct topics *t);

#endif
