/* Parsing Canonical Form of a schema and its CRC-64-AVRO (Avro 1.11 specification, "Parsing Canonical Form for Schemas" and "Schema
 * Fingerprints"): what decides how bytes are read, without docs, defaults, attributes and layout. Pure. */
#ifndef BRIDGE_CONTRACT_SCHEMA_CANON_H
#define BRIDGE_CONTRACT_SCHEMA_CANON_H

#include "common/base/buf.h"
#include "common/contract/schema.h"

/* Appends the canonical text of the tree. RC_FATAL: out of memory, or larger than out's limit. */
enum rc schema_canon_print(const struct schema_node *root, struct buf *out, struct err *e);
uint64_t schema_canon_crc(const void *text, size_t n);

#endif
