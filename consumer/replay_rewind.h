/* order-replay rewind: a consumer group of erp-consumer set back, or forward, so that orders are loaded again after the ERP was restored. */
#ifndef BRIDGE_CONSUMER_REPLAY_REWIND_H
#define BRIDGE_CONSUMER_REPLAY_REWIND_H

#include "common/program/program.h"

extern const struct program_command replay_rewind_command;

#endif
