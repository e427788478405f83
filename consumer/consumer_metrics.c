#include "consumer/consumer_metrics.h"

const struct metric_row consumer_metrics[CONSUMER_METRICS] = {
    [METRIC_RECORDS] = {"xsale_bridge_order_records_total", METRIC_COUNTER, NULL, "Order records read for this consumer."},
    [METRIC_SKIPPED] = {"xsale_bridge_order_records_skipped_total", METRIC_COUNTER, "why",
                        "Order records passed over: for another warehouse, or finished before a restart."},
    [METRIC_TRIES] = {"xsale_bridge_erp_tries_total", METRIC_COUNTER, "fate", "Tries to load an order into the ERP by how they ended."},
    [METRIC_OUTCOMES] = {"xsale_bridge_outcomes_total", METRIC_COUNTER, "result", "Outcomes acknowledged by the broker."},
    [METRIC_DLQ] = {"xsale_bridge_dead_letters_total", METRIC_COUNTER, NULL, "Copies on the dead-letter topic acknowledged by the broker."},
    [METRIC_LOAD_SECONDS] = {"xsale_bridge_erp_load_seconds", METRIC_HISTOGRAM, NULL, "Duration of one try."},
    [METRIC_IN_HAND] = {"xsale_bridge_orders_in_hand", METRIC_GAUGE, NULL, "Order records read and not finished."},
    [METRIC_IN_FLIGHT] = {"xsale_bridge_erp_tries_in_flight", METRIC_GAUGE, NULL, "Tries under way."},
    [METRIC_PARKED] = {"xsale_bridge_orders_parked", METRIC_GAUGE, NULL, "Loads that wait for their next try."},
    [METRIC_PAUSED] = {"xsale_bridge_erp_paused", METRIC_GAUGE, NULL, "1 while the ERP is down and only probed."},
    [METRIC_UNREADABLE_YET] = {"xsale_bridge_orders_waiting_for_schema", METRIC_GAUGE, NULL,
                               "Order records whose schema the registry does not give."},
    [METRIC_LOOKAHEAD_KEYS] = {"xsale_bridge_lookahead_keys", METRIC_GAUGE, NULL,
                               "Orders that stand more than once in what waits, as the look-ahead found; 0 while it is not needed."},
    [METRIC_WAITING] = {"xsale_bridge_orders_waiting", METRIC_GAUGE, "warehouse", "Orders in hand that have no outcome yet."},
    [METRIC_LAG_SECONDS] = {"xsale_bridge_lag_seconds", METRIC_GAUGE, "warehouse", "Time since the oldest order in hand without an outcome was published."},
    [METRIC_CONSUMER_INFO] = {"xsale_bridge_consumer_info", METRIC_GAUGE, "warehouse,group",
                              "Always 1; its labels say which orders this consumer loads. No warehouse: every one."},
};
