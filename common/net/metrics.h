/* Prometheus metrics (text format 0.0.4). One table per program says what exists; a metric is a row. At most one label per metric and
 * METRICS_LABELS values of it (further ones count under "other"). Thread rule: the loop's thread.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/ */
#ifndef BRIDGE_NET_METRICS_H
#define BRIDGE_NET_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRICS_LABELS = 64 };

struct metric_row {
    const char *name; /* xsale_bridge_..., base units, counters end in _total */
    enum metric_type type;
    const char *label; /* NULL: none */
    const char *help;
};

struct metrics;

/* rows: rows_n, borrowed for ever (a static table). Process and build metrics are added by itself. */
struct metrics *metrics_create(const char *program, const struct metric_row *rows, size_t rows_n);
void metrics_destroy(struct metrics *m);
/* row: index into the table; label_value: NULL for rows without label. m may be NULL (tests). */
void metrics_add(struct metrics *m, size_t row, const char *label_value, double amount);
void metrics_set(struct metrics *m, size_t row, const char *label_value, double value);
/* Histogram of seconds with fixed buckets 1 ms .. 60 s. */
void metrics_observe(struct metrics *m, size_t row, const char *label_value, double seconds);
void metrics_print(const struct metrics *m, struct buf *out);

#endif
