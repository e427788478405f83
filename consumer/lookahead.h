/* The look-ahead: reads what waits in partitions of the orders topic by keys and headers alone, before it is loaded, so that a load which is known to be
 * outdated by a newer publication behind it is not made. It has its own connection, knows no group, and is never needed for a right result: without
 * it, or beyond what it has room for, an outdated state is loaded and corrected by the newer publication.
 *
 * It reads on at the end until lookahead_end. When it has no room for more keys it stops where it is (lookahead_short): everything before is known.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_LOOKAHEAD_H
#define BRIDGE_CONSUMER_LOOKAHEAD_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/kafka/reader.h"
#include "common/net/health.h"
#include "common/net/metrics.h"
#include "common/net/worker.h"

struct lookahead;

struct lookahead_env { /* borrowed while it lives */
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct metrics *metrics;
    const char *topic;
    const char *warehouse; /* only publications that name it count; "": each for every warehouse it names */
    /* What was there at lookahead_begin or lookahead_refresh is known, or there is no room for more. On the loop, once for each of them, unless
     * another one or lookahead_end came before. */
    void (*known)(void *arg);
    void *arg;
};

/* NULL: out of memory. */
struct lookahead *lookahead_create(const struct lookahead_env *env);
void lookahead_destroy(struct lookahead *a); /* NULL is a no-op */

struct lookahead_from {
    int32_t partition;
    int64_t offset;
};
/* Forgets everything and reads from there on (n > 0). RC_REJECT: consumer.lookahead is 0. */
enum rc lookahead_begin(struct lookahead *a, const struct lookahead_from *from, size_t n, struct err *e);
/* What was taken into hand before those offsets: only what is noted can be found outdated. After lookahead_begin. */
void lookahead_note(struct lookahead *a, const void *key, size_t key_n, const char *warehouse, int64_t publication);
/* Wants `known` once what is there now was read. false: nothing is being read, or all that there is room for was. */
bool lookahead_refresh(struct lookahead *a);
/* Forgets everything and reads no more. */
void lookahead_end(struct lookahead *a);

/* Between begin and end. */
bool lookahead_running(const struct lookahead *a);
/* Records read since begin: grows while there is progress. */
uint64_t lookahead_records(const struct lookahead *a);
/* It stopped for want of room, and the partition's records from there on are not known. */
bool lookahead_short(const struct lookahead *a, int32_t partition, int64_t next);
/* Is a newer publication of that order known for that warehouse? */
bool lookahead_outdated(const struct lookahead *a, const void *key, size_t key_n, const char *warehouse, int64_t publication);

#endif
