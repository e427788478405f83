#include "common/kafka/registry_reply.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum {
    MESSAGE_MAX = 300, /* bytes of the registry's own words that we repeat */
    REASONS_MAX = 20,
    REASONS_ROOM = 320, /* bytes of all reasons together in the words */
};

/* error_code of the Confluent API */
enum { CODE_NO_SUBJECT = 40401, CODE_NO_SCHEMA = 40403 };

/* NULL: not a JSON object. Owned by the caller. */
static json_t *read_object(const struct http_reply *reply)
{
    json_error_t error;
    json_t *root = reply->end == HTTP_REPLIED ? json_loadb(reply->body, reply->body_n, 0, &error) : NULL;
    if (root != NULL && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* The registry's words, made fit for one line; "" when it gave none. */
static void copy_words(const char *from, char out[MESSAGE_MAX])
{
    size_t n = from != NULL ? strlen(from) : 0, used = 0;
    for (size_t i = 0; i < n && used + 1 < MESSAGE_MAX; i++)
        out[used++] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? ' ' : from[i];
    while (used < n && used > 0 && ((unsigned char)out[used - 1] & 0xC0) == 0x80) /* cut at a character */
        used--;
    if (used < n && used > 0 && (unsigned char)out[used - 1] >= 0xC0)
        used--;
    out[used] = '\0';
}

static int error_code(const json_t *root)
{
    json_int_t code = json_integer_value(json_object_get(root, "error_code"));
    return code > 0 && code < 1000000 ? (int)code : 0;
}

/* Will the same request work later? */
static bool may_pass(const struct http_reply *reply)
{
    return reply->end != HTTP_REPLIED || reply->status >= 500 || reply->status == 408 || reply->status == 429;
}

/* Why the registry did not do what was asked, for an operator. */
static void explain(const struct http_reply *reply, const json_t *root, const char *what, struct err *e)
{
    char said[MESSAGE_MAX];
    copy_words(json_string_value(json_object_get(root, "message")), said);
    const char *colon = said[0] != '\0' ? ": " : "";
    if (reply->end != HTTP_REPLIED)
        err_set(e, "registry: %s: %s", what, reply->words);
    else if (reply->status == 401)
        err_set(e, "registry: %s: HTTP 401, registry.username and registry.password are not accepted%s%s",
                what, colon, said);
    else if (reply->status == 403)
        err_set(e, "registry: %s: HTTP 403, the account of registry.username lacks the right to do this%s%s",
                what, colon, said);
    else if (reply->status == 409)
        err_set(e, "registry: %s: the schema is not compatible with the versions that are there%s%s", what,
                colon, said);
    else if (reply->status == 422)
        err_set(e, "registry: %s: the registry does not accept the schema%s%s", what, colon, said);
    else if (reply->status >= 300 && reply->status < 400)
        err_set(e, "registry: %s: HTTP %d sends us elsewhere; registry.url must be the registry itself", what,
                reply->status);
    else if (reply->status == 404)
        err_set(e, "registry: %s: HTTP 404, is registry.url the root of a Confluent-compatible API?%s%s",
                what, colon, said);
    else if (reply->status >= 200 && reply->status < 300)
        err_set(e, "registry: %s: HTTP %d, but the reply is not what a schema registry says", what,
                reply->status);
    else
        err_set(e, "registry: %s: HTTP %d%s%s", what, reply->status, colon, said);
}

/* RC_OK, RC_REJECT or RC_RETRY of one whole reply of HTTP 200; *s is the caller's when RC_OK. */
static enum rc read_schema(int32_t id, const json_t *root, struct schema **s, uint64_t *said, struct err *e)
{
    const json_t *type = json_object_get(root, "schemaType");
    const json_t *text = json_object_get(root, "schema");
    if (!json_is_string(text)) {
        err_set(e, "registry: schema %d: HTTP 200, but the reply is not what a schema registry says",
                (int)id);
        return RC_RETRY;
    }
    bool avro = !json_is_string(type) || strcmp(json_string_value(type), "AVRO") == 0;
    *said = XXH64(json_string_value(text), json_string_length(text), avro ? 0 : XXH64(json_string_value(type), json_string_length(type), 0));
    if (!avro) {
        err_set(e, "registry: schema %d is not an Avro schema", (int)id);
        return RC_REJECT;
    }
    enum rc rc = schema_parse(json_string_value(text), json_string_length(text), s, e);
    if (rc != RC_OK)
        err_prefix(e, "registry: schema %d", (int)id);
    return rc == RC_FATAL ? RC_RETRY : rc; /* no memory now */
}

enum rc registry_reply_schema(const struct http_reply *reply, int32_t id, struct schema **s, bool *unknown, uint64_t *said, struct err *e)
{
    enum rc rc = RC_RETRY;
    char what[40];
    json_t *root = read_object(reply);
    (void)snprintf(what, sizeof what, "schema %d", (int)id);
    *said = 0;
    *unknown = reply->end == HTTP_REPLIED && reply->status == 404 && error_code(root) / 100 == 404;
    if (reply->end == HTTP_REPLIED && reply->status == 200)
        rc = read_schema(id, root, s, said, e);
    else if (*unknown)
        err_set(e, "registry: it does not know schema %d", (int)id);
    else
        explain(reply, root, what, e);
    json_decref(root);
    return rc;
}

static int32_t read_id(const json_t *root)
{
    json_int_t id = json_integer_value(json_object_get(root, "id"));
    return id > 0 && id <= INT32_MAX ? (int32_t)id : 0;
}

/* {"is_compatible": false, "messages": ["...", ...]} */
static size_t each_reason(const json_t *root, registry_reason_fn *each, void *arg)
{
    const json_t *messages = json_object_get(root, "messages");
    size_t n = json_array_size(messages);
    for (size_t i = 0; i < n && i < REASONS_MAX; i++) {
        char said[MESSAGE_MAX];
        copy_words(json_string_value(json_array_get(messages, i)), said);
        each(arg, said);
    }
    return n;
}

size_t registry_reply_reasons(const struct http_reply *reply, registry_reason_fn *each, void *arg)
{
    json_t *root = read_object(reply);
    size_t n = each_reason(root, each, arg);
    json_decref(root);
    return n;
}

struct joined {
    char text[REASONS_ROOM];
    size_t used, reasons;
};

/* Whole reasons only; the first always has room. */
static void join(void *arg, const char *reason)
{
    struct joined *j = arg;
    size_t n = strlen(reason), separator = j->used > 0 ? 2 : 0;
    if (j->used + separator + n >= sizeof j->text)
        return;
    memcpy(j->text + j->used, "; ", separator);
    memcpy(j->text + j->used + separator, reason, n + 1);
    j->used += separator + n;
    j->reasons++;
}

static void explain_incompatible(const char *subject, size_t subject_n, const json_t *root, bool latest, struct err *e)
{
    struct joined j = {"", 0, 0};
    char more[40] = "";
    size_t n = each_reason(root, join, &j);
    if (n > j.reasons)
        (void)snprintf(more, sizeof more, "; and %zu more", n - j.reasons);
    err_set(e, "registry: subject %.*s: the schema is not compatible with the %s: %s%s", (int)subject_n, subject,
            latest ? "latest version" : "versions that are there", n > 0 ? j.text : "the registry names no reason", more);
}

enum rc registry_reply_level_now(const struct http_reply *reply, const char *subject, size_t subject_n, const char **now, const char **wanted, struct err *e)
{
    static const struct {
        const char *now, *wanted;
    } levels[] = {
        {"NONE", "BACKWARD_TRANSITIVE"},        {"BACKWARD", "BACKWARD_TRANSITIVE"}, {"BACKWARD_TRANSITIVE", NULL}, {"FORWARD", "FULL_TRANSITIVE"},
        {"FORWARD_TRANSITIVE", "FULL_TRANSITIVE"}, {"FULL", "FULL_TRANSITIVE"},       {"FULL_TRANSITIVE", NULL},
    };
    char what[300];
    bool ok = reply->end == HTTP_REPLIED && reply->status == 200;
    json_t *root = read_object(reply);
    const char *level = json_string_value(json_object_get(root, "compatibilityLevel"));
    enum rc rc = may_pass(reply) ? RC_RETRY : RC_REJECT;
    for (size_t i = 0; ok && level != NULL && i < sizeof levels / sizeof *levels; i++)
        if (strcmp(levels[i].now, level) == 0) {
            *now = levels[i].now;
            *wanted = levels[i].wanted;
            rc = RC_OK;
        }
    (void)snprintf(what, sizeof what, "compatibility level of %.*s", (int)subject_n, subject);
    if (rc != RC_OK && (ok || reply->status == 404 || reply->status == 405 || reply->status == 422))
        err_set(e, "registry: %s: HTTP %d, it cannot be read here", what, reply->status);
    else if (rc != RC_OK)
        explain(reply, root, what, e);
    json_decref(root);
    return rc;
}

enum rc registry_reply_level(const struct http_reply *reply, const char *subject, size_t subject_n, struct err *e)
{
    char what[300];
    if (reply->end == HTTP_REPLIED && reply->status >= 200 && reply->status < 300)
        return RC_OK;
    json_t *root = read_object(reply);
    (void)snprintf(what, sizeof what, "compatibility level of %.*s", (int)subject_n, subject);
    if (reply->end == HTTP_REPLIED && (reply->status == 404 || reply->status == 405 || reply->status == 422))
        err_set(e, "registry: %s: HTTP %d, it cannot be set here", what, reply->status);
    else
        explain(reply, root, what, e);
    json_decref(root);
    return may_pass(reply) ? RC_RETRY : RC_REJECT;
}

static enum registry_next judge(const struct http_reply *reply, const json_t *root, const char *subject, size_t subject_n,
                                enum registry_step *step, int32_t *id, struct err *e)
{
    enum registry_step at = *step;
    bool comparing = at == REGISTRY_COMPATIBLE || at == REGISTRY_COMPATIBLE_LATEST;
    bool ok = reply->end == HTTP_REPLIED && reply->status == 200;
    bool missing = reply->end == HTTP_REPLIED && reply->status == 404;
    bool no_such_call = reply->end == HTTP_REPLIED && reply->status == 405;
    if (ok && comparing && json_is_true(json_object_get(root, "is_compatible"))) {
        *step = REGISTRY_REGISTER;
        return REGISTRY_STEP;
    }
    if (ok && comparing && json_is_false(json_object_get(root, "is_compatible"))) {
        explain_incompatible(subject, subject_n, root, at == REGISTRY_COMPATIBLE_LATEST, e);
        return REGISTRY_FATAL;
    }
    if (ok && !comparing && (*id = read_id(root)) > 0)
        return REGISTRY_DONE;
    if (at == REGISTRY_COMPATIBLE && (missing || no_such_call)) {
        *step = REGISTRY_COMPATIBLE_LATEST;
        return REGISTRY_STEP;
    }
    if (missing && at != REGISTRY_REGISTER) { /* without a subject there is nothing to be compatible with */
        *step = at == REGISTRY_COMPATIBLE_LATEST || error_code(root) == CODE_NO_SUBJECT ? REGISTRY_REGISTER : REGISTRY_LEVEL_NOW;
        return REGISTRY_STEP;
    }
    char what[300];
    (void)snprintf(what, sizeof what, "subject %.*s", (int)subject_n, subject);
    explain(reply, root, what, e);
    return reply->status < 300 || may_pass(reply) ? REGISTRY_RETRY : REGISTRY_FATAL; /* a strange 200 or 101 may be a proxy's */
}

enum registry_next registry_reply_step(const struct http_reply *reply, const char *subject, size_t subject_n, enum registry_step *step,
                                       int32_t *id, struct err *e)
{
    json_t *root = read_object(reply);
    enum registry_next next = judge(reply, root, subject, subject_n, step, id, e);
    json_decref(root);
    return next;
}
