/* Prometheus metrics. One table per program says what exists; a metric is a row. Beside it stands one table of what every program has (metrics_shared), and the
 * process's own. METRICS_LABELS label values a metric, further ones count under "other". Thread rule: the loop's thread, but metrics_print_process: any.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/ */
#ifndef BRIDGE_NET_METRICS_H
#define BRIDGE_NET_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS }; /* text 0.0.4; OpenMetrics 1.0.0 */
enum { METRICS_LABELS = 256 };

struct metric_row {
    const char *name; /* xsale_bridge_..., base units, counters end in _total */
    enum metric_type type;
    const char *label; /* NULL: none; "topic,partition": two, whose values are given as "orders\t3" */
    const char *help;
};

enum shared_metric { /* what every program has: label */
    SHARED_DEPENDENCY_UP,         /* dependency */
    SHARED_LAG_RECORDS,           /* topic, partition */
    SHARED_KAFKA_BROKERS_UP,      /* client, as the next ones */
    SHARED_KAFKA_ROUND_TRIP,
    SHARED_KAFKA_TIMEOUTS,
    SHARED_KAFKA_ERRORS,
    SHARED_KAFKA_QUEUE_RECORDS,
    SHARED_KAFKA_QUEUE_BYTES,
    SHARED_KAFKA_FETCHED_RECORDS,
    SHARED_KAFKA_REBALANCES,
    SHARED_METRICS
};

struct metrics;

/* rows: rows_n, borrowed for ever (a static table). */
struct metrics *metrics_create(const char *program, const struct metric_row *rows, size_t rows_n);
void metrics_destroy(struct metrics *m);
/* The row of a shared metric, for the functions below. */
size_t metrics_shared(const struct metrics *m, enum shared_metric which);
/* row: index into the table; label_value: NULL for rows without label. m may be NULL (tests). */
void metrics_add(struct metrics *m, size_t row, const char *label_value, double amount);
void metrics_set(struct metrics *m, size_t row, const char *label_value, double value);
/* Histogram of seconds with fixed buckets 1 ms .. 60 s. */
void metrics_observe(struct metrics *m, size_t row, const char *label_value, double seconds);
/* Every series of the row is gone, until it is set again (partitions that were given up). */
void metrics_forget(struct metrics *m, size_t row);
/* turn_s: for how long the loop's turn has lasted so far. */
void metrics_print(const struct metrics *m, enum metrics_format format, double turn_s, struct buf *out);
/* What needs no loop: the process and its build, a whole page of its own. */
void metrics_print_process(const struct metrics *m, enum metrics_format format, double turn_s, struct buf *out);

#endif
