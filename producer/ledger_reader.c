#include "producer/ledger_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "producer/schema_reader.h"

struct ledger_reader {
    struct ledger_reader_parts p;
    const struct ledger_reader_ops *ops;
    void *arg;
    struct schema_reader *all;    /* reading `partitions` back */
    int32_t *partitions, *next;   /* of them; queued for the restore after this one */
    size_t partitions_n, next_n;
    struct schema_reader *single; /* reading one row */
    bool single_wanted, single_over;
    int32_t single_partition;
    int64_t single_offset, single_order;
    struct ledger_row *found;
    struct loop_timer step;
};

static void step_soon(struct ledger_reader *r);

static bool is_ours(void *arg, const struct kafka_record *rec)
{
    const struct ledger_reader *r = arg;
    const char *organization = NULL;
    size_t n = 0;
    int64_t order_id = 0;
    return rec->value != NULL && rec->key != NULL && order_key_parse(rec->key, rec->key_n, &organization, &n, &order_id) &&
           n == strlen(r->p.organization) && memcmp(organization, r->p.organization, n) == 0;
}

/* NULL: it cannot be read (logged). */
static struct ledger_row *decode(struct ledger_reader *r, const struct schema_record *rec)
{
    struct err e = {"no frame, or no readable schema"};
    struct ledger_row *row = NULL;
    enum rc rc = rec->writer == NULL ? RC_REJECT : ledger_row_decode(rec->writer, rec->avro, rec->avro_n, &row, &e);
    if (rc == RC_OK)
        return row;
    if (rc == RC_FATAL)
        r->ops->failed(r->arg, e.text);
    else
        log_event(r->p.log, LOG_ERROR, "ledger", NULL, "row cannot be read, passed over", LOG_S("topic", rec->record->topic), LOG_I("partition", rec->record->partition),
                  LOG_I("offset", rec->record->offset), LOG_S("why", e.text));
    return NULL;
}

static void all_record(void *arg, const struct schema_record *rec)
{
    struct ledger_reader *r = arg;
    struct ledger_row *row = decode(r, rec);
    if (row != NULL)
        r->ops->row(r->arg, row, rec->record->partition, rec->record->offset);
    ledger_row_destroy(row);
}

static void all_end(void *arg)
{
    struct ledger_reader *r = arg;
    int32_t *done = r->partitions;
    size_t n = r->partitions_n;
    r->partitions = NULL;
    r->partitions_n = 0;
    step_soon(r); /* the reader is taken down there */
    r->ops->restored(r->arg, done, n);
    free(done);
}

static void single_record(void *arg, const struct schema_record *rec)
{
    struct ledger_reader *r = arg;
    if (r->single_over)
        return;
    if (rec->record->offset == r->single_offset)
        r->found = decode(r, rec);
    if (r->found != NULL && r->found->order_id != r->single_order) {
        ledger_row_destroy(r->found);
        r->found = NULL;
    }
    r->single_over = true; /* what comes behind it is not it */
    step_soon(r);
}

static void single_end(void *arg)
{
    struct ledger_reader *r = arg;
    r->single_over = true;
    step_soon(r);
}

static const enum avro_builtin reads = AVRO_ORDER_STATUS;
static const struct schema_reader_ops all_ops = {.wanted = is_ours, .record = all_record, .end = all_end, .reads = &reads, .meanwhile = "changes no status"};
static const struct schema_reader_ops single_ops = {.record = single_record, .end = single_end, .reads = &reads, .meanwhile = "takes no further outcomes of its partition"};

static void start(struct ledger_reader *r, const struct reader_start *starts, size_t n, const struct schema_reader_ops *ops,
                  struct schema_reader **out)
{
    struct err e = {0};
    struct schema_reader_needs needs = {r->p.loop, r->p.worker, r->p.config, r->p.log, r->p.health, r->p.schemas};
    if (schema_reader_create(&needs, starts, n, ops, r, out, &e) != RC_OK)
        r->ops->failed(r->arg, e.text);
}

