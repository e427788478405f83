#include "producer/updating.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"
#include "common/contract/order_listing.h"
#include "common/kafka/group.h"
#include "producer/ledger.h"
#include "producer/ledger_reader.h"
#include "producer/outcome_intake.h"
#include "producer/outcome_letters.h"
#include "producer/outcome_mover.h"
#include "producer/outcome_noting.h"
#include "producer/row_writer.h"
#include "producer/status_setter.h"
#include "producer/updater_metrics.h"

enum { COMMIT_MS = 1000, RUN_BUDGET = 200, PARKED_MS = 1000, PATIENCE_MS = 30000 };

struct updating {
    struct updating_parts p;
    const struct updating_ops *ops;
    void *arg;
    struct group *group;
    struct ledger *ledger;
    struct ledger_reader *rows;
    struct outcome_intake *intake;
    struct status_setter *setter;
    struct row_writer *writer;
    struct outcome_noting *noting;
    struct outcome_letters *letters;
    struct outcome_mover *mover;
    struct order_traces *traces;
    struct loop_timer kick, drain;
    int64_t commit_at, parked_at; /* monotonic ms: the next commit, the next look at what is parked */
    int32_t *leaving;
    size_t leaving_n;
    bool draining, committing, late, stopping, assigned, parked_told, retry;
    bool *ended; /* partitions of them: the end was seen */
};

static void kick(struct updating *u);
static void drain_check(struct updating *u);

static void fail(struct updating *u, const char *words)
{
    u->ops->failed(u->arg, words);
}

/* ---- rows to the ledger */

static void on_written(void *arg)
{
    struct updating *u = arg;
    metrics_add(u->p.metrics, UPDATER_ROWS, NULL, 1);
    kick(u);
}

static void on_failed(void *arg, const char *words)
{
    fail(arg, words);
}

static const struct row_writer_ops writer_ops = {on_written, on_failed};

static void on_room(void *arg)
{
    struct updating *u = arg;
    row_writer_room(u->writer);
    kick(u);
}

/* ---- outcomes in */

static void on_passed(void *arg)
{
    kick(arg);
}

static const struct outcome_letters_ops letters_ops = {on_passed, on_failed};
static const struct outcome_mover_ops mover_ops = {on_passed, on_failed};

static void on_row_read(void *arg, const struct ledger_row *row)
{
    struct updating *u = arg;
    noting_row_read(u->noting, row);
    kick(u);
}

static const char *trace_of(void *arg, int64_t order_id)
{
    struct updating *u = arg;
    return order_traces_find(u->traces, order_id);
}

static enum intake_noted on_note(void *arg, const struct kafka_record *r, struct intake_ticket *t, int64_t *since)
{
    struct updating *u = arg;
    return noting_note(u->noting, r, t, since);
}

static void on_pause(void *arg, int32_t partition)
{
    struct updating *u = arg;
    group_pause(u->group, u->p.outcomes, partition);
}

static void on_resume(void *arg, int32_t partition)
{
    struct updating *u = arg;
    group_resume(u->group, u->p.outcomes, partition);
}

static const struct intake_ops intake_ops = {on_note, on_pause, on_resume};

/* ---- statuses out */

static void on_changed(void *arg, int64_t order_id)
{
    struct updating *u = arg;
    row_writer_write(u->writer, order_id, NULL);
}

static void on_tried(void *arg, int64_t order_id, enum setter_result result)
{
    static const char *const names[SETTER_RESULTS] = {"set", "already", "left_alone", "gone", "delayed"};
    struct updating *u = arg;
    (void)order_id;
    metrics_add(u->p.metrics, UPDATER_CHANGES, names[result], 1);
    kick(u);
}

static const struct setter_ops setter_ops = {on_changed, on_tried};

/* ---- the group */

static void on_restored(void *arg, const int32_t *partitions, size_t n)
{
    struct updating *u = arg;
    struct ledger_counts c;
    for (size_t i = 0; i < n; i++) {
        intake_open(u->intake, partitions[i]);
        if (ledger_open_partition(u->ledger, partitions[i]) != RC_OK)
            fail(u, "out of memory");
    }
    PROBE(ledger_restored);
    ledger_count(u->ledger, &c);
    log_fact(u->p.log, LOG_INFO, "ledger", NULL, "ledger read back", LOG_I("partitions", n), LOG_I("unfinished", c.rows),
             LOG_I("waiting", c.waiting), LOG_I("finished", c.finished));
    kick(u);
}

