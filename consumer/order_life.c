#include "consumer/order_life.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "common/contract/avro_peek.h"
#include "consumer/record_diff.h"
#include "consumer/record_field.h"
#include "consumer/record_line.h"

enum { LEAVES_BYTES_MAX = 64 * 1024 * 1024, WORDS_MAX = 64 * 1024, CHANGES_SHOWN = 40, VALUE_SHOWN = 200 };

struct event {
    int64_t at;         /* broker's time, ms */
    size_t sequence;    /* as fed: keeps events of one moment in order */
    const char *kind;   /* "published", "outcome", ... */
    char *words;        /* one line; owned */
    char *changes;      /* since the order's record before it: more lines, each ended; owned; NULL: none */
    struct record_leaves leaves; /* of an order's record */
    bool leaves_there;
    int32_t partition;  /* of orders; -1: of another topic */
    char where[300];    /* topic[partition]@offset */
};

struct verdict {
    char warehouse[256];
    char result[32];
    int64_t publication;
};

struct order_life {
    struct event *events; /* n */
    size_t n, cap, dropped;
    size_t leaves_bytes; /* of all events ever */
    /* the newest publication */
    int64_t publication, published_at;
    bool withdrawn;
    char warehouses[LIFE_WAREHOUSES_MAX][256];
    size_t warehouses_n;
    struct verdict verdicts[LIFE_WAREHOUSES_MAX]; /* newest of each warehouse */
    size_t verdicts_n;
    /* the last ledger row */
    int64_t row_publication;
    bool row_closed, row_complete;
    char row_wanted[32], row_set[32];
    int64_t row_at; /* its record's time, ms */
    int32_t row_partition;
    struct event before; /* the order's record dropped last: what the first one that is left is compared with */
    int64_t first_published, first_named; /* lowest publication that a record of orders has, and that any record names; 0: none */
};

struct order_life *order_life_create(void)
{
    return calloc(1, sizeof(struct order_life));
}

static void event_release(struct event *v)
{
    if (v->leaves_there)
        record_leaves_release(&v->leaves);
    free(v->words);
    free(v->changes);
}

void order_life_destroy(struct order_life *l)
{
    if (l == NULL)
        return;
    event_release(&l->before);
    for (size_t i = 0; i < l->n; i++)
        event_release(&l->events[i]);
    free(l->events);
    free(l);
}

bool order_life_empty(const struct order_life *l)
{
    return l->n == 0;
}

static enum rc no_memory(struct err *e)
{
    err_set(e, "out of memory");
    return RC_FATAL;
}

static void copy_text(char *out, size_t room, const char *p, size_t n)
{
    n = n < room ? n : room - 1;
    memcpy(out, p, n);
    out[n] = '\0';
}

static void field_text(const struct scan_record *r, const char *name, char *out, size_t room)
{
    const char *p;
    size_t n;
    out[0] = '\0';
    if (record_field_text(r, name, &p, &n))
        copy_text(out, room, p, n);
}

static bool field_true(const struct scan_record *r, const char *name)
{
    const struct schema_field *f = r->writer != NULL ? schema_field(schema_root(r->writer), name) : NULL;
    struct avro_cursor c = {r->avro, r->avro + r->avro_n};
    bool value = false;
    if (f == NULL)
        return false;
    for (const struct schema_field *at = schema_root(r->writer)->fields; at != f; at++)
        if (!avro_walk_skip(at->type, &c))
            return false;
    return avro_peek_bool(f->type, &c, &value) && value;
}

/* A text of the record in one line: control characters as blanks, cut at a character. */
static void put_words(struct buf *out, const char *p, size_t n, size_t most)
{
    if (n > most)
        n = utf8_check(p, most);
    for (size_t i = 0; i < n; i++)
        buf_put_byte(out, (unsigned char)p[i] < ' ' || p[i] == 0x7f ? ' ' : (unsigned char)p[i]);
}

static void put_field(struct buf *out, const struct scan_record *r, const char *name, const char *before, const char *after)
{
    const char *p;
    size_t n;
    if (!record_field_text(r, name, &p, &n) || n == 0)
        return;
    buf_put_text(out, before);
    put_words(out, p, n, 500);
    buf_put_text(out, after);
}

