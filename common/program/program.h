/* What every program's main shares: options, configuration, log, loop, metrics, HTTP port, signals, exit codes.
 * Common options: -c FILE, -X section.key=value, --check-config, --print-config, --version, --help.
 * First SIGTERM or SIGINT: ops->stop (drain); a second one abandons the drain. SIGHUP: the configuration is read again,
 * checked whole, and the keys that the table marks `reload` take over their new values; then desc->reload.
 * Exit codes: 0 done, 1 a failure at work, 2 wrong configuration or usage, 3 the question that a command was asked has the answer no. */
#ifndef BRIDGE_PROGRAM_PROGRAM_H
#define BRIDGE_PROGRAM_PROGRAM_H

#include <stdbool.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/health.h"
#include "common/net/http_server.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"
#include "common/net/worker.h"

struct program_option { /* one row drives parsing, --help and the man page */
    const char *name;   /* "--once" */
    const char *argument; /* "FILE" or NULL */
    const char *doc;
};

struct program;

/* One row: a command of a program that has several, as in `order-replay tail --follow`. It takes the program's place in start, stop and release, which mean
 * the same as there. */
struct program_command {
    const char *name;      /* "tail" */
    const char *arguments; /* for the synopsis, "ORDER..."; NULL: it takes none */
    size_t arguments_min, arguments_max;
    const char *summary;   /* one line */
    const char *description;
    const struct program_option *options; /* options_n */
    size_t options_n;
    const char *port_key;  /* NULL: serves no HTTP, and logs only warnings and errors unless log.level is debug */
    enum rc (*start)(struct program *p, void **state, struct err *e);
    void (*stop)(void *state);
    void (*release)(void *state);
};

struct program_desc {
    const char *name;      /* "erp-consumer" */
    const char *summary;   /* one line */
    const char *description; /* for --help and the man page: paragraphs separated by an empty line */
    unsigned config_bit;   /* CONFIG_CONSUMER ... */
    const char *port_key;  /* "http.consumer_port" */
    size_t (*connections)(const struct config *c); /* the most to xSale or the ERP at once; may be NULL where port_key is */
    const char *quiet_option; /* given, it serves no HTTP and logs as a command without port_key does; NULL: none does so */
    const struct program_option *options; /* own options, options_n, besides the common ones */
    size_t options_n;
    const struct program_command *commands; /* commands_n; 0: the program is one command itself. Else start, stop and release are NULL */
    size_t commands_n;
    const struct metric_row *metrics;
    size_t metrics_n;
    /* Checks that need more than the table (schemas, statuses that must differ, sink's own keys): for --check-config and at start;
     * no network. Adds a line per problem to problems; may be NULL. */
    void (*check)(const struct config *c, struct config_problems *problems);
    /* Builds the program on the loop; *state is its own. RC_FATAL ends with exit 1, RC_REJECT with exit 2. */
    enum rc (*start)(struct program *p, void **state, struct err *e);
    void (*stop)(void *state);   /* drain, then program_finish; must not block */
    void (*reload)(void *state); /* takes over what it keeps copies of; may be NULL */
    void (*release)(void *state); /* after the loop ended; state may be NULL */
};

/* The shared parts; borrowed, alive from start to release. */
struct config *program_config(struct program *p);
struct log *program_log(struct program *p);
struct loop *program_loop(struct program *p);
struct health *program_health(struct program *p);
struct metrics *program_metrics(struct program *p);
struct worker *program_worker(struct program *p);
/* Serves the resource at the program's HTTP port; from start on, where there is one. fn is called while the loop runs only. */
void program_resource(struct program *p, const char *path, http_resource_fn *fn, void *arg);
/* Was this own option given? Its argument, "" for an option without; NULL: not given. */
const char *program_option_value(const struct program *p, const char *name);
/* The argument that it was given for the i-th time, from 0; NULL: not so often. */
const char *program_option_again(const struct program *p, const char *name, size_t i);
/* The command's arguments, i < program_arguments. */
size_t program_arguments(const struct program *p);
const char *program_argument(const struct program *p, size_t i);

/* Ends the loop; exit code 0, 1, or the command's own. words: logged as an error; NULL: the caller has told it already. */
void program_finish(struct program *p, int code, const char *words);

/* The whole life of a process; returns its exit code. */
int program_main(const struct program_desc *d, int argc, char **argv);

/* --help text, mdoc man page and bash completion of a program, from its tables; command: help of one of its commands, NULL: of the program;
 * date: of the page, "November 27, 2026". */
void program_help(const struct program_desc *d, const struct program_command *command, struct buf *out);
void program_man(const struct program_desc *d, const char *date, struct buf *out);
void program_completion(const struct program_desc *d, struct buf *out);

#endif
