/* What the running programs have in hand, asked at their HTTP ports: GET /orders, or GET /orders/<organization>/<orderId>. Who does not answer within IN_HAND_MS is passed
 * over and named. Nothing is believed beyond its bounds; common/contract/order_listing.h says what they answer. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_IN_HAND_H
#define BRIDGE_CONSUMER_IN_HAND_H

#include "common/contract/order_key.h"
#include "common/program/program.h"

enum { IN_HAND_MS = 3000, IN_HAND_PROGRAMS_MAX = 64, IN_HAND_ORDERS_MAX = 1000 /* of one program */ };

struct in_hand_order {
    char key[ORDER_KEY_BYTES], warehouse[64];
    char state[24];       /* "queued", "flying", "parked", "held" (erp-consumer), "imported-wanted", "manual-wanted" (updater), "open", "closed" (producer) */
    char words[300];      /* why; "" : nothing more is known */
    int64_t publication;
    int64_t since;        /* ms since 1970; -1: not told */
    int64_t next_in;      /* ms; -1: not told */
    int64_t tries;        /* -1: not told */
};

struct in_hand_program {
    char at[280];         /* HOST:PORT */
    char program[32], warehouse[64];
    char paused[300];     /* why nothing is tried; "" : it goes on */
    char words[200];      /* "" : it answered; else why not */
    struct in_hand_order *orders; /* orders_n */
    size_t orders_n;
    uint64_t more;        /* in hand, not listed */
};

struct in_hand { /* on the heap */
    struct in_hand_program *programs; /* programs_n; owned */
    size_t programs_n;
};

void in_hand_release(struct in_hand *h); /* frees h too; NULL is a no-op */
/* NULL: nobody has it. warehouse: NULL: any. *program: who has it; may be NULL. */
const struct in_hand_order *in_hand_find(const struct in_hand *h, const char *key, const char *warehouse, const struct in_hand_program **program);

/* A comma list of HOST:PORT; NULL: nothing to check. RC_REJECT: words. */
enum rc in_hand_places_check(const char *places, struct err *e);

struct in_hand_ask;
typedef void in_hand_fn(void *arg, struct in_hand *h); /* h: taken over; once, on the loop, not from inside in_hand_ask_create */

/* Asks the ports that the configuration names at http.address, and those in `more` (comma list of HOST:PORT, NULL: none). key: about this order only; NULL: all.
 * RC_REJECT: `more` is wrong. */
enum rc in_hand_ask_create(struct program *p, const char *more, const char *key, in_hand_fn *done, void *arg, struct in_hand_ask **out, struct err *e);
void in_hand_ask_destroy(struct in_hand_ask *a); /* allowed from inside done; NULL is a no-op */

#endif
