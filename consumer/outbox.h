/* Publishes what became of a load: first, when it was rejected, the original record on the dead-letter topic, then the outcome; each
 * is sent again until the broker has it, and only then the owner may finish the record.
 *
 * The outcome is keyed like the order and carries the headers organization, publication, warehouse and traceparent. The dead letter has,
 * besides those of dlq.h, Connect's headers (__connect.errors.topic, .partition, .offset, .task.id, .exception.message) and ours
 * (reason-code, warehouse, group, attempts, revision, publication).
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_OUTBOX_H
#define BRIDGE_CONSUMER_OUTBOX_H

#include "common/base/log.h"
#include "common/contract/outcome.h"
#include "common/kafka/publisher.h"
#include "consumer/order_record.h"

struct outbox;
struct outbox_entry;

typedef void outbox_done_fn(void *arg, struct outbox_entry *entry);

/* Embedded in its owner; set before outbox_put, alive until done. */
struct outbox_entry {
    const struct order_record *record;
    const char *warehouse;
    enum outcome_result result;
    bool outcome;            /* false: nobody can be told (no order is named); the dead letter is all */
    bool dead_letter;        /* copy the record to the dead-letter topic first */
    const char *reason_code; /* a literal: "refused", "given-up", "unreadable", "schema-unknown", "too-large" */
    const char *reason;      /* NULL: none */
    const char *document_id; /* NULL: none */
    int32_t attempts;
    /* The outbox's own. */
    struct outbox *box;
    struct outbox_entry *prev, *next; /* among those that wait to be sent */
    bool waits, sent, omit_value, bare, plain;
};

struct outbox_env {   /* borrowed while the outbox lives */
    struct loop *loop;
    struct log *log;
    struct publisher *publisher;
    const char *outcomes; /* full topic names */
    const char *dead_letters;
    const char *group;
};

/* NULL: out of memory. done: called once for each entry, on the loop, never from inside outbox_put. */
struct outbox *outbox_create(const struct outbox_env *env, outbox_done_fn *done, void *arg);
/* After publisher_destroy; entries inside are forgotten. */
void outbox_destroy(struct outbox *o);
/* Id of the outcome schema; nothing is sent before it is known. */
void outbox_schema(struct outbox *o, int32_t id);
void outbox_put(struct outbox *o, struct outbox_entry *entry);
/* The publisher has taken the outcome: it stands before that of any entry of the same key that is put later, unless the broker refuses this very record. */
bool outbox_sent(const struct outbox_entry *entry);

#endif
