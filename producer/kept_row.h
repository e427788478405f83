/* A ledger row in as little memory as it needs: one block with all its texts. Pure; immutable once made. */
#ifndef BRIDGE_PRODUCER_KEPT_ROW_H
#define BRIDGE_PRODUCER_KEPT_ROW_H

#include "common/contract/ledger_row.h"

enum { KEPT_RESULTS_MAX = ORDER_WAREHOUSES + 1 }; /* and the producer's */

struct kept_row;

/* A copy of row; results beyond KEPT_RESULTS_MAX are left out. NULL: out of memory. */
struct kept_row *kept_row_create(const struct ledger_row *row);
void kept_row_destroy(struct kept_row *k);
/* Fills out, whose texts stay inside k; results: room for KEPT_RESULTS_MAX, which out->results will point to. */
void kept_row_view(const struct kept_row *k, struct ledger_row *out, struct ledger_result *results);

/* Without a view. */
int64_t kept_row_publication(const struct kept_row *k);
/* A status is wanted and not settled. */
bool kept_row_waits(const struct kept_row *k);

#endif
