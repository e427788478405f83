/* order-replay resend: orders by name once more onto `orders`. */
#ifndef BRIDGE_CONSUMER_REPLAY_RESEND_H
#define BRIDGE_CONSUMER_REPLAY_RESEND_H

#include "common/program/program.h"

extern const struct program_command replay_resend_command;

#endif
