/* erp-consumer: loads orders from Kafka into the ERP and says what became of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/kafka_conf.h"
#include "common/kafka/registry.h"
#include "common/program/program.h"
#include "consumer/consumer_metrics.h"
#include "consumer/erp_check.h"
#include "consumer/erp_sink.h"
#include "consumer/erp_view.h"
#include "consumer/fate_rules.h"
#include "consumer/loader.h"
#include "consumer/sql_session.h"

struct state {
    struct program *program;
    struct loader *loader;   /* NULL with --check-erp */
    struct erp_check *check; /* NULL without */
};

/* A warehouse that no order can name would wait for ever. */
static void check_warehouse(const struct config *c, struct config_problems *problems)
{
    const char *ours = config_text(c, "consumer.warehouse");
    size_t n = config_list_count(c, "warehouses.known");
    for (size_t i = 0; i < n; i++)
        if (strcmp(config_list_item(c, "warehouses.known", i), ours) == 0)
            return;
    if (n > 0 && *ours != '\0')
        config_problem(c, problems, "consumer.warehouse", "is not one of warehouses.known");
}

static void check(const struct config *c, struct config_problems *problems)
{
    const struct erp_sink_ops *ops = erp_sink_find(config_text(c, "erp.sink"));
    kafka_conf_check(c, problems);
    registry_check(c, problems);
    check_warehouse(c, problems);
    erp_view_check(c, problems);
    fate_rules_check(c, problems);
    if (ops == NULL)
        config_problem(c, problems, "erp.sink", "this build has no such sink; it has http, sql and file");
    else
        ops->check(c, problems);
}

static size_t connections(const struct config *c)
{
    const struct erp_sink_ops *ops = erp_sink_find(config_text(c, "erp.sink"));
    return ops != NULL && ops->connections != NULL ? ops->connections(c) : 0;
}

static void finished(void *arg, int code, const char *words)
{
    struct state *s = arg;
    program_finish(s->program, code, words);
}

static unsigned orders(void *arg, const char *rest, struct buf *out)
{
    const struct state *s = arg;
    return loader_orders(s->loader, rest, out);
}

static enum rc start_check(struct state *s, struct err *e)
{
    struct program *p = s->program;
    struct erp_check_env env = {.loop = program_loop(p), .config = program_config(p), .log = program_log(p), .out = stdout,
                                .order = program_option_value(p, "--check-order"), .finished = finished, .arg = s};
    return erp_check_create(&env, &s->check, e);
}

static enum rc start(struct program *p, void **state, struct err *e)
{
    struct state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    s->program = p;
    *state = s;
    if (program_option_value(p, "--check-erp") != NULL)
        return start_check(s, e);
    if (program_option_value(p, "--check-order") != NULL) {
        err_set(e, "--check-order is for --check-erp");
        return RC_REJECT;
    }
    struct loader_env env = {.loop = program_loop(p), .worker = program_worker(p), .config = program_config(p), .log = program_log(p),
                             .health = program_health(p), .metrics = program_metrics(p),
                             .until_end = program_option_value(p, "--until-end") != NULL, .finished = finished, .arg = s};
    enum rc rc = loader_create(&env, &s->loader, e);
    if (rc == RC_OK)
        program_resource(p, "/orders", orders, s);
    return rc;
}

static void stop(void *state)
{
    struct state *s = state;
    if (s->check != NULL)
        program_finish(s->program, ERP_CHECK_FAILED, "interrupted");
    else
        loader_stop(s->loader);
}

static void release(void *state)
{
    struct state *s = state;
    if (s == NULL)
        return;
    loader_destroy(s->loader);
    erp_check_destroy(s->check);
    free(s);
}

static const struct program_option options[] = {
    {"--until-end", NULL, "Work off what is there, then end."},
    {"--check-erp", NULL, "Offer a test order to the configured ERP in every way that the bridge may offer one (twice, edited, older, withdrawn, late), and say "
                          "line by line whether the ERP keeps its part of the promise: exit code 3 if not. Neither Kafka nor a registry is needed. What is loaded is "
                          "withdrawn at the end, where withdrawals are passed on."},
    {"--check-order", "FILE", "The order for --check-erp, as xSale sends it, with articles that the ERP knows; its id is replaced."},
};

static const struct program_desc desc = {
    .name = "erp-consumer",
    .summary = "load orders from Kafka into an ERP",
    .description = "Reads the orders topic, hands each order to the ERP of its warehouse (an HTTP API, a database, or files), and publishes what became of "
                   "it. Orders of one key are loaded one after another; different orders at the same time.\n\n"
                   "While the ERP is down nothing is lost and nothing is rejected: one order at a time is tried until it answers. An order "
                   "that the ERP refuses gets the outcome REJECTED with the ERP's words and is copied to the dead-letter topic.\n\n"
                   "An order's offset is committed only after its outcome was acknowledged; after a crash it is loaded again under the same "
                   "idempotency key.",
    .config_bit = CONFIG_CONSUMER,
    .port_key = "http.consumer_port",
    .connections = connections,
    .quiet_option = "--check-erp",
    .options = options,
    .options_n = sizeof options / sizeof *options,
    .metrics = consumer_metrics,
    .metrics_n = CONSUMER_METRICS,
    .check = check,
    .start = start,
    .stop = stop,
    .release = release,
};

int main(int argc, char **argv)
{
    struct err e;
    if (sql_session_prepare(&e) != RC_OK) {
        (void)fprintf(stderr, "%s: %s\n", desc.name, e.text);
        return EXIT_FAILURE;
    }
    return program_main(&desc, argc, argv);
}
