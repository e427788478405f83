/* Is all well? The board's facts read as somebody who is tired needs them: what is wrong, why, what the bridge does about it, and what a person can do. Worst first.
 * Pure. */
#ifndef BRIDGE_CONSUMER_VERDICT_H
#define BRIDGE_CONSUMER_VERDICT_H

#include "consumer/board_facts.h"

enum verdict_level { VERDICT_WELL, VERDICT_WAITS, VERDICT_BAD };
enum {
    TROUBLES_MAX = 40,
    VERDICT_OLD_MS = 300000, /* what waits for longer is worth a look */
    VERDICT_STALE_MS = 60000 /* answers of the programs that are older are no longer the present */
};

struct trouble {
    enum verdict_level level;
    char what[300];
    char why[512];    /* "": nothing more is known */
    char doing[400];  /* what the bridge does by itself */
    const char *todo; /* what a person can do; "": nothing */
    char command[400]; /* the line to run; "": none */
};

struct verdict {
    enum verdict_level level;
    struct trouble troubles[TROUBLES_MAX + 1]; /* troubles_n; one more place to write to */
    size_t troubles_n;
    bool known;       /* the figures were made at least once */
    int64_t stale_ms; /* so long ago the programs answered, since nobody looked; 0: within VERDICT_STALE_MS */
};

void verdict_make(const struct board_facts *f, struct verdict *out);
/* The level of a program's dependencies and of what waits for a warehouse, for colours. */
enum verdict_level verdict_program(const struct program_sight *p);

#endif
