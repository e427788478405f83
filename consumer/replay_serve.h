/* order-replay serve: a page that shows the whole pipeline. */
#ifndef BRIDGE_CONSUMER_REPLAY_SERVE_H
#define BRIDGE_CONSUMER_REPLAY_SERVE_H

#include "common/program/program.h"

extern const struct program_command replay_serve_command;

#endif
