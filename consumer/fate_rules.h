/* The user's own fates by code: erp.fates = 409=park, HY000/1205=again. They go before the tables of fates.h and sql_fates.h, for what failed only: what
 * counts as loaded is not theirs to say (erp.http.exists_status is), and nothing that speaks of the connection, a time-out, a credential or the load of the
 * server can be made to reject.
 *
 * A code is an HTTP status (409), "curl-" and a CURLcode (curl-28), "errno-" and an errno of this system (errno-28), a SQLSTATE (23505), or a SQLSTATE
 * with the driver's native code (HY000/1205), which goes before the SQLSTATE alone.
 * Pure; thread rule: the loop's thread (the configuration's). */
#ifndef BRIDGE_CONSUMER_FATE_RULES_H
#define BRIDGE_CONSUMER_FATE_RULES_H

#include "common/base/config.h"
#include "consumer/fates.h"

void fate_rules_check(const struct config *c, struct config_problems *problems);

/* What follows from that code, be it what the table says. ambiguous: the load may have happened: that rejects by no rule. */
enum fate fate_rules_http(const struct config *c, int status, enum fate table, bool ambiguous);
enum fate fate_rules_curl(const struct config *c, int code, enum fate table, bool ambiguous);
enum fate fate_rules_errno(const struct config *c, int code, enum fate table, bool ambiguous);
enum fate fate_rules_sql(const struct config *c, const char *state, long native, enum fate table, bool ambiguous);

#endif
