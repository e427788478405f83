/* One complete poll of the orders in the new statuses: page after page, until a page is empty or brings only orders that this poll has already brought. Of orders that cannot be
 * remembered nobody knows that: a page with such orders never ends the poll, but after POLLER_UNSURE_PAGES pages in a row without anything new the poll has failed. A page
 * that fails or is cut is asked for again as a whole; it never ends the poll (health "polling" is down meanwhile and says why). Pages are handed out in their order,
 * order by order, a bounded number in a turn of the loop; whoever takes them may make the poller wait. After a full page up to xsale.parallel_pages further ones are
 * asked for ahead, where pages have numbers and the quota is not used up; what was asked for past the end is dropped.
 * Memory: one page and those ahead. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_POLLER_H
#define BRIDGE_PRODUCER_POLLER_H

#include "common/base/log.h"
#include "common/contract/page.h"
#include "common/net/health.h"
#include "producer/xsale_client.h"

struct poller;

enum { POLLER_UNSURE_PAGES = 1000 };

enum poller_taken {
    POLLER_FRESH,    /* taken, first time in this poll */
    POLLER_REPEATED, /* this poll has brought it already */
    POLLER_UNSURE,   /* taken, but not remembered: perhaps this poll has brought it already */
    POLLER_WAIT      /* not now: the same order comes again after poller_resume */
};

struct poller_ops {
    /* tape and node: the order, borrowed for the call. */
    enum poller_taken (*order)(void *arg, const struct json_tape *tape, uint32_t node);
    void (*page)(void *arg, size_t orders); /* a whole page was taken; may be NULL */
    void (*complete)(void *arg);            /* every page was; the poller may be destroyed from inside */
    /* Instead of complete: the pages did not come to an end. Nothing may be concluded from what was not shown. The poller may be destroyed from inside. */
    void (*failed)(void *arg, const char *words);
};

/* All borrowed while it lives; ops too. NULL: out of memory. */
struct poller *poller_create(struct loop *l, struct xsale_client *x, const struct config *c, struct log *log, struct health *h,
                             const struct poller_ops *ops, void *arg);
void poller_destroy(struct poller *p);

/* Begins a poll; none may be under way. */
void poller_start(struct poller *p);
void poller_resume(struct poller *p);
bool poller_busy(const struct poller *p);

#endif
