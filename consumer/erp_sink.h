/* Where orders are loaded: a table of operations per kind of ERP, found by the value of erp.sink. A new sink is one file and one row in
 * erp_sink.c; tests/unit/test_erp_sink.c holds each to this contract.
 * Thread rule: all from the loop's thread. */
#ifndef BRIDGE_CONSUMER_ERP_SINK_H
#define BRIDGE_CONSUMER_ERP_SINK_H

#include "common/base/config.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "consumer/erp_load.h"
#include "consumer/fates.h"

enum { ERP_REASON_BYTES = 2048 }; /* 500 characters and the zero */

/* How a try ended; borrowed during done(). */
struct erp_verdict {
    enum fate fate;
    bool ambiguous;          /* the load may have happened, or may still */
    const char *document_id; /* FATE_LOADED: the ERP's document, at most 255 bytes of UTF-8; NULL: not named */
    const char *reason;      /* FATE_REJECT (FATE_PARK too, if it said so): why, in the ERP's words, at most 500 characters of UTF-8 without control characters */
    int64_t retry_after_ms;  /* the ERP's wish; -1: none */
    const char *words;       /* one line for logs and /readyz; no content of the order; never NULL */
};

typedef void erp_done_fn(void *arg, const struct erp_verdict *v);

/* Whether the ERP is there, before and besides any order: false with words (one line for /readyz) and the ms to the next look, until true once
 * (again_ms -1), then never more. Not called from inside open() or after close(). */
typedef void erp_reached_fn(void *arg, bool reached, const char *words, int64_t again_ms);

struct erp_sink_env { /* borrowed while the sink lives */
    struct loop *loop;
    struct config *config; /* secrets are read from it again when they change */
    struct log *log;
    erp_reached_fn *reached; /* NULL: nobody wants to know */
    void *arg;
};

struct erp_sink { /* first member of each sink's own struct */
    const struct erp_sink_ops *ops;
};

struct erp_sink_ops {
    const char *name; /* value of erp.sink */
    /* Checks the sink's own keys without network: config_problem for each. */
    void (*check)(const struct config *c, struct config_problems *problems);
    /* The most files and connections that it has open at once; NULL: none. */
    size_t (*connections)(const struct config *c);
    /* RC_OK: *out owned by the caller until close. RC_REJECT: wrong configuration. An ERP that is absent is no fault here:
     * the sink looks whether it is there, with something that cannot be taken for a load, and tells env->reached (erp_reach.h). */
    enum rc (*open)(const struct erp_sink_env *env, struct erp_sink **out, struct err *e);
    /* Are withdrawals passed on? Otherwise they are only noted and never submitted. */
    bool (*withdraws)(const struct erp_sink *s);
    /* Starts one try; exactly one done() follows, never from inside submit() and never after close(). Repeating an order that is already loaded is
     * FATE_LOADED with the same document id; a lower publication than the loaded or withdrawn one changes nothing and is FATE_LOADED too.
     * Any number of loads may be under way, never two of one order and warehouse. RC_RETRY: not now; RC_REJECT: the order's own
     * fault, never. Words say why, and done will not be called. */
    enum rc (*submit)(struct erp_sink *s, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e);
    /* Gives up what is under way; done is not called for it. */
    void (*close)(struct erp_sink *s);
};

/* The row of that name; NULL: none. */
const struct erp_sink_ops *erp_sink_find(const char *name);

#endif
