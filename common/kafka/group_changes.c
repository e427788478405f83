#include "common/kafka/group_changes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/probe.h"
#include "common/kafka/committed.h"

enum {
    LEAVE_LOOKS_MS = 20,
    LEAVE_WAITS_MS = 10000,
    LEAVE_ANSWERS_MS = 1000,  /* what needs no answer is given one after this all the same */
    ABANDON_FROM = 0x020c0000 /* older ones end without the broker */
};

/* LOOKING up where the group stands in what was assigned, or DRAINING what is revoked. */
enum phase { IDLE, LOOKING, DRAINING };

struct change {
    struct change *next;
    bool assign;
    bool lost;
    bool on_leaving; /* came when the group was being left */
    rd_kafka_topic_partition_list_t *list;
};

struct group_changes {
    struct loop *loop;
    struct worker *worker;
    struct log *log;
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    const struct group_changes_ops *ops;
    void *arg;
    enum phase phase;
    struct change *first; /* under way unless IDLE */
    struct committed *looking;
    struct backoff backoff;
    struct loop_timer again;
    struct loop_timer leaving;
    int64_t leave_by;
    bool owes;         /* while it is being left: librdkafka may wait for an answer */
    int64_t answer_at; /* not before */
    loop_fn *left;     /* NULL: it is not being left */
    void *left_arg;
};

static void next_change(void *arg);
static void look_up(void *arg);

