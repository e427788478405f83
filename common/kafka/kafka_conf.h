/* librdkafka's configuration from ours: [kafka] for all, [kafka.producer] or [kafka.consumer] over it, our fixed needs over both
 * (enable.auto.commit=false, enable.auto.offset.store=false, partitioner=murmur2_random, acks=all, enable.idempotence=true,
 * socket.nagle.disable=true, queue limits 16 MB ... ; a property of the user's that contradicts a fixed need is a problem).
 * Source: librdkafka 2.0.2 CONFIGURATION.md. Thread rule: any. */
#ifndef BRIDGE_KAFKA_KAFKA_CONF_H
#define BRIDGE_KAFKA_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "common/base/config.h"
#include "common/base/log.h"

enum kafka_role { KAFKA_PRODUCE, KAFKA_GROUP, KAFKA_READ, KAFKA_ADMIN };

/* Adds a line per wrong property of the user's ([kafka] sections), for program_desc.check. */
void kafka_conf_check(const struct config *c, struct config_problems *problems);
/* *out owned by the caller until rd_kafka_new takes it. group_id: for KAFKA_GROUP, else NULL. */
enum rc kafka_conf_create(const struct config *c, enum kafka_role role, const char *group_id, rd_kafka_conf_t **out, struct err *e);

/* "<prefix>.<name>" into out, e.g. "xsale.orders". name: one of "orders", "order-state", "order-outcomes", "order-status", "orders-dlq". */
void kafka_topic_name(const struct config *c, const char *name, char out[250]);

/* One of librdkafka's log lines or errors (RD_KAFKA_EVENT_LOG, RD_KAFKA_EVENT_ERROR) to ours. true: it was such an event. */
bool kafka_conf_event(struct log *log, rd_kafka_event_t *event);

#endif
