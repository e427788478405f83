/* The join of one publication's verdicts over its warehouses: what its ledger row says, and which status they ask for. Pure; a row is changed in place, and its texts are borrowed
 * from the outcomes that it took. */
#ifndef BRIDGE_PRODUCER_ROW_JOIN_H
#define BRIDGE_PRODUCER_ROW_JOIN_H

#include "common/contract/ledger_row.h"

/* Where the outcome's round began. */
int64_t row_join_round(const struct outcome *o);
/* What the bridge set, or may have set, in this round, as a newer publication takes it over from the row before it (one of an earlier round passes on nothing). withdrawn: the newer
 * one is. */
enum ledger_wanted row_join_inherited(const struct ledger_row *before, int64_t round, bool withdrawn);
/* Takes an outcome of the row's own publication. results: those of the row, room for KEPT_RESULTS_MAX. keep_reason: the refusal's text goes into the row. false: it says
 * nothing new. */
bool row_join_take(struct ledger_row *row, struct ledger_result *results, const struct outcome *o, bool keep_reason);
/* What the verdicts ask for by now. */
void row_join_decide(struct ledger_row *row, int64_t now_ms);
/* The bridge has set this status, or may have. */
void row_join_set(struct ledger_row *row, enum ledger_wanted set);

#endif
