#include "consumer/lookahead.h"

#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_metrics.h"
#include "consumer/newest.h"
#include "consumer/order_record.h"

struct lookahead {
    struct lookahead_env env;
    size_t most;
    struct newest *newest; /* NULL: does not run */
    struct reader *reader; /* NULL: does not run, or stopped for want of room */
    struct lookahead_from *at; /* n: the next offset of each partition */
    size_t n;
    uint64_t records;
    int64_t began_at; /* monotonic ms */
    bool full;
    bool asked; /* somebody waits for `known` */
    struct loop_timer stopping;
};

struct lookahead *lookahead_create(const struct lookahead_env *env)
{
    struct lookahead *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->env = *env;
    a->most = (size_t)config_int(env->config, "consumer.lookahead");
    return a;
}

void lookahead_end(struct lookahead *a)
{
    loop_timer_clear(a->env.loop, &a->stopping);
    reader_destroy(a->reader);
    newest_destroy(a->newest);
    free(a->at);
    a->reader = NULL;
    a->newest = NULL;
    a->at = NULL;
    a->n = 0;
    a->asked = a->full = false;
    metrics_set(a->env.metrics, METRIC_LOOKAHEAD_KEYS, NULL, 0);
}

void lookahead_destroy(struct lookahead *a)
{
    if (a == NULL)
        return;
    lookahead_end(a);
    free(a);
}

static void tell(struct lookahead *a)
{
    if (!a->asked)
        return;
    a->asked = false;
    metrics_set(a->env.metrics, METRIC_LOOKAHEAD_KEYS, NULL, (double)newest_count(a->newest));
    a->env.known(a->env.arg); /* may end it */
}

static void said(struct lookahead *a, const char *what)
{
    int64_t ms = loop_now(a->env.loop) - a->began_at;
    log_fact(a->env.log, LOG_INFO, "lookahead", NULL, what, LOG_I("records", a->records), LOG_I("ms", ms),
             LOG_I("more_than_once", newest_count(a->newest)));
}

/* Not from inside the reader's record. */
static void stop_short(void *arg)
{
    struct lookahead *a = arg;
    reader_destroy(a->reader);
    a->reader = NULL;
    said(a, "no room for more keys (consumer.lookahead), or no memory: what stands further on is looked at when the intake is there");
    tell(a);
}

static void note(struct lookahead *a, const struct kafka_record *r, const char *warehouse, size_t n, int64_t publication)
{
    if (a->full || newest_note(a->newest, r->key, r->key_n, warehouse, n, publication))
        return;
    a->full = true;
    loop_timer_in(a->env.loop, &a->stopping, 0, stop_short, a);
}

static void note_each(struct lookahead *a, const struct kafka_record *r, int64_t publication)
{
    const struct kafka_header *list = kafka_record_header(r, "warehouses");
    if (list == NULL || list->n == 0)
        return; /* nobody knows whom it is for */
    const char *p = list->value, *end = p + list->n;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma != NULL ? comma : end;
        if (stop > p)
            note(a, r, p, (size_t)(stop - p), publication);
        p = stop + 1;
    }
}

static void pass(struct lookahead *a, int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->at[i].partition == partition)
            a->at[i].offset = offset + 1;
}

static void on_record(void *arg, const struct kafka_record *r)
{
    struct lookahead *a = arg;
    if (a->full)
        return; /* the reader goes in a moment */
    int64_t publication = order_record_publication(r);
    a->records++;
    if (publication > 0 && r->key != NULL) {
        const char *warehouse = a->env.warehouse;
        if (warehouse[0] == '\0')
            note_each(a, r, publication);
        else if (order_record_names(r, warehouse))
            note(a, r, warehouse, strlen(warehouse), publication);
    }
    if (!a->full)
        pass(a, r->partition, r->offset);
}

static void on_end(void *arg)
{
    struct lookahead *a = arg;
    said(a, "looked ahead to the end");
    tell(a);
}

static void caught_up(void *arg)
{
    tell(arg);
}

enum rc lookahead_begin(struct lookahead *a, const struct lookahead_from *from, size_t n, struct err *e)
{
    static const struct reader_ops ops = {.record = on_record, .end = on_end};
    enum rc rc = RC_FATAL;
    lookahead_end(a);
    if (a->most == 0) {
        err_set(e, "consumer.lookahead is 0");
        return RC_REJECT;
    }
    struct reader_start *starts = calloc(n, sizeof *starts);
    err_set(e, "look-ahead: out of memory");
    if (starts == NULL || (a->at = malloc(n * sizeof *a->at)) == NULL || (a->newest = newest_create(a->most)) == NULL)
        goto out;
    for (size_t i = 0; i < n; i++)
        starts[i] = (struct reader_start){a->env.topic, from[i].partition, from[i].offset < 0 ? READER_BEGINNING : READER_OFFSET, from[i].offset};
    memcpy(a->at, from, n * sizeof *from);
    a->n = n;
    a->records = 0;
    a->began_at = loop_now(a->env.loop);
    rc = reader_create(a->env.loop, a->env.worker, a->env.config, a->env.log, a->env.health, starts, n, &ops, a, &a->reader, e);
    a->asked = rc == RC_OK;
out:
    free(starts);
    if (rc != RC_OK)
        lookahead_end(a);
    return rc;
}

void lookahead_note(struct lookahead *a, const void *key, size_t key_n, const char *warehouse, int64_t publication)
{
    if (a->newest != NULL && publication > 0)
        (void)newest_note(a->newest, key, key_n, warehouse, strlen(warehouse), publication); /* without room: it is loaded as it is */
}

bool lookahead_refresh(struct lookahead *a)
{
    if (a->reader == NULL || a->full)
        return false;
    if (!a->asked && reader_catch_up(a->reader, caught_up, a) != RC_OK)
        return false;
    a->asked = true;
    return true;
}

bool lookahead_running(const struct lookahead *a)
{
    return a->newest != NULL;
}

uint64_t lookahead_records(const struct lookahead *a)
{
    return a->records;
}

bool lookahead_short(const struct lookahead *a, int32_t partition, int64_t next)
{
    if (!a->full)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->at[i].partition == partition)
            return next >= a->at[i].offset;
    return true;
}

bool lookahead_outdated(const struct lookahead *a, const void *key, size_t key_n, const char *warehouse, int64_t publication)
{
    return a->newest != NULL && publication > 0 && newest_publication(a->newest, key, key_n, warehouse, strlen(warehouse)) > publication;
}