static void put_moment(struct buf *out, const char *before, int64_t ms)
{
    buf_put_text(out, before);
    record_line_time(ms, out);
}

static void put_header(struct buf *out, const struct kafka_record *r, const char *name, const char *before)
{
    const struct kafka_header *h = kafka_record_header(r, name);
    if (h == NULL || h->value == NULL)
        return;
    buf_put_text(out, before);
    put_words(out, h->value, utf8_check(h->value, h->n), 500);
}

struct changes {
    struct buf *out;
    size_t shown;
};

static void put_change(void *arg, const char *path, const char *before, const char *after)
{
    struct changes *c = arg;
    if (c->shown++ >= CHANGES_SHOWN)
        return;
    buf_printf(c->out, "%s: ", path);
    put_words(c->out, before != NULL ? before : "(none)", strlen(before != NULL ? before : "(none)"), VALUE_SHOWN);
    buf_put_text(c->out, " -> ");
    put_words(c->out, after != NULL ? after : "(none)", strlen(after != NULL ? after : "(none)"), VALUE_SHOWN);
    buf_put_byte(c->out, '\n');
}

/* Records of several partitions come in any order: what changed from one to the next is told when all are there. */
static void keep_leaves(struct order_life *l, struct event *made, const struct scan_record *r, struct buf *words)
{
    struct err e;
    made->leaves_there = record_leaves_read(schema_root(r->writer), r->avro, r->avro_n, &made->leaves, &e) == RC_OK;
    if (!made->leaves_there) {
        buf_printf(words, " (not compared: %s)", e.text);
        return;
    }
    l->leaves_bytes += made->leaves.texts.n + made->leaves.cap * sizeof *made->leaves.all;
    if (l->leaves_bytes > LEAVES_BYTES_MAX) {
        record_leaves_release(&made->leaves);
        made->leaves_there = false;
        buf_put_text(words, " (not compared: the records before it are too large)");
    }
}

static void tell_changes(struct event *before, struct event *v)
{
    struct buf out;
    buf_init(&out, WORDS_MAX);
    struct changes c = {&out, 0};
    if (record_diff(&before->leaves, &v->leaves, put_change, &c) > CHANGES_SHOWN)
        buf_printf(&out, "and %zu more\n", c.shown - CHANGES_SHOWN);
    const char *text = out.n > 0 ? buf_text(&out) : NULL;
    free(v->changes);
    v->changes = text != NULL ? strdup(text) : NULL; /* no memory: nothing is told of them */
    buf_release(&out);
}

/* For order_life_misses. */
static void name_publication(struct order_life *l, int64_t publication)
{
    if (publication > 0 && (l->first_named == 0 || publication < l->first_named))
        l->first_named = publication;
}

static void take_warehouses(struct order_life *l, const struct kafka_record *r)
{
    const struct kafka_header *h = kafka_record_header(r, "warehouses");
    l->warehouses_n = 0;
    if (h == NULL || h->value == NULL)
        return;
    const char *p = h->value, *end = p + h->n;
    while (p < end && l->warehouses_n < LIFE_WAREHOUSES_MAX) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        size_t n = (size_t)((comma != NULL ? comma : end) - p);
        copy_text(l->warehouses[l->warehouses_n++], sizeof l->warehouses[0], p, n);
        p += n + 1;
    }
}

static const char *tell_order(struct order_life *l, const struct scan_record *r, struct buf *words, struct event *made)
{
    const struct kafka_record *k = r->record;
    if (k->value == NULL || r->writer == NULL) {
        buf_printf(words, "cannot be read: %s", r->fault);
        return "record";
    }
    int64_t publication = record_field_long(r, "publication", 0);
    bool again = publication == l->publication, newest = publication > l->publication;
    put_moment(words, "publication ", publication);
    put_field(words, r, "revision", ", revision ", "");
    put_header(words, k, "warehouses", ", for ");
    buf_put_text(words, kafka_record_header(k, "replayed") != NULL ? ", put back by hand" : again ? ", once more (the same publication)" : "");
    keep_leaves(l, made, r, words);
    if (publication > 0 && (l->first_published == 0 || publication < l->first_published))
        l->first_published = publication;
    name_publication(l, record_field_long(r, "round", 0));
    if (newest || again) {
        l->publication = publication;
        l->published_at = k->timestamp;
        l->withdrawn = field_true(r, "withdrawn");
        take_warehouses(l, k);
    }
    return field_true(r, "withdrawn") ? "withdrawn" : "published";
}

