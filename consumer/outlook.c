#include "consumer/outlook.h"

#include <stdlib.h>

enum phase {
    KNOWN,
    WAITS_FOR_INTAKE, /* to reach every end, or to stand */
    WAITS_FOR_LOOK
};

struct outlook {
    struct lookahead_env env;
    struct lookahead *ahead;
    const struct assignment *mine;
    const struct loading *loading;
    loop_fn *ready;
    void *arg;
    bool wanted; /* consumer.lookahead > 0 */
    enum phase phase;
    uint64_t progress;   /* what had been read when it was last looked at */
    int64_t progress_at, waits_since; /* monotonic ms */
};

static void known(void *arg)
{
    struct outlook *o = arg;
    if (o->phase != WAITS_FOR_LOOK)
        return;
    o->phase = KNOWN;
    o->ready(o->arg);
}

struct outlook *outlook_create(const struct lookahead_env *env, const struct assignment *mine, loop_fn *ready, void *arg)
{
    struct outlook *o = calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->env = *env;
    o->env.known = known;
    o->env.arg = o;
    o->mine = mine;
    o->ready = ready;
    o->arg = arg;
    o->wanted = config_int(env->config, "consumer.lookahead") > 0;
    if ((o->ahead = lookahead_create(&o->env)) != NULL)
        return o;
    free(o);
    return NULL;
}

void outlook_of(struct outlook *o, const struct loading *loading)
{
    o->loading = loading;
}

void outlook_destroy(struct outlook *o)
{
    if (o == NULL)
        return;
    lookahead_destroy(o->ahead);
    free(o);
}

static void wait(struct outlook *o, enum phase phase)
{
    int64_t now = loop_now(o->env.loop);
    if (o->phase == KNOWN)
        o->waits_since = now;
    o->phase = phase;
    o->progress_at = now;
}

static void over(struct outlook *o)
{
    bool waited = o->phase != KNOWN;
    o->phase = KNOWN;
    if (waited)
        o->ready(o->arg);
}

static void note(void *arg, const struct lane_item *item)
{
    struct outlook *o = arg;
    lookahead_note(o->ahead, item->key, item->key_n, item->warehouse, item->publication);
}

/* From where the intake is; what it took before is noted from what is in hand. */
static bool begin(struct outlook *o)
{
    size_t n = assignment_count(o->mine);
    struct lookahead_from *from = calloc(n + 1, sizeof *from);
    struct err e = {"out of memory"};
    enum rc rc = RC_FATAL;
    for (size_t i = 0; from != NULL && i < n; i++) {
        const struct owned *owned = assignment_at(o->mine, i);
        from[i] = (struct lookahead_from){owned->partition, offset_track_next(owned->track)};
    }
    if (from != NULL && n > 0)
        rc = lookahead_begin(o->ahead, from, n, &e);
    free(from);
    if (rc == RC_OK)
        loading_each(o->loading, note, o);
    else
        log_event(o->env.log, LOG_WARN, "lookahead", NULL, "not possible, outdated states may be loaded", LOG_S("why", e.text));
    return rc == RC_OK;
}

static bool ran_short(const struct outlook *o)
{
    bool any = false;
    for (size_t i = 0; i < assignment_count(o->mine); i++) {
        const struct owned *owned = assignment_at(o->mine, i);
        any = any || lookahead_short(o->ahead, owned->partition, offset_track_next(owned->track));
    }
    return any;
}

static void begin_and_wait(struct outlook *o)
{
    if (begin(o))
        wait(o, WAITS_FOR_LOOK);
    else
        over(o);
}

static void look_known(struct outlook *o)
{
    if (!lookahead_running(o->ahead)) {
        if (assignment_paused(o->mine))
            (void)begin(o);
    } else if (assignment_at_end(o->mine) && !assignment_paused(o->mine)) {
        lookahead_end(o->ahead);
    } else if (ran_short(o)) {
        begin_and_wait(o);
    }
}

/* Gives up waiting when nothing moves. */
static void look_patience(struct outlook *o)
{
    int64_t now = loop_now(o->env.loop);
    uint64_t progress = lookahead_records(o->ahead) + loading_records(o->loading);
    if (o->phase == KNOWN)
        return;
    if (progress != o->progress && now - o->waits_since < OUTLOOK_LONGEST_MS) {
        o->progress = progress;
        o->progress_at = now;
    } else if (now - o->progress_at >= OUTLOOK_PATIENCE_MS || now - o->waits_since >= OUTLOOK_LONGEST_MS) {
        log_event(o->env.log, LOG_WARN, "lookahead", NULL, "does not get on, loading begins without it", LOG_I("ms", now - o->waits_since));
        over(o);
    }
}

void outlook_look(struct outlook *o)
{
    if (!o->wanted || assignment_count(o->mine) == 0)
        return;
    if (o->phase == KNOWN)
        look_known(o);
    else if (o->phase == WAITS_FOR_INTAKE && assignment_ended(o->mine))
        over(o);
    else if (o->phase == WAITS_FOR_INTAKE && assignment_paused(o->mine))
        begin_and_wait(o);
    look_patience(o);
}

void outlook_assigned(struct outlook *o)
{
    lookahead_end(o->ahead); /* what it knew may be of a topic that was made anew */
    if (o->wanted)
        wait(o, WAITS_FOR_INTAKE);
}

void outlook_revoked(struct outlook *o)
{
    if (assignment_count(o->mine) > 0)
        return;
    lookahead_end(o->ahead);
    o->phase = KNOWN;
}

void outlook_reopened(struct outlook *o)
{
    if (o->phase == KNOWN && lookahead_refresh(o->ahead))
        wait(o, WAITS_FOR_LOOK);
}

bool outlook_waits(const struct outlook *o)
{
    return o->phase != KNOWN;
}

bool outlook_outdated(const struct outlook *o, const void *key, size_t key_n, const char *warehouse, int64_t publication)
{
    return lookahead_outdated(o->ahead, key, key_n, warehouse, publication);
}
