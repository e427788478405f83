#include "consumer/gate.h"

void gate_init(struct gate *g, int64_t low_ms, int64_t high_ms)
{
    *g = (struct gate){.low_ms = low_ms, .high_ms = high_ms, .interval_ms = low_ms};
}

static void probe_not_before(struct gate *g, int64_t at)
{
    if (at > g->probe_at)
        g->probe_at = at;
}

void gate_wish(struct gate *g, int64_t now, int64_t wish_ms)
{
    probe_not_before(g, now + (wish_ms > GATE_WISH_MS ? GATE_WISH_MS : wish_ms));
}

void gate_failed(struct gate *g, int64_t now, int64_t wish_ms)
{
    if (!g->paused) {
        g->paused = true;
        g->since = now;
        g->interval_ms = g->low_ms;
        g->probe_at = now;
    } else {
        g->interval_ms = g->interval_ms > g->high_ms / 2 ? g->high_ms : g->interval_ms * 2;
    }
    probe_not_before(g, now + g->interval_ms);
    gate_wish(g, now, wish_ms);
}

bool gate_answered(struct gate *g)
{
    bool was = g->paused;
    g->paused = false;
    return was;
}

bool gate_allows(const struct gate *g, unsigned flying, unsigned most, int64_t now)
{
    return g->paused ? flying == 0 && now >= g->probe_at : flying < most;
}
