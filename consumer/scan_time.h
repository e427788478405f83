/* Moments as an operator writes them at a command: "3h" (so long ago; s, m, h, d), "2026-11-24", "2026-11-24T10:00[:30]" (local time), with "Z" (UTC), "beginning", "end".
 * Pure but for the process's time zone. */
#ifndef BRIDGE_CONSUMER_SCAN_TIME_H
#define BRIDGE_CONSUMER_SCAN_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum { SCAN_TIME_BEGINNING = 0 };
#define SCAN_TIME_END INT64_MAX

/* now: ms since 1970. *ms: since 1970, or one of the two above. RC_REJECT: none of these forms; words say which there are. */
enum rc scan_time_parse(const char *text, int64_t now, int64_t *ms, struct err *e);

#endif
