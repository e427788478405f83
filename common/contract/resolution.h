/* Schema resolution: a record's bytes by its writer's schema -> its bytes by the reader's, so that everything behind knows one schema only. Avro 1.11
 * specification, "Schema Resolution": fields by name, else by the reader's aliases (a writer's field feeds one field of the reader); what is missing takes
 * its default; what is too much is checked and dropped; int -> long -> float -> double, string <-> bytes; unions on either side, the first branch of the
 * reader that matches (but one of the very same type or full name goes before it); enum symbols by name, an unknown one becomes the reader's default; named types
 * match by unqualified name or alias, fixed by size too. Decimals keep their scale and may gain precision; other logical types do not matter.
 * Compiled once per writer schema. Thread rule: one owner (it holds scratch). */
#ifndef BRIDGE_CONTRACT_RESOLUTION_H
#define BRIDGE_CONTRACT_RESOLUTION_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/schema.h"

struct resolution;

/* Both schemas are borrowed while it lives. RC_REJECT: no record of the writer can ever be read; words name the path of the field. What only some
 * values lack (a branch of a union, a symbol) is found when such a value comes. RC_FATAL: memory. */
enum rc resolution_compile(const struct schema *writer, const struct schema *reader, struct resolution **out, struct err *e);
void resolution_destroy(struct resolution *r);
/* Nothing changes: the bytes are checked and copied. */
bool resolution_is_identity(const struct resolution *r);

/* avro: n bytes without frame, from anywhere: every length, count, index and depth is checked in the same pass, also of what is dropped (as avro_walk_check
 * does). Appends the reader's bytes; nothing else is allocated in steady state. RC_REJECT: bytes that are none of the writer's schema, a value that the
 * reader cannot take, or the result is larger than out's limit: words name path and byte, never a value; out->n is as before. RC_FATAL: memory. */
enum rc resolution_run(struct resolution *r, const unsigned char *avro, size_t n, struct buf *out, struct err *e);

#endif
