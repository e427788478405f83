/* Is the ERP there? A sink looks once it is open, again with back-off until the ERP was reached once, then never again: the orders tell from then on.
 * A look must be harmless, never anything that an ERP could take for a load. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ERP_REACH_H
#define BRIDGE_CONSUMER_ERP_REACH_H

#include "common/base/backoff.h"
#include "consumer/erp_sink.h"

struct erp_reach { /* embedded in its sink; zeroed before first use */
    struct erp_sink_env env;
    struct loop_timer timer;
    struct backoff wait;
    loop_fn *look;
    void *arg;
    bool over;
};

/* look(arg) is called in a turn to come; it ends, soon or late, in erp_reach_ended. */
void erp_reach_begin(struct erp_reach *r, const struct erp_sink_env *env, loop_fn *look, void *arg);
/* A look ended: tells the sink's owner, and looks again after a while unless the ERP was reached. */
void erp_reach_ended(struct erp_reach *r, bool reached, const char *words);
/* An order reached it: no look is needed any more. The owner is told, if it was not yet. */
void erp_reach_proved(struct erp_reach *r);
/* The sink closes. */
void erp_reach_release(struct erp_reach *r);

#endif
