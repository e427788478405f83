#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/kafka/registry.h"
#include "tests/unit/scripted_server.h"

#define JSON(status, length, body)                                                                           \
    "HTTP/1.1 " status "\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: " length \
    "\r\n\r\n" body
#define NO_SUBJECT   JSON("404 Not Found", "50", "{\"error_code\":40401,\"message\":\"Subject not found\"}")
#define NO_SCHEMA    JSON("404 Not Found", "49", "{\"error_code\":40403,\"message\":\"Schema not found\"}")
#define ID_7         JSON("200 OK", "8", "{\"id\":7}")
#define COMPATIBLE   JSON("200 OK", "22", "{\"is_compatible\":true}")
#define INCOMPATIBLE JSON("200 OK", "78", "{\"is_compatible\":false,\"messages\":[\"field a was removed\",\"field b was added\"]}")
#define NO_REASON    JSON("200 OK", "23", "{\"is_compatible\":false}")
#define LONG_SCHEMA  JSON("200 OK", "21", "{\"schema\":\"\\\"long\\\"\"}")
#define LEVEL_NOW    JSON("200 OK", "33", "{\"compatibilityLevel\":\"BACKWARD\"}")
#define LEVEL_SET    JSON("200 OK", "39", "{\"compatibility\":\"BACKWARD_TRANSITIVE\"}")
#define NO_CALL      "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"
#define NOT_FOUND    "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
#define BUSY         "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

static const char record[] =
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}";

struct got {
    int calls;
    enum rc rc;
    int32_t id;
    const struct schema *schema;
    char words[600];
};

enum { PATIENCE_MS = 60000 }; /* a busy machine keeps everything waiting for seconds */

struct world {
    const char *timeout; /* registry.timeout; NULL: one that no test reaches */
    bool bearer; /* a token instead of user name and password */
    int64_t skipped_ms; /* the clock runs ahead by this */
    struct clock clock;
    struct loop *loop;
    struct log *log;
    FILE *log_file;
    char logged[20000];
    struct config *config;
    struct health *health;
    struct registry *registry;
    struct scripted_server *server;
    struct schema *schema;
    struct err e;
    struct got got[4];
};

static int64_t mono(void *arg)
{
    const struct world *w = arg;
    return clock_mono(clock_system()) + w->skipped_ms;
}

static int64_t wall(void *arg)
{
    const struct world *w = arg;
    return clock_wall(clock_system()) + w->skipped_ms;
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.clock = (struct clock){wall, mono, &w};
    w.loop = loop_create(&w.clock, &w.e);
    w.health = health_create(&w.clock, NULL);
    w.log_file = tmpfile();
    w.log = w.log_file != NULL ? log_create("test", fileno(w.log_file), &w.clock) : NULL;
    *state = &w;
    return w.loop != NULL && w.health != NULL && w.log != NULL &&
                   schema_parse(record, strlen(record), &w.schema, &w.e) == RC_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    registry_destroy(w->registry);
    loop_destroy(w->loop);
    health_destroy(w->health);
    log_destroy(w->log);
    (void)fclose(w->log_file);
    config_destroy(w->config);
    schema_destroy(w->schema);
    script_stop(w->server);
    return 0;
}

/* How many lines of the log hold the text? */
static int logged(struct world *w, const char *text)
{
    ssize_t n = pread(fileno(w->log_file), w->logged, sizeof w->logged - 1, 0);
    int found = 0;
    assert_true(n >= 0);
    w->logged[n] = '\0';
    for (const char *at = w->logged; (at = strstr(at, text)) != NULL; at += strlen(text))
        found++;
    return found;
}

static void create(struct world *w, const char *url)
{
    const char *overrides[] = {url, w->timeout != NULL ? w->timeout : "registry.timeout=40s", w->bearer ? "registry.token=t0ken" : "registry.username=u", "registry.password=p"};
    struct config_source source = {.overrides = overrides, .overrides_n = w->bearer ? 3 : 4};
    struct config_problems problems = {.count = 0};
    buf_init(&problems.text, 10000);
    enum rc rc = config_load(&source, &w->config, &problems);
    if (rc != RC_OK)
        print_error("%.*s\n", (int)problems.text.n, (const char *)problems.text.p);
    buf_release(&problems.text);
    assert_int_equal(rc, RC_OK);
    assert_int_equal(registry_create(w->loop, w->config, w->log, w->health, &w->registry, &w->e), RC_OK);
}

static void begin(struct world *w, const struct script_row *rows, size_t rows_n)
{
    char url[80];
    w->server = rows_n > 0 ? script_start(rows, rows_n) : NULL;
    (void)snprintf(url, sizeof url, "registry.url=http://127.0.0.1:%d/base/",
                   rows_n > 0 ? w->server->port : script_dead_port());
    create(w, url);
    assert_false(health_ready(w->health));
}

static void on_id(void *arg, enum rc rc, int32_t id, const char *words)
{
    struct got *g = arg;
    g->calls++;
    g->rc = rc;
    g->id = id;
    (void)snprintf(g->words, sizeof g->words, "%s", words);
}

static void on_schema(void *arg, enum rc rc, const struct schema *s, const char *words)
{
    struct got *g = arg;
    on_id(arg, rc, 0, words);
    g->schema = s;
}

