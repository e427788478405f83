#include "common/net/http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/buf.h"

enum { IDLE_MAX = 64, HEADERS_MAX = 256 * 1024, RETRY_AFTER_MAX_S = 86400, RESERVE_MOST = 4 * 1024 * 1024, INTO_CHUNK = 64 * 1024 };

enum call_state { CALL_QUEUED, CALL_RUNNING, CALL_ENDED };

struct call_list { /* circular, head without a call */
    struct call_list *next, *prev;
};

struct http_client {
    struct loop *loop;
    struct http_settings settings;
    struct call_list queued; /* waiting for one of max_connections, in order */
    struct call_list running;
    size_t queued_n, running_n;
    struct loop_timer pump; /* starts queued calls outside of anybody's callback */
    CURL *idle[IDLE_MAX];   /* reset, for reuse */
    size_t idle_n;
    bool multiplexes; /* a reply came in HTTP/2. Before that nobody waits for another's connection, which with HTTP/1.1 would be for nothing */
    bool *gone; /* set by destroy while a done of this client runs */
};

struct http_call {
    struct call_list link; /* first member */
    struct http_client *client;
    enum call_state state;
    CURL *easy;
    struct curl_slist *headers;
    struct buf own, *body; /* body: own, or the caller's */
    size_t header_bytes;
    bool headers_whole; /* libcurl takes a connection that ends in mid-headers for a whole reply without body
                         */
    bool reach;         /* connects only */
    bool safe;          /* GET: libcurl may send it twice */
    bool sent;          /* a connection stood and the request was about to be written to it */
    bool kept_back;     /* would have been sent a second time */
    const char *too_large; /* what was, or NULL */
    int64_t began;
    http_done_fn *done;
    void *arg;
    char error[CURL_ERROR_SIZE];
};

static void list_init(struct call_list *head)
{
    head->next = head->prev = head;
}

static void list_put(struct call_list *head, struct call_list *link)
{
    link->next = head;
    link->prev = head->prev;
    head->prev->next = link;
    head->prev = link;
}

static void list_take(struct call_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

static struct http_call *list_first(struct call_list *head)
{
    return head->next == head ? NULL : (struct http_call *)(void *)head->next; /* link is the first member */
}

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
    call->too_large = bytes > call->body->max - before ? "reply" : NULL; /* else: out of memory */
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

/* libcurl sends a request again by itself when a kept connection ended without a byte of an answer. The first one may have been obeyed
 * all the same, so whether anything but a GET bears repetition is the caller's question. */
static int on_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct http_call *call = arg;
    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    call->kept_back = call->sent && !call->safe;
    call->sent = true;
    return call->kept_back ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void recycle(struct http_client *c, CURL *easy)
{
    if (easy == NULL)
        return;
    if (c->idle_n == IDLE_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy); /* forgets body and credentials too; connections live in the multi handle */
    c->idle[c->idle_n++] = easy;
}

static void call_free(struct http_call *call)
{
    curl_slist_free_all(call->headers);
    buf_release(&call->own);
    free(call);
}

/* Out of the lists and of the multi handle; a place for the next one. */
static void detach(struct http_call *call)
{
    struct http_client *c = call->client;
    list_take(&call->link);
    if (call->state == CALL_RUNNING) {
        (void)curl_multi_remove_handle(loop_curl(c->loop),
                                       call->easy); /* fails for a handle that is not there */
        c->running_n--;
    } else {
        c->queued_n--;
    }
    call->state = CALL_ENDED;
    if (c->queued_n > 0)
        loop_timer_in(c->loop, &c->pump, 0, c->pump.fn, c);
}

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

static void fill_reply(struct http_call *call, CURLcode code, struct http_reply *reply, char *words,
                       size_t words_room)
{
    long status = 0, version = 0;
    if (curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        status = 0;
    if (code == CURLE_OK && curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK)
        call->client->multiplexes = version >= CURL_HTTP_VERSION_2_0;
    if (code == CURLE_OK && !call->headers_whole && !call->reach)
        code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK && buf_text(call->body) == NULL)
        code = CURLE_OUT_OF_MEMORY;
    describe(call, code, (int)status, words, words_room);
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
        .took_ms = loop_now(call->client->loop) - call->began,
        .call = call,
    };
}

