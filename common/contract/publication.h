/* A publication: the moment of an offer in milliseconds since 1970 (DESIGN.md, section 4). Whoever writes on a topic may have put any number there: one beyond the year
 * 9999 is none, and from one beyond PUBLICATION_COUNTED nobody counts on: so the next higher one is always possible. Pure. */
#ifndef BRIDGE_CONTRACT_PUBLICATION_H
#define BRIDGE_CONTRACT_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLICATION_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define PUBLICATION_COUNTED (PUBLICATION_MAX / 2)        /* thousands of years of polls below it */

/* 0..PUBLICATION_MAX; 0 stands for "none" where that is allowed. */
bool publication_possible(int64_t publication);
/* The value of a header: n decimal digits, not terminated, or NULL. 0: it is no publication. */
int64_t publication_parse(const void *text, size_t n);

#endif
