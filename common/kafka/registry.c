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
    MESSAGE_MAX = 300, /* bytes of the registry's own words that we repeat */
};

/* error_code of the Confluent API */
enum { CODE_NO_SUBJECT = 40401, CODE_NO_SCHEMA = 40403 };

struct cached {
    int32_t id;
    struct schema *schema;
    UT_hash_handle hh;
};

/* Look up; not there: compatible? ; register. A failure on the way starts again at the look-up: by then it
 * may be registered. */
enum step { STEP_LOOK_UP, STEP_COMPATIBLE, STEP_REGISTER };

struct registration {
    struct registration *next;
    struct registry *registry;
    enum step step;
    struct buf subject;    /* escaped for a path */
    struct buf body;       /* {"schema": "..."} */
    struct schema *schema; /* a copy of the caller's, for the cache */
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
    UT_hash_handle hh;
};

struct registry {
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct http_client *http;
    struct cached *cache;
    struct fetch *fetches;
    struct registration *registrations;
};

static const char *const media_type = "application/vnd.schemaregistry.v1+json";

static void set_up(struct registry *r)
{
    health_set(r->health, "registry", HEALTH_UP, NULL, NULL);
}

static void set_down(struct registry *r, const char *why, const char *doing)
{
    health_set(r->health, "registry", HEALTH_DOWN, why, doing);
}

