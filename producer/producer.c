#include "producer/producer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_listing.h"
#include "common/kafka/group.h"
#include "common/kafka/kafka_conf.h"

enum { TOPIC_BYTES = 250, GROUP_BYTES = 520, SECRETS_MS = 30 * 1000 };
enum { SCHEMA_ORDER, SCHEMA_STATE, SCHEMA_OUTCOME, SCHEMAS };

struct producer;

struct registration { /* of one schema */
    struct producer *p;
    int32_t id; /* 0: not yet */
};

struct producer {
    struct program *program;
    struct loop *loop;
    struct config *config;
    struct log *log;
    struct health *health;
    struct metrics *metrics;
    struct order_mapping *mapping;
    struct schema *schemas[SCHEMAS]; /* SCHEMA_ORDER is the mapping's, not owned */
    struct registration ids[SCHEMAS];
    struct topics *topics;
    struct topics_found found;
    struct registry *registry;
    struct writer_schemas *writer_schemas;
    struct publisher *publisher;
    struct xsale_client *xsale;
    struct order_writer *writer;
    struct group *group;
    struct tenure *tenure; /* NULL: standing by */
    char group_id[GROUP_BYTES];
    struct loop_timer secrets, drain, later, owner_wait;
    bool have_topics, have_xsale, once, polled, stopping, draining, finished; /* polled: with once, a complete poll was made */
    int code; /* exit code, with its words */
    struct err failure;
};

static void begin_failing(void *arg);

static void finish(struct producer *p)
{
    if (p->finished)
        return;
    p->finished = true;
    if (p->code == 0 && p->once && !p->polled) { /* who asked for a poll must not take this for one */
        p->code = 1;
        err_set(&p->failure, "stopped before the poll was complete");
    }
    program_finish(p->program, p->code, p->failure.text);
}

/* Ends with exit code 1; leaves the group first, so that a successor need not wait for the session to time out. The first failure counts. */
static void fail(struct producer *p, const char *words)
{
    if (p->code != 0)
        return;
    err_set(&p->failure, "%s", words);
    p->code = 1;
    if (p->group == NULL)
        finish(p);
    else
        loop_timer_in(p->loop, &p->later, 0, begin_failing, p); /* whoever failed is still on the stack */
}

/* ---- membership */

/* With --once: whoever owns the organization now polls it anyway. */
static void on_owner_wait(void *arg)
{
    struct producer *p = arg;
    char words[GROUP_BYTES + 160];
    (void)snprintf(words, sizeof words, "another replica owns the organization, or the broker does not answer: no poll was made (group %s, producer.once_wait)",
                   p->group_id); /* fits */
    fail(p, words);
}

static void stand_by(struct producer *p)
{
    if (p->once && !p->stopping)
        loop_timer_in(p->loop, &p->owner_wait, config_ms(p->config, "producer.once_wait"), on_owner_wait, p);
    metrics_set(p->metrics, PRODUCER_OWNER, NULL, 0);
    health_set(p->health, "polling", HEALTH_UP, NULL, "stands by: polls when it becomes the owner");
}

static void end_tenure(struct producer *p)
{
    loop_timer_clear(p->loop, &p->drain);
    tenure_destroy(p->tenure);
    p->tenure = NULL;
    p->draining = false;
    stand_by(p);
    group_released(p->group);
}

static void on_drained(void *arg)
{
    end_tenure(arg);
}

static void on_drain_timeout(void *arg)
{
    struct producer *p = arg;
    log_event(p->log, LOG_WARN, "producer", NULL, "not everything was acknowledged in time; it will be repeated",
              LOG_I("records", order_writer_flights(p->writer)));
    end_tenure(p);
}

static void on_commit(void *arg, const int64_t *positions, size_t n)
{
    struct producer *p = arg;
    struct group_partition *parts = calloc(n, sizeof *parts);
    char topic[TOPIC_BYTES];
    size_t m = 0;
    kafka_topic_name(p->config, "order-status", topic);
    for (size_t i = 0; parts != NULL && i < n; i++)
        if (positions[i] >= 0)
            parts[m++] = (struct group_partition){topic, (int32_t)i, positions[i], ""};
    if (m > 0)
        group_commit(p->group, parts, m, NULL, NULL); /* a failed one is made good by the next poll's */
    free(parts);
}

static void begin_stop(void *arg)
{
    producer_stop(arg);
}

