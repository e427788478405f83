/* Sets the wanted status of orders in xSale: looks, decides by the ledger's rules, PUTs, verifies the first PUT of the process. Several orders at once,
 * one at a time per order, within the client's quota. What it did is told to the owner, who writes the row.
 * Nothing is repeated blindly: every try begins with a look (unless orders cannot be looked at). Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_STATUS_SETTER_H
#define BRIDGE_PRODUCER_STATUS_SETTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/contract/order_encoder.h"
#include "common/net/health.h"
#include "common/net/loop.h"
#include "producer/ledger.h"
#include "producer/order_traces.h"
#include "producer/xsale_client.h"

struct status_setter;

enum setter_result { SETTER_SET, SETTER_ALREADY, SETTER_LEFT_ALONE, SETTER_GONE, SETTER_DELAYED, SETTER_RESULTS };

struct setter_ops {
    /* The ledger's row of this order changed (settled, or a status noted as set): write it. */
    void (*changed)(void *arg, int64_t order_id);
    /* One try is over; comes after `changed`. */
    void (*done)(void *arg, int64_t order_id, enum setter_result result);
};

struct setter_parts { /* borrowed while the setter lives */
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health; /* names "status-change"; "status-setting" when a wrong setting has stopped it */
    struct xsale_client *xsale; /* open */
    struct ledger *ledger;
    const struct order_encoder *encoder; /* for order_encoder_peek */
    struct order_traces *traces; /* for the log */
};

enum rc setter_create(const struct setter_parts *parts, const struct setter_ops *ops, void *arg, struct status_setter **out, struct err *e);
/* Tries under way are dropped: as after a crash, the next look tells. */
void setter_destroy(struct status_setter *s);

/* Takes up what is due in the ledger, up to updater.concurrency. */
void setter_run(struct status_setter *s);
/* Drops the tries whose change has not been sent: nothing has happened, another updater may begin anew. What may have been changed is finished. */
void setter_drain(struct status_setter *s);
/* Tries under way. */
size_t setter_busy(const struct status_setter *s);
/* Why it stands still for good (a PUT that was accepted changed nothing: a wrong setting), or the last refusal; NULL: nothing. */
const char *setter_stuck(const struct status_setter *s);
const char *setter_refused(const struct status_setter *s);

#endif
