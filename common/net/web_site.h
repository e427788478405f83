/* A site of pages for a browser, made when they are asked for: GET and HEAD only, on libmicrohttpd driven by the loop; a thread of its own only
 * takes connections (acceptor.h: one is served even where the process may open no more files). Nothing is ever
 * waited for inside a page: what is not known yet is shown as such, and the browser asks again.
 *
 * Who may read: with a token everybody who sends it, as "Authorization: Bearer TOKEN" or as the password of basic authentication (any user), which a browser asks for.
 * Without a token the address must be loopback, and the Host header must say so too (web_guard.h).
 *
 * Every answer forbids storing, guessing of types, framing, referrers, and every source but this site's own; styles and scripts need the request's nonce.
 * At most 32 connections, 10 s without a byte ends one; a page has at most WEB_PAGE_MAX bytes: 32 MB in all at worst. Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_WEB_SITE_H
#define BRIDGE_NET_WEB_SITE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/net/loop.h"

enum { WEB_PAGE_MAX = 1024 * 1024, WEB_NONCE_BYTES = 33 };

struct web_site;

struct web_request { /* borrowed during the call */
    const char *path;
    const char *nonce;
    void *connection;
};

/* A parameter of the query, decoded; NULL: none of that name, or not UTF-8, or a zero byte in it. */
const char *web_request_value(const struct web_request *r, const char *name);

struct web_page {
    const char *path; /* "/"; the last row may have NULL: every other path */
    const char *type; /* Content-Type */
    unsigned (*print)(void *arg, const struct web_request *r, struct buf *out); /* returns the HTTP status */
};

struct web_site_desc {
    const char *address; /* an IP address */
    int port;            /* 0: a free one */
    const char *(*token)(void *arg); /* asked for with each request; "": none */
    const struct web_page *pages; /* pages_n, borrowed while the site lives */
    size_t pages_n;
    void *arg;
};

/* RC_REJECT: no token, and the address is not loopback, or a token that is too short. RC_FATAL: the port is taken, ... */
enum rc web_site_create(struct loop *l, const struct web_site_desc *d, struct web_site **out, struct err *e);
void web_site_destroy(struct web_site *s); /* NULL is a no-op */
int web_site_port(const struct web_site *s);

#endif
