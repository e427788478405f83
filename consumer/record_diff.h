/* Two records of one order compared value by value. A record becomes a list of leaves, "/items/0/quantity" and its JSON text, in the schema's order; what
 * the schema calls volatile is left out, as it is from the revision. Pure but for memory. */
#ifndef BRIDGE_CONSUMER_RECORD_DIFF_H
#define BRIDGE_CONSUMER_RECORD_DIFF_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/schema.h"

enum { RECORD_LEAVES_MAX = 20000, RECORD_LEAVES_BYTES = 4 * 1024 * 1024 };

struct record_leaf {
    const char *path, *text; /* zero-terminated, in the list's memory */
};

struct record_leaves {
    struct record_leaf *all; /* n, owned */
    size_t n, cap;
    struct buf texts;        /* paths and texts, one behind the other */
};

/* avro: n bytes that have passed the walk. RC_OK: *out released by the caller. RC_REJECT: more leaves or bytes than the bounds allow; RC_FATAL: memory. */
enum rc record_leaves_read(const struct schema_node *root, const unsigned char *avro, size_t n, struct record_leaves *out, struct err *e);
void record_leaves_release(struct record_leaves *l); /* zeroed: nothing happens */

/* Called for each difference; before or after is NULL where the leaf is new or gone. */
typedef void record_diff_fn(void *arg, const char *path, const char *before, const char *after);
/* Differences in the order of paths (bytewise); returns their number. The lists are sorted by this. */
size_t record_diff(struct record_leaves *before, struct record_leaves *after, record_diff_fn *fn, void *arg);

#endif
