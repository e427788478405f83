/* One question of somebody at the page: an order's life, or whether a span adds up. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_BOARD_LOOKUP_H
#define BRIDGE_CONSUMER_BOARD_LOOKUP_H

#include <jansson.h>

#include "consumer/board_facts.h"

enum { BOARD_LOOKUPS = 16, BOARD_QUESTION = 128, BOARD_ANSWER_MS = 60000 };

enum board_lookup_kind { LOOKUP_ORDER, LOOKUP_SUM };
enum board_lookup_state { LOOKUP_WAITS, LOOKUP_RUNS, LOOKUP_DONE, LOOKUP_FAILED };

struct board_lookup {
    enum board_lookup_kind kind;
    enum board_lookup_state state;
    char text[BOARD_QUESTION];   /* the order's id or number; "FROM TO" of a span */
    int64_t wanted_at, done_at;  /* monotonic ms */
    int64_t answered_at;         /* ms since 1970 */
    char words[1000];            /* LOOKUP_FAILED: why; LOOKUP_DONE of an order without a life: what was found instead */
    json_t *life;                /* LOOKUP_ORDER: as order_life_json; NULL: none */
    struct board_totals totals;  /* LOOKUP_SUM */
};

#endif
