/* A consumer group seen from outside, for an operator: who is in it, what it has committed in one topic, and committing other offsets while nobody is.
 * The questions block and run in the worker. Source: Kafka protocol, OffsetFetch, OffsetCommit with generation -1 ("simple consumer"),
 * which the broker refuses while the group has members. Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_GROUP_OFFSETS_H
#define BRIDGE_KAFKA_GROUP_OFFSETS_H

#include <stdbool.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/kafka/group_members.h"
#include "common/kafka/reader.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

enum { GROUP_PARTITIONS_MAX = 10000 };

struct group_offset {
    int32_t partition;
    int64_t committed; /* -1: none */
    bool metadata;     /* the commit carries some */
    int64_t earliest, end; /* what the topic has */
    int64_t target;    /* where the asked-for start lies */
};

struct group_sight {
    struct group_members members;
    const struct group_offset *offsets; /* offsets_n, by partition */
    size_t offsets_n;
};

struct group_offsets;

/* group, topic: copied. RC_FATAL: configuration or memory. */
enum rc group_offsets_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, const char *group,
                             const char *topic, struct group_offsets **out, struct err *e);
void group_offsets_destroy(struct group_offsets *g); /* an open question gets no answer; NULL is a no-op */

/* rc: RC_OK with sight (borrowed during the call); RC_RETRY: no answer, words say why; RC_REJECT: asking again will not help (no right, an embedded
 * broker that knows no such question). */
typedef void group_offsets_fn(void *arg, enum rc rc, const struct group_sight *sight, const char *words);

/* target->topic does not count; partition -1: in every partition, else the others' target is what is committed; from READER_TIME with INT64_MAX: the end. A target that is not one of the partition's
 * offsets becomes the nearest. One question at a time: RC_RETRY. */
enum rc group_offsets_look(struct group_offsets *g, const struct reader_start *target, group_offsets_fn *done, void *arg);
/* Commits offsets[i].target (offsets_n, copied) without metadata, and looks again with it. rc: also RC_REJECT, the group has members again or the commit was refused. */
enum rc group_offsets_set(struct group_offsets *g, const struct group_offset *offsets, size_t offsets_n, group_offsets_fn *done, void *arg);

#endif
