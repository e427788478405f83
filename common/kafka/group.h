/* Membership of a consumer group on the loop: assignment with committed offsets, records, ends, revocation that waits for the
 * owner's drain, commits with metadata, pause and resume (only what was paused). Groups start at the earliest offset when they have
 * none. The group's queue is always served, paused or not, so max.poll.interval is never at risk.
 * Uses rebalance events of librdkafka (assignment strategy range below 2.10); with a cooperative strategy `assigned` and `revoked` name only what
 * comes and goes. Health name "kafka-group" (one for all groups of a process).
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_GROUP_H
#define BRIDGE_KAFKA_GROUP_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/kafka/kafka_record.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

struct group;

enum { GROUP_METADATA_MAX = 4000 }; /* bytes of a commit's metadata; Kafka's own limit is 4,096 characters */

struct group_partition {
    const char *topic;
    int32_t partition;
    int64_t offset;       /* committed position; -1: none (starts at the earliest). assigned may change it */
    const char *metadata; /* of the commit, zero-terminated; "" when none */
};

struct group_ops {
    /* New partitions are ours, none of them paused; reading begins at parts[i].offset after this returned. */
    void (*assigned)(void *arg, struct group_partition *parts, size_t n);
    /* One record; r is borrowed. Within a partition offsets only rise. */
    void (*record)(void *arg, const struct kafka_record *r);
    /* Everything up to offset (exclusive) that existed was delivered; comes again each time the end is reached. */
    void (*end)(void *arg, const char *topic, int32_t partition, int64_t offset);
    /* Partitions are going away; no record of them follows. The owner drains, commits (unless lost) and calls group_released, in every
     * case and once (also from inside). lost: someone else may own them already: do not commit. parts: offset and metadata are not set. */
    void (*revoked)(void *arg, const struct group_partition *parts, size_t n, bool lost);
};

/* topics: topics_n names, copied. Does not wait for a broker. */
enum rc group_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h,
                     const char *group_id, const char *const *topics, size_t topics_n, const struct group_ops *ops, void *arg,
                     struct group **out, struct err *e);
/* After group_close's done (also from inside it), or at once when the drain was abandoned (then the group's coordinator learns of it by
 * its time-out). Not from inside ops. Commits that are not answered get their done with RC_RETRY. NULL is a no-op. */
void group_destroy(struct group *g);

/* The drain that `revoked` asked for is finished. Without one it does nothing. */
void group_released(struct group *g);
/* Commits positions (n, copied); done(arg, rc) on the loop, exactly once, never from inside: RC_OK stored, RC_RETRY not, or not known (a later commit
 * repeats it), RC_REJECT metadata longer than GROUP_METADATA_MAX (nothing stored); done may be NULL.
 * While the group is being left it is answered within 5 s. Commits of partitions of other topics are allowed (the producer's ledger position). */
void group_commit(struct group *g, const struct group_partition *parts, size_t n, void (*done)(void *arg, enum rc rc), void *arg);
/* Partitions that are not assigned are ignored. A record already on its way is held back and comes after the resume. */
void group_pause(struct group *g, const char *topic, int32_t partition);
void group_resume(struct group *g, const char *topic, int32_t partition);
/* Leaves the group: `revoked` comes for what is assigned, then done on the loop; at the latest 10 s after the release. Whatever the broker does, nothing here
 * waits for it longer: an assignment that is still looking for its positions is given up at once, and a commit answered within 5 s. */
void group_close(struct group *g, loop_fn *done, void *arg);

#endif
