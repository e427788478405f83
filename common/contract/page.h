/* A page of orders split into orders: their nodes on one tape. The page's text is checked whole before the first order is given out, so a page that
 * was cut gives none. Pure. */
#ifndef BRIDGE_CONTRACT_PAGE_H
#define BRIDGE_CONTRACT_PAGE_H

#include "common/contract/json_tape.h"

struct page {
    struct json_tape tape;
    uint32_t at;    /* node of the next order */
    uint32_t left;  /* orders not given out yet */
    uint32_t count; /* orders on the page */
};

void page_init(struct page *p);
void page_release(struct page *p);
/* envelope: JSON Pointer to the array of orders, "": the body is the array. text borrowed until the next parse.
 * RC_REJECT: not JSON, or no array there: words name what is there instead. */
enum rc page_parse(struct page *p, const char *text, size_t n, const char *envelope, struct err *e);
/* The next order's node on p->tape; false: none left. */
bool page_next(struct page *p, uint32_t *order);

#endif