static bool cooperative(const struct group_changes *c)
{
    const char *protocol = rd_kafka_rebalance_protocol(c->rk);
    return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

static void told(struct group_changes *c, const char *what, rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    log_event(c->log, LOG_WARN, "group", NULL, what, LOG_S("why", rd_kafka_error_string(error)));
    rd_kafka_error_destroy(error);
}

static void told_code(struct group_changes *c, const char *what, rd_kafka_resp_err_t err)
{
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_event(c->log, LOG_WARN, "group", NULL, what, LOG_S("why", rd_kafka_err2str(err)));
}

/* ---- answers to librdkafka, which wants one to each change
 *
 * Once the group is being left, one answer gives back everything, whatever it was asked for, and the group is gone a moment later. A call that meets just that moment
 * is never answered (2.0.2 to 2.13), and the loop would stand still for ever. So from then on an answer is only noted as owed, and given when nothing is left to
 * drain. What librdkafka asked before it was told of the leaving needs none in most cases, and waits a while. */
static void owe(struct group_changes *c, bool on_leaving)
{
    int64_t now = loop_now(c->loop);
    if (on_leaving)
        c->answer_at = now;
    else if (!c->owes)
        c->answer_at = now + LEAVE_ANSWERS_MS;
    c->owes = true;
}

static void pay(struct group_changes *c)
{
    if (!c->owes || c->phase != IDLE || c->first != NULL || loop_now(c->loop) < c->answer_at || rd_kafka_consumer_closed(c->rk) != 0)
        return;
    c->owes = false;
    told_code(c, "unassign failed", rd_kafka_assign(c->rk, NULL));
}

static void give_back(struct group_changes *c)
{
    if (c->left != NULL)
        owe(c, c->first->on_leaving);
    else if (cooperative(c))
        told(c, "unassign failed", rd_kafka_incremental_unassign(c->rk, c->first->list));
    else
        told_code(c, "unassign failed", rd_kafka_assign(c->rk, NULL));
}

static void take(struct group_changes *c, const rd_kafka_topic_partition_list_t *list)
{
    if (c->left != NULL)
        owe(c, c->first->on_leaving);
    else if (cooperative(c))
        told(c, "assign failed", rd_kafka_incremental_assign(c->rk, list));
    else
        told_code(c, "assign failed", rd_kafka_assign(c->rk, list));
}

/* Nobody was told of these partitions: librdkafka only wants its answer before the change that waits. */
static void pass_over(struct group_changes *c)
{
    if (c->left != NULL)
        owe(c, c->first->on_leaving);
    else if (cooperative(c))
        told(c, "assign failed", rd_kafka_incremental_assign(c->rk, c->first->list));
    else
        told_code(c, "assign failed", rd_kafka_assign(c->rk, NULL));
}

/* ---- one change after the other */

static void change_free(struct change *one)
{
    rd_kafka_topic_partition_list_destroy(one->list);
    free(one);
}

static void change_end(struct group_changes *c)
{
    struct change *one = c->first;
    c->first = one->next;
    change_free(one);
    c->phase = IDLE;
    if (c->first != NULL)
        loop_timer_in(c->loop, &c->again, 0, next_change, c);
}

static bool overtaken(const struct group_changes *c)
{
    return c->first->next != NULL || c->left != NULL;
}

static void begin(struct group_changes *c, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *own = rd_kafka_topic_partition_list_copy(list);
    PROBE(partitions_assigned);
    if (c->ops->assigned(c->arg, own)) {
        take(c, own);
        kafka_handle_well(c->handle);
        change_end(c);
    } else {
        kafka_handle_trouble(c->handle, "out of memory", "needs a restart");
    }
    rd_kafka_topic_partition_list_destroy(own);
}

static void looked(void *arg, enum rc rc, const rd_kafka_topic_partition_list_t *list, const char *words)
{
    struct group_changes *c = arg;
    c->looking = NULL;
    if (overtaken(c)) {
        pass_over(c);
        change_end(c);
        return;
    }
    if (rc != RC_OK) {
        int64_t wait = backoff_next(&c->backoff);
        log_event(c->log, LOG_WARN, "group", NULL, "committed offsets are not to be had", LOG_S("why", words), LOG_I("again_ms", wait));
        loop_timer_in(c->loop, &c->again, wait, look_up, c);
        return;
    }
    backoff_reset(&c->backoff);
    begin(c, list);
}

static void look_up(void *arg)
{
    struct group_changes *c = arg;
    if (overtaken(c)) {
        pass_over(c);
        change_end(c);
        return;
    }
    if (committed_ask(c->worker, c->handle, c->log, c->first->list, looked, c, &c->looking) != RC_OK)
        loop_timer_in(c->loop, &c->again, backoff_next(&c->backoff), look_up, c);
}

static void next_change(void *arg)
{
    struct group_changes *c = arg;
    if (c->phase != IDLE || c->first == NULL)
        return;
    if (!c->first->assign) {
        c->phase = DRAINING;
        PROBE(partitions_revoked);
        c->ops->revoked(c->arg, c->first->list, c->first->lost);
        return;
    }
    c->phase = LOOKING;
    if (c->first->list->cnt == 0) { /* a standby */
        take(c, c->first->list);
        kafka_handle_well(c->handle);
        change_end(c);
    } else {
        look_up(c);
    }
}

void group_changes_released(struct group_changes *c)
{
    if (c->phase != DRAINING)
        return;
    PROBE(partitions_released);
    give_back(c);
    if (c->left != NULL)
        c->leave_by = loop_now(c->loop) + LEAVE_WAITS_MS;
    change_end(c);
}

void group_changes_event(struct group_changes *c, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    struct change **end = &c->first;
    struct change *one = calloc(1, sizeof *one);
    if (one == NULL || (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && err != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)) {
        free(one);
        told_code(c, "rebalance failed", err);
        if (c->left != NULL)
            owe(c, true);
        else
            told_code(c, "unassign failed", rd_kafka_assign(c->rk, NULL));
        return;
    }
    one->assign = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    one->lost = !one->assign && rd_kafka_assignment_lost(c->rk) != 0;
    one->on_leaving = c->left != NULL;
    one->list = rd_kafka_topic_partition_list_copy(rd_kafka_event_topic_partition_list(event));
    while (*end != NULL)
        end = &(*end)->next;
    *end = one;
    log_fact(c->log, LOG_INFO, "group", NULL, one->assign ? "partitions are assigned" : "partitions are revoked", LOG_I("count", one->list->cnt),
             LOG_I("lost", one->lost));
    next_change(c);
}

/* ---- the leaving */

static void look_left(void *arg)
{
    struct group_changes *c = arg;
    pay(c);
    bool late = c->phase != DRAINING && loop_now(c->loop) >= c->leave_by;
    if (rd_kafka_consumer_closed(c->rk) == 0 && !late) {
        loop_timer_in(c->loop, &c->leaving, LEAVE_LOOKS_MS, look_left, c);
        return;
    }
    if (late) {
        log_event(c->log, LOG_WARN, "group", NULL, "the group was not left in time", LOG_I("waited_ms", LEAVE_WAITS_MS));
        if (rd_kafka_version() >= ABANDON_FROM)
            kafka_handle_abandon(c->handle);
    }
    c->left(c->left_arg);
}

void group_changes_leave(struct group_changes *c, loop_fn *done, void *arg)
{
    c->left = done;
    c->left_arg = arg;
    c->leave_by = loop_now(c->loop) + LEAVE_WAITS_MS;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    told(c, "close failed", rd_kafka_consumer_close_queue(c->rk, queue)); /* forwards what the consumer's queue holds */
    kafka_handle_move(c->handle, queue);
    if (c->phase == LOOKING && (c->looking != NULL || c->again.armed)) { /* not from inside `assigned` */
        committed_forget(c->looking);
        c->looking = NULL;
        loop_timer_clear(c->loop, &c->again);
        pass_over(c);
        change_end(c);
    }
    loop_timer_in(c->loop, &c->leaving, LEAVE_LOOKS_MS, look_left, c);
}

/* ---- begin and end */

enum rc group_changes_create(struct loop *l, struct worker *w, struct log *log, struct kafka_handle *handle, const struct group_changes_ops *ops, void *arg,
                             struct group_changes **out, struct err *e)
{
    struct group_changes *c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    c->loop = l;
    c->worker = w;
    c->log = log;
    c->handle = handle;
    c->rk = kafka_handle_rk(handle);
    c->ops = ops;
    c->arg = arg;
    backoff_init(&c->backoff, 200, 5000, (uint64_t)clock_wall(loop_clock(l)) ^ (uint64_t)(uintptr_t)c);
    *out = c;
    return RC_OK;
}

void group_changes_destroy(struct group_changes *c)
{
    if (c == NULL)
        return;
    loop_timer_clear(c->loop, &c->again);
    loop_timer_clear(c->loop, &c->leaving);
    committed_forget(c->looking);
    while (c->first != NULL) {
        struct change *one = c->first;
        c->first = one->next;
        change_free(one);
    }
    free(c);
}
