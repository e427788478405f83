#include "producer/updater.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/kafka/dlq.h"
#include "common/kafka/group.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/registry.h"
#include "common/kafka/topics.h"
#include "producer/ledger.h"
#include "producer/ledger_reader.h"
#include "producer/order_mapping.h"
#include "producer/outcome_intake.h"
#include "producer/outcome_reader.h"
#include "producer/row_writer.h"
#include "producer/status_setter.h"
#include "producer/xsale_client.h"

enum { TICK_MS = 200, COMMIT_MS = 1000, SECRETS_MS = 5000, RUN_BUDGET = 200 };

const struct metric_row updater_metrics[UPDATER_METRICS] = {
    [UPDATER_OUTCOMES] = {"xsale_bridge_outcomes_total", METRIC_COUNTER, "result", "Outcomes noted, by what they changed."},
    [UPDATER_UNREADABLE] = {"xsale_bridge_unreadable_outcomes_total", METRIC_COUNTER, NULL, "Outcomes that could not be read and went to the DLQ."},
    [UPDATER_ROWS] = {"xsale_bridge_ledger_rows_total", METRIC_COUNTER, NULL, "Ledger rows acknowledged by the broker."},
    [UPDATER_CHANGES] = {"xsale_bridge_status_tries_total", METRIC_COUNTER, "result", "Tries to settle a status, by result."},
    [UPDATER_WAITING] = {"xsale_bridge_statuses_waiting", METRIC_GAUGE, NULL, "Orders whose status is still to be set."},
    [UPDATER_KEPT] = {"xsale_bridge_ledger_unfinished_orders", METRIC_GAUGE, NULL, "Orders kept as whole rows in memory."},
    [UPDATER_FINISHED] = {"xsale_bridge_ledger_finished_orders", METRIC_GAUGE, NULL, "Finished orders remembered."},
    [UPDATER_REQUESTS] = {"xsale_bridge_xsale_requests_total", METRIC_COUNTER, NULL, "HTTP requests sent to xSale, logins too."},
    [UPDATER_LOGINS] = {"xsale_bridge_xsale_logins_total", METRIC_COUNTER, NULL, "Logins that succeeded."},
    [UPDATER_LOGINS_REFUSED] = {"xsale_bridge_xsale_logins_refused_total", METRIC_COUNTER, NULL, "Logins that were refused."},
    [UPDATER_QUOTA_WAIT] = {"xsale_bridge_xsale_quota_wait_seconds_total", METRIC_COUNTER, NULL, "Time that requests waited for the quota."},
    [UPDATER_QUOTA_WAITING] = {"xsale_bridge_xsale_quota_waiting_requests", METRIC_GAUGE, NULL, "Requests that wait for the quota now."},
    [UPDATER_REPEATS] = {"xsale_bridge_xsale_repeats_total", METRIC_COUNTER, NULL, "Requests to xSale that were repeated after a failure."},
};

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
    struct group *group;
    struct ledger *ledger;
    struct ledger_reader *rows;
    struct outcome_intake *intake;
    struct status_setter *setter;
    struct schema *row_schema;
    int32_t partitions;
    struct row_writer *writer;
    struct outcome_reader *reader;
    size_t letters; /* sent to the DLQ, not acknowledged */
    struct loop_timer tick, kick, drain;
    int64_t commit_at, secrets_at; /* monotonic ms */
    int64_t reading_row; /* order whose row is being read again; 0: none */
    int32_t *leaving;
    size_t leaving_n;
    bool topics_ok, schema_ok, xsale_ok, draining, committing, late, stopping, until_end, assigned;
    bool *ended; /* partitions of them: the end was seen */
    int code; /* exit code, with its words */
    struct err failure;
};

static void kick(struct updater *u);
static void drain_check(struct updater *u);

static struct health *health(struct updater *u)
{
    return program_health(u->program);
}

