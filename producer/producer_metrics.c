#include "producer/producer_metrics.h"

const struct metric_row producer_metrics[PRODUCER_METRICS] = {
    [PRODUCER_POLLS] = {"xsale_bridge_producer_polls_total", METRIC_COUNTER, NULL, "Complete polls: every page taken, everything published acknowledged."},
    [PRODUCER_LAST_POLL] = {"xsale_bridge_producer_last_complete_poll_timestamp_seconds", METRIC_GAUGE, NULL, "When the last complete poll ended."},
    [PRODUCER_POLL_SECONDS] = {"xsale_bridge_producer_poll_seconds", METRIC_HISTOGRAM, NULL, "Duration of complete polls."},
    [PRODUCER_PAGES] = {"xsale_bridge_producer_pages_total", METRIC_COUNTER, NULL, "Pages of orders taken."},
    [PRODUCER_ORDERS_SEEN] = {"xsale_bridge_producer_orders_seen_total", METRIC_COUNTER, NULL, "Orders on pages, repeated ones too."},
    [PRODUCER_OPEN] = {"xsale_bridge_producer_open_orders", METRIC_GAUGE, NULL, "Orders offered whose status is not settled."},
    [PRODUCER_CLOSED] = {"xsale_bridge_producer_closed_orders", METRIC_GAUGE, NULL, "Orders settled and not forgotten yet."},
    [PRODUCER_MEMORY] = {"xsale_bridge_producer_book_bytes", METRIC_GAUGE, NULL, "Memory of what is known of orders."},
    [PRODUCER_PUBLISHED] = {"xsale_bridge_producer_published_total", METRIC_COUNTER, "cause", "Publications by cause: new, edit, retry, reoffer, withdrawal."},
    [PRODUCER_REJECTED] = {"xsale_bridge_producer_rejected_total", METRIC_COUNTER, NULL, "Orders that could not become a record."},
    [PRODUCER_NAMELESS] = {"xsale_bridge_producer_nameless_total", METRIC_COUNTER, NULL, "Orders without a usable id."},
    [PRODUCER_HELD] = {"xsale_bridge_producer_held_orders", METRIC_GAUGE, NULL, "Retries that the loop guard held back in the last poll."},
    [PRODUCER_OWNER] = {"xsale_bridge_producer_owner", METRIC_GAUGE, NULL, "1 while this replica polls, 0 while it stands by."},
    [PRODUCER_REQUESTS] = {"xsale_bridge_xsale_requests_total", METRIC_COUNTER, NULL, "HTTP requests to xSale, logins included."},
    [PRODUCER_LOGINS] = {"xsale_bridge_xsale_logins_total", METRIC_COUNTER, NULL, "Logins that succeeded."},
    [PRODUCER_LOGINS_REFUSED] = {"xsale_bridge_xsale_logins_refused_total", METRIC_COUNTER, NULL, "Logins that xSale refused."},
    [PRODUCER_QUOTA_WAIT] = {"xsale_bridge_xsale_quota_wait_seconds_total", METRIC_COUNTER, NULL, "Time that requests waited for the quota."},
    [PRODUCER_QUOTA_WAITING] = {"xsale_bridge_xsale_quota_waiting_requests", METRIC_GAUGE, NULL, "Requests that wait for the quota now."},
    [PRODUCER_REPEATS] = {"xsale_bridge_xsale_repeats_total", METRIC_COUNTER, NULL, "Requests repeated after a failure."},
};
