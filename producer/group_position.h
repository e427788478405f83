/* The committed positions of a consumer group for a topic that the group does not subscribe to (the producer's place in the ledger). Blocks only a worker
 * thread; asks again until the broker answers. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_GROUP_POSITION_H
#define BRIDGE_PRODUCER_GROUP_POSITION_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

struct group_position;

/* offsets: one a partition, -1: none; borrowed. */
typedef void group_position_fn(void *arg, const int64_t *offsets);

struct group_position_needs { /* borrowed until done or cancel; the texts are copied */
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    const char *group_id, *topic;
    int partitions; /* > 0 */
};

/* done once. RC_FATAL: memory. */
enum rc group_position_fetch(const struct group_position_needs *needs, group_position_fn *done, void *arg, struct group_position **out,
                             struct err *e);
/* done will not be called; NULL is a no-op. Not after done. */
void group_position_cancel(struct group_position *gp);

#endif
