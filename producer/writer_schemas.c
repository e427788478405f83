#include "producer/writer_schemas.h"

#include <stdio.h>
#include <stdlib.h>

enum { AGAIN_MS = 5000, UNREADABLE = 64, RECENT = 128, ASKED_MOST = 16 };

struct told { /* why empty: nothing */
    char why[800], doing[400];
};

struct question { /* to the registry, under way */
    struct question *next;
    struct writer_schemas *ws;
    int32_t id;
};

struct writer_schemas {
    struct loop *loop;
    struct log *log;
    struct health *health;
    struct registry *registry;
    struct writer_schema_wait waiting; /* ring */
    struct question *questions;
    struct loop_timer timer;
    int32_t unreadable[UNREADABLE]; /* the last ones; a forgotten one is fetched once more */
    size_t unreadable_n;
    struct told record, orders; /* that wait in vain */
    struct record_writers writers;
    struct {
        int32_t id;
        int64_t at; /* monotonic ms */
    } recent[RECENT]; /* asked by writer_schemas_ask, as a ring */
    size_t recent_n;
};

struct writer_schemas *writer_schemas_create(struct loop *l, struct log *log, struct health *h, struct registry *r)
{
    struct writer_schemas *ws = calloc(1, sizeof *ws);
    if (ws == NULL)
        return NULL;
    ws->loop = l;
    ws->log = log;
    ws->health = h;
    ws->registry = r;
    ws->waiting.next = ws->waiting.prev = &ws->waiting;
    return ws;
}

void writer_schemas_destroy(struct writer_schemas *ws)
{
    if (ws == NULL)
        return;
    loop_timer_clear(ws->loop, &ws->timer);
    while (ws->questions != NULL) {
        struct question *q = ws->questions;
        ws->questions = q->next;
        free(q);
    }
    record_writers_release(&ws->writers);
    free(ws);
}

static bool is_unreadable(const struct writer_schemas *ws, int32_t id)
{
    size_t n = ws->unreadable_n < UNREADABLE ? ws->unreadable_n : UNREADABLE;
    for (size_t i = 0; i < n; i++)
        if (ws->unreadable[i] == id)
            return true;
    return false;
}

enum writer_schema_found writer_schemas_find(struct writer_schemas *ws, int32_t id, struct record_writer **out)
{
    const struct schema *s = registry_cached(ws->registry, id);
    if (s == NULL)
        return is_unreadable(ws, id) ? WRITER_SCHEMA_UNREADABLE : WRITER_SCHEMA_UNKNOWN;
    *out = record_writers_get(&ws->writers, s);
    return WRITER_SCHEMA_THERE;
}

static void serve(void *arg);

static void remove_question(struct writer_schemas *ws, struct question *q)
{
    struct question **at = &ws->questions;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    free(q);
}

static void show(struct writer_schemas *ws)
{
    const struct told *t = ws->record.why[0] != '\0' ? &ws->record : &ws->orders;
    bool down = t->why[0] != '\0';
    health_set(ws->health, "schema", down ? HEALTH_DOWN : HEALTH_UP, down ? t->why : NULL, down ? t->doing : NULL);
}

void writer_schemas_tell(struct writer_schemas *ws, const char *why, const char *doing)
{
    struct told *t = &ws->orders;
    if (why == NULL && t->why[0] == '\0')
        return;
    (void)snprintf(t->why, sizeof t->why, "%s", why != NULL ? why : "");       /* cut is fine */
    (void)snprintf(t->doing, sizeof t->doing, "%s", doing != NULL ? doing : ""); /* here too */
    show(ws);
}

/* What the record says nobody knows: passed over in silence, an order might be published twice or its status never be set. */
static void tell_waiting(struct writer_schemas *ws, const struct writer_schema_wait *w, const char *words)
{
    struct told *t = &ws->record;
    const char *way = w->passable ? "topics.pass_over names it: it is passed over once the registry says that it does not know the schema, or says another"
                                  : "give the registry that schema back, or name the record in topics.pass_over";
    (void)snprintf(t->why, sizeof t->why, "%s was written with schema %d: %s", w->record, (int)w->id, words); /* cut on purpose */
    (void)snprintf(t->doing, sizeof t->doing, "%s until it can be read, and asks again; %s", w->meanwhile, way); /* fits */
    show(ws);
    log_event(ws->log, LOG_ERROR, "registry", NULL, "a record waits for its schema", LOG_S("record", w->record), LOG_I("schema_id", w->id), LOG_S("why", words),
              LOG_S("doing", t->doing));
}

static void tell_over(struct writer_schemas *ws)
{
    const struct writer_schema_wait *w = ws->waiting.next;
    while (w != &ws->waiting && w->record[0] == '\0')
        w = w->next;
    if (ws->record.why[0] == '\0' || w != &ws->waiting)
        return;
    ws->record.why[0] = '\0';
    show(ws);
}

