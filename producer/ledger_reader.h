/* Reads the ledger's topic for the updater: whole partitions back on assignment, and one row again by its offset. 
 * Rows of other organizations and rows that cannot be read (logged) are passed over. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_LEDGER_READER_H
#define BRIDGE_PRODUCER_LEDGER_READER_H

#include <stdbool.h>

#include "common/contract/ledger_row.h"
#include "common/kafka/reader.h"
#include "producer/writer_schemas.h"

struct ledger_reader;

struct ledger_reader_parts { /* borrowed while the reader lives */
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct writer_schemas *schemas;
    const char *topic;
    const char *organization;
};

struct ledger_reader_ops {
    void (*row)(void *arg, const struct ledger_row *row, int32_t partition, int64_t offset);
    /* Partitions read to their end; those dropped meanwhile are left out. */
    void (*restored)(void *arg, const int32_t *partitions, size_t n);
    /* The row asked for by ledger_reader_one; NULL: it is not there any more. */
    void (*one)(void *arg, const struct ledger_row *row);
    void (*failed)(void *arg, const char *words); /* out of memory and the like */
};

enum rc ledger_reader_create(const struct ledger_reader_parts *parts, const struct ledger_reader_ops *ops, void *arg, struct ledger_reader **out,
                             struct err *e);
void ledger_reader_destroy(struct ledger_reader *r);
/* Reads these partitions to their end: row for each row, then restored. A second call while one runs is queued. */
void ledger_reader_restore(struct ledger_reader *r, const int32_t *partitions, size_t n);
/* Reads one row; one at a time. */
void ledger_reader_one(struct ledger_reader *r, int32_t partition, int64_t offset, int64_t order_id);
/* Partition of the row that ledger_reader_one was last asked for. */
int32_t ledger_reader_partition(const struct ledger_reader *r);
void ledger_reader_drop(struct ledger_reader *r, int32_t partition);
/* Something is being read. */
bool ledger_reader_busy(const struct ledger_reader *r);

#endif