const char *http_reply_header(const struct http_reply *r, const char *name)
{
    return r->call != NULL ? header_value(r->call->easy, name) : NULL;
}

/* The end of a call. The call is out of every list before done, which may submit, cancel and destroy the
 * client. */
static void finish(struct http_call *call, CURLcode code)
{
    struct http_client *c = call->client;
    struct http_reply reply;
    char words[CURL_ERROR_SIZE + 64];
    bool gone = false;
    detach(call);
    fill_reply(call, code, &reply, words, sizeof words);
    c->gone = &gone;
    call->done(call->arg, &reply);
    if (gone) {
        curl_easy_cleanup(call->easy);
    } else {
        c->gone = NULL;
        recycle(c, call->easy);
    }
    call_free(call);
}

/* The loop's on_done: the multi handle is shared, so calls of every client come by here. */
static void on_curl(void *arg)
{
    CURLM *multi = loop_curl(arg);
    int left = 0;
    CURLMsg *m;
    while ((m = curl_multi_info_read(multi, &left)) != NULL) {
        CURLcode code = m->data.result; /* m is gone once its handle is removed */
        void *call = NULL;
        if (m->msg == CURLMSG_DONE &&
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call) == CURLE_OK && call != NULL)
            finish(call, code);
    }
}

static CURLMcode start(struct http_call *call)
{
    struct http_client *c = call->client;
    CURLMcode code = curl_multi_add_handle(loop_curl(c->loop), call->easy);
    if (code != CURLM_OK)
        return code;
    call->state = CALL_RUNNING;
    list_put(&c->running, &call->link);
    c->running_n++;
    return CURLM_OK;
}

static bool has_room(const struct http_client *c)
{
    return c->settings.max_connections <= 0 || c->running_n < (size_t)c->settings.max_connections;
}

static void on_pump(void *arg)
{
    struct http_client *c = arg;
    struct http_call *call;
    while (has_room(c) && (call = list_first(&c->queued)) != NULL) {
        list_take(&call->link);
        c->queued_n--;
        if (start(call) == CURLM_OK)
            continue;
        list_put(&c->queued, &call->link); /* where finish expects it */
        c->queued_n++;
        finish(call, CURLE_OUT_OF_MEMORY); /* which sets this timer again; the client may be gone now */
        return;
    }
}

bool http_line_ok(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

bool http_header_ok(const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    return colon != NULL && colon != line && http_line_ok(line, n);
}

static bool known_method(const char *method)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

static bool add_header(struct http_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer != NULL)
        call->headers = longer;
    return longer != NULL;
}

static bool add_headers(struct http_call *call, const struct http_request *r, struct err *e)
{
    bool typed = false, ok = add_header(call, "Expect:");
    for (size_t i = 0; ok && i < r->headers_n; i++) {
        if (!http_header_ok(r->headers[i], strlen(r->headers[i]))) {
            err_set(e, "http: header %zu is not one line of 'Name: value'", i + 1);
            return false;
        }
        typed = typed || strncasecmp(r->headers[i], "Content-Type:", 13) == 0;
        ok = add_header(call, r->headers[i]);
    }
    if (ok && !typed)
        ok = add_header(call, "Content-Type:"); /* libcurl would call every body a form */
    if (!ok)
        err_set(e, "http: out of memory");
    return ok;
}

