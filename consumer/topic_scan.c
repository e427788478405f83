#include "consumer/topic_scan.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_walk.h"
#include "common/kafka/frame.h"
#include "consumer/kafka_away.h"

enum { AGAIN_MS = 1000, DRAIN_A_TURN = 1000, GIVEN_UP_MAX = 64, GIVEN_UP_MS = 60000 };

/* A schema that is not to be had: records with its id come with that as their fault until it is asked for again. */
struct given_up {
    int32_t id; /* 0: none */
    int64_t until;
    struct err words;
};

/* A record that waits for a schema, its own or that of one before it; its bytes stand behind it. */
struct held {
    struct held *next;
    size_t bytes;
    struct kafka_record record;
    struct kafka_header headers[];
};

struct topic_scan {
    struct loop *loop;
    struct program *program;
    struct registry *registry;
    struct reader *reader;
    struct topic_scan_ops ops;
    void *arg;
    struct held *first, **last;
    size_t held_bytes;
    int32_t asked;          /* schema id; 0: none */
    int64_t failing_since;  /* monotonic ms: the registry has not answered since then, whatever was asked; 0: it does */
    struct given_up given_up[GIVEN_UP_MAX]; /* a ring: somebody else's garbage names any ids */
    size_t given_up_n;
    struct loop_timer timer, silence;
    bool at_end, over, letters;
};

static void drain(void *arg);

static void fail(struct topic_scan *s, const char *words)
{
    if (s->over)
        return;
    s->over = true;
    s->ops.failed(s->arg, words);
}

static void on_silence(void *arg)
{
    struct topic_scan *s = arg;
    struct err e;
    kafka_away_words(config_text(program_config(s->program), "kafka.bootstrap.servers"), "it has not answered for a minute", health_why(program_health(s->program), "kafka"), &e);
    fail(s, e.text);
}

/* A dead letter that is a whole record of one of our topics. */
static bool is_record(const struct kafka_record *letter)
{
    const struct kafka_header *kind = kafka_record_header(letter, "kind");
    if (kind == NULL || kind->value == NULL || kafka_record_header(letter, "omitted") != NULL)
        return false;
    return (kind->n == 5 && memcmp(kind->value, "order", 5) == 0) || (kind->n == 7 && memcmp(kind->value, "outcome", 7) == 0);
}

/* Dead letters are whatever they are; every other topic of ours holds framed Avro. */
static bool is_avro(const struct topic_scan *s, const struct kafka_record *r)
{
    static const char dlq[] = ".orders-dlq";
    size_t n = strlen(r->topic);
    bool letter = n >= sizeof dlq - 1 && strcmp(r->topic + n - (sizeof dlq - 1), dlq) == 0;
    return !letter || (s->letters && is_record(r));
}

static const struct given_up *find_given_up(const struct topic_scan *s, int32_t id)
{
    for (size_t i = 0; i < GIVEN_UP_MAX; i++)
        if (s->given_up[i].id == id && loop_now(s->loop) < s->given_up[i].until)
            return &s->given_up[i];
    return NULL;
}

static void give_up(struct topic_scan *s, const char *words)
{
    struct given_up *g = &s->given_up[s->given_up_n++ % GIVEN_UP_MAX];
    g->id = s->asked;
    g->until = loop_now(s->loop) + GIVEN_UP_MS;
    err_set(&g->words, "schema id %d: %s", (int)s->asked, words);
}

/* RC_RETRY: *id is not known yet. Else everything in r is set. */
static enum rc look_at(const struct topic_scan *s, struct scan_record *r, int32_t *id, struct err *fault)
{
    const unsigned char *avro = NULL;
    size_t n = 0;
    if (r->record->value == NULL || !is_avro(s, r->record))
        return RC_OK;
    if (frame_parse(r->record->value, r->record->value_n, id, &avro, &n, fault) != RC_OK)
        return RC_REJECT;
    const struct schema *writer = registry_cached(s->registry, *id);
    const struct given_up *given_up = writer == NULL ? find_given_up(s, *id) : NULL;
    if (given_up != NULL) {
        *fault = given_up->words;
        return RC_REJECT;
    }
    if (writer == NULL)
        return RC_RETRY;
    if (avro_walk_check(schema_root(writer), avro, n, fault) != RC_OK)
        return RC_REJECT;
    r->writer = writer;
    r->avro = avro;
    r->avro_n = n;
    return RC_OK;
}

static void ask(struct topic_scan *s);

static void fail_unasked(struct topic_scan *s, const char *words)
{
    struct err e;
    err_set(&e, "%s; without the schema registry the records cannot be read, and nothing can be said of any order: try again when it answers", words);
    fail(s, e.text);
}

static void answered(void *arg, enum rc rc, const struct schema *schema, const char *words)
{
    struct topic_scan *s = arg;
    (void)schema; /* in the registry client's cache now */
    bool replied = rc != RC_RETRY || registry_unknown(s->registry, s->asked);
    int64_t now = loop_now(s->loop);
    if (replied)
        s->failing_since = 0;
    else if (s->failing_since == 0)
        s->failing_since = now;
    bool late = !replied && now - s->failing_since >= SCAN_SCHEMA_MS;
    if (late && !s->ops.shows_unread) {
        fail_unasked(s, words);
        return;
    }
    if (rc == RC_REJECT || (rc == RC_RETRY && (replied || late))) {
        give_up(s, words);
        rc = RC_OK;
    }
    if (rc == RC_OK)
        s->asked = 0;
    loop_timer_in(s->loop, &s->timer, rc == RC_OK ? 0 : AGAIN_MS, drain, s);
}

