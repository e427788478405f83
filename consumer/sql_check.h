/* What erp.sql says, before there is a connection: which statements, and whether their parameters are there. */
#ifndef BRIDGE_CONSUMER_SQL_CHECK_H
#define BRIDGE_CONSUMER_SQL_CHECK_H

#include "common/base/config.h"
#include "consumer/sql_statement.h"

/* Checks the keys of erp.sql without network: a line per problem. */
void sql_check(const struct config *c, struct config_problems *problems);
/* The statement of erp.sql.statement or statement_file (withdrawal: of withdraw_statement). RC_OK: *out owned by the caller, NULL when there is none.
 * RC_REJECT: words name the key. RC_FATAL: memory. */
enum rc sql_check_statement(const struct config *c, bool withdrawal, struct sql_statement **out, struct err *e);

#endif
