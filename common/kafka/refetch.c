#include "common/kafka/refetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

enum { LOW_MS = 200, HIGH_MS = 60000, QUIET_MS = 2 * HIGH_MS /* after as long without damage a partition's waits begin anew */ };

struct refetch_part {
    struct refetch_part *next;
    struct backoff backoff;
    int64_t damaged_at, due; /* monotonic ms */
    bool held;
    int32_t partition;
    char topic[];
};

static void fetch_again(void *arg);

void refetch_init(struct refetch *f, struct loop *loop, struct log *log, const char *component, refetch_where_fn *where, void *arg)
{
    f->loop = loop;
    f->log = log;
    f->component = component;
    f->where = where;
    f->arg = arg;
}

static void drop_all(struct refetch *f)
{
    struct refetch_part *p, *next;
    LL_FOREACH_SAFE(f->parts, p, next)
    {
        free(p);
    }
    f->parts = NULL;
    f->held = 0;
    if (f->loop != NULL)
        loop_timer_clear(f->loop, &f->timer);
}

void refetch_release(struct refetch *f)
{
    drop_all(f);
}

void refetch_use(struct refetch *f, struct kafka_handle *handle)
{
    drop_all(f);
    f->handle = handle;
}

bool refetch_means_damage(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__BAD_MSG || err == RD_KAFKA_RESP_ERR__BAD_COMPRESSION || err == RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

bool refetch_beyond(const struct refetch *f, const char *topic, int32_t partition, int64_t offset)
{
    int64_t low = 0, end = 0; /* what the last answers told: nobody is asked */
    return rd_kafka_get_watermark_offsets(kafka_handle_rk(f->handle), topic, partition, &low, &end) == RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0 && offset >= end;
}

static struct refetch_part *find(const struct refetch *f, const char *topic, int32_t partition)
{
    struct refetch_part *p;
    LL_FOREACH(f->parts, p)
    if (p->partition == partition && strcmp(p->topic, topic) == 0)
        return p;
    return NULL;
}

bool refetch_holds(const struct refetch *f, const char *topic, int32_t partition)
{
    if (f->held == 0)
        return f->blind;
    const struct refetch_part *p = find(f, topic, partition);
    return f->blind || (p != NULL && p->held);
}

static rd_kafka_topic_partition_list_t *one(const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, topic, partition);
    return list;
}

/* A resume goes on where librdkafka thinks that it was; the seek behind it is what counts, and drops whatever comes in between. */
static bool go_on(struct refetch *f, const char *topic, int32_t partition)
{
    int64_t offset = 0;
    if (!f->where(f->arg, topic, partition, &offset))
        return false;
    rd_kafka_topic_partition_list_t *list = one(topic, partition);
    (void)rd_kafka_resume_partitions(kafka_handle_rk(f->handle), list);
    list->elems[0].offset = offset > 0 ? offset : RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(kafka_handle_rk(f->handle), list, 0); /* handed over; no answer is waited for */
    if (error != NULL)
        rd_kafka_error_destroy(error);
    rd_kafka_topic_partition_list_destroy(list);
    return true;
}

static void set_timer(struct refetch *f)
{
    const struct refetch_part *p;
    int64_t due = INT64_MAX;
    LL_FOREACH(f->parts, p)
    if (p->held && p->due < due)
        due = p->due;
    if (due < INT64_MAX)
        loop_timer_set(f->loop, &f->timer, due, fetch_again, f);
}

static void fetch_again(void *arg)
{
    struct refetch *f = arg;
    struct refetch_part *p;
    int64_t now = loop_now(f->loop);
    LL_FOREACH(f->parts, p)
    {
        if (!p->held || p->due > now)
            continue;
        p->held = !go_on(f, p->topic, p->partition);
        f->held -= !p->held;
        p->due = now + LOW_MS; /* the owner keeps it paused itself */
    }
    set_timer(f);
}

/* NULL: out of memory. */
static struct refetch_part *part_add(struct refetch *f, const char *topic, int32_t partition)
{
    size_t n = strlen(topic) + 1;
    struct refetch_part *p = calloc(1, sizeof *p + n);
    if (p == NULL)
        return NULL;
    p->partition = partition;
    memcpy(p->topic, topic, n);
    backoff_init(&p->backoff, LOW_MS, HIGH_MS, (uint64_t)clock_wall(loop_clock(f->loop)) ^ (uint64_t)(uintptr_t)p);
    LL_PREPEND(f->parts, p);
    return p;
}

static int64_t hold(struct refetch *f, struct refetch_part *p)
{
    int64_t now = loop_now(f->loop);
    if (now - p->damaged_at > QUIET_MS)
        backoff_reset(&p->backoff);
    p->damaged_at = now;
    int64_t wait = backoff_next(&p->backoff);
    p->due = now + wait;
    p->held = true;
    f->held++;
    rd_kafka_topic_partition_list_t *list = one(p->topic, p->partition);
    (void)rd_kafka_pause_partitions(kafka_handle_rk(f->handle), list); /* fails for a partition that is not ours any more */
    rd_kafka_topic_partition_list_destroy(list);
    set_timer(f);
    return wait;
}

void refetch_damaged(struct refetch *f, const char *topic, int32_t partition, const char *words)
{
    if (refetch_holds(f, topic, partition))
        return;
    struct refetch_part *p = find(f, topic, partition);
    if (p == NULL && (p = part_add(f, topic, partition)) == NULL) {
        f->blind = true;
        kafka_handle_trouble(f->handle, "out of memory", "takes no record any more, needs a restart");
        return;
    }
    int64_t wait = hold(f, p);
    f->told = true;
    kafka_handle_retry(f->handle, words, "fetches it again", wait);
    log_event(f->log, LOG_ERROR, f->component, NULL, "a record batch came damaged and is fetched again", LOG_S("topic", topic), LOG_I("partition", partition),
              LOG_S("why", words), LOG_I("again_in_ms", wait));
}

void refetch_passed(struct refetch *f, bool record)
{
    if (f->held > 0)
        return;
    if (record || f->told)
        kafka_handle_well(f->handle);
    f->told = false;
}

void refetch_forget(struct refetch *f, const char *topic, int32_t partition)
{
    struct refetch_part *p = find(f, topic, partition);
    if (p == NULL)
        return;
    bool held = p->held;
    f->held -= held;
    LL_DELETE(f->parts, p);
    free(p);
    if (!held)
        return;
    rd_kafka_topic_partition_list_t *list = one(topic, partition);
    (void)rd_kafka_resume_partitions(kafka_handle_rk(f->handle), list);
    rd_kafka_topic_partition_list_destroy(list);
}
