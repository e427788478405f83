/* A sink on a loop, orders for it, and their ends: what the tests of erp_sink.h's rows share. */
#ifndef BRIDGE_TESTS_SINK_BENCH_H
#define BRIDGE_TESTS_SINK_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consumer/erp_reply.h"
#include "consumer/erp_sink.h"

#define REFUSED "X" /* the article that every ERP here knows nothing of; order 13 has it */

struct end { /* of one try */
    int calls;
    struct erp_verdict v;
    char document[ERP_DOCUMENT_BYTES], reason[ERP_REASON_BYTES], words[512];
};

struct bench {
    struct loop *loop;
    struct config *config;
    struct erp_sink *sink;
    char directory[64];
    char values[8][400]; /* overrides */
    size_t values_n;
    char *long_values[4]; /* more of them, owned */
    size_t long_values_n;
    pid_t simulator;
    int simulator_in, simulator_out;
    char url[100];
    const char *refusal; /* words of the ERP about REFUSED; NULL: it refuses none */
    int told; /* times that the sink said whether the ERP is there */
    bool there;
    char there_words[300];
};

static inline void reached(void *arg, bool there, const char *words, int64_t again_ms)
{
    struct bench *b = arg;
    b->told++;
    assert_false(b->there); /* true once, then never more */
    b->there = there;
    assert_true(there ? again_ms == -1 : again_ms > 0);
    (void)snprintf(b->there_words, sizeof b->there_words, "%s", words);
}

static inline void __attribute__((format(printf, 3, 4))) set(struct bench *b, const char *key, const char *format, ...)
{
    char text[290];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(b->values_n < 8);
    (void)snprintf(b->values[b->values_n++], sizeof b->values[0], "%s=%s", key, text);
}

static inline void open_sink(struct bench *b, const char *name)
{
    const char *overrides[16] = {"kafka.bootstrap.servers=127.0.0.1:1", "registry.url=http://127.0.0.1:1", "erp.http.timeout=40s"};
    struct config_problems problems = {.count = 0};
    struct err e = {{0}};
    size_t n = 3;
    for (size_t i = 0; i < b->values_n; i++)
        overrides[n++] = b->values[i];
    for (size_t i = 0; i < b->long_values_n; i++)
        overrides[n++] = b->long_values[i];
    struct config_source source = {.overrides = overrides, .overrides_n = n, .program = CONFIG_CONSUMER};
    buf_init(&problems.text, 10000);
    enum rc rc = config_load(&source, &b->config, &problems);
    if (rc == RC_OK)
        erp_sink_find(name)->check(b->config, &problems);
    if (problems.count > 0)
        print_error("%s", buf_text(&problems.text));
    assert_int_equal(rc, RC_OK);
    assert_int_equal(problems.count, 0);
    buf_release(&problems.text);
    struct erp_sink_env env = {.loop = b->loop, .config = b->config, .reached = reached, .arg = b};
    if (erp_sink_find(name)->open(&env, &b->sink, &e) != RC_OK)
        fail_msg("%s", e.text);
}

static inline void close_sink(struct bench *b)
{
    if (b->sink != NULL)
        b->sink->ops->close(b->sink);
    config_destroy(b->config);
    b->there = false;
    b->sink = NULL;
    b->config = NULL;
}

static inline struct bench *bench_create(void)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->loop = loop_create(clock_system(), NULL);
    assert_non_null(b->loop);
    return b;
}

static inline void empty_directory(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), entry->d_name, 0);
    if (d != NULL)
        (void)closedir(d);
}

static inline void bench_destroy(struct bench *b)
{
    close_sink(b);
    if (b->simulator > 0) {
        (void)close(b->simulator_in); /* its standard input ends, and so does it */
        (void)close(b->simulator_out);
        (void)waitpid(b->simulator, NULL, 0);
    }
    if (b->directory[0] != '\0') {
        empty_directory(b->directory);
        (void)rmdir(b->directory);
    }
    for (size_t i = 0; i < b->long_values_n; i++)
        free(b->long_values[i]);
    loop_destroy(b->loop);
    free(b);
}

