/* The orders that the producer knows: entries of fixed size in one array with an index by order id, their lists of warehouses shared, and the queue of orders
 * whose state is to be noted. Used by order_book alone, which gives the fields their meaning. Thread rule: one owner. */
#ifndef BRIDGE_PRODUCER_ORDER_TABLE_H
#define BRIDGE_PRODUCER_ORDER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/contract/warehouse_set.h"

enum { ORDER_TABLE_MAX = 50 * 1000 * 1000 }; /* orders; more than that are no open orders of one account */

struct places; /* a list of warehouses, shared by every order that has the same */

enum entry_state { OPEN, CLOSED, FORGOTTEN };

struct entry {
    int64_t order_id;
    int64_t publication, round, at; /* ms */
    int64_t row_round, row_offset;  /* of the last ledger row; row_offset -1: none */
    uint64_t revision;
    struct places *places; /* one of its users */
    int32_t schema_id;
    int32_t row_partition;
    uint32_t seen_poll;   /* the last poll that showed it; 0: none */
    uint32_t closed_poll; /* polls begun when its closing row was read */
    uint32_t look_due;    /* closed and not answered by all: when it is looked at, in seconds of the steady clock; 0: not set yet */
    uint8_t state;        /* enum entry_state */
    uint8_t row_wanted, row_set; /* enum ledger_wanted of the last row: what a look may find without being a person's doing */
    bool withdrawn : 1;
    bool complete : 1; /* every warehouse has answered */
    bool busy : 1;     /* its publication is not acknowledged yet: nothing is noted meanwhile */
    bool note_due : 1; /* stands in the queue of notes */
    bool adopted : 1;  /* taken from the tail of `orders` at start */
    bool doubted : 1;  /* the last look at it had an answer that is believed only when the next one repeats it */
};

struct order_table {
    struct entry *all; /* n of cap, dense, in no order */
    size_t n, cap;
    uint32_t *slots; /* index into all + 1; 0: free. Open addressing, slots_n is a power of two */
    size_t slots_n;
    struct places *places;
    struct buf list; /* of the order at hand */
    int64_t *notes; /* ring of order ids: notes_n from notes_at, notes_cap a power of two */
    size_t notes_at, notes_n, notes_cap;
};

/* Zeroed before first use. Pointers to entries are valid until the next order_table_entry or order_table_remove. */
void order_table_release(struct order_table *t);
struct entry *order_table_find(const struct order_table *t, int64_t order_id); /* NULL: none */
/* The order's entry, made (forgotten, nowhere) when it has none. NULL: out of memory. */
struct entry *order_table_entry(struct order_table *t, int64_t order_id);
void order_table_remove(struct order_table *t, struct entry *e); /* the last entry takes its place */

/* false: out of memory, nothing changed. */
bool order_table_set_places(struct order_table *t, struct entry *e, const struct warehouse_set *set);
void order_table_places(const struct entry *e, struct warehouse_set *out);
bool order_table_nowhere(const struct entry *e); /* its list is empty */

/* Puts the order at the end of the queue, unless it stands there or is busy. RC_FATAL: memory. */
enum rc order_table_queue(struct order_table *t, struct entry *e);
struct entry *order_table_first_note(struct order_table *t); /* NULL: none */
void order_table_note_taken(struct order_table *t);          /* the first one */

size_t order_table_bytes(const struct order_table *t);

#endif
