#include "producer/updater.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_listing.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/registry.h"
#include "common/kafka/topics.h"
#include "producer/order_mapping.h"
#include "producer/updating.h"
#include "producer/writer_schemas.h"
#include "producer/xsale_client.h"

enum { TICK_MS = 200, SECRETS_MS = 5000 };

struct updater {
    struct program *program;
    struct config *config;
    struct log *log;
    struct loop *loop;
    struct metrics *metrics;
    char outcomes[250], status[250], dlq[250];
    struct order_mapping *mapping;
    struct topics *topics;
    struct registry *registry;
    struct writer_schemas *schemas;
    struct xsale_client *xsale;
    struct publisher *publisher;
    struct schema *row_schema;
    struct updating *updating; /* NULL until everything that it needs is there */
    int32_t partitions, row_schema_id;
    struct loop_timer tick;
    int64_t secrets_at; /* monotonic ms */
    bool topics_ok, schema_ok, xsale_ok, stopping, until_end, worked_off;
    int code; /* exit code, with its words */
    struct err failure;
};

static const char stopped_early[] = "stopped before everything was worked off"; /* with --until-end */

static struct health *health(struct updater *u)
{
    return program_health(u->program);
}

/* Ends with exit code 1; leaves the group first, so that a successor need not wait for the session to time out. */
static void fail(struct updater *u, const char *words)
{
    if (u->updating == NULL || u->stopping) {
        program_finish(u->program, 1, words);
        return;
    }
    err_set(&u->failure, "%s", words);
    u->code = 1;
    updater_stop(u);
}

static void on_closed(void *arg)
{
    struct updater *u = arg;
    if (u->code == 0 && u->until_end && !u->worked_off)
        program_finish(u->program, 1, stopped_early);
    else
        program_finish(u->program, u->code, u->failure.text);
}

static void on_failed(void *arg, const char *words)
{
    fail(arg, words);
}

static const struct updating_ops updating_ops = {on_closed, on_failed};

static void until_end(struct updater *u)
{
    const char *words = NULL;
    switch (updating_left(u->updating, &words)) {
    case UPDATING_WORK:
        break;
    case UPDATING_NOTHING:
        u->worked_off = true;
        updater_stop(u);
        break;
    case UPDATING_REFUSED:
        fail(u, words);
        break;
    }
}

static void on_tick(void *arg)
{
    struct updater *u = arg;
    loop_timer_in(u->loop, &u->tick, TICK_MS, on_tick, u);
    if (loop_now(u->loop) >= u->secrets_at) {
        u->secrets_at = loop_now(u->loop) + SECRETS_MS;
        if (config_refresh_secrets(u->config))
            xsale_client_secrets_changed(u->xsale);
    }
    if (u->updating == NULL)
        return;
    updating_tick(u->updating);
    if (u->until_end && !u->stopping)
        until_end(u);
}

/* ---- the start */

static void begin(struct updater *u)
{
    struct err e = {0};
    if (!u->topics_ok || !u->schema_ok || !u->xsale_ok || u->updating != NULL || u->stopping)
        return;
    struct updating_parts parts = {.loop = u->loop, .worker = program_worker(u->program), .config = u->config, .log = u->log, .health = health(u),
                                   .metrics = u->metrics, .publisher = u->publisher, .schemas = u->schemas, .xsale = u->xsale,
                                   .encoder = order_mapping_encoder(u->mapping), .outcomes = u->outcomes, .status = u->status, .dlq = u->dlq,
                                   .partitions = u->partitions, .row_schema_id = u->row_schema_id};
    if (updating_create(&parts, &updating_ops, u, &u->updating, &e) != RC_OK)
        fail(u, e.text);
}

static void on_topics(void *arg, enum rc rc, const struct topics_found *found, const char *words)
{
    struct updater *u = arg;
    if (rc != RC_OK) {
        fail(u, words);
        return;
    }
    u->partitions = found->partitions[TOPIC_OUTCOMES];
    if (found->partitions[TOPIC_OUTCOMES] != found->partitions[TOPIC_STATUS]) {
        fail(u, "order-outcomes and order-status have different numbers of partitions: an order's rows must stand in its outcomes' partition");
        return;
    }
    u->topics_ok = true;
    begin(u);
}

static void on_registered(void *arg, enum rc rc, int32_t id, const char *words)
{
    struct updater *u = arg;
    if (rc != RC_OK) {
        fail(u, words);
        return;
    }
    u->row_schema_id = id;
    u->schema_ok = true;
    begin(u);
}

static void on_xsale(void *arg, enum rc rc, const char *words)
{
    struct updater *u = arg;
    if (rc != RC_OK) {
        fail(u, words);
        return;
    }
    u->xsale_ok = true;
    begin(u);
}