/* What failed is not waited for. */
static void begin_failing(void *arg)
{
    struct producer *p = arg;
    producer_stop(p);
    if (p->draining)
        end_tenure(p);
}

static void on_complete(void *arg)
{
    struct producer *p = arg;
    p->polled = true;
    loop_timer_in(p->loop, &p->later, 0, begin_stop, p);
}

static void on_failed(void *arg, const char *words)
{
    fail(arg, words);
}

static void begin_tenure(struct producer *p)
{
    static const struct tenure_ops ops = {.commit = on_commit, .complete = on_complete, .failed = on_failed};
    struct tenure_needs needs = {.loop = p->loop, .worker = program_worker(p->program), .config = p->config, .log = p->log, .health = p->health,
                                 .metrics = p->metrics, .publisher = p->publisher, .schemas = p->writer_schemas, .xsale = p->xsale,
                                 .mapping = p->mapping, .writer = p->writer, .order_schema_id = p->ids[SCHEMA_ORDER].id,
                                 .group_id = p->group_id, .once = p->once};
    memcpy(needs.partitions, p->found.partitions, sizeof needs.partitions);
    loop_timer_clear(p->loop, &p->owner_wait);
    metrics_set(p->metrics, PRODUCER_OWNER, NULL, 1);
    log_event(p->log, LOG_INFO, "producer", NULL, "owns the organization: reads back what was published", LOG_S("group", p->group_id));
    p->tenure = tenure_create(&needs, &ops, p);
    if (p->tenure == NULL)
        fail(p, "producer: out of memory");
}

static void on_assigned(void *arg, struct group_partition *parts, size_t n)
{
    struct producer *p = arg;
    for (size_t i = 0; i < n; i++)
        if (parts[i].partition == 0 && p->tenure == NULL && p->code == 0)
            begin_tenure(p);
}

/* The partition is only a sign of ownership: it is read by a reader of its own, from the beginning. */
static void on_record(void *arg, const struct kafka_record *r)
{
    struct producer *p = arg;
    group_pause(p->group, r->topic, r->partition);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct producer *p = arg;
    (void)offset;
    group_pause(p->group, topic, partition);
}

static void on_revoked(void *arg, const struct group_partition *parts, size_t n, bool lost)
{
    struct producer *p = arg;
    bool ours = false;
    for (size_t i = 0; i < n; i++)
        ours = ours || parts[i].partition == 0;
    if (p->tenure == NULL || !ours) {
        group_released(p->group);
        return;
    }
    log_event(p->log, LOG_INFO, "producer", NULL, lost ? "has lost the organization" : "gives the organization up", LOG_S("group", p->group_id));
    if (lost || p->code != 0) {
        end_tenure(p);
        return;
    }
    p->draining = true;
    loop_timer_in(p->loop, &p->drain, config_ms(p->config, "producer.drain_timeout"), on_drain_timeout, p);
    tenure_stop(p->tenure, on_drained, p);
}

static void join_group(struct producer *p)
{
    static const struct group_ops ops = {.assigned = on_assigned, .record = on_record, .end = on_end, .revoked = on_revoked};
    char topic[TOPIC_BYTES];
    const char *topics[] = {topic};
    struct err e;
    kafka_topic_name(p->config, "order-state", topic);
    stand_by(p);
    if (group_create(p->loop, program_worker(p->program), p->config, p->log, p->health, p->group_id, topics, 1, &ops, p, &p->group, &e) != RC_OK)
        fail(p, e.text);
}

/* ---- start-up */

static enum rc create_writer(struct producer *p)
{
    struct order_writer_needs needs = {.config = p->config, .log = p->log, .clock = loop_clock(p->loop), .publisher = p->publisher,
                                       .organization = xsale_client_organization(p->xsale), .order_schema = p->schemas[SCHEMA_ORDER],
                                       .order_schema_id = p->ids[SCHEMA_ORDER].id, .outcome_schema_id = p->ids[SCHEMA_OUTCOME].id,
                                       .state_schema_id = p->ids[SCHEMA_STATE].id};
    p->writer = order_writer_create(&needs);
    int n = snprintf(p->group_id, sizeof p->group_id, "%s-producer-%s", config_text(p->config, "topics.prefix"), needs.organization);
    return p->writer != NULL && n > 0 && (size_t)n < sizeof p->group_id ? RC_OK : RC_FATAL;
}

