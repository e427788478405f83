#include "common/net/http_call.h"

#include <stdio.h>
#include <string.h>

enum { HEADERS_MAX = 256 * 1024, RETRY_AFTER_MAX_S = 86400, RESERVE_MOST = 4 * 1024 * 1024 };

/* libcurl's callbacks: none of them calls anything of the user's, so no call is cancelled from inside. */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct http_call *call = arg;
    size_t bytes = size * n; /* at most CURL_MAX_WRITE_SIZE */
    size_t before = call->body->n;
    curl_off_t whole = 0;
    if (before == 0 && curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &whole) == CURLE_OK && whole > (curl_off_t)bytes &&
        whole < RESERVE_MOST && (size_t)whole < call->body->max)
        (void)buf_reserve(call->body, (size_t)whole + 1); /* what it says it is; one allocation instead of a dozen */
    buf_put(call->body, p, bytes);
    if (!buf_failed(call->body))
        return bytes;
    call->too_large =
        bytes > call->body->max - before ? "reply" : NULL; /* else: out of memory */
    return bytes == 0 ? 1 : 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct http_call *call = arg;
    size_t bytes = size * n;
    if (bytes >= 5 && memcmp(p, "HTTP/", 5) == 0)
        call->headers_whole = false;
    else if (bytes > 0 && (p[0] == '\r' || p[0] == '\n'))
        call->headers_whole = true;
    call->header_bytes += bytes;
    if (call->header_bytes <= HEADERS_MAX)
        return bytes;
    call->too_large = "headers";
    return 0;
}

/* What a request would find on a kept connection is no answer to it, so then it goes out on another one (http_client.c).
 * libcurl sends a request again by itself when a kept connection ended without a byte of an answer. The first one may have been obeyed
 * all the same, so whether anything but a GET bears repetition is the caller's question. */
static int on_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct http_call *call = arg;
    (void)ip;
    (void)local_ip;
    (void)port;
    call->local_port = local_port;
    call->kept_back = call->sent && !call->safe;
    call->unquiet = !call->kept_back && !open_sockets_quiet(call->sockets, call->easy, local_port);
    if (call->kept_back || call->unquiet)
        return CURL_PREREQFUNC_ABORT;
    call->sent = true;
    return CURL_PREREQFUNC_OK;
}

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (code == CURLE_OK)                                                                                \
            code = curl_easy_setopt(easy, (option), (value));                                                \
    } while (0)

CURLcode http_answer_listen(CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_PREREQFUNCTION, on_request);
    return code;
}

CURLcode http_answer_into(struct http_call *call)
{
    CURL *easy = call->easy;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERDATA, call);
    SET(CURLOPT_PREREQDATA, call);
    return code;
}

#undef SET

static void one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
}

static const char *header_value(CURL *easy, const char *name)
{
    struct curl_header *found = NULL;
    return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}

static int64_t retry_after_ms(CURL *easy)
{
    curl_off_t seconds = 0;
    if (header_value(easy, "Retry-After") == NULL ||
        curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK)
        return -1;
    if (seconds < 0) /* a date that has passed */
        seconds = 0;
    return (seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (int64_t)seconds) * 1000;
}

static void describe(struct http_call *call, CURLcode code, int status, char *out, size_t room)
{
    if (code == CURLE_OK && call->reach)
        (void)snprintf(out, room, "connected"); /* cut is fine, here and below */
    else if (code == CURLE_OK)
        (void)snprintf(out, room, "HTTP %d", status);
    else if (call->too_large != NULL && strcmp(call->too_large, "reply") == 0)
        (void)snprintf(out, room, "reply larger than %zu bytes", call->body->max);
    else if (call->too_large != NULL)
        (void)snprintf(out, room, "reply headers larger than %d bytes", HEADERS_MAX);
    else if (buf_failed(call->body))
        (void)snprintf(out, room, "out of memory");
    else if (call->kept_back)
        (void)snprintf(out, room, "the connection was closed without an answer");
    else
        (void)snprintf(out, room, "%s", call->error[0] != '\0' ? call->error : curl_easy_strerror(code));
    one_line(out);
}

void http_answer_read(struct http_call *call, CURLcode code, int64_t now, struct http_reply *reply, char *words, long *version)
{
    long status = 0;
    *version = 0;
    if (curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        status = 0;
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, version); /* stays 0 */
    if (code == CURLE_OK && !call->headers_whole && !call->reach)
        code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK && buf_text(call->body) == NULL)
        code = CURLE_OUT_OF_MEMORY;
    describe(call, code, (int)status, words, HTTP_WORDS);
    const char *location = header_value(call->easy, "Location");
    const char *type = header_value(call->easy, "Content-Type");
    *reply = (struct http_reply){
        .end = code == CURLE_OK ? HTTP_REPLIED
               : call->sent     ? HTTP_AMBIGUOUS
                                : HTTP_NOT_SENT,
        .status = (int)status,
        .body = code == CURLE_OK ? (const char *)call->body->p : "",
        .body_n = code == CURLE_OK ? call->body->n : 0,
        .retry_after_ms = retry_after_ms(call->easy),
        .location = location != NULL ? location : "",
        .content_type = type != NULL ? type : "",
        .curl_code = (int)code,
        .words = words,
        .took_ms = now - call->began,
        .call = call,
    };
}

const char *http_reply_header(const struct http_reply *r, const char *name)
{
    return r->call != NULL ? header_value(r->call->easy, name) : NULL;
}
