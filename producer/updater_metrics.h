/* The metrics of status-updater, one row each. */
#ifndef BRIDGE_PRODUCER_UPDATER_METRICS_H
#define BRIDGE_PRODUCER_UPDATER_METRICS_H

#include "common/net/metrics.h"

enum updater_metric {
    UPDATER_OUTCOMES,
    UPDATER_UNREADABLE,
    UPDATER_ROWS,
    UPDATER_CHANGES,
    UPDATER_WAITING,
    UPDATER_FAILING,
    UPDATER_PARKED,
    UPDATER_KEPT,
    UPDATER_FINISHED,
    UPDATER_REQUESTS,
    UPDATER_LOGINS,
    UPDATER_LOGINS_REFUSED,
    UPDATER_QUOTA_WAIT,
    UPDATER_QUOTA_WAITING,
    UPDATER_REPEATS,
    UPDATER_METRICS
};
extern const struct metric_row updater_metrics[UPDATER_METRICS];

#endif
