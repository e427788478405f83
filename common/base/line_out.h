/* Lines to a descriptor that somebody else reads, or does not: a pipe or a terminal whose reader stopped must not stop the program. A reader that is merely slow is waited
 * for, LINE_OUT_WAIT_MS in any second at most, and one that stopped not at all until it reads again; what finds no room meanwhile is for the caller to lose, by whole lines.
 * Rejected: O_NONBLOCK, which belongs to the open file and so to every process that shares it. Left: another program that fills the same pipe between our look and
 * our write. Thread rule: one owner. */
#ifndef BRIDGE_BASE_LINE_OUT_H
#define BRIDGE_BASE_LINE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"

enum { LINE_OUT_WAIT_MS = 100 };

struct line_out {
    int fd; /* borrowed */
    const struct clock *clock;
    bool may_block;    /* no regular file */
    bool stopped;      /* the last wait was in vain */
    const char *rest;  /* of the last line, rest_n bytes that found no room yet; borrowed */
    size_t rest_n;
    int64_t second;    /* when the present second of waiting began, monotonic */
    int64_t wait_left; /* ms in it */
};

void line_out_init(struct line_out *o, int fd, const struct clock *clock);
/* Is there room for a line now? false: not even for the rest of the last one. */
bool line_out_ready(struct line_out *o);
/* After line_out_ready said true. The bytes stay as they are until it says so again: what finds no room is written then. */
void line_out_put(struct line_out *o, const char *line, size_t n);

#endif
