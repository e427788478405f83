/* Reads our topics for an operator: from given starts to their end and, when asked, on. Each value comes with the schema that it was written with, so that any
 * record of any topic can be shown; what cannot be read comes too, with the reason. Memory is bounded: while a schema is awaited at most SCAN_HELD_BYTES of records
 * are kept, for at most SCAN_SCHEMA_MS. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_TOPIC_SCAN_H
#define BRIDGE_CONSUMER_TOPIC_SCAN_H

#include "common/contract/schema.h"
#include "common/kafka/reader.h"
#include "common/kafka/registry.h"
#include "common/program/program.h"

enum {
    SCAN_HELD_BYTES = 64 * 1024 * 1024,
    SCAN_SCHEMA_MS = 15000,  /* a registry that does not answer for so long is given up; an id that it does not know at once */
    SCAN_SILENCE_MS = 60000  /* a broker that gives neither a record nor the end for so long is given up */
};

struct topic_scan;

struct scan_record {
    const struct kafka_record *record; /* borrowed during the call */
    const struct schema *writer;       /* NULL: no value, not Avro, or a fault */
    const unsigned char *avro;         /* avro_n bytes, checked whole against writer */
    size_t avro_n;
    const char *fault;                 /* "": none; else why the value cannot be read */
};

struct topic_scan_ops {
    /* Cheap, by topic, key and headers alone: what is not wanted is not decoded. NULL: everything. */
    bool (*wanted)(void *arg, const struct kafka_record *r);
    void (*record)(void *arg, const struct scan_record *r); /* in order of offset within a partition */
    void (*end)(void *arg);                                 /* once; every partition was read to the end that it had at the start */
    void (*failed)(void *arg, const char *words);           /* once, instead of what would follow */
    /* What a registry that cannot be asked leads to. false: failed, since whoever counts or judges what was not read would tell lies. true: its records come
     * with that as their fault. An id that the registry does not know is a fault of its records, whatever stands here. */
    bool shows_unread;
};

/* starts: starts_n, copied. RC_FATAL: configuration or memory. */
enum rc topic_scan_create(struct program *p, const struct reader_start *starts, size_t starts_n, const struct topic_scan_ops *ops, void *arg,
                          struct topic_scan **out, struct err *e);
/* Before the first turn of the loop: dead letters that are records of our topics (header kind: order, outcome) come decoded like those. Otherwise a dead letter is
 * its bytes. */
void topic_scan_open_letters(struct topic_scan *s);
/* Not from inside an op. NULL is a no-op. */
void topic_scan_destroy(struct topic_scan *s);

#endif
