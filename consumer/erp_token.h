/* The bearer token of an ERP that wants OAuth 2.0 client credentials (RFC 6749, 4.4): asked for when it is first needed, kept until shortly before its end,
 * one request at a time for all who wait. Nothing of it is ever logged.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ERP_TOKEN_H
#define BRIDGE_CONSUMER_ERP_TOKEN_H

#include "common/base/config.h"
#include "common/net/http_client.h"

struct erp_token;

/* A token is there (words NULL), or it could not be had: words say why, retry_after_ms is the endpoint's wish (-1: none). On the loop. */
typedef void erp_token_fn(void *arg, const char *words, int64_t retry_after_ms);

/* Is erp.http.token_url set? */
bool erp_token_wanted(const struct config *c);
void erp_token_check(const struct config *c, struct config_problems *problems);

/* client: used for the requests, borrowed like the rest. told: once after each erp_token_ask. NULL: out of memory. */
struct erp_token *erp_token_create(struct loop *l, struct config *c, struct http_client *client, erp_token_fn *told, void *arg);
/* Before the client. told is not called any more; NULL is a no-op. */
void erp_token_destroy(struct erp_token *t);

/* The header's value ("Bearer ..."), borrowed until the next turn; NULL: none that is still good. *number: which one. */
const char *erp_token_value(const struct erp_token *t, unsigned *number);
/* Asks for one; while a question is under way nothing more happens. */
void erp_token_ask(struct erp_token *t);
/* The ERP refused the token of that number: it is not used again. */
void erp_token_refused(struct erp_token *t, unsigned number);

#endif
