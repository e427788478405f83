#include "common/kafka/registry.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* out of memory leaves the element outside (hh.tbl NULL) instead of ending the process */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "common/base/backoff.h"
#include "common/base/buf.h"
#include "common/kafka/registry_local.h"
#include "common/kafka/registry_reply.h"
#include "common/net/http_client.h"

enum {
    REPLY_MAX = 4 * 1024 * 1024,
    REQUEST_MAX = 4 * 1024 * 1024,
    URL_MAX = 8192,
    CACHED_MAX = 10000,
    CONNECT_MS = 10000,
    RETRY_LOW_MS = 1000,
    RETRY_HIGH_MS = 30000,
    RETRY_AFTER_MAX_MS = 300000,
    CONNECTIONS_MAX = 4,
    UNKNOWN_MAX = 64,
    LEVEL_TRIES = 3, /* the level is a courtesy: a registry that always fails at it must not keep us from starting */
};

struct cached {
    int32_t id;
    struct schema *schema;
    struct cached *former; /* what the id was before, for it may be borrowed */
    UT_hash_handle hh;
};

struct registration {
    struct registration *next;
    struct registry *registry;
    enum registry_step step; /* a failure on the way starts again at the look-up: by then it may be registered */
    struct buf subject;    /* escaped for a path */
    struct buf body;       /* {"schema": "..."} */
    struct schema *schema; /* a copy of the caller's, for the cache */
    int32_t id;            /* registered, or known without asking; 0: not yet */
    bool offered;          /* it was sent to be registered, whatever came back: found by a later look-up it is ours too */
    bool level_settled;    /* set, or told that it cannot be */
    bool level_set;
    struct err verdict;    /* incompatible, no reason named; "" when not so */
    int level_failures;
    struct http_call *call;
    struct loop_timer again;
    struct backoff backoff;
    registry_id_fn *done;
    void *arg;
};

struct waiter {
    struct waiter *next;
    registry_schema_fn *done;
    void *arg;
};

struct fetch { /* one question for an id, however many ask */
    int32_t id;
    struct registry *registry;
    struct waiter *waiters;
    struct waiter **waiters_end;
    struct http_call *call;
    struct loop_timer answer; /* for an id that is in the cache already */
    bool afresh;
    UT_hash_handle hh;
};

struct registry {
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct http_client *http; /* NULL: registry.url is empty, ids are local */
    struct cached *cache;
    size_t former_n;
    struct fetch *fetches;
    struct registration *registrations;
    int32_t unknown[UNKNOWN_MAX]; /* ids that it did not know when last asked, as a ring; 0: free */
    size_t unknown_next;
};

static const char *const media_type = "application/vnd.schemaregistry.v1+json";
static const char level[] = "BACKWARD_TRANSITIVE";

static void set_up(struct registry *r)
{
    health_set(r->health, "registry", HEALTH_UP, NULL, NULL);
}

static void set_down(struct registry *r, const char *why, const char *doing)
{
    health_set(r->health, "registry", HEALTH_DOWN, why, doing);
}

static struct http_call *ask(struct registry *r, const char *method, const char *path, const struct buf *body, http_done_fn *done,
                             void *arg, struct err *e)
{
    struct http_call *call = NULL;
    struct buf url, bearer;
    const char *base = config_text(r->config, "registry.url");
    const char *username = config_text(r->config, "registry.username");
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    buf_init(&url, URL_MAX);
    buf_init(&bearer, URL_MAX);
    buf_put(&url, base, n);
    buf_put_text(&url, path);
    const char *text = buf_text(&url);
    if (text == NULL) {
        err_set(e, "registry: URL longer than %d bytes", URL_MAX);
        goto out;
    }
    char accept[64], type[64];
    (void)snprintf(accept, sizeof accept, "Accept: %s", media_type);
    (void)snprintf(type, sizeof type, "Content-Type: %s", media_type);
    const char *token = config_text(r->config, "registry.token");
    buf_printf(&bearer, "Authorization: Bearer %s", token);
    const char *headers[3] = {accept};
    size_t headers_n = 1;
    if (body != NULL)
        headers[headers_n++] = type;
    if (token[0] != '\0' && (headers[headers_n++] = buf_text(&bearer)) == NULL) {
        err_set(e, "registry: registry.token is longer than %d bytes", URL_MAX);
        goto out;
    }
    struct http_request request = {
        .method = method,
        .url = text,
        .headers = headers,
        .headers_n = headers_n,
        .body = body != NULL ? body->p : NULL,
        .body_n = body != NULL ? body->n : 0,
        .username = username[0] != '\0' ? username : NULL,
        .password = username[0] != '\0' ? config_text(r->config, "registry.password") : NULL,
    };
    call = http_submit(r->http, &request, done, arg, e);
    if (call == NULL)
        err_prefix(e, "registry");
out:
    buf_release(&url);
    buf_release(&bearer);
    return call;
}

