#include "common/net/open_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct open_socket {
    curl_socket_t fd;
    int local_port; /* 0: not known yet */
    bool http1;     /* at least one answer came, the last one in HTTP/1 */
};

static struct open_socket *row_of(struct open_sockets *s, curl_socket_t fd)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->rows[i].fd == fd)
            return &s->rows[i];
    return NULL;
}

/* libcurl 7.88 does not tell of the end of a socket that never became its connection's own (a time-out while connecting, the slower one of two addresses): its row ends when the
 * descriptor is used again, or when it is seen that there is none. */
static int on_open(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    struct open_sockets *s = arg;
    struct open_socket *stale = row_of(s, fd);
    (void)purpose;
    if (stale != NULL) {
        *stale = (struct open_socket){.fd = fd};
        return CURL_SOCKOPT_OK;
    }
    if (s->n == s->room) {
        size_t room = s->room == 0 ? 16 : 2 * s->room;
        struct open_socket *rows = realloc(s->rows, room * sizeof *rows);
        if (rows == NULL)
            return CURL_SOCKOPT_ERROR;
        s->rows = rows;
        s->room = room;
    }
    s->rows[s->n++] = (struct open_socket){.fd = fd};
    return CURL_SOCKOPT_OK;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct open_sockets *s = arg;
    struct open_socket *o = row_of(s, fd);
    if (o != NULL)
        *o = s->rows[--s->n];
    return close(fd);
}

void open_sockets_release(struct open_sockets *s)
{
    free(s->rows);
    *s = (struct open_sockets){.rows = NULL};
}

CURLcode open_sockets_note(struct open_sockets *s, CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, s);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, s);
    return code;
}

/* 0: not connected yet; -1: no socket any more. */
static int port_of(curl_socket_t fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } at;
    socklen_t n = sizeof at;
    if (getsockname(fd, &at.any, &n) != 0)
        return errno == EBADF || errno == ENOTSOCK ? -1 : 0;
    return at.any.sa_family == AF_INET ? ntohs(at.v4.sin_port) : at.any.sa_family == AF_INET6 ? ntohs(at.v6.sin6_port) : 0;
}

/* The next row of the port from *at on, or NULL; rows of sockets that are gone go. */
static struct open_socket *next_of_port(struct open_sockets *s, int local_port, size_t *at)
{
    while (*at < s->n) {
        struct open_socket *o = &s->rows[*at];
        if (o->local_port == 0)
            o->local_port = port_of(o->fd);
        if (o->local_port < 0) {
            *o = s->rows[--s->n];
            continue;
        }
        ++*at;
        if (o->local_port == local_port)
            return o;
    }
    return NULL;
}

static bool has_input(curl_socket_t fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

/* Read from the connection and not yet given to libcurl, which asks for no more than the rest of a body. */
static bool tls_has_input(CURL *easy)
{
    struct curl_tlssessioninfo *tls = NULL;
    return curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls != NULL && tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals != NULL &&
           SSL_pending((const SSL *)tls->internals) > 0;
}

bool open_sockets_quiet(struct open_sockets *s, CURL *easy, int local_port)
{
    size_t at = 0;
    struct open_socket *o;
    while ((o = next_of_port(s, local_port, &at)) != NULL)
        if (o->http1 && (has_input(o->fd) || tls_has_input(easy)))
            return false;
    return true;
}

void open_sockets_answered(struct open_sockets *s, int local_port, bool http1)
{
    size_t at = 0;
    struct open_socket *o;
    while ((o = next_of_port(s, local_port, &at)) != NULL)
        o->http1 = http1;
}
