/* The metrics of erp-consumer, one row each. */
#ifndef BRIDGE_CONSUMER_CONSUMER_METRICS_H
#define BRIDGE_CONSUMER_CONSUMER_METRICS_H

#include "common/net/metrics.h"

enum consumer_metric {
    METRIC_RECORDS,   /* taken from the orders topic */
    METRIC_SKIPPED,   /* by why: warehouse, finished */
    METRIC_TRIES,     /* by fate */
    METRIC_OUTCOMES,  /* by result */
    METRIC_DLQ,
    METRIC_LOAD_SECONDS,
    METRIC_IN_HAND,
    METRIC_IN_FLIGHT,
    METRIC_PARKED,
    METRIC_PAUSED,
    METRIC_UNREADABLE_YET,
    METRIC_LOOKAHEAD_KEYS,
    METRIC_WAITING,      /* by warehouse */
    METRIC_LAG_SECONDS,  /* by warehouse */
    METRIC_CONSUMER_INFO, /* by warehouse and group */
    CONSUMER_METRICS
};

extern const struct metric_row consumer_metrics[CONSUMER_METRICS];

#endif
