#include "common/contract/order_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ORGANIZATION_BYTES = 255, ID_DIGITS = 19 };

size_t order_key_format(char out[ORDER_KEY_BYTES], const char *organization, int64_t order_id)
{
    size_t n = strnlen(organization, ORGANIZATION_BYTES + 1);
    if (n == 0 || n > ORGANIZATION_BYTES || memchr(organization, '/', n) != NULL || order_id < 1)
        return 0;
    int made = snprintf(out, ORDER_KEY_BYTES, "%s/%" PRId64, organization, order_id);
    return made > 0 && made < ORDER_KEY_BYTES ? (size_t)made : 0;
}

/* 1 to INT64_MAX as order_key_format writes it: one spelling only, since equal orders must have equal keys. */
static bool parse_id(const char *p, size_t n, int64_t *out)
{
    int64_t id = 0;
    if (n == 0 || n > ID_DIGITS || p[0] == '0')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || id > (INT64_MAX - (p[i] - '0')) / 10)
            return false;
        id = id * 10 + (p[i] - '0');
    }
    *out = id;
    return true;
}

bool order_key_parse(const void *key, size_t n, const char **organization, size_t *organization_n, int64_t *order_id)
{
    const char *text = key, *slash = n == 0 ? NULL : memchr(key, '/', n);
    if (slash == NULL)
        return false;
    size_t front = (size_t)(slash - text);
    if (front == 0 || front > ORGANIZATION_BYTES || memchr(text, '\0', front) != NULL)
        return false;
    if (!parse_id(slash + 1, n - front - 1, order_id))
        return false;
    *organization = text;
    *organization_n = front;
    return true;
}
