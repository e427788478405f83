/* What the files of metrics share; nobody else includes it. */
#ifndef BRIDGE_NET_METRICS_PARTS_H
#define BRIDGE_NET_METRICS_PARTS_H

#include "common/net/metrics.h"

enum { METRICS_VALUE_ROOM = 288, METRICS_BOUNDS = 15 };

extern const double metrics_bounds[METRICS_BOUNDS];

struct metric_series { /* one label value of a row */
    char label[METRICS_VALUE_ROOM];
    double created;                  /* wall clock, seconds */
    double value;                    /* of a histogram: the sum */
    uint64_t counts[METRICS_BOUNDS]; /* not cumulative: added up when printed */
    uint64_t count;
};

struct metric_family {
    struct metric_series *series; /* n of room, owned */
    size_t n, room;
};

struct metrics {
    const char *program;
    const struct metric_row *rows; /* rows_n; behind them come the shared ones */
    size_t rows_n;
    double start_seconds; /* wall clock */
    struct metric_family *families; /* rows_n + SHARED_METRICS, owned */
};

extern const struct metric_row metrics_shared_rows[SHARED_METRICS];

/* process_metrics.c: 0 where the system does not tell. */
double process_resident_bytes(void);
double process_virtual_bytes(void);
double process_open_descriptors(void);
double process_max_descriptors(void);
double process_cpu_seconds(void);

#endif