/* Ends with exit code 1; leaves the group first, so that a successor need not wait for the session to time out. */
static void fail(struct updater *u, const char *words)
{
    if (u->group == NULL || u->stopping) {
        program_finish(u->program, 1, words);
        return;
    }
    err_set(&u->failure, "%s", words);
    u->code = 1;
    updater_stop(u);
}

/* ---- rows to the ledger */

static void on_written(void *arg)
{
    struct updater *u = arg;
    metrics_add(u->metrics, UPDATER_ROWS, NULL, 1);
    kick(u);
}

static void on_failed(void *arg, const char *words)
{
    fail(arg, words);
}

static const struct row_writer_ops writer_ops = {on_written, on_failed};

static void on_room(void *arg)
{
    struct updater *u = arg;
    row_writer_room(u->writer);
    kick(u);
}

/* ---- outcomes in */

struct letter {
    struct updater *updater;
    struct intake_ticket *ticket;
    struct kafka_record source; /* where it stands; no value, no headers; the key is our copy */
    char key[ORDER_KEY_BYTES];
    char reason[sizeof((struct err *)0)->text];
    bool without_value;
};

static void letter_done(void *arg, const struct publisher_ack *ack);

static enum rc send_letter(struct letter *l, const struct kafka_record *r, struct err *e)
{
    struct updater *u = l->updater;
    struct dlq_entry entry = {.kind = DLQ_OUTCOME, .key = r->key, .key_n = r->key_n, .value = r->value, .value_n = r->value_n,
                              .reason = l->reason, .program = "status-updater", .at = clock_wall(loop_clock(u->loop)), .source = r,
                              .omit_value = l->without_value};
    return dlq_publish(u->publisher, u->dlq, &entry, letter_done, l, e);
}

/* The broker takes no record as large as this one: then without its bytes, which stand in order-outcomes where the headers say. */
static void letter_done(void *arg, const struct publisher_ack *ack)
{
    struct letter *l = arg;
    struct updater *u = l->updater;
    struct err e = {0};
    bool again = (ack->rc == RC_REJECT && !l->without_value) || (ack->rc == RC_RETRY && intake_has(u->intake, l->source.partition));
    if (again) {
        l->without_value = true;
        if (send_letter(l, &l->source, &e) == RC_OK)
            return;
    }
    u->letters--;
    if (ack->rc == RC_OK || ack->rc == RC_RETRY) /* RC_RETRY: dropped with its partition, where finishing does nothing */
        intake_finish(u->intake, l->ticket);
    else
        fail(u, ack->words); /* do not pass over it */
    free(l);
    kick(u);
}

/* An outcome that cannot be read: to the DLQ, and the loop goes on. */
static bool dead_letter(struct updater *u, const struct kafka_record *r, struct intake_ticket *t, const char *reason)
{
    struct err e = {0};
    struct letter *l = calloc(1, sizeof *l);
    if (l == NULL)
        return false;
    *l = (struct letter){.updater = u, .ticket = t, .source = {.topic = u->outcomes, .partition = r->partition, .offset = r->offset,
                                                               .timestamp = r->timestamp, .key_n = r->key_n}};
    if (l->source.key_n > sizeof l->key)
        l->source.key_n = sizeof l->key;
    if (r->key != NULL) {
        memcpy(l->key, r->key, l->source.key_n);
        l->source.key = l->key;
    }
    (void)snprintf(l->reason, sizeof l->reason, "%s", reason);
    enum rc rc = send_letter(l, r, &e);
    if (rc == RC_REJECT) { /* its key or headers alone are too large */
        l->without_value = true;
        rc = send_letter(l, &l->source, &e);
    }
    if (rc != RC_OK) {
        free(l);
        if (rc != RC_RETRY)
            fail(u, e.text);
        return false;
    }
    u->letters++;
    metrics_add(u->metrics, UPDATER_UNREADABLE, NULL, 1);
    log_event(u->log, LOG_WARN, "outcome", NULL, "outcome cannot be read, put into the DLQ", LOG_I("partition", r->partition),
              LOG_I("offset", r->offset), LOG_S("why", reason));
    return true;
}

