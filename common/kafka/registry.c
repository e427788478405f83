#include "common/kafka/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/registry_local.h"
#include "common/kafka/registry_parts.h"

enum { REPLY_MAX = 4 * 1024 * 1024, CONNECT_MS = 10000, CONNECTIONS_MAX = 4 };

static const char *const media_type = "application/vnd.schemaregistry.v1+json";

void registry_up(struct registry *r)
{
    health_set(r->health, "registry", HEALTH_UP, NULL, NULL);
}

void registry_down(struct registry *r, const char *why, const char *doing)
{
    health_set(r->health, "registry", HEALTH_DOWN, why, doing);
}

void registry_retry(struct registry *r, const char *why, int64_t in_ms)
{
    health_retry(r->health, "registry", why, "tries again", in_ms);
}

struct http_call *registry_ask(struct registry *r, const char *method, const char *path, const struct buf *body, http_done_fn *done, void *arg,
                               struct err *e)
{
    struct http_call *call = NULL;
    struct buf url, bearer;
    const char *base = config_text(r->config, "registry.url");
    const char *username = config_text(r->config, "registry.username");
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    buf_init(&url, REGISTRY_URL_MAX);
    buf_init(&bearer, REGISTRY_URL_MAX);
    buf_put(&url, base, n);
    buf_put_text(&url, path);
    const char *text = buf_text(&url);
    if (text == NULL) {
        err_set(e, "registry: URL longer than %d bytes", REGISTRY_URL_MAX);
        goto out;
    }
    char accept[64], type[64];
    (void)snprintf(accept, sizeof accept, "Accept: %s", media_type);
    (void)snprintf(type, sizeof type, "Content-Type: %s", media_type);
    const char *token = config_text(r->config, "registry.token");
    buf_printf(&bearer, "Authorization: Bearer %s", token);
    const char *headers[3] = {accept};
    size_t headers_n = 1;
    if (body != NULL)
        headers[headers_n++] = type;
    if (token[0] != '\0' && (headers[headers_n++] = buf_text(&bearer)) == NULL) {
        err_set(e, "registry: registry.token is longer than %d bytes", REGISTRY_URL_MAX);
        goto out;
    }
    struct http_request request = {
        .method = method,
        .url = text,
        .headers = headers,
        .headers_n = headers_n,
        .body = body != NULL ? body->p : NULL,
        .body_n = body != NULL ? body->n : 0,
        .username = username[0] != '\0' ? username : NULL,
        .password = username[0] != '\0' ? config_text(r->config, "registry.password") : NULL,
    };
    call = http_submit(r->http, &request, done, arg, e);
    if (call == NULL)
        err_prefix(e, "registry");
out:
    buf_release(&url);
    buf_release(&bearer);
    return call;
}

const struct schema *registry_cached(const struct registry *r, int32_t id)
{
    return registry_cache_get(&r->cache, id);
}

void registry_check(const struct config *c, struct config_problems *problems)
{
    bool user = config_text(c, "registry.username")[0] != '\0', password = config_text(c, "registry.password")[0] != '\0';
    config_problem_unreadable(c, problems, "registry.ca_file");
    if (user && config_text(c, "registry.token")[0] != '\0')
        config_problem(c, problems, "registry.token", "given together with registry.username; one of the two");
    if (user != password)
        config_problem(c, problems, user ? "registry.username" : "registry.password", "needs %s too", user ? "registry.password" : "registry.username");
}

enum rc registry_create(struct loop *l, const struct config *c, struct log *log, struct health *h,
                        struct registry **out, struct err *e)
{
    struct registry *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, "registry: out of memory");
        return RC_FATAL;
    }
    int64_t timeout_ms = config_ms(c, "registry.timeout");
    struct http_settings settings = {
        .user_agent = "xsale-bridge/" BRIDGE_VERSION,
        .ca_file = config_text(c, "registry.ca_file"),
        .insecure =
            true, /* schemas are no secret, and registries of closed networks often speak plain HTTP */
        .connect_timeout_ms = timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS,
        .timeout_ms = timeout_ms,
        .max_body = REPLY_MAX,
        .max_connections = CONNECTIONS_MAX,
    };
    r->loop = l;
    r->config = c;
    r->log = log;
    r->health = h;
    if (config_text(c, "registry.url")[0] == '\0') {
        health_set(h, "registry", HEALTH_UP, NULL, REGISTRY_LOCAL_WORDS);
        log_write_unfolded(log, LOG_WARN, "registry", NULL, REGISTRY_LOCAL_WORDS, NULL, 0);
        *out = r;
        return RC_OK;
    }
    r->http = http_client_create(l, &settings, e);
    if (r->http == NULL) {
        err_prefix(e, "registry");
        free(r);
        return RC_FATAL;
    }
    health_set(h, "registry", HEALTH_UNKNOWN, NULL, "not asked yet");
    *out = r;
    return RC_OK;
}

void registry_destroy(struct registry *r)
{
    if (r == NULL)
        return;
    registry_registrations_drop(r);
    registry_questions_drop(r);
    registry_cache_release(&r->cache);
    http_client_destroy(r->http);
    free(r);
}
