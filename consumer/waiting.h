/* What is not finished, by warehouse and reason, oldest first. Made of a pipeline and of what the running programs say (in_hand.h). A rejected order whose manual status is
 * set is finished. Pure but for memory. */
#ifndef BRIDGE_CONSUMER_WAITING_H
#define BRIDGE_CONSUMER_WAITING_H

#include "common/base/buf.h"
#include "common/contract/order_key.h"
#include "consumer/in_hand.h"
#include "consumer/pipeline.h"

enum { WAITING_ROWS_MAX = 10000 };

enum waiting_reason {
    WAITING_UNREAD,   /* published, and not yet with the warehouse's program, or its port was not asked */
    WAITING_QUEUED,   /* in the program's hand, another one's turn, or its key's */
    WAITING_FLYING,   /* at the ERP now */
    WAITING_PARKED,   /* was tried in vain, tried again later */
    WAITING_PAUSED,   /* the ERP is down, one order at a time is tried */
    WAITING_SCHEMA,   /* its schema is not to be had */
    WAITING_STATUS,   /* every warehouse that must has answered: the status is still to be set */
    WAITING_REFUSED,  /* likewise, and xSale refuses the change */
    WAITING_REASONS
};
const char *waiting_reason_name(enum waiting_reason r);  /* "unread", "queued", ... for programs */
const char *waiting_reason_words(enum waiting_reason r); /* for people */

struct waiting_row {
    char order[ORDER_KEY_BYTES];
    int64_t publication, since; /* ms since 1970 */
    const char *warehouse;      /* the pipeline's; "": a status, that is the status-updater's */
    enum waiting_reason reason;
    int32_t partition;          /* of the order's record; -1: not seen */
    int64_t offset;
    int64_t next_in;            /* ms until the next try; -1: not known */
    char words[300];            /* why, in the program's words; "": nothing more is known */
};

struct waiting_sum { /* of one warehouse and reason */
    const char *warehouse;
    enum waiting_reason reason;
    uint64_t orders;
    int64_t oldest; /* ms since 1970 */
};

struct waiting {
    struct waiting_row *rows;   /* rows_n, oldest first; owned */
    struct waiting_sum *sums;   /* sums_n, by warehouse and reason; owned */
    size_t rows_n, sums_n;
    uint64_t total;             /* rows, those beyond the limit too */
};

/* warehouse: only that one's; NULL: all, statuses too. limit: rows at most, 1 .. WAITING_ROWS_MAX; the sums count everything. h may be NULL. The pipeline outlives
 * *out. RC_FATAL: memory. */
enum rc waiting_make(const struct pipeline *p, const struct in_hand *h, const char *warehouse, size_t limit, struct waiting *out, struct err *e);
void waiting_release(struct waiting *w);

void waiting_text(const struct waiting *w, int64_t now, struct buf *out); /* now: ms since 1970 */
void waiting_json(const struct waiting *w, int64_t now, struct buf *out);

#endif
