/* erp-consumer --check-erp: offers a test order to the configured ERP in every way in which the bridge may offer one, and says line by line whether the ERP keeps its part of
 * the promise. Needs neither Kafka nor registry. What it loads it withdraws at the end, where withdrawals are passed on. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_ERP_CHECK_H
#define BRIDGE_CONSUMER_ERP_CHECK_H

#include <stdio.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/loop.h"

enum { ERP_CHECK_KEPT = 0, ERP_CHECK_FAILED = 1, ERP_CHECK_BROKEN = 3 }; /* exit codes: all kept; it could not be tried; something is not kept */

struct erp_check;

struct erp_check_env { /* borrowed while it lives */
    struct loop *loop;
    struct config *config;
    struct log *log;
    FILE *out;         /* one line a step */
    const char *order; /* file with an order as xSale sends it; NULL: the built-in one */
    /* All was tried, or nothing more can be: one of the codes. Once, on the loop; words: why it could not be tried, else NULL. */
    void (*finished)(void *arg, int code, const char *words);
    void *arg;
};

/* RC_REJECT: wrong configuration or order. */
enum rc erp_check_create(const struct erp_check_env *env, struct erp_check **out, struct err *e);
void erp_check_destroy(struct erp_check *k);

#endif
