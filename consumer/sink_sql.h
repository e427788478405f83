/* erp.sink = sql: one statement an order on an ODBC database, each in its own transaction on one of erp.sql.sessions connections. Which end means what is
 * sql_fates.h; a connection is sql_session.h, in a worker thread each. A thread that does not come back (a frozen server, a dead route: no
 * driver's own time-outs help there) is left behind and its load reported as ambiguous. */
#ifndef BRIDGE_CONSUMER_SINK_SQL_H
#define BRIDGE_CONSUMER_SINK_SQL_H

#include "consumer/erp_sink.h"

extern const struct erp_sink_ops sink_sql_ops;

#endif
