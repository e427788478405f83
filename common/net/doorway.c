#include "common/net/doorway.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/net/acceptor.h"

struct arrival {
    int fd;
    socklen_t from_n;
    struct sockaddr_storage from;
};

struct doorway {
    struct loop *loop;
    doorway_fn *fn;
    void *arg;
    struct acceptor *acceptor;
    struct loop_watch watch;
    int bell; /* an eventfd: rung by the acceptor's thread */
    size_t most;
    pthread_mutex_t lock; /* of what follows */
    size_t inside, arrived_n; /* inside: the arrived included */
    struct arrival arrived[]; /* most of them */
};

/* acceptor_ops.room: nobody else lets one in, so there is room still when it is taken. */
static bool has_room(void *arg)
{
    struct doorway *d = arg;
    (void)pthread_mutex_lock(&d->lock);
    bool room = d->inside < d->most;
    (void)pthread_mutex_unlock(&d->lock);
    return room;
}

/* acceptor_ops.take */
static void take(void *arg, int fd, const struct sockaddr *from, socklen_t from_n)
{
    struct doorway *d = arg;
    (void)pthread_mutex_lock(&d->lock);
    struct arrival *a = &d->arrived[d->arrived_n++];
    d->inside++;
    a->fd = fd;
    a->from_n = from_n;
    memcpy(&a->from, from, from_n);
    (void)pthread_mutex_unlock(&d->lock);
    (void)eventfd_write(d->bell, 1); /* fails only when the loop is to be woken already */
}

static const struct acceptor_ops acceptor_ops = {has_room, take};

static bool next_arrival(struct doorway *d, struct arrival *out)
{
    (void)pthread_mutex_lock(&d->lock);
    bool any = d->arrived_n > 0;
    if (any)
        *out = d->arrived[--d->arrived_n];
    (void)pthread_mutex_unlock(&d->lock);
    return any;
}

/* loop_ready_fn */
static bool on_bell(void *arg)
{
    struct doorway *d = arg;
    struct arrival a;
    eventfd_t count;
    (void)eventfd_read(d->bell, &count); /* fails when nobody rang: a glance */
    while (next_arrival(d, &a))
        d->fn(d->arg, a.fd, (const struct sockaddr *)&a.from, a.from_n);
    return false;
}

void doorway_left(struct doorway *d)
{
    (void)pthread_mutex_lock(&d->lock);
    d->inside--;
    (void)pthread_mutex_unlock(&d->lock);
}

enum rc doorway_create(struct loop *l, const struct addrinfo *at, size_t most, doorway_fn *fn, void *arg, struct doorway **out, struct err *e)
{
    struct doorway *d = calloc(1, sizeof *d + most * sizeof *d->arrived);
    if (d == NULL || pthread_mutex_init(&d->lock, NULL) != 0) {
        free(d);
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    d->loop = l;
    d->fn = fn;
    d->arg = arg;
    d->most = most;
    enum rc rc = RC_FATAL;
    if ((d->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
        err_set(e, "%s", strerror(errno));
        goto out;
    }
    loop_watch_add(l, &d->watch, d->bell, on_bell, d);
    if ((rc = acceptor_create(at, &acceptor_ops, d, &d->acceptor, e)) != RC_OK)
        goto out;
    *out = d;
    d = NULL;
out:
    doorway_destroy(d);
    return rc;
}

void doorway_destroy(struct doorway *d)
{
    struct arrival a;
    if (d == NULL)
        return;
    loop_watch_remove(d->loop, &d->watch);
    acceptor_destroy(d->acceptor); /* nobody arrives any more */
    while (next_arrival(d, &a))
        (void)close(a.fd);
    if (d->bell >= 0)
        (void)close(d->bell);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

int doorway_port(const struct doorway *d)
{
    return acceptor_port(d->acceptor);
}
