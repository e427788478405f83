#include "consumer/sql_session.h"

#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"
#include "consumer/sql_wide.h"

enum { SETUP_BYTES = 200 };

/* What differs between the servers. */
struct dialect {
    const char *name; /* what SQL_DBMS_NAME begins with */
    enum sql_server server;
    bool atomic;       /* one statement is a transaction already: no commit, one round trip */
    bool wide;         /* takes text beyond its code page only as UTF-16 */
    const char *setup; /* run once after connecting, with the time-out in seconds; NULL: nothing. It may fail: the watch is ours */
};

static const struct dialect dialects[] = {
    {"PostgreSQL", SQL_SERVER_POSTGRESQL, true, false, NULL},
    {"MariaDB", SQL_SERVER_MARIADB, false, false, "SET SESSION max_statement_time = %1$ld, innodb_lock_wait_timeout = %1$ld"},
    {"MySQL", SQL_SERVER_MARIADB, false, false, "SET SESSION innodb_lock_wait_timeout = %1$ld"},
    {"SQLite", SQL_SERVER_SQLITE, true, false, "PRAGMA busy_timeout = %1$ld000"},
    {"Microsoft SQL Server", SQL_SERVER_MICROSOFT, false, true, "SET LOCK_TIMEOUT %1$ld000"},
    {"", SQL_SERVER_OTHER, false, false, NULL},
};

struct sql_session {
    struct sql_settings settings; /* its texts owned */
    SQLHENV env;
    SQLHDBC dbc;
    char *connection; /* the one it is connected with; NULL: not connected */
    const struct dialect *dialect;
    SQLHSTMT statements[SQL_STATEMENTS]; /* prepared, or SQL_NULL_HSTMT */
    SQLLEN lengths[SQL_PARAMETERS_MAX];
    struct buf wide;
};

enum rc sql_session_prepare(struct err *e)
{
    if (setenv("PGCLIENTENCODING", "UTF8", 1) == 0)
        return RC_OK;
    err_set(e, "out of memory");
    return RC_FATAL;
}

struct sql_session *sql_session_create(const struct sql_settings *settings)
{
    struct sql_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->settings = (struct sql_settings){.connect_timeout_s = settings->connect_timeout_s, .timeout_s = settings->timeout_s};
    s->dialect = &dialects[sizeof dialects / sizeof *dialects - 1];
    buf_init(&s->wide, (size_t)INT32_MAX);
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        if (settings->statements[i] != NULL && (s->settings.statements[i] = strdup(settings->statements[i])) == NULL) {
            sql_session_destroy(s);
            return NULL;
        }
    return s;
}

void sql_end_not_begun(struct sql_end *end, const char *message)
{
    *end = (struct sql_end){.stage = SQL_STAGE_CONNECT, .state = "HY001"};
    (void)snprintf(end->message, sizeof end->message, "%s", message);
    end->row = sql_fate_of(end->server, end->stage, end->state, 0, end->message);
}

static void statement_drop(struct sql_session *s, size_t which)
{
    if (s->statements[which] != SQL_NULL_HSTMT)
        (void)SQLFreeHandle(SQL_HANDLE_STMT, s->statements[which]);
    s->statements[which] = SQL_NULL_HSTMT;
}

static void disconnect(struct sql_session *s)
{
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        statement_drop(s, i);
    if (s->dbc != SQL_NULL_HDBC) {
        if (s->connection != NULL && !SQL_SUCCEEDED(SQLDisconnect(s->dbc)) && SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, s->dbc, SQL_ROLLBACK)))
            (void)SQLDisconnect(s->dbc); /* a transaction was open */
        (void)SQLFreeHandle(SQL_HANDLE_DBC, s->dbc);
    }
    if (s->env != SQL_NULL_HENV)
        (void)SQLFreeHandle(SQL_HANDLE_ENV, s->env);
    s->dbc = SQL_NULL_HDBC;
    s->env = SQL_NULL_HENV;
    free(s->connection);
    s->connection = NULL;
}

void sql_session_destroy(struct sql_session *s)
{
    if (s == NULL)
        return;
    disconnect(s);
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        free((void *)(uintptr_t)s->settings.statements[i]);
    buf_release(&s->wide);
    free(s);
}

/* What the handle tells, before anything else is done with it. Warnings that stand before the error are passed over. */
static void diagnose(const struct sql_session *s, SQLSMALLINT type, SQLHANDLE handle, enum sql_stage stage, struct sql_end *end)
{
    SQLCHAR state[6] = "", text[SQL_MESSAGE_BYTES] = "";
    SQLINTEGER native = 0;
    SQLSMALLINT n = 0;
    *end = (struct sql_end){.server = s->dialect->server, .stage = stage};
    for (SQLSMALLINT i = 1; handle != SQL_NULL_HANDLE && i < 20; i++) {
        if (!SQL_SUCCEEDED(SQLGetDiagRec(type, handle, i, state, &native, text, sizeof text, &n)))
            break;
        memcpy(end->state, state, sizeof end->state);
        end->native = native;
        const char *p = (const char *)text, *behind;
        while (*p == '[' && (behind = strchr(p, ']')) != NULL)
            p = behind + 1;
        (void)snprintf(end->message, sizeof end->message, "%s", p);
        if (strncmp(end->state, "01", 2) != 0)
            break;
    }
    end->row = sql_fate_of(end->server, stage, end->state, end->native, end->message);
}

