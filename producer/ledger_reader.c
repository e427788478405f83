#include "producer/ledger_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/kafka/frame.h"

enum { AGAIN_MS = 5000, BAD_IDS = 16 };

struct ledger_reader {
    struct ledger_reader_parts p;
    const struct ledger_reader_ops *ops;
    void *arg;
    struct reader *all; /* reading `partitions` back */
    int32_t *partitions, *next; /* of them; queued for the restore after this one */
    size_t partitions_n, next_n;
    struct reader *single; /* reading one row */
    bool single_wanted, single_over;
    int32_t single_partition;
    int64_t single_offset, single_order;
    struct ledger_row *found;
    int32_t need; /* schema id that is missing: both readers stand still; 0: none */
    bool asked;
    int32_t bad[BAD_IDS]; /* ids whose schema cannot be read at all */
    size_t bad_n;
    struct loop_timer step;
};

static void step_soon(struct ledger_reader *r, int64_t delay_ms);

static bool is_bad(const struct ledger_reader *r, int32_t id)
{
    for (size_t i = 0; i < r->bad_n; i++)
        if (r->bad[i] == id)
            return true;
    return false;
}

static void skip(struct ledger_reader *r, const struct kafka_record *rec, const char *why)
{
    log_event(r->p.log, LOG_ERROR, "ledger", NULL, "row cannot be read, passed over", LOG_I("partition", rec->partition),
              LOG_I("offset", rec->offset), LOG_S("why", why));
}

/* The record's row when it is one of ours; NULL otherwise, or while its schema is missing (r->need). */
static struct ledger_row *decode(struct ledger_reader *r, const struct kafka_record *rec)
{
    struct err e = {0};
    const char *organization = NULL;
    size_t organization_n = 0, avro_n = 0;
    int64_t order_id = 0;
    int32_t id = 0;
    const unsigned char *avro = NULL;
    struct ledger_row *row = NULL;
    if (rec->value == NULL || rec->key == NULL || !order_key_parse(rec->key, rec->key_n, &organization, &organization_n, &order_id) ||
        organization_n != strlen(r->p.organization) || memcmp(organization, r->p.organization, organization_n) != 0)
        return NULL;
    if (frame_parse(rec->value, rec->value_n, &id, &avro, &avro_n, &e) != RC_OK) {
        skip(r, rec, e.text);
        return NULL;
    }
    const struct schema *writer = registry_cached(r->p.registry, id);
    if (writer == NULL) {
        if (is_bad(r, id))
            skip(r, rec, "its schema cannot be read");
        else
            r->need = id;
        return NULL;
    }
    enum rc rc = ledger_row_decode(writer, avro, avro_n, &row, &e);
    if (rc == RC_FATAL)
        r->ops->failed(r->arg, e.text);
    else if (rc != RC_OK)
        skip(r, rec, e.text);
    return rc == RC_OK ? row : NULL;
}

static void all_record(void *arg, const struct kafka_record *rec)
{
    struct ledger_reader *r = arg;
    if (r->need != 0)
        return; /* begins again when the schema is there */
    struct ledger_row *row = decode(r, rec);
    if (row != NULL)
        r->ops->row(r->arg, row, rec->partition, rec->offset);
    ledger_row_destroy(row);
    if (r->need != 0)
        step_soon(r, 0);
}

static void all_end(void *arg)
{
    struct ledger_reader *r = arg;
    if (r->need != 0)
        return;
    int32_t *done = r->partitions;
    size_t n = r->partitions_n;
    r->partitions = NULL;
    r->partitions_n = 0;
    step_soon(r, 0); /* the reader is taken down there */
    r->ops->restored(r->arg, done, n);
    free(done);
}

static void single_record(void *arg, const struct kafka_record *rec)
{
    struct ledger_reader *r = arg;
    if (r->single_over || r->need != 0)
        return;
    if (rec->offset == r->single_offset) {
        r->found = decode(r, rec);
        if (r->found != NULL && r->found->order_id != r->single_order) {
            ledger_row_destroy(r->found);
            r->found = NULL;
        }
    }
    r->single_over = r->need == 0;
    step_soon(r, 0);
}

static void single_end(void *arg)
{
    struct ledger_reader *r = arg;
    r->single_over = r->single_over || r->need == 0;
    step_soon(r, 0);
}

