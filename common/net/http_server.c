#include "common/net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/net/acceptor.h"

enum {
    CONNECTIONS_MAX = 32,
    HANDED_MAX = 2 * CONNECTIONS_MAX, /* what was handed over and is not counted yet comes on top */
    QUESTIONS_MAX = 16, /* of the connections: a loop that stands must not keep /livez from answering */
    IDLE_S = 5,
    MEMORY_PER_CONNECTION = 16 * 1024,
    STACK_BYTES = 256 * 1024,
    PAGE_MAX = 4 * 1024 * 1024,
    TURN_LATE_MS = 30000
};

struct page;

/* What only the loop can answer, on its way there and back. Owned by its connection. */
struct question {
    struct question *next;
    struct MHD_Connection *connection;
    const struct page *page;
    const struct page_form *form;
    char rest[HTTP_REST_BYTES];
    struct buf out;
    unsigned status;
};

struct http_server {
    struct loop *loop;
    const struct health *health;
    const struct metrics *metrics;
    struct MHD_Daemon *daemon; /* with a thread of its own */
    struct acceptor *acceptor;
    struct loop_watch watch;
    int fd; /* an eventfd: rung by the server's thread */
    const char *resource_path; /* NULL: none; set under the lock */
    http_resource_fn *resource; /* the loop's */
    void *resource_arg;
    pthread_mutex_t lock; /* of what follows */
    struct question *asked; /* newest first */
    size_t questions;
    bool closing;
};

