/* Whose fault is it that a status cannot be changed: the order's, or xSale's for all? An order's own fault makes it wait longer and longer, xSale's makes nobody wait.
 *
 * Only orders that were changed in the end tell how well xSale works: the share of their tries that succeeded, over the last few of them. An order that can never be changed is no
 * evidence about xSale, however often it is tried. From one success to the next an order is blamed for one failure at most, and only as much as that share: where one try of ten
 * succeeds, a failure says little. What is counted before the next success is provisional, and nothing is counted while BLAME_OUTAGE_FROM orders or more have failed since the last
 * one. An order that was blamed for BLAME_FAILING_FROM failures while others succeeded is proven: it has no such doubt in its favour any more.
 * (Rejected: to count each failure whole once any other order has succeeded. In a brown-out where one try of ten succeeds the rest is blamed for it and waits up to ten minutes when
 * it is over: 442 s for the last 5 % in a simulated hour, 51 s so.)
 * Pure. All zero to begin with. Thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_BLAME_H
#define BRIDGE_PRODUCER_BLAME_H

#include <stdbool.h>
#include <stddef.h>

enum { BLAME_FAILING_FROM = 3, BLAME_OUTAGE_FROM = 3 };

struct blame {
    double succeeded, failed; /* tries of the orders that succeeded in the end; the older, the less they count */
    size_t unsure;            /* orders that failed since the last success and are not proven */
    size_t trying;            /* orders that fail and are not failing by their own fault, as far as is known */
    size_t failing;           /* those that are */
};

/* Of one order, for what is wanted of it at present. */
struct blame_row {
    double proven, own; /* failures that count against it: as of the last success, and as of now */
    unsigned tries;     /* that failed, in a row */
    bool unsure;
};

/* Returns for how many failures the order is to blame, 1 at least. */
unsigned blame_failure(struct blame *b, struct blame_row *r);
/* This order was changed. Then blame_judge every other one that is unsure. */
void blame_success(struct blame *b, struct blame_row *r);
void blame_judge(struct blame *b, struct blame_row *r);
/* The order is settled, something else is wanted of it, or it goes away. */
void blame_forget(struct blame *b, struct blame_row *r);
/* Do changes fail for all, or for most? */
bool blame_outage(const struct blame *b);

#endif
