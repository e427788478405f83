/* order-replay redrive: rejected orders from the dead letters back onto `orders`. */
#ifndef BRIDGE_CONSUMER_REPLAY_REDRIVE_H
#define BRIDGE_CONSUMER_REPLAY_REDRIVE_H

#include "common/program/program.h"

extern const struct program_command replay_redrive_command;

#endif