static void setup(struct sql_session *s)
{
    char text[SETUP_BYTES];
    SQLHSTMT h = SQL_NULL_HSTMT;
    if (s->dialect->setup == NULL || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &h)))
        return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof text, s->dialect->setup, s->settings.timeout_s); /* of the table above: one long */
#pragma GCC diagnostic pop
    (void)SQLExecDirect(h, (SQLCHAR *)text, SQL_NTS);
    (void)SQLFreeHandle(SQL_HANDLE_STMT, h);
}

static void learn(struct sql_session *s)
{
    char name[100] = "";
    SQLSMALLINT n = 0;
    const struct dialect *d = dialects;
    (void)SQLGetInfo(s->dbc, SQL_DBMS_NAME, name, sizeof name, &n); /* fails: an unknown one */
    while (strncmp(name, d->name, strlen(d->name)) != 0)
        d++; /* ends: the last name is empty */
    s->dialect = d;
}

static bool handles(struct sql_session *s)
{
    return SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &s->env)) &&
           SQL_SUCCEEDED(SQLSetEnvAttr(s->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0)) &&
           SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, s->env, &s->dbc));
}

static bool connect_to(struct sql_session *s, const char *connection, struct sql_end *end)
{
    SQLCHAR out[1024];
    SQLSMALLINT n = 0;
    char *kept = strdup(connection);
    if (kept == NULL || !handles(s)) {
        sql_end_not_begun(end, "out of memory");
        free(kept);
        disconnect(s);
        return false;
    }
    (void)SQLSetConnectAttr(s->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)(uintptr_t)s->settings.connect_timeout_s, 0); /* not every driver knows it */
    if (!SQL_SUCCEEDED(SQLDriverConnect(s->dbc, NULL, (SQLCHAR *)kept, SQL_NTS, out, sizeof out, &n, SQL_DRIVER_NOPROMPT))) {
        diagnose(s, SQL_HANDLE_DBC, s->dbc, SQL_STAGE_CONNECT, end);
        free(kept);
        disconnect(s);
        return false;
    }
    s->connection = kept;
    learn(s);
    setup(s);
    if (!s->dialect->atomic && !SQL_SUCCEEDED(SQLSetConnectAttr(s->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)(uintptr_t)SQL_AUTOCOMMIT_OFF, 0))) {
        diagnose(s, SQL_HANDLE_DBC, s->dbc, SQL_STAGE_CONNECT, end);
        disconnect(s);
        return false;
    }
    return true;
}

static bool connected(struct sql_session *s, const char *connection, struct sql_end *end)
{
    if (s->connection != NULL && strcmp(s->connection, connection) == 0)
        return true;
    disconnect(s);
    return connect_to(s, connection, end);
}

static bool prepared(struct sql_session *s, size_t which, struct sql_end *end)
{
    SQLHSTMT h = SQL_NULL_HSTMT;
    if (s->statements[which] != SQL_NULL_HSTMT)
        return true;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &h))) {
        diagnose(s, SQL_HANDLE_DBC, s->dbc, SQL_STAGE_PREPARE, end);
        disconnect(s); /* maodbc after a kill: refused without a word */
        return false;
    }
    (void)SQLSetStmtAttr(h, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)(uintptr_t)s->settings.timeout_s, 0); /* not every driver knows it */
    if (!SQL_SUCCEEDED(SQLPrepare(h, (SQLCHAR *)s->settings.statements[which], SQL_NTS))) {
        diagnose(s, SQL_HANDLE_STMT, h, SQL_STAGE_PREPARE, end);
        (void)SQLFreeHandle(SQL_HANDLE_STMT, h);
        disconnect(s);
        return false;
    }
    s->statements[which] = h;
    return true;
}

