/* The partitions of the orders topic that are ours now: what of each is finished, what was committed, whether it is paused.
 * Each assignment of a partition has a generation of its own, so that what ends after the partition left is nobody's.
 * Pure but for the group's calls; thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ASSIGNMENT_H
#define BRIDGE_CONSUMER_ASSIGNMENT_H

#include "common/kafka/group.h"
#include "consumer/offset_track.h"

struct owned {
    int32_t partition;
    uint64_t generation;       /* > 0 */
    struct offset_track *track;
    size_t in_hand;            /* records */
    size_t loads_ended, loads_asked; /* loads of finished records: in no commit yet, and in one that is not answered */
    bool leaving;              /* revoked; drained before it goes */
    bool ended;                /* its end was reached once */
    bool at_end;               /* and nothing came since */
    bool paused, full;         /* intake stands; because its metadata has no room */
    bool changed;              /* something to commit */
};

struct assignment;

/* topic: borrowed. NULL: out of memory. */
struct assignment *assignment_create(const char *topic);
void assignment_destroy(struct assignment *a);

/* A partition is ours, from where it was committed. *understood: whether its metadata was. NULL: out of memory. */
struct owned *assignment_add(struct assignment *a, const struct group_partition *p, bool *understood);
/* NULL: not ours. */
struct owned *assignment_find(const struct assignment *a, int32_t partition);
/* The same, and still that assignment of it. */
struct owned *assignment_find_generation(const struct assignment *a, int32_t partition, uint64_t generation);
void assignment_remove(struct assignment *a, int32_t partition);
size_t assignment_count(const struct assignment *a);
struct owned *assignment_at(const struct assignment *a, size_t i);

/* Pauses where `stop` or no room for metadata says so; resumes what was paused when neither holds (its own room half free again). */
void assignment_flow(struct assignment *a, struct group *g, bool stop);

/* Commits what changed. false: nothing did, done will not be called. A commit that fails (done with RC_RETRY) is repeated with the next one after
 * assignment_commit_failed. */
bool assignment_commit(struct assignment *a, struct group *g, void (*done)(void *arg, enum rc rc), void *arg);
void assignment_commit_failed(struct assignment *a);
/* It is stored. */
void assignment_committed(struct assignment *a);
/* Loads of finished records that the broker is not known to have. */
size_t assignment_uncommitted(const struct assignment *a);
bool assignment_changed(const struct assignment *a);
/* The end of each partition was reached once; nothing came since. */
bool assignment_ended(const struct assignment *a);
bool assignment_at_end(const struct assignment *a);
/* Does the intake of any stand? */
bool assignment_paused(const struct assignment *a);

#endif
