#include "common/base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t now_ms(clockid_t id)
{
    struct timespec t = {0};
    if (clock_gettime(id, &t) != 0) /* cannot fail for these two clocks on Linux */
        return 0;
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall(void *arg)
{
    (void)arg;
    return now_ms(CLOCK_REALTIME);
}

static int64_t system_mono(void *arg)
{
    (void)arg;
    return now_ms(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {system_wall, system_mono, NULL};
    return &system_clock;
}

int64_t clock_wall(const struct clock *c)
{
    return c->wall_ms(c->arg);
}

int64_t clock_mono(const struct clock *c)
{
    return c->mono_ms(c->arg);
}
