/* What a program depends on, by name, for /readyz: its state, since when, the last error and what the program does about it.
 * Ready = every registered dependency is up. Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_HEALTH_H
#define BRIDGE_NET_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/metrics.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

struct health;

struct health *health_create(const struct clock *clock, struct log *log);
void health_destroy(struct health *h);
/* From here on each state is a metric too, and whoever watches a dependency may put its figures there. m borrowed. */
void health_publish(struct health *h, struct metrics *m);
struct metrics *health_metrics(const struct health *h); /* NULL: none; h may be NULL */
/* name: a literal ("kafka", "registry", "xsale", "erp", ...), at most 16 of them; registers it at first use (UNKNOWN counts as not ready).
 * why: the error, copied and cut to 300 bytes; doing: what the program does about it ("keeps trying"), copied too;
 * both may be NULL. A change of state is logged once. h may be NULL. */
void health_set(struct health *h, const char *name, enum health_state state, const char *why, const char *doing);
/* Down, and doing ("tries again") comes in in_ms. Whoever asks meanwhile reads how long that still is: "tries again in 4 s", in the end "tries again now". */
void health_retry(struct health *h, const char *name, const char *why, const char *doing, int64_t in_ms);
bool health_ready(const struct health *h);
/* One line for people: "ready", or the first dependency that is not up with its error and what is done about it; cut to room. */
void health_summary(const struct health *h, char *out, size_t room);
/* The error of the first dependency that is down and whose name begins so; "": none. Borrowed until it changes. */
const char *health_why(const struct health *h, const char *name);
/* {"ready":false,"dependencies":{"kafka":{"state":"down","since":"...","error":"...","doing":"..."}}} */
void health_print(const struct health *h, struct buf *out);

#endif
