#include "producer/outcome_noting.h"

#include <stdlib.h>

#include "common/base/traceparent.h"
#include "common/contract/order_key.h"
#include "common/kafka/key_partition.h"
#include "producer/reason_line.h"
#include "producer/updater_metrics.h"

struct outcome_noting {
    struct outcome_noting_parts p;
    const struct outcome_noting_ops *ops;
    void *arg;
    struct outcome_reader *reader;
    int64_t reading_row, reading_offset; /* order whose row is being read again (0: none), and where it stands */
    size_t disowned;
};

static void fail(struct outcome_noting *n, const char *words)
{
    n->ops->failed(n->arg, words);
}

static void on_schema(void *arg)
{
    struct outcome_noting *n = arg;
    n->ops->schema(n->arg);
}

enum rc noting_create(const struct outcome_noting_parts *parts, const struct outcome_noting_ops *ops, void *arg, struct outcome_noting **out, struct err *e)
{
    struct outcome_noting *n = calloc(1, sizeof *n);
    if (n == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    *n = (struct outcome_noting){.p = *parts, .ops = ops, .arg = arg};
    enum rc rc = outcome_reader_create(parts->schemas, parts->organization, on_schema, n, &n->reader, e);
    if (rc == RC_OK)
        *out = n;
    else
        free(n);
    return rc;
}

void noting_destroy(struct outcome_noting *n)
{
    if (n == NULL)
        return;
    outcome_reader_destroy(n->reader);
    free(n);
}

size_t noting_disowned(struct outcome_noting *n)
{
    size_t disowned = n->disowned;
    n->disowned = 0;
    return disowned;
}

void noting_row_read(struct outcome_noting *n, const struct ledger_row *row)
{
    int64_t order_id = n->reading_row;
    n->reading_row = 0;
    int32_t partition = ledger_reader_partition(n->p.rows);
    if (intake_has(n->p.intake, partition) && ledger_restore_whole(n->p.ledger, order_id, row, partition, n->reading_offset) != RC_OK)
        fail(n, "out of memory");
}

/* Once for each verdict that the ledger did not know. The words themselves stand in the ledger and may hold what a log may not. */
static void tell_refusal(struct outcome_noting *n, const struct kafka_record *r, const struct outcome *o)
{
    char order[ORDER_KEY_BYTES], trace[TRACEPARENT_ID];
    if (o->result != OUTCOME_REJECTED)
        return;
    if (order_key_format(order, o->organization, o->order_id) == 0)
        order[0] = '\0';
    order_traces_id(n->p.traces, o->order_id, trace);
    log_fact(n->p.log, LOG_INFO, "outcome", order, "refused, its reason stands in the ledger", LOG_S("warehouse", o->warehouse),
             LOG_I("publication", o->publication), LOG_I("attempts", o->attempts), LOG_I("partition", r->partition), LOG_I("offset", r->offset), LOG_S("trace", trace));
}

static enum intake_noted note_outcome(struct outcome_noting *n, const struct kafka_record *r, struct intake_ticket *t, struct outcome *o)
{
    int64_t offset = 0, now = clock_wall(loop_clock(n->p.loop));
    char line[REASON_LINE_BYTES];
    o->reason = reason_line(o->reason, line);
    switch (ledger_note(n->p.ledger, o, r->partition, config_bool(n->p.config, "updater.reasons"), now, &offset)) {
    case LEDGER_SAME:
        metrics_add(n->p.metrics, UPDATER_OUTCOMES, "nothing", 1);
        intake_finish(n->p.intake, t);
        return INTAKE_DEALT;
    case LEDGER_CHANGED:
        order_traces_note(n->p.traces, o->order_id, r);
        metrics_add(n->p.metrics, UPDATER_OUTCOMES, outcome_result_name(o->result), 1);
        tell_refusal(n, r, o);
        row_writer_write(n->p.writer, o->order_id, t);
        return INTAKE_DEALT;
    case LEDGER_READ_ROW:
        if (n->reading_row == 0) {
            n->reading_row = o->order_id;
            n->reading_offset = offset;
            ledger_reader_one(n->p.rows, r->partition, offset, o->order_id);
        }
        return INTAKE_NOT_NOW;
    case LEDGER_NO_MEMORY:
        fail(n, "out of memory");
        break;
    }
    return INTAKE_NOT_NOW;
}

/* Of no schema that the registry knows: the system's trouble, or garbage. What it is shows in time. */
static enum intake_noted wait_for_schema(struct outcome_noting *n, const struct kafka_record *r, struct intake_ticket *t, int64_t *since, bool disowned,
                                         const char *words)
{
    int64_t now = loop_now(n->p.loop);
    if (*since == 0 || !disowned) /* while nobody can be asked, no time passes */
        *since = now;
    if (now - *since >= config_ms(n->p.config, "updater.unknown_schema_after"))
        return letters_send(n->p.letters, r, t, words) ? INTAKE_DEALT : INTAKE_NOT_NOW;
    n->disowned += disowned;
    return INTAKE_PARK;
}

enum intake_noted noting_note(struct outcome_noting *n, const struct kafka_record *r, struct intake_ticket *t, int64_t *since)
{
    struct err e = {0};
    struct outcome *o = NULL;
    enum intake_noted noted = INTAKE_NOT_NOW;
    if (row_writer_full(n->p.writer))
        return INTAKE_NOT_NOW;
    enum outcome_read read = outcome_reader_read(n->reader, r, &o, &e);
    int32_t home = r->key != NULL ? key_partition(r->key, r->key_n, n->p.partitions) : r->partition;
    if (home != r->partition && read != OUTCOME_NOT_OURS && read != OUTCOME_UNREADABLE) {
        metrics_add(n->p.metrics, UPDATER_OUTCOMES, "moved", 1);
        outcome_destroy(o);
        return mover_move(n->p.mover, r, home, t) ? INTAKE_DEALT : INTAKE_NOT_NOW;
    }
    switch (read) {
    case OUTCOME_READ:
        noted = note_outcome(n, r, t, o);
        break;
    case OUTCOME_NOT_OURS:
        intake_finish(n->p.intake, t);
        noted = INTAKE_DEALT;
        break;
    case OUTCOME_UNREADABLE:
        metrics_add(n->p.metrics, UPDATER_UNREADABLE, NULL, 1);
        noted = letters_send(n->p.letters, r, t, e.text) ? INTAKE_DEALT : INTAKE_NOT_NOW;
        break;
    case OUTCOME_NO_MEMORY:
        fail(n, e.text);
        break;
    case OUTCOME_NOT_NOW:
    case OUTCOME_DISOWNED:
        noted = wait_for_schema(n, r, t, since, read == OUTCOME_DISOWNED, e.text);
        break;
    }
    outcome_destroy(o);
    return noted;
}
