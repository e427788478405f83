/* What xSale calls things: the statuses of an account and its organizations, from their documents, and the three kinds of status that the
 * configuration names. Pure. */
#ifndef BRIDGE_PRODUCER_XSALE_NAMES_H
#define BRIDGE_PRODUCER_XSALE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/config.h"
#include "common/base/err.h"
#include "producer/xsale_client.h"

struct xsale_names {
    struct xsale_status *all; /* all_n, owned, names too */
    size_t all_n;
    struct xsale_status *fresh; /* fresh_n: the new ones, in the order of the configuration; owned, names too */
    size_t fresh_n;
    int64_t imported, manual;
};

/* names: zeroed. text: GET /statuses, an array of objects with Id and Name, or an object with one such array in it. RC_RETRY: no such document (words).
 * RC_FATAL: out of memory. */
enum rc xsale_names_parse(struct xsale_names *names, const char *text, size_t n, struct err *e);
void xsale_names_release(struct xsale_names *names);
/* Resolves the configured names. RC_FATAL: one is unknown (words list those that exist), or two kinds are the same status. */
enum rc xsale_names_resolve(struct xsale_names *names, const struct config *c, struct err *e);
/* now: the statuses as they are today; taken over into names (now is empty afterwards), by id, the new names too. RC_REJECT: a configured one has another name or
 * is gone (words). */
enum rc xsale_names_follow(struct xsale_names *names, struct xsale_names *now, const struct config *c, struct err *e);
const struct xsale_status *xsale_names_find(const struct xsale_names *names, const char *name);

/* text: GET /me. RC_OK: *organization is the only one's name, owned by the caller. RC_FATAL: none or several (words list them). RC_RETRY: no such document. */
enum rc xsale_names_organization(const char *text, size_t n, char **organization, struct err *e);

#endif
