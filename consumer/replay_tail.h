/* order-replay tail: follows our topics, decoded. */
#ifndef BRIDGE_CONSUMER_REPLAY_TAIL_H
#define BRIDGE_CONSUMER_REPLAY_TAIL_H

#include "common/program/program.h"

extern const struct program_option replay_tail_options[];
extern const size_t replay_tail_options_n;

enum rc replay_tail_start(struct program *p, void **state, struct err *e);
void replay_tail_stop(void *state);
void replay_tail_release(void *state);

#endif
