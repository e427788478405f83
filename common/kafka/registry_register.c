#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/kafka/registry_local.h"
#include "common/kafka/registry_parts.h"
#include "common/kafka/registry_reply.h"

enum {
    REQUEST_MAX = 4 * 1024 * 1024,
    RETRY_LOW_MS = 1000,
    RETRY_HIGH_MS = 30000,
    RETRY_AFTER_MAX_MS = 300000,
    LEVEL_TRIES = 3, /* the level is a courtesy: a registry that always fails at it must not keep us from starting */
};

struct registry_registration {
    struct registry_registration *next;
    struct registry *registry;
    enum registry_step step; /* a failure on the way starts again at the look-up: by then it may be registered */
    struct buf subject;    /* escaped for a path */
    struct buf body;       /* {"schema": "..."} */
    struct schema *schema; /* a copy of the caller's, for the cache */
    int32_t id;            /* registered, or known without asking; 0: not yet */
    bool offered;          /* it was sent to be registered, whatever came back: found by a later look-up it is ours too */
    bool level_settled;    /* set, or told that it cannot be */
    bool level_set;        /* by us or before us: nothing that does not fit may be registered */
    const char *level;     /* to be set; NULL: not known yet */
    struct err verdict;    /* incompatible, no reason named; "" when not so */
    int level_failures;
    struct http_call *call;
    struct loop_timer again;
    struct backoff backoff;
    registry_id_fn *done;
    void *arg;
};

static void registration_free(struct registry_registration *g)
{
    if (g == NULL)
        return;
    loop_timer_clear(g->registry->loop, &g->again);
    http_cancel(g->call);
    buf_release(&g->subject);
    buf_release(&g->body);
    schema_destroy(g->schema);
    free(g);
}

/* Takes g over. */
static void registration_end(struct registry_registration *g, enum rc rc, int32_t id, const char *words)
{
    struct registry *r = g->registry;
    registry_id_fn *done = g->done;
    void *arg = g->arg;
    struct registry_registration **at = &r->registrations;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    if (rc == RC_OK) {
        (void)registry_cache_put(&r->cache, id, g->schema); /* full: it is fetched when somebody asks */
        g->schema = NULL;
    }
    registration_free(g);
    done(arg, rc, id, words);
}

static void registration_ask(struct registry_registration *g, enum registry_step step);

static void on_again(void *arg)
{
    struct registry_registration *g = arg;
    g->verdict.text[0] = '\0';
    registration_ask(g, g->id > 0 ? REGISTRY_LEVEL_NOW : REGISTRY_LOOK_UP);
}

static void registration_retry(struct registry_registration *g, int64_t retry_after_ms, const char *why)
{
    int64_t wait = backoff_next(&g->backoff);
    if (retry_after_ms > wait)
        wait = retry_after_ms < RETRY_AFTER_MAX_MS ? retry_after_ms : RETRY_AFTER_MAX_MS;
    registry_retry(g->registry, why, wait);
    loop_timer_in(g->registry->loop, &g->again, wait, on_again, g);
}

/* The subject's level was asked for; on with what comes next. */
static void after_level(struct registry_registration *g)
{
    if (g->id == 0) {
        registration_ask(g, REGISTRY_COMPATIBLE);
        return;
    }
    registry_up(g->registry);
    registration_end(g, RC_OK, g->id, "");
}

/* The level is neither known to be there nor set. */
static void level_failed(struct registry_registration *g, enum rc rc, const struct http_reply *reply, const char *why)
{
    if (rc == RC_RETRY && ++g->level_failures < LEVEL_TRIES) {
        registration_retry(g, reply->retry_after_ms, why);
        return;
    }
    bool not_yet = rc == RC_REJECT && reply->status == 404 && g->id == 0; /* perhaps once the subject has a version */
    if (!not_yet)
        log_fact(g->registry->log, LOG_WARN, "registry", NULL, "compatibility level not set", LOG_S("subject", buf_text(&g->subject)),
                 LOG_S("wanted", g->level != NULL ? g->level : "BACKWARD_TRANSITIVE"), LOG_S("why", why));
    g->level_settled = !not_yet;
    after_level(g);
}

static void level_is(struct registry_registration *g, const char *level, const char *words)
{
    log_fact(g->registry->log, LOG_INFO, "registry", NULL, words, LOG_S("subject", buf_text(&g->subject)), LOG_S("level", level));
    g->level_set = g->level_settled = true;
    after_level(g);
}