/* Takes s over whatever happens; an id that is cached stays what it is, for it may be borrowed. false: full
 * or no memory. */
static bool cache_put(struct registry *r, int32_t id, struct schema *s)
{
    struct cached *c = NULL;
    HASH_FIND_INT(r->cache, &id, c);
    if (c != NULL || s == NULL) {
        schema_destroy(s);
        return c != NULL;
    }
    c = HASH_COUNT(r->cache) < CACHED_MAX ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        schema_destroy(s);
        return false;
    }
    c->id = id;
    c->schema = s;
    HASH_ADD_INT(r->cache, id, c);
    if (c->hh.tbl == NULL) {
        schema_destroy(s);
        free(c);
        return false;
    }
    return true;
}

/* The same, but an id that is cached becomes s where that is another schema. */
static bool cache_renew(struct registry *r, int32_t id, struct schema *s)
{
    struct cached *c = NULL, *former;
    HASH_FIND_INT(r->cache, &id, c);
    if (c == NULL || schema_fingerprint(c->schema) == schema_fingerprint(s))
        return cache_put(r, id, s);
    former = r->former_n < CACHED_MAX ? calloc(1, sizeof *former) : NULL;
    if (former == NULL) {
        schema_destroy(s);
        return false;
    }
    former->schema = c->schema;
    former->former = c->former;
    c->former = former;
    c->schema = s;
    r->former_n++;
    log_fact(r->log, LOG_WARN, "registry", NULL, "the registry gives an id to another schema than before", LOG_I("id", id));
    return true;
}

const struct schema *registry_cached(const struct registry *r, int32_t id)
{
    struct cached *c = NULL;
    HASH_FIND_INT(r->cache, &id, c);
    return c != NULL ? c->schema : NULL;
}

static void fetch_free(struct fetch *f)
{
    while (f->waiters != NULL) {
        struct waiter *w = f->waiters;
        f->waiters = w->next;
        free(w);
    }
    free(f);
}

/* Takes f over. It is out of the table first, so a done may ask for the same id again. */
static void fetch_end(struct fetch *f, enum rc rc, const struct schema *s, const char *words)
{
    HASH_DEL(f->registry->fetches, f);
    for (struct waiter *w = f->waiters; w != NULL; w = w->next)
        w->done(w->arg, rc, s, words);
    fetch_free(f);
}

static void note_unknown(struct registry *r, int32_t id, bool unknown)
{
    for (size_t i = 0; i < UNKNOWN_MAX; i++)
        if (r->unknown[i] == id)
            r->unknown[i] = 0;
    if (unknown)
        r->unknown[r->unknown_next++ % UNKNOWN_MAX] = id;
}

bool registry_unknown(const struct registry *r, int32_t id)
{
    for (size_t i = 0; i < UNKNOWN_MAX; i++)
        if (r->unknown[i] == id && id != 0)
            return true;
    return false;
}

static void on_fetched(void *arg, const struct http_reply *reply)
{
    struct fetch *f = arg;
    struct registry *r = f->registry;
    struct err e = {""};
    struct schema *s = NULL;
    bool unknown;
    enum rc rc = registry_reply_schema(reply, f->id, &s, &unknown, &e);
    f->call = NULL;
    note_unknown(r, f->id, rc == RC_RETRY && unknown);
    if (rc == RC_OK && !(f->afresh ? cache_renew(r, f->id, s) : cache_put(r, f->id, s))) {
        rc = RC_RETRY;
        err_set(&e, "registry: no room for schema %d, %d are cached", (int)f->id, (int)HASH_COUNT(r->cache));
    } else if (rc != RC_RETRY || unknown) {
        set_up(r);
        log_event(r->log, LOG_INFO, "registry", NULL, rc == RC_OK ? "schema fetched" : "no readable schema",
                  LOG_I("id", f->id));
    } else {
        set_down(r, e.text, "asks again when the record is tried again");
    }
    fetch_end(f, rc, rc == RC_OK ? registry_cached(r, f->id) : NULL, e.text);
}