static void note_verdict(struct order_life *l, const struct scan_record *r, int64_t publication)
{
    struct verdict v = {.publication = publication};
    field_text(r, "warehouse", v.warehouse, sizeof v.warehouse);
    field_text(r, "result", v.result, sizeof v.result);
    for (size_t i = 0; i < l->verdicts_n; i++)
        if (strcmp(l->verdicts[i].warehouse, v.warehouse) == 0) {
            if (publication >= l->verdicts[i].publication)
                l->verdicts[i] = v;
            return;
        }
    if (l->verdicts_n < LIFE_WAREHOUSES_MAX)
        l->verdicts[l->verdicts_n++] = v;
}

static bool field_there(const struct scan_record *r, const char *name)
{
    const char *p;
    size_t n;
    return record_field_text(r, name, &p, &n) && n > 0;
}

static const char *tell_outcome(struct order_life *l, const struct scan_record *r, struct buf *words)
{
    int64_t publication = record_field_long(r, "publication", 0), attempts = record_field_long(r, "attempts", 0);
    put_field(words, r, "warehouse", "", ": ");
    put_field(words, r, "result", "", "");
    put_field(words, r, "documentId", ", document ", "");
    if (attempts > 1)
        buf_printf(words, ", %" PRId64 " tries", attempts);
    put_field(words, r, "reason", ", \"", "\"");
    put_moment(words, ", publication ", publication);
    note_verdict(l, r, publication);
    if (field_there(r, "warehouse")) /* else it never became a record */
        name_publication(l, publication);
    return "outcome";
}

static const char *tell_row(struct order_life *l, const struct scan_record *r, struct buf *words)
{
    int64_t publication = record_field_long(r, "publication", 0);
    bool older = r->record->partition != l->row_partition && (publication < l->row_publication || (publication == l->row_publication && r->record->timestamp < l->row_at));
    if (older) { /* of another partition, read later */
        put_moment(words, "an older row, publication ", publication);
        return "status";
    }
    l->row_publication = publication;
    l->row_at = r->record->timestamp;
    l->row_partition = r->record->partition;
    l->row_closed = field_true(r, "closed");
    l->row_complete = field_true(r, "complete");
    field_text(r, "wanted", l->row_wanted, sizeof l->row_wanted);
    field_text(r, "statusSet", l->row_set, sizeof l->row_set);
    buf_printf(words, "wanted %s, set %s", l->row_wanted, l->row_set);
    put_field(words, r, "statusFound", ", found ", "");
    put_field(words, r, "note", " (", ")");
    buf_printf(words, "%s%s", l->row_closed ? ", closed" : ", open", l->row_complete ? ", every warehouse answered" : "");
    put_moment(words, ", publication ", l->row_publication);
    return "status";
}

static const char *tell_state(const struct scan_record *r, struct buf *words)
{
    if (r->record->value == NULL) {
        buf_put_text(words, "forgotten by the producer: finished everywhere and no longer in a new status");
        return "state";
    }
    put_field(words, r, "state", "", "");
    put_moment(words, ", publication ", record_field_long(r, "publication", 0));
    return "state";
}

static const char *tell_letter(const struct scan_record *r, struct buf *words)
{
    put_header(words, r->record, "kind", "");
    put_header(words, r->record, "program", " from ");
    put_header(words, r->record, "reason", ": ");
    return "dead letter";
}

static bool ends(const char *topic, const char *name)
{
    size_t n = strlen(topic), m = strlen(name);
    return n >= m && strcmp(topic + n - m, name) == 0;
}

static const char *tell(struct order_life *l, const struct scan_record *r, struct buf *words, struct event *made)
{
    const char *topic = r->record->topic;
    if (ends(topic, ".orders"))
        return tell_order(l, r, words, made);
    if (ends(topic, ".orders-dlq"))
        return tell_letter(r, words);
    if (ends(topic, ".order-state") && (r->writer != NULL || r->record->value == NULL))
        return tell_state(r, words);
    if (r->writer != NULL && ends(topic, ".order-outcomes"))
        return tell_outcome(l, r, words);
    if (r->writer != NULL && ends(topic, ".order-status"))
        return tell_row(l, r, words);
    buf_printf(words, "%s", r->fault[0] != '\0' ? r->fault : "null");
    return "record";
}

