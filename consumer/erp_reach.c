#include "consumer/erp_reach.h"

static void tell(struct erp_reach *r, bool reached, const char *words, int64_t again_ms)
{
    if (r->env.reached != NULL)
        r->env.reached(r->env.arg, reached, words, again_ms);
}

void erp_reach_begin(struct erp_reach *r, const struct erp_sink_env *env, loop_fn *look, void *arg)
{
    int64_t low = config_ms(env->config, "erp.probe_min"), high = config_ms(env->config, "erp.probe_max");
    r->env = *env;
    r->look = look;
    r->arg = arg;
    backoff_init(&r->wait, low, high > low ? high : low, (uint64_t)clock_wall(loop_clock(env->loop)));
    loop_timer_in(env->loop, &r->timer, 0, look, arg);
}

void erp_reach_ended(struct erp_reach *r, bool reached, const char *words)
{
    if (r->over)
        return;
    r->over = reached;
    int64_t again = reached ? -1 : backoff_next(&r->wait);
    if (!reached)
        loop_timer_in(r->env.loop, &r->timer, again, r->look, r->arg);
    tell(r, reached, words, again);
}

void erp_reach_proved(struct erp_reach *r)
{
    if (r->over)
        return;
    erp_reach_release(r);
    tell(r, true, "an order reached it", -1);
}

void erp_reach_release(struct erp_reach *r)
{
    r->over = true;
    if (r->env.loop != NULL)
        loop_timer_clear(r->env.loop, &r->timer);
}
