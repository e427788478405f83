/* A schema registry's replies. First byte: the question and how the reply ended; second: the HTTP status; the rest is the body. */
#include <string.h>

#include "common/base/utf8.h"
#include "common/kafka/registry_reply.h"
#include "tests/fuzz/fuzz.h"

enum { ASK_SCHEMA = 3, QUESTIONS = 6 };

static const enum registry_step steps[QUESTIONS] = {REGISTRY_LOOK_UP, REGISTRY_COMPATIBLE, REGISTRY_REGISTER, 0, REGISTRY_COMPATIBLE_LATEST,
                                                    REGISTRY_LEVEL};

static const int statuses[] = {200, 404, 409, 401, 403, 422, 500, 503, 301, 408, 429, 201, 0};

static void check_words(const struct err *e)
{
    FUZZ_CHECK(fuzz_words(e), "words say why, in text");
}

static void check_schema(const struct http_reply *reply)
{
    struct schema *s = NULL;
    struct err e = {""};
    bool unknown = true;
    uint64_t said;
    enum rc rc = registry_reply_schema(reply, 7, &s, &unknown, &said, &e);
    FUZZ_CHECK((rc == RC_OK) == (s != NULL), "a schema or none");
    FUZZ_CHECK(rc != RC_FATAL, "a reply does not stop the program");
    FUZZ_CHECK(!unknown || (rc == RC_RETRY && reply->status == 404), "not known is not now");
    FUZZ_CHECK(rc == RC_RETRY || (reply->end == HTTP_REPLIED && reply->status == 200), "only a whole 200 decides");
    if (rc != RC_OK)
        check_words(&e);
    schema_destroy(s);
}

static void check_step(const struct http_reply *reply, enum registry_step asked)
{
    struct err e = {""};
    enum registry_step step = asked;
    int32_t id = 0;
    enum registry_next next = registry_reply_step(reply, "xsale.orders-value", 18, &step, &id, &e);
    FUZZ_CHECK(next != REGISTRY_STEP || step > asked, "steps lead forward");
    FUZZ_CHECK(next == REGISTRY_STEP || step == asked, "or stay");
    FUZZ_CHECK((next == REGISTRY_DONE) == (id > 0), "done with an id");
    FUZZ_CHECK(reply->end == HTTP_REPLIED || next == REGISTRY_RETRY, "no reply is asked again");
    if (next == REGISTRY_RETRY || next == REGISTRY_FATAL)
        check_words(&e);
}

static void check_reason(void *arg, const char *reason)
{
    size_t *n = arg, length = strlen(reason);
    FUZZ_CHECK(++*n <= 20 && length < 300, "reasons are bounded");
    FUZZ_CHECK(utf8_check(reason, length) == length, "reasons are text");
}

static void check_level(const struct http_reply *reply)
{
    struct err e = {""};
    enum rc rc = registry_reply_level(reply, "xsale.orders-value", 18, &e);
    struct err now_e = {""};
    const char *now = NULL, *wanted = NULL;
    enum rc now_rc = registry_reply_level_now(reply, "xsale.orders-value", 18, &now, &wanted, &now_e);
    FUZZ_CHECK((now_rc == RC_OK) == (now != NULL) && now_rc != RC_FATAL, "a level that is known, or words");
    FUZZ_CHECK(now_rc == RC_RETRY || reply->end == HTTP_REPLIED, "no reply is asked again");
    if (now_rc != RC_OK)
        check_words(&now_e);
    size_t told = 0, n = registry_reply_reasons(reply, check_reason, &told);
    FUZZ_CHECK(n >= told && (n <= 20 ? n == told : told == 20), "every reason is told");
    FUZZ_CHECK(rc != RC_FATAL, "a level does not stop the program");
    FUZZ_CHECK(rc == RC_RETRY || reply->end == HTTP_REPLIED, "no reply is asked again");
    if (rc != RC_OK)
        check_words(&e);
}

void fuzz_one(const uint8_t *p, size_t n)
{
    if (n < 2)
        return;
    char *body = malloc(n - 1); /* two bytes less, and the zero behind */
    FUZZ_CHECK(body != NULL, "memory");
    memcpy(body, p + 2, n - 2);
    body[n - 2] = '\0';
    struct http_reply reply = {.end = p[0] & 0x80 ? HTTP_AMBIGUOUS : HTTP_REPLIED,
                               .status = statuses[p[1] % (sizeof statuses / sizeof statuses[0])],
                               .body = body,
                               .body_n = n - 2,
                               .retry_after_ms = -1,
                               .location = "",
                               .content_type = "",
                               .words = "HTTP"};
    size_t question = (p[0] & 0x7F) % QUESTIONS;
    if (question == ASK_SCHEMA)
        check_schema(&reply);
    else if (steps[question] == REGISTRY_LEVEL)
        check_level(&reply);
    else
        check_step(&reply, steps[question]);
    free(body);
}
