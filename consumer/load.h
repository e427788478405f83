/* One load: what one warehouse's ERP is to do about one record, from the moment the record is read to the acknowledged outcome.
 * members are public by intent. */
#ifndef BRIDGE_CONSUMER_LOAD_H
#define BRIDGE_CONSUMER_LOAD_H

#include "common/base/buf.h"
#include "consumer/erp_sink.h"
#include "consumer/lanes.h"
#include "consumer/order_record.h"
#include "consumer/outbox.h"

struct loading;

struct flight { /* of a try under way */
    struct erp_load erp;
    struct buf document;
    char key[ORDER_KEY_BYTES + ORDER_WAREHOUSE_BYTES + 32];
};

struct load {
    struct lane_item item;     /* first: an item is its load */
    struct outbox_entry entry; /* when it is settled */
    struct loading *owner;
    struct order_record *record; /* one of record->open */
    struct load *prev, *next;    /* among all loads of the owner */
    struct flight *flight;       /* NULL: not being tried */
    bool takes_back;             /* a withdrawal, or a publication without anything for this warehouse */
    enum outcome_result noted;   /* what it ends with when it needs no ERP */
    const char *reason_code;     /* literal */
    char *reason, *document_id;  /* owned; NULL: none */
    char *trouble;               /* why the last try failed, owned; NULL: none failed */
    int64_t troubled_since;      /* monotonic ms of the first failure in a row */
    int64_t held_since;          /* monotonic ms since when its schema is not to be had by the registry's own word */
    unsigned look;               /* the last one at what is held that saw it */
    bool disowned, stranger;     /* that was its last word; and the record does not tell its schema's fingerprint */
    char warehouse[ORDER_WAREHOUSE_BYTES];
};

/* Counts in record->open. NULL: out of memory. */
struct load *load_create(struct loading *owner, struct order_record *record, const char *warehouse);
/* Also takes it from record->open; the record is the caller's. */
void load_destroy(struct load *l);
/* Fills in the item's part that the record decides (publication, warehouse) when it became known. */
void load_describe(struct load *l);

/* Prepares a try: the JSON document, of at most `max` bytes and likely `about`, and the texts that the sink borrows. RC_RETRY: no memory now. RC_REJECT: the document cannot be made. */
enum rc load_take_off(struct load *l, bool own_lines, size_t max, size_t about, struct err *e);
void load_land(struct load *l);

/* How it ends; texts are copied (without memory: left out). */
void load_words(struct load *l, const char *reason_code, const char *reason, const char *document_id);

/* A try failed: for who asks what the order waits for. Without memory: without words. */
void load_troubled(struct load *l, const char *words, int64_t now);

#endif