static void on_known(void *arg)
{
    struct fetch *f = arg;
    struct err e = {""};
    const struct schema *s = registry_cached(f->registry, f->id);
    if (s == NULL) { /* no registry, and not an id of the table (or no memory for its schema) */
        note_unknown(f->registry, f->id, registry_local_text(f->id) == NULL);
        err_set(&e, "registry: registry.url is empty, and there is no local schema %d", (int)f->id);
    }
    fetch_end(f, s != NULL ? RC_OK : RC_RETRY, s, e.text);
}

/* The built-in schema of an id of the table into the cache, unless this program has registered one. */
static void load_local(struct registry *r, int32_t id)
{
    const char *text = registry_local_text(id);
    struct schema *s = NULL;
    struct err e;
    if (text != NULL && registry_cached(r, id) == NULL && schema_parse(text, strlen(text), &s, &e) == RC_OK)
        (void)cache_put(r, id, s);
}

/* NULL: words in e. */
static struct fetch *fetch_start(struct registry *r, int32_t id, bool afresh, struct err *e)
{
    char path[48];
    struct fetch *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_set(e, "registry: out of memory");
        return NULL;
    }
    f->id = id;
    f->registry = r;
    f->afresh = afresh;
    f->waiters_end = &f->waiters;
    (void)snprintf(path, sizeof path, "/schemas/ids/%d", (int)id);
    if (r->http == NULL)
        load_local(r, id);
    if (r->http == NULL || (!afresh && registry_cached(r, id) != NULL)) {
        loop_timer_in(r->loop, &f->answer, 0, on_known, f);
    } else if ((f->call = ask(r, "GET", path, NULL, on_fetched, f, e)) == NULL) {
        free(f);
        return NULL;
    }
    HASH_ADD_INT(r->fetches, id, f);
    if (f->hh.tbl == NULL) {
        loop_timer_clear(r->loop, &f->answer);
        http_cancel(f->call);
        fetch_free(f);
        err_set(e, "registry: out of memory");
        return NULL;
    }
    return f;
}

static enum rc fetch(struct registry *r, int32_t id, bool afresh, registry_schema_fn *done, void *arg, struct err *e)
{
    struct fetch *f = NULL;
    struct waiter *w = NULL;
    HASH_FIND_INT(r->fetches, &id, f);
    if (f != NULL && afresh && !f->afresh && r->http != NULL) {
        err_set(e, "registry: schema %d is being fetched already", (int)id);
        return RC_RETRY;
    }
    if ((w = malloc(sizeof *w)) == NULL) {
        err_set(e, "registry: out of memory");
        return RC_RETRY;
    }
    *w = (struct waiter){NULL, done, arg};
    if (f == NULL && (f = fetch_start(r, id, afresh, e)) == NULL) {
        free(w);
        return RC_RETRY;
    }
    *f->waiters_end = w;
    f->waiters_end = &w->next;
    return RC_OK;
}

enum rc registry_fetch(struct registry *r, int32_t id, registry_schema_fn *done, void *arg, struct err *e)
{
    return fetch(r, id, false, done, arg, e);
}

enum rc registry_refetch(struct registry *r, int32_t id, registry_schema_fn *done, void *arg, struct err *e)
{
    return fetch(r, id, true, done, arg, e);
}

static void registration_free(struct registration *g)
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
static void registration_end(struct registration *g, enum rc rc, int32_t id, const char *words)
{
    struct registry *r = g->registry;
    registry_id_fn *done = g->done;
    void *arg = g->arg;
    struct registration **at = &r->registrations;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    if (rc == RC_OK) {
        (void)cache_put(r, id, g->schema); /* full: it is fetched when somebody asks */
        g->schema = NULL;
    }
    registration_free(g);
    done(arg, rc, id, words);
}

static void registration_ask(struct registration *g, enum registry_step step);

