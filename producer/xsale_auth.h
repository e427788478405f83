/* The tokens of xSale: one password grant for everybody who waits, renewed shortly before the earlier of both tokens expires.
 * A login that is refused is repeated after 30 s to 15 minutes; one that failed otherwise after 1 s to 60 s. Tokens that xSale refuses although they
 * are fresh count as a refused login, so that a wrong audience does not hammer the token endpoint either. health name "xsale".
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_XSALE_AUTH_H
#define BRIDGE_PRODUCER_XSALE_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/health.h"
#include "common/net/http_client.h"
#include "common/net/loop.h"
#include "producer/xsale_client.h"

struct xsale_auth;

/* Embedded in whoever waits; zeroed before first use. */
struct xsale_auth_wait {
    struct xsale_auth_wait *next, *prev;
    loop_fn *fn;
    void *arg;
};

/* All borrowed while it lives. */
struct xsale_auth_needs {
    struct loop *loop;
    struct http_client *http;
    const struct config *config;
    struct log *log;
    struct health *health;
    xsale_count_fn *count; /* never NULL */
    void *count_arg;
    xsale_refused_fn *refused; /* never NULL: a login was refused (and will be repeated) */
    void *refused_arg;
};

/* NULL: out of memory. */
struct xsale_auth *xsale_auth_create(const struct xsale_auth_needs *needs);
/* Nobody is called any more. */
void xsale_auth_destroy(struct xsale_auth *a);

/* Usable tokens are there: the values of the two headers, borrowed until the next turn of the loop, and which login they come from (from 1). */
struct xsale_tokens {
    const char *access, *id;
    uint64_t login;
};
bool xsale_auth_tokens(struct xsale_auth *a, struct xsale_tokens *out);
/* fn is called once, from the loop, when tokens are there; starts a login when none is under way. */
void xsale_auth_wait(struct xsale_auth *a, struct xsale_auth_wait *w, loop_fn *fn, void *arg);
void xsale_auth_forget(struct xsale_auth *a, struct xsale_auth_wait *w);

/* xSale answered 401 to the tokens of this login: they are dropped, unless newer ones are there already. */
void xsale_auth_refused(struct xsale_auth *a, uint64_t login);
/* xSale took the tokens of this login. */
void xsale_auth_accepted(struct xsale_auth *a, uint64_t login);
/* Has xSale taken the tokens of this login for some call within the last minute? */
bool xsale_auth_trusted(const struct xsale_auth *a, uint64_t login);
/* The configuration's secrets changed: a login that waits is tried at once. */
void xsale_auth_again(struct xsale_auth *a);

#endif
