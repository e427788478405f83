/* What the parts of the registry client share: registry.c asks, registry_fetch.c fetches schemas, registry_register.c registers ours. Nobody else includes it. */
#ifndef BRIDGE_KAFKA_REGISTRY_PARTS_H
#define BRIDGE_KAFKA_REGISTRY_PARTS_H

#include "common/base/buf.h"
#include "common/kafka/registry.h"
#include "common/kafka/registry_cache.h"
#include "common/net/http_client.h"

enum { REGISTRY_URL_MAX = 8192, REGISTRY_UNKNOWN_MAX = 64 };

struct registry {
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct http_client *http; /* NULL: registry.url is empty, ids are local */
    struct registry_cache cache;
    struct registry_question *questions;       /* hash, registry_fetch.c's */
    struct registry_registration *registrations; /* list, registry_register.c's */
    struct {
        int32_t id; /* any: a record may name 0 too */
        bool there;
    } unknown[REGISTRY_UNKNOWN_MAX]; /* ids that it did not know when last asked, as a ring */
    size_t unknown_next;
};

/* path: behind registry.url. NULL: words in e. */
struct http_call *registry_ask(struct registry *r, const char *method, const char *path, const struct buf *body, http_done_fn *done, void *arg,
                               struct err *e);
void registry_up(struct registry *r);
void registry_down(struct registry *r, const char *why, const char *doing);
void registry_retry(struct registry *r, const char *why, int64_t in_ms);

/* What is open ends without a word. */
void registry_questions_drop(struct registry *r);
void registry_registrations_drop(struct registry *r);

#endif
