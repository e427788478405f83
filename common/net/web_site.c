#include "common/net/web_site.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/utf8.h"
#include "common/net/doorway.h"
#include "common/net/web_guard.h"

enum { CONNECTIONS_MAX = 32, IDLE_S = 10, MEMORY_PER_CONNECTION = 16 * 1024 };

struct web_site {
    struct loop *loop;
    struct web_site_desc desc;
    struct MHD_Daemon *daemon;
    struct doorway *door;
    struct loop_watch watch;
    bool begun; /* libmicrohttpd has told of the connection that is being given to it */
    bool loopback;
};

static const char plain[] = "text/plain; charset=utf-8";

const char *web_request_value(const struct web_request *r, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &n) != MHD_YES || value == NULL)
        return NULL;
    return memchr(value, '\0', n) == NULL && utf8_check(value, n) == n ? value : NULL;
}

static bool make_nonce(char out[WEB_NONCE_BYTES])
{
    unsigned char bytes[(WEB_NONCE_BYTES - 1) / 2];
    if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static bool add_headers(struct MHD_Response *r, unsigned status, const char *type, const char *nonce)
{
    char policy[400];
    (void)snprintf(policy, sizeof policy,
                   "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
                   "frame-ancestors 'none'",
                   nonce, nonce);
    const char *const headers[][2] = {
        {MHD_HTTP_HEADER_CONTENT_TYPE, type},
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"Content-Security-Policy", policy},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {status == MHD_HTTP_METHOD_NOT_ALLOWED ? MHD_HTTP_HEADER_ALLOW : NULL, "GET, HEAD"},
        {status == MHD_HTTP_UNAUTHORIZED ? MHD_HTTP_HEADER_WWW_AUTHENTICATE : NULL, "Basic realm=\"xsale-bridge: the token is the password\", charset=\"UTF-8\""},
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (headers[i][0] != NULL && MHD_add_response_header(r, headers[i][0], headers[i][1]) != MHD_YES)
            return false;
    return true;
}

static enum MHD_Result send_page(struct MHD_Connection *to, unsigned status, const char *type, const char *nonce, struct buf *page)
{
    if (buf_failed(page)) {
        buf_reset(page);
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        type = plain;
        buf_put_text(page, "the page is too large, or memory is short\n");
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(page->n, page->p, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO; /* closes the connection */
    enum MHD_Result result = add_headers(r, status, type, nonce) ? MHD_queue_response(to, status, r) : MHD_NO;
    MHD_destroy_response(r);
    return result;
}

/* As a bearer, or as a browser sends it. */
static bool has_token(struct MHD_Connection *connection, const char *token)
{
    char *password = NULL;
    const char *bearer = web_guard_bearer(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION));
    if (bearer != NULL)
        return web_guard_token(bearer, token);
    char *user = MHD_basic_auth_get_username_password(connection, &password);
    bool ok = web_guard_token(password, token);
    MHD_free(user);
    MHD_free(password);
    return ok;
}

/* 0: go on. Otherwise the answer. */
static unsigned refuse(const struct web_site *s, struct MHD_Connection *connection, const char *method, struct buf *out)
{
    const char *token = s->desc.token(s->desc.arg);
    bool guarded = *token != '\0' || !s->loopback; /* a token that a reload took away opens nothing */
    if (!guarded && !web_guard_host(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST))) {
        buf_put_text(out, "Without a token this page answers to localhost and 127.0.0.1 only.\n");
        return MHD_HTTP_FORBIDDEN;
    }
    if (guarded && !has_token(connection, token)) {
        buf_put_text(out, "The token is missing or wrong. In a browser it is the password, the user name does not matter; else send Authorization: Bearer TOKEN.\n");
        return MHD_HTTP_UNAUTHORIZED;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        buf_put_text(out, "GET and HEAD only: nothing can be changed here\n");
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    return 0;
}

static const struct web_page *find(const struct web_site *s, const char *path)
{
    for (size_t i = 0; i < s->desc.pages_n; i++)
        if (s->desc.pages[i].path == NULL || strcmp(s->desc.pages[i].path, path) == 0)
            return &s->desc.pages[i];
    return NULL;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **state)
{
    const struct web_site *s = arg;
    char nonce[WEB_NONCE_BYTES] = "";
    struct buf out;
    (void)version;
    (void)upload;
    (void)upload_n;
    (void)state; /* answered at the first call, before any body: libmicrohttpd then closes the connection of a request that has one */
    if (!make_nonce(nonce))
        return MHD_NO;
    buf_init(&out, WEB_PAGE_MAX);
    const char *type = plain;
    unsigned status = refuse(s, connection, method, &out);
    const struct web_page *page = status == 0 ? find(s, url) : NULL;
    if (page != NULL) {
        struct web_request r = {.path = url, .nonce = nonce, .connection = connection};
        type = page->type;
        status = page->print(s->desc.arg, &r, &out);
    } else if (status == 0) {
        status = MHD_HTTP_NOT_FOUND;
        buf_put_text(&out, "there is no such page\n");
    }
    enum MHD_Result result = send_page(connection, status, type, nonce, &out);
    buf_release(&out);
    return result;
}

static bool on_ready(void *arg)
{
    struct web_site *s = arg;
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_run(s->daemon) != MHD_YES)
        return false;
    return MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

static enum rc resolve(const char *address, int port, struct addrinfo **out, struct err *e)
{
    char service[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    int n = snprintf(service, sizeof service, "%d", port);
    if (port >= 0 && port <= 65535 && n > 0 && getaddrinfo(address, service, &hints, out) == 0)
        return RC_OK;
    err_set(e, "%s port %d is not an IP address and port", address, port);
    return RC_REJECT;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **state, enum MHD_ConnectionNotificationCode code)
{
    struct web_site *s = arg;
    (void)connection;
    (void)state;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        s->begun = true;
    else
        doorway_left(s->door);
}

/* doorway_fn */
static void on_arrival(void *arg, int fd, const struct sockaddr *from, socklen_t from_n)
{
    struct web_site *s = arg;
    s->begun = false;
    if (MHD_add_connection(s->daemon, fd, from, from_n) != MHD_YES && !s->begun) /* closes it when it cannot */
        doorway_left(s->door);
    (void)on_ready(s);
}

static enum rc start(struct web_site *s, const struct addrinfo *at, struct err *e)
{
    errno = 0;
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
    if (s->daemon == NULL) {
        err_set(e, "%s", errno != 0 ? strerror(errno) : "libmicrohttpd does not start");
        return RC_FATAL;
    }
    const union MHD_DaemonInfo *fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (fd == NULL) {
        err_set(e, "libmicrohttpd gives no descriptor to wait for");
        return RC_FATAL;
    }
    loop_watch_add(s->loop, &s->watch, fd->epoll_fd, on_ready, s);
    return doorway_create(s->loop, at, CONNECTIONS_MAX, on_arrival, s, &s->door, e);
}

static enum rc check_token(const struct web_site_desc *d, struct err *e)
{
    size_t n = strlen(d->token(d->arg));
    if (n == 0 && !web_guard_loopback(d->address)) {
        err_set(e, "others than this machine could read the page at %s: that needs a token", d->address);
        return RC_REJECT;
    }
    if (n > 0 && n < WEB_TOKEN_MIN) {
        err_set(e, "the token has only %zu characters: it needs %d at least", n, WEB_TOKEN_MIN);
        return RC_REJECT;
    }
    return RC_OK;
}

enum rc web_site_create(struct loop *l, const struct web_site_desc *d, struct web_site **out, struct err *e)
{
    struct addrinfo *at = NULL;
    struct web_site *s = calloc(1, sizeof *s);
    enum rc rc = RC_FATAL;
    if (s == NULL) {
        err_set(e, "out of memory");
        return rc;
    }
    s->loop = l;
    s->desc = *d;
    s->loopback = web_guard_loopback(d->address);
    if ((rc = resolve(d->address, d->port, &at, e)) != RC_OK || (rc = check_token(d, e)) != RC_OK)
        goto out;
    if ((rc = start(s, at, e)) != RC_OK) {
        err_prefix(e, "%s port %d", d->address, d->port);
        goto out;
    }
    *out = s;
    s = NULL;
out:
    if (at != NULL)
        freeaddrinfo(at);
    web_site_destroy(s);
    return rc;
}

void web_site_destroy(struct web_site *s)
{
    if (s == NULL)
        return;
    loop_watch_remove(s->loop, &s->watch);
    if (s->daemon != NULL)
        MHD_stop_daemon(s->daemon); /* tells the door of the last ones */
    doorway_destroy(s->door);
    free(s);
}

int web_site_port(const struct web_site *s)
{
    return doorway_port(s->door);
}
