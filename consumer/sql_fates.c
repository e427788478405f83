#include "consumer/sql_fates.h"

#include <stddef.h>
#include <string.h>

enum { ANY = -1, PG = SQL_SERVER_POSTGRESQL, MY = SQL_SERVER_MARIADB, LITE = SQL_SERVER_SQLITE, MS = SQL_SERVER_MICROSOFT };

static const char verdict[] = "BO001: ";

static const struct sql_fate_row refused = {ANY, "", 0, FATE_REJECT, false, true, "refused by the ERP"};

/* Nothing was sent that could have loaded anything. */
static const struct sql_fate_row connecting[] = {
    {ANY, "28", 0, FATE_PAUSE, false, false, "credential refused: check erp.sql.connection"},
    {MY, "", 1045, FATE_PAUSE, false, false, "credential refused: check erp.sql.connection"},
    {MY, "", 1044, FATE_PAUSE, false, false, "the user may not use this database: check erp.sql.connection"},
    {MY, "", 1049, FATE_PAUSE, false, false, "no such database: check erp.sql.connection"},
    {ANY, "3D", 0, FATE_PAUSE, false, false, "no such database: check erp.sql.connection"},
    {ANY, "IM00", 0, FATE_PAUSE, false, false, "no such driver or data source: check erp.sql.connection and odbcinst.ini"},
    {ANY, "01000", 0, FATE_PAUSE, false, false, "the driver cannot be loaded: check erp.sql.connection and odbcinst.ini"},
    {ANY, "53300", 0, FATE_PAUSE, false, false, "the database has no room for another connection: lower erp.sql.sessions"},
    {MY, "", 1040, FATE_PAUSE, false, false, "the database has no room for another connection: lower erp.sql.sessions"},
    {ANY, "", 0, FATE_PAUSE, false, false, "the database cannot be reached"},
};

static const struct sql_fate_row preparing[] = {
    {ANY, "08", 0, FATE_AGAIN, false, false, "the connection was cut"},
    {ANY, "57P", 0, FATE_AGAIN, false, false, "the connection was cut"},
    {MY, "", 2006, FATE_AGAIN, false, false, "the connection was cut"},
    {MY, "", 2013, FATE_AGAIN, false, false, "the connection was cut"},
    {ANY, "42", 0, FATE_PAUSE, false, false, "the statement does not fit the database: check erp.sql.statement"},
    {LITE, "HY000", 1, FATE_PAUSE, false, false, "the statement does not fit the database: check erp.sql.statement"},
    {ANY, "", 0, FATE_PAUSE, false, false, "the statement cannot be prepared"},
};

