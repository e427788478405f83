#include "producer/outcome_intake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct held {
    STAILQ_ENTRY(held) link;
    struct kafka_record record; /* everything it points to lies behind this struct */
    struct intake_ticket *ticket; /* of a parked one: keeps the position */
    size_t bytes;
    int64_t since; /* the owner's */
};

struct intake_ticket {
    STAILQ_ENTRY(intake_ticket) link;
    struct part *part; /* NULL: the partition was dropped */
    int64_t offset;
    bool finished, parked;
};

struct part {
    TAILQ_ENTRY(part) link;
    STAILQ_HEAD(held_list, held) held, parked;
    STAILQ_HEAD(, intake_ticket) noted; /* in order of offset; those of parked records too */
    size_t held_n, held_bytes, parked_n, parked_bytes;
    size_t noted_n, finished_n; /* of noted_n */
    int32_t partition;
    int64_t position, told; /* next to commit, last told by intake_commit */
    bool open, stopped, paused;
};

struct outcome_intake {
    TAILQ_HEAD(, part) parts;
    const struct intake_ops *ops;
    void *arg;
};

struct outcome_intake *intake_create(const struct intake_ops *ops, void *arg)
{
    struct outcome_intake *in = calloc(1, sizeof *in);
    if (in == NULL)
        return NULL;
    TAILQ_INIT(&in->parts);
    in->ops = ops;
    in->arg = arg;
    return in;
}

static struct part *find(const struct outcome_intake *in, int32_t partition)
{
    struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link)
        if (p->partition == partition)
            return p;
    return NULL;
}

static void drop_list(struct held_list *list)
{
    struct held *h = NULL;
    while ((h = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, link);
        free(h);
    }
}

static void drop_held(struct part *p)
{
    drop_list(&p->held);
    drop_list(&p->parked);
    p->held_n = p->held_bytes = p->parked_n = p->parked_bytes = 0;
}

static void part_free(struct outcome_intake *in, struct part *p)
{
    struct intake_ticket *t = NULL;
    drop_held(p);
    while ((t = STAILQ_FIRST(&p->noted)) != NULL) {
        STAILQ_REMOVE_HEAD(&p->noted, link);
        if (t->finished || t->parked)
            free(t);
        else
            t->part = NULL; /* freed when it is finished */
    }
    TAILQ_REMOVE(&in->parts, p, link);
    free(p);
}

void intake_destroy(struct outcome_intake *in)
{
    if (in == NULL)
        return;
    while (!TAILQ_EMPTY(&in->parts))
        part_free(in, TAILQ_FIRST(&in->parts));
    free(in);
}

enum rc intake_add(struct outcome_intake *in, int32_t partition, int64_t at)
{
    intake_drop(in, partition);
    struct part *p = calloc(1, sizeof *p);
    if (p == NULL)
        return RC_FATAL;
    STAILQ_INIT(&p->held);
    STAILQ_INIT(&p->parked);
    STAILQ_INIT(&p->noted);
    p->partition = partition;
    p->position = p->told = at;
    TAILQ_INSERT_TAIL(&in->parts, p, link);
    return RC_OK;
}

void intake_open(struct outcome_intake *in, int32_t partition)
{
    struct part *p = find(in, partition);
    if (p != NULL)
        p->open = true;
}

void intake_stop(struct outcome_intake *in, int32_t partition)
{
    struct part *p = find(in, partition);
    if (p == NULL)
        return;
    p->stopped = true;
    drop_held(p);
}

void intake_drop(struct outcome_intake *in, int32_t partition)
{
    struct part *p = find(in, partition);
    if (p != NULL)
        part_free(in, p);
}

/* Copies n bytes to *at and moves it on; keeps NULL as NULL. */
static const void *keep(char **at, const void *p, size_t n)
{
    if (p == NULL)
        return NULL;
    char *here = *at;
    if (n > 0)
        memcpy(here, p, n);
    *at += n;
    return here;
}

