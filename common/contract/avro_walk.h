/* One bounded, validating walk over Avro bytes: every length, count, index and depth is checked against what is there
 * before use, recursion is bounded, nothing is allocated. Runs before avro-c or anyone else sees bytes from a topic
 * (avro-c allocates claimed lengths, accepts wrong enum values and overflows the stack).
 * Source: Avro 1.11 specification, "Binary Encoding". Pure. */
#ifndef BRIDGE_CONTRACT_AVRO_WALK_H
#define BRIDGE_CONTRACT_AVRO_WALK_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/contract/schema.h"

enum { AVRO_WALK_DEPTH = 64, AVRO_WALK_EMPTY = 4096 }; /* AVRO_WALK_EMPTY: items of a message that take no bytes; nothing else bounds them, and who reads them may need memory for each */

/* Position in bytes; the reading functions return false at any fault and leave the cursor where the fault is. */
struct avro_cursor {
    const unsigned char *p, *end;
};

bool avro_read_long_longer(struct avro_cursor *c, int64_t *out); /* of more than one byte, or none */
static inline bool avro_read_long(struct avro_cursor *c, int64_t *out)
{
    if (c->p >= c->end || *c->p >= 0x80)
        return avro_read_long_longer(c, out);
    unsigned v = *c->p++; /* nearly all of them: lengths, branches, small counts */
    *out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    return true;
}
bool avro_read_bytes_longer(struct avro_cursor *c, const unsigned char **p, size_t *n); /* 64 bytes or more, or none */
static inline bool avro_read_bytes(struct avro_cursor *c, const unsigned char **p, size_t *n)
{
    if (c->p >= c->end || *c->p >= 0x80 || (*c->p & 1) != 0 || (size_t)(*c->p >> 1) >= (size_t)(c->end - c->p))
        return avro_read_bytes_longer(c, p, n);
    *n = *c->p >> 1; /* nearly all of them */
    *p = c->p + 1;
    c->p += *n + 1;
    return true;
}
/* Count of the next block of an array or map (0: end); a negative count's size is read and checked. min_item: smallest size of an item in bytes,
 * 0 allowed: then at most AVRO_WALK_EMPTY items. */
bool avro_read_block(struct avro_cursor *c, size_t min_item, uint64_t *count);
/* The same; *end: where the block says that it ends, NULL: it does not say. */
bool avro_read_sized_block(struct avro_cursor *c, size_t min_item, uint64_t *count, const unsigned char **end);

/* Exactly one value of the schema in n bytes, strings valid UTF-8, decimals within their precision. RC_REJECT: words name the field path and the byte. */
enum rc avro_walk_check(const struct schema_node *s, const unsigned char *p, size_t n, struct err *e);
/* The same for one field of a record whose bytes start at begin: checks the value at the cursor and steps over it. */
enum rc avro_walk_field(const struct schema_field *f, const unsigned char *begin, struct avro_cursor *c, struct err *e);
/* The same for any value, `depth` types below the root; words name the path inside it. */
enum rc avro_walk_value(const struct schema_node *s, int depth, const unsigned char *begin, struct avro_cursor *c, struct err *e);
/* The same for one of many values of a message: *empty_left items without bytes are left to all of them together. */
enum rc avro_walk_part(const struct schema_node *s, int depth, const unsigned char *begin, struct avro_cursor *c, uint64_t *empty_left, struct err *e);
/* Steps over one value. */
bool avro_walk_skip(const struct schema_node *s, struct avro_cursor *c);

#endif
