/* Single values at a cursor, null where the type allows it. The bytes have passed the walk, but no read trusts that. Pure. */
#ifndef BRIDGE_CONTRACT_AVRO_PEEK_H
#define BRIDGE_CONTRACT_AVRO_PEEK_H

#include "common/contract/avro_walk.h"

struct avro_text {
    const unsigned char *p; /* borrowed, not terminated; NULL: null */
    size_t n;
};

bool avro_text_equal(struct avro_text a, struct avro_text b); /* null equals nothing */

/* The type behind ["null", T] or [T, "null"]; any other type itself. */
const struct schema_node *avro_peek_behind_null(const struct schema_node *type);
/* Steps into the branch of a union; *type becomes the branch's. */
bool avro_peek_enter(const struct schema_node **type, struct avro_cursor *c);
/* Read and step over; false: the bytes do not fit. */
bool avro_peek_text(const struct schema_node *type, struct avro_cursor *c, struct avro_text *out);
bool avro_peek_long(const struct schema_node *type, struct avro_cursor *c, int64_t none, int64_t *out); /* null reads as none */
bool avro_peek_bool(const struct schema_node *type, struct avro_cursor *c, bool *out);                  /* null reads as false */

/* The items of an array, null read as empty: for (avro_list_begin(&l, type, c); avro_list_more(&l, c);) the body steps over one item; then see
 * l.broken. */
struct avro_list {
    size_t min_item;
    uint64_t left;
    bool ended, broken;
};
void avro_list_begin(struct avro_list *l, const struct schema_node *type, struct avro_cursor *c);
bool avro_list_more(struct avro_list *l, struct avro_cursor *c);

#endif
