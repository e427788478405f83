/* One connection to a database over ODBC: connects when it must, prepares each of its statements once, runs one for one order in a transaction of its own, and says
 * how that ended. Every call may block, on a server that is frozen for ever: only a thread of its own may make it (sink_sql.c watches it).
 * Thread rule: one thread at a time.
 * What the drivers do (measured, psqlodbc 13.02, maodbc 3.1.15, sqliteodbc 0.9998 on unixODBC 2.3.11) decides the form:
 *   a handle on which a prepared statement failed is never used again (maodbc polls for ever on it);
 *   a connection that brought any trouble but the statement's own is closed and opened anew;
 *   the server's own time-out is set where it has one; SQLCancel is used nowhere (it crashed in maodbc);
 *   each session has an environment of its own: unixODBC's locks are the environment's. */
#ifndef BRIDGE_CONSUMER_SQL_SESSION_H
#define BRIDGE_CONSUMER_SQL_SESSION_H

#include "common/base/err.h"
#include "consumer/erp_reply.h"
#include "consumer/sql_fates.h"
#include "consumer/sql_values.h"

enum { SQL_STATEMENTS = 2, SQL_MESSAGE_BYTES = 4096 };

struct sql_settings {
    const char *statements[SQL_STATEMENTS]; /* with `?`; copied; NULL: none */
    long connect_timeout_s, timeout_s;
};

struct sql_end {
    bool ok;
    /* ok: */
    bool has_document;
    char document[ERP_DOCUMENT_BYTES]; /* first column of the first row; not there when NULL, empty or longer */
    /* not ok: */
    enum sql_server server;
    enum sql_stage stage;
    const struct sql_fate_row *row;
    char state[6]; /* SQLSTATE; "": the driver said nothing */
    long native;
    char message[SQL_MESSAGE_BYTES]; /* the driver's, without the "[..]" in front; may tell the order's data */
};

/* Nothing was sent, nor was the database asked. */
void sql_end_not_begun(struct sql_end *end, const char *message);

/* For main, before there is a second thread: PostgreSQL's driver is told, over the environment, that all text is UTF-8. Untold it asks setlocale at each connect: that frees what
 * another thread that connects is just reading, and takes the machine's locale for the text's (without one the bytes as they are: garbage in a database that is not UTF-8).
 * (psqlodbc 13.02, derive_locale_encoding; libpq reads PGCLIENTENCODING too. maodbc and sqliteodbc do not ask.) RC_FATAL: out of memory. */
enum rc sql_session_prepare(struct err *e);

struct sql_session;

/* Connects to nothing yet; NULL: out of memory. */
struct sql_session *sql_session_create(const struct sql_settings *settings);
void sql_session_destroy(struct sql_session *s);
/* Connects if it is not, or if the string differs from the one it is connected with, and prepares the statements. connection: borrowed during the call. */
void sql_session_look(struct sql_session *s, const char *connection, struct sql_end *end);
/* Runs statement `which` with these values; connects before, if it must. */
void sql_session_run(struct sql_session *s, const char *connection, size_t which, const struct sql_values *values, struct sql_end *end);

#endif