static const struct sql_fate_row running[] = {
    {ANY, "BO001", 0, FATE_REJECT, false, true, "refused by the ERP"},

    {LITE, "", 5, FATE_PAUSE, false, false, "another program holds the lock on the database"},
    {LITE, "", 6, FATE_AGAIN, false, true, "a table is locked"},
    {LITE, "", 1, FATE_PARK, false, true, "the statement failed"},
    {LITE, "", 18, FATE_PARK, false, true, "the order is too large for the database"},
    {LITE, "", 19, FATE_PARK, false, true, "the order breaks a constraint"},
    {LITE, "", 20, FATE_PARK, false, true, "the order does not fit a column"},
    {LITE, "", 8, FATE_PAUSE, false, false, "the database is read-only"},
    {LITE, "", 10, FATE_PAUSE, true, false, "input or output error"},
    {LITE, "", 11, FATE_PAUSE, false, false, "the database file is damaged"},
    {LITE, "", 13, FATE_PAUSE, false, false, "no space left"},

    {MY, "", 1213, FATE_AGAIN, false, true, "a deadlock"},
    {MY, "", 1020, FATE_AGAIN, false, true, "another transaction was first"},
    {MY, "", 1205, FATE_PARK, false, true, "locked in the ERP"},
    {MY, "", 1969, FATE_PAUSE, false, false, "the statement took too long: see erp.sql.timeout"},
    {MY, "", 3024, FATE_PAUSE, false, false, "the statement took too long: see erp.sql.timeout"},
    {MY, "", 1317, FATE_PAUSE, false, false, "the statement was interrupted"},
    {MY, "", 1927, FATE_AGAIN, true, false, "the connection was cut"},
    {MY, "", 1053, FATE_AGAIN, true, false, "the database is being shut down"},
    {MY, "", 2006, FATE_AGAIN, true, false, "the connection was cut"},
    {MY, "", 2013, FATE_AGAIN, true, false, "the connection was cut"},
    {MY, "", 2055, FATE_AGAIN, true, false, "the connection was cut"},
    {MY, "", 1792, FATE_PAUSE, false, false, "the database is read-only"},
    {MY, "", 1836, FATE_PAUSE, false, false, "the database is read-only"},
    {MY, "", 1290, FATE_PAUSE, false, false, "the database is read-only"},
    {MY, "", 1021, FATE_PAUSE, false, false, "no space left"},
    {MY, "", 1114, FATE_PAUSE, false, false, "no space left"},
    {MY, "", 1153, FATE_PARK, true, false, "the order is larger than max_allowed_packet of the database"},
    {MY, "", 1366, FATE_PARK, false, true, "the order does not fit a column"},
    {MY, "", 1364, FATE_PARK, false, true, "a column without default is not filled"},

    {MS, "", 1205, FATE_AGAIN, false, true, "a deadlock"},
    {MS, "", 1222, FATE_PARK, false, true, "locked in the ERP"},
    {MS, "", 1105, FATE_PAUSE, false, false, "no space left"},
    {MS, "", 9002, FATE_PAUSE, false, false, "the transaction log is full"},
    {MS, "", 50000, FATE_PARK, false, true, "the procedure failed; a verdict about the order is thrown as 'BO001: ...'"},
    {MS, "", 3906, FATE_PAUSE, false, false, "the database is read-only"},

    {ANY, "40001", 0, FATE_AGAIN, false, true, "a deadlock, or another transaction was first"},
    {PG, "40P01", 0, FATE_AGAIN, false, true, "a deadlock"},
    {ANY, "40003", 0, FATE_AGAIN, true, false, "the database does not know whether the statement was done"},
    {ANY, "40", 0, FATE_AGAIN, false, true, "the transaction was rolled back"},
    {PG, "55P03", 0, FATE_PARK, false, true, "locked in the ERP"},
    {PG, "57014", 0, FATE_PAUSE, false, false, "the statement took too long, or was interrupted: see erp.sql.timeout"},
    {PG, "57P03", 0, FATE_PAUSE, false, false, "the database is starting or stopping"},
    {PG, "57P", 0, FATE_AGAIN, true, false, "the database closed the connection"},
    {PG, "25006", 0, FATE_PAUSE, false, false, "the database is read-only"},
    {PG, "53100", 0, FATE_PAUSE, false, false, "no space left"},
    {PG, "53", 0, FATE_PAUSE, false, false, "the database is out of something"},
    {PG, "P0", 0, FATE_PARK, false, true, "the procedure failed; a verdict about the order is raised as BO001"},
    {PG, "XX", 0, FATE_PARK, true, false, "error inside the database"},
    {ANY, "45", 0, FATE_PARK, false, true, "the procedure failed; a verdict about the order is raised as BO001"},
    {ANY, "HYT", 0, FATE_PAUSE, true, false, "no answer in time: see erp.sql.timeout"},
    {ANY, "HY018", 0, FATE_PAUSE, false, false, "the statement took too long: see erp.sql.timeout"},
    {ANY, "08", 0, FATE_AGAIN, true, false, "the connection was cut"},
    {ANY, "", -1, FATE_AGAIN, true, false, "the driver lost its connection"}, /* stands for: no diagnostic at all */
    {ANY, "23", 0, FATE_PARK, false, true, "the order breaks a constraint"},
    {ANY, "22", 0, FATE_PARK, false, true, "the order does not fit a column, or a conversion failed"},
    {ANY, "21", 0, FATE_PARK, false, true, "the statement found more rows than it wants"},
    {ANY, "28", 0, FATE_PAUSE, false, false, "credential refused: check erp.sql.connection"},
    {ANY, "42", 0, FATE_PAUSE, false, false, "the statement does not fit the database, or is not permitted: check erp.sql.statement"},
    {ANY, "", 0, FATE_PAUSE, true, false, "the database is in trouble"},
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Where a message says that it is a verdict; NULL: it does not. */
static const char *verdict_at(const char *message)
{
    if (begins(message, "ERROR: "))
        message += strlen("ERROR: ");
    return begins(message, verdict) ? message + strlen(verdict) : NULL;
}

static bool fits(const struct sql_fate_row *row, enum sql_server server, const char *state, long native)
{
    if (row->native == -1)
        return state[0] == '\0';
    return (row->server == ANY || row->server == (signed char)server) && begins(state, row->state) && (row->native == 0 || row->native == native);
}

const struct sql_fate_row *sql_fate_of(enum sql_server server, enum sql_stage stage, const char *state, long native, const char *message)
{
    const struct sql_fate_row *row = stage == SQL_STAGE_CONNECT ? connecting : stage == SQL_STAGE_PREPARE ? preparing : running;
    if (row == running && verdict_at(message) != NULL)
        return &refused;
    while (!fits(row, server, state, native))
        row++; /* ends: the last one fits all */
    return row;
}

const char *sql_fate_reason(const char *message, size_t *n)
{
    static const char added[] = ";\nError while executing the query"; /* psqlodbc */
    const char *at = verdict_at(message), *end;
    if (at == NULL)
        at = begins(message, "ERROR: ") ? message + strlen("ERROR: ") : message;
    end = strstr(at, added);
    *n = end != NULL ? (size_t)(end - at) : strlen(at);
    return at;
}
