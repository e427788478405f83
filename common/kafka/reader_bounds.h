/* The blocking questions of a reader: which partitions there are, where to start in each, and where each ends.
 * Thread rule: any thread, usually the worker; one owner. */
#ifndef BRIDGE_KAFKA_READER_BOUNDS_H
#define BRIDGE_KAFKA_READER_BOUNDS_H

#include <librdkafka/rdkafka.h>

#include "common/base/err.h"
#include "common/kafka/reader.h"

struct reader_bound {
    const char *topic; /* borrowed from the starts */
    int32_t partition;
    int64_t start;   /* where reading begins */
    int64_t end;     /* one past the last record */
    int64_t missing; /* records between the wanted offset and the earliest that is left */
    int64_t beyond;  /* the wanted offset when it lies past the end; else -1 */
    const struct reader_start *asked; /* borrowed: what this came from */
};

struct reader_bounds {
    struct reader_bound *all; /* n, owned */
    size_t n;
};

/* RC_OK: *out filled, released by the caller. RC_RETRY: no answer, or a missing topic: words say which. RC_FATAL: memory. */
enum rc reader_bounds_ask(rd_kafka_t *rk, const struct reader_start *starts, size_t n, struct reader_bounds *out, struct err *e);
/* Fetches `end` of each anew. After a failure the topics' metadata is fetched too, for the next try. */
enum rc reader_bounds_ends(rd_kafka_t *rk, struct reader_bounds *b, struct err *e);
void reader_bounds_release(struct reader_bounds *b);

#endif