static struct held *copy(const struct kafka_record *r)
{
    size_t names = strlen(r->topic) + 1, headers = r->headers_n * sizeof *r->headers;
    for (size_t i = 0; i < r->headers_n; i++)
        names += strlen(r->headers[i].name) + 1 + r->headers[i].n;
    struct held *h = malloc(sizeof *h + headers + names + r->key_n + r->value_n);
    if (h == NULL)
        return NULL;
    struct kafka_header *own = (struct kafka_header *)(h + 1); /* struct held ends aligned for pointers */
    char *at = (char *)(h + 1) + headers;
    h->bytes = sizeof *h + headers + names + r->key_n + r->value_n;
    h->ticket = NULL;
    h->since = 0;
    h->record = *r;
    h->record.headers = own;
    h->record.topic = keep(&at, r->topic, strlen(r->topic) + 1);
    for (size_t i = 0; i < r->headers_n; i++) {
        own[i].name = keep(&at, r->headers[i].name, strlen(r->headers[i].name) + 1);
        own[i].value = keep(&at, r->headers[i].value, r->headers[i].n);
        own[i].n = r->headers[i].n;
    }
    h->record.key = keep(&at, r->key, r->key_n);
    h->record.value = keep(&at, r->value, r->value_n);
    return h;
}

enum rc intake_push(struct outcome_intake *in, const struct kafka_record *r)
{
    struct part *p = find(in, r->partition);
    if (p == NULL || p->stopped)
        return RC_RETRY;
    struct held *h = copy(r);
    if (h == NULL)
        return RC_FATAL;
    STAILQ_INSERT_TAIL(&p->held, h, link);
    p->held_n++;
    p->held_bytes += h->bytes;
    if ((p->held_n >= INTAKE_HIGH || p->held_bytes >= INTAKE_BYTES) && !p->paused) {
        p->paused = true;
        in->ops->pause(in->arg, p->partition);
    }
    return RC_OK;
}

/* Moves the position over what is finished at the front. */
static void advance(struct part *p)
{
    struct intake_ticket *t = NULL;
    while ((t = STAILQ_FIRST(&p->noted)) != NULL && t->finished) {
        p->position = t->offset + 1;
        STAILQ_REMOVE_HEAD(&p->noted, link);
        p->noted_n--;
        p->finished_n--;
        free(t);
    }
}

/* Takes the first one off what is held. */
static void take_off(struct outcome_intake *in, struct part *p)
{
    p->held_bytes -= STAILQ_FIRST(&p->held)->bytes;
    p->held_n--;
    STAILQ_REMOVE_HEAD(&p->held, link);
    if (p->paused && p->held_n <= INTAKE_HIGH / 2 && p->held_bytes <= INTAKE_BYTES / 2) {
        p->paused = false;
        in->ops->resume(in->arg, p->partition);
    }
}

static bool same_key(const struct kafka_record *a, const struct kafka_record *b)
{
    return a->key_n == b->key_n && (a->key_n == 0 || memcmp(a->key, b->key, a->key_n) == 0);
}

/* Is one of h's key parked before it? */
static bool key_parked(const struct part *p, const struct held *h)
{
    const struct held *other = NULL;
    STAILQ_FOREACH(other, &p->parked, link) {
        if (other == h)
            return false;
        if (same_key(&other->record, &h->record))
            return true;
    }
    return false;
}

static void park(struct outcome_intake *in, struct part *p, struct held *h, struct intake_ticket *t)
{
    take_off(in, p);
    STAILQ_INSERT_TAIL(&p->parked, h, link);
    p->parked_n++;
    p->parked_bytes += h->bytes;
    t->parked = true;
    h->ticket = t;
}

