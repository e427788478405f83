/* A reader whose records come with the schema that they were written with. A record whose schema is not known yet makes it fetch that schema and read again
 * from there, so nothing is buffered and nothing comes out of order. While the registry does not give that schema, or gives one that it cannot be, everything behind the record waits: what it says
 * nobody knows. Only an operator can let it pass (topics.pass_over); then it is one that cannot be read. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_SCHEMA_READER_H
#define BRIDGE_PRODUCER_SCHEMA_READER_H

#include "common/contract/avro_builtin.h"
#include "common/kafka/reader.h"
#include "producer/writer_schemas.h"

struct schema_reader;

struct schema_record {
    const struct kafka_record *record; /* borrowed */
    struct record_writer *writer;      /* borrowed until the callback returns; NULL: a tombstone (no value), or it cannot be read (no frame, no readable schema) */
    int32_t schema_id;
    const unsigned char *avro; /* avro_n bytes behind the frame */
    size_t avro_n;
};

struct schema_reader_ops {
    /* Is this record worth its schema? false: passed over. NULL: every one. May be asked twice. */
    bool (*wanted)(void *arg, const struct kafka_record *r);
    void (*record)(void *arg, const struct schema_record *r);
    /* Once, as reader_ops.end; the reader may be destroyed from inside. May be NULL. */
    void (*end)(void *arg);
    /* What the records must be readable by; a writer schema that none of them can have is waited for like one that is not to be had: it is the registry's trouble (an id that it gave
     * anew), not the record's. NULL: such records come with it. */
    const enum avro_builtin *reads;
    const char *meanwhile; /* what the program does not do while a record waits for its schema: "publishes nothing" */
};

struct schema_reader_needs { /* borrowed while it lives */
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct writer_schemas *schemas;
};

/* starts: one partition each (no -1); copied, topics too. ops borrowed. */
enum rc schema_reader_create(const struct schema_reader_needs *needs, const struct reader_start *starts, size_t starts_n,
                             const struct schema_reader_ops *ops, void *arg, struct schema_reader **out, struct err *e);
void schema_reader_destroy(struct schema_reader *sr);
/* Calls done(arg) once on the loop when everything that exists now was handed out. Only after end; RC_RETRY: one is still asked for. */
enum rc schema_reader_catch_up(struct schema_reader *sr, loop_fn *done, void *arg);
/* done will not be called, and nobody asks again. */
void schema_reader_catch_up_cancel(struct schema_reader *sr);
/* Is a record in the way whose schema the registry, asked for it, does not give? What is asked for by catch_up does not come before it does: minutes, or days. */
bool schema_reader_is_held(const struct schema_reader *sr);
/* Next offset to read of a partition given as the i-th start; -1: nothing read yet. */
int64_t schema_reader_next(const struct schema_reader *sr, size_t i);

#endif
