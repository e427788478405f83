/* The schema that records were written with, and the ways from it to the schemas that we read them by: a resolution for each reader, compiled when the first
 * record comes and kept. Embedded in its owner. Thread rule: one owner (the resolutions hold scratch). */
#ifndef BRIDGE_CONTRACT_RECORD_WRITER_H
#define BRIDGE_CONTRACT_RECORD_WRITER_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/resolution.h"

enum { RECORD_WRITER_READERS = 4 }; /* the built-in small ones, and one more */

struct record_writer {
    const struct schema *schema; /* borrowed; NULL: zeroed, nobody's */
    struct record_way {
        const struct schema *reader; /* borrowed; NULL: free */
        struct resolution *resolution; /* NULL: no record can ever be read */
        char words[256];               /* why */
    } ways[RECORD_WRITER_READERS];
};

/* s lives as long as w, or until it is released. Allocates nothing. */
void record_writer_init(struct record_writer *w, const struct schema *s);
void record_writer_release(struct record_writer *w);

/* Can there be a record of it that the reader can read? RC_REJECT: never, words say why. RC_FATAL: as below. */
enum rc record_writer_suits(struct record_writer *w, const struct schema *reader, struct err *e);

/* Appends to out what the record (n bytes without frame) is by the reader's schema, which lives as long as w: whole and sound, however wrong the bytes. RC_REJECT:
 * they are not of the writer's schema, the reader cannot take them, or out's limit. RC_FATAL: memory, or more than RECORD_WRITER_READERS readers. */
enum rc record_writer_read(struct record_writer *w, const struct schema *reader, const unsigned char *avro, size_t n, struct buf *out, struct err *e);

#endif
