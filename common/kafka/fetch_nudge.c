#include "common/kafka/fetch_nudge.h"

#include <stdlib.h>

enum { LOOKS_ITSELF_FROM = 0x02020000, PARTS = 4 };

static int64_t quarter_of(const rd_kafka_conf_t *conf, const char *name)
{
    char value[32] = "";
    size_t n = sizeof value;
    int64_t limit = rd_kafka_conf_get(conf, name, value, &n) == RD_KAFKA_CONF_OK ? strtoll(value, NULL, 10) : 0;
    return limit < PARTS ? 1 : limit / PARTS;
}

void fetch_nudge_init(struct fetch_nudge *n, rd_kafka_t *rk)
{
    *n = (struct fetch_nudge){0};
    if (rd_kafka_version() >= LOOKS_ITSELF_FROM)
        return;
    n->records_each = quarter_of(rd_kafka_conf(rk), "queued.min.messages");
    n->bytes_each = quarter_of(rd_kafka_conf(rk), "queued.max.messages.kbytes") * 1024;
}

bool fetch_nudge_due(struct fetch_nudge *n, const rd_kafka_message_t *m)
{
    if (n->records_each == 0)
        return false;
    n->records++;
    n->bytes += (int64_t)(m->len + m->key_len);
    return n->records >= n->records_each || n->bytes >= n->bytes_each;
}

/* The end of each partition is asked for: the cheapest answer that a broker has. Time-out 0: the requests are handed over and their answers dropped. */
void fetch_nudge_send(struct fetch_nudge *n, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
    if (n->records_each != 0 && list->cnt > 0) {
        for (int i = 0; i < list->cnt; i++)
            list->elems[i].offset = RD_KAFKA_OFFSET_END;
        (void)rd_kafka_offsets_for_times(rk, list, 0); /* says "timed out", or that a leader is not known, whose thread fetches nothing then */
    }
    n->records = n->bytes = 0;
    rd_kafka_topic_partition_list_destroy(list);
}
