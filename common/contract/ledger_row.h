/* OrderStatus: a row of the ledger, the order's life as the updater knows it. */
#ifndef BRIDGE_CONTRACT_LEDGER_ROW_H
#define BRIDGE_CONTRACT_LEDGER_ROW_H

#include "common/contract/outcome.h"

enum ledger_wanted { LEDGER_NONE, LEDGER_IMPORTED, LEDGER_MANUAL };

struct ledger_result {
    char warehouse[ORDER_WAREHOUSE_BYTES]; /* "": the producer's */
    enum outcome_result result;
    const char *document_id; /* NULL: none */
    const char *reason;      /* NULL: none */
    int32_t attempts;
    int64_t at; /* ms */
};

struct ledger_row {
    const char *organization;
    int64_t order_id;
    char revision[ORDER_REVISION_BYTES];
    int64_t publication, round;
    bool withdrawn;
    struct warehouse_set warehouses; /* all that the publication names */
    const struct ledger_result *results; /* results_n */
    size_t results_n;
    enum ledger_wanted wanted;
    const char *status_found; /* name or id found by the last look; NULL: not looked */
    enum ledger_wanted status_set; /* what the bridge set in this round; LEDGER_NONE: nothing */
    int64_t settled_at; /* ms; 0: not settled */
    const char *note;   /* NULL: none */
    bool closed, complete;
};

enum rc ledger_row_encode(const struct ledger_row *r, struct buf *out, struct err *e);
enum rc ledger_row_decode(struct record_writer *writer, const unsigned char *avro, size_t n, struct ledger_row **out, struct err *e);
void ledger_row_destroy(struct ledger_row *r); /* only those from decode */
/* Its publication alone, many times as fast: the bytes are walked whole, nothing is allocated. RC_REJECT: they are not of the writer's schema, or that has no plain
 * field of this name; ledger_row_decode knows more. */
enum rc ledger_row_publication(const struct schema *writer, const unsigned char *avro, size_t n, int64_t *out, struct err *e);

#endif
