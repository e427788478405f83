#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/net/metrics_parts.h"

/* OpenMetrics differs in four points: a counter's family is named without _total, each counter and histogram tells since when it counts (_created), bounds are
 * written as floating-point numbers, and # EOF shows that nothing is missing. */

struct printing {
    const struct metrics *m;
    enum metrics_format format;
    struct buf *out;
};

static void put_escaped(struct buf *out, const char *text, size_t n, bool quotes)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n')
            buf_put_text(out, "\\n");
        else if (text[i] == '\\' || (quotes && text[i] == '"'))
            buf_printf(out, "\\%c", text[i]);
        else
            buf_put_byte(out, (unsigned char)text[i]);
}

/* The name of the family: of a counter in OpenMetrics less _total. */
static size_t family_length(const struct printing *p, const char *name, enum metric_type type)
{
    size_t n = strlen(name);
    bool total = n > 6 && strcmp(name + n - 6, "_total") == 0;
    return p->format == METRICS_OPENMETRICS && type == METRIC_COUNTER && total ? n - 6 : n;
}

static void put_head(const struct printing *p, const char *name, enum metric_type type, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    int n = (int)family_length(p, name, type);
    buf_printf(p->out, "# HELP %.*s ", n, name);
    put_escaped(p->out, help, strlen(help), p->format == METRICS_OPENMETRICS);
    buf_printf(p->out, "\n# TYPE %.*s %s\n", n, name, types[type]);
}

/* Whole numbers as such: a counter must not turn into 1e+06, which hides its last digits. */
static void put_value(struct buf *out, double value)
{
    if (isnan(value))
        buf_put_text(out, "NaN");
    else if (isinf(value))
        buf_put_text(out, value > 0 ? "+Inf" : "-Inf");
    else if (value > -1e15 && value < 1e15 && (double)(int64_t)value == value)
        buf_printf(out, "%.0f", value);
    else
        buf_printf(out, "%.17g", value);
    buf_put_byte(out, '\n');
}

/* One label; the separator of the list is told and moved on. */
static void put_label(struct buf *out, const char **separator, const char *name, size_t name_n, const char *value, size_t value_n)
{
    buf_printf(out, "%s%.*s=\"", *separator, (int)name_n, name);
    put_escaped(out, value, value_n, true);
    buf_put_byte(out, '"');
    *separator = ",";
}

/* Names are divided by commas, their values by tabs; a value that lacks (the label "other") is empty. */
static void put_row_labels(struct buf *out, const char **separator, const char *names, const char *values)
{
    while (*names != '\0') {
        size_t name_n = strcspn(names, ","), value_n = strcspn(values, "\t");
        put_label(out, separator, names, name_n, values, value_n);
        names += name_n + (names[name_n] == ',');
        values += value_n + (values[value_n] == '\t');
    }
}

/* name{labels} and a blank; bound: a histogram's le, or NULL. */
static void put_name(const struct printing *p, const struct metric_row *row, size_t name_n, const char *suffix, const struct metric_series *s, const char *bound)
{
    const char *separator = "{";
    buf_printf(p->out, "%.*s%s", (int)name_n, row->name, suffix);
    if (row->label != NULL)
        put_row_labels(p->out, &separator, row->label, s->label);
    if (bound != NULL)
        put_label(p->out, &separator, "le", 2, bound, strlen(bound));
    buf_put_text(p->out, *separator == ',' ? "} " : " ");
}

static void put_created(const struct printing *p, const struct metric_row *row, const struct metric_series *s)
{
    if (p->format != METRICS_OPENMETRICS || row->type == METRIC_GAUGE)
        return;
    put_name(p, row, family_length(p, row->name, row->type), "_created", s, NULL);
    put_value(p->out, s->created);
}

static void put_bound(const struct printing *p, double bound, char out[32])
{
    struct buf text;
    buf_init(&text, 31);
    buf_printf(&text, "%g%s", bound, p->format == METRICS_OPENMETRICS && bound == floor(bound) ? ".0" : "");
    size_t n = text.n < 31 ? text.n : 31;
    if (n > 0)
        memcpy(out, text.p, n);
    out[n] = '\0';
    buf_release(&text);
}

