/* Time, replaceable in tests. wall: milliseconds since 1970-01-01 UTC, may jump. mono: milliseconds that only rise,
 * for deadlines and intervals. Thread rule: the system clock may be read from any thread. */
#ifndef BRIDGE_BASE_CLOCK_H
#define BRIDGE_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *arg);
    int64_t (*mono_ms)(void *arg);
    void *arg;
};

/* CLOCK_REALTIME and CLOCK_MONOTONIC. Never fails. */
const struct clock *clock_system(void);

int64_t clock_wall(const struct clock *c);
int64_t clock_mono(const struct clock *c);

#endif
