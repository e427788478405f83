/* Who is in a consumer group, as the broker tells. Source: Kafka protocol, DescribeGroups; of a group with group.protocol=consumer ConsumerGroupDescribe, which librdkafka
 * knows from 2.10 on: an older one sees such a group as "Dead" and without members. Thread rule: blocks, so in the worker. */
#ifndef BRIDGE_KAFKA_GROUP_MEMBERS_H
#define BRIDGE_KAFKA_GROUP_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include <librdkafka/rdkafka.h>

enum { GROUP_MEMBERS_SHOWN = 16 };

struct group_member {
    char client[128], host[128];
};

struct group_members {
    char state[32]; /* "Empty", "Stable", ...; "Dead": the broker knows no such group */
    bool active;    /* has members */
    struct group_member shown[GROUP_MEMBERS_SHOWN];
    size_t n;       /* of all; the first GROUP_MEMBERS_SHOWN are there */
};

/* _PARTIAL: a broker that may be the one that knows the group did not answer. */
rd_kafka_resp_err_t group_members_ask(rd_kafka_t *rk, const char *group, int wait_ms, struct group_members *out);

#endif
