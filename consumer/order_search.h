/* An order's life by what a person knows of it: its id, its number, or the shop's own. By the id one partition of each topic is read
 * (where xsale.organization says whose); by the number the orders topic is read first, for records that hold it as text, then as by the id.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ORDER_SEARCH_H
#define BRIDGE_CONSUMER_ORDER_SEARCH_H

#include "common/contract/order_key.h"
#include "common/program/program.h"
#include "consumer/order_life.h"

enum { ORDER_SEARCH_FOUND = 20 };

struct order_search_result {
    enum rc rc;               /* RC_OK; RC_RETRY: the topics could not be read, words say why */
    struct order_life *life;  /* borrowed; NULL: no such order, or several */
    char keys[ORDER_SEARCH_FOUND][ORDER_KEY_BYTES]; /* keys_n: of the order; several with that number or in several organizations; none */
    size_t keys_n;
    char words[512];
};

struct order_search;
typedef void order_search_fn(void *arg, const struct order_search_result *r); /* once, not from inside create */

/* asked: copied, cut. from: ms since 1970, SCAN_TIME_BEGINNING: everything that is kept. */
enum rc order_search_create(struct program *p, const char *asked, int64_t from, order_search_fn *done, void *arg, struct order_search **out, struct err *e);
void order_search_destroy(struct order_search *s); /* not from inside done; NULL is a no-op */

#endif
