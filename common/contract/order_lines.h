/* The lines of an encoded order and the warehouses that issue them: an article's own warehouse, or the order's where it names none; a line without
 * articles is issued by the order's. Used by order_view alone. Pure. */
#ifndef BRIDGE_CONTRACT_ORDER_LINES_H
#define BRIDGE_CONTRACT_ORDER_LINES_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/avro_peek.h"
#include "common/contract/warehouse_set.h"

/* The fields that decide; borrowed from the schema. */
struct order_lines {
    const struct schema_node *order, *item, *article;
    const struct schema_field *items, *warehouse; /* of the order */
    const struct schema_field *articles;          /* of an item */
    const struct schema_field *article_warehouse;
};

/* The field of a record by name and kind (null allowed beside it); *out NULL when one that is not required is missing. RC_REJECT: words name it. */
enum rc order_lines_field(const struct schema_node *record, const char *name, enum schema_kind kind, bool required,
                          const struct schema_field **out, struct err *e);
/* order: the record of the order. RC_REJECT: a field is missing or of another type; words name it. */
enum rc order_lines_find(struct order_lines *l, const struct schema_node *order, struct err *e);
/* Of one order. */
struct order_lines_at {
    struct avro_cursor items; /* at the field */
    struct avro_text own;     /* the order's warehouse */
};

/* Adds every warehouse that has something to issue to the empty set. *undivided: it is one, and its part, as order_lines_part would make it, is the order as it
 * is. RC_REJECT: words name the fault. */
enum rc order_lines_deliver(const struct order_lines *l, const struct order_lines_at *at, struct warehouse_set *out, bool *undivided, struct err *e);
/* Appends the order again, by the same schema, with only this warehouse's articles and the items they belong to. RC_REJECT: bytes that do not fit. */
enum rc order_lines_part(const struct order_lines *l, const unsigned char *avro, size_t n, const char *warehouse, struct buf *out, struct err *e);

#endif
