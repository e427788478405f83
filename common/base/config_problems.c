#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/config.h"

struct told {
    const char *text; /* n bytes with their newline, inside the problems' text */
    size_t n;
    long line; /* LONG_MAX: not of the file */
    size_t came;
};

static long line_of(const char *text, size_t n, const char *file)
{
    size_t m = file != NULL ? strlen(file) : 0;
    long line = 0;
    if (m == 0 || n <= m || memcmp(text, file, m) != 0 || text[m] != ':')
        return LONG_MAX;
    size_t at = m + 1;
    for (; at < n && text[at] >= '0' && text[at] <= '9' && line < 100000000; at++)
        line = line * 10 + (text[at] - '0');
    return at > m + 1 && at < n && text[at] == ':' ? line : LONG_MAX;
}

static int by_line(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->came < y->came ? -1 : x->came > y->came;
}

void config_problems_sort(struct config_problems *problems, const char *file)
{
    struct buf *text = &problems->text, sorted;
    size_t n = 0, room = 1;
    for (size_t i = 0; i < text->n; i++)
        room += text->p[i] == '\n';
    struct told *all = calloc(room, sizeof *all);
    buf_init(&sorted, text->max);
    for (size_t at = 0; all != NULL && at < text->n; n++) {
        const char *begin = (const char *)text->p + at, *end = memchr(begin, '\n', text->n - at);
        size_t length = end != NULL ? (size_t)(end - begin) + 1 : text->n - at;
        all[n] = (struct told){begin, length, line_of(begin, length, file), n};
        at += length;
    }
    if (n > 1)
        qsort(all, n, sizeof *all, by_line);
    for (size_t i = 0; i < n; i++)
        buf_put(&sorted, all[i].text, all[i].n);
    if (n > 0 && !buf_failed(&sorted) && sorted.n == text->n)
        memcpy(text->p, sorted.p, sorted.n);
    buf_release(&sorted);
    free(all);
}
