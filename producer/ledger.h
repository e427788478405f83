/* The status-updater's memory of the ledger, and the rules of the join: which status the verdicts of one publication ask for, and what may be done
 * about it in xSale. Pure: no network, time comes in as an argument.
 *
 * Unfinished orders are kept as whole rows, in one block of a few hundred bytes each. A finished one (settled, every warehouse answered, its row acknowledged) shrinks to 24 bytes: key hash,
 * newest publication with what was set, and the row's offset, where it is read again when a later outcome needs it.
 * One ledger serves one organization. Row pointers are valid until the next call. Thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_LEDGER_H
#define BRIDGE_PRODUCER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/contract/ledger_row.h"

struct ledger;

/* remember_ms: how long a finished order's newest publication is known. NULL: out of memory. */
struct ledger *ledger_create(int64_t remember_ms);
void ledger_destroy(struct ledger *l);

/* One row of the topic, while its partition is read back; a later one replaces an earlier one unless it is of an older publication. RC_FATAL: out of memory. */
enum rc ledger_restore(struct ledger *l, const struct ledger_row *row, int32_t partition, int64_t offset, int64_t now_ms);
/* The partition was read back to its end: from now on its orders are taken up. Until then a row may be an old one, whose status was settled long ago.
 * RC_FATAL: out of memory. */
enum rc ledger_open_partition(struct ledger *l, int32_t partition);
/* The partition went away: everything of it is dropped, and it is closed again. */
void ledger_drop_partition(struct ledger *l, int32_t partition);

enum ledger_noted {
    LEDGER_SAME,      /* changes nothing: the outcome's offset may pass */
    LEDGER_CHANGED,   /* the row changed: write it, then the offset may pass */
    LEDGER_READ_ROW,  /* a finished order is concerned: read its row at *offset, ledger_restore_whole it, and note again */
    LEDGER_NO_MEMORY
};

/* Notes one outcome. keep_reason: the refusal's text goes into the row. offset: set with LEDGER_READ_ROW. */
enum ledger_noted ledger_note(struct ledger *l, const struct outcome *o, int32_t partition, bool keep_reason, int64_t now_ms,
                              int64_t *offset);
/* The row that LEDGER_READ_ROW asked for at offset, or NULL when the topic does not have it any more (the order then begins anew). Whole until the next outcome is noted or
 * the row is written again. Nothing changes when another row is known by now: the partition went away meanwhile and was read back. */
enum rc ledger_restore_whole(struct ledger *l, int64_t order_id, const struct ledger_row *row, int32_t partition, int64_t offset);

/* The whole row of an unfinished order and its version (rises with each change); NULL: none is kept. */
const struct ledger_row *ledger_row_of(struct ledger *l, int64_t order_id, uint64_t *version);
/* The row of this version is in the topic at offset: it may be acted upon, and a finished one shrinks. */
void ledger_written(struct ledger *l, int64_t order_id, uint64_t version, int64_t offset);

/* What is called mono_ms goes by monotonic milliseconds; the other functions' now_ms is since 1970.
 * ledger_take: the order whose status waits longest to be set and whose row is in the topic as it is here, marked busy until the take is given back; 0: none is due. */
int64_t ledger_take(struct ledger *l, int64_t mono_ms, uint64_t *take);
/* Not busy any more; tried again at mono_ms + delay_ms. A take of a row that was dropped meanwhile changes nothing. */
void ledger_give_back(struct ledger *l, int64_t order_id, uint64_t take, int64_t mono_ms, int64_t delay_ms);
/* Does the take still hold the order? Not when its row was dropped meanwhile, be it read back since: what the try found is of no use then. */
bool ledger_holds(struct ledger *l, int64_t order_id, uint64_t take);
/* xSale had the order and failed to change it. Returns for how many failures the order itself is to blame (blame.h), 1 at least, for this publication and verdict; 0: the take does not
 * hold it any more. tries: how often it failed in a row. */
unsigned ledger_note_failure(struct ledger *l, int64_t order_id, uint64_t take, unsigned *tries);
/* Do changes fail for all orders, or for most? */
bool ledger_outage(const struct ledger *l);
/* The take's order was changed: what failed since the last success may have been xSale's failure for all, so each of those orders is tried once more soon, at a moment of its own
 * within spread_ms. One that has failed through several successes is to blame itself and keeps its wait. */
void ledger_note_success(struct ledger *l, int64_t order_id, uint64_t take, int64_t mono_ms, int64_t spread_ms);
enum { LEDGER_DOUBT_MS = 600000 };
/* A look said that there is no such order, in words that may not be xSale's own. true: to be believed, because the same was said LEDGER_DOUBT_MS ago or earlier, and nothing
 * else since; false: not yet, or the take does not hold the order any more. Nothing of it outlives the row in memory. */
bool ledger_doubt(struct ledger *l, int64_t order_id, uint64_t take, int64_t mono_ms);
/* A look was answered in any other way. */
void ledger_end_doubt(struct ledger *l, int64_t order_id, uint64_t take);
/* ms until ledger_take would give one; -1: never by itself. */
int64_t ledger_due_in(const struct ledger *l, int64_t mono_ms);

/* What a look found. */
enum ledger_seen {
    LEDGER_SEEN_NEW,
    LEDGER_SEEN_IMPORTED,
    LEDGER_SEEN_MANUAL,
    LEDGER_SEEN_OVERWRITABLE, /* listed in updater.may_overwrite */
    LEDGER_SEEN_OTHER,
    LEDGER_SEEN_GONE          /* 404 */
};

enum ledger_action { LEDGER_SETTLED_ALREADY, LEDGER_PUT, LEDGER_LEAVE_ALONE, LEDGER_GONE };

/* What to do about a row that wants a status. */
enum ledger_action ledger_decide(const struct ledger_row *row, enum ledger_seen seen);

/* A PUT of this status was accepted, or may have been, for a publication of this round; the row is not settled by it alone. */
void ledger_note_set(struct ledger *l, int64_t order_id, int64_t round, enum ledger_wanted set);
/* The status asked for by this publication is settled, unless the row has moved on meanwhile (then false and nothing changes).
 * found: the status the last look found, NULL: keep; note: NULL: none. Write the row afterwards. */
bool ledger_settle(struct ledger *l, int64_t order_id, int64_t publication, enum ledger_wanted wanted, const char *found, const char *note,
                   int64_t now_ms);

/* What waits for its status, for who asks: the order that waits longest first, those that were delayed last; a try under way is not among them. At most `most`.
 * due_at: monotonic ms of its next try; 0: as soon as its turn comes. */
typedef void ledger_waiting_fn(void *arg, const struct ledger_row *row, int64_t due_at, bool busy);
void ledger_each_waiting(struct ledger *l, size_t most, ledger_waiting_fn *fn, void *arg);
/* The one order; false: its row does not wait, or is not in memory. */
bool ledger_waiting_of(struct ledger *l, int64_t order_id, ledger_waiting_fn *fn, void *arg);

struct ledger_counts {
    size_t rows;     /* whole rows in memory */
    size_t waiting;  /* rows whose status is still to be set */
    size_t finished; /* 24-byte entries */
    size_t failing;  /* rows that are to blame themselves for BLAME_FAILING_FROM failures or more */
};
void ledger_count(const struct ledger *l, struct ledger_counts *out);

#endif
