/* What a kept connection may still hold where the TLS library reads before libcurl does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/http_client.h"

enum { REQUESTS = 3 };

struct tls_server {
    SSL_CTX *context;
    int listener, port, accepted;
    const char *first; /* the answer to the first request, one TLS record */
    char ca[64];
    pthread_t thread;
};

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *x = X509_new();
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(x)), 1);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    assert_non_null(names);
    assert_int_equal(X509_add_ext(x, names, -1), 1);
    X509_EXTENSION_free(names);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static void serve(struct tls_server *s, SSL *ssl, int *left)
{
    static const char mine[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine";
    char request[4096];
    while (*left > 0 && SSL_read(ssl, request, sizeof request) > 0) { /* each request is one small record */
        const char *answer = *left == REQUESTS ? s->first : mine;
        (*left)--;
        if (SSL_write(ssl, answer, (int)strlen(answer)) <= 0)
            return;
    }
}

static void *run(void *arg)
{
    struct tls_server *s = arg;
    SSL *lines[REQUESTS] = {NULL};
    int left = REQUESTS;
    while (left > 0 && s->accepted < REQUESTS) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            break;
        SSL *ssl = lines[s->accepted++] = SSL_new(s->context);
        if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)
            serve(s, ssl, &left);
    }
    for (int i = 0; i < s->accepted; i++) {
        int fd = SSL_get_fd(lines[i]);
        SSL_free(lines[i]);
        (void)close(fd);
    }
    return NULL;
}

static void start(struct tls_server *s, const char *first)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    memset(s, 0, sizeof *s);
    s->first = first;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = self_signed(key);
    (void)snprintf(s->ca, sizeof s->ca, "/tmp/test-http-tls-XXXXXX");
    FILE *f = fdopen(mkstemp(s->ca), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x), 1);
    assert_int_equal(fclose(f), 0);
    s->context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(s->context, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s->context, key), 1);
    X509_free(x);
    EVP_PKEY_free(key);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void stop(struct tls_server *s)
{
    (void)shutdown(s->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->listener);
    (void)unlink(s->ca);
    SSL_CTX_free(s->context);
}

struct got {
    int calls;
    enum http_end end;
    char body[2000], words[400];
};

static void on_done(void *arg, const struct http_reply *r)
{
    struct got *g = arg;
    g->calls++;
    g->end = r->end;
    (void)snprintf(g->body, sizeof g->body, "%s", r->body);
    (void)snprintf(g->words, sizeof g->words, "%s", r->words);
}

/* REQUESTS of them, one after the other; what each is answered is in got. The connections that it took. */
static int ask(const char *first, struct got *got)
{
    struct tls_server s;
    struct err e = {""};
    char url[64];
    start(&s, first);
    struct loop *loop = loop_create(NULL, &e);
    struct http_settings settings = {.ca_file = s.ca, .connect_timeout_ms = 10000, .timeout_ms = 10000, .max_body = 100000};
    struct http_client *c = http_client_create(loop, &settings, &e);
    assert_non_null(c);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%d/x", s.port);
    struct http_request r = {.method = "POST", .url = url, .body = "order", .body_n = 5};
    for (int i = 0; i < REQUESTS; i++) {
        assert_non_null(http_submit(c, &r, on_done, &got[i], &e));
        for (int64_t end = loop_now(loop) + 20000; http_pending(c) > 0 && loop_now(loop) < end;)
            loop_turn(loop, 100);
        assert_int_equal(got[i].calls, 1);
        if (got[i].end != HTTP_REPLIED)
            fail_msg("request %d: %s", i + 1, got[i].words);
    }
    http_client_destroy(c);
    loop_destroy(loop);
    stop(&s);
    return s.accepted;
}

static void a_connection_with_nothing_on_it_carries_every_request(void **state)
{
    struct got got[REQUESTS] = {{0}};
    (void)state;
    assert_int_equal(ask("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst", got), 1);
    assert_string_equal(got[0].body, "first");
    assert_string_equal(got[1].body, "mine");
    assert_string_equal(got[2].body, "mine");
}

/* libcurl reads the head with a small buffer and then no more than the rest of the body: the second answer stays with the TLS library. */
static void an_answer_in_the_same_tls_record_answers_nobody_else(void **state)
{
    static const char forged[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nFORGED";
    struct got got[REQUESTS] = {{0}};
    char first[2000];
    (void)state;
    int n = snprintf(first, sizeof first, "HTTP/1.1 200 OK\r\nContent-Length: 1500\r\n\r\n");
    memset(first + n, 'x', 1500);
    (void)snprintf(first + n + 1500, sizeof first - (size_t)n - 1500, "%s", forged);
    assert_int_equal(ask(first, got), 2);
    assert_int_equal(strlen(got[0].body), 1500);
    assert_string_equal(got[1].body, "mine");
    assert_string_equal(got[2].body, "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_with_nothing_on_it_carries_every_request),
        cmocka_unit_test(an_answer_in_the_same_tls_record_answers_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
