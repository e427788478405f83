#include "producer/row_writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/base/probe.h"
#include "common/contract/order_key.h"
#include "common/kafka/frame.h"

enum { ROW_MAX = 1 << 20 };

struct row_write {
    STAILQ_ENTRY(row_write) link; /* in unsent */
    LIST_ENTRY(row_write) all;
    struct row_writer *writer;
    int64_t order_id;
    uint64_t version;
    struct intake_ticket *ticket; /* NULL: a settlement */
};

struct row_writer {
    struct row_writer_parts p;
    const struct row_writer_ops *ops;
    void *arg;
    STAILQ_HEAD(, row_write) unsent;
    LIST_HEAD(, row_write) all; /* sent ones too */
    size_t waiting;
    int32_t schema_id;
    struct buf bytes;
};

enum rc row_writer_create(const struct row_writer_parts *parts, const struct row_writer_ops *ops, void *arg, struct row_writer **out, struct err *e)
{
    struct row_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        err_set(e, "ledger rows: out of memory");
        return RC_FATAL;
    }
    w->p = *parts;
    w->ops = ops;
    w->arg = arg;
    STAILQ_INIT(&w->unsent);
    LIST_INIT(&w->all);
    buf_init(&w->bytes, ROW_MAX);
    *out = w;
    return RC_OK;
}

/* Its outcome, if any, is done with. */
static void release(struct row_writer *w, struct row_write *r)
{
    if (r->ticket != NULL)
        intake_finish(w->p.intake, r->ticket);
    LIST_REMOVE(r, all);
    free(r);
}

void row_writer_destroy(struct row_writer *w)
{
    if (w == NULL)
        return;
    while (!LIST_EMPTY(&w->all)) /* nobody commits any more */
        release(w, LIST_FIRST(&w->all));
    buf_release(&w->bytes);
    free(w);
}

void row_writer_schema(struct row_writer *w, int32_t id)
{
    w->schema_id = id;
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    struct row_write *r = arg;
    struct row_writer *w = r->writer;
    if (r->ticket != NULL)
        PROBE(row_acknowledged);
    else
        PROBE(settlement_acknowledged);
    w->waiting--;
    if (ack->rc == RC_RETRY) { /* dropped: goes once more if its partition is still ours */
        w->waiting++;
        STAILQ_INSERT_TAIL(&w->unsent, r, link);
        return;
    }
    if (ack->rc == RC_OK) {
        ledger_written(w->p.ledger, r->order_id, r->version, ack->offset);
        release(w, r);
        w->ops->written(w->arg);
    } else { /* its outcome is never passed */
        struct err e = {0};
        err_set(&e, "the ledger row of order %" PRId64 " is refused by the broker: %s", r->order_id, ack->words);
        w->ops->failed(w->arg, e.text);
    }
}

/* RC_OK: sent, or nothing is left to write. */
static enum rc send_row(struct row_writer *w, struct row_write *r, struct err *e)
{
    char key[ORDER_KEY_BYTES];
    const struct ledger_row *row = ledger_row_of(w->p.ledger, r->order_id, &r->version);
    if (row == NULL) { /* the partition went away, or a later write has finished the row: it holds what this one would say */
        w->waiting--;
        release(w, r);
        return RC_OK;
    }
    buf_reset(&w->bytes);
    frame_put(&w->bytes, w->schema_id);
    enum rc rc = ledger_row_encode(row, &w->bytes, e);
    if (rc != RC_OK)
        return rc;
    struct kafka_record record = {.topic = w->p.topic, .partition = -1, .key = key, .key_n = order_key_format(key, row->organization, row->order_id),
                                  .value = w->bytes.p, .value_n = w->bytes.n};
    rc = publisher_send(w->p.publisher, &record, on_ack, r, e);
    if (r->ticket != NULL)
        PROBE(row_produced);
    else
        PROBE(settlement_produced);
    return rc;
}

/* false: no room, or it failed; the row stays unsent. */
static bool try_row(struct row_writer *w, struct row_write *r)
{
    struct err e = {0};
    enum rc rc = send_row(w, r, &e);
    if (rc != RC_OK && rc != RC_RETRY)
        w->ops->failed(w->arg, e.text);
    return rc == RC_OK;
}

void row_writer_write(struct row_writer *w, int64_t order_id, struct intake_ticket *ticket)
{
    struct row_write *r = calloc(1, sizeof *r);
    if (r == NULL) {
        w->ops->failed(w->arg, "ledger rows: out of memory");
        return;
    }
    *r = (struct row_write){.writer = w, .order_id = order_id, .ticket = ticket};
    w->waiting++;
    LIST_INSERT_HEAD(&w->all, r, all);
    if (!STAILQ_EMPTY(&w->unsent) || !try_row(w, r))
        STAILQ_INSERT_TAIL(&w->unsent, r, link);
}

void row_writer_room(struct row_writer *w)
{
    struct row_write *r = NULL;
    while ((r = STAILQ_FIRST(&w->unsent)) != NULL) {
        STAILQ_REMOVE_HEAD(&w->unsent, link);
        if (!try_row(w, r)) {
            STAILQ_INSERT_HEAD(&w->unsent, r, link);
            return;
        }
    }
}

void row_writer_drop(struct row_writer *w)
{
    publisher_drop_waiting(w->p.publisher);
    row_writer_room(w);
}

bool row_writer_full(const struct row_writer *w)
{
    return !STAILQ_EMPTY(&w->unsent);
}

size_t row_writer_waiting(const struct row_writer *w)
{
    return w->waiting;
}