/* Words in e never hold the URL: its query may hold what no log should. */
static bool check_url(const struct http_client *c, const char *url, struct err *e)
{
    char *scheme = NULL;
    CURLU *u = curl_url();
    CURLUcode code =
        u != NULL ? curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    bool ok = false;
    if (code == CURLUE_USER_NOT_ALLOWED)
        err_set(e, "http: a URL with a user name or password in it is not allowed");
    else if (code != CURLUE_OK)
        err_set(e, "http: not a URL that can be asked: %s", curl_url_strerror(code));
    else if (strcmp(scheme, "https") == 0 || (c->settings.insecure && strcmp(scheme, "http") == 0))
        ok = true;
    else if (strcmp(scheme, "http") == 0)
        err_set(e, "http: only https:// is allowed here");
    else
        err_set(e, "http: the scheme of the URL is neither https nor http");
    curl_free(scheme);
    curl_url_cleanup(u);
    return ok;
}

static const char *or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (code == CURLE_OK)                                                                                \
            code = curl_easy_setopt(easy, (option), (value));                                                \
    } while (0)

static CURLcode set_connection(const struct http_settings *s, CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, s->insecure ? "http,https" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)s->timeout_ms);
    SET(CURLOPT_QUICK_EXIT,
        1L); /* a resolver's thread is left to end by itself: waiting for it would block the loop */
    SET(CURLOPT_USERAGENT, or_null(s->user_agent));
    SET(CURLOPT_SSLCERT, or_null(s->client_certificate));
    SET(CURLOPT_SSLKEY, or_null(s->client_key));
    if (or_null(s->ca_file) != NULL)
        SET(CURLOPT_CAINFO, s->ca_file);
    return code;
}

static CURLcode set_method(const struct http_request *r, CURL *easy)
{
    CURLcode code = CURLE_OK;
    bool body = r->body != NULL || (strcmp(r->method, "GET") != 0 && strcmp(r->method, "DELETE") != 0);
    if (body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(r->body != NULL ? r->body_n : 0));
        SET(CURLOPT_COPYPOSTFIELDS, r->body != NULL && r->body_n > 0 ? r->body : "");
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    if (strcmp(r->method, body ? "POST" : "GET") != 0)
        SET(CURLOPT_CUSTOMREQUEST, r->method);
    return code;
}

static CURLcode set_request(struct http_call *call, const struct http_request *r)
{
    CURL *easy = call->easy;
    CURLcode code = set_connection(&call->client->settings, easy);
    SET(CURLOPT_URL, r->url);
    if (call->client->multiplexes) /* rather a stream of the connection that is being made than one more */
        SET(CURLOPT_PIPEWAIT, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_HTTPHEADER, call->headers);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    if (r->username != NULL) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, r->username);
        SET(CURLOPT_PASSWORD, r->password != NULL ? r->password : "");
    }
    SET(CURLOPT_PRIVATE, call);
    SET(CURLOPT_ERRORBUFFER, call->error);
    if (r->into != NULL)
        SET(CURLOPT_BUFFERSIZE, (long)INTO_CHUNK);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, call);
    if (call->reach) {
        SET(CURLOPT_CONNECT_ONLY, 1L); /* closed when the handle leaves the multi handle */
        SET(CURLOPT_FRESH_CONNECT, 1L);
    } else {
        SET(CURLOPT_PREREQFUNCTION, on_request);
        SET(CURLOPT_PREREQDATA, call);
    }
    if (code == CURLE_OK)
        code = set_method(r, easy);
    return code;
}

#undef SET

static struct http_call *call_create(struct http_client *c, const struct http_request *r, bool reach, struct err *e)
{
    struct http_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        err_set(e, "http: out of memory");
        return NULL;
    }
    list_init(&call->link);
    call->client = c;
    call->reach = reach;
    call->safe = strcmp(r->method, "GET") == 0;
    call->began = loop_now(c->loop);
    buf_init(&call->own, c->settings.max_body);
    call->body = r->into != NULL ? r->into : &call->own;
    buf_reset(call->body);
    if (!add_headers(call, r, e)) {
        call_free(call);
        return NULL;
    }
    call->easy = c->idle_n > 0 ? c->idle[--c->idle_n] : curl_easy_init();
    CURLcode code = call->easy != NULL ? set_request(call, r) : CURLE_OUT_OF_MEMORY;
    if (code != CURLE_OK) {
        err_set(e, "http: %s", curl_easy_strerror(code));
        recycle(c, call->easy);
        call_free(call);
        return NULL;
    }
    return call;
}

