/* The writers met last: what was compiled for the one used longest ago makes room for the next. Embedded in its owner. Thread rule: one owner. */
#ifndef BRIDGE_CONTRACT_RECORD_WRITERS_H
#define BRIDGE_CONTRACT_RECORD_WRITERS_H

#include "common/contract/record_writer.h"

enum { RECORD_WRITERS_KEPT = 64 };

struct record_writers { /* zeroed before first use */
    struct record_writer kept[RECORD_WRITERS_KEPT];
    uint64_t used[RECORD_WRITERS_KEPT]; /* when last, by the count of uses; 0: never */
    uint64_t uses;
};

/* Borrowed until the next call. Schemas are known by their address: each lives until the release. */
struct record_writer *record_writers_get(struct record_writers *ws, const struct schema *s);
void record_writers_release(struct record_writers *ws);

#endif
