/* Whether the "default" of a field fits the field's type (Avro specification, "Complex Types": a union's default fits its first
 * branch, bytes are characters U+0000 to U+00FF). Pure. */
#ifndef BRIDGE_CONTRACT_SCHEMA_DEFAULT_H
#define BRIDGE_CONTRACT_SCHEMA_DEFAULT_H

#include "common/contract/schema.h"

enum { SCHEMA_DEFAULT_BYTES = 4096 };

/* RC_REJECT: words say what does not fit. */
enum rc schema_default_check(const struct schema_node *type, const json_t *value, struct err *e);

/* The bytes that a default of bytes or fixed stands for. Returns their number; SIZE_MAX: not a string, a character above U+00FF, or longer than room. */
size_t schema_default_bytes(const json_t *value, unsigned char *out, size_t room);

#endif
