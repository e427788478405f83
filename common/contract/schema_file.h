/* A schema in a file of the user's. */
#ifndef BRIDGE_CONTRACT_SCHEMA_FILE_H
#define BRIDGE_CONTRACT_SCHEMA_FILE_H

#include "common/contract/schema.h"

/* RC_OK: *out owned by the caller. RC_REJECT: cannot be read, or is no sound schema; words name the file, and the line of the first fault. */
enum rc schema_file_load(const char *path, struct schema **out, struct err *e);
/* As schema_parse_told, without the file's name in the words; a file that cannot be read is one fault. e must not be NULL. */
enum rc schema_file_load_told(const char *path, schema_fault_fn *told, void *arg, struct schema **out, struct err *e);

#endif
