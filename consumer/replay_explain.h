/* order-replay explain: the whole life of one order, from the topics. */
#ifndef BRIDGE_CONSUMER_REPLAY_EXPLAIN_H
#define BRIDGE_CONSUMER_REPLAY_EXPLAIN_H

#include "common/program/program.h"

extern const struct program_option replay_explain_options[];
extern const size_t replay_explain_options_n;

enum rc replay_explain_start(struct program *p, void **state, struct err *e);
void replay_explain_stop(void *state);
void replay_explain_release(void *state);

#endif
