#include "common/net/http_call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHUNK = 1024, LARGE_CHUNK = 64 * 1024 };

static const char *or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (code == CURLE_OK)                                                                                \
            code = curl_easy_setopt(easy, (option), (value));                                                \
    } while (0)

CURL *http_easy_create(const struct http_settings *s, enum http_easy kind, struct open_sockets *sockets)
{
    CURL *easy = curl_easy_init();
    CURLcode code = easy != NULL ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, s->insecure ? "http,https" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver's thread is left to end by itself: waiting for it would block the loop */
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(CURLOPT_USERAGENT, or_null(s->user_agent));
    SET(CURLOPT_SSLCERT, or_null(s->client_certificate));
    SET(CURLOPT_SSLKEY, or_null(s->client_key));
    if (or_null(s->ca_file) != NULL)
        SET(CURLOPT_CAINFO, s->ca_file);
    /* made anew for each request: the small one is of a size that malloc keeps at hand, and answers are short */
    SET(CURLOPT_BUFFERSIZE, kind == HTTP_EASY_LARGE ? (long)LARGE_CHUNK : (long)CHUNK);
    if (kind == HTTP_EASY_REACH) {
        SET(CURLOPT_CONNECT_ONLY, 1L); /* closed when the handle leaves the multi handle */
        SET(CURLOPT_FRESH_CONNECT, 1L);
    }
    if (code == CURLE_OK)
        code = http_answer_listen(easy);
    if (code == CURLE_OK)
        code = open_sockets_note(sockets, easy);
    if (code == CURLE_OK)
        return easy;
    curl_easy_cleanup(easy); /* NULL is a no-op */
    return NULL;
}

static CURLcode set_method(const struct http_call *call, const struct http_request *r)
{
    CURL *easy = call->easy;
    CURLcode code = CURLE_OK;
    bool body = r->body != NULL || (strcmp(r->method, "GET") != 0 && strcmp(r->method, "DELETE") != 0);
    if (body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(r->body != NULL ? r->body_n : 0));
        SET(CURLOPT_POSTFIELDS, call->sends);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    SET(CURLOPT_CUSTOMREQUEST, strcmp(r->method, body ? "POST" : "GET") != 0 ? r->method : NULL);
    return code;
}

CURLcode http_call_prepare(struct http_call *call, const struct http_settings *s, const struct http_request *r, bool share)
{
    CURL *easy = call->easy;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)s->timeout_ms);
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_PIPEWAIT, share ? 1L : 0L);
    SET(CURLOPT_HTTPHEADER, &call->headers[0]);
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_USERNAME, r->username);
    SET(CURLOPT_PASSWORD, r->username != NULL && r->password == NULL ? "" : r->password);
    SET(CURLOPT_PRIVATE, call);
    if (code == CURLE_OK)
        code = http_answer_into(call);
    if (code == CURLE_OK)
        code = set_method(call, r);
    return code;
}

CURLcode http_call_renew(struct http_call *call)
{
    CURL *easy = call->easy;
    CURLcode code = CURLE_OK;
    call->unquiet = false;
    call->error[0] = '\0';
    SET(CURLOPT_FRESH_CONNECT, 1L);
    return code;
}

void http_call_forget(CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_HTTPHEADER, NULL);
    SET(CURLOPT_POSTFIELDS, NULL);
    SET(CURLOPT_USERNAME, NULL);
    SET(CURLOPT_PASSWORD, NULL);
    SET(CURLOPT_PRIVATE, NULL);
    SET(CURLOPT_ERRORBUFFER, NULL);
    SET(CURLOPT_FRESH_CONNECT, 0L);
    (void)code; /* taking something away needs no memory */
}

#undef SET

static const char no_expect[] = "Expect:", no_type[] = "Content-Type:"; /* libcurl would call every body a form */

/* false: one of them is not one line of "Name: value". *bytes: of their texts. */
static bool check_headers(const struct http_request *r, bool *typed, size_t *bytes, struct err *e)
{
    *typed = false;
    *bytes = 0;
    for (size_t i = 0; i < r->headers_n; i++) {
        size_t n = strlen(r->headers[i]);
        if (!http_header_ok(r->headers[i], n)) {
            err_set(e, "http: header %zu is not one line of 'Name: value'", i + 1);
            return false;
        }
        *typed = *typed || strncasecmp(r->headers[i], no_type, sizeof no_type - 1) == 0;
        *bytes += n + 1;
    }
    return true;
}

static char *keep(char **at, const void *bytes, size_t n)
{
    char *begin = *at;
    if (n > 0)
        memcpy(begin, bytes, n);
    begin[n] = '\0';
    *at += n + 1;
    return begin;
}

static void link_header(struct http_call *call, size_t i, const char *text)
{
    call->headers[i] = (struct curl_slist){.data = (char *)(uintptr_t)text, .next = NULL}; /* libcurl only reads it */
    if (i > 0)
        call->headers[i - 1].next = &call->headers[i];
}

struct http_call *http_call_create(const struct http_request *r, struct err *e)
{
    bool typed;
    bool stays = r->body_stays && r->body != NULL;
    size_t texts, body = r->body != NULL && !stays ? r->body_n : 0;
    if (!check_headers(r, &typed, &texts, e))
        return NULL;
    size_t count = r->headers_n + 1 + !typed, list = count * sizeof(struct curl_slist);
    struct http_call *call = malloc(sizeof *call + list + texts + body + 1);
    if (call == NULL) {
        err_set(e, "http: out of memory");
        return NULL;
    }
    memset(call, 0, sizeof *call);
    char *at = (char *)call + sizeof *call + list;
    for (size_t i = 0; i < r->headers_n; i++)
        link_header(call, i, keep(&at, r->headers[i], strlen(r->headers[i])));
    link_header(call, r->headers_n, no_expect);
    if (!typed)
        link_header(call, r->headers_n + 1, no_type);
    call->sends = stays ? r->body : keep(&at, r->body, body);
    call->safe = strcmp(r->method, "GET") == 0;
    return call;
}

void http_call_destroy(struct http_call *call)
{
    if (call == NULL)
        return;
    buf_release(&call->own);
    free(call);
}
