/* Schemas by registry id. One that was handed out stays alive until the release, whatever its id becomes. Only the registry client uses it. */
#ifndef BRIDGE_KAFKA_REGISTRY_CACHE_H
#define BRIDGE_KAFKA_REGISTRY_CACHE_H

#include "common/contract/schema.h"

enum { REGISTRY_CACHE_MAX = 10000 };

struct registry_cache { /* zeroed before first use */
    struct registry_cached *table; /* hash */
    size_t former_n;
};

/* Borrowed; NULL: not there. */
const struct schema *registry_cache_get(const struct registry_cache *c, int32_t id);
size_t registry_cache_count(const struct registry_cache *c);
/* Takes s (or NULL) over whatever happens; an id that is there stays what it is. false: full, no memory, or NULL for a new id. */
bool registry_cache_put(struct registry_cache *c, int32_t id, struct schema *s);
/* The same, but an id that is there becomes s where that is another schema; *changed: it did. */
bool registry_cache_renew(struct registry_cache *c, int32_t id, struct schema *s, bool *changed);
void registry_cache_release(struct registry_cache *c);

#endif