static void wait_calls(struct world *w, struct got *g, int calls)
{
    int64_t end = clock_mono(clock_system()) + PATIENCE_MS;
    while (g->calls < calls && clock_mono(clock_system()) < end)
        loop_turn(w->loop, 50);
    assert_int_equal(g->calls, calls);
}

/* Until /readyz says so of the registry. */
static void wait_told(struct world *w, const char *text)
{
    char words[600] = "";
    int64_t end = clock_mono(clock_system()) + PATIENCE_MS;
    while (strstr(words, text) == NULL && clock_mono(clock_system()) < end) {
        loop_turn(w->loop, 20);
        health_summary(w->health, words, sizeof words);
    }
    if (strstr(words, text) == NULL)
        fail_msg("\"%s\" is not said: %s", text, words);
}

static struct got *register_with(struct world *w, const struct script_row *rows, size_t rows_n)
{
    begin(w, rows, rows_n);
    assert_int_equal(registry_register(w->registry, "xsale.orders", w->schema, on_id, &w->got[0], &w->e),
                     RC_OK);
    assert_int_equal(w->got[0].calls, 0);
    wait_calls(w, &w->got[0], 1);
    return &w->got[0];
}

static struct got *fetch_with(struct world *w, const char *reply)
{
    begin(w, &(struct script_row){reply, SCRIPT_KEEP}, 1);
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, &w->got[0], &w->e), RC_OK);
    assert_int_equal(w->got[0].calls, 0);
    wait_calls(w, &w->got[0], 1);
    return &w->got[0];
}

static void a_known_schema_is_looked_up_and_not_registered(void **state)
{
    struct world *w = *state;
    struct got *g = register_with(w, &(struct script_row){ID_7, SCRIPT_KEEP}, 1);
    assert_int_equal(g->rc, RC_OK);
    assert_int_equal(g->id, 7);
    assert_int_equal(script_requests(w->server), 1);
    const char *sent = w->server->requests[0];
    assert_ptr_equal(strstr(sent, "POST /base/subjects/xsale.orders-value HTTP/1.1\r\n"), sent);
    assert_non_null(strstr(sent, "Content-Type: application/vnd.schemaregistry.v1+json\r\n"));
    assert_non_null(strstr(sent, "Accept: application/vnd.schemaregistry.v1+json\r\n"));
    assert_non_null(strstr(sent, "Authorization: Basic dTpw\r\n"));
    assert_non_null(strstr(sent, "\r\n\r\n{\"schema\":\"{\\\"type\\\":\\\"record\\\""));
    assert_true(health_ready(w->health));
    assert_non_null(registry_cached(w->registry, 7));
    assert_string_equal(schema_text(registry_cached(w->registry, 7)), record);
    assert_ptr_not_equal(registry_cached(w->registry, 7), w->schema);
}

static void expect_request(struct world *w, size_t at, const char *line)
{
    assert_true(script_requests(w->server) > at);
    if (strstr(w->server->requests[at], line) != w->server->requests[at])
        fail_msg("request %zu is no %s:\n%s", at, line, w->server->requests[at]);
}

#define LOOK_UP_LINE    "POST /base/subjects/xsale.orders-value HTTP/1.1\r\n"
#define LEVEL_NOW_LINE  "GET /base/config/xsale.orders-value?defaultToGlobal=true HTTP/1.1\r\n"
#define LEVEL_LINE      "PUT /base/config/xsale.orders-value HTTP/1.1\r\n"
#define COMPATIBLE_LINE "POST /base/compatibility/subjects/xsale.orders-value/versions?verbose=true HTTP/1.1\r\n"
#define LATEST_LINE     "POST /base/compatibility/subjects/xsale.orders-value/versions/latest?verbose=true HTTP/1.1\r\n"
#define REGISTER_LINE   "POST /base/subjects/xsale.orders-value/versions HTTP/1.1\r\n"

static void a_first_schema_is_registered_without_a_comparison_and_then_the_level_is_set(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{NO_SUBJECT, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}};
    struct got *g = register_with(w, rows, 4);
    assert_int_equal(g->rc, RC_OK);
    assert_int_equal(g->id, 7);
    assert_int_equal(script_requests(w->server), 4);
    expect_request(w, 1, REGISTER_LINE);
    expect_request(w, 2, LEVEL_NOW_LINE);
    expect_request(w, 3, LEVEL_LINE);
    assert_non_null(strstr(w->server->requests[3], "\r\n\r\n{\"compatibility\":\"BACKWARD_TRANSITIVE\"}"));
    assert_non_null(strstr(w->server->requests[3], "Authorization: Basic dTpw\r\n"));
    assert_int_equal(logged(w, "compatibility level set"), 1);
    assert_int_equal(logged(w, "not set"), 0);
    assert_true(health_ready(w->health));
}

