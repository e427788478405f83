/* A small record (outcome, status, state) being written by its built-in schema, through avro-c's generic values. Sticky: after the first
 * fault nothing more is done and the end tells. Thread rule: a draft has one owner. */
#ifndef BRIDGE_CONTRACT_AVRO_DRAFT_H
#define BRIDGE_CONTRACT_AVRO_DRAFT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/avro_builtin.h"
#include "common/contract/warehouse_set.h"

/* A record being written, or one in an array of it. */
struct avro_draft {
    avro_value_t value; /* owned by the outermost */
    const struct schema_node *node;
    enum rc rc;
    struct err *e; /* borrowed; may be NULL */
};

void avro_draft_init(struct avro_draft *d, enum avro_builtin which, struct err *e);
/* text NULL: null, where the field may be. */
void avro_draft_text(struct avro_draft *d, const char *name, const char *text);
void avro_draft_long(struct avro_draft *d, const char *name, int64_t v); /* int fields too */
void avro_draft_null(struct avro_draft *d, const char *name);
void avro_draft_bool(struct avro_draft *d, const char *name, bool v);
void avro_draft_symbol(struct avro_draft *d, const char *name, const char *symbol);
void avro_draft_warehouses(struct avro_draft *d, const char *name, const struct warehouse_set *set);
/* One more record in the array of that name. item: not to be released; hand it back with avro_draft_item_end. */
void avro_draft_item(struct avro_draft *d, const char *name, struct avro_draft *item);
void avro_draft_item_end(struct avro_draft *d, const struct avro_draft *item);
/* Appends the bytes unless a fault came before, and releases. Returns the draft's code; out as it was unless RC_OK. */
enum rc avro_draft_finish(struct avro_draft *d, struct buf *out);

#endif
