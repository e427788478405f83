#include "common/kafka/group_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum rc group_parts_init(struct group_parts *p, const char *const *topics, size_t n, struct err *e)
{
    *p = (struct group_parts){.topics = calloc(n + 1, sizeof *p->topics)};
    for (size_t i = 0; p->topics != NULL && i < n; i++) {
        if ((p->topics[i] = strdup(topics[i])) == NULL)
            break;
        p->topics_n++;
    }
    if (p->topics != NULL && p->topics_n == n)
        return RC_OK;
    err_set(e, "out of memory");
    return RC_FATAL;
}

void group_parts_release(struct group_parts *p)
{
    for (size_t i = 0; i < p->topics_n; i++)
        free(p->topics[i]);
    free(p->topics);
    free(p->list);
    *p = (struct group_parts){0};
}

struct group_part *group_parts_find(struct group_parts *p, const char *topic, int32_t partition)
{
    struct group_part *found = p->last;
    if (found != NULL && found->partition == partition && strcmp(found->topic, topic) == 0)
        return found;
    for (size_t i = 0; i < p->n; i++) {
        found = &p->list[i];
        if (found->partition == partition && strcmp(found->topic, topic) == 0)
            return p->last = found;
    }
    return NULL;
}

static const char *own_name(const struct group_parts *p, const char *topic)
{
    for (size_t i = 0; i < p->topics_n; i++)
        if (strcmp(p->topics[i], topic) == 0)
            return p->topics[i];
    return NULL;
}

bool group_parts_add(struct group_parts *p, const char *topic, int32_t partition, int64_t offset)
{
    const char *name = own_name(p, topic);
    struct group_part *more = name == NULL ? NULL : realloc(p->list, (p->n + 1) * sizeof *more);
    if (more == NULL)
        return false;
    p->list = more;
    p->last = NULL;
    p->list[p->n++] = (struct group_part){name, partition, offset < 0 ? 0 : offset, false, offset};
    return true;
}

bool group_parts_remove(struct group_parts *p, const char *topic, int32_t partition)
{
    struct group_part *found = group_parts_find(p, topic, partition);
    if (found == NULL)
        return false;
    *found = p->list[--p->n];
    p->last = NULL;
    return true;
}

rd_kafka_topic_partition_list_t *group_parts_listed(const struct group_parts *p)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)p->n);
    for (size_t i = 0; i < p->n; i++)
        (void)rd_kafka_topic_partition_list_add(list, p->list[i].topic, p->list[i].partition);
    return list;
}

void group_parts_tell_lag(const struct group_parts *p, rd_kafka_t *rk, struct metrics *m)
{
    char label[300];
    metrics_forget(m, metrics_shared(m, SHARED_LAG_RECORDS));
    for (size_t i = 0; i < p->n; i++) {
        const struct group_part *part = &p->list[i];
        int64_t low = 0, high = 0;
        if (rd_kafka_get_watermark_offsets(rk, part->topic, part->partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0)
            continue;
        int64_t from = part->committed < low ? low : part->committed;
        (void)snprintf(label, sizeof label, "%s\t%d", part->topic, (int)part->partition);
        metrics_set(m, metrics_shared(m, SHARED_LAG_RECORDS), label, high > from ? (double)(high - from) : 0);
    }
}
