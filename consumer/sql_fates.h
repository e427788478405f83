/* What an ODBC diagnostic means: one table by database, SQLSTATE and native code. Only the ERP's own word, SQLSTATE BO001 (or a message that begins with
 * "BO001: " where a database cannot raise a state of its own: SQLite, SQL Server), rejects at once. What else a statement can fail with about one order
 * (data, constraints, an exception without that state) parks it: a wrong setting fails every order, and parking rejects only while the ERP answers others.
 * Everything else is the system's. Source: the databases' manuals, and each driver tried (psqlodbc 13.02, maodbc 3.1.15, sqliteodbc 0.9998).
 * Pure; immutable; any thread. */
#ifndef BRIDGE_CONSUMER_SQL_FATES_H
#define BRIDGE_CONSUMER_SQL_FATES_H

#include <stddef.h>

#include "consumer/fates.h"

enum sql_server { SQL_SERVER_OTHER, SQL_SERVER_POSTGRESQL, SQL_SERVER_MARIADB, SQL_SERVER_SQLITE, SQL_SERVER_MICROSOFT };

/* What was under way. */
enum sql_stage { SQL_STAGE_CONNECT, SQL_STAGE_PREPARE, SQL_STAGE_EXECUTE, SQL_STAGE_COMMIT };

struct sql_fate_row {
    signed char server; /* enum sql_server; -1: any */
    const char *state;  /* begins with; "": any */
    long native;        /* 0: any */
    enum fate fate;
    bool ambiguous;     /* if it came while the statement ran: it may have been done all the same */
    bool keeps;         /* the connection is good for the next statement, after a rollback */
    const char *words;
};

/* Never NULL. state: "" when the driver said nothing at all. message: without the "[..]" that drivers put in front. */
const struct sql_fate_row *sql_fate_of(enum sql_server server, enum sql_stage stage, const char *state, long native, const char *message);
/* The ERP's words in such a message: behind "BO001: ", without what the driver adds. Points into message, *n bytes. */
const char *sql_fate_reason(const char *message, size_t *n);

#endif
