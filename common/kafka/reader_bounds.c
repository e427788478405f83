#include "common/kafka/reader_bounds.h"

#include <stdlib.h>
#include <string.h>

#include "common/kafka/offset_query.h"

enum { WAITS_MS = 5000, PARTITIONS_MAX = 100000 };

/* A question of all partitions at once. RC_OK: list has the offsets. */
static enum rc ask_all(rd_kafka_t *rk, const struct reader_bounds *b, int64_t what, rd_kafka_topic_partition_list_t *list, struct err *e)
{
    int failed = -1;
    rd_kafka_resp_err_t err = offset_query(rk, list, what, WAITS_MS, &failed);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return RC_OK;
    const struct reader_bound *at = &b->all[failed < 0 ? 0 : failed];
    err_set(e, "%s [%d]: %s", at->topic, (int)at->partition, rd_kafka_err2str(err));
    return RC_RETRY;
}

static rd_kafka_topic_partition_list_t *list_of(const struct reader_bounds *b)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)b->n);
    for (size_t i = 0; i < b->n; i++)
        (void)rd_kafka_topic_partition_list_add(list, b->all[i].topic, b->all[i].partition);
    return list;
}

/* *offset: the first record at or after the time, -1: none (or the broker cannot tell). */
static enum rc ask_time(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t ms, int64_t *offset, struct err *e)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, topic, partition);
    p->offset = ms;
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(rk, list, WAITS_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        err = p->err;
    *offset = p->offset < 0 ? -1 : p->offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return RC_OK;
    err_set(e, "%s [%d]: look-up by time: %s", topic, (int)partition, rd_kafka_err2str(err));
    return RC_RETRY;
}

static enum rc start_by_time(rd_kafka_t *rk, struct reader_bound *b, int64_t low, int64_t ms, struct err *e)
{
    int64_t found = -1, any = -1;
    enum rc rc = ask_time(rk, b->topic, b->partition, ms < 0 ? 0 : ms, &found, e);
    if (rc != RC_OK)
        return rc;
    if (found >= 0) {
        b->start = found;
        return RC_OK;
    }
    if ((rc = ask_time(rk, b->topic, b->partition, 0, &any, e)) != RC_OK)
        return rc;
    b->start = any >= 0 ? b->end : low;
    return RC_OK;
}

/* With `end` known and `start` the earliest. */
static enum rc choose_start(rd_kafka_t *rk, const struct reader_start *s, struct reader_bound *b, struct err *e)
{
    int64_t low = b->start;
    if (b->end < low) {
        err_set(e, "%s [%d]: no bounds", b->topic, (int)b->partition);
        return RC_RETRY;
    }
    if (s->from == READER_TIME)
        return start_by_time(rk, b, low, s->value, e);
    if (s->from == READER_OFFSET && s->value >= low && s->value <= b->end)
        b->start = s->value;
    else if (s->from == READER_OFFSET && s->value < low)
        b->missing = low - (s->value < 0 ? 0 : s->value);
    else if (s->from == READER_OFFSET)
        b->beyond = s->value;
    return RC_OK;
}

static bool add(struct reader_bounds *out, const char *topic, int32_t partition, const struct reader_start *asked, struct err *e)
{
    struct reader_bound *more = realloc(out->all, (out->n + 1) * sizeof *more);
    if (more == NULL) {
        err_set(e, "%s: out of memory", topic);
        return false;
    }
    out->all = more;
    out->all[out->n++] = (struct reader_bound){topic, partition, 0, 0, 0, -1, asked};
    return true;
}

/* The number of a topic's partitions; < 1: no answer. */
static int count_partitions(rd_kafka_t *rk, const char *topic, struct err *e)
{
    const struct rd_kafka_metadata *found = NULL;
    int n = -1;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    if (rkt == NULL) {
        err_set(e, "%s: no possible name of a topic", topic);
        return -1;
    }
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, rkt, &found, WAITS_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && found->topic_cnt == 1) {
        err = found->topics[0].err;
        n = found->topics[0].partition_cnt;
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || n < 1 || n > PARTITIONS_MAX) {
        err_set(e, "%s: %s", topic, err != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(err) : "no partitions");
        n = -1;
    }
    if (found != NULL)
        rd_kafka_metadata_destroy(found);
    rd_kafka_topic_destroy(rkt);
    return n;
}

/* The partitions of one start. Its topic's metadata is fetched anew each time: what librdkafka remembers may be from before the brokers' trouble, and it would go by that. */
static enum rc add_start(rd_kafka_t *rk, const struct reader_start *s, int *count, struct reader_bounds *out, struct err *e)
{
    if (*count < 1 && (*count = count_partitions(rk, s->topic, e)) < 1)
        return RC_RETRY;
    if (s->partition >= *count) {
        err_set(e, "%s [%d]: the topic has %d partitions", s->topic, (int)s->partition, *count);
        return RC_RETRY;
    }
    int32_t first = s->partition < 0 ? 0 : s->partition, last = s->partition < 0 ? *count - 1 : s->partition;
    for (int32_t i = first; i <= last; i++)
        if (!add(out, s->topic, i, s, e))
            return RC_FATAL;
    return RC_OK;
}

static enum rc add_all(rd_kafka_t *rk, const struct reader_start *starts, size_t n, struct reader_bounds *out, struct err *e)
{
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(starts[i].topic, starts[i - 1].topic) != 0)
            count = 0;
        enum rc rc = add_start(rk, &starts[i], &count, out, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc ask_bounds(rd_kafka_t *rk, struct reader_bounds *b, struct err *e)
{
    rd_kafka_topic_partition_list_t *list = list_of(b);
    enum rc rc = ask_all(rk, b, RD_KAFKA_OFFSET_BEGINNING, list, e);
    for (size_t i = 0; rc == RC_OK && i < b->n; i++)
        b->all[i].start = list->elems[i].offset;
    if (rc == RC_OK)
        rc = ask_all(rk, b, RD_KAFKA_OFFSET_END, list, e);
    for (size_t i = 0; rc == RC_OK && i < b->n; i++)
        b->all[i].end = list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

enum rc reader_bounds_ask(rd_kafka_t *rk, const struct reader_start *starts, size_t n, struct reader_bounds *out, struct err *e)
{
    struct reader_bounds made = {NULL, 0};
    enum rc rc = add_all(rk, starts, n, &made, e);
    if (rc == RC_OK)
        rc = ask_bounds(rk, &made, e);
    for (size_t i = 0; rc == RC_OK && i < made.n; i++)
        rc = choose_start(rk, made.all[i].asked, &made.all[i], e);
    if (rc == RC_OK)
        *out = made;
    else
        reader_bounds_release(&made);
    return rc;
}

/* Once: the metadata of each topic, after a question that failed. */
static void refresh(rd_kafka_t *rk, const struct reader_bounds *b)
{
    for (size_t i = 0; i < b->n; i++)
        if ((i == 0 || strcmp(b->all[i].topic, b->all[i - 1].topic) != 0) && count_partitions(rk, b->all[i].topic, NULL) < 1)
            return;
}

enum rc reader_bounds_ends(rd_kafka_t *rk, struct reader_bounds *b, struct err *e)
{
    rd_kafka_topic_partition_list_t *list = list_of(b);
    enum rc rc = ask_all(rk, b, RD_KAFKA_OFFSET_END, list, e);
    for (size_t i = 0; rc == RC_OK && i < b->n; i++)
        b->all[i].end = list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (rc != RC_OK)
        refresh(rk, b);
    return rc;
}

void reader_bounds_release(struct reader_bounds *b)
{
    free(b->all);
    memset(b, 0, sizeof *b);
}