static void on_row_read(void *arg, const struct ledger_row *row)
{
    struct updater *u = arg;
    int64_t order_id = u->reading_row;
    u->reading_row = 0;
    int32_t partition = ledger_reader_partition(u->rows);
    if (intake_has(u->intake, partition) &&
        ledger_restore_whole(u->ledger, order_id, row, partition, clock_wall(loop_clock(u->loop))) != RC_OK)
        fail(u, "out of memory");
    kick(u);
}

static bool note_outcome(struct updater *u, const struct kafka_record *r, struct intake_ticket *t, const struct outcome *o)
{
    int64_t offset = 0, now = clock_wall(loop_clock(u->loop));
    switch (ledger_note(u->ledger, o, r->partition, config_bool(u->config, "updater.reasons"), now, &offset)) {
    case LEDGER_SAME:
        metrics_add(u->metrics, UPDATER_OUTCOMES, "nothing", 1);
        intake_finish(u->intake, t);
        return true;
    case LEDGER_CHANGED:
        metrics_add(u->metrics, UPDATER_OUTCOMES, outcome_result_name(o->result), 1);
        row_writer_write(u->writer, o->order_id, t);
        return true;
    case LEDGER_READ_ROW:
        if (u->reading_row == 0) {
            u->reading_row = o->order_id;
            ledger_reader_one(u->rows, r->partition, offset, o->order_id);
        }
        return false;
    case LEDGER_NO_MEMORY:
        fail(u, "out of memory");
        break;
    }
    return false;
}

static bool on_note(void *arg, const struct kafka_record *r, struct intake_ticket *t)
{
    struct updater *u = arg;
    struct err e = {0};
    struct outcome *o = NULL;
    bool dealt = false;
    if (row_writer_full(u->writer))
        return false;
    switch (outcome_reader_read(u->reader, r, &o, &e)) {
    case OUTCOME_READ:
        dealt = note_outcome(u, r, t, o);
        break;
    case OUTCOME_NOT_OURS:
        intake_finish(u->intake, t);
        dealt = true;
        break;
    case OUTCOME_UNREADABLE:
        dealt = dead_letter(u, r, t, e.text);
        break;
    case OUTCOME_NO_MEMORY:
        fail(u, e.text);
        break;
    case OUTCOME_NOT_NOW:
        break;
    }
    outcome_destroy(o);
    return dealt;
}

static void on_pause(void *arg, int32_t partition)
{
    struct updater *u = arg;
    group_pause(u->group, u->outcomes, partition);
}

static void on_resume(void *arg, int32_t partition)
{
    struct updater *u = arg;
    group_resume(u->group, u->outcomes, partition);
}

static const struct intake_ops intake_ops = {on_note, on_pause, on_resume};

/* ---- statuses out */

static void on_changed(void *arg, int64_t order_id)
{
    struct updater *u = arg;
    row_writer_write(u->writer, order_id, NULL);
}

static void on_tried(void *arg, int64_t order_id, enum setter_result result)
{
    static const char *const names[SETTER_RESULTS] = {"set", "already", "left_alone", "gone", "delayed"};
    struct updater *u = arg;
    (void)order_id;
    metrics_add(u->metrics, UPDATER_CHANGES, names[result], 1);
    kick(u);
}

static const struct setter_ops setter_ops = {on_changed, on_tried};

/* ---- the group */

static void on_restored(void *arg, const int32_t *partitions, size_t n)
{
    struct updater *u = arg;
    struct ledger_counts c;
    for (size_t i = 0; i < n; i++) {
        intake_open(u->intake, partitions[i]);
        if (ledger_open_partition(u->ledger, partitions[i]) != RC_OK)
            fail(u, "out of memory");
    }
    ledger_count(u->ledger, &c);
    log_fact(u->log, LOG_INFO, "ledger", NULL, "ledger read back", LOG_I("partitions", n), LOG_I("unfinished", c.rows),
             LOG_I("waiting", c.waiting), LOG_I("finished", c.finished));
    kick(u);
}

