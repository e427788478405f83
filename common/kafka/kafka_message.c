#include "common/kafka/kafka_message.h"

#include <stdlib.h>
#include <string.h>

static enum rc view_headers(struct kafka_message *m, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *all = NULL;
    m->record.headers_n = 0;
    m->record.headers = m->headers;
    if (rd_kafka_message_headers(message, &all) != RD_KAFKA_RESP_ERR_NO_ERROR || all == NULL)
        return RC_OK;
    size_t n = rd_kafka_header_cnt(all);
    if (n > m->headers_cap) { /* bounded by the size of a message */
        struct kafka_header *more = realloc(m->headers, n * sizeof *more);
        if (more == NULL)
            return RC_FATAL;
        m->headers = more;
        m->headers_cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        struct kafka_header *h = &m->headers[i];
        if (rd_kafka_header_get_all(all, i, &h->name, &h->value, &h->n) != RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        m->record.headers_n = i + 1;
    }
    m->record.headers = m->headers;
    return RC_OK;
}

enum rc kafka_message_view(struct kafka_message *m, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    struct kafka_record *r = &m->record;
    r->topic = rd_kafka_topic_name(message->rkt);
    r->partition = message->partition;
    r->offset = message->offset;
    r->timestamp = rd_kafka_message_timestamp(message, &type);
    r->key = message->key;
    r->key_n = message->key == NULL ? 0 : message->key_len;
    r->value = message->payload;
    r->value_n = message->payload == NULL ? 0 : message->len;
    return view_headers(m, message);
}

void kafka_message_release(struct kafka_message *m)
{
    free(m->headers);
    memset(m, 0, sizeof *m);
}
