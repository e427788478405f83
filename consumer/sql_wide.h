/* UTF-8 as UTF-16 in the machine's byte order, for drivers that take all of Unicode only in that form. Pure. */
#ifndef BRIDGE_CONSUMER_SQL_WIDE_H
#define BRIDGE_CONSUMER_SQL_WIDE_H

#include "common/base/buf.h"

/* Appends it: at most two bytes for each of the n. What is no UTF-8 becomes U+FFFD, a byte each. */
void sql_wide_put(struct buf *out, const char *text, size_t n);

#endif
