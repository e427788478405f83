#include "common/net/http_client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/http_call.h"

enum { IDLE_MAX = 256, URL_REMEMBERED = 2048 };

struct http_client {
    struct loop *loop;
    struct http_settings settings;
    struct call_list queued; /* waiting for one of max_connections, in order */
    struct call_list running;
    size_t queued_n, running_n;
    struct loop_timer pump; /* starts queued calls outside of anybody's callback */
    CURL *idle[IDLE_MAX];   /* for reuse; connections live in the multi handle */
    size_t idle_n;
    bool multiplexes; /* a reply came in HTTP/2. Before that nobody waits for another's connection, which with HTTP/1.1 would be for nothing */
    char url[URL_REMEMBERED]; /* the last one that was found good */
    bool *gone; /* set by destroy while a done of this client runs */
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

static void recycle(struct http_client *c, CURL *easy, bool common)
{
    if (easy == NULL)
        return;
    if (!common || c->idle_n == IDLE_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    http_call_forget(easy);
    c->idle[c->idle_n++] = easy;
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

/* The end of a call. The call is out of every list before done, which may submit, cancel and destroy the
 * client. */
static void finish(struct http_call *call, CURLcode code)
{
    struct http_client *c = call->client;
    struct http_reply reply;
    char words[HTTP_WORDS];
    long version = 0;
    bool gone = false;
    detach(call);
    http_answer_read(call, code, loop_now(c->loop), &reply, words, &version);
    if (code == CURLE_OK && version != 0)
        c->multiplexes = version >= CURL_HTTP_VERSION_2_0;
    if (code == CURLE_OK)
        open_sockets_answered(call->sockets, call->local_port, version < CURL_HTTP_VERSION_2_0);
    c->gone = &gone;
    call->done(call->arg, &reply);
    if (gone) {
        curl_easy_cleanup(call->easy);
    } else {
        c->gone = NULL;
        recycle(c, call->easy, call->common);
    }
    http_call_destroy(call);
}

/* The connection had something on it that nobody had asked for; libcurl has closed it. Once: a connection of the call's own has nothing. false: out of memory. */
static bool again(struct http_call *call)
{
    CURLM *multi = loop_curl(call->client->loop);
    return http_call_renew(call) == CURLE_OK && curl_multi_remove_handle(multi, call->easy) == CURLM_OK && curl_multi_add_handle(multi, call->easy) == CURLM_OK;
}

/* The loop's on_done: the multi handle is shared, so calls of every client come by here. */
static void on_curl(void *arg)
{
    CURLM *multi = loop_curl(arg);
    int left = 0;
    CURLMsg *m;
    while ((m = curl_multi_info_read(multi, &left)) != NULL) {
        CURLcode code = m->data.result; /* m is gone once its handle is removed */
        char *private = NULL;
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK || private == NULL)
            continue;
        struct http_call *call = (struct http_call *)(void *)private;
        if (!call->unquiet)
            finish(call, code);
        else if (!again(call))
            finish(call, CURLE_OUT_OF_MEMORY);
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

static bool known_method(const char *method)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

/* Words in e never hold the URL: its query may hold what no log should. */
static bool check_url(struct http_client *c, const char *url, struct err *e)
{
    char *scheme = NULL;
    size_t n = strlen(url);
    if (n > 0 && n < sizeof c->url && memcmp(url, c->url, n + 1) == 0)
        return true;
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
    if (ok && n < sizeof c->url)
        memcpy(c->url, url, n + 1);
    curl_free(scheme);
    curl_url_cleanup(u);
    return ok;
}

static struct http_call *call_create(struct http_client *c, const struct http_request *r, bool reach, struct err *e)
{
    struct http_call *call = http_call_create(r, e);
    if (call == NULL)
        return NULL;
    list_init(&call->link);
    call->client = c;
    call->sockets = loop_open_sockets(c->loop);
    call->reach = reach;
    call->began = loop_now(c->loop);
    buf_init(&call->own, c->settings.max_body);
    call->body = r->into != NULL ? r->into : &call->own;
    buf_reset(call->body);
    enum http_easy kind = reach ? HTTP_EASY_REACH : r->into != NULL ? HTTP_EASY_LARGE : HTTP_EASY_COMMON;
    call->common = kind == HTTP_EASY_COMMON;
    call->easy = call->common && c->idle_n > 0 ? c->idle[--c->idle_n] : http_easy_create(&c->settings, kind, call->sockets);
    CURLcode code = call->easy != NULL ? http_call_prepare(call, &c->settings, r, c->multiplexes) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        return call;
    err_set(e, "http: %s", curl_easy_strerror(code));
    recycle(c, call->easy, call->common);
    http_call_destroy(call);
    return NULL;
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
        recycle(c, call->easy, call->common);
        http_call_destroy(call);
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
    recycle(call->client, call->easy, call->common);
    http_call_destroy(call);
}

size_t http_pending(const struct http_client *c)
{
    return c->queued_n + c->running_n;
}

static bool readable(const char *path, const char *what, struct err *e)
{
    if (path == NULL || path[0] == '\0' || access(path, R_OK) == 0)
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
    (void)loop_keep_connections(l, s->keep_connections); /* without memory: more of them are made anew */
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