bool writer_schemas_lacks(struct writer_schemas *ws, const struct writer_schema_wait *w)
{
    struct record_writer *writer = NULL;
    if (w->passable && writer_schemas_disowned(ws, w->id))
        return false;
    enum writer_schema_found found = writer_schemas_find(ws, w->id, &writer);
    if (found == WRITER_SCHEMA_UNKNOWN || w->reader == NULL || w->passable)
        return found == WRITER_SCHEMA_UNKNOWN;
    return found == WRITER_SCHEMA_UNREADABLE || record_writer_suits(writer, w->reader, NULL) == RC_REJECT;
}

static bool is_decided(struct writer_schemas *ws, const struct writer_schema_wait *w)
{
    return (w->any_answer && w->answered) || !writer_schemas_lacks(ws, w);
}

static void tell(struct writer_schemas *ws, int32_t id, enum rc rc, const char *words)
{
    const struct writer_schema_wait *w = ws->waiting.next;
    struct record_writer *writer;
    struct err e;
    while (w != &ws->waiting && (w->id != id || w->record[0] == '\0' || is_decided(ws, w)))
        w = w->next;
    bool useless = w != &ws->waiting && rc == RC_OK && writer_schemas_find(ws, id, &writer) == WRITER_SCHEMA_THERE;
    if (useless && record_writer_suits(writer, w->reader, &e) == RC_REJECT)
        err_prefix(&e, "the registry gives that id to another schema");
    if (w != &ws->waiting)
        tell_waiting(ws, w, useless ? e.text : words);
    else if (rc != RC_OK)
        log_event(ws->log, LOG_WARN, "registry", NULL, "a writer schema is not to be had", LOG_I("schema_id", id), LOG_S("why", words));
}

static void on_answer(void *arg, enum rc rc, const struct schema *s, const char *words)
{
    struct question *q = arg;
    struct writer_schemas *ws = q->ws;
    (void)s; /* in the registry client's cache now */
    bool decided = false;
    if (rc == RC_REJECT && !is_unreadable(ws, q->id))
        ws->unreadable[ws->unreadable_n++ % UNREADABLE] = q->id;
    tell(ws, q->id, rc, words);
    for (struct writer_schema_wait *w = ws->waiting.next; w != &ws->waiting; w = w->next)
        if (w->id == q->id) {
            w->answered = true;
            decided = decided || is_decided(ws, w);
        }
    remove_question(ws, q);
    if (decided || !ws->timer.armed)
        loop_timer_in(ws->loop, &ws->timer, decided ? 0 : AGAIN_MS, serve, ws);
}

static void ask(struct writer_schemas *ws, int32_t id)
{
    for (struct question *q = ws->questions; q != NULL; q = q->next)
        if (q->id == id)
            return;
    struct question *q = malloc(sizeof *q);
    struct err e;
    bool useless = registry_cached(ws->registry, id) != NULL;
    if (q != NULL) {
        *q = (struct question){ws->questions, ws, id};
        ws->questions = q;
        if ((useless ? registry_refetch : registry_fetch)(ws->registry, id, on_answer, q, &e) == RC_OK)
            return;
        remove_question(ws, q);
    }
    loop_timer_in(ws->loop, &ws->timer, AGAIN_MS, serve, ws); /* memory */
}

/* Calls those whose schema is decided, asks for the others. */
static void serve(void *arg)
{
    struct writer_schemas *ws = arg;
    struct writer_schema_wait *w = ws->waiting.next;
    while (w != &ws->waiting) {
        if (!is_decided(ws, w)) {
            ask(ws, w->id);
            w = w->next;
            continue;
        }
        writer_schemas_forget(w);
        w->fn(w->arg);
        w = ws->waiting.next; /* the ring may have changed */
    }
}

void writer_schemas_wait(struct writer_schemas *ws, struct writer_schema_wait *w, loop_fn *fn, void *arg)
{
    w->next = &ws->waiting;
    w->prev = ws->waiting.prev;
    w->schemas = ws;
    w->answered = false;
    w->fn = fn;
    w->arg = arg;
    w->prev->next = w->next->prev = w;
    loop_timer_in(ws->loop, &ws->timer, 0, serve, ws);
}

void writer_schemas_forget(struct writer_schema_wait *w)
{
    if (w->next == NULL)
        return;
    w->next->prev = w->prev;
    w->prev->next = w->next;
    w->next = w->prev = NULL;
    tell_over(w->schemas);
}

void writer_schemas_ask(struct writer_schemas *ws, int32_t id)
{
    int64_t now = loop_now(ws->loop);
    size_t n = ws->recent_n < RECENT ? ws->recent_n : RECENT, open = 0;
    for (size_t i = 0; i < n; i++)
        if (ws->recent[i].id == id && now - ws->recent[i].at < AGAIN_MS)
            return;
    for (const struct question *q = ws->questions; q != NULL; q = q->next)
        open++;
    if (open >= ASKED_MOST)
        return;
    ws->recent[ws->recent_n % RECENT].id = id;
    ws->recent[ws->recent_n++ % RECENT].at = now;
    ask(ws, id);
}

bool writer_schemas_disowned(const struct writer_schemas *ws, int32_t id)
{
    return registry_unknown(ws->registry, id);
}
