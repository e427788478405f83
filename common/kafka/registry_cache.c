#include "common/kafka/registry_cache.h"

#include <stdlib.h>
/* out of memory leaves the element outside (hh.tbl NULL) instead of ending the process */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct registry_cached {
    int32_t id;
    struct schema *schema;
    struct registry_cached *former; /* what the id was before, for it may be borrowed */
    UT_hash_handle hh;
};

static struct registry_cached *find(const struct registry_cache *c, int32_t id)
{
    struct registry_cached *found = NULL;
    HASH_FIND_INT(c->table, &id, found);
    return found;
}

const struct schema *registry_cache_get(const struct registry_cache *c, int32_t id)
{
    const struct registry_cached *found = find(c, id);
    return found != NULL ? found->schema : NULL;
}

size_t registry_cache_count(const struct registry_cache *c)
{
    return HASH_COUNT(c->table);
}

bool registry_cache_put(struct registry_cache *c, int32_t id, struct schema *s)
{
    bool there = find(c, id) != NULL;
    if (there || s == NULL) {
        schema_destroy(s);
        return there;
    }
    struct registry_cached *made = HASH_COUNT(c->table) < REGISTRY_CACHE_MAX ? calloc(1, sizeof *made) : NULL;
    if (made == NULL) {
        schema_destroy(s);
        return false;
    }
    made->id = id;
    made->schema = s;
    HASH_ADD_INT(c->table, id, made);
    if (made->hh.tbl == NULL) {
        schema_destroy(s);
        free(made);
        return false;
    }
    return true;
}

bool registry_cache_renew(struct registry_cache *c, int32_t id, struct schema *s, bool *changed)
{
    struct registry_cached *there = find(c, id), *former;
    *changed = false;
    if (there == NULL || schema_fingerprint(there->schema) == schema_fingerprint(s))
        return registry_cache_put(c, id, s);
    former = c->former_n < REGISTRY_CACHE_MAX ? calloc(1, sizeof *former) : NULL;
    if (former == NULL) {
        schema_destroy(s);
        return false;
    }
    former->schema = there->schema;
    former->former = there->former;
    there->former = former;
    there->schema = s;
    c->former_n++;
    *changed = true;
    return true;
}

void registry_cache_release(struct registry_cache *c)
{
    struct registry_cached *one, *next;
    HASH_ITER(hh, c->table, one, next)
    {
        HASH_DEL(c->table, one);
        while (one != NULL) {
            struct registry_cached *former = one->former;
            schema_destroy(one->schema);
            free(one);
            one = former;
        }
    }
    *c = (struct registry_cache){0};
}
