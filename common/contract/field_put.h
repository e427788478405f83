/* A named field of one of our own records in Avro's binary encoding: what order states, outcomes and ledger rows have in common. false: words say which record and field, and *out is to be cut
 * back by the caller. Pure. */
#ifndef BRIDGE_CONTRACT_FIELD_PUT_H
#define BRIDGE_CONTRACT_FIELD_PUT_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/warehouse_set.h"

/* record: for the words ("outcome"). text: NULL is refused, and what is no UTF-8. */
bool field_put_text(struct buf *out, const char *record, const char *name, const char *text, struct err *e);
/* Of the type ["null", "string"]. */
bool field_put_optional_text(struct buf *out, const char *record, const char *name, const char *text, struct err *e);
/* The field `warehouses`, an array of strings. */
bool field_put_warehouses(struct buf *out, const char *record, const struct warehouse_set *set, struct err *e);

#endif
