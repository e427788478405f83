/* What a group's assignment does, one change after the other: an assignment (where the group stands in its partitions is asked first), a revocation (its owner drains
 * first), and in the end the leaving of the group. A change that comes meanwhile waits; an assignment behind which one waits is passed over.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_GROUP_CHANGES_H
#define BRIDGE_KAFKA_GROUP_CHANGES_H

#include "common/base/log.h"
#include "common/kafka/kafka_handle.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

struct group_changes;

struct group_changes_ops {
    /* New partitions, with where the group stands; reading begins where list says after this returned. false: out of memory. */
    bool (*assigned)(void *arg, rd_kafka_topic_partition_list_t *list);
    /* These go away (some may never have been told of). group_changes_released is due, also from inside; list does not outlive it. */
    void (*revoked)(void *arg, const rd_kafka_topic_partition_list_t *list, bool lost);
};

/* handle: borrowed. */
enum rc group_changes_create(struct loop *l, struct worker *w, struct log *log, struct kafka_handle *handle, const struct group_changes_ops *ops, void *arg,
                             struct group_changes **out, struct err *e);
/* Before the handle is closed; NULL is a no-op. */
void group_changes_destroy(struct group_changes *c);

void group_changes_event(struct group_changes *c, rd_kafka_event_t *event); /* RD_KAFKA_EVENT_REBALANCE */
/* What `revoked` told of is drained. Without it nothing happens. */
void group_changes_released(struct group_changes *c);
/* Once. done(arg) on the loop when the group is left, or 10 s after the last release, whether it is or not; an assignment that is under way is not told any more. */
void group_changes_leave(struct group_changes *c, loop_fn *done, void *arg);

#endif
