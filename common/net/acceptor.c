#define _GNU_SOURCE /* accept4 */

#include "common/net/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/net/thread.h"

enum { BACKLOG = 128, FULL_MS = 20, NO_FILES_MS = 200, STACK_BYTES = 64 * 1024 };

struct acceptor {
    const struct acceptor_ops *ops;
    void *arg;
    int fd;    /* listening */
    int end;   /* an eventfd: rung once, for the thread to end */
    int spare; /* kept back; -1: lent, or there is none. The thread's */
    int port;
    pthread_t thread;
    bool runs;
};

static int spare_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* false: the end was rung. */
static bool pause_for(const struct acceptor *a, int ms)
{
    struct pollfd end = {.fd = a->end, .events = POLLIN};
    return poll(&end, 1, ms) <= 0;
}

/* false: the end was rung. Otherwise a connection may be there. */
static bool wait_for_one(const struct acceptor *a)
{
    struct pollfd both[] = {{.fd = a->end, .events = POLLIN}, {.fd = a->fd, .events = POLLIN}};
    return poll(both, 2, a->spare >= 0 ? -1 : NO_FILES_MS) <= 0 || both[0].revents == 0;
}

static bool is_limit(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* One connection; -1 with errno. */
static int take_one(struct acceptor *a, struct sockaddr_storage *from, socklen_t *from_n)
{
    int fd = accept4(a->fd, (struct sockaddr *)from, from_n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 || !is_limit(errno) || a->spare < 0)
        return fd;
    (void)close(a->spare); /* only kept back */
    a->spare = -1;
    return accept4(a->fd, (struct sockaddr *)from, from_n, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void *run(void *arg)
{
    struct acceptor *a = arg;
    for (;;) {
        struct sockaddr_storage from;
        socklen_t from_n = sizeof from;
        if (a->spare < 0)
            a->spare = spare_open(); /* before anybody else: else the next probe may find nothing left */
        if (!a->ops->room(a->arg)) {
            if (!pause_for(a, FULL_MS))
                return NULL;
            continue;
        }
        if (!wait_for_one(a))
            return NULL;
        int fd = take_one(a, &from, &from_n);
        if (fd >= 0)
            a->ops->take(a->arg, fd, (const struct sockaddr *)&from, from_n);
        else if (is_limit(errno) && !pause_for(a, NO_FILES_MS))
            return NULL;
    }
}

static enum rc start_thread(struct acceptor *a, struct err *e)
{
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (code == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES); /* refused: the usual size */
        code = thread_start(&a->thread, &attributes, run, a);
        (void)pthread_attr_destroy(&attributes);
    }
    a->runs = code == 0;
    if (code != 0)
        err_set(e, "no thread: %s", strerror(code));
    return code == 0 ? RC_OK : RC_FATAL;
}

/* false: errno. */
static bool listen_at(struct acceptor *a, const struct addrinfo *at)
{
    int on = 1;
    struct sockaddr_storage bound;
    socklen_t n = sizeof bound;
    if ((a->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
        return false;
    if (at->ai_family == AF_INET6 && setsockopt(a->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return false;
    if (setsockopt(a->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(a->fd, at->ai_addr, at->ai_addrlen) != 0 ||
        listen(a->fd, BACKLOG) != 0 || getsockname(a->fd, (struct sockaddr *)&bound, &n) != 0)
        return false;
    a->port = ntohs(bound.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&bound)->sin6_port : ((const struct sockaddr_in *)&bound)->sin_port);
    return true;
}

enum rc acceptor_create(const struct addrinfo *at, const struct acceptor_ops *ops, void *arg, struct acceptor **out, struct err *e)
{
    struct acceptor *a = calloc(1, sizeof *a);
    if (a == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    a->ops = ops;
    a->arg = arg;
    a->fd = a->spare = -1;
    a->end = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    enum rc rc = RC_FATAL;
    if (a->end < 0 || !listen_at(a, at) || (a->spare = spare_open()) < 0)
        err_set(e, "%s", strerror(errno));
    else
        rc = start_thread(a, e);
    if (rc == RC_OK)
        *out = a;
    else
        acceptor_destroy(a);
    return rc;
}

void acceptor_destroy(struct acceptor *a)
{
    if (a == NULL)
        return;
    if (a->runs) {
        (void)eventfd_write(a->end, 1); /* cannot fail: it was never rung */
        (void)pthread_join(a->thread, NULL);
    }
    const int all[] = {a->fd, a->end, a->spare};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] >= 0)
            (void)close(all[i]);
    free(a);
}

int acceptor_port(const struct acceptor *a)
{
    return a->port;
}