static void a_new_version_is_compared_with_all_under_the_level_before_it_is_registered(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {
        {NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
    struct got *g = register_with(w, rows, 5);
    assert_int_equal(g->id, 7);
    assert_int_equal(script_requests(w->server), 5);
    expect_request(w, 0, LOOK_UP_LINE);
    expect_request(w, 1, LEVEL_NOW_LINE);
    expect_request(w, 2, LEVEL_LINE);
    expect_request(w, 3, COMPATIBLE_LINE);
    expect_request(w, 4, REGISTER_LINE);
    assert_non_null(strstr(w->server->requests[3], "\r\n\r\n{\"schema\":\"{\\\"type\\\":\\\"record\\\""));
}

static void a_registry_that_compares_with_one_version_only_is_asked_for_the_latest(void **state)
{
    static const char *const missing[] = {NOT_FOUND, NO_CALL};
    struct world *w = *state;
    for (size_t i = 0; i < 2; i++) {
        const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {missing[i], SCRIPT_KEEP},
                                          {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
        struct got *g = register_with(w, rows, 6);
        assert_int_equal(g->id, 7);
        assert_int_equal(script_requests(w->server), 6);
        expect_request(w, 4, LATEST_LINE);
        expect_request(w, 5, REGISTER_LINE);
        if (i == 0) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
}

static void a_level_that_cannot_be_set_is_told_once_and_does_not_stop(void **state)
{
    static const char *const refusals[] = {JSON("403 Forbidden", "0", ""), NOT_FOUND, NO_CALL,
                                           JSON("422 No", "45", "{\"error_code\":42203,\"message\":\"Invalid level\"}")};
    struct world *w = *state;
    for (size_t i = 0; i < 8; i++) {
        const char *refusal = refusals[i / 2];
        const struct script_row first[] = {{NO_SUBJECT, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {refusal, SCRIPT_KEEP}};
        const struct script_row later[] = {{NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {refusal, SCRIPT_KEEP}, {COMPATIBLE, SCRIPT_KEEP},
                                           {ID_7, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {refusal, SCRIPT_KEEP}};
        bool again = i % 2 == 1 && refusal == refusals[1]; /* the subject may have been missing only */
        struct got *g = i % 2 == 0 ? register_with(w, first, 4) : register_with(w, later, 7);
        assert_int_equal(g->rc, RC_OK);
        assert_int_equal(g->id, 7);
        assert_int_equal(script_requests(w->server), i % 2 == 0 ? 4 : again ? 7 : 5);
        assert_int_equal(logged(w, "compatibility level not set"), 1);
        assert_int_equal(logged(w, i / 2 == 0 ? "HTTP 403" : "it cannot be set here"), 1);
        assert_true(health_ready(w->health));
        if (i < 7) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
}

static void a_level_is_never_lowered(void **state)
{
    static const struct {
        const char *now, *set; /* set NULL: kept */
    } levels[] = {{"BACKWARD_TRANSITIVE", NULL}, {"FULL_TRANSITIVE", NULL}, {"NONE", "BACKWARD_TRANSITIVE"}, {"FULL", "FULL_TRANSITIVE"},
                  {"FORWARD", "FULL_TRANSITIVE"}, {"FORWARD_TRANSITIVE", "FULL_TRANSITIVE"}};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        char now[200], wanted[80];
        (void)snprintf(now, sizeof now, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n{\"compatibilityLevel\":\"%s\"}", 25 + strlen(levels[i].now), levels[i].now);
        const struct script_row kept[] = {{NO_SCHEMA, SCRIPT_KEEP}, {now, SCRIPT_KEEP}, {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
        const struct script_row set[] = {{NO_SCHEMA, SCRIPT_KEEP}, {now, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
        struct got *g = levels[i].set == NULL ? register_with(w, kept, 4) : register_with(w, set, 5);
        assert_int_equal(g->id, 7);
        assert_int_equal(script_requests(w->server), levels[i].set == NULL ? 4 : 5);
        assert_int_equal(logged(w, "compatibility level kept"), levels[i].set == NULL);
        (void)snprintf(wanted, sizeof wanted, "{\"compatibility\":\"%s\"}", levels[i].set != NULL ? levels[i].set : "");
        if (levels[i].set != NULL)
            assert_non_null(strstr(w->server->requests[2], wanted));
        if (i + 1 < sizeof levels / sizeof *levels) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
}

static void a_subject_without_a_level_has_the_registrys(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP},  {JSON("404 No", "20", "{\"error_code\":40408}"), SCRIPT_KEEP},
                                      {JSON("200 OK", "40", "{\"compatibilityLevel\":\"FULL_TRANSITIVE\"}"), SCRIPT_KEEP},
                                      {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
    struct got *g = register_with(w, rows, 5);
    assert_int_equal(g->id, 7);
    expect_request(w, 1, LEVEL_NOW_LINE);
    expect_request(w, 2, "GET /base/config HTTP/1.1\r\n");
    expect_request(w, 3, COMPATIBLE_LINE);
    assert_int_equal(logged(w, "compatibility level kept"), 1);
}

static void a_level_that_cannot_be_read_is_not_set(void **state)
{
    static const char *const replies[] = {JSON("403 Forbidden", "0", ""), NO_CALL, JSON("200 OK", "28", "{\"compatibilityLevel\":\"ODD\"}"), LONG_SCHEMA};
    struct world *w = *state;
    for (size_t i = 0; i < 4; i++) {
        const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {replies[i], SCRIPT_KEEP}, {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
        struct got *g = register_with(w, rows, 4);
        assert_int_equal(g->id, 7);
        assert_int_equal(script_requests(w->server), 4);
        assert_int_equal(logged(w, "compatibility level not set"), 1);
        assert_int_equal(logged(w, i == 0 ? "HTTP 403" : "it cannot be read here"), 1);
        if (i < 3) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
}

static void turn_until(struct world *w, const struct got *g, int64_t skip_ms)
{
    int64_t end = clock_mono(clock_system()) + PATIENCE_MS;
    while (g->calls == 0 && clock_mono(clock_system()) < end) {
        loop_turn(w->loop, 20);
        w->skipped_ms += skip_ms;
    }
    assert_int_equal(g->calls, 1);
}

static void a_level_that_fails_is_tried_three_times(void **state)
{
    struct world *w = *state;
    const struct script_row first[] = {{NO_SUBJECT, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}, {BUSY, SCRIPT_KEEP}};
    begin(w, first, 3);
    assert_int_equal(registry_register(w->registry, "xsale.orders", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    turn_until(w, &w->got[0], 400);
    assert_int_equal(w->got[0].id, 7);
    assert_int_equal(script_requests(w->server), 5); /* registered once only */
    expect_request(w, 3, LEVEL_NOW_LINE);
    expect_request(w, 4, LEVEL_NOW_LINE);
    assert_int_equal(logged(w, "compatibility level not set"), 1);
    assert_true(health_ready(w->health));

    (void)teardown(state);
    assert_int_equal(setup(state), 0);
    const struct script_row later[] = {{NO_SCHEMA, SCRIPT_KEEP}, {BUSY, SCRIPT_KEEP}, {NO_SCHEMA, SCRIPT_KEEP}, {BUSY, SCRIPT_KEEP},
                                       {NO_SCHEMA, SCRIPT_KEEP}, {BUSY, SCRIPT_KEEP}, {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
    begin(w, later, 8);
    assert_int_equal(registry_register(w->registry, "xsale.orders", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    turn_until(w, &w->got[0], 400);
    assert_int_equal(w->got[0].id, 7);
    assert_int_equal(script_requests(w->server), 8);
    assert_int_equal(logged(w, "compatibility level not set"), 1);
}

static void a_schema_registered_under_a_lost_reply_gets_its_level_too(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{NO_SUBJECT, SCRIPT_KEEP}, {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"id\":7", SCRIPT_CLOSE},
                                      {ID_7, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}};
    begin(w, rows, 5);
    assert_int_equal(registry_register(w->registry, "xsale.orders", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    turn_until(w, &w->got[0], 400);
    assert_int_equal(w->got[0].id, 7);
    assert_int_equal(script_requests(w->server), 5);
    expect_request(w, 2, LOOK_UP_LINE);
    expect_request(w, 4, LEVEL_LINE);
}

static void an_incompatible_schema_is_not_registered(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {INCOMPATIBLE, SCRIPT_KEEP}};
    struct got *g = register_with(w, rows, 4);
    assert_int_equal(g->rc, RC_FATAL);
    assert_non_null(strstr(g->words, "versions that are there: field a was removed; field b was added"));
    assert_int_equal(logged(w, "reason=\"field a was removed\""), 1);
    assert_int_equal(logged(w, "reason=\"field b was added\""), 1);
    assert_int_equal(script_requests(w->server), 4);
    assert_false(health_ready(w->health));
}

static void reasons_are_bounded_and_counted(void **state)
{
    struct world *w = *state;
    char body[30000] = "", reply[31000];
    size_t n = (size_t)snprintf(body, sizeof body, "{\"is_compatible\":false,\"messages\":[\"first\\nline\",7");
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, ",\"%0500d\"", i);
    n += (size_t)snprintf(body + n, sizeof body - n, "]}");
    (void)snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", n, body);
    const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {NOT_FOUND, SCRIPT_KEEP}, {reply, SCRIPT_KEEP}};
    struct got *g = register_with(w, rows, 5);
    assert_int_equal(g->rc, RC_FATAL);
    assert_non_null(strstr(g->words, "latest version: first line; "));
    assert_non_null(strstr(g->words, " more"));
    assert_int_equal(logged(w, "schema not compatible"), 20);
}

static void a_reason_that_only_the_refusal_to_register_names_is_told(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {NO_REASON, SCRIPT_KEEP},
                                      {JSON("409 No", "45", "{\"error_code\":409,\"message\":\"b at /fields/1\"}"), SCRIPT_KEEP}};
    struct got *g = register_with(w, rows, 5);
    assert_int_equal(g->rc, RC_FATAL);
    assert_int_equal(script_requests(w->server), 5);
    expect_request(w, 4, REGISTER_LINE);
    assert_non_null(strstr(g->words, "versions that are there: b at /fields/1"));
    assert_false(health_ready(w->health));
}

static void an_incompatible_schema_stays_so_whatever_follows(void **state)
{
    static const char *const then[] = {ID_7, BUSY, NOT_FOUND, JSON("403 Forbidden", "0", "")};
    struct world *w = *state;
    for (size_t i = 0; i < 4; i++) {
        const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {NO_REASON, SCRIPT_KEEP}, {then[i], SCRIPT_KEEP}};
        struct got *g = register_with(w, rows, 5);
        assert_int_equal(g->rc, RC_FATAL);
        assert_int_equal(script_requests(w->server), 5);
        assert_non_null(strstr(g->words, "the registry names no reason"));
        assert_null(registry_cached(w->registry, 7));
        if (i < 3) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
}

static void an_incompatible_schema_is_not_offered_where_the_level_is_not_ours(void **state)
{
    static const char *const bodies[] = {NO_REASON, JSON("200 OK", "37", "{\"is_compatible\":false,\"messages\":[]}"),
                                         JSON("200 OK", "38", "{\"is_compatible\":false,\"messages\":\"a\"}")};
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++) {
        const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {NO_CALL, SCRIPT_KEEP}, {bodies[i], SCRIPT_KEEP}};
        struct got *g = register_with(w, rows, 3);
        assert_int_equal(g->rc, RC_FATAL);
        assert_int_equal(script_requests(w->server), 3);
        assert_non_null(strstr(g->words, "the registry names no reason"));
        if (i < 2) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
}

static void a_level_is_set_once_however_often_the_rest_is_tried(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{NO_SCHEMA, SCRIPT_KEEP}, {LEVEL_NOW, SCRIPT_KEEP}, {LEVEL_SET, SCRIPT_KEEP}, {BUSY, SCRIPT_KEEP}, {NO_SCHEMA, SCRIPT_KEEP},
                                      {COMPATIBLE, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
    begin(w, rows, 7);
    assert_int_equal(registry_register(w->registry, "xsale.orders", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    turn_until(w, &w->got[0], 400);
    assert_int_equal(w->got[0].id, 7);
    assert_int_equal(script_requests(w->server), 7);
    expect_request(w, 5, COMPATIBLE_LINE);
}

static void a_refusal_is_final_and_explained(void **state)
{
    static const struct {
        const char *reply, *words;
    } rows[] = {
        {JSON("401 Unauthorized", "0", ""), "registry.password"},
        {JSON("403 Forbidden", "0", ""), "right"},
        {JSON("409 Conflict", "44", "{\"error_code\":409,\"message\":\"incompatible!\"}"), "incompatible!"},
        {JSON("422 Unprocessable", "44", "{\"error_code\":42201,\"message\":\"bad default\"}"),
         "bad default"},
        {"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", "registry.url"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct got *g = register_with(w, &(struct script_row){rows[i].reply, SCRIPT_KEEP}, 1);
        assert_int_equal(g->rc, RC_FATAL);
        assert_non_null(strstr(g->words, rows[i].words));
        assert_null(strstr(g->words, "\n"));
        if (i + 1 < sizeof rows / sizeof rows[0]) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
    }
}

static void a_bearer_token_is_sent_instead_of_a_password(void **state)
{
    static const struct script_row row = {JSON("200 OK", "20", "{\"schema\":\"\\\"int\\\"\"}"), SCRIPT_KEEP};
    struct world *w = *state;
    w->bearer = true;
    begin(w, &row, 1);
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, &w->got[0], &w->e), RC_OK);
    wait_calls(w, &w->got[0], 1);
    assert_int_equal(w->got[0].rc, RC_OK);
    assert_non_null(strstr(w->server->requests[0], "Authorization: Bearer t0ken\r\n"));
    assert_null(strstr(w->server->requests[0], "Basic"));
    assert_int_equal(logged(w, "t0ken"), 0);
}

static void a_wrong_root_is_recognised_by_endless_404(void **state)
{
    struct got *g = register_with(
        *state, &(struct script_row){"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\n<p/>", SCRIPT_KEEP}, 1);
    assert_int_equal(g->rc, RC_FATAL);
    assert_non_null(strstr(g->words, "registry.url"));
}

static void an_absent_registry_is_waited_for(void **state)
{
    struct world *w = *state;
    begin(w, NULL, 0);
    assert_int_equal(registry_register(w->registry, "t", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    wait_told(w, "connect");
    for (int i = 0; i < 20; i++) {
        loop_turn(w->loop, 10);
        w->skipped_ms += 31000;
    }
    assert_int_equal(w->got[0].calls, 0);
    struct buf b;
    buf_init(&b, 10000);
    health_print(w->health, &b);
    assert_non_null(strstr(buf_text(&b), "connect"));
    assert_non_null(strstr(buf_text(&b), "tries again"));
    buf_release(&b);
}

static void what_may_pass_is_tried_again_from_the_look_up(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {
        {BUSY, SCRIPT_KEEP},
        {NO_SUBJECT, SCRIPT_KEEP},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"id\":7",
         SCRIPT_CLOSE}, /* registered, but the reply was cut */
        {JSON("200 OK", "15", "<html>hi</html>"), SCRIPT_KEEP},
        {"HTTP/1.1 204 Nothing\r\n\r\n", SCRIPT_KEEP},
        {JSON("200 OK", "8", "{\"id\":0}"), SCRIPT_KEEP},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", SCRIPT_CLOSE},
        {ID_7, SCRIPT_KEEP},
    };
    static const char *const told[] = {"HTTP 503", "remaining to read", "HTTP 200", "HTTP 204", "HTTP 200", "Empty reply"};
    begin(w, rows, 8);
    assert_int_equal(registry_register(w->registry, "t", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        wait_told(w, told[i]);
        assert_int_equal(script_requests(w->server), i == 0 ? 1 : i + 2);
        assert_int_equal(w->got[0].calls, 0);
        assert_false(health_ready(w->health));
        w->skipped_ms += 31000;
    }
    wait_calls(w, &w->got[0], 1);
    assert_int_equal(w->got[0].rc, RC_OK);
    assert_int_equal(w->got[0].id, 7);
    assert_true(health_ready(w->health));
    assert_non_null(strstr(w->server->requests[3], "POST /base/subjects/t-value HTTP"));
}

static void a_registry_that_does_not_answer_is_tried_again(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{NULL, SCRIPT_KEEP}, {ID_7, SCRIPT_KEEP}};
    w->timeout = "registry.timeout=500ms";
    begin(w, rows, 2);
    assert_int_equal(registry_register(w->registry, "t", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    wait_told(w, "timed out");
    assert_int_equal(w->got[0].calls, 0);
    turn_until(w, &w->got[0], 400);
    assert_int_equal(w->got[0].id, 7);
    assert_true(health_ready(w->health));
}

static void retry_after_is_obeyed(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {
        {"HTTP/1.1 429 Slow\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n", SCRIPT_KEEP},
        {ID_7, SCRIPT_KEEP}};
    begin(w, rows, 2);
    assert_int_equal(registry_register(w->registry, "t", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    wait_told(w, "HTTP 429");
    w->skipped_ms += 95000;
    int64_t end = clock_mono(clock_system()) + 150;
    while (clock_mono(clock_system()) < end)
        loop_turn(w->loop, 20);
    assert_int_equal(script_requests(w->server), 1);
    w->skipped_ms += 6000;
    wait_calls(w, &w->got[0], 1);
}

static void a_schema_is_fetched_once_and_kept(void **state)
{
    struct world *w = *state;
    begin(w, &(struct script_row){LONG_SCHEMA, SCRIPT_DELAY}, 1);
    assert_null(registry_cached(w->registry, 42));
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, &w->got[0], &w->e), RC_OK);
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, &w->got[1], &w->e), RC_OK);
    wait_calls(w, &w->got[0], 1);
    wait_calls(w, &w->got[1], 1);
    assert_int_equal(w->got[0].rc, RC_OK);
    assert_int_equal(schema_root(w->got[0].schema)->kind, SCHEMA_LONG);
    assert_ptr_equal(w->got[0].schema, w->got[1].schema);
    assert_ptr_equal(registry_cached(w->registry, 42), w->got[0].schema);
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, &w->got[2], &w->e), RC_OK);
    assert_int_equal(w->got[2].calls, 0);
    wait_calls(w, &w->got[2], 1);
    assert_ptr_equal(w->got[2].schema, w->got[0].schema);
    assert_int_equal(script_requests(w->server), 2); /* heard twice, asked for once */
    const char *sent = w->server->requests[0];
    assert_ptr_equal(strstr(sent, "GET /base/schemas/ids/42 HTTP/1.1\r\n"), sent);
    assert_true(health_ready(w->health));
}

static void a_schema_that_the_registry_says_once_is_not_believed(void **state)
{
    static const char said_int[] = JSON("200 OK", "20", "{\"schema\":\"\\\"int\\\"\"}"), no_avro[] = JSON("200 OK", "45", "{\"schema\":\"\\\"long\\\"\",\"schemaType\":\"PROTOBUF\"}");
    const char *const pairs[][2] = {{said_int, LONG_SCHEMA}, {LONG_SCHEMA, no_avro}, {no_avro, LONG_SCHEMA}, {JSON("200 OK", "14", "{\"schema\":\"[\"}"), no_avro}, {LONG_SCHEMA, BUSY}};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct script_row rows[] = {{pairs[i][0], SCRIPT_KEEP}, {pairs[i][1], SCRIPT_KEEP}, {LONG_SCHEMA, SCRIPT_KEEP}};
        struct got *g = &w->got[0];
        begin(w, rows, 3);
        assert_int_equal(registry_fetch(w->registry, 42, on_schema, g, &w->e), RC_OK);
        wait_calls(w, g, 1);
        assert_int_equal(g->rc, RC_RETRY);
        assert_non_null(strstr(g->words, i < 4 ? "schema 42: two answers in a row are not the same" : "HTTP 503"));
        assert_null(registry_cached(w->registry, 42));
        assert_false(health_ready(w->health));
        assert_int_equal(registry_fetch(w->registry, 42, on_schema, g, &w->e), RC_OK);
        wait_calls(w, g, 2);
        assert_int_equal(g->rc, RC_OK);
        assert_int_equal(schema_root(g->schema)->kind, SCHEMA_LONG);
        assert_int_equal(script_requests(w->server), 4);
        assert_true(health_ready(w->health));
        (void)teardown(state);
        assert_int_equal(setup(state), 0);
    }
}

static void an_id_that_became_another_schema_is_seen_when_it_is_fetched_afresh(void **state)
{
    struct world *w = *state;
    const struct script_row rows[] = {{LONG_SCHEMA, SCRIPT_KEEP}, {LONG_SCHEMA, SCRIPT_KEEP}, {LONG_SCHEMA, SCRIPT_KEEP}, {LONG_SCHEMA, SCRIPT_KEEP}, {NO_SCHEMA, SCRIPT_KEEP},
                                      {JSON("200 OK", "20", "{\"schema\":\"\\\"int\\\"\"}"), SCRIPT_DELAY}};
    begin(w, rows, 6);
    struct got *g = &w->got[0];
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, g, &w->e), RC_OK);
    assert_int_equal(registry_refetch(w->registry, 42, on_schema, g, &w->e), RC_RETRY); /* not while that is under way */
    wait_calls(w, g, 1);
    const struct schema *first = g->schema;
    assert_int_equal(registry_refetch(w->registry, 42, on_schema, g, &w->e), RC_OK);
    wait_calls(w, g, 2);
    assert_ptr_equal(g->schema, first);
    assert_int_equal(registry_refetch(w->registry, 42, on_schema, g, &w->e), RC_OK); /* forgotten by the registry, not by us */
    wait_calls(w, g, 3);
    assert_int_equal(g->rc, RC_RETRY);
    assert_ptr_equal(registry_cached(w->registry, 42), first);
    assert_int_equal(registry_refetch(w->registry, 42, on_schema, g, &w->e), RC_OK);
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, &w->got[1], &w->e), RC_OK); /* shares it */
    wait_calls(w, g, 4);
    assert_int_equal(g->rc, RC_OK);
    assert_int_equal(schema_root(g->schema)->kind, SCHEMA_INT);
    assert_ptr_equal(w->got[1].schema, g->schema);
    assert_ptr_equal(registry_cached(w->registry, 42), g->schema);
    assert_int_equal(schema_root(first)->kind, SCHEMA_LONG); /* still borrowed */
    assert_int_equal(script_requests(w->server), 7);
}

static void an_id_that_the_registry_does_not_know_is_asked_again_each_time(void **state)
{
    struct world *w = *state;
    struct got *g = fetch_with(w, NO_SCHEMA);
    assert_int_equal(g->rc, RC_RETRY);
    assert_null(g->schema);
    assert_non_null(strstr(g->words, "does not know schema 42"));
    assert_true(health_ready(w->health));
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, g, &w->e), RC_OK);
    wait_calls(w, g, 2);
    assert_int_equal(script_requests(w->server), 2);
}

static void a_registry_that_is_away_is_told_at_once(void **state)
{
    struct world *w = *state;
    begin(w, NULL, 0);
    assert_int_equal(registry_fetch(w->registry, 42, on_schema, &w->got[0], &w->e), RC_OK);
    wait_calls(w, &w->got[0], 1);
    assert_int_equal(w->got[0].rc, RC_RETRY);
    assert_false(health_ready(w->health));
}

static void a_fetch_that_fails_caches_nothing(void **state)
{
    static const char *const replies[] = {
        BUSY,
        JSON("401 Unauthorized", "0", ""),
        JSON("200 OK", "4", "null"),
        JSON("200 OK", "12", "{\"schema\":1}"),
        JSON("200 OK", "7", "garbage"),
        "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\n<p/>",
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct got *g = fetch_with(w, replies[i]);
        assert_int_equal(g->rc, RC_RETRY);
        assert_true(g->words[0] != '\0');
        assert_null(registry_cached(w->registry, 42));
        assert_false(health_ready(w->health));
        (void)teardown(state);
        assert_int_equal(setup(state), 0);
    }
}

static void what_is_no_avro_schema_rejects(void **state)
{
    static const char *const replies[] = {
        JSON("200 OK", "45", "{\"schema\":\"\\\"long\\\"\",\"schemaType\":\"PROTOBUF\"}"),
        JSON("200 OK", "23", "{\"schema\":\"{\\\"type\\\":\"}"),
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct got *g = fetch_with(w, replies[i]);
        assert_int_equal(g->rc, RC_REJECT);
        assert_non_null(strstr(g->words, "schema 42"));
        assert_null(registry_cached(w->registry, 42));
        assert_true(health_ready(w->health));
        (void)teardown(state);
        assert_int_equal(setup(state), 0);
    }
}

static void create_local(struct world *w)
{
    create(w, "registry.url=");
    assert_true(health_ready(w->health));
    struct buf b;
    buf_init(&b, 10000);
    health_print(w->health, &b);
    assert_non_null(strstr(buf_text(&b), "registry.url is empty: fixed local schema ids, for trials only"));
    buf_release(&b);
    assert_int_equal(logged(w, "registry.url is empty: fixed local schema ids, for trials only"), 1);
}

static void without_a_registry_ids_come_from_a_fixed_table(void **state)
{
    static const char *const topics[] = {"a.b.orders", "xsale.order-state", "xsale.order-outcomes", "xsale.order-status"};
    struct world *w = *state;
    create_local(w);
    for (int32_t i = 0; i < 4; i++) {
        struct got *g = &w->got[i];
        assert_int_equal(registry_register(w->registry, topics[i], w->schema, on_id, g, &w->e), RC_OK);
        assert_int_equal(g->calls, 0);
        wait_calls(w, g, 1);
        assert_int_equal(g->rc, RC_OK);
        assert_int_equal(g->id, i + 1);
        assert_string_equal(schema_text(registry_cached(w->registry, i + 1)), record);
    }
    assert_int_equal(registry_register(w->registry, "xsale.orders-dlq", w->schema, on_id, &w->got[0], &w->e), RC_FATAL);
    assert_non_null(strstr(w->e.text, "no local schema id for topic xsale.orders-dlq"));
    assert_int_equal(registry_register(w->registry, "orders", w->schema, on_id, &w->got[0], &w->e), RC_FATAL);
    assert_int_equal(registry_register(w->registry, "xsale.orders", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    wait_calls(w, &w->got[0], 2);
    assert_true(health_ready(w->health));
}

static void without_a_registry_an_id_is_the_registered_schema_or_the_one_built_in(void **state)
{
    static const char *const names[] = {"Order", "OrderState", "OrderOutcome", "OrderStatus"};
    struct world *w = *state;
    create_local(w);
    assert_int_equal(registry_register(w->registry, "xsale.orders", w->schema, on_id, &w->got[0], &w->e), RC_OK);
    for (int32_t i = 0; i < 4; i++) { /* the first before its registration was even answered */
        struct got g = {.calls = 0};
        if (i > 0)
            assert_null(registry_cached(w->registry, i + 1));
        assert_int_equal(registry_fetch(w->registry, i + 1, on_schema, &g, &w->e), RC_OK);
        assert_int_equal(g.calls, 0);
        wait_calls(w, &g, 1);
        assert_int_equal(g.rc, RC_OK);
        assert_string_equal(schema_text(g.schema), i == 0 ? record : schema_builtin(names[i]));
        assert_ptr_equal(registry_cached(w->registry, i + 1), g.schema);
    }
    wait_calls(w, &w->got[0], 1);
    struct got g = {.calls = 0};
    assert_int_equal(registry_register(w->registry, "xsale.order-status", w->schema, on_id, &g, &w->e), RC_FATAL);
    assert_non_null(strstr(w->e.text, "local schema id 4 is in use for another schema"));
    assert_string_equal(schema_text(registry_cached(w->registry, 4)), schema_builtin("OrderStatus"));
}

static void without_a_registry_other_ids_are_disowned(void **state)
{
    static const int32_t ids[] = {5, 0, -1, INT32_MAX};
    struct world *w = *state;
    create_local(w);
    assert_false(registry_unknown(w->registry, 0)); /* nobody has asked */
    for (size_t i = 0; i < 4; i++) {
        struct got g = {.calls = 0};
        assert_int_equal(registry_fetch(w->registry, ids[i], on_schema, &g, &w->e), RC_OK);
        wait_calls(w, &g, 1);
        assert_int_equal(g.rc, RC_RETRY);
        assert_null(g.schema);
        assert_non_null(strstr(g.words, "no local schema"));
        assert_true(registry_unknown(w->registry, ids[i]));
    }
    assert_true(health_ready(w->health));
    assert_false(registry_unknown(w->registry, 1));
}

static void open_local_questions_end_with_the_client(void **state)
{
    struct world *w = *state;
    create_local(w);
    assert_int_equal(registry_fetch(w->registry, 1, on_schema, &w->got[0], &w->e), RC_OK);
    assert_int_equal(registry_register(w->registry, "t.order-state", w->schema, on_id, &w->got[1], &w->e), RC_OK);
    registry_destroy(w->registry);
    w->registry = NULL;
    loop_turn(w->loop, 20);
    assert_int_equal(w->got[0].calls + w->got[1].calls, 0);
}

static void open_questions_end_with_the_client(void **state)
{
    struct world *w = *state;
    begin(w, &(struct script_row){NULL, SCRIPT_KEEP}, 1);
    assert_int_equal(registry_fetch(w->registry, 1, on_schema, &w->got[0], &w->e), RC_OK);
    assert_int_equal(registry_fetch(w->registry, 1, on_schema, &w->got[1], &w->e), RC_OK);
    assert_int_equal(registry_register(w->registry, "t", w->schema, on_id, &w->got[2], &w->e), RC_OK);
    loop_turn(w->loop, 20);
    registry_destroy(w->registry);
    w->registry = NULL;
    loop_turn(w->loop, 20);
    for (int i = 0; i < 3; i++)
        assert_int_equal(w->got[i].calls, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_known_schema_is_looked_up_and_not_registered),
        TEST(a_first_schema_is_registered_without_a_comparison_and_then_the_level_is_set),
        TEST(a_new_version_is_compared_with_all_under_the_level_before_it_is_registered),
        TEST(a_registry_that_compares_with_one_version_only_is_asked_for_the_latest),
        TEST(a_level_that_cannot_be_set_is_told_once_and_does_not_stop),
        TEST(a_level_is_never_lowered),
        TEST(a_subject_without_a_level_has_the_registrys),
        TEST(a_level_that_cannot_be_read_is_not_set),
        TEST(a_level_that_fails_is_tried_three_times),
        TEST(a_schema_registered_under_a_lost_reply_gets_its_level_too),
        TEST(reasons_are_bounded_and_counted),
        TEST(a_reason_that_only_the_refusal_to_register_names_is_told),
        TEST(an_incompatible_schema_stays_so_whatever_follows),
        TEST(an_incompatible_schema_is_not_offered_where_the_level_is_not_ours),
        TEST(a_level_is_set_once_however_often_the_rest_is_tried),
        TEST(an_incompatible_schema_is_not_registered),
        TEST(a_refusal_is_final_and_explained),
        TEST(a_bearer_token_is_sent_instead_of_a_password),
        TEST(a_wrong_root_is_recognised_by_endless_404),
        TEST(an_absent_registry_is_waited_for),
        TEST(what_may_pass_is_tried_again_from_the_look_up),
        TEST(a_registry_that_does_not_answer_is_tried_again),
        TEST(retry_after_is_obeyed),
        TEST(a_schema_is_fetched_once_and_kept),
        TEST(a_schema_that_the_registry_says_once_is_not_believed),
        TEST(an_id_that_became_another_schema_is_seen_when_it_is_fetched_afresh),
        TEST(an_id_that_the_registry_does_not_know_is_asked_again_each_time),
        TEST(a_registry_that_is_away_is_told_at_once),
        TEST(a_fetch_that_fails_caches_nothing),
        TEST(what_is_no_avro_schema_rejects),
        TEST(open_questions_end_with_the_client),
        TEST(without_a_registry_ids_come_from_a_fixed_table),
        TEST(without_a_registry_an_id_is_the_registered_schema_or_the_one_built_in),
        TEST(without_a_registry_other_ids_are_disowned),
        TEST(open_local_questions_end_with_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