static void on_ledger_row(void *arg, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct updater *u = arg;
    if (intake_has(u->intake, partition) &&
        ledger_restore(u->ledger, row, partition, offset, clock_wall(loop_clock(u->loop))) != RC_OK)
        fail(u, "out of memory");
}

static const struct ledger_reader_ops rows_ops = {on_ledger_row, on_restored, on_row_read, on_failed};

static void on_assigned(void *arg, struct group_partition *parts, size_t n)
{
    struct updater *u = arg;
    int32_t *numbers = calloc(n + 1, sizeof *numbers);
    if (numbers == NULL) {
        fail(u, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        numbers[i] = parts[i].partition;
        if (parts[i].partition >= u->partitions) {
            free(numbers);
            fail(u, "order-outcomes has got more partitions while this program runs: an order's rows must stand in its outcomes' partition; "
                    "give order-status as many and start again");
            return;
        }
        if (intake_add(u->intake, parts[i].partition, parts[i].offset) != RC_OK)
            fail(u, "out of memory");
        u->ended[parts[i].partition] = false;
    }
    u->assigned = true;
    ledger_reader_restore(u->rows, numbers, n);
    free(numbers);
}

static void on_record(void *arg, const struct kafka_record *r)
{
    struct updater *u = arg;
    if (intake_push(u->intake, r) == RC_FATAL)
        fail(u, "out of memory");
    kick(u);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct updater *u = arg;
    (void)topic, (void)offset;
    if (partition < u->partitions)
        u->ended[partition] = true;
    kick(u);
}

/* late: something of them may still be on its way to the broker, where a new owner may be writing already. */
static void drop_leaving(struct updater *u, bool late)
{
    for (size_t i = 0; i < u->leaving_n; i++) {
        ledger_reader_drop(u->rows, u->leaving[i]);
        intake_drop(u->intake, u->leaving[i]);
        ledger_drop_partition(u->ledger, u->leaving[i]);
    }
    if (late)
        row_writer_drop(u->writer);
    free(u->leaving);
    u->leaving = NULL;
    u->leaving_n = 0;
    u->draining = u->committing = u->late = false;
    loop_timer_clear(u->loop, &u->drain);
    group_released(u->group);
}

static void on_left(void *arg, enum rc rc)
{
    struct updater *u = arg;
    (void)rc; /* not stored: the outcomes are noted again by the next owner, which changes nothing */
    if (u->committing)
        drop_leaving(u, u->late);
}

struct commit_list {
    struct updater *updater;
    struct group_partition *parts;
    size_t n;
};

static void collect(void *arg, int32_t partition)
{
    struct commit_list *l = arg;
    struct group_partition *p = &l->parts[l->n];
    *p = (struct group_partition){.topic = l->updater->outcomes, .partition = partition, .metadata = ""};
    if (intake_commit(l->updater->intake, partition, &p->offset))
        l->n++;
}

static void on_committed(void *arg, enum rc rc)
{
    struct updater *u = arg;
    if (rc != RC_OK)
        intake_commit_again(u->intake);
}

/* false: there was nothing to commit (done is not called). */
static bool commit(struct updater *u, void (*done)(void *arg, enum rc rc))
{
    struct commit_list l = {u, calloc((size_t)u->partitions + 1, sizeof *l.parts), 0};
    if (l.parts == NULL)
        return false;
    intake_each(u->intake, collect, &l);
    if (l.n > 0)
        group_commit(u->group, l.parts, l.n, done, u);
    free(l.parts);
    return l.n > 0;
}

static void leave(struct updater *u)
{
    if (u->committing)
        return;
    u->committing = true;
    if (!commit(u, on_left))
        drop_leaving(u, u->late);
}

/* Rows and dead letters that the broker has not acknowledged. */
static size_t unwritten(const struct updater *u)
{
    return row_writer_waiting(u->writer) + u->letters;
}

static void on_drain_late(void *arg)
{
    struct updater *u = arg;
    log_event(u->log, LOG_WARN, "group", NULL, "drain took too long, the rest is repeated by the next owner", LOG_I("writes", unwritten(u)),
              LOG_I("changes", setter_busy(u->setter)));
    u->late = true;
    leave(u);
}

static void on_revoked(void *arg, const struct group_partition *parts, size_t n, bool lost)
{
    struct updater *u = arg;
    free(u->leaving);
    u->leaving_n = 0;
    u->leaving = calloc(n + 1, sizeof *u->leaving);
    if (u->leaving == NULL) {
        fail(u, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        u->leaving[u->leaving_n++] = parts[i].partition;
        intake_stop(u->intake, parts[i].partition);
    }
    u->draining = true;
    if (lost) {
        drop_leaving(u, true);
        return;
    }
    loop_timer_in(u->loop, &u->drain, config_ms(u->config, "updater.drain_timeout"), on_drain_late, u);
    drain_check(u);
}

static const struct group_ops group_ops = {on_assigned, on_record, on_end, on_revoked};

/* Everything in flight settled: give the partitions up. All partitions wait for each other; a status change under way is a few seconds. */
static void drain_check(struct updater *u)
{
    if (u->draining && !u->committing && setter_busy(u->setter) == 0 && unwritten(u) == 0)
        leave(u);
}

/* ---- the turn */

static void on_closed(void *arg)
{
    struct updater *u = arg;
    program_finish(u->program, u->code, u->failure.text);
}

static bool every_end_seen(const struct updater *u)
{
    for (int32_t i = 0; i < u->partitions; i++)
        if (intake_has(u->intake, i) && !u->ended[i])
            return false;
    return u->assigned;
}

static void until_end(struct updater *u)
{
    struct ledger_counts c;
    ledger_count(u->ledger, &c);
    if (!every_end_seen(u) || ledger_reader_busy(u->rows) || intake_held(u->intake, -1) + intake_unacknowledged(u->intake, -1) > 0 ||
        setter_busy(u->setter) > 0 || unwritten(u) > 0)
        return;
    if (c.waiting > 0 && setter_stuck(u->setter) == NULL && (setter_refused(u->setter) == NULL || ledger_due_in(u->ledger, loop_now(u->loop)) < 30000))
        return;
    if (c.waiting > 0)
        fail(u, setter_stuck(u->setter) != NULL ? setter_stuck(u->setter) : setter_refused(u->setter));
    else
        updater_stop(u);
}

static void turn(struct updater *u)
{
    if (u->setter == NULL)
        return;
    if (intake_run(u->intake, RUN_BUDGET))
        kick(u);
    if (!u->draining && !u->stopping)
        setter_run(u->setter);
    drain_check(u);
    if (u->until_end && !u->stopping && !u->draining)
        until_end(u);
}

static void on_kick(void *arg)
{
    turn(arg);
}

static void kick(struct updater *u)
{
    if (!u->kick.armed)
        loop_timer_in(u->loop, &u->kick, 0, on_kick, u);
}

static void on_tick(void *arg)
{
    struct updater *u = arg;
    struct ledger_counts c;
    loop_timer_in(u->loop, &u->tick, TICK_MS, on_tick, u);
    turn(u);
    ledger_count(u->ledger, &c);
    metrics_set(u->metrics, UPDATER_WAITING, NULL, (double)c.waiting);
    metrics_set(u->metrics, UPDATER_KEPT, NULL, (double)c.rows);
    metrics_set(u->metrics, UPDATER_FINISHED, NULL, (double)c.finished);
    if (loop_now(u->loop) >= u->secrets_at) {
        u->secrets_at = loop_now(u->loop) + SECRETS_MS;
        if (config_refresh_secrets(u->config))
            xsale_client_secrets_changed(u->xsale);
    }
    if (u->group != NULL && !u->draining && loop_now(u->loop) >= u->commit_at) {
        u->commit_at = loop_now(u->loop) + COMMIT_MS;
        (void)commit(u, on_committed); /* nothing moved: nothing to commit */
    }
}

/* ---- the start */

static void begin(struct updater *u)
{
    struct err e = {0};
    if (!u->topics_ok || !u->schema_ok || !u->xsale_ok || u->group != NULL || u->stopping)
        return;
    struct setter_parts parts = {u->loop, u->config, u->log, health(u), u->xsale, u->ledger, order_mapping_encoder(u->mapping)};
    struct ledger_reader_parts rows = {u->loop, program_worker(u->program), u->config, u->log, health(u), u->schemas, u->status,
                                       xsale_client_organization(u->xsale)};
    char id[512];
    (void)snprintf(id, sizeof id, "%s-updater-%s", config_text(u->config, "topics.prefix"), xsale_client_organization(u->xsale));
    const char *topics[] = {u->outcomes};
    if (setter_create(&parts, &setter_ops, u, &u->setter, &e) != RC_OK ||
        ledger_reader_create(&rows, &rows_ops, u, &u->rows, &e) != RC_OK ||
        outcome_reader_create(u->schemas, xsale_client_organization(u->xsale), on_kick, u, &u->reader, &e) != RC_OK ||
        group_create(u->loop, program_worker(u->program), u->config, u->log, health(u), id, topics, 1, &group_ops, u, &u->group, &e) != RC_OK)
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
    u->ended = calloc((size_t)u->partitions + 1, sizeof *u->ended);
    if (u->ended == NULL) {
        fail(u, "out of memory");
        return;
    }
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
    row_writer_schema(u->writer, id);
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
    if ((u->ledger = ledger_create(config_ms(u->config, "updater.remember"))) == NULL || (u->intake = intake_create(&intake_ops, u)) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    if ((rc = order_mapping_open(u->config, &u->mapping, e)) != RC_OK || (rc = schema_parse(text, strlen(text), &u->row_schema, e)) != RC_OK)
        return rc;
    if ((rc = publisher_create(u->loop, u->config, u->log, health(u), &u->publisher, e)) != RC_OK)
        return rc;
    publisher_on_room(u->publisher, on_room, u);
    struct row_writer_parts parts = {u->publisher, u->ledger, u->intake, u->status};
    if ((rc = row_writer_create(&parts, &writer_ops, u, &u->writer, e)) != RC_OK)
        return rc;
    if ((rc = registry_create(u->loop, u->config, u->log, health(u), &u->registry, e)) != RC_OK ||
        (rc = registry_register(u->registry, u->status, u->row_schema, on_registered, u, e)) != RC_OK)
        return rc;
    if ((u->schemas = writer_schemas_create(u->loop, u->log, u->registry)) == NULL) {
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
    if (rc == RC_OK)
        loop_timer_in(u->loop, &u->tick, TICK_MS, on_tick, u);
    return rc;
}

void updater_stop(void *state)
{
    struct updater *u = state;
    if (u->stopping)
        return;
    u->stopping = true;
    if (u->group == NULL)
        program_finish(u->program, 0, NULL);
    else
        group_close(u->group, on_closed, u);
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
    u->committing = false; /* a drain that was abandoned is not answered any more */
    setter_destroy(u->setter);
    ledger_reader_destroy(u->rows);
    group_destroy(u->group);
    publisher_destroy(u->publisher);
    row_writer_destroy(u->writer);
    outcome_reader_destroy(u->reader);
    topics_destroy(u->topics);
    registry_destroy(u->registry);
    writer_schemas_destroy(u->schemas);
    xsale_client_destroy(u->xsale);
    intake_destroy(u->intake);
    ledger_destroy(u->ledger);
    order_mapping_close(u->mapping);
    schema_destroy(u->row_schema);
    loop_timer_clear(u->loop, &u->tick);
    loop_timer_clear(u->loop, &u->kick);
    loop_timer_clear(u->loop, &u->drain);
    free(u->leaving);
    free(u->ended);
    free(u);
}
