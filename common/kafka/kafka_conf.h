/* librdkafka's configuration from ours: our defaults, then [kafka], then [kafka.producer] or [kafka.consumer] over it, then what the
 * bridge cannot work without (no commits or stored offsets behind its back, idempotence, acks=all, murmur2_random, ...). A property of the
 * user's that would change one of those is a problem; values of secret properties are never shown.
 * Source: librdkafka 2.0.2 CONFIGURATION.md. Thread rule: any. */
#ifndef BRIDGE_KAFKA_KAFKA_CONF_H
#define BRIDGE_KAFKA_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "common/base/config.h"
#include "common/base/log.h"

/* KAFKA_ADMIN is a consumer too: a producer's metadata requests would create topics. */
enum kafka_role { KAFKA_PRODUCE, KAFKA_GROUP, KAFKA_READ, KAFKA_ADMIN };

/* Adds a line per wrong property of the user's ([kafka] sections), for program_desc.check. No network. */
void kafka_conf_check(const struct config *c, struct config_problems *problems);
/* *out owned by the caller until rd_kafka_new takes it. group_id: for KAFKA_GROUP, else NULL
 * (KAFKA_READ gets "<prefix>-read", which is never joined).
 * RC_FATAL: a wrong property (kafka_conf_check names all of them). */
enum rc kafka_conf_create(const struct config *c, enum kafka_role role, const char *group_id, rd_kafka_conf_t **out, struct err *e);

/* The broker refused the password: gives the handle sasl.username and sasl.password once more, of files what they hold now. For the mechanisms PLAIN and SCRAM; it
 * counts from the next connection on. */
void kafka_conf_credentials(const struct config *c, enum kafka_role role, rd_kafka_t *rk);

/* "<prefix>.<name>" into out, e.g. "xsale.orders". name: one of "orders", "order-state", "order-outcomes", "order-status", "orders-dlq". */
void kafka_topic_name(const struct config *c, const char *name, char out[250]);

/* One of librdkafka's log lines or errors (RD_KAFKA_EVENT_LOG, RD_KAFKA_EVENT_ERROR) to ours. true: it was such an event. */
bool kafka_conf_event(struct log *log, rd_kafka_event_t *event);

#endif