static void go_on(struct producer *p)
{
    bool ready = p->have_topics && p->have_xsale && p->group == NULL && !p->stopping && p->code == 0;
    for (int i = 0; i < SCHEMAS; i++)
        ready = ready && p->ids[i].id > 0;
    if (!ready)
        return;
    if (create_writer(p) != RC_OK) {
        fail(p, "producer: out of memory, or names that are too long");
        return;
    }
    join_group(p);
}

static void on_topics(void *arg, enum rc rc, const struct topics_found *found, const char *words)
{
    struct producer *p = arg;
    if (rc != RC_OK) {
        fail(p, words);
        return;
    }
    p->found = *found;
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (found->partitions[i] <= 0) {
            char missing[TOPIC_BYTES + 32];
            char topic[TOPIC_BYTES];
            kafka_topic_name(p->config, topic_table[i].name, topic);
            (void)snprintf(missing, sizeof missing, "topic %s does not exist", topic); /* fits */
            fail(p, missing);
            return;
        }
    p->have_topics = true;
    go_on(p);
}

static void on_schema_id(void *arg, enum rc rc, int32_t id, const char *words)
{
    struct registration *r = arg;
    if (rc != RC_OK) {
        fail(r->p, words);
        return;
    }
    r->id = id;
    go_on(r->p);
}

static void on_xsale(void *arg, enum rc rc, const char *words)
{
    struct producer *p = arg;
    if (rc != RC_OK) {
        fail(p, words);
        return;
    }
    p->have_xsale = true;
    go_on(p);
}

static void on_count(void *arg, enum xsale_count what, double amount)
{
    static const size_t rows[] = {[XSALE_COUNT_REQUESTS] = PRODUCER_REQUESTS, [XSALE_COUNT_LOGINS] = PRODUCER_LOGINS,
                                  [XSALE_COUNT_LOGINS_REFUSED] = PRODUCER_LOGINS_REFUSED, [XSALE_COUNT_QUOTA_WAIT] = PRODUCER_QUOTA_WAIT,
                                  [XSALE_COUNT_WAITING] = PRODUCER_QUOTA_WAITING,
                                  [XSALE_COUNT_REPEATS] = PRODUCER_REPEATS};
    struct producer *p = arg;
    metrics_add(p->metrics, rows[what], NULL, amount);
}

/* With --once: nobody changes a password meanwhile. */
static void on_refused(void *arg, const char *words)
{
    fail(arg, words);
}

static void on_room(void *arg)
{
    struct producer *p = arg;
    if (p->tenure != NULL)
        tenure_room(p->tenure);
}

static void refresh_secrets(void *arg)
{
    struct producer *p = arg;
    if (config_refresh_secrets(p->config))
        xsale_client_secrets_changed(p->xsale);
    loop_timer_in(p->loop, &p->secrets, SECRETS_MS, refresh_secrets, p);
}

static enum rc register_schema(struct producer *p, int which, const char *topic_name, struct err *e)
{
    char topic[TOPIC_BYTES];
    kafka_topic_name(p->config, topic_name, topic);
    p->ids[which].p = p;
    return registry_register(p->registry, topic, p->schemas[which], on_schema_id, &p->ids[which], e);
}

static enum rc open_schemas(struct producer *p, struct err *e)
{
    static const char *const names[SCHEMAS] = {[SCHEMA_STATE] = "OrderState", [SCHEMA_OUTCOME] = "OrderOutcome"};
    enum rc rc = order_mapping_open(p->config, &p->mapping, e);
    if (rc != RC_OK)
        return rc;
    p->schemas[SCHEMA_ORDER] = (struct schema *)order_mapping_schema(p->mapping); /* never freed from here */
    for (int i = SCHEMA_STATE; i < SCHEMAS && rc == RC_OK; i++)
        rc = schema_parse(schema_builtin(names[i]), strlen(schema_builtin(names[i])), &p->schemas[i], e);
    return rc;
}

