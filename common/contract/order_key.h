/* The key of a record, "<organization>/<orderId>". Equal orders have equal keys: an id has one spelling only. Pure. */
#ifndef BRIDGE_CONTRACT_ORDER_KEY_H
#define BRIDGE_CONTRACT_ORDER_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORDER_KEY_BYTES = 280 }; /* organization (255 at most), '/', 19 digits, zero */

/* Length of the key; 0: the organization is empty, too long or holds '/' , or id < 1. */
size_t order_key_format(char out[ORDER_KEY_BYTES], const char *organization, int64_t order_id);
/* key: n bytes, not terminated. false: not such a key. organization: borrowed, organization_n bytes. */
bool order_key_parse(const void *key, size_t n, const char **organization, size_t *organization_n, int64_t *order_id);

#endif
