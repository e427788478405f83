/* Avro bytes -> JSON text, driven by the schema: compact, members in the schema's order under the fields' "erp" names, null written as null. Amounts are numbers with exactly the
 * schema's value; moments RFC 3339 UTC texts (whole milliseconds where the field says "json": "millis"); dates ISO texts; bytes and fixed base64;
 * enums their symbols; UTF-8 passes through. Pure; allocates nothing but room in the buffer. */
#ifndef BRIDGE_CONTRACT_AVRO_JSON_H
#define BRIDGE_CONTRACT_AVRO_JSON_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/avro_walk.h"
#include "common/contract/schema.h"

/* Appends n bytes of valid UTF-8 as a JSON string with its quotes. */
void avro_json_text(struct buf *out, const unsigned char *p, size_t n);
/* Appends n bytes as base64 (RFC 4648, padded) with quotes. */
void avro_json_base64(struct buf *out, const unsigned char *p, size_t n);
/* Appends the member name of a field and the colon. */
void avro_json_name(const struct schema_field *f, struct buf *out);
/* Appends the value at the cursor and steps over it. field: whose value it is, NULL: none's. A full buffer is the caller's to see (buf_failed).
 * RC_REJECT: bytes that the walk has not passed, a moment outside the years 1 to 9999, a number that is not finite; words name the field. */
enum rc avro_json_value(const struct schema_node *type, const struct schema_field *field, struct avro_cursor *c, struct buf *out,
                        struct err *e);

#endif
