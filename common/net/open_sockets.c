#include "common/net/open_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct open_socket {
    curl_socket_t fd;
    int local_port; /* 0: not asked for yet */
    bool http1;     /* at least one answer came, the last one in HTTP/1 */
};

static int on_open(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    struct open_sockets *s = arg;
    (void)purpose;
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
    for (size_t i = 0; i < s->n; i++) {
        if (s->rows[i].fd == fd) {
            s->rows[i] = s->rows[--s->n];
            break;
        }
    }
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

/* 0: not connected yet. */
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
        return 0;
    return at.any.sa_family == AF_INET ? ntohs(at.v4.sin_port) : at.any.sa_family == AF_INET6 ? ntohs(at.v6.sin6_port) : 0;
}

static bool has_port(struct open_socket *o, int local_port)
{
    if (o->local_port == 0)
        o->local_port = port_of(o->fd);
    return o->local_port == local_port;
}

bool open_sockets_quiet(struct open_sockets *s, int local_port)
{
    char byte;
    for (size_t i = 0; i < s->n; i++) {
        struct open_socket *o = &s->rows[i];
        if (has_port(o, local_port) && o->http1 && (recv(o->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR)))
            return false;
    }
    return true;
}

void open_sockets_answered(struct open_sockets *s, int local_port, bool http1)
{
    for (size_t i = 0; i < s->n; i++)
        if (has_port(&s->rows[i], local_port))
            s->rows[i].http1 = http1;
}
