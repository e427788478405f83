/* One pass over JSON text that writes down where everything stands, without copying or converting: the order path's parser. Checks the
 * structure (RFC 8259) of the whole text; the contents of strings (UTF-8, escapes) and numbers are checked when they are taken.
 * Nesting is bounded. In steady state a tape allocates nothing. Pure; thread rule: one owner.
 * Where RFC 8259 leaves the choice (the i_ documents of JSONTestSuite):
 *   accepted: numbers of any length and exponent (they stay text until somebody wants one of a certain type), nesting to JSON_TAPE_DEPTH, a key that is
 *     there twice (refused by whoever asks for that key);
 *   refused: a byte order mark and UTF-16 (RFC 8259 wants UTF-8 without a mark); what is no UTF-8 and half a surrogate pair (no Unicode text), but only in a
 *     string that is taken: what lies outside the mapping is kept as it came;
 *   refused although RFC 8259 allows it: U+0000 in a string that is taken (neither C nor the ERP's databases can hold it).
 * Otherwise a text whose strings can all be taken is accepted by jansson 2.14 (JSON_DECODE_ANY) too, and only such a one, but for:
 *   numbers that do not fit 64 bits or a double, nesting over 2,048: accepted here, refused there;
 *   a zero byte behind a number or word outside strings: refused here, overlooked there;
 *   with JSON_REJECT_DUPLICATES: a key that is there twice, see above. */
#ifndef BRIDGE_CONTRACT_JSON_TAPE_H
#define BRIDGE_CONTRACT_JSON_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum json_type { JSON_TAPE_NULL, JSON_TAPE_FALSE, JSON_TAPE_TRUE, JSON_TAPE_NUMBER, JSON_TAPE_STRING, JSON_TAPE_ARRAY, JSON_TAPE_OBJECT };

enum { JSON_TAPE_ESCAPED = 1 /* a backslash in it */, JSON_TAPE_FOREIGN = 2 /* a byte that is no ASCII: only such a string can be bad UTF-8 */ };

struct json_node {
    uint32_t start, end; /* byte range in the text; strings with their quotes */
    uint32_t next;       /* index of the node behind this one and all inside it */
    uint32_t count;      /* members of an object, elements of an array */
    uint16_t height;     /* nesting below: 0 for scalars, 1 for a flat container; saturates */
    uint8_t type;        /* enum json_type */
    uint8_t flags;       /* of a string: JSON_TAPE_ESCAPED, JSON_TAPE_FOREIGN */
};
/* Children of an array follow it directly; of an object: key, value, key, value ... */

struct json_tape {
    const char *text; /* borrowed */
    size_t text_n;
    struct json_node *nodes; /* n of cap, owned */
    size_t n, cap;
};

enum { JSON_TAPE_DEPTH = 10000 };

void json_tape_init(struct json_tape *t);
void json_tape_release(struct json_tape *t);
/* text: n bytes (< 2^31), borrowed until the next parse. RC_REJECT: not JSON; words say what and at which byte. RC_FATAL: memory. */
enum rc json_tape_parse(struct json_tape *t, const char *text, size_t n, struct err *e);

/* Value of a member; 0: none (node 0 is the root, never a member). First one wins; *twice (may be NULL) is set when the key is there more than once. */
uint32_t json_tape_member(const struct json_tape *t, uint32_t object, const char *key, size_t key_n, bool *twice);
/* Whether a string node (a key too) means exactly these n bytes; false for any other node, and for a bad escape. */
bool json_tape_equals(const struct json_tape *t, uint32_t node, const char *text, size_t n);
/* null or "": a value that says nothing. */
static inline bool json_tape_blank(const struct json_tape *t, uint32_t node)
{
    const struct json_node *at = &t->nodes[node];
    return at->type == JSON_TAPE_NULL || (at->type == JSON_TAPE_STRING && at->end - at->start == 2);
}
/* JSON Pointer (RFC 6901) below a node; UINT32_MAX: nothing there. "" is the node itself. A step of more than 256 bytes finds nothing. */
uint32_t json_tape_pointer(const struct json_tape *t, uint32_t node, const char *pointer);
/* The same; *twice is set when a key on the way is there more than once, so that it does not say which value is meant. */
uint32_t json_tape_pointer_once(const struct json_tape *t, uint32_t node, const char *pointer, bool *twice);
/* Appends a string's contents, unescaped, as checked UTF-8. RC_REJECT: bad UTF-8, lone surrogate, U+0000. */
enum rc json_tape_string(const struct json_tape *t, uint32_t node, struct buf *out, struct err *e);
/* An integer number, or a string that holds one ("12"). RC_REJECT: not an integer in 64 bits. */
enum rc json_tape_integer(const struct json_tape *t, uint32_t node, int64_t *out, struct err *e);

#endif
