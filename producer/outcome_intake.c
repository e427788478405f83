#include "producer/outcome_intake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct held {
    STAILQ_ENTRY(held) link;
    struct kafka_record record; /* everything it points to lies behind this struct */
};

struct intake_ticket {
    STAILQ_ENTRY(intake_ticket) link;
    struct part *part; /* NULL: the partition was dropped */
    int64_t offset;
    bool finished;
};

struct part {
    TAILQ_ENTRY(part) link;
    STAILQ_HEAD(, held) held;
    STAILQ_HEAD(, intake_ticket) noted; /* in order of offset */
    size_t held_n, noted_n;
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

static void drop_held(struct part *p)
{
    struct held *h = NULL;
    while ((h = STAILQ_FIRST(&p->held)) != NULL) {
        STAILQ_REMOVE_HEAD(&p->held, link);
        free(h);
    }
    p->held_n = 0;
}

static void part_free(struct outcome_intake *in, struct part *p)
{
    struct intake_ticket *t = NULL;
    drop_held(p);
    while ((t = STAILQ_FIRST(&p->noted)) != NULL) {
        STAILQ_REMOVE_HEAD(&p->noted, link);
        if (t->finished)
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
    if (p->held_n >= INTAKE_HIGH && !p->paused) {
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
        free(t);
    }
}

/* Notes the first record of the partition; false: it blocks. */
static bool note_first(struct outcome_intake *in, struct part *p)
{
    struct held *h = STAILQ_FIRST(&p->held);
    struct intake_ticket *t = calloc(1, sizeof *t);
    if (t == NULL)
        return false;
    *t = (struct intake_ticket){.part = p, .offset = h->record.offset};
    STAILQ_INSERT_TAIL(&p->noted, t, link);
    p->noted_n++;
    if (!in->ops->note(in->arg, &h->record, t)) {
        STAILQ_REMOVE(&p->noted, t, intake_ticket, link);
        p->noted_n--;
        free(t);
        return false;
    }
    STAILQ_REMOVE_HEAD(&p->held, link);
    p->held_n--;
    free(h);
    advance(p);
    if (p->paused && p->held_n <= INTAKE_HIGH / 2) {
        p->paused = false;
        in->ops->resume(in->arg, p->partition);
    }
    return true;
}

bool intake_run(struct outcome_intake *in, size_t budget)
{
    struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link) {
        while (p->open && !p->stopped && p->held_n > 0 && p->noted_n < INTAKE_NOTED) {
            if (budget == 0)
                return true;
            budget--;
            if (!note_first(in, p))
                break;
        }
    }
    return false;
}

void intake_finish(struct outcome_intake *in, struct intake_ticket *ticket)
{
    (void)in;
    if (ticket->part == NULL) {
        free(ticket);
        return;
    }
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
        n += partition < 0 || p->partition == partition ? p->held_n : 0;
    return n;
}

size_t intake_unacknowledged(const struct outcome_intake *in, int32_t partition)
{
    size_t n = 0;
    const struct part *p = NULL;
    TAILQ_FOREACH(p, &in->parts, link)
        n += partition < 0 || p->partition == partition ? p->noted_n : 0;
    return n;
}
