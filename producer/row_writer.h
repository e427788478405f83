/* Rows of the ledger on their way to the topic: encoded when they are sent (so the newest state of an order goes out), kept in order while the publisher has
 * no room, told to the ledger and to the intake when they are acknowledged. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_ROW_WRITER_H
#define BRIDGE_PRODUCER_ROW_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka/publisher.h"
#include "producer/ledger.h"
#include "producer/outcome_intake.h"

struct row_writer;

struct row_writer_parts { /* borrowed while the writer lives */
    struct publisher *publisher;
    struct ledger *ledger;
    struct outcome_intake *intake;
    const char *topic;
};

struct row_writer_ops {
    void (*written)(void *arg); /* one row was acknowledged */
    /* A row can never be written (the broker refuses it, out of memory): the outcome that waits for it is never passed. */
    void (*failed)(void *arg, const char *words);
};

enum rc row_writer_create(const struct row_writer_parts *parts, const struct row_writer_ops *ops, void *arg, struct row_writer **out, struct err *e);
void row_writer_destroy(struct row_writer *w); /* after the publisher, before the intake; when nobody commits any more */
/* Before the first row: the id of the OrderStatus schema. */
void row_writer_schema(struct row_writer *w, int32_t id);
/* Writes the order's row. ticket: the outcome that waits for it, finished after the acknowledgement; NULL: none. */
void row_writer_write(struct row_writer *w, int64_t order_id, struct intake_ticket *ticket);
/* The publisher has room again. */
void row_writer_room(struct row_writer *w);
/* Partitions became somebody else's, and the ledger and the intake have dropped them: what is not acknowledged of them is not sent any more (of what is on its
 * way nobody knows); rows of the others go once more. Not from inside a done function of the publisher. */
void row_writer_drop(struct row_writer *w);
/* Rows that found no room: nothing more should be noted. */
bool row_writer_full(const struct row_writer *w);
/* Rows not acknowledged yet, sent or not. */
size_t row_writer_waiting(const struct row_writer *w);

#endif
