#include <stdio.h>
#include <stdlib.h>
/* out of memory leaves the element outside (hh.tbl NULL) instead of ending the process */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "common/kafka/registry_local.h"
#include "common/kafka/registry_parts.h"
#include "common/kafka/registry_reply.h"

struct waiter {
    struct waiter *next;
    registry_schema_fn *done;
    void *arg;
};

struct registry_question { /* for an id, however many ask */
    int32_t id;
    struct registry *registry;
    struct waiter *waiters;
    struct waiter **waiters_end;
    struct http_call *call;
    struct loop_timer answer; /* for an id that is in the cache already */
    bool afresh, heard;       /* heard: `said` is what the registry has said, once */
    uint64_t said;
    UT_hash_handle hh;
};

static void question_free(struct registry_question *f)
{
    while (f->waiters != NULL) {
        struct waiter *w = f->waiters;
        f->waiters = w->next;
        free(w);
    }
    free(f);
}

/* Takes f over. It is out of the table first, so a done may ask for the same id again. */
static void question_end(struct registry_question *f, enum rc rc, const struct schema *s, const char *words)
{
    HASH_DEL(f->registry->questions, f);
    for (struct waiter *w = f->waiters; w != NULL; w = w->next)
        w->done(w->arg, rc, s, words);
    question_free(f);
}

static void note_unknown(struct registry *r, int32_t id, bool unknown)
{
    for (size_t i = 0; i < REGISTRY_UNKNOWN_MAX; i++)
        if (r->unknown[i].id == id)
            r->unknown[i].there = false;
    if (!unknown)
        return;
    size_t at = r->unknown_next++ % REGISTRY_UNKNOWN_MAX;
    r->unknown[at].id = id;
    r->unknown[at].there = true;
}

bool registry_unknown(const struct registry *r, int32_t id)
{
    for (size_t i = 0; i < REGISTRY_UNKNOWN_MAX; i++)
        if (r->unknown[i].there && r->unknown[i].id == id)
            return true;
    return false;
}

static bool keep(struct registry_question *f, struct schema *s)
{
    struct registry *r = f->registry;
    bool changed = false;
    bool kept = f->afresh ? registry_cache_renew(&r->cache, f->id, s, &changed) : registry_cache_put(&r->cache, f->id, s);
    if (changed)
        log_fact(r->log, LOG_WARN, "registry", NULL, "the registry gives an id to another schema than before", LOG_I("id", f->id));
    return kept;
}

static void on_fetched(void *arg, const struct http_reply *reply);

static struct http_call *question_ask(struct registry_question *f, struct err *e)
{
    char path[48];
    (void)snprintf(path, sizeof path, "/schemas/ids/%d", (int)f->id); /* fits */
    return registry_ask(f->registry, "GET", path, NULL, on_fetched, f, e);
}

/* A schema decides how every record of its id is read, or that none is, for the life of the process: what a proxy or a registry that is being restored says once is not
 * believed. true: the first answer, and it is asked for once more. *rc becomes RC_RETRY, with words, where the second answer is another one. */
static bool is_to_be_confirmed(struct registry_question *f, uint64_t said, enum rc *rc, struct err *e)
{
    if (*rc == RC_RETRY || (f->heard && f->said == said))
        return false;
    *rc = RC_RETRY;
    if (f->heard) {
        err_set(e, "registry: schema %d: two answers in a row are not the same", (int)f->id);
        return false;
    }
    f->heard = true;
    f->said = said;
    return (f->call = question_ask(f, e)) != NULL;
}

static void on_fetched(void *arg, const struct http_reply *reply)
{
    struct registry_question *f = arg;
    struct registry *r = f->registry;
    struct err e = {""};
    struct schema *s = NULL;
    bool unknown;
    uint64_t said;
    enum rc rc = registry_reply_schema(reply, f->id, &s, &unknown, &said, &e);
    f->call = NULL;
    note_unknown(r, f->id, rc == RC_RETRY && unknown);
    bool again = is_to_be_confirmed(f, said, &rc, &e);
    if (rc != RC_OK)
        schema_destroy(s);
    if (again)
        return;
    if (rc == RC_OK && !keep(f, s)) {
        rc = RC_RETRY;
        err_set(&e, "registry: no room for schema %d, %d are cached", (int)f->id, (int)registry_cache_count(&r->cache));
    } else if (rc != RC_RETRY || unknown) {
        registry_up(r);
        log_event(r->log, LOG_INFO, "registry", NULL, rc == RC_OK ? "schema fetched" : "no readable schema",
                  LOG_I("id", f->id));
    } else {
        registry_down(r, e.text, "asks again when the record is tried again");
    }
    question_end(f, rc, rc == RC_OK ? registry_cached(r, f->id) : NULL, e.text);
}

static void on_known(void *arg)
{
    struct registry_question *f = arg;
    struct err e = {""};
    const struct schema *s = registry_cached(f->registry, f->id);
    if (s == NULL) { /* no registry, and not an id of the table (or no memory for its schema) */
        note_unknown(f->registry, f->id, registry_local_text(f->id) == NULL);
        err_set(&e, "registry: registry.url is empty, and there is no local schema %d", (int)f->id);
    }
    question_end(f, s != NULL ? RC_OK : RC_RETRY, s, e.text);
}

/* The built-in schema of an id of the table into the cache, unless this program has registered one. */
static void load_local(struct registry *r, int32_t id)
{
    const char *text = registry_local_text(id);
    struct schema *s = NULL;
    struct err e;
    if (text != NULL && registry_cached(r, id) == NULL && schema_parse(text, strlen(text), &s, &e) == RC_OK)
        (void)registry_cache_put(&r->cache, id, s);
}

/* NULL: words in e. */
static struct registry_question *question_start(struct registry *r, int32_t id, bool afresh, struct err *e)
{
    struct registry_question *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_set(e, "registry: out of memory");
        return NULL;
    }
    f->id = id;
    f->registry = r;
    f->afresh = afresh;
    f->waiters_end = &f->waiters;
    if (r->http == NULL)
        load_local(r, id);
    if (r->http == NULL || (!afresh && registry_cached(r, id) != NULL)) {
        loop_timer_in(r->loop, &f->answer, 0, on_known, f);
    } else if ((f->call = question_ask(f, e)) == NULL) {
        free(f);
        return NULL;
    }
    HASH_ADD_INT(r->questions, id, f);
    if (f->hh.tbl == NULL) {
        loop_timer_clear(r->loop, &f->answer);
        http_cancel(f->call);
        question_free(f);
        err_set(e, "registry: out of memory");
        return NULL;
    }
    return f;
}

static enum rc fetch(struct registry *r, int32_t id, bool afresh, registry_schema_fn *done, void *arg, struct err *e)
{
    struct registry_question *f = NULL;
    struct waiter *w = NULL;
    HASH_FIND_INT(r->questions, &id, f);
    if (f != NULL && afresh && !f->afresh && r->http != NULL) {
        err_set(e, "registry: schema %d is being fetched already", (int)id);
        return RC_RETRY;
    }
    if ((w = malloc(sizeof *w)) == NULL) {
        err_set(e, "registry: out of memory");
        return RC_RETRY;
    }
    *w = (struct waiter){NULL, done, arg};
    if (f == NULL && (f = question_start(r, id, afresh, e)) == NULL) {
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

void registry_questions_drop(struct registry *r)
{
    struct registry_question *f, *next;
    HASH_ITER(hh, r->questions, f, next)
    {
        HASH_DEL(r->questions, f);
        loop_timer_clear(r->loop, &f->answer);
        http_cancel(f->call);
        question_free(f);
    }
}
