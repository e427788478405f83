/* JSON of a schema -> tree of schema nodes, with the lint that avro-c lacks. Only schema.c uses it. */
#ifndef BRIDGE_CONTRACT_SCHEMA_BUILD_H
#define BRIDGE_CONTRACT_SCHEMA_BUILD_H

#include "common/base/arena.h"
#include "common/contract/schema_faults.h"

enum {
    SCHEMA_DEPTH = 64,       /* types inside types, also through names */
    SCHEMA_NAMED = 1024,     /* records, enums and fixed of a schema */
    SCHEMA_MEMBERS = 4096,   /* fields of a record, symbols of an enum, branches of a union */
    SCHEMA_WEIGHT = 65536,   /* types in the schema with every name written out */
    SCHEMA_FIXED_BYTES = 1 << 20
};

/* The nodes live in the arena and borrow from json, which must live as long. RC_REJECT: every fault that does not come from another is in faults, its words
 * name record and field. RC_FATAL: memory. */
enum rc schema_build(const json_t *json, struct arena *arena, struct schema_faults *faults, const struct schema_node **out);

#endif
