/* Record batches that come damaged (their checksum, compression or version is wrong) are fetched again, and nothing behind them is let through before.
 *
 * librdkafka reports such a batch and goes on with the next one of the same answer, so that a bit that changed on the way would cost the records of its batch. Here
 * the partition is paused at the report and, after a wait that doubles from 0.2 s to 60 s, resumed at what its owner wants next; each partition has its own wait. A batch that is
 * damaged where it is stored is asked for and reported for ever: whoever wants its records must not think that there were none.
 *
 * The checksum does not cover a batch's base offset. One that was changed to lie past the partition's end is told by that; one that still lies inside is not (a gap is right in a compacted
 * topic, and behind a transaction). Only TLS closes that.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_REFETCH_H
#define BRIDGE_KAFKA_REFETCH_H

#include "common/base/backoff.h"
#include "common/base/log.h"
#include "common/kafka/kafka_handle.h"
#include "common/net/loop.h"

/* Where the owner goes on in a partition. false: not now (it keeps it paused itself). */
typedef bool refetch_where_fn(void *arg, const char *topic, int32_t partition, int64_t *offset);

struct refetch_part;

struct refetch {
    struct loop *loop;
    struct log *log;
    struct kafka_handle *handle;
    const char *component;
    refetch_where_fn *where;
    void *arg;
    struct refetch_part *parts; /* damaged of late */
    size_t held;                /* of them: paused here */
    bool blind;                 /* no memory to note one: nothing is let through any more */
    struct loop_timer timer;    /* for the next one that is due */
    bool told; /* of damage, and not yet that it is over */
};

/* Zeroed before. component: literal, for the log. */
void refetch_init(struct refetch *f, struct loop *loop, struct log *log, const char *component, refetch_where_fn *where, void *arg);
/* What was held is held no more. */
void refetch_release(struct refetch *f);
/* The handle from here on. */
void refetch_use(struct refetch *f, struct kafka_handle *handle);

/* Does an error of a partition say that a batch was damaged? */
bool refetch_means_damage(rd_kafka_resp_err_t err);
/* At a record that does not follow on the one before: does its offset lie past the partition's end, as the broker tells it with each answer? */
bool refetch_beyond(const struct refetch *f, const char *topic, int32_t partition, int64_t offset);
/* At either: says so and holds the partition. words: librdkafka's, or why. */
void refetch_damaged(struct refetch *f, const char *topic, int32_t partition, const char *words);
/* Is it paused here? Then its owner leaves pausing and resuming to `where`. */
bool refetch_holds(const struct refetch *f, const char *topic, int32_t partition);
/* A record was taken, or an end reached (record: false): unless a partition is still held, the connection is well. */
void refetch_passed(struct refetch *f, bool record);
/* The owner gives the partition up: resumed, since librdkafka would remember the pause for the next assignment. */
void refetch_forget(struct refetch *f, const char *topic, int32_t partition);

#endif
