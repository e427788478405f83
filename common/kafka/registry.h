/* Client of a Confluent-compatible schema registry: POST /subjects/{subject} (look up), POST /subjects/{subject}/versions (register),
 * POST /compatibility/subjects/{subject}/versions, GET and PUT /config/{subject}, GET /config, GET /schemas/ids/{id}. A schema by its id is asked for twice, is
 * believed when both answers are the same, and cached for the life of the process. Where registry.url is empty nobody is asked: ids come from a fixed table (registry_local.h) and work without network.
 * Source: Confluent Schema Registry API reference. health name "registry". Thread rule: the loop's thread. */
#ifndef BRIDGE_KAFKA_REGISTRY_H
#define BRIDGE_KAFKA_REGISTRY_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/contract/schema.h"
#include "common/net/health.h"
#include "common/net/loop.h"

struct registry;

/* Adds a line per problem; no network. */
void registry_check(const struct config *c, struct config_problems *problems);

/* c: borrowed while the client lives; registry.username and registry.password are read for each request. RC_FATAL: registry.ca_file cannot be
 * read, memory. */
enum rc registry_create(struct loop *l, const struct config *c, struct log *log, struct health *h, struct registry **out, struct err *e);
/* Open questions get no answer. Not from inside a callback. */
void registry_destroy(struct registry *r);

/* rc: RC_OK with id > 0; RC_FATAL: incompatible, refused, not permitted: words say why. An absent registry is tried again until it is there. */
typedef void registry_id_fn(void *arg, enum rc rc, int32_t id, const char *words);
/* The id of our schema under "<topic>-value": looked up; when it is not there, checked against all versions and registered. A subject that gets a
 * version is set to BACKWARD_TRANSITIVE (FULL_TRANSITIVE where forward was asked for; a level as strict stays) before the check, a new one after its first
 * version; where that is not possible (the right, the registry) a warning says so and the level that is there counts. Incompatible: each reason of the registry is logged; one that names none is offered the schema
 * once more, under the level just set, to hear it. done never from inside. s: borrowed during the call. Then the schema is in the cache under its
 * id. RC_FATAL: memory; without a registry also a topic that is not ours, or a second schema for one. */
enum rc registry_register(struct registry *r, const char *topic, const struct schema *s, registry_id_fn *done, void *arg, struct err *e);

/* rc: RC_OK with the schema (borrowed, alive as long as the registry client); RC_RETRY: not to be had now (absent, or an id that the registry does not
 * know, or two answers that differ): ask again later, nothing is cached; RC_REJECT: what the registry has, said twice, is not a schema that we can read. */
typedef void registry_schema_fn(void *arg, enum rc rc, const struct schema *s, const char *words);
/* From the cache at once, without callback: NULL = unknown, ask. */
const struct schema *registry_cached(const struct registry *r, int32_t id);
/* Was "I do not know this id" the registry's last answer about it? Not when it could not be asked. The last 64 such ids are kept. */
bool registry_unknown(const struct registry *r, int32_t id);
/* Fetches; questions for the same id share one request. done exactly once, never from inside. RC_RETRY: not even asked (memory): no done. */
enum rc registry_fetch(struct registry *r, int32_t id, registry_schema_fn *done, void *arg, struct err *e);
/* The same past the cache: is the id still what it was? A registry that was rebuilt gives ids anew. The answer is the id's schema from now on; what was borrowed
 * before stays alive. RC_RETRY also while a registry_fetch of it is under way. Without a registry as registry_fetch. */
enum rc registry_refetch(struct registry *r, int32_t id, registry_schema_fn *done, void *arg, struct err *e);

#endif
