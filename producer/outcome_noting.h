/* What becomes of one outcome that stands first in its partition: noted in the ledger (its row is written, and its status set, by others), moved to its own partition, put into
 * the dead letters, or left until its schema or its order's row is there. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_OUTCOME_NOTING_H
#define BRIDGE_PRODUCER_OUTCOME_NOTING_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/metrics.h"
#include "producer/ledger.h"
#include "producer/ledger_reader.h"
#include "producer/order_traces.h"
#include "producer/outcome_intake.h"
#include "producer/outcome_letters.h"
#include "producer/outcome_mover.h"
#include "producer/outcome_reader.h"
#include "producer/row_writer.h"

struct outcome_noting;

struct outcome_noting_parts { /* borrowed while it lives */
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct metrics *metrics; /* updater_metrics */
    struct writer_schemas *schemas;
    const char *organization;
    struct ledger *ledger;
    struct ledger_reader *rows; /* its `one` is handed to noting_row_read */
    struct outcome_intake *intake;
    struct row_writer *writer;
    struct outcome_letters *letters;
    struct outcome_mover *mover;
    struct order_traces *traces;
    int32_t partitions; /* of outcomes */
};

struct outcome_noting_ops {
    void (*schema)(void *arg); /* a schema came: what is parked may be tried again */
    void (*failed)(void *arg, const char *words);
};

enum rc noting_create(const struct outcome_noting_parts *parts, const struct outcome_noting_ops *ops, void *arg, struct outcome_noting **out, struct err *e);
void noting_destroy(struct outcome_noting *n);

/* As intake_ops.note says. */
enum intake_noted noting_note(struct outcome_noting *n, const struct kafka_record *r, struct intake_ticket *t, int64_t *since);
/* The row that was asked for; NULL: there is none. What waits for it may be noted again. */
void noting_row_read(struct outcome_noting *n, const struct ledger_row *row);
/* Outcomes noted since the last call whose schema the registry does not know. */
size_t noting_disowned(struct outcome_noting *n);

#endif
