/* How many partitions topics have, asked once in the worker; so that the records of one key are read from one partition. Source: Kafka protocol, Metadata.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_PARTITION_COUNTS_H
#define BRIDGE_KAFKA_PARTITION_COUNTS_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/worker.h"

enum { PARTITION_COUNTS_MAX = 16 };

struct partition_counts;
/* counts: n, as the topics were given; 0: not to be had (no such topic, no answer). */
typedef void partition_counts_fn(void *arg, const int32_t *counts, size_t n);

/* topics: n <= PARTITION_COUNTS_MAX, copied. done: once, not from inside create. RC_FATAL: configuration or memory; RC_RETRY: the worker is full. */
enum rc partition_counts_ask(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, const char *const *topics, size_t n,
                             partition_counts_fn *done, void *arg, struct partition_counts **out, struct err *e);
void partition_counts_forget(struct partition_counts *p); /* also after done, and from inside it; an open question gets no answer; NULL is a no-op */

#endif
