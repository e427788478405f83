#include "common/kafka/refetch.h"

#include <stdio.h>

enum { LOW_MS = 200, HIGH_MS = 60000, QUIET_MS = 2 * HIGH_MS /* after as long without damage the waits begin anew */ };

void refetch_init(struct refetch *f, struct loop *loop, struct log *log, const char *component, refetch_where_fn *where, void *arg)
{
    f->loop = loop;
    f->log = log;
    f->component = component;
    f->where = where;
    f->arg = arg;
    backoff_init(&f->backoff, LOW_MS, HIGH_MS, (uint64_t)clock_wall(loop_clock(loop)) ^ (uint64_t)(uintptr_t)f);
}

static void drop_all(struct refetch *f)
{
    if (f->held != NULL)
        rd_kafka_topic_partition_list_destroy(f->held);
    f->held = NULL;
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

bool refetch_holds(const struct refetch *f, const char *topic, int32_t partition)
{
    return f->held != NULL && rd_kafka_topic_partition_list_find(f->held, topic, partition) != NULL;
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

static void fetch_again(void *arg)
{
    struct refetch *f = arg;
    for (int i = f->held != NULL ? f->held->cnt - 1 : -1; i >= 0; i--)
        if (go_on(f, f->held->elems[i].topic, f->held->elems[i].partition))
            (void)rd_kafka_topic_partition_list_del_by_idx(f->held, i);
    if (f->held != NULL && f->held->cnt > 0)
        loop_timer_in(f->loop, &f->timer, LOW_MS, fetch_again, f);
}

void refetch_damaged(struct refetch *f, const char *topic, int32_t partition, const char *words)
{
    if (refetch_holds(f, topic, partition))
        return;
    int64_t now = loop_now(f->loop);
    if (now - f->damaged_at > QUIET_MS)
        backoff_reset(&f->backoff);
    f->damaged_at = now;
    if (f->held == NULL)
        f->held = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(f->held, topic, partition);
    rd_kafka_topic_partition_list_t *list = one(topic, partition);
    (void)rd_kafka_pause_partitions(kafka_handle_rk(f->handle), list); /* fails for a partition that is not ours any more */
    rd_kafka_topic_partition_list_destroy(list);
    int64_t wait = backoff_next(&f->backoff);
    f->told = true;
    kafka_handle_retry(f->handle, words, "fetches it again", wait);
    log_event(f->log, LOG_ERROR, f->component, NULL, "a record batch came damaged and is fetched again", LOG_S("topic", topic), LOG_I("partition", partition),
              LOG_S("why", words), LOG_I("again_in_ms", wait));
    if (!f->timer.armed)
        loop_timer_in(f->loop, &f->timer, wait, fetch_again, f);
}

void refetch_passed(struct refetch *f, bool record)
{
    if (f->held != NULL && f->held->cnt > 0)
        return;
    if (record || f->told)
        kafka_handle_well(f->handle);
    f->told = false;
}

void refetch_forget(struct refetch *f, const char *topic, int32_t partition)
{
    if (!refetch_holds(f, topic, partition))
        return;
    rd_kafka_topic_partition_list_t *list = one(topic, partition);
    (void)rd_kafka_topic_partition_list_del(f->held, topic, partition);
    (void)rd_kafka_resume_partitions(kafka_handle_rk(f->handle), list);
    rd_kafka_topic_partition_list_destroy(list);
}
