/* An order record as other parts need it: its head (what decides about it), and the JSON that the ERP sees. Compiled once per writer schema.
 * Amounts are JSON numbers with exactly the schema's value; timestamps are RFC 3339 UTC texts (integer milliseconds where the field says
 * "json": "millis"); dates ISO texts; bytes without logical type base64; `raw` is left out. A member's name is the field's "erp" attribute, else its name.
 * Allocates nothing in steady state. Thread rule: one owner (it holds scratch). */
#ifndef BRIDGE_CONTRACT_ORDER_VIEW_H
#define BRIDGE_CONTRACT_ORDER_VIEW_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/order_encoder.h"
#include "common/contract/schema.h"

struct order_view;

struct order_head {
    char organization[256];
    int64_t order_id;
    char revision[ORDER_REVISION_BYTES];
    int64_t publication, round;
    bool withdrawn;
    struct warehouse_set warehouses;  /* all that the publication names */
    struct warehouse_set delivering;  /* those that have an article in it (one that names none is the order's own), or a line without articles */
    bool undivided;                   /* one, whose part is the whole order: its document is the same with and without `only_warehouse` */
    const unsigned char *raw;         /* exact bytes as xSale sent them, raw_n, borrowed; NULL: none */
    size_t raw_n;
};

/* writer: borrowed while the view lives. RC_REJECT: a field that the bridge needs is missing or of another type; words name it. */
enum rc order_view_create(const struct schema *writer, struct order_view **out, struct err *e);
/* The same with what the ERP sees given by a schema of its own (erp.view), borrowed too: the order is resolved to it, so it picks fields, gives defaults and,
 * by its "erp" attributes, renames. The head always comes from the writer's record. view NULL: the whole record without `raw`.
 * RC_FATAL: memory, or no record of the writer can be seen through this view (words name the field): no order is to blame for that. */
enum rc order_view_create_for(const struct schema *writer, const struct schema *view, struct order_view **out, struct err *e);
void order_view_destroy(struct order_view *v);

/* avro: n bytes without frame, from anywhere: checked whole first. RC_REJECT: words name the fault. */
enum rc order_view_head(const struct order_view *v, const unsigned char *avro, size_t n, struct order_head *out, struct err *e);
/* Appends the JSON document. only_warehouse: hand over only this warehouse's articles, with the items they belong to (an item without articles belongs to the
 * order's own warehouse); NULL: all. The bytes must have passed order_view_head. RC_REJECT: also a value that the view cannot take. */
enum rc order_view_json(const struct order_view *v, const unsigned char *avro, size_t n, const char *only_warehouse, struct buf *out,
                        struct err *e);

#endif
