/* What JSON -> Avro spends its time on, one kind of work at a time on the same page: each step does for every order of it what the encoder does, and nothing else. What is left of the whole is
 * the way from field to field. Thread rule: one owner. */
#ifndef BRIDGE_BENCH_PHASES_H
#define BRIDGE_BENCH_PHASES_H

#include <stdbool.h>

#include "common/contract/order_encoder.h"
#include "common/contract/page.h"

struct phases;

/* Everything is borrowed while it lives; page: parsed, no order of it taken yet, and stays so. NULL: memory or a bad schema; words are set. */
struct phases *phases_open(const struct schema *s, const struct zone *z, const struct page *page, struct err *e);
void phases_close(struct phases *p);

bool phases_keys(struct phases *p);                           /* which member is which field */
bool phases_texts(struct phases *p);                          /* texts: UTF-8, escapes, copies */
bool phases_numbers(struct phases *p);                        /* numbers, amounts, moments */
bool phases_hash(struct phases *p, const struct buf *record); /* revisions */

#endif
