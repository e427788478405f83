/* A TCP server on 127.0.0.1 that plays given bytes: each whole HTTP request that arrives gets the next row's
 * bytes, whatever they are; the last row repeats. Runs in a thread of its own. For tests that need a peer
 * which cuts, lies, hangs or talks nonsense. */
#ifndef BRIDGE_TESTS_SCRIPTED_SERVER_H
#define BRIDGE_TESTS_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SCRIPT_ROWS = 32, SCRIPT_CONNECTIONS = 64, SCRIPT_REQUEST = 65536 };

/* SCRIPT_CLOSE says so in an HTTP answer: a client that asks at once would else take a connection that is just being closed. */
enum script_then {
    SCRIPT_KEEP,
    SCRIPT_CLOSE,
    SCRIPT_DELAY, /* reply after 100 ms, keep */
    SCRIPT_MORE,  /* 50 ms after the reply comes another, FORGED, that nobody asked for; keep */
    SCRIPT_DROP   /* 50 ms after the reply the connection is closed, without a word */
};

struct script_row {
    const char *reply; /* NULL: no answer, the connection stays open */
    enum script_then then;
};

struct script_connection {
    int fd;
    size_t n;
    char request[SCRIPT_REQUEST];
};

struct scripted_server {
    int listener, stop_fd, port;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    struct script_row rows[SCRIPT_ROWS];
    size_t rows_n, played;
    char *requests[SCRIPT_ROWS]; /* as received; the first SCRIPT_ROWS */
    size_t requests_n, open, open_peak, accepted, later; /* later: what SCRIPT_MORE and SCRIPT_DROP announce has been done so often */
    struct script_connection *connections[SCRIPT_CONNECTIONS];
};

static inline void script_require(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

static inline size_t script_request_length(struct script_connection *c)
{
    c->request[c->n] = '\0';
    char *end = strstr(c->request, "\r\n\r\n");
    if (end == NULL)
        return 0;
    char *length = strstr(c->request, "\r\nContent-Length:");
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t whole = (size_t)(end + 4 - c->request) + body;
    return whole <= c->n ? whole : 0;
}

static inline void script_drop(struct scripted_server *s, size_t at)
{
    (void)close(s->connections[at]->fd);
    free(s->connections[at]);
    s->connections[at] = NULL;
    s->open--;
}

static inline void script_send_part(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client had enough */
        text += sent;
        n -= (size_t)sent;
    }
}

static inline void script_send(int fd, const char *text)
{
    script_send_part(fd, text, strlen(text));
}

static inline void script_answer(int fd, const struct script_row *row)
{
    static const char told[] = "Connection: close\r\n";
    const char *headers = strncmp(row->reply, "HTTP/1.1 ", 9) == 0 ? strstr(row->reply, "\r\n") : NULL;
    size_t line = row->then == SCRIPT_CLOSE && headers != NULL ? (size_t)(headers - row->reply) + 2 : 0;
    script_send_part(fd, row->reply, line);
    script_send_part(fd, told, line > 0 ? sizeof told - 1 : 0);
    script_send_part(fd, row->reply + line, strlen(row->reply) - line);
}

