#include "common/program/program.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/service_manager.h"
#include "common/program/concealment.h"
#include "common/program/descriptors.h"
#include "common/program/last_words.h"
#include "common/program/program_document.h"
#include "common/program/program_options.h"

extern char **environ;

enum { EXIT_DONE = 0, EXIT_WORK = 1, EXIT_USAGE = 2, TEXT_MAX = 4 * 1024 * 1024, PROBLEMS_TOLD = 20 };

struct program {
    const struct program_desc *desc;
    struct program_options options;
    struct config *config;
    struct log *log;
    struct loop *loop;
    struct health *health;
    struct metrics *metrics;
    struct worker *worker;
    struct http_server *server;
    struct service_manager *manager;
    struct descriptor_watch *descriptors;
    void *state;
    bool stopping, finished;
    int code;
};

struct config *program_config(struct program *p)
{
    return p->config;
}

struct log *program_log(struct program *p)
{
    return p->log;
}

struct loop *program_loop(struct program *p)
{
    return p->loop;
}

struct health *program_health(struct program *p)
{
    return p->health;
}

struct metrics *program_metrics(struct program *p)
{
    return p->metrics;
}

void program_resource(struct program *p, const char *path, http_resource_fn *fn, void *arg)
{
    if (p->server != NULL)
        http_server_resource(p->server, path, fn, arg);
}

struct worker *program_worker(struct program *p)
{
    return p->worker;
}

const char *program_option_value(const struct program *p, const char *name)
{
    for (size_t i = 0; i < p->options.own_n; i++)
        if (strcmp(p->options.own_options[i].name, name) == 0)
            return p->options.own[i];
    return NULL;
}

const char *program_option_again(const struct program *p, const char *name, size_t i)
{
    for (size_t k = 0; k < p->options.given_n; k++)
        if (strcmp(p->options.given[k].option->name, name) == 0 && i-- == 0)
            return p->options.given[k].value;
    return NULL;
}

size_t program_arguments(const struct program *p)
{
    return p->options.arguments_n;
}

const char *program_argument(const struct program *p, size_t i)
{
    return p->options.arguments[i];
}

static const char *port_key(const struct program *p)
{
    if (p->options.command != NULL)
        return p->options.command->port_key;
    return p->desc->quiet_option != NULL && program_option_value(p, p->desc->quiet_option) != NULL ? NULL : p->desc->port_key;
}

void program_finish(struct program *p, int code, const char *words)
{
    if (p->finished) /* the first end counts */
        return;
    p->finished = true;
    p->code = code;
    if (code != EXIT_DONE && words != NULL)
        log_fact(p->log, LOG_ERROR, "program", NULL, "cannot go on", LOG_S("why", words));
    loop_stop(p->loop);
}

static void on_stop(void *arg)
{
    struct program *p = arg;
    if (p->finished)
        return;
    if (p->stopping) {
        log_fact(p->log, LOG_WARN, "program", NULL, "drain abandoned", LOG_S("why", "second signal"));
        p->finished = true;
        p->code = EXIT_WORK;
        loop_stop(p->loop);
        return;
    }
    p->stopping = true;
    service_manager_stopping(p->manager);
    log_fact(p->log, LOG_INFO, "program", NULL, "stopping", LOG_S("why", "signal"));
    const struct program_command *command = p->options.command;
    (command != NULL ? command->stop : p->desc->stop)(p->state);
}

static bool put_out(FILE *to, struct buf *text)
{
    const char *p = buf_text(text);
    return p != NULL && fputs(p, to) >= 0 && fflush(to) == 0;
}

/* Loads the configuration and checks all of it. RC_REJECT: it is wrong; every problem is in problems. RC_FATAL: memory. */
static enum rc load_config(const struct program *p, struct config **out, struct config_problems *problems)
{
    struct config_source source = {
        .file = p->options.file,
        .overrides = p->options.overrides,
        .overrides_n = p->options.overrides_n,
        .environ_ = (const char *const *)environ,
        .program = p->desc->config_bit,
    };
    enum rc rc = config_load_anyway(&source, out, problems);
    if (rc == RC_FATAL)
        return rc;
    if (*out != NULL && p->desc->check != NULL)
        p->desc->check(*out, problems);
    config_problems_sort(problems, p->options.file);
    return rc == RC_OK && problems->count == 0 && problems->text.n == 0 ? RC_OK : RC_REJECT;
}

