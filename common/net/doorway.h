/* An acceptor's connections, handed to the loop: for a server that the loop drives.
 *
 * At most so many are inside at a time, those on their way to the loop included; the others wait in the socket's queue.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_DOORWAY_H
#define BRIDGE_NET_DOORWAY_H

#include <netdb.h>

#include "common/base/err.h"
#include "common/net/loop.h"

struct doorway;

/* fd is its own from here on, not blocking and closed on exec. doorway_left is owed for each, also from inside. */
typedef void doorway_fn(void *arg, int fd, const struct sockaddr *from, socklen_t from_n);

/* Listens at this address. RC_FATAL with words: the port is taken, ... */
enum rc doorway_create(struct loop *l, const struct addrinfo *at, size_t most, doorway_fn *fn, void *arg, struct doorway **out, struct err *e);
/* Closes what is on its way. NULL: nothing. */
void doorway_destroy(struct doorway *d);
/* A connection that was handed over is closed. */
void doorway_left(struct doorway *d);
int doorway_port(const struct doorway *d);

#endif
