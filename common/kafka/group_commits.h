/* Commits of a group under way: each is answered once, by librdkafka, at once when it is refused, or, while the group is being left, after 5 s at the latest.
 * (librdkafka keeps a commit for the whole session time-out while it knows no coordinator; a program that ends cannot wait for that.)
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_GROUP_COMMITS_H
#define BRIDGE_KAFKA_GROUP_COMMITS_H

#include "common/base/log.h"
#include "common/kafka/group.h"
#include "common/kafka/group_parts.h"
#include "common/kafka/kafka_handle.h"
#include "common/net/loop.h"

typedef void group_commit_fn(void *arg, enum rc rc);

struct group_commit {
    struct group_commit *next, *prev;
    group_commit_fn *done;
    void *arg;
    int64_t asked_at;
    enum rc rc; /* on the refused ring */
    bool told;  /* done was called; librdkafka's answer may still come */
};

struct group_commits {
    struct loop *loop;
    struct log *log;
    struct group_commit asked;   /* ring: at the broker, the oldest first */
    struct group_commit refused; /* ring: answered by `answering` */
    struct loop_timer answering, giving_up;
    bool hurried;
};

void group_commits_init(struct group_commits *c, struct loop *loop, struct log *log);
/* Whoever still waits is answered with RC_RETRY. The handle is closed before. */
void group_commits_release(struct group_commits *c);

/* As group_commit. */
void group_commits_send(struct group_commits *c, struct kafka_handle *handle, const struct group_partition *parts, size_t n, group_commit_fn *done, void *arg);
/* An event of a commit that was sent: notes in `parts` how far each partition is committed, then answers. */
void group_commits_event(struct group_commits *c, rd_kafka_event_t *event, struct group_parts *parts);
/* From here on none waits longer than 5 s. */
void group_commits_hurry(struct group_commits *c);

#endif
