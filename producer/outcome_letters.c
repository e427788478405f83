#include "producer/outcome_letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/probe.h"
#include "common/contract/order_key.h"
#include "common/kafka/dlq.h"

enum shrink { WHOLE, WITHOUT_VALUE, BARE };

struct letter {
    LIST_ENTRY(letter) link;
    struct outcome_letters *letters;
    struct intake_ticket *ticket;
    struct kafka_record source; /* where it stands; no value, no headers; the key is our copy */
    size_t key_n, value_n;      /* of the original */
    char key[ORDER_KEY_BYTES];
    char reason[sizeof((struct err *)0)->text];
    enum shrink shrink;
};

struct outcome_letters {
    struct outcome_letters_parts p;
    const struct outcome_letters_ops *ops;
    void *arg;
    LIST_HEAD(, letter) waiting;
    size_t n;
};

struct outcome_letters *letters_create(const struct outcome_letters_parts *parts, const struct outcome_letters_ops *ops, void *arg)
{
    struct outcome_letters *ls = calloc(1, sizeof *ls);
    if (ls == NULL)
        return NULL;
    ls->p = *parts;
    ls->ops = ops;
    ls->arg = arg;
    LIST_INIT(&ls->waiting);
    return ls;
}

void letters_destroy(struct outcome_letters *ls)
{
    struct letter *l = NULL;
    while (ls != NULL && (l = LIST_FIRST(&ls->waiting)) != NULL) {
        LIST_REMOVE(l, link);
        intake_finish(ls->p.intake, l->ticket); /* nobody commits any more */
        free(l);
    }
    free(ls);
}

static void on_ack(void *arg, const struct publisher_ack *ack);

static enum rc post(struct letter *l, const struct kafka_record *r, struct err *e)
{
    struct outcome_letters *ls = l->letters;
    struct dlq_entry entry = {.kind = DLQ_OUTCOME, .key = r->key, .key_n = r->key_n, .value = r->value, .value_n = r->value_n,
                              .reason = l->reason, .program = "status-updater", .at = clock_wall(loop_clock(ls->p.loop)), .source = r,
                              .omit_value = l->shrink >= WITHOUT_VALUE, .bare = l->shrink == BARE};
    return dlq_publish(ls->p.publisher, ls->p.dlq, &entry, on_ack, l, e);
}

/* The next smaller form of it; the bytes stand in order-outcomes where the headers say. */
static bool post_again(struct letter *l, bool smaller)
{
    struct err e = {0};
    if (smaller && l->shrink == BARE)
        return false;
    l->shrink = !smaller && l->shrink != WHOLE ? l->shrink : l->shrink == WHOLE ? WITHOUT_VALUE : BARE; /* the whole one is gone */
    struct kafka_record r = l->source;
    r.value_n = l->value_n;
    r.value = NULL;
    return post(l, &r, &e) == RC_OK;
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    struct letter *l = arg;
    struct outcome_letters *ls = l->letters;
    bool ours = intake_has(ls->p.intake, l->source.partition);
    PROBE(outcome_letter_acknowledged);
    if (ack->rc != RC_OK && ours && post_again(l, ack->rc == RC_REJECT))
        return;
    ls->n--;
    LIST_REMOVE(l, link);
    if (ack->rc == RC_OK || ack->rc == RC_RETRY || !ours) /* RC_RETRY: dropped with its partition, where finishing does nothing */
        intake_finish(ls->p.intake, l->ticket);
    else
        ls->ops->failed(ls->arg, ack->words); /* do not pass over it */
    free(l);
    ls->ops->sent(ls->arg);
}

static struct letter *write_letter(struct outcome_letters *ls, const struct kafka_record *r, struct intake_ticket *t, const char *reason)
{
    struct letter *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    *l = (struct letter){.letters = ls, .ticket = t, .key_n = r->key_n, .value_n = r->value_n};
    l->source = (struct kafka_record){.topic = ls->p.outcomes, .partition = r->partition, .offset = r->offset, .timestamp = r->timestamp,
                                      .key_n = r->key_n < sizeof l->key ? r->key_n : sizeof l->key};
    if (r->key != NULL) {
        memcpy(l->key, r->key, l->source.key_n);
        l->source.key = l->key;
    }
    (void)snprintf(l->reason, sizeof l->reason, "%s", reason); /* cut on purpose */
    return l;
}

bool letters_send(struct outcome_letters *ls, const struct kafka_record *r, struct intake_ticket *t, const char *reason)
{
    struct err e = {0};
    struct letter *l = write_letter(ls, r, t, reason);
    if (l == NULL)
        return false;
    enum rc rc = post(l, r, &e); /* what is too large for our own limit shrinks in there */
    if (rc != RC_OK) {
        free(l);
        if (rc != RC_RETRY)
            ls->ops->failed(ls->arg, e.text);
        return false;
    }
    PROBE(outcome_letter_produced);
    LIST_INSERT_HEAD(&ls->waiting, l, link);
    ls->n++;
    log_event(ls->p.log, LOG_WARN, "outcome", NULL, "outcome cannot be read, put into the DLQ", LOG_I("partition", r->partition),
              LOG_I("offset", r->offset), LOG_S("why", reason));
    return true;
}

size_t letters_waiting(const struct outcome_letters *ls)
{
    return ls->n;
}