static void on_again(void *arg)
{
    struct registration *g = arg;
    g->verdict.text[0] = '\0';
    registration_ask(g, g->id > 0 ? REGISTRY_LEVEL : REGISTRY_LOOK_UP);
}

static void registration_retry(struct registration *g, int64_t retry_after_ms, const char *why)
{
    int64_t wait = backoff_next(&g->backoff);
    char doing[64];
    if (retry_after_ms > wait)
        wait = retry_after_ms < RETRY_AFTER_MAX_MS ? retry_after_ms : RETRY_AFTER_MAX_MS;
    (void)snprintf(doing, sizeof doing, "tries again in %lld s", (long long)((wait + 999) / 1000));
    set_down(g->registry, why, doing);
    loop_timer_in(g->registry->loop, &g->again, wait, on_again, g);
}

/* The subject's level was asked for; on with what comes next. */
static void after_level(struct registration *g)
{
    if (g->id == 0) {
        registration_ask(g, REGISTRY_COMPATIBLE);
        return;
    }
    set_up(g->registry);
    registration_end(g, RC_OK, g->id, "");
}

static void on_level(void *arg, const struct http_reply *reply)
{
    struct registration *g = arg;
    struct log *log = g->registry->log;
    struct err e = {""};
    enum rc rc = registry_reply_level(reply, (const char *)g->subject.p, g->subject.n, &e);
    g->call = NULL;
    if (rc == RC_RETRY && ++g->level_failures < LEVEL_TRIES) {
        registration_retry(g, reply->retry_after_ms, e.text);
        return;
    }
    bool not_yet = rc == RC_REJECT && reply->status == 404 && g->id == 0; /* perhaps once the subject has a version */
    if (rc == RC_OK)
        log_fact(log, LOG_INFO, "registry", NULL, "compatibility level set", LOG_S("subject", buf_text(&g->subject)), LOG_S("level", level));
    else if (!not_yet)
        log_fact(log, LOG_WARN, "registry", NULL, "compatibility level not set", LOG_S("subject", buf_text(&g->subject)),
                 LOG_S("wanted", level), LOG_S("why", e.text));
    g->level_set = rc == RC_OK;
    g->level_settled = !not_yet;
    after_level(g);
}

static void on_id(struct registration *g, int32_t id)
{
    bool registered = g->step == REGISTRY_REGISTER;
    log_fact(g->registry->log, LOG_INFO, "registry", NULL, registered ? "schema registered" : "schema found",
             LOG_S("subject", buf_text(&g->subject)), LOG_I("id", id));
    g->id = id;
    if (g->offered && !g->level_settled)
        registration_ask(g, REGISTRY_LEVEL);
    else
        after_level(g);
}

static void tell_reason(void *arg, const char *reason)
{
    struct registration *g = arg;
    log_fact(g->registry->log, LOG_ERROR, "registry", NULL, "schema not compatible", LOG_S("subject", buf_text(&g->subject)),
             LOG_S("reason", reason));
}

/* words: not g's own, which ends. */
static void refuse(struct registration *g, const char *words)
{
    set_down(g->registry, words, "needs an operator");
    registration_end(g, RC_FATAL, 0, words);
}

/* Incompatible. A registry that names no reason here (Apicurio) does so when it refuses to register. It is offered only where we have just set the level
 * under which it must be refused. */
static void on_incompatible(struct registration *g, const struct http_reply *reply, const struct err *e)
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
    struct registration *g = arg;
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
        registration_ask(g, step == REGISTRY_LEVEL && g->level_settled ? REGISTRY_COMPATIBLE : step);
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

