/* Does everything add up? On the first page the figures of its span and the form for another one; on a page of its own the answer for that. */
#ifndef BRIDGE_CONSUMER_PAGE_SUM_H
#define BRIDGE_CONSUMER_PAGE_SUM_H

#include "consumer/board_lookup.h"
#include "consumer/page_frame.h"

void page_sum_home(const struct board_facts *f, struct buf *out);
/* l: NULL: too many look-ups wait. from, to: as they were asked for. */
void page_sum(const struct board_lookup *l, const char *from, const char *to, const char *nonce, struct buf *out);

#endif
