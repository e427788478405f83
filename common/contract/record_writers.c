#include "common/contract/record_writers.h"

struct record_writer *record_writers_get(struct record_writers *ws, const struct schema *s)
{
    size_t at = 0;
    for (size_t i = 0; i < RECORD_WRITERS_KEPT && ws->kept[at].schema != s; i++)
        if (ws->kept[i].schema == s || ws->used[i] < ws->used[at])
            at = i;
    ws->used[at] = ++ws->uses;
    if (ws->kept[at].schema != s) {
        record_writer_release(&ws->kept[at]);
        record_writer_init(&ws->kept[at], s);
    }
    return &ws->kept[at];
}

void record_writers_release(struct record_writers *ws)
{
    for (size_t i = 0; i < RECORD_WRITERS_KEPT; i++)
        record_writer_release(&ws->kept[i]);
    *ws = (struct record_writers){0};
}
