/* order-replay rewind: a consumer group of erp-consumer set back, or forward, so that orders are loaded again after the ERP was restored. */
#ifndef BRIDGE_CONSUMER_REPLAY_REWIND_H
#define BRIDGE_CONSUMER_REPLAY_REWIND_H

#include "common/program/program.h"

extern const struct program_option replay_rewind_options[];
extern const size_t replay_rewind_options_n;

enum rc replay_rewind_start(struct program *p, void **state, struct err *e);
void replay_rewind_stop(void *state);
void replay_rewind_release(void *state);

#endif
