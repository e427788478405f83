/* What an operator is told whose command got no answer from Kafka: what is known, and what there is to do. */
#ifndef BRIDGE_CONSUMER_KAFKA_AWAY_H
#define BRIDGE_CONSUMER_KAFKA_AWAY_H

#include "common/base/err.h"

/* servers: kafka.bootstrap.servers. words: what came of the question. why: what the connections say, "": nothing. What is no such trouble keeps its words. */
void kafka_away_words(const char *servers, const char *words, const char *why, struct err *out);

#endif
