#include "common/net/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/metrics_parts.h"

const double metrics_bounds[METRICS_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

const struct metric_row metrics_shared_rows[SHARED_METRICS] = {
    [SHARED_DEPENDENCY_UP] = {"xsale_bridge_dependency_up", METRIC_GAUGE, "dependency", "1 while a dependency of /readyz is up, 0 while it is down or not known yet."},
    [SHARED_LAG_RECORDS] = {"xsale_bridge_lag_records", METRIC_GAUGE, "topic,partition", "Records behind the consumer group's committed position."},
    [SHARED_KAFKA_BROKERS_UP] = {"xsale_bridge_kafka_brokers_up", METRIC_GAUGE, "client", "Brokers with a usable connection."},
    [SHARED_KAFKA_ROUND_TRIP] = {"xsale_bridge_kafka_round_trip_seconds", METRIC_GAUGE, "client",
                                 "Mean time from a request to its answer of late, of the slowest broker; a fetch waits for records."},
    [SHARED_KAFKA_TIMEOUTS] = {"xsale_bridge_kafka_request_timeouts_total", METRIC_COUNTER, "client", "Requests that a broker did not answer in time."},
    [SHARED_KAFKA_ERRORS] = {"xsale_bridge_kafka_request_errors_total", METRIC_COUNTER, "client", "Requests that could not be sent or whose answer could not be read."},
    [SHARED_KAFKA_QUEUE_RECORDS] = {"xsale_bridge_kafka_queue_records", METRIC_GAUGE, "client", "Records that wait for the broker's acknowledgement."},
    [SHARED_KAFKA_QUEUE_BYTES] = {"xsale_bridge_kafka_queue_bytes", METRIC_GAUGE, "client", "Bytes of records that wait for the broker's acknowledgement."},
    [SHARED_KAFKA_FETCHED_RECORDS] = {"xsale_bridge_kafka_fetched_records", METRIC_GAUGE, "client", "Records fetched and not taken yet."},
    [SHARED_KAFKA_REBALANCES] = {"xsale_bridge_kafka_rebalances_total", METRIC_COUNTER, "client", "Rebalances of the consumer group that this client saw."},
};

struct metrics *metrics_create(const char *program, const struct metric_row *rows, size_t rows_n)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (m == NULL || (m->families = calloc(rows_n + SHARED_METRICS, sizeof *m->families)) == NULL) {
        free(m);
        return NULL;
    }
    m->program = program;
    m->rows = rows;
    m->rows_n = rows_n;
    m->start_seconds = (double)clock_wall(clock_system()) / 1000;
    return m;
}

void metrics_destroy(struct metrics *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->rows_n + SHARED_METRICS; i++)
        free(m->families[i].series);
    free(m->families);
    free(m);
}

size_t metrics_shared(const struct metrics *m, enum shared_metric which)
{
    return m == NULL ? 0 : m->rows_n + which;
}

static struct metric_series *new_series(struct metric_family *f, const char *label)
{
    if (f->n == f->room) {
        size_t room = f->room == 0 ? 1 : f->room * 2;
        struct metric_series *grown = realloc(f->series, room * sizeof *grown);
        if (grown == NULL)
            return NULL;
        f->series = grown;
        f->room = room;
    }
    struct metric_series *s = &f->series[f->n++];
    *s = (struct metric_series){.created = (double)clock_wall(clock_system()) / 1000};
    (void)snprintf(s->label, sizeof s->label, "%s", label);
    return s;
}

static struct metric_series *find(struct metric_family *f, const char *label)
{
    for (size_t i = 0; i < f->n; i++)
        if (strncmp(f->series[i].label, label, METRICS_VALUE_ROOM - 1) == 0)
            return &f->series[i];
    return NULL;
}

/* A count that cannot be kept for want of memory is lost: no reason to stop an order. */
static struct metric_series *series_of(struct metrics *m, size_t row, const char *label_value)
{
    if (m == NULL || row >= m->rows_n + SHARED_METRICS)
        return NULL;
    struct metric_family *f = &m->families[row];
    const struct metric_row *r = row < m->rows_n ? &m->rows[row] : &metrics_shared_rows[row - m->rows_n];
    const char *label = r->label == NULL || label_value == NULL ? "" : label_value;
    struct metric_series *s = find(f, label);
    if (s == NULL && f->n >= METRICS_LABELS) {
        label = "other";
        s = find(f, label);
    }
    return s != NULL ? s : new_series(f, label);
}

void metrics_add(struct metrics *m, size_t row, const char *label_value, double amount)
{
    struct metric_series *s = series_of(m, row, label_value);
    if (s != NULL)
        s->value += amount;
}

void metrics_set(struct metrics *m, size_t row, const char *label_value, double value)
{
    struct metric_series *s = series_of(m, row, label_value);
    if (s != NULL)
        s->value = value;
}

void metrics_observe(struct metrics *m, size_t row, const char *label_value, double seconds)
{
    struct metric_series *s = series_of(m, row, label_value);
    if (s == NULL)
        return;
    s->value += seconds;
    s->count++;
    for (size_t i = 0; i < METRICS_BOUNDS; i++)
        if (seconds <= metrics_bounds[i]) {
            s->counts[i]++;
            return;
        }
}

void metrics_forget(struct metrics *m, size_t row)
{
    if (m != NULL && row < m->rows_n + SHARED_METRICS)
        m->families[row].n = 0;
}
