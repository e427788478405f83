#include "common/contract/publication.h"

bool publication_possible(int64_t publication)
{
    return publication >= 0 && publication <= PUBLICATION_MAX;
}

int64_t publication_parse(const void *text, size_t n)
{
    const char *p = text;
    int64_t value = 0;
    if (p == NULL)
        return 0;
    for (const char *end = p + n; p < end; p++) {
        if (*p < '0' || *p > '9')
            return 0;
        value = value * 10 + (*p - '0');
        if (!publication_possible(value))
            return 0;
    }
    return value;
}
