/* The built-in schemas of the small records (outcome, status, state): they never change, and parsing one costs twenty times as much as writing a record, so
 * they are parsed once and kept for good. Thread rule: any thread. */
#ifndef BRIDGE_CONTRACT_AVRO_BUILTIN_H
#define BRIDGE_CONTRACT_AVRO_BUILTIN_H

#include "common/contract/schema.h"

enum avro_builtin { AVRO_ORDER_OUTCOME, AVRO_ORDER_STATUS, AVRO_ORDER_STATE, AVRO_BUILTINS };

/* NULL: there was no memory for it. */
const struct schema *avro_builtin_schema(enum avro_builtin which);
/* avro-c's class of its values, borrowed. NULL: as above. */
avro_value_iface_t *avro_builtin_class(enum avro_builtin which);

#endif
