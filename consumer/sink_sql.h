/* erp.sink = sql: one statement an order on an ODBC database, each in its own transaction on one of erp.sql.sessions connections. Which end means what is
 * sql_fates.h; a connection is sql_session.h, in a thread of sql_pool.h each. The load of a thread that does not come back is reported as ambiguous; one that waits for a
 * connection was not sent. */
#ifndef BRIDGE_CONSUMER_SINK_SQL_H
#define BRIDGE_CONSUMER_SINK_SQL_H

#include "consumer/erp_sink.h"

extern const struct erp_sink_ops sink_sql_ops;

#endif
