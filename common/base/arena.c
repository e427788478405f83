#include "common/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 8192 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t bytes; /* of data */
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_release(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
    arena_init(a);
}

void *arena_take(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    size_t step = alignof(max_align_t);
    n = n == 0 ? step : (n + step - 1) / step * step;
    if (n > a->left) {
        size_t bytes = n > CHUNK_BYTES ? n : CHUNK_BYTES;
        struct arena_chunk *chunk = calloc(1, sizeof *chunk + bytes);
        if (chunk == NULL)
            return NULL;
        chunk->bytes = bytes;
        chunk->next = a->chunks;
        a->chunks = chunk;
        a->left = bytes;
    }
    void *taken = a->chunks->data + (a->chunks->bytes - a->left);
    a->left -= n;
    return taken;
}

void *arena_take_array(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return arena_take(a, count * size);
}

char *arena_text(struct arena *a, const char *text, size_t n)
{
    if (n == SIZE_MAX)
        return NULL;
    char *copy = arena_take(a, n + 1);
    if (copy != NULL && n > 0)
        memcpy(copy, text, n);
    return copy;
}