static void print_histogram(const struct printing *p, const struct metric_row *row, const struct metric_series *s)
{
    uint64_t below = 0;
    char bound[32];
    size_t n = strlen(row->name);
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        below += s->counts[i];
        put_bound(p, metrics_bounds[i], bound);
        put_name(p, row, n, "_bucket", s, bound);
        put_value(p->out, (double)below);
    }
    put_name(p, row, n, "_bucket", s, "+Inf");
    put_value(p->out, (double)s->count);
    put_name(p, row, n, "_sum", s, NULL);
    put_value(p->out, s->value);
    put_name(p, row, n, "_count", s, NULL);
    put_value(p->out, (double)s->count);
}

static void print_series(const struct printing *p, const struct metric_row *row, const struct metric_series *s)
{
    if (row->type == METRIC_HISTOGRAM) {
        print_histogram(p, row, s);
    } else {
        put_name(p, row, strlen(row->name), "", s, NULL);
        put_value(p->out, s->value);
    }
    put_created(p, row, s);
}

static void print_family(const struct printing *p, const struct metric_row *row, const struct metric_family *f)
{
    const struct metric_series zero = {.label = "", .created = p->m->start_seconds};
    put_head(p, row->name, row->type, row->help);
    for (size_t i = 0; i < f->n; i++)
        print_series(p, row, &f->series[i]);
    if (f->n == 0 && row->label == NULL) /* shown from the start, so that a first increase is seen as one */
        print_series(p, row, &zero);
}

static void print_one(const struct printing *p, const char *name, enum metric_type type, const char *help, double value)
{
    put_head(p, name, type, help);
    buf_printf(p->out, "%s ", name);
    put_value(p->out, value);
}

static void print_process(const struct printing *p, double turn_s)
{
    print_one(p, "process_cpu_seconds_total", METRIC_COUNTER, "Total user and system CPU time spent in seconds.", process_cpu_seconds());
    print_one(p, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory size in bytes.", process_resident_bytes());
    print_one(p, "process_virtual_memory_bytes", METRIC_GAUGE, "Virtual memory size in bytes.", process_virtual_bytes());
    print_one(p, "process_open_fds", METRIC_GAUGE, "Number of open file descriptors.", process_open_descriptors());
    print_one(p, "process_max_fds", METRIC_GAUGE, "Maximum number of open file descriptors.", process_max_descriptors());
    print_one(p, "process_start_time_seconds", METRIC_GAUGE, "Start time of the process since unix epoch in seconds.", p->m->start_seconds);
    print_one(p, "xsale_bridge_loop_turn_seconds", METRIC_GAUGE, "For how long the loop's present turn has lasted; over 30 it stands still.", turn_s);
    put_head(p, "xsale_bridge_build_info", METRIC_GAUGE, "Always 1; its labels say what runs.");
    buf_put_text(p->out, "xsale_bridge_build_info{program=\"");
    put_escaped(p->out, p->m->program, strlen(p->m->program), true);
    buf_put_text(p->out, "\",version=\"" BRIDGE_VERSION "\"} 1\n");
    if (p->format == METRICS_OPENMETRICS)
        buf_put_text(p->out, "# EOF\n");
}

void metrics_print(const struct metrics *m, enum metrics_format format, double turn_s, struct buf *out)
{
    struct printing p = {m, format, out};
    for (size_t i = 0; i < m->rows_n; i++)
        print_family(&p, &m->rows[i], &m->families[i]);
    for (size_t i = 0; i < SHARED_METRICS; i++)
        if (m->families[m->rows_n + i].n > 0)
            print_family(&p, &metrics_shared_rows[i], &m->families[m->rows_n + i]);
    print_process(&p, turn_s);
}

void metrics_print_process(const struct metrics *m, enum metrics_format format, double turn_s, struct buf *out)
{
    struct printing p = {m, format, out};
    print_process(&p, turn_s);
}