/* At start; the problems go to standard error. */
static int load(struct program *p)
{
    struct config_problems problems = {0};
    buf_init(&problems.text, TEXT_MAX);
    enum rc rc = load_config(p, &p->config, &problems);
    int code = rc == RC_OK ? EXIT_DONE : rc == RC_REJECT ? EXIT_USAGE : EXIT_WORK;
    if (rc == RC_FATAL)
        (void)fprintf(stderr, "%s: out of memory\n", p->desc->name);
    else if (code != EXIT_DONE && !put_out(stderr, &problems.text))
        code = EXIT_WORK;
    buf_release(&problems.text);
    return code;
}

/* ---- SIGHUP */

static void set_log(struct program *p);

static void on_difference(void *arg, const char *name, bool taken_over)
{
    struct program *p = arg;
    log_fact(p->log, taken_over ? LOG_INFO : LOG_WARN, "program", NULL, taken_over ? "setting taken over" : "setting changed, but needs a restart",
             LOG_S("key", name));
}

static void tell_problems(struct program *p, struct config_problems *problems)
{
    const char *line = buf_text(&problems->text);
    for (unsigned i = 0; line != NULL && *line != '\0' && i < PROBLEMS_TOLD; i++) {
        char words[600];
        size_t n = strcspn(line, "\n");
        (void)snprintf(words, sizeof words, "%.*s", (int)n, line); /* cut is fine */
        log_fact(p->log, LOG_ERROR, "program", NULL, "configuration not taken over", LOG_S("why", words));
        line += n + (line[n] == '\n');
    }
}

/* All or nothing: a configuration that would not start changes nothing. Secrets in files are read again in any case, as every 30 s. */
static void on_reload(void *arg)
{
    struct program *p = arg;
    struct config *now = NULL;
    struct config_problems problems = {0};
    buf_init(&problems.text, TEXT_MAX);
    service_manager_reloading(p->manager);
    enum rc rc = load_config(p, &now, &problems);
    if (rc == RC_OK)
        rc = config_take_over(p->config, now, on_difference, p);
    if (rc == RC_REJECT)
        tell_problems(p, &problems);
    else if (rc == RC_FATAL)
        log_fact(p->log, LOG_ERROR, "program", NULL, "configuration not taken over", LOG_S("why", "out of memory"));
    config_destroy(now);
    buf_release(&problems.text);
    bool changed = config_refresh_secrets(p->config);
    set_log(p);
    log_fact(p->log, LOG_INFO, "program", NULL, "reloaded", LOG_S("configuration", rc == RC_OK ? "read" : "left as it was"),
             LOG_S("secrets", changed ? "changed" : "unchanged"));
    if (p->desc->reload != NULL)
        p->desc->reload(p->state);
    service_manager_ready(p->manager);
}

/* What ends before any work begins: --help, --version, --print-config, --check-config. */
static int inform(struct program *p, int loaded)
{
    int code = loaded;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (p->options.help)
        program_help(p->desc, p->options.command, &text);
    else if (p->options.version)
        buf_printf(&text, "%s %s\n", p->desc->name, BRIDGE_VERSION);
    else if (p->options.print_config && p->config != NULL)
        config_print(p->config, &text);
    else if (p->options.check_config && loaded == EXIT_DONE)
        buf_put_text(&text, "configuration ok\n");
    if ((text.n > 0 || buf_failed(&text)) && !put_out(stdout, &text))
        code = EXIT_WORK;
    buf_release(&text);
    return code;
}