static struct http_call *submit(struct http_client *c, const struct http_request *r, bool reach, http_done_fn *done,
                                void *arg, struct err *e)
{
    if (!known_method(r->method)) {
        err_set(e, "http: method is none of GET, POST, PUT, DELETE, PATCH");
        return NULL;
    }
    if (!check_url(c, r->url, e))
        return NULL;
    struct http_call *call = call_create(c, r, reach, e);
    if (call == NULL)
        return NULL;
    call->done = done;
    call->arg = arg;
    if (c->queued_n > 0 || !has_room(c)) {
        list_put(&c->queued, &call->link);
        c->queued_n++;
        return call;
    }
    CURLMcode code = start(call);
    if (code != CURLM_OK) {
        err_set(e, "http: %s", curl_multi_strerror(code));
        recycle(c, call->easy);
        call_free(call);
        return NULL;
    }
    return call;
}

struct http_call *http_submit(struct http_client *c, const struct http_request *r, http_done_fn *done,
                              void *arg, struct err *e)
{
    return submit(c, r, false, done, arg, e);
}

struct http_call *http_reach(struct http_client *c, const char *url, http_done_fn *done, void *arg, struct err *e)
{
    struct http_request r = {.method = "GET", .url = url};
    return submit(c, &r, true, done, arg, e);
}

void http_cancel(struct http_call *call)
{
    if (call == NULL || call->state == CALL_ENDED) /* its done is running */
        return;
    detach(call);
    recycle(call->client, call->easy);
    call_free(call);
}

size_t http_pending(const struct http_client *c)
{
    return c->queued_n + c->running_n;
}

static bool readable(const char *path, const char *what, struct err *e)
{
    if (or_null(path) == NULL || access(path, R_OK) == 0)
        return true;
    err_set(e, "http: %s %s cannot be read", what, path);
    return false;
}

struct http_client *http_client_create(struct loop *l, const struct http_settings *s, struct err *e)
{
    if (!readable(s->ca_file, "CA file", e) || !readable(s->client_certificate, "client certificate", e) ||
        !readable(s->client_key, "client key", e))
        return NULL;
    if (s->timeout_ms <= 0 || s->connect_timeout_ms <= 0 || s->max_body >= SIZE_MAX / 2) {
        err_set(e, "http: time-outs and the largest body must be given");
        return NULL;
    }
    struct http_client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        err_set(e, "http: out of memory");
        return NULL;
    }
    c->loop = l;
    c->settings = *s;
    list_init(&c->queued);
    list_init(&c->running);
    c->pump.fn = on_pump;
    loop_on_curl(l, on_curl, l);
    return c;
}

void http_client_times(struct http_client *c, int64_t connect_timeout_ms, int64_t timeout_ms)
{
    c->settings.connect_timeout_ms = connect_timeout_ms;
    c->settings.timeout_ms = timeout_ms;
}

void http_client_destroy(struct http_client *c)
{
    if (c == NULL)
        return;
    struct http_call *call;
    while ((call = list_first(&c->running)) != NULL)
        http_cancel(call);
    while ((call = list_first(&c->queued)) != NULL)
        http_cancel(call);
    loop_timer_clear(c->loop, &c->pump);
    while (c->idle_n > 0)
        curl_easy_cleanup(c->idle[--c->idle_n]);
    if (c->gone != NULL)
        *c->gone = true;
    free(c);
}

void http_escape(struct buf *out, const char *text, size_t n)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)text[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
                     ch == '-' || ch == '.' || ch == '_' || ch == '~';
        if (plain) {
            buf_put_byte(out, ch);
        } else {
            buf_put_byte(out, '%');
            buf_put_byte(out, (unsigned char)hex[ch >> 4]);
            buf_put_byte(out, (unsigned char)hex[ch & 15]);
        }
    }
}
