#include "common/contract/warehouse_set.h"

#include <string.h>

bool warehouse_name_valid(const char *name, size_t n)
{
    if (n == 0 || n >= ORDER_WAREHOUSE_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7f || c == ',' || c == '/')
            return false;
    }
    return true;
}

/* Below, equal or above 0 as the name in the set stands before, is, or stands behind the one asked for. */
static int compare(const char *have, const char *name, size_t n)
{
    size_t have_n = strlen(have);
    int c = memcmp(have, name, have_n < n ? have_n : n);
    return c != 0 ? c : (have_n > n) - (have_n < n);
}

/* Index of the first name that does not stand before the one asked for. */
static size_t find(const struct warehouse_set *s, const char *name, size_t n, bool *there)
{
    size_t low = 0, high = s->n;
    *there = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = compare(s->names[middle], name, n);
        if (c == 0) {
            *there = true;
            return middle;
        }
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool warehouse_set_add(struct warehouse_set *s, const char *name, size_t n)
{
    if (!warehouse_name_valid(name, n))
        return false;
    bool there;
    size_t at = find(s, name, n, &there);
    if (there)
        return true;
    if (s->n == ORDER_WAREHOUSES)
        return false;
    memmove(s->names[at + 1], s->names[at], (s->n - at) * sizeof s->names[0]);
    memcpy(s->names[at], name, n);
    memset(s->names[at] + n, 0, sizeof s->names[0] - n);
    s->n++;
    return true;
}

void warehouse_set_copy(struct warehouse_set *to, const struct warehouse_set *from)
{
    to->n = from->n;
    memcpy(to->names, from->names, from->n * sizeof from->names[0]);
}

bool warehouse_set_has(const struct warehouse_set *s, const char *name)
{
    bool there;
    (void)find(s, name, strlen(name), &there);
    return there;
}

bool warehouse_set_join(struct warehouse_set *s, const struct warehouse_set *from)
{
    bool all = true;
    for (size_t i = 0; i < from->n; i++)
        all = warehouse_set_add(s, from->names[i], strlen(from->names[i])) && all;
    return all;
}

void warehouse_set_print(const struct warehouse_set *s, struct buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        if (i > 0)
            buf_put_byte(out, ',');
        buf_put_text(out, s->names[i]);
    }
}

enum rc warehouse_set_parse(struct warehouse_set *s, const char *list, size_t n, struct err *e)
{
    struct warehouse_set made;
    made.n = 0;
    const char *p = list, *end = list + n;
    while (n > 0) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma != NULL ? comma : end;
        if (!warehouse_set_add(&made, p, (size_t)(stop - p))) {
            err_set(e, "list of warehouses: bad or too many names at byte %zu", (size_t)(p - list));
            return RC_REJECT;
        }
        if (comma == NULL)
            break;
        p = comma + 1;
    }
    warehouse_set_copy(s, &made);
    return RC_OK;
}