static int position(const char *const *names, int n, const char *name)
{
    int i = 0;
    while (i < n - 1 && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static void set_log(struct program *p)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    static const char *const formats[] = {"text", "json"};
    int level = position(levels, 4, config_text(p->config, "log.level"));
    if (port_key(p) == NULL && level == LOG_INFO) /* a command at a terminal: its answer is what is wanted */
        level = LOG_WARN;
    log_set(p->log, (enum log_level)level, (enum log_format)position(formats, 2, config_text(p->config, "log.format")));
}

static enum rc open_log(struct program *p, struct err *e)
{
    p->log = log_create(p->desc->name, STDERR_FILENO, clock_system());
    if (p->log == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    set_log(p);
    return RC_OK;
}

/* Signals are blocked before the first thread exists, so that every thread inherits it and only the loop sees them. */
static enum rc open_loop(struct program *p, struct err *e)
{
    if ((p->loop = loop_create(clock_system(), e)) == NULL)
        return RC_FATAL;
    enum rc rc = loop_on_signal(p->loop, SIGTERM, on_stop, p, e);
    if (rc == RC_OK)
        rc = loop_on_signal(p->loop, SIGINT, on_stop, p, e);
    if (rc == RC_OK)
        rc = loop_on_signal(p->loop, SIGHUP, on_reload, p, e);
    return rc;
}

static enum rc open_server(struct program *p, struct err *e)
{
    const char *address = config_text(p->config, "http.address");
    int port = (int)config_int(p->config, port_key(p));
    enum rc rc = http_server_create(p->loop, address, port, p->health, p->metrics, &p->server, e);
    if (rc == RC_OK)
        log_fact(p->log, LOG_INFO, "program", NULL, "listening", LOG_S("address", address),
                 LOG_I("port", http_server_port(p->server)));
    return rc;
}

static enum rc open_shared(struct program *p, struct err *e)
{
    p->health = health_create(clock_system(), p->log);
    p->metrics = metrics_create(p->desc->name, p->desc->metrics, p->desc->metrics_n);
    if (p->health == NULL || p->metrics == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    health_publish(p->health, p->metrics);
    if ((p->worker = worker_create(p->loop, e)) == NULL || service_manager_create(p->loop, p->health, &p->manager, e) != RC_OK)
        return RC_FATAL;
    if ((p->descriptors = descriptor_watch_create(p->loop, p->health)) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    return port_key(p) != NULL ? open_server(p, e) : RC_OK;
}

static enum rc open_all(struct program *p, struct err *e)
{
    enum rc rc = open_log(p, e);
    if (rc != RC_OK)
        return rc;
    log_fact(p->log, LOG_INFO, "program", NULL, "started", LOG_S("program", p->desc->name), LOG_S("version", BRIDGE_VERSION),
             LOG_I("pid", getpid()));
    if (port_key(p) != NULL && p->desc->connections != NULL) /* a command at a terminal ends when it cannot go on */
        rc = descriptors_claim(descriptors_needed(p->config, p->desc->connections(p->config)), e);
    if (rc == RC_OK && (rc = open_loop(p, e)) == RC_OK)
        rc = open_shared(p, e);
    return rc;
}

static void close_all(struct program *p)
{
    const struct program_command *command = p->options.command;
    (command != NULL ? command->release : p->desc->release)(p->state);
    service_manager_destroy(p->manager);
    descriptor_watch_destroy(p->descriptors);
    http_server_destroy(p->server);
    if (p->worker != NULL)
        worker_destroy(p->worker);
    loop_destroy(p->loop);
    metrics_destroy(p->metrics);
    health_destroy(p->health);
    log_flush(p->log);
    if (p->log != NULL)
        log_fact(p->log, LOG_INFO, "program", NULL, "ended", LOG_I("code", p->code));
    log_destroy(p->log);
}

static int work(struct program *p)
{
    struct err e = {0};
    const struct program_command *command = p->options.command;
    enum rc rc = open_all(p, &e);
    if (rc == RC_OK && (rc = (command != NULL ? command->start : p->desc->start)(p, &p->state, &e)) == RC_REJECT)
        p->code = EXIT_USAGE;
    else if (rc != RC_OK)
        p->code = EXIT_WORK;
    if (rc == RC_OK && !p->finished) {
        service_manager_ready(p->manager);
        loop_run(p->loop);
    } else if (rc != RC_OK && p->log != NULL) {
        log_fact(p->log, LOG_ERROR, "program", NULL, "cannot start", LOG_S("why", e.text));
    }
    close_all(p);
    return p->code;
}

/* librdkafka's threads fill buffers that the loop's thread frees. Left to itself glibc gives each thread a heap that only grows, and learns from the first large
 * buffer that is freed to keep the next ones. */
static void bound_heaps(void)
{
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

int program_main(const struct program_desc *d, int argc, char **argv)
{
    struct program p = {.desc = d};
    struct err e = {0};
    int code = EXIT_USAGE;
    if (program_document_asked(argc, argv))
        return program_document(d, argc, argv);
    bound_heaps();
    enum rc rc = conceal_memory(&e); /* passwords and people's addresses */
    if (rc == RC_OK)
        rc = last_words_prepare(&e);
    if (rc == RC_OK)
        rc = conceal_arguments(argc, argv, environ, &e);
    if (rc == RC_OK)
        rc = program_options_parse(&p.options, d, argc, argv, &e);
    if (rc != RC_OK) {
        (void)fprintf(stderr, "%s: %s\nSee %s --help.\n", d->name, e.text, d->name);
        code = rc == RC_FATAL ? EXIT_WORK : EXIT_USAGE;
    } else if (p.options.help || p.options.version) {
        code = inform(&p, EXIT_DONE);
    } else {
        code = load(&p);
        if (p.options.print_config || p.options.check_config)
            code = inform(&p, code);
        else if (code == EXIT_DONE)
            code = work(&p);
    }
    config_destroy(p.config);
    program_options_release(&p.options);
    return code;
}
