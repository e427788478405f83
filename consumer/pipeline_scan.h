/* One pass over orders, order-state, order-outcomes, order-status and the groups' offsets that fills a pipeline. Asks the offsets first, then reads the topics to
 * their end: whatever a group had passed has its outcome there. Blocks nothing; an embedded broker that cannot be asked about groups is told of in `words`.
 * Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_PIPELINE_SCAN_H
#define BRIDGE_CONSUMER_PIPELINE_SCAN_H

#include "common/program/program.h"
#include "consumer/pipeline.h"

enum { PIPELINE_SLACK_MS = 600000 }; /* clocks of brokers and programs may differ by so much */

struct pipeline_scan;

struct pipeline_span {
    int64_t from, to;   /* ms since 1970; SCAN_TIME_BEGINNING, SCAN_TIME_END */
    int64_t restored;   /* INT64_MIN: never */
    const char *groups; /* "WAREHOUSE=GROUP[,WAREHOUSE=GROUP...]" where a group is not <prefix>-erp-WAREHOUSE, -erp-all, or the one that the outcomes tell; NULL */
};

/* Once, on the loop; not from inside create. RC_OK: p is sorted, and the scan's until pipeline_scan_destroy; words: "" or what could not be asked. Else words
 * say why there is none. */
typedef void pipeline_scan_fn(void *arg, enum rc rc, struct pipeline *p, const char *words);

/* span: copied. RC_REJECT: a wrong one; RC_FATAL: configuration or memory. */
enum rc pipeline_scan_create(struct program *p, const struct pipeline_span *span, pipeline_scan_fn *done, void *arg, struct pipeline_scan **out, struct err *e);
void pipeline_scan_destroy(struct pipeline_scan *s); /* allowed from inside done; NULL is a no-op */

#endif
