#include "common/net/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { VALUE_ROOM = 96 };

static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

struct series { /* one label value of a row */
    char label[VALUE_ROOM];
    double value;             /* of a histogram: the sum */
    uint64_t counts[BOUNDS];  /* not cumulative: added up when printed */
    uint64_t count;
};

struct family {
    struct series *series; /* n of room, owned */
    size_t n, room;
};

struct metrics {
    const char *program;
    const struct metric_row *rows;
    size_t rows_n;
    double start_seconds; /* wall clock */
    struct family *families; /* rows_n, owned */
};

struct metrics *metrics_create(const char *program, const struct metric_row *rows, size_t rows_n)
{
    struct timespec now = {0};
    struct metrics *m = calloc(1, sizeof *m);
    if (m == NULL || (m->families = calloc(rows_n + 1, sizeof *m->families)) == NULL) {
        free(m);
        return NULL;
    }
    m->program = program;
    m->rows = rows;
    m->rows_n = rows_n;
    if (clock_gettime(CLOCK_REALTIME, &now) == 0)
        m->start_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    return m;
}

void metrics_destroy(struct metrics *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->rows_n; i++)
        free(m->families[i].series);
    free(m->families);
    free(m);
}

static struct series *new_series(struct family *f, const char *label)
{
    if (f->n == f->room) {
        size_t room = f->room == 0 ? 1 : f->room * 2;
        struct series *grown = realloc(f->series, room * sizeof *grown);
        if (grown == NULL)
            return NULL;
        f->series = grown;
        f->room = room;
    }
    struct series *s = &f->series[f->n++];
    *s = (struct series){0};
    (void)snprintf(s->label, sizeof s->label, "%s", label);
    return s;
}

static struct series *find(struct family *f, const char *label)
{
    for (size_t i = 0; i < f->n; i++)
        if (strncmp(f->series[i].label, label, VALUE_ROOM - 1) == 0)
            return &f->series[i];
    return NULL;
}

/* A count that cannot be kept for want of memory is lost: no reason to stop an order. */
static struct series *series_of(struct metrics *m, size_t row, const char *label_value)
{
    if (m == NULL || row >= m->rows_n)
        return NULL;
    struct family *f = &m->families[row];
    const char *label = m->rows[row].label == NULL || label_value == NULL ? "" : label_value;
    struct series *s = find(f, label);
    if (s == NULL && f->n >= METRICS_LABELS) {
        label = "other";
        s = find(f, label);
    }
    return s != NULL ? s : new_series(f, label);
}

void metrics_add(struct metrics *m, size_t row, const char *label_value, double amount)
{
    struct series *s = series_of(m, row, label_value);
    if (s != NULL)
        s->value += amount;
}

void metrics_set(struct metrics *m, size_t row, const char *label_value, double value)
{
    struct series *s = series_of(m, row, label_value);
    if (s != NULL)
        s->value = value;
}

void metrics_observe(struct metrics *m, size_t row, const char *label_value, double seconds)
{
    struct series *s = series_of(m, row, label_value);
    if (s == NULL)
        return;
    s->value += seconds;
    s->count++;
    for (size_t i = 0; i < BOUNDS; i++)
        if (seconds <= bounds[i]) {
            s->counts[i]++;
            return;
        }
}

static void put_escaped(struct buf *out, const char *text, bool quotes)
{
    for (const char *p = text; *p != '\0'; p++)
        if (*p == '\n')
            buf_put_text(out, "\\n");
        else if (*p == '\\' || (quotes && *p == '"'))
            buf_printf(out, "\\%c", *p);
        else
            buf_put_byte(out, (unsigned char)*p);
}

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s ", name);
    put_escaped(out, help, false);
    buf_printf(out, "\n# TYPE %s %s\n", name, type);
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
}

static void put_name(struct buf *out, const struct metric_row *row, const char *suffix, const char *label)
{
    buf_printf(out, "%s%s", row->name, suffix);
    if (row->label == NULL)
        return;
    buf_printf(out, "{%s=\"", row->label);
    put_escaped(out, label, true);
    buf_put_text(out, "\"}");
}

static void print_histogram(struct buf *out, const struct metric_row *row, const struct series *s)
{
    uint64_t below = 0;
    for (size_t i = 0; i <= BOUNDS; i++) {
        below = i < BOUNDS ? below + s->counts[i] : s->count;
        buf_printf(out, "%s_bucket{", row->name);
        if (row->label != NULL) {
            buf_printf(out, "%s=\"", row->label);
            put_escaped(out, s->label, true);
            buf_put_text(out, "\",");
        }
        if (i < BOUNDS)
            buf_printf(out, "le=\"%g\"} %llu\n", bounds[i], (unsigned long long)below);
        else
            buf_printf(out, "le=\"+Inf\"} %llu\n", (unsigned long long)below);
    }
    put_name(out, row, "_sum", s->label);
    buf_put_byte(out, ' ');
    put_value(out, s->value);
    buf_put_byte(out, '\n');
    put_name(out, row, "_count", s->label);
    buf_printf(out, " %llu\n", (unsigned long long)s->count);
}

static void print_series(struct buf *out, const struct metric_row *row, const struct series *s)
{
    if (row->type == METRIC_HISTOGRAM) {
        print_histogram(out, row, s);
        return;
    }
    put_name(out, row, "", s->label);
    buf_put_byte(out, ' ');
    put_value(out, s->value);
    buf_put_byte(out, '\n');
}

static void print_family(struct buf *out, const struct metric_row *row, const struct family *f)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    static const struct series zero = {.label = ""};
    put_head(out, row->name, types[row->type], row->help);
    for (size_t i = 0; i < f->n; i++)
        print_series(out, row, &f->series[i]);
    if (f->n == 0 && row->label == NULL) /* shown from the start, so that a first increase is seen as one */
        print_series(out, row, &zero);
}

static void print_one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    put_head(out, name, type, help);
    buf_printf(out, "%s ", name);
    put_value(out, value);
    buf_put_byte(out, '\n');
}

static double resident_bytes(void)
{
    char text[128];
    long long pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd); /* only read from */
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%*s %lld", &pages) != 1)
        return 0;
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    double n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        n += entry->d_name[0] != '.';
    (void)closedir(dir); /* only read from */
    return n - 1;        /* the directory's own */
}

static double cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) / 1e6;
}

static void print_process(const struct metrics *m, struct buf *out)
{
    print_one(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", resident_bytes());
    print_one(out, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", cpu_seconds());
    print_one(out, "process_open_fds", "gauge", "Number of open file descriptors.", open_descriptors());
    print_one(out, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
              m->start_seconds);
    put_head(out, "xsale_bridge_build_info", "gauge", "Always 1; its labels say what runs.");
    buf_put_text(out, "xsale_bridge_build_info{program=\"");
    put_escaped(out, m->program, true);
    buf_put_text(out, "\",version=\"" BRIDGE_VERSION "\"} 1\n");
}

void metrics_print(const struct metrics *m, struct buf *out)
{
    for (size_t i = 0; i < m->rows_n; i++)
        print_family(out, &m->rows[i], &m->families[i]);
    print_process(m, out);
}
