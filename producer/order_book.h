/* What the producer knows of each order between xSale and the ledger, and what follows from it: unknown -> open -> closed -> forgotten.
 *
 * Pure core: no network, no clock of its own. What the owner learns goes in (order-state at start, the tail of `orders`, ledger rows, orders of a poll,
 * acknowledgements); what has to be published comes out as an offer, what has to be noted in order-state as a queue of notes.
 * Publications: one value for a whole poll, above everything ever heard of; so they rise strictly per order. A row with a higher one that is read while the poll runs
 * (a stopped replica woke up) raises it for what is offered from then on.
 * "After": a ledger row counts for polls begun after it was read; that is decided by counting polls, never by comparing clocks.
 *
 * Memory: one entry of fixed size an order (about 100 bytes with its index), lists of warehouses shared. Thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_ORDER_BOOK_H
#define BRIDGE_PRODUCER_ORDER_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/contract/ledger_row.h"
#include "common/contract/order_state.h"

struct order_book;

/* reoffer_after_ms: an order open for longer is offered again. NULL: out of memory. */
struct order_book *order_book_create(int64_t reoffer_after_ms);
void order_book_destroy(struct order_book *b);

/* ---- start: order-state from its beginning, then the tail of `orders`, then the ledger, then order_book_restored. All RC_OK or RC_FATAL (memory). */

/* state NULL: forgotten; publication: its header, 0 when there is none. A note that says less than what is known (an older publication; or the same one still open
 * after it was closed or forgotten) was written late by a former owner and is passed over. */
enum rc order_book_restore(struct order_book *b, int64_t order_id, const struct order_state *state, int64_t publication);
/* Does a record of `orders` say more than order-state? Raises the highest publication known in any case. replayed: put back by hand. */
bool order_book_is_news(struct order_book *b, int64_t order_id, int64_t publication, bool replayed);
/* Adopts such a record as the order's open publication, and notes it. record: as order_state, its `at` being the record's time. */
enum rc order_book_adopt(struct order_book *b, const struct order_state *record);
/* Everything was read: what was forgotten is dropped. */
void order_book_restored(struct order_book *b);

/* ---- the ledger, at start and for ever */

/* Is the order known, forgotten ones not? Of a row of any other order nothing counts but its publication. */
bool order_book_knows(const struct order_book *b, int64_t order_id);
/* Such a row, without looking into the rest of it. */
void order_book_ledger_other(struct order_book *b, int64_t publication, int32_t partition, int64_t offset);
/* One row of this organization; partition and offset are its own. RC_FATAL: memory. */
enum rc order_book_ledger(struct order_book *b, const struct ledger_row *row, int32_t partition, int64_t offset);
/* At start, after the rows behind the committed positions: orders of which a row must exist, or may, that lies before them: noted as closed, or adopted (compaction may
 * have removed the tombstone of one that was forgotten long ago). The ledger is to be read back from this moment on (ms, the producer's or the broker's clock), since without
 * its row such an order would be taken for one that a person took out of the new status. Of a record that came late that is its publication. -1: there is none. */
int64_t order_book_rows_missing_since(const struct order_book *b);
/* One of those rows. They may come late: what is known from a later one stays. */
enum rc order_book_ledger_back(struct order_book *b, const struct ledger_row *row, int32_t partition, int64_t offset);
/* positions: partitions_n next offsets to read; lowered to the oldest last row of an order that is still known, and to the row of a publication that is higher
 * than all in order-state. Only when every note taken is acknowledged. */
void order_book_ledger_positions(const struct order_book *b, int64_t *positions, size_t partitions_n);

/* ---- a poll */

/* Begins one: the publication of everything that it publishes, unless a row raises it. now_ms: wall clock. */
int64_t order_book_poll(struct order_book *b, int64_t now_ms);

enum order_book_cause { ORDER_NEW, ORDER_EDIT, ORDER_RETRY, ORDER_REOFFER, ORDER_WITHDRAWAL, ORDER_CAUSES };
const char *order_book_cause_name(enum order_book_cause cause); /* "new", "edit", "retry", "reoffer", "withdrawal" */

enum order_book_action {
    ORDER_REPEATED, /* this poll has brought it already */
    ORDER_SKIP,     /* nothing to do: open and unchanged, or closed while this poll ran */
    ORDER_HELD,     /* a retry that the loop guard holds back, or one that looks new because it was forgotten meanwhile */
    ORDER_COMPARE,  /* the revision differs, but it was computed with another schema: find the revision that offer.schema_id's plan gives, ask again */
    ORDER_PUBLISH,  /* publish the offer, then order_book_offered */
    ORDER_WITHDRAW  /* it cannot become a record any more, and what was published is to be taken back first: publish the withdrawal, then order_book_withdrawn.
                     * The next poll that shows it rejects it. */
};

