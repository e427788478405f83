#include "producer/schema_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/frame.h"

enum { AGAIN_MS = 1000 };

struct schema_reader {
    struct schema_reader_needs n;
    const struct schema_reader_ops *ops;
    void *arg;
    struct reader *reader;
    struct reader_start *starts; /* starts_n; topics are owned copies; moved on as records are read */
    size_t starts_n;
    bool blocked; /* the next record needs the schema of wait */
    bool ended;
    loop_fn *caught_up; /* NULL: nobody asks */
    void *caught_up_arg;
    struct writer_schema_wait wait;
    struct loop_timer timer;
};

static struct reader_start *start_of(struct schema_reader *sr, const struct kafka_record *r)
{
    for (size_t i = 0; i < sr->starts_n; i++)
        if (sr->starts[i].partition == r->partition && strcmp(sr->starts[i].topic, r->topic) == 0)
            return &sr->starts[i];
    return NULL;
}

static void begin(void *arg);

/* Not from inside a record: the reader that called is replaced. */
static void fetch(void *arg)
{
    struct schema_reader *sr = arg;
    reader_destroy(sr->reader);
    sr->reader = NULL;
    writer_schemas_wait(sr->n.schemas, &sr->wait, begin, sr);
}

static bool is_passed_over(const struct schema_reader *sr, const char *name)
{
    size_t n = config_list_count(sr->n.config, "topics.pass_over");
    for (size_t i = 0; i < n; i++)
        if (strcmp(config_list_item(sr->n.config, "topics.pass_over", i), name) == 0)
            return true;
    return false;
}

/* Holds everything up for the record, unless the operator lets it pass and the registry has said that it does not know the schema: one that could not be asked, or that has the
 * schema again, is no reason to do without the record. */
static bool must_wait(struct schema_reader *sr, const struct kafka_record *r, int32_t schema_id)
{
    struct writer_schema_wait *w = &sr->wait;
    w->passable = false;
    w->id = schema_id;
    w->meanwhile = sr->ops->meanwhile;
    w->reader = sr->ops->reads != NULL ? avro_builtin_schema(*sr->ops->reads) : NULL;
    if (!writer_schemas_lacks(sr->n.schemas, w))
        return false;
    (void)snprintf(w->record, sizeof w->record, "%.150s/%" PRId32 "/%" PRId64, r->topic, r->partition, r->offset); /* fits */
    w->passable = is_passed_over(sr, w->record);
    return writer_schemas_lacks(sr->n.schemas, w);
}

static bool deliver(struct schema_reader *sr, const struct kafka_record *r)
{
    struct schema_record out = {.record = r};
    struct err e;
    if (sr->ops->wanted != NULL && !sr->ops->wanted(sr->arg, r))
        return true;
    bool framed = r->value != NULL && frame_parse(r->value, r->value_n, &out.schema_id, &out.avro, &out.avro_n, &e) == RC_OK;
    if (framed && must_wait(sr, r, out.schema_id)) {
        sr->blocked = true;
        loop_timer_in(sr->n.loop, &sr->timer, 0, fetch, sr);
        return false;
    }
    if (framed)
        (void)writer_schemas_find(sr->n.schemas, out.schema_id, &out.writer); /* stays NULL for one that passes without */
    sr->ops->record(sr->arg, &out);
    return true;
}

static void on_record(void *arg, const struct kafka_record *r)
{
    struct schema_reader *sr = arg;
    struct reader_start *start = start_of(sr, r);
    if (sr->blocked || start == NULL || (start->from == READER_OFFSET && r->offset < start->value))
        return;
    if (!deliver(sr, r))
        return;
    start->from = READER_OFFSET;
    start->value = r->offset + 1;
}

/* What was wanted is gone, or the topic was made anew: what there is now is to be read, and counted from there. */
static void on_moved(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct schema_reader *sr = arg;
    struct kafka_record at = {.topic = topic, .partition = partition};
    struct reader_start *start = start_of(sr, &at);
    if (start != NULL)
        start->value = offset;
}

