/* What counts of librdkafka's statistics (statistics.interval.ms): a few metrics, and whether a broker that should answer does. A broker whose machine or process is
 * frozen keeps its connections, so no error tells of it for a minute and more; its silence does.
 * Source: https://github.com/confluentinc/librdkafka/blob/v2.0.2/STATISTICS.md. Pure but for the metrics. */
#ifndef BRIDGE_KAFKA_KAFKA_STATS_H
#define BRIDGE_KAFKA_KAFKA_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/metrics.h"

enum { KAFKA_SILENT_MS = 20000 }; /* more than what an answer may take by itself: a fetch, a replica that is waited for */

struct kafka_vitals {
    char silent[128];  /* the broker that has owed an answer for the longest time, over KAFKA_SILENT_MS; "": none */
    int64_t silent_ms;
    bool answers;      /* a broker was heard within KAFKA_SILENT_MS */
    bool joining;      /* a group's member that waits to be let in: it has no partitions, and does not know whether it is to have any */
};

/* client: the value of the metrics' label; m may be NULL. RC_REJECT: that is no such report. */
enum rc kafka_stats_take(const char *json, size_t n, const char *client, struct metrics *m, struct kafka_vitals *out);

#endif
