/* Orders that a complete poll did not show although they are open, or closed while a warehouse has not answered: each is looked at (GET one) before anything is
 * believed, one at a time within the quota. Still in a new status: pages shifted, nothing happens. In the status that our updater wants or has set: it was faster.
 * Anything else is a person's doing (or the order is gone): the order is withdrawn.
 *
 * Rows that the updater wrote before it set the status must be known before a look is judged, so the ledger is read to its end after each look that matters.
 * While a row waits for a schema that is not to be had nothing is looked at or judged, and the polls go on.
 * What a look costs: looks that are not the first of an order have a tenth of the quota; a poll makes LEAST_LOOKS, more only until the next one is due.
 *
 * xsale.order_path may be a guess. It is proven by a look at an order that a page listed (absence_prove); until then "there is no such order" is not believed.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_ABSENCE_H
#define BRIDGE_PRODUCER_ABSENCE_H

#include "common/base/log.h"
#include "common/contract/order_encoder.h"
#include "common/net/health.h"
#include "producer/order_book.h"
#include "producer/schema_reader.h"
#include "producer/xsale_client.h"

struct absence;

struct absence_needs { /* borrowed while it lives */
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct xsale_client *xsale;
    struct order_encoder *encoder; /* of the mapping; used between start and done, and by nobody else then */
    struct order_book *book;
    struct schema_reader *ledger; /* read to its end once */
    bool all;                     /* make every first look, however long it takes */
};

struct absence_ops {
    /* Publish this withdrawal: facts name id and revision, the encoder has the order. RC_OK; RC_RETRY: no room, absence_resume follows;
     * RC_REJECT: it cannot become a record: it comes again as a vanished one; RC_FATAL: told by the owner. */
    enum rc (*withdraw)(void *arg, const struct order_facts *facts, const struct order_book_offer *offer);
    /* Enough for this poll. */
    void (*done)(void *arg);
    /* words NULL: xsale.order_path gives the order that was listed. Else it does not, words say how. */
    void (*proven)(void *arg, const char *words);
    void (*failed)(void *arg, const char *words); /* memory */
};

/* ops borrowed. NULL: out of memory. */
struct absence *absence_create(const struct absence_needs *needs, const struct absence_ops *ops, void *arg);
void absence_destroy(struct absence *a); /* allowed from inside ops */

/* Is nothing left to prove (also: looks are not possible at all)? */
bool absence_is_proven(const struct absence *a);
/* Looks at an order that a page has just listed; `proven` follows. named_status: the page named its status, so the look must too. Asked for already: nothing. */
void absence_prove(struct absence *a, int64_t order_id, bool named_status);

/* After order_book_poll_complete; until_ms: when the next poll is due, monotonic. done follows, not from inside. */
void absence_start(struct absence *a, int64_t until_ms);
void absence_resume(struct absence *a);
/* A complete poll showed every order that is waited for: "looks" in /readyz, if a look had set it down, is up. */
void absence_none(struct absence *a);

#endif
