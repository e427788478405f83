/* Where a group stands in newly assigned partitions: its committed offsets and metadata, checked against what the broker still has.
 * One question, asked in the worker. Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_COMMITTED_H
#define BRIDGE_KAFKA_COMMITTED_H

#include "common/kafka/kafka_handle.h"
#include "common/net/worker.h"

struct committed;

/* rc: RC_OK with list (borrowed): offset -1 where there is none, or where the committed one lies past the end (the topic was made anew); moved to
 * the earliest, without metadata, where records were deleted before they were read. Both are logged as errors. RC_RETRY: no answer; words say why. */
typedef void committed_fn(void *arg, enum rc rc, const rd_kafka_topic_partition_list_t *list, const char *words);

/* Copies list, holds a reference of h. RC_RETRY: the worker is full; RC_FATAL: memory. *out lives until done was called. */
enum rc committed_ask(struct worker *w, struct kafka_handle *h, struct log *log, const rd_kafka_topic_partition_list_t *list,
                      committed_fn *done, void *arg, struct committed **out);
/* done is not called any more; NULL is a no-op. */
void committed_forget(struct committed *c);

#endif
