/* Memory for many small things that live and die together. Nothing is freed singly. Thread rule: one owner. */
#ifndef BRIDGE_BASE_ARENA_H
#define BRIDGE_BASE_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_chunk *chunks; /* newest first, owned */
    size_t left;                /* bytes free at the end of the newest */
};

void arena_init(struct arena *a);
/* Frees everything taken. */
void arena_release(struct arena *a);
/* n zeroed bytes, aligned for any type; n = 0 is allowed. NULL: out of memory. */
void *arena_take(struct arena *a, size_t n);
/* count things of size bytes each; NULL: out of memory or too large. */
void *arena_take_array(struct arena *a, size_t count, size_t size);
/* A terminated copy of n bytes. NULL: out of memory. */
char *arena_text(struct arena *a, const char *text, size_t n);

#endif