static void start_all(struct ledger_reader *r)
{
    struct reader_start *starts = calloc(r->partitions_n, sizeof *starts);
    if (starts == NULL) {
        r->ops->failed(r->arg, "ledger: out of memory");
        return;
    }
    for (size_t i = 0; i < r->partitions_n; i++)
        starts[i] = (struct reader_start){r->p.topic, r->partitions[i], READER_BEGINNING, 0};
    start(r, starts, r->partitions_n, &all_ops, &r->all);
    free(starts);
}

static void start_single(struct ledger_reader *r)
{
    struct reader_start at = {r->p.topic, r->single_partition, READER_OFFSET, r->single_offset};
    r->single_over = false;
    start(r, &at, 1, &single_ops, &r->single);
}

/* Says what the single read brought. */
static void hand_over(struct ledger_reader *r)
{
    struct ledger_row *row = r->found;
    schema_reader_destroy(r->single);
    r->single = NULL;
    r->found = NULL;
    r->single_wanted = r->single_over = false;
    r->ops->one(r->arg, row);
    ledger_row_destroy(row);
}

static void next_restore(struct ledger_reader *r)
{
    schema_reader_destroy(r->all);
    r->all = NULL;
    if (r->next_n == 0)
        return;
    r->partitions = r->next;
    r->partitions_n = r->next_n;
    r->next = NULL;
    r->next_n = 0;
    start_all(r);
}

static void on_step(void *arg)
{
    struct ledger_reader *r = arg;
    if (r->single_wanted && r->single_over)
        hand_over(r);
    else if (r->single_wanted && r->single == NULL)
        start_single(r);
    if (r->partitions == NULL)
        next_restore(r);
}

static void step_soon(struct ledger_reader *r)
{
    loop_timer_in(r->p.loop, &r->step, 0, on_step, r);
}

enum rc ledger_reader_create(const struct ledger_reader_parts *parts, const struct ledger_reader_ops *ops, void *arg, struct ledger_reader **out,
                             struct err *e)
{
    struct ledger_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, "ledger: out of memory");
        return RC_FATAL;
    }
    r->p = *parts;
    r->ops = ops;
    r->arg = arg;
    *out = r;
    return RC_OK;
}

void ledger_reader_destroy(struct ledger_reader *r)
{
    if (r == NULL)
        return;
    schema_reader_destroy(r->all);
    schema_reader_destroy(r->single);
    loop_timer_clear(r->p.loop, &r->step);
    ledger_row_destroy(r->found);
    free(r->partitions);
    free(r->next);
    free(r);
}

void ledger_reader_restore(struct ledger_reader *r, const int32_t *partitions, size_t n)
{
    int32_t *grown = n > 0 ? realloc(r->next, (r->next_n + n) * sizeof *grown) : NULL;
    if (n == 0)
        return;
    if (grown == NULL) {
        r->ops->failed(r->arg, "ledger: out of memory");
        return;
    }
    memcpy(grown + r->next_n, partitions, n * sizeof *grown);
    r->next = grown;
    r->next_n += n;
    step_soon(r);
}

void ledger_reader_one(struct ledger_reader *r, int32_t partition, int64_t offset, int64_t order_id)
{
    r->single_wanted = true;
    r->single_partition = partition;
    r->single_offset = offset;
    r->single_order = order_id;
    step_soon(r);
}

int32_t ledger_reader_partition(const struct ledger_reader *r)
{
    return r->single_partition;
}

static size_t without(int32_t *list, size_t n, int32_t partition)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (list[i] != partition)
            list[kept++] = list[i];
    return kept;
}

void ledger_reader_drop(struct ledger_reader *r, int32_t partition)
{
    r->next_n = without(r->next, r->next_n, partition);
    r->partitions_n = without(r->partitions, r->partitions_n, partition);
    if (r->partitions != NULL && r->partitions_n == 0) {
        free(r->partitions);
        r->partitions = NULL;
        step_soon(r);
    }
}

bool ledger_reader_busy(const struct ledger_reader *r)
{
    return r->partitions != NULL || r->next_n > 0 || r->single_wanted;
}