static bool make_room(struct order_life *l)
{
    if (l->n < l->cap)
        return true;
    size_t cap = l->cap == 0 ? 64 : l->cap * 2;
    struct event *more = realloc(l->events, cap * sizeof *more);
    if (more == NULL)
        return false;
    l->events = more;
    l->cap = cap;
    return true;
}

static void drop_oldest(struct order_life *l)
{
    if (l->events[0].leaves_there) {
        event_release(&l->before);
        l->before = l->events[0];
    } else {
        event_release(&l->events[0]);
    }
    memmove(l->events, l->events + 1, (l->n - 1) * sizeof *l->events);
    l->n--;
    l->dropped++;
}

enum rc order_life_add(struct order_life *l, const struct scan_record *r, struct err *e)
{
    struct buf words;
    enum rc rc = RC_OK;
    buf_init(&words, WORDS_MAX);
    struct event made = {.at = r->record->timestamp, .sequence = l->n + l->dropped};
    made.partition = ends(r->record->topic, ".orders") ? r->record->partition : -1;
    made.kind = tell(l, r, &words, &made);
    (void)snprintf(made.where, sizeof made.where, "%s[%d]@%" PRId64, r->record->topic, (int)r->record->partition, r->record->offset);
    if (l->n == LIFE_EVENTS_MAX)
        drop_oldest(l);
    const char *text = buf_text(&words);
    made.words = text != NULL ? strdup(text) : NULL;
    if (made.words == NULL || !make_room(l)) {
        event_release(&made);
        rc = no_memory(e);
    } else {
        l->events[l->n++] = made;
    }
    buf_release(&words);
    return rc;
}

bool order_life_misses(const struct order_life *l)
{
    return l->first_named > 0 && l->first_named < l->first_published;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void sort(struct order_life *l)
{
    if (l->n > 1)
        qsort(l->events, l->n, sizeof *l->events, by_time);
    struct event *before = l->before.leaves_there ? &l->before : NULL;
    for (size_t i = 0; i < l->n; i++) {
        if (!l->events[i].leaves_there)
            continue;
        if (before != NULL)
            tell_changes(before, &l->events[i]);
        before = &l->events[i];
    }
}

/* The partitions of orders that its records stand in, as "1, 4"; returns how many. */
static size_t put_partitions(const struct order_life *l, struct buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        bool known = l->events[i].partition < 0;
        for (size_t k = 0; k < i && !known; k++)
            known = l->events[k].partition == l->events[i].partition;
        if (!known)
            buf_printf(out, "%s%d", n++ > 0 ? ", " : "", (int)l->events[i].partition);
    }
    return n;
}

static const struct verdict *verdict_of(const struct order_life *l, const char *warehouse)
{
    for (size_t i = 0; i < l->verdicts_n; i++)
        if (strcmp(l->verdicts[i].warehouse, warehouse) == 0)
            return &l->verdicts[i];
    return NULL;
}

/* Warehouses of the newest publication that have not answered for it. */
static size_t put_waiting(const struct order_life *l, const char *separator, bool quoted, struct buf *out)
{
    size_t waiting = 0;
    for (size_t i = 0; i < l->warehouses_n; i++) {
        const struct verdict *v = verdict_of(l, l->warehouses[i]);
        if (v != NULL && v->publication >= l->publication)
            continue;
        buf_put_text(out, waiting++ > 0 ? separator : "");
        if (quoted)
            avro_json_text(out, (const unsigned char *)l->warehouses[i], strlen(l->warehouses[i]));
        else
            buf_put_text(out, l->warehouses[i]);
    }
    return waiting;
}

static void put_age(struct buf *out, int64_t ms)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;
    if (s < 120)
        buf_printf(out, "%" PRId64 " s", s);
    else if (s < 7200)
        buf_printf(out, "%" PRId64 " min", s / 60);
    else
        buf_printf(out, "%" PRId64 " h", s / 3600);
}