static enum rc open_parts(struct producer *p, struct err *e)
{
    struct worker *w = program_worker(p->program);
    char topic[TOPIC_BYTES];
    enum rc rc;
    if ((rc = publisher_create(p->loop, p->config, p->log, p->health, &p->publisher, e)) != RC_OK)
        return rc;
    publisher_on_room(p->publisher, on_room, p);
    if ((rc = registry_create(p->loop, p->config, p->log, p->health, &p->registry, e)) != RC_OK)
        return rc;
    if ((p->writer_schemas = writer_schemas_create(p->loop, p->log, p->health, p->registry)) == NULL) {
        err_set(e, "producer: out of memory");
        return RC_FATAL;
    }
    rc = xsale_client_create(p->loop, p->config, p->log, p->health, config_int(p->config, "producer.requests_per_minute"), &p->xsale, e);
    if (rc != RC_OK)
        return rc;
    xsale_client_on_count(p->xsale, on_count, p);
    if (p->once)
        xsale_client_on_refused(p->xsale, on_refused, p);
    unsigned wanted = (1u << TOPIC_COUNT) - 1;
    if ((rc = topics_create(p->loop, w, p->config, p->log, p->health, wanted, on_topics, p, &p->topics, e)) != RC_OK)
        return rc;
    kafka_topic_name(p->config, "orders", topic);
    publisher_warm(p->publisher, topic);
    kafka_topic_name(p->config, "order-state", topic);
    publisher_warm(p->publisher, topic);
    return RC_OK;
}

static enum rc ask_everybody(struct producer *p, struct err *e)
{
    enum rc rc = register_schema(p, SCHEMA_ORDER, "orders", e);
    if (rc == RC_OK)
        rc = register_schema(p, SCHEMA_STATE, "order-state", e);
    if (rc == RC_OK)
        rc = register_schema(p, SCHEMA_OUTCOME, "order-outcomes", e);
    if (rc != RC_OK)
        return rc;
    xsale_client_open(p->xsale, on_xsale, p);
    loop_timer_in(p->loop, &p->secrets, SECRETS_MS, refresh_secrets, p);
    return RC_OK;
}

/* ---- for program_desc */

void producer_check(const struct config *c, struct config_problems *problems)
{
    kafka_conf_check(c, problems);
    registry_check(c, problems);
    xsale_client_check(c, problems);
    order_mapping_check(c, problems);
}

static unsigned orders(void *arg, const char *rest, struct buf *out)
{
    const struct producer *p = arg;
    struct order_listing none;
    if (p->tenure != NULL)
        return tenure_orders(p->tenure, rest, out);
    return order_listing_begin(&none, rest, "xsale-producer", "", "it stands by: another replica polls, or it is still starting", out) ? order_listing_end(&none) : 404;
}

enum rc producer_start(struct program *program, void **state, struct err *e)
{
    struct producer *p = calloc(1, sizeof *p);
    if (p == NULL) {
        err_set(e, "producer: out of memory");
        return RC_FATAL;
    }
    p->program = program;
    p->loop = program_loop(program);
    p->config = program_config(program);
    p->log = program_log(program);
    p->health = program_health(program);
    p->metrics = program_metrics(program);
    p->once = program_option_value(program, "--once") != NULL;
    *state = p;
    health_set(p->health, "polling", HEALTH_UNKNOWN, NULL, "starts");
    program_resource(program, "/orders", orders, p);
    enum rc rc = open_schemas(p, e);
    if (rc == RC_OK)
        rc = open_parts(p, e);
    return rc == RC_OK ? ask_everybody(p, e) : rc;
}

static void on_group_closed(void *arg)
{
    finish(arg);
}

void producer_stop(void *state)
{
    struct producer *p = state;
    if (p->stopping)
        return;
    p->stopping = true;
    if (p->group == NULL)
        finish(p);
    else
        group_close(p->group, on_group_closed, p);
}

void producer_reload(void *state)
{
    struct producer *p = state;
    xsale_client_reload(p->xsale, config_int(p->config, "producer.requests_per_minute"));
    if (p->tenure != NULL)
        tenure_reload(p->tenure);
}

void producer_release(void *state)
{
    struct producer *p = state;
    if (p == NULL)
        return;
    loop_timer_clear(p->loop, &p->secrets);
    loop_timer_clear(p->loop, &p->drain);
    loop_timer_clear(p->loop, &p->later);
    loop_timer_clear(p->loop, &p->owner_wait);
    tenure_destroy(p->tenure);
    group_destroy(p->group);
    topics_destroy(p->topics);
    xsale_client_destroy(p->xsale);
    registry_destroy(p->registry);
    writer_schemas_destroy(p->writer_schemas);
    publisher_destroy(p->publisher);
    order_writer_destroy(p->writer);
    schema_destroy(p->schemas[SCHEMA_STATE]);
    schema_destroy(p->schemas[SCHEMA_OUTCOME]);
    order_mapping_close(p->mapping);
    free(p);
}
