/* Does everything add up in a span of time? For each warehouse: published = imported + rejected + superseded + withdrawn + in flight, in publications; what breaks that
 * sum, or contradicts itself, is a fault and named. Made of a pipeline. Pure but for memory. */
#ifndef BRIDGE_CONSUMER_RECONCILE_H
#define BRIDGE_CONSUMER_RECONCILE_H

#include "common/base/buf.h"
#include "common/contract/order_key.h"
#include "consumer/pipeline.h"

enum { RECONCILE_FAULTS_MAX = 10000 };

enum reconcile_kind {
    FAULT_PASSED,       /* the warehouse's group has passed the record, and no outcome exists */
    FAULT_NO_RECORD,    /* an outcome, a ledger row or the producer's state tells of a publication, and its record does not exist */
    FAULT_DOUBLE,       /* one publication was imported into two documents of one warehouse */
    FAULT_SECOND,       /* a later publication was imported into another document, without a withdrawal between */
    FAULT_CONTRADICTION,/* results that exclude each other, or a ledger row that does not follow from them */
    FAULT_STATUS,       /* every warehouse answered longer ago than `grace`, and the status is not set */
    FAULT_KINDS
};
const char *reconcile_kind_name(enum reconcile_kind k);  /* "passed", "no-record", ... for programs */
const char *reconcile_kind_words(enum reconcile_kind k); /* for people: what it means, and what to do */

struct reconcile_line {
    const char *warehouse; /* the pipeline's; "": the producer, orders that cannot become a record; NULL: all together */
    uint64_t published, imported, rejected, superseded, withdrawn, in_flight;
    uint64_t lost;         /* what is missing in the sum: FAULT_PASSED */
};

struct reconcile_fault {
    enum reconcile_kind kind;
    char order[ORDER_KEY_BYTES];
    int64_t publication;
    const char *warehouse; /* "": none in particular */
    char words[300];
};

struct reconcile {
    struct reconcile_line *lines;   /* lines_n, by warehouse; owned */
    size_t lines_n;
    struct reconcile_line all;
    struct reconcile_fault *faults; /* faults_n, by order; owned */
    size_t faults_n;
    uint64_t faults_total;          /* those beyond RECONCILE_FAULTS_MAX too */
    uint64_t orders, publications;  /* in the span */
    uint64_t status_set, status_pending, status_open; /* orders: settled; every warehouse answered less than `grace` ago; not yet answered, or superseded */
    uint64_t unreadable;            /* records that could not be read */
};

/* grace: ms that the status-updater may take. now: ms since 1970. RC_FATAL: memory, or the pipeline's fault. */
enum rc reconcile_make(const struct pipeline *p, int64_t grace, int64_t now, struct reconcile *out, struct err *e);
void reconcile_release(struct reconcile *r);

void reconcile_text(const struct reconcile *r, struct buf *out);
void reconcile_json(const struct reconcile *r, struct buf *out);

#endif
