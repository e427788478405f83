/* The operator's page asks here. One pass over the topics at a time, shared by all who look and not begun more often than `every`, nor than a quarter of the time
 * (a pass of 20 s is followed by 60 s of rest); none while nobody looks. Look-ups wait in line for the same turn, at most BOARD_LOOKUPS of them; one that was answered
 * less than a minute ago is not made again. A pass that lasts longer than BOARD_PASS_MS is given up. Memory: that of one pipeline during a pass (pipeline.h: some
 * 500 MB at the very most, 200 bytes an order), else under 10 MB. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_BOARD_H
#define BRIDGE_CONSUMER_BOARD_H

#include "consumer/board_facts.h"
#include "consumer/board_lookup.h"

enum { BOARD_PASS_MS = 180000, BOARD_LOOKED_MS = 60000, BOARD_PROGRAMS_MS = 4000 };

struct board;

struct board_desc {
    struct program *program;
    int64_t span_ms;    /* orders of so long ago to now; 0: everything that is kept */
    int64_t every_ms;
    const char *at;     /* more programs, comma list of HOST:PORT; NULL: none */
    const char *groups; /* as pipeline_span.groups; NULL */
};

/* RC_REJECT: at or groups are wrong. RC_FATAL: configuration or memory. */
enum rc board_create(const struct board_desc *d, struct board **out, struct err *e);
void board_destroy(struct board *b); /* NULL is a no-op */

/* Somebody looks. The facts are the board's, valid until the loop turns. */
const struct board_facts *board_look(struct board *b);
/* The look-up of that kind and text, begun when need be; NULL: too many wait. Valid until the loop turns. */
const struct board_lookup *board_find(struct board *b, enum board_lookup_kind kind, const char *text);

#endif
