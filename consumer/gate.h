/* Whether the ERP is tried at all. Open: as many tries at once as allowed. Paused (it is down): one order at a time, low..high
 * apart, doubling, and not before the ERP wants to be asked again. Pure; thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_GATE_H
#define BRIDGE_CONSUMER_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum { GATE_WISH_MS = 3600000 }; /* a longer Retry-After counts as this */

struct gate {
    int64_t low_ms, high_ms;
    int64_t interval_ms;
    int64_t since; /* monotonic ms at which it was paused */
    int64_t probe_at;
    bool paused;
};

/* 0 < low_ms <= high_ms. Starts open. */
void gate_init(struct gate *g, int64_t low_ms, int64_t high_ms);
/* A try failed with FATE_PAUSE: pauses an open gate; in a paused one it was a probe, and the next is twice as far away.
 * wish_ms: Retry-After, -1 none. */
void gate_failed(struct gate *g, int64_t now, int64_t wish_ms);
/* A try that began before the pause failed too: only its wish counts. */
void gate_wish(struct gate *g, int64_t now, int64_t wish_ms);
/* The ERP gave a verdict. true: it was paused until now. */
bool gate_answered(struct gate *g);
/* May one more try begin, with `flying` under way? */
bool gate_allows(const struct gate *g, unsigned flying, unsigned most, int64_t now);

#endif