static void on_level(void *arg, const struct http_reply *reply)
{
    struct registry_registration *g = arg;
    struct err e = {""};
    enum rc rc = registry_reply_level(reply, (const char *)g->subject.p, g->subject.n, &e);
    g->call = NULL;
    if (rc == RC_OK)
        level_is(g, g->level, "compatibility level set");
    else
        level_failed(g, rc, reply, e.text);
}

/* It is raised only: whoever set a stricter one meant it. */
static void on_level_now(void *arg, const struct http_reply *reply)
{
    struct registry_registration *g = arg;
    struct err e = {""};
    const char *now = NULL;
    enum rc rc = registry_reply_level_now(reply, (const char *)g->subject.p, g->subject.n, &now, &g->level, &e);
    g->call = NULL;
    if (rc == RC_REJECT && reply->status == 404 && g->step == REGISTRY_LEVEL_NOW)
        registration_ask(g, REGISTRY_LEVEL_GLOBAL);
    else if (rc != RC_OK)
        level_failed(g, rc, reply, e.text);
    else if (g->level == NULL)
        level_is(g, now, "compatibility level kept");
    else
        registration_ask(g, REGISTRY_LEVEL);
}

static void on_id(struct registry_registration *g, int32_t id)
{
    bool registered = g->step == REGISTRY_REGISTER;
    log_fact(g->registry->log, LOG_INFO, "registry", NULL, registered ? "schema registered" : "schema found",
             LOG_S("subject", buf_text(&g->subject)), LOG_I("id", id));
    g->id = id;
    if (g->offered && !g->level_settled)
        registration_ask(g, REGISTRY_LEVEL_NOW);
    else
        after_level(g);
}

static void tell_reason(void *arg, const char *reason)
{
    struct registry_registration *g = arg;
    log_fact(g->registry->log, LOG_ERROR, "registry", NULL, "schema not compatible", LOG_S("subject", buf_text(&g->subject)),
             LOG_S("reason", reason));
}

/* words: not g's own, which ends. */
static void refuse(struct registry_registration *g, const char *words)
{
    registry_down(g->registry, words, "needs an operator");
    registration_end(g, RC_FATAL, 0, words);
}

/* Incompatible. A registry that names no reason here (Apicurio) does so when it refuses to register. It is offered only where we have just set the level
 * under which it must be refused. */
static void on_incompatible(struct registry_registration *g, const struct http_reply *reply, const struct err *e)
{
    if (registry_reply_reasons(reply, tell_reason, g) > 0 || !g->level_set) {
        refuse(g, e->text);
        return;
    }
    g->verdict = *e;
    registration_ask(g, REGISTRY_REGISTER);
}

static void on_registered(void *arg, const struct http_reply *reply)
{
    struct registry_registration *g = arg;
    struct err e = {""};
    enum registry_step step = g->step;
    int32_t id = 0;
    enum registry_next next = registry_reply_step(reply, (const char *)g->subject.p, g->subject.n, &step, &id, &e);
    g->call = NULL;
    if (g->verdict.text[0] != '\0') { /* whatever it says now */
        if (next != REGISTRY_FATAL || reply->status != 409)
            e = g->verdict;
        refuse(g, e.text);
        return;
    }
    switch (next) {
    case REGISTRY_STEP:
        registration_ask(g, step == REGISTRY_LEVEL_NOW && g->level_settled ? REGISTRY_COMPATIBLE : step);
        break;
    case REGISTRY_DONE:
        on_id(g, id);
        break;
    case REGISTRY_RETRY:
        registration_retry(g, reply->retry_after_ms, e.text);
        break;
    case REGISTRY_FATAL:
        if (step == REGISTRY_COMPATIBLE || step == REGISTRY_COMPATIBLE_LATEST)
            on_incompatible(g, reply, &e);
        else
            refuse(g, e.text);
        break;
    }
}

