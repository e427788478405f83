/* A whole number that stands behind an option of a command. Pure. */
#ifndef BRIDGE_CONSUMER_OPTION_NUMBER_H
#define BRIDGE_CONSUMER_OPTION_NUMBER_H

#include <stdint.h>

#include "common/base/err.h"

/* text: decimal digits; NULL: *out stays. RC_REJECT: no such number from least to most (>= 0); words name the option. */
enum rc option_number(const char *option, const char *text, int64_t least, int64_t most, int64_t *out, struct err *e);

#endif
