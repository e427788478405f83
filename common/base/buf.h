/* A growing byte buffer with a limit. A failure (limit or memory) is sticky: writers append without checking each
 * call and ask buf_failed() once at the end; a failed buffer takes no more bytes. Thread rule: one owner. */
#ifndef BRIDGE_BASE_BUF_H
#define BRIDGE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    unsigned char *p; /* n bytes, owned; not terminated */
    size_t n;
    size_t cap;
    size_t max; /* n never passes this */
    bool failed;
    bool no_memory; /* it failed for want of memory, not at its limit */
};

/* Starts empty; allocates nothing yet. max: bytes. */
void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buffer may be used again (same max). */
void buf_release(struct buf *b);
/* Empty again, failure forgotten, memory kept. */
void buf_reset(struct buf *b);
bool buf_failed(const struct buf *b);

/* Makes room for n more bytes behind the end; false: failed. */
bool buf_reserve(struct buf *b, size_t n);
/* Appends n bytes. */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_byte(struct buf *b, unsigned char byte);
void buf_put_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Terminates with a zero byte that is not counted in n and returns the text; NULL when failed. */
const char *buf_text(struct buf *b);

#endif
