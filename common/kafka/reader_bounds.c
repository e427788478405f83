#include "common/kafka/reader_bounds.h"

#include <stdlib.h>
#include <string.h>

enum { WAITS_MS = 5000, PARTITIONS_MAX = 100000 };

static enum rc ask_bounds(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t *low, int64_t *high, struct err *e)
{
    *low = *high = -1; /* librdkafka leaves them unset for a missing topic */
    rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(rk, topic, partition, low, high, WAITS_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && *low >= 0 && *high >= *low)
        return RC_OK;
    err_set(e, "%s [%d]: %s", topic, (int)partition, err == RD_KAFKA_RESP_ERR_NO_ERROR ? "no bounds" : rd_kafka_err2str(err));
    return RC_RETRY;
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

static enum rc fill(rd_kafka_t *rk, const struct reader_start *s, struct reader_bound *b, struct err *e)
{
    int64_t low = -1;
    enum rc rc = ask_bounds(rk, b->topic, b->partition, &low, &b->end, e);
    if (rc != RC_OK)
        return rc;
    b->missing = 0;
    b->beyond = -1;
    b->start = low;
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

static struct reader_bound *add(struct reader_bounds *out, const char *topic, int32_t partition, struct err *e)
{
    struct reader_bound *more = realloc(out->all, (out->n + 1) * sizeof *more);
    if (more == NULL) {
        err_set(e, "%s: out of memory", topic);
        return NULL;
    }
    out->all = more;
    out->all[out->n] = (struct reader_bound){topic, partition, 0, 0, 0, -1};
    return &out->all[out->n++];
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

static enum rc ask_start(rd_kafka_t *rk, const struct reader_start *s, struct reader_bounds *out, struct err *e)
{
    int32_t first = s->partition, last = s->partition;
    if (s->partition < 0) {
        int n = count_partitions(rk, s->topic, e);
        if (n < 1)
            return RC_RETRY;
        first = 0;
        last = n - 1;
    }
    for (int32_t i = first; i <= last; i++) {
        struct reader_bound *b = add(out, s->topic, i, e);
        if (b == NULL)
            return RC_FATAL;
        enum rc rc = fill(rk, s, b, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

enum rc reader_bounds_ask(rd_kafka_t *rk, const struct reader_start *starts, size_t n, struct reader_bounds *out, struct err *e)
{
    struct reader_bounds made = {NULL, 0};
    for (size_t i = 0; i < n; i++) {
        enum rc rc = ask_start(rk, &starts[i], &made, e);
        if (rc != RC_OK) {
            reader_bounds_release(&made);
            return rc;
        }
    }
    *out = made;
    return RC_OK;
}

enum rc reader_bounds_ends(rd_kafka_t *rk, struct reader_bounds *b, struct err *e)
{
    for (size_t i = 0; i < b->n; i++) {
        int64_t low = -1;
        enum rc rc = ask_bounds(rk, b->all[i].topic, b->all[i].partition, &low, &b->all[i].end, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

void reader_bounds_release(struct reader_bounds *b)
{
    free(b->all);
    memset(b, 0, sizeof *b);
}