static void registration_ask(struct registry_registration *g, enum registry_step step)
{
    static const struct {
        const char *method, *before, *after; /* after NULL: the subject is not in the path */
        http_done_fn *done;
    } formats[] = {
        [REGISTRY_LOOK_UP] = {"POST", "/subjects/", "", on_registered},
        [REGISTRY_LEVEL_NOW] = {"GET", "/config/", "?defaultToGlobal=true", on_level_now},
        [REGISTRY_LEVEL_GLOBAL] = {"GET", "/config", NULL, on_level_now},
        [REGISTRY_LEVEL] = {"PUT", "/config/", "", on_level},
        [REGISTRY_COMPATIBLE] = {"POST", "/compatibility/subjects/", "/versions?verbose=true", on_registered},
        [REGISTRY_COMPATIBLE_LATEST] = {"POST", "/compatibility/subjects/", "/versions/latest?verbose=true", on_registered},
        [REGISTRY_REGISTER] = {"POST", "/subjects/", "/versions", on_registered},
    };
    bool asking = step == REGISTRY_LEVEL_NOW || step == REGISTRY_LEVEL_GLOBAL;
    struct err e = {""};
    struct buf path, level_body;
    buf_init(&path, REGISTRY_URL_MAX);
    buf_init(&level_body, REGISTRY_URL_MAX);
    buf_put_text(&path, formats[step].before);
    if (formats[step].after != NULL) {
        buf_put(&path, g->subject.p, g->subject.n);
        buf_put_text(&path, formats[step].after);
    }
    buf_printf(&level_body, "{\"compatibility\":\"%s\"}", g->level != NULL ? g->level : "");
    const char *text = buf_failed(&level_body) ? NULL : buf_text(&path);
    const struct buf *body = asking ? NULL : step == REGISTRY_LEVEL ? &level_body : &g->body;
    g->step = step;
    g->offered |= step == REGISTRY_REGISTER;
    if (text != NULL)
        g->call = registry_ask(g->registry, formats[step].method, text, body, formats[step].done, g, &e);
    else
        err_set(&e, "registry: out of memory");
    if (g->call == NULL)
        registration_retry(g, -1, e.text);
    buf_release(&level_body);
    buf_release(&path);
}

static void on_local_id(void *arg)
{
    struct registry_registration *g = arg;
    registration_end(g, RC_OK, g->id, "");
}

/* No registry: the id comes from the table. The schema is in the cache at once, before anybody can ask for the built-in one. */
static enum rc register_local(struct registry_registration *g, const char *topic, struct err *e)
{
    struct registry *r = g->registry;
    int32_t id = registry_local_id(topic);
    if (id == 0) {
        err_set(e, "registry: registry.url is empty, and there is no local schema id for topic %s", topic);
        return RC_FATAL;
    }
    const struct schema *there = registry_cached(r, id);
    if (there != NULL && schema_fingerprint(there) != schema_fingerprint(g->schema)) {
        err_set(e, "registry: registry.url is empty, and local schema id %d is in use for another schema", (int)id);
        return RC_FATAL;
    }
    bool kept = registry_cache_put(&r->cache, id, g->schema);
    g->schema = NULL;
    if (!kept) {
        err_set(e, "registry: out of memory");
        return RC_FATAL;
    }
    g->id = id;
    loop_timer_in(r->loop, &g->again, 0, on_local_id, g);
    return RC_OK;
}

/* The body of all steps but the level's; schemaType is left out: Avro is the default and older registries refuse the
 * key. */
static bool make_body(const struct schema *s, struct buf *out)
{
    json_t *root = json_pack("{s:s}", "schema", schema_text(s));
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    if (text != NULL)
        buf_put_text(out, text);
    free(text);
    json_decref(root);
    return text != NULL && !buf_failed(out);
}

enum rc registry_register(struct registry *r, const char *topic, const struct schema *s, registry_id_fn *done,
                          void *arg, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct registry_registration *g = calloc(1, sizeof *g);
    if (g == NULL) {
        err_set(e, "registry: out of memory");
        return RC_FATAL;
    }
    g->registry = r;
    g->done = done;
    g->arg = arg;
    buf_init(&g->subject, REGISTRY_URL_MAX / 2);
    buf_init(&g->body, REQUEST_MAX);
    backoff_init(&g->backoff, RETRY_LOW_MS, RETRY_HIGH_MS,
                 (uint64_t)clock_wall(loop_clock(r->loop)) ^ (uintptr_t)g);
    http_escape(&g->subject, topic, strlen(topic));
    buf_put_text(&g->subject, "-value");
    if (buf_failed(&g->subject) || !make_body(s, &g->body)) {
        err_set(e, "registry: topic name or schema too long");
        goto out;
    }
    if ((rc = schema_parse(schema_text(s), strlen(schema_text(s)), &g->schema, e)) != RC_OK)
        goto out;
    if (r->http == NULL && (rc = register_local(g, topic, e)) != RC_OK)
        goto out;
    g->next = r->registrations;
    r->registrations = g;
    if (r->http != NULL)
        registration_ask(g, REGISTRY_LOOK_UP);
    g = NULL;
out:
    registration_free(g);
    return rc;
}

void registry_registrations_drop(struct registry *r)
{
    while (r->registrations != NULL) {
        struct registry_registration *g = r->registrations;
        r->registrations = g->next;
        registration_free(g);
    }
}
