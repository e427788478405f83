/* The writer schemas that targets over Avro bytes choose from by their first byte. */
#ifndef BRIDGE_TESTS_SCHEMA_TABLE_H
#define BRIDGE_TESTS_SCHEMA_TABLE_H

#include "common/contract/schema.h"

enum { SCHEMA_TABLE_ORDER, SCHEMA_TABLE_OUTCOME, SCHEMA_TABLE_STATUS, SCHEMA_TABLE_STATE, SCHEMA_TABLE_OTHERS };

size_t schema_table_count(void);
/* Parsed once and kept. */
const struct schema *schema_table_at(size_t i);

#endif
