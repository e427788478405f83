#include "common/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
    size_t max = b->max;
    free(b->p);
    buf_init(b, max);
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = b->no_memory = false;
}

bool buf_failed(const struct buf *b)
{
    return b->failed;
}

/* Makes room for n bytes of content and for `zero` more that only end it: max limits the content. */
static bool grow(struct buf *b, size_t n, size_t zero)
{
    if (b->failed)
        return false;
    if (n > b->max - b->n) {
        b->failed = true;
        return false;
    }
    if (n + zero <= b->cap - b->n)
        return true;
    size_t most = b->max < SIZE_MAX ? b->max + 1 : SIZE_MAX;
    size_t cap = b->cap < 128 ? 128 : b->cap;
    while (cap - b->n < n + zero && cap < most)
        cap = cap > most / 2 ? most : cap * 2;
    if (cap > most)
        cap = most;
    unsigned char *p = realloc(b->p, cap);
    if (p == NULL) {
        b->failed = b->no_memory = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

bool buf_reserve(struct buf *b, size_t n)
{
    return grow(b, n, 0);
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || !buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_put_byte(struct buf *b, unsigned char byte)
{
    if (buf_reserve(b, 1))
        b->p[b->n++] = byte;
}

void buf_put_text(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if (!grow(b, (size_t)n, 1)) /* vsnprintf writes the zero too */
        return;
    va_start(args, format);
    (void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, format, args); /* same arguments, same length */
    va_end(args);
    b->n += (size_t)n;
}

const char *buf_text(struct buf *b)
{
    if (!grow(b, 0, 1))
        return NULL;
    b->p[b->n] = '\0';
    return (const char *)b->p;
}
