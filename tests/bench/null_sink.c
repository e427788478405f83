/* erp-consumer with a sink that discards every order and calls it loaded: what the consumer itself costs, for tests/bench/replay. It is a program of the benchmarks alone: the
 * linker takes this erp_sink_find in place of the product's, whatever erp.sink says. (Rejected: a setting erp.sink = null, which one wrong line would make lose every order.) */
#include <stdio.h>
#include <stdlib.h>

#include "consumer/erp_sink.h"

enum { FLYING_MAX = 4096 };

struct flight {
    erp_done_fn *done;
    void *arg;
    int64_t order_id;
};

struct null_sink {
    struct erp_sink base; /* first */
    struct erp_sink_env env;
    struct loop_timer timer;
    struct flight all[FLYING_MAX], now[FLYING_MAX];
    size_t n;
};

static void check(const struct config *c, struct config_problems *problems)
{
    (void)c;
    (void)problems;
}

static bool withdraws(const struct erp_sink *s)
{
    (void)s;
    return false;
}

static void reach(void *arg)
{
    const struct null_sink *s = arg;
    if (s->env.reached != NULL)
        s->env.reached(s->env.arg, true, "", -1);
}

static enum rc open_sink(const struct erp_sink_env *env, struct erp_sink **out, struct err *e)
{
    struct null_sink *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    s->base.ops = erp_sink_find("");
    s->env = *env;
    loop_timer_in(env->loop, &s->timer, 0, reach, s);
    *out = &s->base;
    return RC_OK;
}

/* done() must not come from inside submit(): all that were submitted in one turn end in the next. */
static void end_all(void *arg)
{
    struct null_sink *s = arg;
    size_t n = s->n;
    for (size_t i = 0; i < n; i++)
        s->now[i] = s->all[i];
    s->n = 0;
    for (size_t i = 0; i < n; i++) {
        char document[32];
        (void)snprintf(document, sizeof document, "N-%lld", (long long)s->now[i].order_id);
        struct erp_verdict v = {.fate = FATE_LOADED, .document_id = document, .retry_after_ms = -1, .words = "discarded"};
        s->now[i].done(s->now[i].arg, &v);
    }
}

static enum rc submit(struct erp_sink *sink, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e)
{
    struct null_sink *s = (struct null_sink *)sink;
    if (s->n == FLYING_MAX) {
        err_set(e, "too many at once");
        return RC_RETRY;
    }
    s->all[s->n++] = (struct flight){done, arg, l->order_id};
    loop_timer_in(s->env.loop, &s->timer, 0, end_all, s);
    return RC_OK;
}

static void close_sink(struct erp_sink *sink)
{
    struct null_sink *s = (struct null_sink *)sink;
    loop_timer_clear(s->env.loop, &s->timer);
    free(s);
}

const struct erp_sink_ops *erp_sink_find(const char *name)
{
    static const struct erp_sink_ops ops = {"null", check, NULL, open_sink, withdraws, submit, close_sink};
    (void)name;
    return &ops;
}