/* Text is always a long type, in the bytes' own length: 8 MB of JSON go through all drivers that way. */
static SQLRETURN bind_text(struct sql_session *s, SQLHSTMT h, SQLUSMALLINT i, const struct sql_value *v)
{
    SQLLEN *length = &s->lengths[i];
    SQLPOINTER p = (SQLPOINTER)(uintptr_t)(v->text != NULL ? v->text : "");
    *length = v->kind == SQL_VALUE_NULL ? SQL_NULL_DATA : (SQLLEN)v->text_n;
    SQLULEN size = v->text_n > 0 ? v->text_n : 1;
    if (!s->dialect->wide)
        return SQLBindParameter(h, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, SQL_C_CHAR, SQL_LONGVARCHAR, size, 0, p, *length, length);
    if (v->kind != SQL_VALUE_NULL) {
        size_t at = s->wide.n;
        sql_wide_put(&s->wide, v->text, v->text_n); /* reserved before: it does not move */
        p = s->wide.p + at;
        *length = (SQLLEN)(s->wide.n - at);
    }
    return SQLBindParameter(h, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, SQL_C_WCHAR, SQL_WLONGVARCHAR, size, 0, p, *length, length);
}

static bool bind_all(struct sql_session *s, SQLHSTMT h, const struct sql_values *values)
{
    size_t room = 0;
    for (size_t i = 0; i < values->n; i++)
        room += 2 * values->v[i].text_n;
    buf_reset(&s->wide);
    if (s->dialect->wide && !buf_reserve(&s->wide, room + 1))
        return false;
    for (size_t i = 0; i < values->n; i++) {
        const struct sql_value *v = &values->v[i];
        SQLUSMALLINT at = (SQLUSMALLINT)i;
        SQLPOINTER number = (SQLPOINTER)(uintptr_t)&v->number;
        SQLRETURN r;
        s->lengths[i] = 0;
        if (v->kind == SQL_VALUE_BIGINT)
            r = SQLBindParameter(h, (SQLUSMALLINT)(at + 1), SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_BIGINT, 19, 0, number, sizeof v->number, &s->lengths[i]);
        else if (v->kind == SQL_VALUE_INTEGER) /* 0 or 1, and so the same in 64 bits */
            r = SQLBindParameter(h, (SQLUSMALLINT)(at + 1), SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_INTEGER, 10, 0, number, sizeof v->number, &s->lengths[i]);
        else
            r = bind_text(s, h, at, v);
        if (!SQL_SUCCEEDED(r))
            return false;
    }
    return true;
}

static void take_document(SQLHSTMT h, struct sql_end *end)
{
    SQLLEN n = 0;
    SQLRETURN r = SQLGetData(h, 1, SQL_C_CHAR, end->document, sizeof end->document, &n);
    end->has_document = r == SQL_SUCCESS && n > 0 && n < (SQLLEN)sizeof end->document; /* with info: longer */
}

/* Every result to its end: a procedure's error may stand behind its rows. */
static bool results(SQLHSTMT h, struct sql_end *end)
{
    bool first = true;
    SQLRETURN r = SQL_SUCCESS;
    do {
        SQLSMALLINT columns = 0;
        if (!SQL_SUCCEEDED(SQLNumResultCols(h, &columns)))
            return false;
        while (columns > 0 && (r = SQLFetch(h)) != SQL_NO_DATA) {
            if (!SQL_SUCCEEDED(r))
                return false;
            if (first)
                take_document(h, end);
            first = false;
        }
        r = SQLMoreResults(h);
    } while (SQL_SUCCEEDED(r));
    return r == SQL_NO_DATA;
}

/* The statement failed. Its handle is not used again; whether the connection is, the table says. */
static void failed(struct sql_session *s, size_t which, struct sql_end *end)
{
    if (!end->row->keeps) {
        disconnect(s);
        return;
    }
    statement_drop(s, which);
    if (!s->dialect->atomic && !SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, s->dbc, SQL_ROLLBACK)))
        disconnect(s);
}

void sql_session_look(struct sql_session *s, const char *connection, struct sql_end *end)
{
    *end = (struct sql_end){.ok = false};
    if (!connected(s, connection, end))
        return;
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        if (s->settings.statements[i] != NULL && !prepared(s, i, end))
            return;
    end->ok = true;
}

void sql_session_run(struct sql_session *s, const char *connection, size_t which, const struct sql_values *values, struct sql_end *end)
{
    *end = (struct sql_end){.ok = false};
    if (!connected(s, connection, end) || !prepared(s, which, end))
        return;
    SQLHSTMT h = s->statements[which];
    PROBE(statement_executing);
    SQLRETURN r = bind_all(s, h, values) ? SQLExecute(h) : SQL_ERROR;
    PROBE(statement_executed);
    if ((!SQL_SUCCEEDED(r) && r != SQL_NO_DATA) || !results(h, end)) {
        diagnose(s, SQL_HANDLE_STMT, h, SQL_STAGE_EXECUTE, end);
        failed(s, which, end);
        return;
    }
    (void)SQLFreeStmt(h, SQL_CLOSE); /* all was read */
    if (!s->dialect->atomic && !SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, s->dbc, SQL_COMMIT))) {
        diagnose(s, SQL_HANDLE_DBC, s->dbc, SQL_STAGE_COMMIT, end);
        failed(s, which, end);
        return;
    }
    PROBE(statement_committed);
    end->ok = true;
}