static void on_ledger_row(void *arg, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct updating *u = arg;
    if (intake_has(u->intake, partition) &&
        ledger_restore(u->ledger, row, partition, offset, clock_wall(loop_clock(u->p.loop))) != RC_OK)
        fail(u, "out of memory");
}

static const struct ledger_reader_ops rows_ops = {on_ledger_row, on_restored, on_row_read, on_failed};

static void on_assigned(void *arg, struct group_partition *parts, size_t n)
{
    struct updating *u = arg;
    int32_t *numbers = calloc(n + 1, sizeof *numbers);
    if (numbers == NULL) {
        fail(u, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        numbers[i] = parts[i].partition;
        if (parts[i].partition >= u->p.partitions) {
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
    struct updating *u = arg;
    PROBE(outcome_received);
    if (intake_push(u->intake, r) == RC_FATAL)
        fail(u, "out of memory");
    kick(u);
}

static void on_end(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct updating *u = arg;
    (void)topic, (void)offset;
    if (partition < u->p.partitions)
        u->ended[partition] = true;
    kick(u);
}

/* late: something of them may still be on its way to the broker, where a new owner may be writing already. */
static void drop_leaving(struct updating *u, bool late)
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
    loop_timer_clear(u->p.loop, &u->drain);
    group_released(u->group);
}

static void on_left(void *arg, enum rc rc)
{
    struct updating *u = arg;
    (void)rc; /* not stored: the outcomes are noted again by the next owner, which changes nothing */
    if (u->committing)
        drop_leaving(u, u->late);
}

struct commit_list {
    struct updating *updating;
    struct group_partition *parts;
    size_t n;
};

static void collect(void *arg, int32_t partition)
{
    struct commit_list *l = arg;
    struct group_partition *p = &l->parts[l->n];
    *p = (struct group_partition){.topic = l->updating->p.outcomes, .partition = partition, .metadata = ""};
    if (intake_commit(l->updating->intake, partition, &p->offset))
        l->n++;
}

static void on_committed(void *arg, enum rc rc)
{
    struct updating *u = arg;
    if (rc != RC_OK)
        intake_commit_again(u->intake);
}

/* false: there was nothing to commit (done is not called). */
static bool commit(struct updating *u, void (*done)(void *arg, enum rc rc))
{
    struct commit_list l = {u, calloc((size_t)u->p.partitions + 1, sizeof *l.parts), 0};
    if (l.parts == NULL)
        return false;
    intake_each(u->intake, collect, &l);
    if (l.n > 0)
        group_commit(u->group, l.parts, l.n, done, u);
    free(l.parts);
    return l.n > 0;
}

static void leave(struct updating *u)
{
    if (u->committing)
        return;
    u->committing = true;
    if (!commit(u, on_left))
        drop_leaving(u, u->late);
}

/* Rows, dead letters and moved outcomes that the broker has not acknowledged. */
static size_t unwritten(const struct updating *u)
{
    return row_writer_waiting(u->writer) + letters_waiting(u->letters) + mover_waiting(u->mover);
}

static void on_drain_late(void *arg)
{
    struct updating *u = arg;
    log_event(u->p.log, LOG_WARN, "group", NULL, "drain took too long, the rest is repeated by the next owner", LOG_I("writes", unwritten(u)),
              LOG_I("changes", setter_busy(u->setter)));
    u->late = true;
    setter_drain(u->setter); /* what a login keeps back again */
    leave(u);
}

static void on_revoked(void *arg, const struct group_partition *parts, size_t n, bool lost)
{
    struct updating *u = arg;
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
    setter_drain(u->setter); /* lost: the new owner may be changing statuses already */
    if (lost) {
        drop_leaving(u, true);
        return;
    }
    loop_timer_in(u->p.loop, &u->drain, config_ms(u->p.config, "updater.drain_timeout"), on_drain_late, u);
    drain_check(u);
}

static const struct group_ops group_ops = {on_assigned, on_record, on_end, on_revoked};

/* Everything in flight settled: give the partitions up. All partitions wait for each other; a status change under way is a few seconds. */
static void drain_check(struct updating *u)
{
    if (u->draining && !u->committing && setter_busy(u->setter) == 0 && unwritten(u) == 0)
        leave(u);
}

static bool every_end_seen(const struct updating *u)
{
    for (int32_t i = 0; i < u->p.partitions; i++)
        if (intake_has(u->intake, i) && !u->ended[i])
            return false;
    return u->assigned;
}

enum updating_left updating_left(const struct updating *u, const char **words)
{
    struct ledger_counts c;
    ledger_count(u->ledger, &c);
    if (u->draining || u->stopping || !every_end_seen(u) || ledger_reader_busy(u->rows) ||
        intake_held(u->intake, -1) + intake_unacknowledged(u->intake, -1) > 0 || setter_busy(u->setter) > 0 || unwritten(u) > 0)
        return UPDATING_WORK;
    if (c.waiting == 0)
        return UPDATING_NOTHING;
    *words = setter_stuck(u->setter) != NULL ? setter_stuck(u->setter) : setter_refused(u->setter);
    if (*words == NULL || (setter_stuck(u->setter) == NULL && ledger_due_in(u->ledger, loop_now(u->p.loop)) < PATIENCE_MS))
        return UPDATING_WORK;
    return UPDATING_REFUSED;
}

struct listing {
    struct order_listing list;
    const struct updating *u;
};

static void list_row(void *arg, const struct ledger_row *row, int64_t due_at, bool busy)
{
    struct listing *g = arg;
    const struct updating *u = g->u;
    const char *why = setter_stuck(u->setter) != NULL ? setter_stuck(u->setter) : due_at > 0 ? setter_refused(u->setter) : NULL;
    int64_t in = due_at > 0 ? due_at - loop_now(u->p.loop) : -1;
    const struct listed_order o = {.organization = row->organization, .organization_n = strlen(row->organization), .order_id = row->order_id,
                                   .publication = row->publication, .warehouse = "", .state = row->wanted == LEDGER_MANUAL ? "manual-wanted" : "imported-wanted",
                                   .since = -1, .next_in = due_at > 0 && in < 0 ? 0 : in, .tries = -1,
                                   .words = busy ? "looked at or changed in xSale now" : why != NULL ? why : "waits for its turn, within the quota"};
    order_listing_add(&g->list, &o);
}

unsigned updating_orders(const struct updating *u, const char *rest, struct buf *out)
{
    struct listing g = {.u = u};
    struct ledger_counts c;
    if (!order_listing_begin(&g.list, rest, "status-updater", "", setter_stuck(u->setter), out))
        return 404;
    ledger_count(u->ledger, &c);
    if (g.list.organization != NULL)
        (void)ledger_waiting_of(u->ledger, g.list.order_id, list_row, &g);
    else
        ledger_each_waiting(u->ledger, ORDER_LISTING_MAX, list_row, &g);
    if (g.list.organization == NULL && c.waiting > g.list.n)
        g.list.more = c.waiting - g.list.n;
    return order_listing_end(&g.list);
}

/* ---- the turn */

/* Looks again at what is parked, when a schema came or a second has passed, and says what the registry does not know. */
static void look_at_parked(struct updating *u)
{
    char why[120];
    if (intake_parked(u->intake) == 0 && !u->parked_told)
        return;
    u->retry = false;
    u->parked_at = loop_now(u->p.loop) + PARKED_MS;
    (void)noting_disowned(u->noting); /* those that came since the last look */
    intake_retry(u->intake);
    size_t disowned = noting_disowned(u->noting);
    if (disowned > 0) {
        (void)snprintf(why, sizeof why, "%zu outcomes carry schema ids that the registry does not know", disowned);
        health_set(u->p.health, "outcomes", HEALTH_DOWN, why, "keeps them and goes on with other orders");
        u->parked_told = true;
    } else if (u->parked_told && intake_parked(u->intake) == 0) {
        health_set(u->p.health, "outcomes", HEALTH_UP, NULL, NULL);
        u->parked_told = false;
    }
}

static void turn(struct updating *u)
{
    if (u->retry || loop_now(u->p.loop) >= u->parked_at)
        look_at_parked(u);
    if (intake_run(u->intake, RUN_BUDGET))
        kick(u);
    if (!u->draining && !u->stopping)
        setter_run(u->setter);
    drain_check(u);
}

static void on_kick(void *arg)
{
    turn(arg);
}

static void kick(struct updating *u)
{
    if (!u->kick.armed)
        loop_timer_in(u->p.loop, &u->kick, 0, on_kick, u);
}

static void on_schema(void *arg)
{
    struct updating *u = arg;
    u->retry = true;
    kick(u);
}

void updating_tick(struct updating *u)
{
    struct ledger_counts c;
    turn(u);
    ledger_count(u->ledger, &c);
    metrics_set(u->p.metrics, UPDATER_WAITING, NULL, (double)c.waiting);
    metrics_set(u->p.metrics, UPDATER_FAILING, NULL, (double)c.failing);
    metrics_set(u->p.metrics, UPDATER_KEPT, NULL, (double)c.rows);
    metrics_set(u->p.metrics, UPDATER_FINISHED, NULL, (double)c.finished);
    metrics_set(u->p.metrics, UPDATER_PARKED, NULL, (double)intake_parked(u->intake));
    if (!u->draining && loop_now(u->p.loop) >= u->commit_at) {
        u->commit_at = loop_now(u->p.loop) + COMMIT_MS;
        (void)commit(u, on_committed); /* nothing moved: nothing to commit */
    }
}

/* ---- begin and end */

static const struct outcome_noting_ops noting_ops = {on_schema, on_failed};

static enum rc build_noting(struct updating *u, struct err *e)
{
    const struct updating_parts *p = &u->p;
    struct outcome_noting_parts parts = {p->loop, p->config, p->log, p->metrics, p->schemas, xsale_client_organization(p->xsale), u->ledger, u->rows, u->intake, u->writer,
                                         u->letters, u->mover, u->traces, p->partitions};
    return noting_create(&parts, &noting_ops, u, &u->noting, e);
}

static enum rc build(struct updating *u, struct err *e)
{
    const struct updating_parts *p = &u->p;
    u->ledger = ledger_create(config_ms(p->config, "updater.remember"));
    u->intake = intake_create(&intake_ops, u);
    u->ended = calloc((size_t)p->partitions + 1, sizeof *u->ended);
    u->traces = order_traces_create();
    if (u->ledger == NULL || u->intake == NULL || u->ended == NULL || u->traces == NULL)
        goto memory;
    struct outcome_letters_parts letters = {p->loop, p->log, p->publisher, u->intake, p->dlq, p->outcomes};
    struct outcome_mover_parts mover = {p->log, p->publisher, u->intake, p->outcomes};
    if ((u->letters = letters_create(&letters, &letters_ops, u)) == NULL || (u->mover = mover_create(&mover, &mover_ops, u)) == NULL)
        goto memory;
    struct row_writer_parts writer = {p->publisher, u->ledger, u->intake, p->status};
    struct setter_parts setter = {p->loop, p->config, p->log, p->health, p->xsale, u->ledger, p->encoder, u->traces};
    struct ledger_reader_parts rows = {p->loop, p->worker, p->config, p->log, p->health, p->schemas, p->status, xsale_client_organization(p->xsale)};
    xsale_client_on_trace(p->xsale, trace_of, u);
    enum rc rc = row_writer_create(&writer, &writer_ops, u, &u->writer, e);
    if (rc == RC_OK)
        rc = setter_create(&setter, &setter_ops, u, &u->setter, e);
    if (rc == RC_OK)
        rc = ledger_reader_create(&rows, &rows_ops, u, &u->rows, e);
    if (rc == RC_OK)
        rc = build_noting(u, e);
    return rc;
memory:
    err_set(e, "out of memory");
    return RC_FATAL;
}

enum rc updating_create(const struct updating_parts *parts, const struct updating_ops *ops, void *arg, struct updating **out, struct err *e)
{
    char id[512];
    struct updating *u = calloc(1, sizeof *u);
    if (u == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    u->p = *parts;
    u->ops = ops;
    u->arg = arg;
    enum rc rc = build(u, e);
    if (rc == RC_OK) {
        row_writer_schema(u->writer, parts->row_schema_id);
        publisher_on_room(parts->publisher, on_room, u);
        (void)snprintf(id, sizeof id, "%s-updater-%s", config_text(parts->config, "topics.prefix"), xsale_client_organization(parts->xsale));
        rc = group_create(parts->loop, parts->worker, parts->config, parts->log, parts->health, id, &parts->outcomes, 1, &group_ops, u, &u->group, e);
    }
    if (rc != RC_OK) {
        updating_destroy(u);
        return rc;
    }
    *out = u;
    return RC_OK;
}

static void on_closed(void *arg)
{
    struct updating *u = arg;
    u->ops->closed(u->arg);
}

void updating_close(struct updating *u)
{
    u->stopping = true;
    group_close(u->group, on_closed, u);
}

void updating_destroy(struct updating *u)
{
    if (u == NULL)
        return;
    u->committing = false; /* a drain that was abandoned is not answered any more */
    setter_destroy(u->setter);
    ledger_reader_destroy(u->rows);
    group_destroy(u->group);
    row_writer_destroy(u->writer);
    letters_destroy(u->letters);
    mover_destroy(u->mover);
    noting_destroy(u->noting);
    intake_destroy(u->intake);
    ledger_destroy(u->ledger);
    xsale_client_on_trace(u->p.xsale, NULL, NULL);
    order_traces_destroy(u->traces);
    loop_timer_clear(u->p.loop, &u->kick);
    loop_timer_clear(u->p.loop, &u->drain);
    free(u->leaving);
    free(u->ended);
    free(u);
}
