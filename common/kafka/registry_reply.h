/* What the replies of a schema registry mean: HTTP reply in, decision and words out. Every byte of them is somebody else's. registry.c asks. Pure. */
#ifndef BRIDGE_KAFKA_REGISTRY_REPLY_H
#define BRIDGE_KAFKA_REGISTRY_REPLY_H

#include "common/contract/schema.h"
#include "common/net/http_client.h"

/* Registering a schema: look up; not there, but other versions are: what is the subject's compatibility level, or the registry's own where the subject has
 * none? set it where that is weaker; compatible with all versions, or where the registry has no such question with the latest? ; register. */
enum registry_step { REGISTRY_LOOK_UP, REGISTRY_LEVEL_NOW, REGISTRY_LEVEL_GLOBAL, REGISTRY_LEVEL, REGISTRY_COMPATIBLE, REGISTRY_COMPATIBLE_LATEST, REGISTRY_REGISTER };

enum registry_next {
    REGISTRY_STEP,  /* go on with *step */
    REGISTRY_DONE,  /* *id is the schema's, > 0 */
    REGISTRY_RETRY, /* later, from the look-up on */
    REGISTRY_FATAL  /* never; needs an operator */
};

/* The reply to *step, to none of the level's, for a subject (subject_n bytes, as it stands in the path). Words in e for REGISTRY_RETRY and
 * REGISTRY_FATAL. */
enum registry_next registry_reply_step(const struct http_reply *reply, const char *subject, size_t subject_n, enum registry_step *step,
                                       int32_t *id, struct err *e);

/* The reply to GET /config/{subject} or GET /config. RC_OK: *wanted is the level to set, the weakest that is BACKWARD_TRANSITIVE and no weaker than the one
 * that is there (*now, one of a table of ours); NULL: that is it already. RC_REJECT: it cannot be told here. RC_RETRY: perhaps later. Words in e unless RC_OK. */
enum rc registry_reply_level_now(const struct http_reply *reply, const char *subject, size_t subject_n, const char **now, const char **wanted, struct err *e);

/* The reply to PUT /config/{subject}. RC_OK: the level is set. RC_REJECT: not possible here (the right is missing, the registry has no such call).
 * RC_RETRY: perhaps later. Words in e unless RC_OK. */
enum rc registry_reply_level(const struct http_reply *reply, const char *subject, size_t subject_n, struct err *e);

/* Each of the first 20 messages of a reply to a question for compatibility, made one line of at most 300 bytes. Returns how many there are in all. */
typedef void registry_reason_fn(void *arg, const char *reason);
size_t registry_reply_reasons(const struct http_reply *reply, registry_reason_fn *each, void *arg);

/* The reply to a question for schema `id`. RC_OK: *s is the caller's. RC_REJECT: it is no schema that we can read. RC_RETRY: not now; *unknown: because
 * the registry, which is well, does not know the id. *said: a hash of the schema's text and type, as good as equal only for equal ones; 0 for RC_RETRY. Words in e unless RC_OK. */
enum rc registry_reply_schema(const struct http_reply *reply, int32_t id, struct schema **s, bool *unknown, uint64_t *said, struct err *e);

#endif
