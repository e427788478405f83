/* How far a long piece of work has come, on one line of standard error that is written over; nothing where that is no terminal.
 * "[############--------] 1,200 of 2,000, 200 a second, 4 s left". Thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_PROGRESS_H
#define BRIDGE_CONSUMER_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum { PROGRESS_CELLS = 20 };

struct progress {
    int64_t begun; /* monotonic ms */
    size_t total;
    bool terminal, shown;
};

void progress_begin(struct progress *p, size_t total, int64_t now);
void progress_show(struct progress *p, size_t done, int64_t now);
/* Takes the line away again. */
void progress_end(struct progress *p);
/* The line for `done` of `total` after elapsed ms: pure. Rate and time left once something is done. */
void progress_line(size_t done, size_t total, int64_t elapsed, struct buf *out);

#endif