static void registration_ask(struct registration *g, enum registry_step step)
{
    static const struct {
        const char *method, *before, *after;
    } formats[] = {
        [REGISTRY_LOOK_UP] = {"POST", "/subjects/", ""},
        [REGISTRY_LEVEL] = {"PUT", "/config/", ""},
        [REGISTRY_COMPATIBLE] = {"POST", "/compatibility/subjects/", "/versions?verbose=true"},
        [REGISTRY_COMPATIBLE_LATEST] = {"POST", "/compatibility/subjects/", "/versions/latest?verbose=true"},
        [REGISTRY_REGISTER] = {"POST", "/subjects/", "/versions"},
    };
    bool setting = step == REGISTRY_LEVEL;
    struct err e = {""};
    struct buf path, level_body;
    buf_init(&path, URL_MAX);
    buf_init(&level_body, URL_MAX);
    buf_put_text(&path, formats[step].before);
    buf_put(&path, g->subject.p, g->subject.n);
    buf_put_text(&path, formats[step].after);
    buf_printf(&level_body, "{\"compatibility\":\"%s\"}", level);
    const char *text = buf_failed(&level_body) ? NULL : buf_text(&path);
    g->step = step;
    g->offered |= step == REGISTRY_REGISTER;
    if (text != NULL)
        g->call = ask(g->registry, formats[step].method, text, setting ? &level_body : &g->body, setting ? on_level : on_registered, g, &e);
    else
        err_set(&e, "registry: out of memory");
    if (g->call == NULL)
        registration_retry(g, -1, e.text);
    buf_release(&level_body);
    buf_release(&path);
}

static void on_local_id(void *arg)
{
    struct registration *g = arg;
    registration_end(g, RC_OK, g->id, "");
}

/* No registry: the id comes from the table. The schema is in the cache at once, before anybody can ask for the built-in one. */
static enum rc register_local(struct registration *g, const char *topic, struct err *e)
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
    bool kept = cache_put(r, id, g->schema);
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
    struct registration *g = calloc(1, sizeof *g);
    if (g == NULL) {
        err_set(e, "registry: out of memory");
        return RC_FATAL;
    }
    g->registry = r;
    g->done = done;
    g->arg = arg;
    buf_init(&g->subject, URL_MAX / 2);
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

void registry_check(const struct config *c, struct config_problems *problems)
{
    bool user = config_text(c, "registry.username")[0] != '\0', password = config_text(c, "registry.password")[0] != '\0';
    if (user && config_text(c, "registry.token")[0] != '\0')
        config_problem(c, problems, "registry.token", "given together with registry.username; one of the two");
    if (user != password)
        config_problem(c, problems, user ? "registry.username" : "registry.password", "needs %s too", user ? "registry.password" : "registry.username");
}

enum rc registry_create(struct loop *l, const struct config *c, struct log *log, struct health *h,
                        struct registry **out, struct err *e)
{
    struct registry *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, "registry: out of memory");
        return RC_FATAL;
    }
    int64_t timeout_ms = config_ms(c, "registry.timeout");
    struct http_settings settings = {
        .user_agent = "xsale-bridge/" BRIDGE_VERSION,
        .ca_file = config_text(c, "registry.ca_file"),
        .insecure =
            true, /* schemas are no secret, and registries of closed networks often speak plain HTTP */
        .connect_timeout_ms = timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS,
        .timeout_ms = timeout_ms,
        .max_body = REPLY_MAX,
        .max_connections = CONNECTIONS_MAX,
    };
    r->loop = l;
    r->config = c;
    r->log = log;
    r->health = h;
    if (config_text(c, "registry.url")[0] == '\0') {
        health_set(h, "registry", HEALTH_UP, NULL, REGISTRY_LOCAL_WORDS);
        log_write_unfolded(log, LOG_WARN, "registry", NULL, REGISTRY_LOCAL_WORDS, NULL, 0);
        *out = r;
        return RC_OK;
    }
    r->http = http_client_create(l, &settings, e);
    if (r->http == NULL) {
        err_prefix(e, "registry");
        free(r);
        return RC_FATAL;
    }
    health_set(h, "registry", HEALTH_UNKNOWN, NULL, "not asked yet");
    *out = r;
    return RC_OK;
}

void registry_destroy(struct registry *r)
{
    if (r == NULL)
        return;
    while (r->registrations != NULL) {
        struct registration *g = r->registrations;
        r->registrations = g->next;
        registration_free(g);
    }
    struct fetch *f, *next_fetch;
    HASH_ITER(hh, r->fetches, f, next_fetch)
    {
        HASH_DEL(r->fetches, f);
        loop_timer_clear(r->loop, &f->answer);
        http_cancel(f->call);
        fetch_free(f);
    }
    struct cached *c, *next_cached;
    HASH_ITER(hh, r->cache, c, next_cached)
    {
        HASH_DEL(r->cache, c);
        while (c != NULL) {
            struct cached *former = c->former;
            schema_destroy(c->schema);
            free(c);
            c = former;
        }
    }
    http_client_destroy(r->http);
    free(r);
}
