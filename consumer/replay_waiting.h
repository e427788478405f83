/* order-replay waiting. */
#ifndef BRIDGE_CONSUMER_REPLAY_WAITING_H
#define BRIDGE_CONSUMER_REPLAY_WAITING_H

#include "common/program/program.h"

extern const struct program_command replay_waiting_command;

#endif
