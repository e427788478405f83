/* Schema ids without a registry (registry.url is empty): four fixed ones, the same in every program, and the schemas built in under them. For trials:
 * a schema of one's own gets the same id as the built-in one, and only the programs that registered it know. Pure. */
#ifndef BRIDGE_KAFKA_REGISTRY_LOCAL_H
#define BRIDGE_KAFKA_REGISTRY_LOCAL_H

#include <stdint.h>

/* What logs and /readyz say. */
#define REGISTRY_LOCAL_WORDS "registry.url is empty: fixed local schema ids, for trials only"

/* The id of the values of "<prefix>.<name>"; 0: not a topic of ours with a schema. */
int32_t registry_local_id(const char *topic);
/* The text of the schema built in under an id; NULL: no such id. */
const char *registry_local_text(int32_t id);

#endif
