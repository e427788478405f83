/* order-replay tail: follows our topics, decoded. */
#ifndef BRIDGE_CONSUMER_REPLAY_TAIL_H
#define BRIDGE_CONSUMER_REPLAY_TAIL_H

#include "common/program/program.h"

extern const struct program_command replay_tail_command;

#endif