static void put_now(const struct order_life *l, int64_t now, struct buf *out)
{
    struct buf list;
    buf_init(&list, WORDS_MAX);
    size_t waiting = put_waiting(l, ", ", false, &list);
    const char *names = buf_text(&list);
    bool row = l->row_publication >= l->publication && l->row_publication > 0;
    buf_put_text(out, "now: ");
    if (l->publication == 0) /* never a record, or older than the topic keeps */
        buf_put_text(out, "no publication is on the topics");
    if (waiting > 0) {
        buf_printf(out, "waiting for %s since ", names != NULL ? names : "");
        put_age(out, now - l->published_at);
        buf_put_text(out, l->withdrawn ? " (a withdrawal)" : "");
    } else if (l->publication > 0) {
        buf_put_text(out, "every warehouse has answered");
    }
    if (row && l->row_closed)
        buf_printf(out, "; the status is settled (%s)", l->row_set);
    else if (row && strcmp(l->row_wanted, "NONE") != 0)
        buf_printf(out, "; the status %s is still to be set", l->row_wanted);
    else if (waiting == 0 && l->publication > 0)
        buf_put_text(out, "; the status-updater has not settled it yet");
    buf_put_byte(out, '\n');
    buf_release(&list);
}

void order_life_text(struct order_life *l, const char *key, int64_t now, struct buf *out)
{
    sort(l);
    buf_printf(out, "order %s\n", key);
    if (l->dropped > 0)
        buf_printf(out, "(%zu earlier events are not shown)\n", l->dropped);
    for (size_t i = 0; i < l->n; i++) {
        const struct event *v = &l->events[i];
        record_line_time(v->at, out);
        buf_printf(out, "  %-11s  %s  [%s]\n", v->kind, v->words, v->where);
        for (const char *line = v->changes != NULL ? v->changes : ""; *line != '\0'; line += strcspn(line, "\n") + 1)
            buf_printf(out, "%*s%.*s\n", 39, "", (int)strcspn(line, "\n"), line);
    }
    struct buf partitions;
    buf_init(&partitions, WORDS_MAX);
    if (put_partitions(l, &partitions) > 1)
        buf_printf(out, "its records stand in the partitions %s of orders: the topic got more partitions in between, and across two of them a warehouse may take publications up in another "
                        "order; the newest counts\n", buf_text(&partitions) != NULL ? buf_text(&partitions) : "");
    buf_release(&partitions);
    put_now(l, now, out);
}

static void put_json_text(struct buf *out, const char *text)
{
    avro_json_text(out, (const unsigned char *)text, strlen(text));
}

static void put_json_event(const struct event *v, struct buf *out)
{
    buf_put_text(out, "{\"time\":\"");
    record_line_time(v->at, out);
    buf_printf(out, "\",\"kind\":\"%s\",\"words\":", v->kind);
    put_json_text(out, v->words);
    buf_put_text(out, ",\"where\":");
    put_json_text(out, v->where);
    buf_put_text(out, ",\"changes\":[");
    for (const char *line = v->changes != NULL ? v->changes : ""; *line != '\0'; line += strcspn(line, "\n") + 1) {
        buf_put_text(out, line != v->changes ? "," : "");
        avro_json_text(out, (const unsigned char *)line, strcspn(line, "\n"));
    }
    buf_put_text(out, "]}");
}

void order_life_json(struct order_life *l, const char *key, int64_t now, struct buf *out)
{
    sort(l);
    buf_put_text(out, "{\"order\":");
    put_json_text(out, key);
    buf_put_text(out, ",\"events\":[");
    for (size_t i = 0; i < l->n; i++) {
        buf_put_text(out, i > 0 ? "," : "");
        put_json_event(&l->events[i], out);
    }
    buf_put_text(out, "],\"partitions\":[");
    (void)put_partitions(l, out);
    buf_printf(out, "],\"publication\":%" PRId64 ",\"withdrawn\":%s,\"waitingFor\":[", l->publication, l->withdrawn ? "true" : "false");
    (void)put_waiting(l, ",", true, out);
    bool row = l->row_publication >= l->publication && l->row_publication > 0;
    buf_printf(out, "],\"settled\":%s,\"waitingMs\":%" PRId64 "}\n", row && l->row_closed ? "true" : "false", l->published_at > 0 ? now - l->published_at : 0);
}
