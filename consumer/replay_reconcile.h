/* order-replay reconcile. */
#ifndef BRIDGE_CONSUMER_REPLAY_RECONCILE_H
#define BRIDGE_CONSUMER_REPLAY_RECONCILE_H

#include "common/program/program.h"

extern const struct program_command replay_reconcile_command;

#endif