struct order_book_seen { /* an order of the poll */
    int64_t order_id;
    uint64_t revision;
    bool rejected;      /* it cannot become a record; revision is the hash of its bytes */
    int32_t schema_id;  /* of the schema that the revision was computed with */
    const struct warehouse_set *warehouses; /* its own; not looked at when rejected */
    int64_t steady_ms;  /* monotonic clock, for the loop guard */
    bool compared;      /* after ORDER_COMPARE: */
    bool undecided;     /* the older schema is not to be had now: left alone in this poll, unless it is open for so long that it is offered again */
    uint64_t old_revision; /* by the older schema; 0: not to be had, it counts as edited */
};

struct order_book_offer {
    enum order_book_cause cause;
    int64_t publication, round;
    int32_t schema_id;               /* ORDER_COMPARE: the one to compare with */
    struct warehouse_set warehouses; /* its own and those of the publication before; of a rejected order those to remember: its outcome names none */
};

/* What to do. Changes nothing except that ORDER_SKIP and ORDER_HELD mark the order as seen; so PUBLISH may be asked again after a wait. */
enum order_book_action order_book_see(struct order_book *b, const struct order_book_seen *seen, int64_t now_ms, struct order_book_offer *offer);
/* The offer was handed to the publisher, which will bring it to the broker: from now on it counts. RC_FATAL: memory. */
enum rc order_book_offered(struct order_book *b, const struct order_book_seen *seen, const struct order_book_offer *offer, int64_t now_ms);
/* The broker has acknowledged it: it may be noted. */
void order_book_published(struct order_book *b, int64_t order_id);
/* A complete poll, after everything that it published is acknowledged and noted: closed orders that it did not show, answered by every warehouse, are forgotten.
 * true: it did not show others, which order_book_absent names. */
bool order_book_poll_complete(struct order_book *b);

/* ---- what a complete poll did not show: to be looked at one by one before anything is believed */

struct order_book_absence {
    int64_t order_id;
    bool closed; /* when it was named */
    bool slow;   /* looked at before in vain, or closed while a warehouse has not answered */
    bool doubted; /* the look before this one was doubted, and no poll has shown the order since */
};
/* The next order to look at: at once when it is open; every 10 minutes when the look before it changed nothing (and polls do not show it still), or when it is closed
 * and not answered by all. In turn over all orders, also over several polls. false: none is left in this poll. steady_ms: monotonic clock. slow_too: also slow ones. */
bool order_book_absent(struct order_book *b, int64_t steady_ms, bool slow_too, struct order_book_absence *out);

/* The look had an answer that nothing follows from, unless the next look (10 minutes later) has it too. */
void order_book_doubt(struct order_book *b, int64_t order_id);

enum order_book_found { ORDER_FOUND_NEW /* a new status */, ORDER_FOUND_IMPORTED, ORDER_FOUND_MANUAL, ORDER_FOUND_OTHER, ORDER_FOUND_GONE };
/* What the look found. All rows that the ledger had when the answer came must have been told. true: nobody but a person can have done that: publish the withdrawal,
 * then order_book_withdrawn. Changes nothing; may be asked again after a wait. */
bool order_book_looked(struct order_book *b, const struct order_book_absence *a, enum order_book_found found, struct order_book_offer *offer);
/* As order_book_offered, for a withdrawal. */
void order_book_withdrawn(struct order_book *b, int64_t order_id, const struct order_book_offer *offer, int64_t now_ms);

/* What is known of an order, as it would be noted; false: nothing. */
bool order_book_get(const struct order_book *b, int64_t order_id, struct order_state *out);

/* ms for which the loop guard holds a retry of it back, when it is unchanged; 0: not at all. steady_ms: monotonic clock. */
int64_t order_book_held_for(const struct order_book *b, int64_t order_id, int64_t steady_ms);

/* ---- notes for order-state */

/* The next order whose note is to be written; false: none. *forgotten: a tombstone with publication; else state is filled in (organization NULL, at of the
 * publication). The note stays first until order_book_note_taken. */
bool order_book_note(struct order_book *b, struct order_state *state, bool *forgotten);
void order_book_note_taken(struct order_book *b);

/* ---- numbers */

struct order_book_counts {
    size_t open, closed;
    size_t held;  /* retries that the loop guard held back in the last poll */
    size_t bytes; /* memory */
};
void order_book_count(const struct order_book *b, struct order_book_counts *out);

#endif
