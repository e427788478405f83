/* A statement with named parameters, `:name`, as ODBC takes it: a `?` for each, in their order. Left alone: `::` and `:=`, what stands in quotes ('..', "..", `..`,
 * $tag$..$tag$) and comments (two dashes to the end of the line, slash and star). Immutable after parsing; any thread may read. Pure. */
#ifndef BRIDGE_CONSUMER_SQL_STATEMENT_H
#define BRIDGE_CONSUMER_SQL_STATEMENT_H

#include <stddef.h>

#include "common/base/err.h"

struct sql_statement;

enum { SQL_PARAMETERS_MAX = 200 };

/* RC_REJECT: empty, a bare `?` (parameters have names here), a quote or comment that does not end, more than SQL_PARAMETERS_MAX parameters. RC_FATAL: memory. */
enum rc sql_statement_parse(const char *text, struct sql_statement **out, struct err *e);
void sql_statement_destroy(struct sql_statement *s);

const char *sql_statement_text(const struct sql_statement *s); /* with `?` */
size_t sql_statement_count(const struct sql_statement *s);
const char *sql_statement_parameter(const struct sql_statement *s, size_t i); /* its name without the colon */

#endif
