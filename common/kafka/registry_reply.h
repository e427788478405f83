/* What the replies of a schema registry mean: HTTP reply in, decision and words out. Every byte of them is somebody else's. registry.c asks. Pure. */
#ifndef BRIDGE_KAFKA_REGISTRY_REPLY_H
#define BRIDGE_KAFKA_REGISTRY_REPLY_H

#include "common/contract/schema.h"
#include "common/net/http_client.h"

/* Registering a schema: look up; not there: compatible? ; register. */
enum registry_step { REGISTRY_LOOK_UP, REGISTRY_COMPATIBLE, REGISTRY_REGISTER };

enum registry_next {
    REGISTRY_STEP,  /* go on with *step */
    REGISTRY_DONE,  /* *id is the schema's, > 0 */
    REGISTRY_RETRY, /* later, from the look-up on */
    REGISTRY_FATAL  /* never; needs an operator */
};

/* The reply to *step for a subject (subject_n bytes, as it stands in the path). Words in e for REGISTRY_RETRY and REGISTRY_FATAL. */
enum registry_next registry_reply_step(const struct http_reply *reply, const char *subject, size_t subject_n, enum registry_step *step,
                                       int32_t *id, struct err *e);

/* The reply to a question for schema `id`. RC_OK: *s is the caller's. RC_REJECT: it is no schema that we can read. RC_RETRY: not now; *unknown: because
 * the registry, which is well, does not know the id. Words in e unless RC_OK. */
enum rc registry_reply_schema(const struct http_reply *reply, int32_t id, struct schema **s, bool *unknown, struct err *e);

#endif
