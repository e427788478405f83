/* A schema in a file of the user's. */
#ifndef BRIDGE_CONTRACT_SCHEMA_FILE_H
#define BRIDGE_CONTRACT_SCHEMA_FILE_H

#include "common/contract/schema.h"

/* RC_OK: *out owned by the caller. RC_REJECT: cannot be read, or is no sound schema; words name the file. */
enum rc schema_file_load(const char *path, struct schema **out, struct err *e);
/* The line, from 1, on which an object of the schema begins: a field's or a type's json. 0: not an object of it. */
int schema_file_line(const struct schema *s, const json_t *object);

#endif
