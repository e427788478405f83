/* What becomes of the orders that an operator wants back, in words or as JSON: before, and after. Keys, publications and reasons; no content of an order. Pure. */
#ifndef BRIDGE_CONSUMER_PUT_BACK_PRINT_H
#define BRIDGE_CONSUMER_PUT_BACK_PRINT_H

#include "common/base/buf.h"
#include "consumer/put_back.h"

/* The plan: how many go to which partition and warehouse, the first and the last, and what is left alone and why. */
void put_back_text(const struct put_back *b, struct buf *out);
/* What was done of it. */
void put_back_result(const struct put_back *b, struct buf *out);
/* All of it and every order, one object and a newline. done: it was carried out. */
void put_back_json(const struct put_back *b, bool done, struct buf *out);
/* Orders with this fate. */
size_t put_back_count(const struct put_back *b, enum put_back_fate fate);

#endif
