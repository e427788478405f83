/* The warehouses of an order. A name is 1 to 63 bytes without ',', '/' and control characters (it stands in lists, keys and file names).
 * Pure; plain value, 4 KB. */
#ifndef BRIDGE_CONTRACT_WAREHOUSE_SET_H
#define BRIDGE_CONTRACT_WAREHOUSE_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { ORDER_WAREHOUSES = 64, ORDER_WAREHOUSE_BYTES = 64 };

/* The warehouses of an order, sorted bytewise, each once. */
struct warehouse_set {
    char names[ORDER_WAREHOUSES][ORDER_WAREHOUSE_BYTES];
    size_t n;
};
bool warehouse_name_valid(const char *name, size_t n);
/* false: full or name too long, empty, or with ',' or '/' or a control character in it. */
bool warehouse_set_add(struct warehouse_set *s, const char *name, size_t n);
/* The names that are there, not the whole 4 KB. */
void warehouse_set_copy(struct warehouse_set *to, const struct warehouse_set *from);
bool warehouse_set_has(const struct warehouse_set *s, const char *name);
/* Adds every name of `from`. */
bool warehouse_set_join(struct warehouse_set *s, const struct warehouse_set *from);
/* "MAG-1,MAG-2" appended, and back; parse: RC_REJECT on a bad list. */
void warehouse_set_print(const struct warehouse_set *s, struct buf *out);
enum rc warehouse_set_parse(struct warehouse_set *s, const char *list, size_t n, struct err *e);

#endif
