/* Takes connections from a listening socket, in a thread of its own, and hands each on.
 *
 * libmicrohttpd 0.9.75 can listen itself, but where a process may open no more files it asks accept() again and again without a pause: one probe that waits burns a core. This one keeps
 * a descriptor back for that moment, so one connection is served even then, and waits while there is none.
 * Thread rule: create and destroy from one thread; room and take run in the acceptor's. */
#ifndef BRIDGE_NET_ACCEPTOR_H
#define BRIDGE_NET_ACCEPTOR_H

#include <netdb.h>
#include <stdbool.h>

#include "common/base/err.h"

struct acceptor;

struct acceptor_ops {
    /* May one more be taken? While it may not, the others wait in the socket's queue. */
    bool (*room)(void *arg);
    /* fd is its own from here on, not blocking and closed on exec. */
    void (*take)(void *arg, int fd, const struct sockaddr *from, socklen_t from_n);
};

/* Listens at this address; ops and arg are borrowed. RC_FATAL with words: the port is taken, ... */
enum rc acceptor_create(const struct addrinfo *at, const struct acceptor_ops *ops, void *arg, struct acceptor **out, struct err *e);
/* Waits for the thread; neither function is called any more. NULL: nothing. */
void acceptor_destroy(struct acceptor *a);
int acceptor_port(const struct acceptor *a);

#endif
