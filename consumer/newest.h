/* The newest publication of what stands more than once in a stretch of the orders topic, by order and warehouse. It answers whether a newer
 * publication stands behind a load before that one is in hand.
 *
 * A key seen for the first time costs two bits of a filter; only what the filter has seen before (by mistake at most one key in some hundred) takes 16
 * bytes: a million waiting orders that were published once each take 2 MB. So what is asked about must have been noted too.
 * Keys are told apart by 64 bits of XXH3: with a million keys the chance that any two are mixed up, and a load is taken for outdated by another order's
 * publication, is 3 in 100,000,000.
 * Pure; thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_NEWEST_H
#define BRIDGE_CONSUMER_NEWEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct newest;

/* most: keys that are kept, >= 1. NULL: out of memory. */
struct newest *newest_create(size_t most);
void newest_destroy(struct newest *n); /* NULL is a no-op */

/* A publication (> 0) of the order with that key for that warehouse (key_n and warehouse_n bytes). false: there are `most` keys already, or no memory,
 * and nothing is noted of this one. */
bool newest_note(struct newest *n, const void *key, size_t key_n, const char *warehouse, size_t warehouse_n, int64_t publication);
/* 0: not known to stand more than once. */
int64_t newest_publication(const struct newest *n, const void *key, size_t key_n, const char *warehouse, size_t warehouse_n);
/* Keys kept. */
size_t newest_count(const struct newest *n);

#endif