static const struct reader_ops all_ops = {all_record, all_end};
static const struct reader_ops single_ops = {single_record, single_end};

static void start_all(struct ledger_reader *r)
{
    struct err e = {0};
    struct reader_start *starts = calloc(r->partitions_n, sizeof *starts);
    enum rc rc = RC_FATAL;
    if (starts != NULL) {
        for (size_t i = 0; i < r->partitions_n; i++)
            starts[i] = (struct reader_start){r->p.topic, r->partitions[i], READER_BEGINNING, 0};
        rc = reader_create(r->p.loop, r->p.worker, r->p.config, r->p.log, r->p.health, starts, r->partitions_n, &all_ops, r, &r->all, &e);
    }
    free(starts);
    if (rc != RC_OK)
        r->ops->failed(r->arg, e.text[0] != '\0' ? e.text : "out of memory");
}

static void start_single(struct ledger_reader *r)
{
    struct err e = {0};
    struct reader_start start = {r->p.topic, r->single_partition, READER_OFFSET, r->single_offset};
    r->single_over = false;
    if (reader_create(r->p.loop, r->p.worker, r->p.config, r->p.log, r->p.health, &start, 1, &single_ops, r, &r->single, &e) != RC_OK)
        r->ops->failed(r->arg, e.text);
}

static void on_schema(void *arg, enum rc rc, const struct schema *s, const char *words)
{
    struct ledger_reader *r = arg;
    (void)s;
    r->asked = false;
    if (rc == RC_REJECT && r->bad_n < BAD_IDS)
        r->bad[r->bad_n++] = r->need;
    else if (rc != RC_OK) {
        log_event(r->p.log, LOG_WARN, "ledger", NULL, "schema of a ledger row not to be had, asked again", LOG_I("schema", r->need),
                  LOG_S("why", words));
        step_soon(r, AGAIN_MS);
        return;
    }
    r->need = 0;
    step_soon(r, 0);
}

static void take_down(struct ledger_reader *r)
{
    reader_destroy(r->all);
    reader_destroy(r->single);
    r->all = r->single = NULL;
}

/* Says what the single read brought. */
static void hand_over(struct ledger_reader *r)
{
    struct ledger_row *row = r->found;
    reader_destroy(r->single);
    r->single = NULL;
    r->found = NULL;
    r->single_wanted = r->single_over = false;
    r->ops->one(r->arg, row);
    ledger_row_destroy(row);
}

static void on_step(void *arg)
{
    struct ledger_reader *r = arg;
    struct err e = {0};
    if (r->need != 0) {
        take_down(r);
        if (!r->asked && registry_fetch(r->p.registry, r->need, on_schema, r, &e) == RC_OK)
            r->asked = true;
        else if (!r->asked)
            step_soon(r, AGAIN_MS);
        return;
    }
    if (r->single_wanted && r->single_over)
        hand_over(r);
    else if (r->single_wanted && r->single == NULL)
        start_single(r);
    if (r->partitions == NULL) {
        reader_destroy(r->all);
        r->all = NULL;
        if (r->next_n > 0) {
            r->partitions = r->next;
            r->partitions_n = r->next_n;
            r->next = NULL;
            r->next_n = 0;
        }
    }
    if (r->partitions != NULL && r->all == NULL)
        start_all(r);
}

static void step_soon(struct ledger_reader *r, int64_t delay_ms)
{
    loop_timer_in(r->p.loop, &r->step, delay_ms, on_step, r);
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
    take_down(r);
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
        r->ops->failed(r->arg, "out of memory");
        return;
    }
    memcpy(grown + r->next_n, partitions, n * sizeof *grown);
    r->next = grown;
    r->next_n += n;
    step_soon(r, 0);
}

void ledger_reader_one(struct ledger_reader *r, int32_t partition, int64_t offset, int64_t order_id)
{
    r->single_wanted = true;
    r->single_partition = partition;
    r->single_offset = offset;
    r->single_order = order_id;
    step_soon(r, 0);
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
        step_soon(r, 0);
    }
}

bool ledger_reader_busy(const struct ledger_reader *r)
{
    return r->partitions != NULL || r->next_n > 0 || r->single_wanted;
}