/* With --until-end: nobody changes a password meanwhile. */
static void on_refused(void *arg, const char *words)
{
    struct updater *u = arg;
    if (!u->stopping)
        fail(u, words);
}

static void on_count(void *arg, enum xsale_count what, double amount)
{
    static const enum updater_metric rows[] = {
        [XSALE_COUNT_REQUESTS] = UPDATER_REQUESTS,     [XSALE_COUNT_LOGINS] = UPDATER_LOGINS, [XSALE_COUNT_LOGINS_REFUSED] = UPDATER_LOGINS_REFUSED,
        [XSALE_COUNT_QUOTA_WAIT] = UPDATER_QUOTA_WAIT, [XSALE_COUNT_WAITING] = UPDATER_QUOTA_WAITING, [XSALE_COUNT_REPEATS] = UPDATER_REPEATS,
    };
    struct updater *u = arg;
    metrics_add(u->metrics, rows[what], NULL, amount);
}

void updater_check(const struct config *c, struct config_problems *problems)
{
    kafka_conf_check(c, problems);
    registry_check(c, problems);
    xsale_client_check(c, problems);
    order_mapping_check(c, problems);
}

/* Everything that can be built without waiting for anyone. */
static enum rc build(struct updater *u, struct err *e)
{
    struct worker *worker = program_worker(u->program);
    const char *text = schema_builtin("OrderStatus");
    enum rc rc = RC_FATAL;
    if ((rc = order_mapping_open(u->config, &u->mapping, e)) != RC_OK || (rc = schema_parse(text, strlen(text), &u->row_schema, e)) != RC_OK)
        return rc;
    if ((rc = publisher_create(u->loop, u->config, u->log, health(u), &u->publisher, e)) != RC_OK)
        return rc;
    if ((rc = registry_create(u->loop, u->config, u->log, health(u), &u->registry, e)) != RC_OK ||
        (rc = registry_register(u->registry, u->status, u->row_schema, on_registered, u, e)) != RC_OK)
        return rc;
    if ((u->schemas = writer_schemas_create(u->loop, u->log, health(u), u->registry)) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    if ((rc = xsale_client_create(u->loop, u->config, u->log, health(u), config_int(u->config, "updater.requests_per_minute"), &u->xsale, e)) != RC_OK)
        return rc;
    xsale_client_on_count(u->xsale, on_count, u);
    if (u->until_end)
        xsale_client_on_refused(u->xsale, on_refused, u);
    xsale_client_open(u->xsale, on_xsale, u);
    return topics_create(u->loop, worker, u->config, u->log, health(u), 1u << TOPIC_OUTCOMES | 1u << TOPIC_STATUS | 1u << TOPIC_DLQ, on_topics, u,
                         &u->topics, e);
}

static unsigned orders(void *arg, const char *rest, struct buf *out)
{
    const struct updater *u = arg;
    struct order_listing none;
    if (u->updating != NULL)
        return updating_orders(u->updating, rest, out);
    return order_listing_begin(&none, rest, "status-updater", "", "it is still starting", out) ? order_listing_end(&none) : 404;
}

enum rc updater_start(struct program *p, void **state, struct err *e)
{
    struct updater *u = calloc(1, sizeof *u);
    if (u == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    u->program = p;
    u->config = program_config(p);
    u->log = program_log(p);
    u->loop = program_loop(p);
    u->metrics = program_metrics(p);
    u->until_end = program_option_value(p, "--until-end") != NULL;
    kafka_topic_name(u->config, "order-outcomes", u->outcomes);
    kafka_topic_name(u->config, "order-status", u->status);
    kafka_topic_name(u->config, "orders-dlq", u->dlq);
    *state = u;
    enum rc rc = build(u, e);
    if (rc == RC_OK) {
        loop_timer_in(u->loop, &u->tick, TICK_MS, on_tick, u);
        program_resource(p, "/orders", orders, u);
    }
    return rc;
}

void updater_stop(void *state)
{
    struct updater *u = state;
    if (u->stopping)
        return;
    u->stopping = true;
    if (u->updating == NULL)
        program_finish(u->program, u->until_end, stopped_early);
    else
        updating_close(u->updating);
}

void updater_reload(void *state)
{
    struct updater *u = state;
    xsale_client_reload(u->xsale, config_int(u->config, "updater.requests_per_minute"));
}

void updater_release(void *state)
{
    struct updater *u = state;
    if (u == NULL)
        return;
    publisher_destroy(u->publisher);
    updating_destroy(u->updating);
    topics_destroy(u->topics);
    registry_destroy(u->registry);
    writer_schemas_destroy(u->schemas);
    xsale_client_destroy(u->xsale);
    order_mapping_close(u->mapping);
    schema_destroy(u->row_schema);
    loop_timer_clear(u->loop, &u->tick);
    free(u);
}