static void ask(struct topic_scan *s)
{
    struct err e;
    if (registry_fetch(s->registry, s->asked, answered, s, &e) != RC_OK)
        loop_timer_in(s->loop, &s->timer, AGAIN_MS, drain, s);
}

/* false: a schema is awaited. */
static bool deliver(struct topic_scan *s, const struct kafka_record *record)
{
    struct scan_record r = {.record = record, .fault = ""};
    struct err fault = {""};
    int32_t id = 0;
    enum rc rc = look_at(s, &r, &id, &fault);
    if (rc == RC_RETRY) {
        s->asked = id;
        ask(s);
        return false;
    }
    if (rc != RC_OK)
        r.fault = fault.text;
    s->ops.record(s->arg, &r);
    return true;
}

static char *put(char **at, const void *p, size_t n)
{
    char *begin = *at;
    if (n > 0)
        memcpy(begin, p, n);
    *at += n;
    return begin;
}

/* A copy with everything that it points to. */
static struct held *held_create(const struct kafka_record *r)
{
    size_t bytes = sizeof(struct held) + r->headers_n * sizeof(struct kafka_header) + r->key_n + r->value_n;
    for (size_t i = 0; i < r->headers_n; i++)
        bytes += strlen(r->headers[i].name) + 1 + r->headers[i].n;
    bytes += strlen(r->topic) + 1;
    struct held *h = malloc(bytes);
    if (h == NULL)
        return NULL;
    char *at = (char *)&h->headers[r->headers_n];
    *h = (struct held){.bytes = bytes, .record = *r};
    h->record.topic = put(&at, r->topic, strlen(r->topic) + 1);
    if (r->key != NULL)
        h->record.key = put(&at, r->key, r->key_n);
    if (r->value != NULL)
        h->record.value = put(&at, r->value, r->value_n);
    for (size_t i = 0; i < r->headers_n; i++) {
        const struct kafka_header *from = &r->headers[i];
        h->headers[i].name = put(&at, from->name, strlen(from->name) + 1);
        h->headers[i].value = from->value != NULL ? put(&at, from->value, from->n) : NULL;
        h->headers[i].n = from->n;
    }
    h->record.headers = h->headers;
    return h;
}

static void hold(struct topic_scan *s, const struct kafka_record *r)
{
    struct held *h = held_create(r);
    if (h == NULL || s->held_bytes + h->bytes > SCAN_HELD_BYTES) {
        free(h);
        fail(s, "the registry does not give a schema and too many records wait for it");
        return;
    }
    h->next = NULL;
    *s->last = h;
    s->last = &h->next;
    s->held_bytes += h->bytes;
}

static void settle(struct topic_scan *s)
{
    if (s->at_end && s->first == NULL && !s->over) {
        s->at_end = false; /* told once */
        s->ops.end(s->arg);
    }
}

static void drain(void *arg)
{
    struct topic_scan *s = arg;
    if (s->asked != 0 && registry_cached(s->registry, s->asked) == NULL && find_given_up(s, s->asked) == NULL) {
        ask(s);
        return;
    }
    s->asked = 0;
    for (int i = 0; i < DRAIN_A_TURN && s->first != NULL && !s->over; i++) {
        struct held *h = s->first;
        if (!deliver(s, &h->record))
            return;
        s->first = h->next;
        if (s->first == NULL)
            s->last = &s->first;
        s->held_bytes -= h->bytes;
        free(h);
    }
    if (s->first != NULL)
        loop_timer_in(s->loop, &s->timer, 0, drain, s);
    else
        settle(s);
}

static void on_record(void *arg, const struct kafka_record *r)
{
    struct topic_scan *s = arg;
    if (s->over)
        return;
    if (s->silence.armed)
        loop_timer_in(s->loop, &s->silence, SCAN_SILENCE_MS, on_silence, s);
    if (s->ops.wanted != NULL && !s->ops.wanted(s->arg, r))
        return;
    if (s->first != NULL || !deliver(s, r))
        hold(s, r);
}

static void on_end(void *arg)
{
    struct topic_scan *s = arg;
    loop_timer_clear(s->loop, &s->silence);
    s->at_end = true;
    settle(s);
}

enum rc topic_scan_create(struct program *p, const struct reader_start *starts, size_t starts_n, const struct topic_scan_ops *ops, void *arg,
                          struct topic_scan **out, struct err *e)
{
    struct topic_scan *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    s->loop = program_loop(p);
    s->program = p;
    s->ops = *ops;
    s->arg = arg;
    s->last = &s->first;
    static const struct reader_ops reader_ops = {.record = on_record, .end = on_end};
    enum rc rc = registry_create(s->loop, program_config(p), program_log(p), program_health(p), &s->registry, e);
    if (rc == RC_OK)
        rc = reader_create(s->loop, program_worker(p), program_config(p), program_log(p), program_health(p), starts, starts_n, &reader_ops, s,
                           &s->reader, e);
    if (rc != RC_OK) {
        topic_scan_destroy(s);
        return rc;
    }
    loop_timer_in(s->loop, &s->silence, SCAN_SILENCE_MS, on_silence, s);
    *out = s;
    return RC_OK;
}

void topic_scan_open_letters(struct topic_scan *s)
{
    s->letters = true;
}

void topic_scan_destroy(struct topic_scan *s)
{
    if (s == NULL)
        return;
    loop_timer_clear(s->loop, &s->timer);
    loop_timer_clear(s->loop, &s->silence);
    reader_destroy(s->reader);
    registry_destroy(s->registry);
    while (s->first != NULL) {
        struct held *h = s->first;
        s->first = h->next;
        free(h);
    }
    free(s);
}
