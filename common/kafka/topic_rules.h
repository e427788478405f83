/* What is dangerous about the topics as they are. Pure. */
#ifndef BRIDGE_KAFKA_TOPIC_RULES_H
#define BRIDGE_KAFKA_TOPIC_RULES_H

#include "common/base/err.h"
#include "common/kafka/topics.h"

struct topic_seen {
    int partitions;     /* 0: not asked for */
    char cleanup[64];   /* "": not known */
    char timestamp[32]; /* "": not known */
    char retention[24]; /* retention.ms; "": not known */
};

/* RC_FATAL: e says what is dangerous and the command that mends it. servers: for the command. */
enum rc topic_rules_check(const struct topic_seen seen[TOPIC_COUNT], const char *prefix, const char *servers, struct err *e);
/* The times of this topic are not the broker's: a warning. */
bool topic_rules_wrong_time(int topic, const struct topic_seen *seen);
/* Records of this topic are deleted sooner than designed: a warning. */
bool topic_rules_short_retention(int topic, const struct topic_seen *seen);
/* The command that makes the topic. */
void topic_rules_command(int topic, const char *prefix, const char *servers, int partitions, struct buf *out);

#endif
