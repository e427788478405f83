#include "producer/updater_metrics.h"

const struct metric_row updater_metrics[UPDATER_METRICS] = {
    [UPDATER_OUTCOMES] = {"xsale_bridge_outcomes_total", METRIC_COUNTER, "result", "Outcomes noted, by what they changed."},
    [UPDATER_UNREADABLE] = {"xsale_bridge_unreadable_outcomes_total", METRIC_COUNTER, NULL, "Outcomes that could not be read and went to the DLQ."},
    [UPDATER_ROWS] = {"xsale_bridge_ledger_rows_total", METRIC_COUNTER, NULL, "Ledger rows acknowledged by the broker."},
    [UPDATER_CHANGES] = {"xsale_bridge_status_tries_total", METRIC_COUNTER, "result", "Tries to settle a status, by result."},
    [UPDATER_WAITING] = {"xsale_bridge_statuses_waiting", METRIC_GAUGE, NULL, "Orders whose status is still to be set."},
    [UPDATER_FAILING] = {"xsale_bridge_statuses_failing", METRIC_GAUGE, NULL, "Orders whose status xSale failed to change three times in a row or more."},
    [UPDATER_PARKED] = {"xsale_bridge_outcomes_parked", METRIC_GAUGE, NULL, "Outcomes that wait for a schema which the registry does not know."},
    [UPDATER_KEPT] = {"xsale_bridge_ledger_unfinished_orders", METRIC_GAUGE, NULL, "Orders kept as whole rows in memory."},
    [UPDATER_FINISHED] = {"xsale_bridge_ledger_finished_orders", METRIC_GAUGE, NULL, "Finished orders remembered."},
    [UPDATER_REQUESTS] = {"xsale_bridge_xsale_requests_total", METRIC_COUNTER, NULL, "HTTP requests sent to xSale, logins too."},
    [UPDATER_LOGINS] = {"xsale_bridge_xsale_logins_total", METRIC_COUNTER, NULL, "Logins that succeeded."},
    [UPDATER_LOGINS_REFUSED] = {"xsale_bridge_xsale_logins_refused_total", METRIC_COUNTER, NULL, "Logins that were refused."},
    [UPDATER_QUOTA_WAIT] = {"xsale_bridge_xsale_quota_wait_seconds_total", METRIC_COUNTER, NULL, "Time that requests waited for the quota."},
    [UPDATER_QUOTA_WAITING] = {"xsale_bridge_xsale_quota_waiting_requests", METRIC_GAUGE, NULL, "Requests that wait for the quota now."},
    [UPDATER_REPEATS] = {"xsale_bridge_xsale_repeats_total", METRIC_COUNTER, NULL, "Requests to xSale that were repeated after a failure."},
};
