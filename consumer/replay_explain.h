/* order-replay explain: the whole life of one order, from the topics. */
#ifndef BRIDGE_CONSUMER_REPLAY_EXPLAIN_H
#define BRIDGE_CONSUMER_REPLAY_EXPLAIN_H

#include "common/program/program.h"

extern const struct program_command replay_explain_command;

#endif