static struct http_call *ask(struct registry *r, const char *path, const struct buf *body, http_done_fn *done,
                             void *arg, struct err *e)
{
    struct http_call *call = NULL;
    struct buf url;
    const char *base = config_text(r->config, "registry.url");
    const char *username = config_text(r->config, "registry.username");
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    buf_init(&url, URL_MAX);
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
    const char *headers[] = {accept, type};
    struct http_request request = {
        .method = body != NULL ? "POST" : "GET",
        .url = text,
        .headers = headers,
        .headers_n = body != NULL ? 2 : 1,
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
    return call;
}

/* NULL: not a JSON object. Owned by the caller. */
static json_t *read_object(const struct http_reply *reply)
{
    json_error_t error;
    json_t *root = reply->end == HTTP_REPLIED ? json_loadb(reply->body, reply->body_n, 0, &error) : NULL;
    if (root != NULL && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* The registry's words, made fit for one line; "" when it gave none. */
static void copy_words(const char *from, char out[MESSAGE_MAX])
{
    size_t n = from != NULL ? strlen(from) : 0, used = 0;
    for (size_t i = 0; i < n && used + 1 < MESSAGE_MAX; i++)
        out[used++] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? ' ' : from[i];
    while (used < n && used > 0 && ((unsigned char)out[used - 1] & 0xC0) == 0x80) /* cut at a character */
        used--;
    if (used < n && used > 0 && (unsigned char)out[used - 1] >= 0xC0)
        used--;
    out[used] = '\0';
}

static int error_code(const json_t *root)
{
    json_int_t code = json_integer_value(json_object_get(root, "error_code"));
    return code > 0 && code < 1000000 ? (int)code : 0;
}

/* Will the same request work later? */
static bool may_pass(const struct http_reply *reply)
{
    return reply->end != HTTP_REPLIED || reply->status >= 500 || reply->status == 408 || reply->status == 429;
}

/* Why the registry did not do what was asked, for an operator. */
static void explain(const struct http_reply *reply, const json_t *root, const char *what, struct err *e)
{
    char said[MESSAGE_MAX];
    copy_words(json_string_value(json_object_get(root, "message")), said);
    const char *colon = said[0] != '\0' ? ": " : "";
    if (reply->end != HTTP_REPLIED)
        err_set(e, "registry: %s: %s", what, reply->words);
    else if (reply->status == 401)
        err_set(e, "registry: %s: HTTP 401, registry.username and registry.password are not accepted%s%s",
                what, colon, said);
    else if (reply->status == 403)
        err_set(e, "registry: %s: HTTP 403, the account of registry.username lacks the right to do this%s%s",
                what, colon, said);
    else if (reply->status == 409)
        err_set(e, "registry: %s: the schema is not compatible with the versions that are there%s%s", what,
                colon, said);
    else if (reply->status == 422)
        err_set(e, "registry: %s: the registry does not accept the schema%s%s", what, colon, said);
    else if (reply->status >= 300 && reply->status < 400)
        err_set(e, "registry: %s: HTTP %d sends us elsewhere; registry.url must be the registry itself", what,
                reply->status);
    else if (reply->status == 404)
        err_set(e, "registry: %s: HTTP 404, is registry.url the root of a Confluent-compatible API?%s%s",
                what, colon, said);
    else if (reply->status >= 200 && reply->status < 300)
        err_set(e, "registry: %s: HTTP %d, but the reply is not what a schema registry says", what,
                reply->status);
    else
        err_set(e, "registry: %s: HTTP %d%s%s", what, reply->status, colon, said);
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

/* RC_OK, RC_REJECT or RC_RETRY of one whole reply of HTTP 200; *s is the caller's when RC_OK. */
static enum rc read_schema(const struct fetch *f, const json_t *root, struct schema **s, struct err *e)
{
    const json_t *type = json_object_get(root, "schemaType");
    const json_t *text = json_object_get(root, "schema");
    if (!json_is_string(text)) {
        err_set(e, "registry: schema %d: HTTP 200, but the reply is not what a schema registry says",
                (int)f->id);
        return RC_RETRY;
    }
    if (json_is_string(type) && strcmp(json_string_value(type), "AVRO") != 0) {
        err_set(e, "registry: schema %d is not an Avro schema", (int)f->id);
        return RC_REJECT;
    }
    enum rc rc = schema_parse(json_string_value(text), json_string_length(text), s, e);
    if (rc != RC_OK)
        err_prefix(e, "registry: schema %d", (int)f->id);
    return rc == RC_FATAL ? RC_RETRY : rc; /* no memory now */
}

static void on_fetched(void *arg, const struct http_reply *reply)
{
    struct fetch *f = arg;
    struct registry *r = f->registry;
    struct err e = {""};
    struct schema *s = NULL;
    enum rc rc = RC_RETRY;
    char what[40];
    json_t *root = read_object(reply);
    f->call = NULL;
    (void)snprintf(what, sizeof what, "schema %d", (int)f->id);
    bool unknown = reply->end == HTTP_REPLIED && reply->status == 404 && error_code(root) / 100 == 404;
    if (reply->end == HTTP_REPLIED && reply->status == 200)
        rc = read_schema(f, root, &s, &e);
    else if (unknown)
        err_set(&e, "registry: it does not know schema %d", (int)f->id);
    else
        explain(reply, root, what, &e);
    json_decref(root);
    if (rc == RC_OK && !cache_put(r, f->id, s)) {
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
    fetch_end(f, RC_OK, registry_cached(f->registry, f->id), "");
}

/* NULL: words in e. */
static struct fetch *fetch_start(struct registry *r, int32_t id, struct err *e)
{
    char path[48];
    struct fetch *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_set(e, "registry: out of memory");
        return NULL;
    }
    f->id = id;
    f->registry = r;
    f->waiters_end = &f->waiters;
    (void)snprintf(path, sizeof path, "/schemas/ids/%d", (int)id);
    if (registry_cached(r, id) != NULL) {
        loop_timer_in(r->loop, &f->answer, 0, on_known, f);
    } else if ((f->call = ask(r, path, NULL, on_fetched, f, e)) == NULL) {
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

enum rc registry_fetch(struct registry *r, int32_t id, registry_schema_fn *done, void *arg, struct err *e)
{
    struct fetch *f = NULL;
    struct waiter *w = malloc(sizeof *w);
    if (w == NULL) {
        err_set(e, "registry: out of memory");
        return RC_RETRY;
    }
    *w = (struct waiter){NULL, done, arg};
    HASH_FIND_INT(r->fetches, &id, f);
    if (f == NULL && (f = fetch_start(r, id, e)) == NULL) {
        free(w);
        return RC_RETRY;
    }
    *f->waiters_end = w;
    f->waiters_end = &w->next;
    return RC_OK;
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

static void registration_ask(struct registration *g, enum step step);

static void on_again(void *arg)
{
    registration_ask(arg, STEP_LOOK_UP);
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

static int32_t read_id(const json_t *root)
{
    json_int_t id = json_integer_value(json_object_get(root, "id"));
    return id > 0 && id <= INT32_MAX ? (int32_t)id : 0;
}

/* {"is_compatible": false, "messages": ["...", ...]} */
static void explain_incompatible(const struct registration *g, const json_t *root, struct err *e)
{
    char said[MESSAGE_MAX];
    const json_t *messages = json_object_get(root, "messages");
    copy_words(json_string_value(json_array_get(messages, 0)), said);
    err_set(e, "registry: subject %.*s: the schema is not compatible with the latest version%s%s",
            (int)g->subject.n, (const char *)g->subject.p, said[0] != '\0' ? ": " : "", said);
}

enum next { NEXT_STEP, NEXT_DONE, NEXT_RETRY, NEXT_FATAL };

/* What the reply to the present step leads to. */
static enum next judge(const struct registration *g, const struct http_reply *reply, const json_t *root,
                       enum step *step, int32_t *id, struct err *e)
{
    bool ok = reply->end == HTTP_REPLIED && reply->status == 200;
    bool missing = reply->end == HTTP_REPLIED && reply->status == 404;
    if (ok && g->step == STEP_COMPATIBLE && json_is_true(json_object_get(root, "is_compatible"))) {
        *step = STEP_REGISTER;
        return NEXT_STEP;
    }
    if (ok && g->step == STEP_COMPATIBLE && json_is_false(json_object_get(root, "is_compatible"))) {
        explain_incompatible(g, root, e);
        return NEXT_FATAL;
    }
    if (ok && g->step != STEP_COMPATIBLE && (*id = read_id(root)) > 0)
        return NEXT_DONE;
    if (missing && g->step != STEP_REGISTER) { /* without a subject there is nothing to be compatible with */
        *step = g->step == STEP_COMPATIBLE || error_code(root) == CODE_NO_SUBJECT ? STEP_REGISTER
                                                                                  : STEP_COMPATIBLE;
        return NEXT_STEP;
    }
    char what[300];
    (void)snprintf(what, sizeof what, "subject %.*s", (int)g->subject.n, (const char *)g->subject.p);
    explain(reply, root, what, e);
    return ok || may_pass(reply) ? NEXT_RETRY : NEXT_FATAL; /* a strange 200 may be a proxy's page */
}

static void on_registered(void *arg, const struct http_reply *reply)
{
    struct registration *g = arg;
    struct registry *r = g->registry;
    struct err e = {""};
    enum step step = g->step;
    int32_t id = 0;
    json_t *root = read_object(reply);
    enum next next = judge(g, reply, root, &step, &id, &e);
    json_decref(root);
    g->call = NULL;
    switch (next) {
    case NEXT_STEP:
        registration_ask(g, step);
        break;
    case NEXT_DONE:
        set_up(r);
        log_fact(r->log, LOG_INFO, "registry", NULL,
                 step == STEP_REGISTER ? "schema registered" : "schema found",
                 LOG_S("subject", buf_text(&g->subject)), LOG_I("id", id));
        registration_end(g, RC_OK, id, "");
        break;
    case NEXT_RETRY:
        registration_retry(g, reply->retry_after_ms, e.text);
        break;
    case NEXT_FATAL:
        set_down(r, e.text, "needs an operator");
        registration_end(g, RC_FATAL, 0, e.text);
        break;
    }
}

static void registration_ask(struct registration *g, enum step step)
{
    static const char *const formats[][2] = {
        [STEP_LOOK_UP] = {"/subjects/", ""},
        [STEP_COMPATIBLE] = {"/compatibility/subjects/", "/versions/latest?verbose=true"},
        [STEP_REGISTER] = {"/subjects/", "/versions"},
    };
    struct err e = {""};
    struct buf path;
    buf_init(&path, URL_MAX);
    buf_put_text(&path, formats[step][0]);
    buf_put(&path, g->subject.p, g->subject.n);
    buf_put_text(&path, formats[step][1]);
    const char *text = buf_text(&path);
    g->step = step;
    if (text != NULL)
        g->call = ask(g->registry, text, &g->body, on_registered, g, &e);
    else
        err_set(&e, "registry: out of memory");
    if (g->call == NULL)
        registration_retry(g, -1, e.text);
    buf_release(&path);
}

/* The body of all three steps; schemaType is left out: Avro is the default and older registries refuse the
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
    g->next = r->registrations;
    r->registrations = g;
    registration_ask(g, STEP_LOOK_UP);
    g = NULL;
out:
    registration_free(g);
    return rc;
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
        schema_destroy(c->schema);
        free(c);
    }
    http_client_destroy(r->http);
    free(r);
}