/* Notes the first record of the partition, or parks it; false: it blocks. */
static bool note_first(struct outcome_intake *in, struct part *p)
{
    struct held *h = STAILQ_FIRST(&p->held);
    struct intake_ticket *t = calloc(1, sizeof *t);
    if (t == NULL)
        return false;
    *t = (struct intake_ticket){.part = p, .offset = h->record.offset};
    STAILQ_INSERT_TAIL(&p->noted, t, link);
    p->noted_n++;
    enum intake_noted noted = key_parked(p, h) ? INTAKE_PARK : in->ops->note(in->arg, &h->record, t, &h->since);
    if (noted == INTAKE_PARK && p->parked_n < INTAKE_PARKED && p->parked_bytes < INTAKE_BYTES) {
        park(in, p, h, t);
        return true;
    }
    if (noted != INTAKE_DEALT) {
        STAILQ_REMOVE(&p->noted, t, intake_ticket, link);
        p->noted_n--;
        free(t);
        return false;
    }
    take_off(in, p);
    free(h);
    advance(p);
    return true;
}

static bool may_note(const struct part *p)
{
    return p->open && !p->stopped && p->held_n > 0 && p->noted_n - p->finished_n - p->parked_n < INTAKE_NOTED && p->finished_n < INTAKE_AHEAD;
}

bool intake_run(struct outcome_intake *in, size_t budget)
{
    struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link) {
        while (may_note(p)) {
            if (budget == 0)
                return true;
            budget--;
            if (!note_first(in, p))
                break;
        }
    }
    return false;
}

static void retry_part(struct outcome_intake *in, struct part *p)
{
    for (struct held *h = STAILQ_FIRST(&p->parked), *next = NULL; h != NULL; h = next) {
        next = STAILQ_NEXT(h, link);
        if (key_parked(p, h))
            continue;
        struct intake_ticket *t = h->ticket;
        t->parked = false; /* note may finish it, and then it may be gone */
        p->parked_n--;
        if (in->ops->note(in->arg, &h->record, t, &h->since) == INTAKE_DEALT) {
            STAILQ_REMOVE(&p->parked, h, held, link);
            p->parked_bytes -= h->bytes;
            free(h);
            continue;
        }
        t->parked = true;
        p->parked_n++;
    }
}

void intake_retry(struct outcome_intake *in)
{
    struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link)
        if (p->open && !p->stopped)
            retry_part(in, p);
}

void intake_finish(struct outcome_intake *in, struct intake_ticket *ticket)
{
    (void)in;
    if (ticket->part == NULL) {
        free(ticket);
        return;
    }
    ticket->part->finished_n++;
    ticket->finished = true; /* note_first and the next finish move the position on: from inside note the ticket must stay */
    if (STAILQ_FIRST(&ticket->part->held) == NULL || STAILQ_FIRST(&ticket->part->held)->record.offset != ticket->offset)
        advance(ticket->part);
}

bool intake_commit(struct outcome_intake *in, int32_t partition, int64_t *position)
{
    struct part *p = find(in, partition);
    if (p == NULL || p->position == p->told || p->position < 0)
        return false;
    *position = p->told = p->position;
    return true;
}

void intake_commit_again(struct outcome_intake *in)
{
    struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link)
        p->told = -1;
}

bool intake_has(const struct outcome_intake *in, int32_t partition)
{
    return find(in, partition) != NULL;
}

void intake_each(struct outcome_intake *in, void (*fn)(void *arg, int32_t partition), void *arg)
{
    for (struct part *p = TAILQ_FIRST(&in->parts), *next = NULL; p != NULL; p = next) {
        next = TAILQ_NEXT(p, link);
        fn(arg, p->partition);
    }
}

size_t intake_held(const struct outcome_intake *in, int32_t partition)
{
    size_t n = 0;
    const struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link)
        n += partition < 0 || p->partition == partition ? p->held_n + p->parked_n : 0;
    return n;
}

size_t intake_parked(const struct outcome_intake *in)
{
    size_t n = 0;
    const struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link)
        n += p->parked_n;
    return n;
}

size_t intake_unacknowledged(const struct outcome_intake *in, int32_t partition)
{
    size_t n = 0;
    const struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link)
        n += partition < 0 || p->partition == partition ? p->noted_n - p->parked_n : 0;
    return n;
}
