#include "common/net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS_MAX = 32,
    IDLE_S = 5,
    MEMORY_PER_CONNECTION = 16 * 1024,
    PAGE_MAX = 4 * 1024 * 1024,
    TURN_LATE_MS = 30000
};

struct http_server {
    struct loop *loop;
    const struct health *health;
    const struct metrics *metrics;
    struct MHD_Daemon *daemon;
    struct loop_watch watch;
    int port;
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

struct page {
    const char *path;
    const char *type;
    unsigned (*print)(const struct http_server *s, struct buf *out); /* returns the HTTP status */
};

/* The loop itself answers, so an answer within time is the proof; the age tells how long the turn has lasted
 * so far. */
static unsigned print_live(const struct http_server *s, struct buf *out)
{
    int64_t age = loop_now(s->loop) - loop_last_turn(s->loop);
    bool moves = age <= TURN_LATE_MS;
    buf_printf(out, "%s, last turn %lld ms ago\n", moves ? "ok" : "the loop is late", (long long)age);
    return moves ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned print_ready(const struct http_server *s, struct buf *out)
{
    health_print(s->health, out);
    buf_put_byte(out, '\n');
    return health_ready(s->health) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned print_metrics(const struct http_server *s, struct buf *out)
{
    metrics_print(s->metrics, out);
    return MHD_HTTP_OK;
}

static const struct page pages[] = {
    {"/livez", "text/plain; charset=utf-8", print_live},
    {"/readyz", "application/json", print_ready},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", print_metrics},
};

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **state)
{
    const struct http_server *s = arg;
    (void)version;
    (void)upload;
    (void)upload_n;
    (void)state;
    struct buf out;
    buf_init(&out, PAGE_MAX);
    unsigned status = MHD_HTTP_NOT_FOUND;
    const char *type = "text/plain; charset=utf-8";
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buf_put_text(&out, "GET and HEAD only\n");
    } else {
        for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
            if (strcmp(url, pages[i].path) == 0) {
                type = pages[i].type;
                status = pages[i].print(s, &out);
            }
        }
        if (status == MHD_HTTP_NOT_FOUND)
            buf_put_text(&out, "there are /livez, /readyz and /metrics\n");
    }
    enum MHD_Result result = send_page(connection, status, type, &out);
    buf_release(&out);
    return result;
}

static bool on_ready(void *arg)
{
    struct http_server *s = arg;
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_run(s->daemon) != MHD_YES)
        return false;
    return MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
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

static enum rc start(struct http_server *s, const struct addrinfo *at, struct err *e)
{
    unsigned flags = MHD_USE_EPOLL | (at->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    errno = 0;
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, at->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_END);
    if (s->daemon == NULL) {
        err_set(e, "%s", errno != 0 ? strerror(errno) : "cannot listen");
        return RC_FATAL;
    }
    const union MHD_DaemonInfo *fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    const union MHD_DaemonInfo *port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (fd == NULL || port == NULL) {
        err_set(e, "libmicrohttpd gives no descriptor to wait for");
        return RC_FATAL;
    }
    s->port = port->port;
    loop_watch_add(s->loop, &s->watch, fd->epoll_fd, on_ready, s);
    return RC_OK;
}

enum rc http_server_create(struct loop *l, const char *address, int port, const struct health *h,
                           const struct metrics *m, struct http_server **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct addrinfo *at = NULL;
    struct http_server *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "http port: out of memory");
        goto out;
    }
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
    if (s->daemon != NULL)
        MHD_stop_daemon(s->daemon);
    free(s);
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}
