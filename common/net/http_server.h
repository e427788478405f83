/* /livez, /readyz, /metrics of a program, on libmicrohttpd. GET and HEAD only; at most 32 connections, 5 s each.
 *
 * A thread of the server's own speaks HTTP, because only somebody beside the loop can tell that the loop stands: it answers /livez by itself and hands the other
 * two to the loop, whose data they show. While the loop is late it says so in its place: /readyz is 503, /metrics shows the process and how long the turn lasts.
 * (Rejected: the loop serves all, so a probe of a stuck program only runs into its own time-out; a lock around every turn.)
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_HTTP_SERVER_H
#define BRIDGE_NET_HTTP_SERVER_H

#include "common/net/health.h"
#include "common/net/loop.h"
#include "common/net/metrics.h"

struct http_server;

/* address: an IPv4 or IPv6 address; port 0: a free one, see http_server_port. h and m are borrowed while the server lives. RC_FATAL with
 * words: the port is taken, ... Where the process may open no more files one connection at a time is served all the same. /livez is 503 when the loop's turn has lasted over 30 s; /readyz is 503 unless every dependency is up. */
enum rc http_server_create(struct loop *l, const char *address, int port, const struct health *h, const struct metrics *m,
                           struct http_server **out, struct err *e);
void http_server_destroy(struct http_server *s);

/* A JSON resource of the program's own: path ("/orders") and everything below it. rest: what follows the path and a slash, "" : nothing; decoded, at most
 * HTTP_REST_BYTES - 1 bytes. Called on the loop; bounded in time and size. Returns the HTTP status. */
enum { HTTP_REST_BYTES = 400 };
typedef unsigned http_resource_fn(void *arg, const char *rest, struct buf *out);
/* One a server; path: a literal. */
void http_server_resource(struct http_server *s, const char *path, http_resource_fn *fn, void *arg);
int http_server_port(const struct http_server *s);

#endif
