/* A message of librdkafka as a kafka_record. The view's header table is kept from message to message, so nothing is allocated for most
 * of them. Thread rule: one owner. */
#ifndef BRIDGE_KAFKA_KAFKA_MESSAGE_H
#define BRIDGE_KAFKA_KAFKA_MESSAGE_H

#include <librdkafka/rdkafka.h>

#include "common/base/err.h"
#include "common/kafka/kafka_record.h"

struct kafka_message {
    struct kafka_record record; /* borrows from the message */
    struct kafka_header *headers;
    size_t headers_cap;
};

/* Zeroed before first use. RC_FATAL: out of memory. */
enum rc kafka_message_view(struct kafka_message *m, const rd_kafka_message_t *message);
void kafka_message_release(struct kafka_message *m);

#endif
