/* An option of order-replay that is a moment (scan_time.h). */
#ifndef BRIDGE_CONSUMER_OPTION_MOMENT_H
#define BRIDGE_CONSUMER_OPTION_MOMENT_H

#include "common/program/program.h"

/* otherwise: what counts where the option is not given. RC_REJECT: no moment; words name the option. */
enum rc option_moment(struct program *p, const char *option, const char *otherwise, int64_t *out, struct err *e);

#endif
