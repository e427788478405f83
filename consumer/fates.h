/* What becomes of an order after a try: one table by cause. Which cause a sink met is its own business; what follows from it is decided here.
 * Pure; immutable. */
#ifndef BRIDGE_CONSUMER_FATES_H
#define BRIDGE_CONSUMER_FATES_H

#include <stdbool.h>

enum fate {
    FATE_LOADED, /* the ERP has it */
    FATE_AGAIN,  /* once more, soon: a cut connection, an interrupted call */
    FATE_PARK,   /* this order waits with back-off and its key with it; the others go on. Rejected after many tries while the ERP answers others */
    FATE_PAUSE,  /* the ERP, or the way to it, is in trouble: nothing is tried but one probe at a time. Never rejects by itself */
    FATE_REJECT  /* a verdict about this order */
};
enum { FATES = FATE_REJECT + 1 };

enum fate_cause {
    CAUSE_HTTP,           /* code: status of a whole reply */
    CAUSE_HTTP_NOT_SENT,  /* code: CURLcode; the request surely did not reach the ERP */
    CAUSE_HTTP_AMBIGUOUS, /* code: CURLcode; it may have */
    CAUSE_DIRECTORY,      /* code: errno of opening erp.file.directory or writing there at all */
    CAUSE_ERRNO           /* code: errno of an operation on an order's file */
};

struct fate_row {
    enum fate_cause cause;
    int low, high; /* codes, both included */
    enum fate fate;
    bool ambiguous;    /* the load may have happened, or may still */
    const char *words; /* what it means and, where a setting is wrong, which; for logs, /readyz and reasons */
};

/* Never NULL: the first row that fits; each cause ends with a row for every code. */
const struct fate_row *fate_of(enum fate_cause cause, int code);
/* "loaded", "again", "park", "pause", "reject": values of the metric's label. */
const char *fate_name(enum fate f);

#endif
