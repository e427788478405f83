/* Moments from text: "2026-11-20T14:03:11[.123][Z|+01:00]", "2026-11-20 14:03", "2026-11-20". Without an offset, the time zone decides; a
 * local time that exists twice (autumn) is the earlier one, one that does not exist (spring) is read with the offset before the gap: the same on every machine.
 * The zone is read from the system's tz database. Thread rule: zone_open sets the process's TZ: once per process, before threads. */
#ifndef BRIDGE_CONTRACT_ZONE_H
#define BRIDGE_CONTRACT_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct zone; 

/* name: "Europe/Warsaw". RC_REJECT: no such zone on this machine. */
enum rc zone_open(const char *name, struct zone **out, struct err *e);
void zone_close(struct zone *z);
/* text: n bytes. *ms: since 1970-01-01 UTC. RC_REJECT: not a moment (month 13, 2026-02-30, trailing bytes, year outside 1..9999). */
enum rc zone_parse_moment(const struct zone *z, const char *text, size_t n, int64_t *ms, struct err *e);
/* "2026-11-20", or the date part of a moment as it is written there. *days since 1970-01-01. */
enum rc zone_parse_date(const char *text, size_t n, int32_t *days, struct err *e);
/* "2026-11-20T13:03:11.123Z" (24 characters and a zero). */
void zone_print_moment(int64_t ms, char out[32]);

#endif
