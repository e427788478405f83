/* What every page of the operator's site begins and ends with, and the small things that stand in all of them. No style or script from elsewhere; without JavaScript the page
 * loads itself anew, with it only its middle is put in place, so that what is being typed stays. Pure but for the buffer. */
#ifndef BRIDGE_CONSUMER_PAGE_FRAME_H
#define BRIDGE_CONSUMER_PAGE_FRAME_H

#include "common/base/buf.h"
#include "consumer/verdict.h"

struct page_frame {
    const char *nonce;
    const char *title;
    enum verdict_level level; /* the colour of its icon */
    int refresh_s;            /* 0: stays as it is */
    const char *order;        /* what stands in the look-up's field; "" : nothing */
};

void page_begin(const struct page_frame *f, struct buf *out);
void page_end(const struct page_frame *f, struct buf *out);
/* The icon, an SVG image. */
void page_icon(enum verdict_level level, struct buf *out);

/* "3 min" of milliseconds; "2026-11-27 03:12:45" of ms since 1970, local time, "-" for none; 1,234,567. */
void page_age(int64_t ms, struct buf *out);
void page_time(int64_t ms, struct buf *out);
void page_count(uint64_t n, struct buf *out);
const char *page_level(enum verdict_level level); /* a class: "well", "waits", "bad" */
/* An order as a link to its look-up; key: organization/id. */
void page_order_link(const char *key, struct buf *out);

#endif
