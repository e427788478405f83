/* The Avro bytes of a field's "default" (Avro specification, "Complex Types"; a union's default is of its first branch). Pure. */
#ifndef BRIDGE_CONTRACT_AVRO_DEFAULT_H
#define BRIDGE_CONTRACT_AVRO_DEFAULT_H

#include "common/base/buf.h"
#include "common/contract/schema.h"

/* Appends the encoding of value, which schema_default_check has passed. out fails when it is larger than out's limit or never ends (a
 * recursive record whose default is itself). */
void avro_default_put(const struct schema_node *type, const json_t *value, struct buf *out);

#endif
