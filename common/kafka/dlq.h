/* The dead-letter topic: original bytes, and headers that tell what they are and why they are here:
 *   kind              "order" (a record of the orders topic), "xsale-order" (JSON text of an order), "outcome" (a record of order-outcomes)
 *   reason            words, at most 1,000 bytes, cut at a character
 *   program           who put it here
 *   at                ms since 1970, decimal
 *   source-topic, source-partition, source-offset   when it was a record
 *   omitted           bytes of the value that was too large for this topic and is left out
 *   omitted-key       bytes of the key that was too large as well; the key is "?" and the 16 hex digits of its xxHash, and its own headers are left out
 * before them the record's own headers as they were. Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_DLQ_H
#define BRIDGE_KAFKA_DLQ_H

#include <stdbool.h>

#include "common/kafka/kafka_record.h"
#include "common/kafka/publisher.h"

enum dlq_kind { DLQ_ORDER, DLQ_XSALE_ORDER, DLQ_OUTCOME };
enum { DLQ_HEADERS = 64 }; /* a record's own headers beyond this many less ours are dropped */

struct dlq_entry {
    enum dlq_kind kind;
    const void *key; /* key_n bytes */
    size_t key_n;
    const void *value; /* value_n bytes, the original */
    size_t value_n;
    const char *reason;
    const char *program; /* "erp-consumer" */
    int64_t at;          /* ms */
    const struct kafka_record *source; /* NULL: it was no record */
    const struct kafka_header *extra;  /* extra_n more headers, before ours; NULL: none */
    size_t extra_n;
    bool omit_value; /* after an acknowledgement with RC_REJECT (the broker's limit is lower than ours): send it again like this */
    bool bare;       /* after that was not taken either: without its value, its own headers and its key, so that it always fits */
};

/* topic: full name ("xsale.orders-dlq"). As publisher_send, except that of a record larger than message.max.bytes the value is left out, then its own headers and
 * key, instead of RC_REJECT. */
enum rc dlq_publish(struct publisher *p, const char *topic, const struct dlq_entry *entry, publisher_done_fn *done, void *arg, struct err *e);

#endif