static inline void script_play(struct scripted_server *s, size_t at, size_t length)
{
    struct script_connection *c = s->connections[at];
    if (s->requests_n < SCRIPT_ROWS)
        s->requests[s->requests_n] = strndup(c->request, length);
    s->requests_n++;
    memmove(c->request, c->request + length, c->n - length);
    c->n -= length;
    struct script_row row = s->rows[s->played < s->rows_n ? s->played : s->rows_n - 1];
    s->played++;
    if (row.reply == NULL)
        return;
    (void)pthread_mutex_unlock(&s->mutex);
    if (row.then == SCRIPT_DELAY)
        (void)usleep(100000);
    script_answer(c->fd, &row);
    if (row.then == SCRIPT_MORE || row.then == SCRIPT_DROP)
        (void)usleep(50000);
    if (row.then == SCRIPT_MORE)
        script_send(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nFORGED");
    (void)pthread_mutex_lock(&s->mutex);
    if (row.then == SCRIPT_CLOSE || row.then == SCRIPT_DROP)
        script_drop(s, at);
    s->later += row.then == SCRIPT_MORE || row.then == SCRIPT_DROP;
}

static inline void script_read(struct scripted_server *s, size_t at)
{
    struct script_connection *c = s->connections[at];
    ssize_t n = recv(c->fd, c->request + c->n, SCRIPT_REQUEST - 1 - c->n, 0);
    if (n <= 0) {
        script_drop(s, at);
        return;
    }
    c->n += (size_t)n;
    size_t length;
    while (s->connections[at] == c && (length = script_request_length(c)) > 0)
        script_play(s, at, length);
}

static inline void script_accept(struct scripted_server *s)
{
    int fd = accept(s->listener, NULL, NULL);
    if (fd < 0)
        return;
    for (size_t i = 0; i < SCRIPT_CONNECTIONS; i++) {
        if (s->connections[i] == NULL) {
            s->connections[i] = calloc(1, sizeof *s->connections[i]);
            script_require(s->connections[i] != NULL, "memory");
            s->connections[i]->fd = fd;
            s->accepted++;
            s->open++;
            s->open_peak = s->open > s->open_peak ? s->open : s->open_peak;
            return;
        }
    }
    (void)close(fd);
}

static inline void *script_serve(void *arg)
{
    struct scripted_server *s = arg;
    for (;;) {
        struct pollfd fds[SCRIPT_CONNECTIONS + 2] = {{s->stop_fd, POLLIN, 0}, {s->listener, POLLIN, 0}};
        size_t owner[SCRIPT_CONNECTIONS + 2] = {0}, n = 2;
        for (size_t i = 0; i < SCRIPT_CONNECTIONS; i++) {
            if (s->connections[i] != NULL) {
                owner[n] = i;
                fds[n++] = (struct pollfd){s->connections[i]->fd, POLLIN, 0};
            }
        }
        (void)poll(fds, n, -1);
        if (fds[0].revents != 0)
            return NULL;
        (void)pthread_mutex_lock(&s->mutex);
        for (size_t i = 2; i < n; i++)
            if (fds[i].revents != 0)
                script_read(s, owner[i]);
        if (fds[1].revents != 0)
            script_accept(s);
        (void)pthread_mutex_unlock(&s->mutex);
    }
}

static inline struct scripted_server *script_start(const struct script_row *rows, size_t rows_n)
{
    struct scripted_server *s = calloc(1, sizeof *s);
    script_require(s != NULL && rows_n > 0 && rows_n <= SCRIPT_ROWS, "script");
    memcpy(s->rows, rows, rows_n * sizeof *rows);
    s->rows_n = rows_n;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    script_require(s->listener >= 0 && s->stop_fd >= 0, "socket");
    script_require(bind(s->listener, (struct sockaddr *)&at, sizeof at) == 0, "bind");
    script_require(listen(s->listener, 64) == 0, "listen");
    script_require(getsockname(s->listener, (struct sockaddr *)&at, &length) == 0, "getsockname");
    s->port = ntohs(at.sin_port);
    script_require(pthread_mutex_init(&s->mutex, NULL) == 0, "mutex");
    script_require(pthread_create(&s->thread, NULL, script_serve, s) == 0, "thread");
    return s;
}

static inline void script_stop(struct scripted_server *s)
{
    if (s == NULL)
        return;
    script_require(eventfd_write(s->stop_fd, 1) == 0, "eventfd");
    script_require(pthread_join(s->thread, NULL) == 0, "join");
    for (size_t i = 0; i < SCRIPT_CONNECTIONS; i++)
        if (s->connections[i] != NULL)
            script_drop(s, i);
    for (size_t i = 0; i < SCRIPT_ROWS; i++)
        free(s->requests[i]);
    (void)close(s->listener);
    (void)close(s->stop_fd);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* A port of 127.0.0.1 on which nobody listens. Its socket stays, so that nobody else is given the port. */
static inline int script_dead_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    script_require(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0, "bind");
    script_require(getsockname(fd, (struct sockaddr *)&at, &length) == 0, "getsockname");
    return ntohs(at.sin_port);
}

static inline size_t script_requests(struct scripted_server *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    size_t n = s->requests_n;
    (void)pthread_mutex_unlock(&s->mutex);
    return n;
}

/* Until what SCRIPT_MORE or SCRIPT_DROP announced has been done n times. */
static inline void script_wait_later(struct scripted_server *s, size_t n)
{
    for (;;) {
        (void)pthread_mutex_lock(&s->mutex);
        size_t done = s->later;
        (void)pthread_mutex_unlock(&s->mutex);
        if (done >= n)
            return;
        (void)usleep(1000);
    }
}

/* Connections that the server holds open. */
static inline size_t script_open(struct scripted_server *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    size_t n = s->open;
    (void)pthread_mutex_unlock(&s->mutex);
    return n;
}

#endif