static enum MHD_Result send_page(struct MHD_Connection *to, unsigned status, const char *type,
                                 struct buf *page)
{
    if (buf_failed(page)) {
        buf_reset(page);
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(page->n, page->p, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO; /* closes the connection */
    enum MHD_Result result = MHD_NO;
    if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        result = MHD_queue_response(to, status, r);
    MHD_destroy_response(r);
    return result;
}

struct page_form { /* one content type of a page */
    const char *type;
    unsigned (*print)(const struct http_server *s, const char *rest, struct buf *out); /* returns the HTTP status */
};

struct page {
    const char *path;
    bool by_loop; /* needs what only the loop's thread may read */
    const struct page_form *(*choose)(struct MHD_Connection *connection);
};

static int64_t turn_age(const struct http_server *s)
{
    int64_t age = loop_now(s->loop) - loop_last_turn(s->loop);
    return age > 0 ? age : 0;
}

static bool is_late(const struct http_server *s)
{
    return turn_age(s) > TURN_LATE_MS;
}

static unsigned print_live(const struct http_server *s, const char *rest, struct buf *out)
{
    (void)rest;
    int64_t age = turn_age(s);
    bool moves = age <= TURN_LATE_MS;
    buf_printf(out, "%s, last turn %lld ms ago\n", moves ? "ok" : "the loop is late", (long long)age);
    return moves ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned print_ready(const struct http_server *s, const char *rest, struct buf *out)
{
    (void)rest;
    health_print(s->health, out);
    buf_put_byte(out, '\n');
    return health_ready(s->health) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned print_metrics(const struct http_server *s, const char *rest, struct buf *out)
{
    (void)rest;
    metrics_print(s->metrics, METRICS_PROMETHEUS, (double)turn_age(s) / 1000, out);
    return MHD_HTTP_OK;
}

static unsigned print_openmetrics(const struct http_server *s, const char *rest, struct buf *out)
{
    (void)rest;
    metrics_print(s->metrics, METRICS_OPENMETRICS, (double)turn_age(s) / 1000, out);
    return MHD_HTTP_OK;
}

static unsigned print_resource(const struct http_server *s, const char *rest, struct buf *out)
{
    return s->resource(s->resource_arg, rest, out);
}

static const struct page_form resource_form = {"application/json", print_resource};
static const struct page_form live_form = {"text/plain; charset=utf-8", print_live};
static const struct page_form ready_form = {"application/json", print_ready};
static const struct page_form metrics_form = {"text/plain; version=0.0.4; charset=utf-8", print_metrics};
static const struct page_form openmetrics_form = {"application/openmetrics-text; version=1.0.0; charset=utf-8", print_openmetrics};

static const struct page_form *live(struct MHD_Connection *connection)
{
    (void)connection;
    return &live_form;
}

static const struct page_form *ready(struct MHD_Connection *connection)
{
    (void)connection;
    return &ready_form;
}

/* Weights are not looked at: who names OpenMetrics at all gets it, as Prometheus wants. */
static const struct page_form *metrics(struct MHD_Connection *connection)
{
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    return accept != NULL && strstr(accept, "application/openmetrics-text") != NULL ? &openmetrics_form : &metrics_form;
}

static const struct page_form *resource(struct MHD_Connection *connection)
{
    (void)connection;
    return &resource_form;
}

static const struct page resource_page = {"", true, resource};
static const struct page pages[] = {
    {"/livez", false, live},
    {"/readyz", true, ready},
    {"/metrics", true, metrics},
};

/* Gives the question to the loop; its answer brings the connection back to on_request. false: the loop does not answer, or too much is asked of it. */
static bool ask_loop(struct http_server *s, struct MHD_Connection *connection, const struct page *page, const char *rest, void **state)
{
    bool taken = false;
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL)
        return false;
    q->connection = connection;
    q->page = page;
    q->form = page->choose(connection);
    (void)snprintf(q->rest, sizeof q->rest, "%s", rest);
    buf_init(&q->out, PAGE_MAX);
    (void)pthread_mutex_lock(&s->lock);
    if (!s->closing && s->questions < QUESTIONS_MAX && !is_late(s)) {
        q->next = s->asked;
        s->asked = q;
        s->questions++;
        *state = q;
        MHD_suspend_connection(connection); /* under the lock: the loop must not resume it before */
        taken = true;
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (taken)
        (void)eventfd_write(s->fd, 1); /* fails only when the loop is to be woken already */
    else
        free(q);
    return taken;
}

/* What is said in the loop's place. Of the metrics what needs no loop: it tells for how long there is none. */
static unsigned print_without_loop(const struct http_server *s, const struct page *page, struct MHD_Connection *connection, struct buf *out)
{
    const struct page_form *form = page->choose(connection);
    if (form == &metrics_form || form == &openmetrics_form) {
        metrics_print_process(s->metrics, form == &metrics_form ? METRICS_PROMETHEUS : METRICS_OPENMETRICS, (double)turn_age(s) / 1000, out);
        return MHD_HTTP_OK;
    }
    buf_printf(out, "{\"ready\":false,\"error\":\"the loop is late, last turn %lld ms ago\",\"dependencies\":{}}\n", (long long)turn_age(s));
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* The page of the path, *rest behind it; NULL: none. */
static const struct page *find_page(struct http_server *s, const char *url, const char **rest)
{
    *rest = "";
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (strcmp(url, pages[i].path) == 0)
            return &pages[i];
    (void)pthread_mutex_lock(&s->lock);
    const char *path = s->resource_path;
    (void)pthread_mutex_unlock(&s->lock);
    size_t n = path != NULL ? strlen(path) : 0;
    if (n == 0 || strncmp(url, path, n) != 0 || (url[n] != '\0' && url[n] != '/') || strlen(url + n) >= HTTP_REST_BYTES)
        return NULL;
    *rest = url[n] == '/' ? url + n + 1 : "";
    return &resource_page;
}

static enum MHD_Result begin_request(struct http_server *s, struct MHD_Connection *connection, const char *url, const char *method, void **state)
{
    struct buf out;
    unsigned status = MHD_HTTP_NOT_FOUND;
    const char *type = "text/plain; charset=utf-8";
    const char *rest = "";
    const struct page *page = find_page(s, url, &rest);
    bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (reads && page != NULL && page->by_loop && ask_loop(s, connection, page, rest, state))
        return MHD_YES;
    buf_init(&out, PAGE_MAX);
    if (!reads) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buf_put_text(&out, "GET and HEAD only\n");
    } else if (page == NULL) {
        buf_put_text(&out, "there are /livez, /readyz and /metrics\n");
    } else {
        type = page->choose(connection)->type;
        status = page->by_loop ? print_without_loop(s, page, connection, &out) : page->choose(connection)->print(s, rest, &out);
    }
    enum MHD_Result result = send_page(connection, status, type, &out);
    buf_release(&out);
    return result;
}

/* Thread rule: the server's. Called once when a request has come, and once more when the loop has answered it. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **state)
{
    struct question *q = *state;
    (void)version;
    (void)upload;
    (void)upload_n;
    if (q != NULL)
        return send_page(connection, q->status, q->form->type, &q->out);
    return begin_request(arg, connection, url, method, state);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    struct http_server *s = arg;
    struct question *q = *state;
    (void)connection;
    (void)code;
    if (q == NULL)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->questions--;
    (void)pthread_mutex_unlock(&s->lock);
    buf_release(&q->out);
    free(q);
    *state = NULL;
}

static struct question *take_questions(struct http_server *s, bool closing)
{
    (void)pthread_mutex_lock(&s->lock);
    struct question *all = s->asked;
    s->asked = NULL;
    s->closing = closing;
    (void)pthread_mutex_unlock(&s->lock);
    return all;
}

/* Thread rule: the loop's. A question may be gone as soon as its connection is resumed. */
static bool on_ready(void *arg)
{
    struct http_server *s = arg;
    eventfd_t count;
    (void)eventfd_read(s->fd, &count); /* fails when nobody rang: a glance */
    for (struct question *q = take_questions(s, false), *next; q != NULL; q = next) {
        next = q->next;
        q->status = q->form->print(s, q->rest, &q->out);
        MHD_resume_connection(q->connection);
    }
    return false;
}

static enum rc resolve(const char *address, int port, struct addrinfo **out, struct err *e)
{
    char service[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    int n = snprintf(service, sizeof service, "%d", port);
    if (port < 0 || port > 65535 || n < 0 || getaddrinfo(address, service, &hints, out) != 0) {
        err_set(e, "http port: %s port %d is not an IP address and port", address, port);
        return RC_FATAL;
    }
    return RC_OK;
}

static bool has_room(void *arg)
{
    const struct http_server *s = arg;
    const union MHD_DaemonInfo *open = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return open != NULL && open->num_connections < CONNECTIONS_MAX;
}

static void take_connection(void *arg, int fd, const struct sockaddr *from, socklen_t from_n)
{
    const struct http_server *s = arg;
    (void)MHD_add_connection(s->daemon, fd, from, from_n); /* closes it when it cannot */
}

static const struct acceptor_ops acceptor_ops = {has_room, take_connection};

static enum rc start(struct http_server *s, const struct addrinfo *at, struct err *e)
{
    if ((s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
        err_set(e, "%s", strerror(errno));
        return RC_FATAL;
    }
    loop_watch_add(s->loop, &s->watch, s->fd, on_ready, s);
    errno = 0;
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HANDED_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_END);
    if (s->daemon == NULL) {
        err_set(e, "%s", errno == EAGAIN || errno == ENOMEM ? "no memory for a thread, or too many of them" : errno != 0 ? strerror(errno) : "libmicrohttpd does not start");
        return RC_FATAL;
    }
    return acceptor_create(at, &acceptor_ops, s, &s->acceptor, e);
}

enum rc http_server_create(struct loop *l, const char *address, int port, const struct health *h,
                           const struct metrics *m, struct http_server **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct addrinfo *at = NULL;
    struct http_server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "http port: out of memory");
        return RC_FATAL;
    }
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        err_set(e, "http port: no lock");
        return RC_FATAL;
    }
    s->fd = -1;
    s->loop = l;
    s->health = h;
    s->metrics = m;
    if ((rc = resolve(address, port, &at, e)) != RC_OK)
        goto out;
    if ((rc = start(s, at, e)) != RC_OK) {
        err_prefix(e, "http port: %s port %d", address, port);
        goto out;
    }
    *out = s;
    s = NULL;
out:
    if (at != NULL)
        freeaddrinfo(at);
    http_server_destroy(s);
    return rc;
}

void http_server_destroy(struct http_server *s)
{
    if (s == NULL)
        return;
    loop_watch_remove(s->loop, &s->watch);
    for (struct question *q = take_questions(s, true), *next; q != NULL; q = next) { /* libmicrohttpd does not end with suspended ones */
        next = q->next;
        q->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        MHD_resume_connection(q->connection);
    }
    acceptor_destroy(s->acceptor); /* before the daemon that it hands to */
    if (s->daemon != NULL)
        MHD_stop_daemon(s->daemon);
    if (s->fd >= 0)
        (void)close(s->fd);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

void http_server_resource(struct http_server *s, const char *path, http_resource_fn *fn, void *arg)
{
    s->resource = fn;
    s->resource_arg = arg;
    (void)pthread_mutex_lock(&s->lock);
    s->resource_path = path;
    (void)pthread_mutex_unlock(&s->lock);
}

int http_server_port(const struct http_server *s)
{
    return acceptor_port(s->acceptor);
}