static void on_end(void *arg)
{
    struct schema_reader *sr = arg;
    if (sr->blocked || sr->ended)
        return;
    sr->ended = true;
    if (sr->ops->end != NULL)
        sr->ops->end(sr->arg); /* sr may be gone */
}

static void on_caught_up(void *arg)
{
    struct schema_reader *sr = arg;
    loop_fn *done = sr->caught_up;
    if (sr->blocked || done == NULL)
        return; /* asked again when the schema is there */
    sr->caught_up = NULL;
    done(sr->caught_up_arg);
}

static void begin(void *arg)
{
    static const struct reader_ops ops = {.record = on_record, .end = on_end, .moved = on_moved};
    struct schema_reader *sr = arg;
    struct err e;
    sr->blocked = false;
    if (reader_create(sr->n.loop, sr->n.worker, sr->n.config, sr->n.log, sr->n.health, sr->starts, sr->starts_n, &ops, sr, &sr->reader, &e) == RC_OK) {
        if (sr->caught_up != NULL)
            (void)reader_catch_up(sr->reader, on_caught_up, sr); /* nobody else asks */
        return;
    }
    log_event(sr->n.log, LOG_ERROR, "reader", NULL, "cannot read a topic, tries again", LOG_S("why", e.text));
    loop_timer_in(sr->n.loop, &sr->timer, AGAIN_MS, begin, sr);
}

enum rc schema_reader_create(const struct schema_reader_needs *needs, const struct reader_start *starts, size_t starts_n,
                             const struct schema_reader_ops *ops, void *arg, struct schema_reader **out, struct err *e)
{
    struct schema_reader *sr = calloc(1, sizeof *sr);
    if (sr == NULL || (sr->starts = calloc(starts_n > 0 ? starts_n : 1, sizeof *starts)) == NULL)
        goto memory;
    sr->n = *needs;
    sr->ops = ops;
    sr->arg = arg;
    for (; sr->starts_n < starts_n; sr->starts_n++) {
        sr->starts[sr->starts_n] = starts[sr->starts_n];
        if ((sr->starts[sr->starts_n].topic = strdup(starts[sr->starts_n].topic)) == NULL)
            goto memory;
    }
    loop_timer_in(sr->n.loop, &sr->timer, 0, begin, sr);
    *out = sr;
    return RC_OK;
memory:
    err_set(e, "reader: out of memory");
    schema_reader_destroy(sr);
    return RC_FATAL;
}

void schema_reader_destroy(struct schema_reader *sr)
{
    if (sr == NULL)
        return;
    if (sr->n.loop != NULL)
        loop_timer_clear(sr->n.loop, &sr->timer);
    writer_schemas_forget(&sr->wait);
    reader_destroy(sr->reader);
    for (size_t i = 0; i < sr->starts_n; i++)
        free((char *)sr->starts[i].topic); /* owned copies */
    free(sr->starts);
    free(sr);
}

int64_t schema_reader_next(const struct schema_reader *sr, size_t i)
{
    return sr->starts[i].from == READER_OFFSET ? sr->starts[i].value : -1;
}

enum rc schema_reader_catch_up(struct schema_reader *sr, loop_fn *done, void *arg)
{
    if (sr->caught_up != NULL)
        return RC_RETRY;
    sr->caught_up = done;
    sr->caught_up_arg = arg;
    if (sr->reader != NULL && !sr->blocked)
        (void)reader_catch_up(sr->reader, on_caught_up, sr); /* nobody else asks */
    return RC_OK;
}

void schema_reader_catch_up_cancel(struct schema_reader *sr)
{
    sr->caught_up = NULL;
}

bool schema_reader_is_held(const struct schema_reader *sr)
{
    return sr->blocked && sr->reader == NULL && sr->wait.answered; /* with a reader it has not been asked yet */
}
