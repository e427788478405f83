/* The partitions that a member has and its owner knows of: where each is read next, whether it is paused, how far it is committed. Thread rule: one owner. */
#ifndef BRIDGE_KAFKA_GROUP_PARTS_H
#define BRIDGE_KAFKA_GROUP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "common/base/err.h"
#include "common/net/metrics.h"

struct group_part {
    const char *topic; /* one of group_parts.topics */
    int32_t partition;
    int64_t next; /* offset that is read next at the least */
    bool paused;
    int64_t committed; /* as far as known; what lies behind it up to the end is the lag */
};

struct group_parts {
    char **topics;
    size_t topics_n;
    struct group_part *list;
    size_t n;
    struct group_part *last; /* found last: the next record is likely of the same partition */
};

/* Copies the names. RC_FATAL: memory; group_parts_release is due all the same. */
enum rc group_parts_init(struct group_parts *p, const char *const *topics, size_t n, struct err *e);
void group_parts_release(struct group_parts *p);

/* NULL: not there. Lasts until the next _add or _remove. */
struct group_part *group_parts_find(struct group_parts *p, const char *topic, int32_t partition);
/* offset: the committed position, -1: none. false: out of memory, or no topic of ours. */
bool group_parts_add(struct group_parts *p, const char *topic, int32_t partition, int64_t offset);
/* false: it was not there. */
bool group_parts_remove(struct group_parts *p, const char *topic, int32_t partition);

/* All of them, for librdkafka; the caller's. */
rd_kafka_topic_partition_list_t *group_parts_listed(const struct group_parts *p);
/* Sets the lag of each anew, as far as librdkafka knows the ends; m may be NULL. */
void group_parts_tell_lag(const struct group_parts *p, rd_kafka_t *rk, struct metrics *m);

#endif
