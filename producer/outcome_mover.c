#include "producer/outcome_mover.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/probe.h"

struct move {
    LIST_ENTRY(move) link;
    struct outcome_mover *mover;
    struct intake_ticket *ticket;
    int32_t from;
    struct kafka_record record; /* without headers: an outcome has none that matter; key and value lie behind this struct */
};

struct outcome_mover {
    struct outcome_mover_parts p;
    const struct outcome_mover_ops *ops;
    void *arg;
    LIST_HEAD(, move) waiting;
    size_t n;
};

struct outcome_mover *mover_create(const struct outcome_mover_parts *parts, const struct outcome_mover_ops *ops, void *arg)
{
    struct outcome_mover *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->p = *parts;
    m->ops = ops;
    m->arg = arg;
    LIST_INIT(&m->waiting);
    return m;
}

void mover_destroy(struct outcome_mover *m)
{
    struct move *v = NULL;
    while (m != NULL && (v = LIST_FIRST(&m->waiting)) != NULL) {
        LIST_REMOVE(v, link);
        intake_finish(m->p.intake, v->ticket); /* nobody commits any more */
        free(v);
    }
    free(m);
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    struct move *v = arg;
    struct outcome_mover *m = v->mover;
    struct err e = {0};
    bool ours = intake_has(m->p.intake, v->from);
    PROBE(moved_outcome_acknowledged);
    if (ack->rc == RC_RETRY && ours && publisher_send(m->p.publisher, &v->record, on_ack, v, &e) == RC_OK)
        return; /* dropped together with partitions that went away */
    m->n--;
    LIST_REMOVE(v, link);
    if (ack->rc == RC_OK || !ours)
        intake_finish(m->p.intake, v->ticket);
    else
        m->ops->failed(m->arg, "an outcome cannot be moved to its own partition");
    free(v);
    m->ops->moved(m->arg);
}

static struct move *copy(struct outcome_mover *m, const struct kafka_record *r, int32_t to, struct intake_ticket *t)
{
    struct move *v = malloc(sizeof *v + r->key_n + r->value_n);
    if (v == NULL)
        return NULL;
    char *key = (char *)(v + 1), *value = key + r->key_n;
    *v = (struct move){.mover = m, .ticket = t, .from = r->partition};
    v->record = (struct kafka_record){.topic = m->p.outcomes, .partition = to, .key = key, .key_n = r->key_n, .value_n = r->value_n};
    memcpy(key, r->key, r->key_n);
    if (r->value != NULL) {
        memcpy(value, r->value, r->value_n);
        v->record.value = value;
    }
    return v;
}

bool mover_move(struct outcome_mover *m, const struct kafka_record *r, int32_t to, struct intake_ticket *t)
{
    struct err e = {0};
    struct move *v = copy(m, r, to, t);
    if (v == NULL)
        return false;
    enum rc rc = publisher_send(m->p.publisher, &v->record, on_ack, v, &e);
    if (rc != RC_OK) {
        free(v);
        if (rc != RC_RETRY)
            m->ops->failed(m->arg, e.text);
        return false;
    }
    PROBE(moved_outcome_produced);
    LIST_INSERT_HEAD(&m->waiting, v, link);
    m->n++;
    log_event(m->p.log, LOG_WARN, "outcome", NULL, "outcome stands in another partition than its key's and is moved: set partitioner=murmur2_random at its writer",
              LOG_I("partition", r->partition), LOG_I("offset", r->offset), LOG_I("to", to));
    return true;
}

size_t mover_waiting(const struct outcome_mover *m)
{
    return m->n;
}