/* The ERP simulator; its url. */
static inline void simulator_start(struct bench *b)
{
    char script[500];
    int in[2], out[2];
    size_t n = 0;
    (void)snprintf(script, sizeof script, "%s/tests/sim/erp.py", BRIDGE_SOURCE);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    b->simulator = fork();
    assert_true(b->simulator >= 0);
    if (b->simulator == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)close(in[1]);
        (void)close(out[0]);
        (void)execlp("python3", "python3", script, "--stdin", "--refuse-article", REFUSED, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    b->simulator_in = in[1];
    b->simulator_out = out[0];
    while (n < sizeof b->url - 1 && read(out[0], b->url + n, 1) == 1 && b->url[n] != '\n')
        n++;
    b->url[n] = '\0';
    assert_memory_equal(b->url, "url=http://127.0.0.1:", 21);
    memmove(b->url, b->url + 4, strlen(b->url + 4) + 1);
}

static inline int close_all(void **state)
{
    bench_destroy(*state);
    return 0;
}

struct order {
    struct erp_load load;
    char key[100], document[400];
    struct end end;
};

static inline struct order *order(struct order *o, int64_t id, int64_t publication, const char *content, bool withdrawn)
{
    memset(o, 0, sizeof *o);
    (void)snprintf(o->key, sizeof o->key, "acme/%" PRId64 "/MAG-1/%" PRId64, id, publication);
    (void)snprintf(o->document, sizeof o->document,
                   "{\"organization\":\"acme\",\"orderId\":%" PRId64 ",\"publication\":%" PRId64 ",\"revision\":\"%s\",\"withdrawn\":%s,"
                   "\"items\":[{\"quantity\":1.000000,\"articles\":[{\"code\":\"%s\"}]}]}",
                   id, publication, content, withdrawn ? "true" : "false", id == 13 ? REFUSED : "A");
    o->load = (struct erp_load){.key = o->key, .organization = "acme", .order_id = id, .warehouse = "MAG-1", .revision = content,
                                .publication = publication, .withdrawn = withdrawn, .document = o->document,
                                .document_n = strlen(o->document), .attempt = 1};
    return o;
}

static inline void ended(void *arg, const struct erp_verdict *v)
{
    struct end *e = arg;
    e->calls++;
    e->v = *v;
    (void)snprintf(e->document, sizeof e->document, "%s", v->document_id != NULL ? v->document_id : "");
    (void)snprintf(e->reason, sizeof e->reason, "%s", v->reason != NULL ? v->reason : "");
    (void)snprintf(e->words, sizeof e->words, "%s", v->words);
}

static inline void submit(struct bench *b, struct order *o)
{
    struct err e = {{0}};
    if (b->sink->ops->submit(b->sink, &o->load, ended, &o->end, &e) != RC_OK)
        fail_msg("%s", e.text);
    assert_int_equal(o->end.calls, 0); /* never from inside */
}

enum { PATIENCE_MS = 60000 }; /* a busy machine keeps a connection or a worker's thread waiting for seconds */

static inline enum fate finish(struct bench *b, struct order *o)
{
    int64_t end = loop_now(b->loop) + PATIENCE_MS;
    while (o->end.calls == 0 && loop_now(b->loop) < end)
        loop_turn(b->loop, 10);
    assert_int_equal(o->end.calls, 1);
    assert_true(o->end.words[0] != '\0');
    return o->end.v.fate;
}

static inline enum fate load(struct bench *b, struct order *o)
{
    submit(b, o);
    return finish(b, o);
}

/* The same with the patience that FATE_AGAIN asks for (a deadlock). */
static inline enum fate finish_again(struct bench *b, struct order *o)
{
    for (int i = 0; finish(b, o) == FATE_AGAIN && i < 50; i++) {
        memset(&o->end, 0, sizeof o->end);
        submit(b, o);
    }
    return o->end.v.fate;
}

#endif
