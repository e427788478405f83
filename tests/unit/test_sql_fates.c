/* What follows from which SQLSTATE and native code: the table of cases that were measured with each driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "consumer/sql_fates.h"

enum { OTHER = SQL_SERVER_OTHER, PG = SQL_SERVER_POSTGRESQL, MY = SQL_SERVER_MARIADB, LITE = SQL_SERVER_SQLITE, MS = SQL_SERVER_MICROSOFT };

static void each_case_has_its_fate(void **state)
{
    (void)state;
    static const struct {
        int server, stage;
        const char *sqlstate;
        long native;
        const char *message;
        enum fate fate;
        bool ambiguous;
    } rows[] = {
        /* cannot connect */
        {PG, SQL_STAGE_CONNECT, "08001", 101, "could not connect", FATE_PAUSE, false},
        {MY, SQL_STAGE_CONNECT, "HY000", 2002, "Can't connect", FATE_PAUSE, false},
        {LITE, SQL_STAGE_CONNECT, "HY000", 14, "connect failed", FATE_PAUSE, false},
        {OTHER, SQL_STAGE_CONNECT, "28000", 0, "BO001: login failed", FATE_PAUSE, false}, /* no order's verdict there */
        {OTHER, SQL_STAGE_CONNECT, "IM002", 0, "Data source name not found", FATE_PAUSE, false},
        {OTHER, SQL_STAGE_CONNECT, "", 0, "", FATE_PAUSE, false},
        /* killed in mid-statement */
        {PG, SQL_STAGE_EXECUTE, "57P01", 1, "ERROR: terminating", FATE_AGAIN, true},
        {PG, SQL_STAGE_EXECUTE, "08S01", 26, "server closed", FATE_AGAIN, true},
        {MY, SQL_STAGE_EXECUTE, "08S01", 2013, "Lost connection", FATE_AGAIN, true},
        {MY, SQL_STAGE_COMMIT, "08S01", 2013, "Lost connection", FATE_AGAIN, true},
        {MY, SQL_STAGE_EXECUTE, "", 0, "", FATE_AGAIN, true},
        {PG, SQL_STAGE_COMMIT, "40003", 0, "unknown", FATE_AGAIN, true},
        /* deadlock, lock time-out */
        {PG, SQL_STAGE_EXECUTE, "40P01", 1, "ERROR: deadlock", FATE_AGAIN, false},
        {PG, SQL_STAGE_EXECUTE, "55P03", 1, "ERROR: lock", FATE_PARK, false},
        {MY, SQL_STAGE_EXECUTE, "40001", 1213, "Deadlock", FATE_AGAIN, false},
        {MY, SQL_STAGE_EXECUTE, "HY000", 1020, "Record has changed", FATE_AGAIN, false},
        {MY, SQL_STAGE_EXECUTE, "HY000", 1205, "Lock wait", FATE_PARK, false},
        {LITE, SQL_STAGE_EXECUTE, "HY000", 5, "database is locked", FATE_PAUSE, false},
        {MS, SQL_STAGE_EXECUTE, "40001", 1205, "deadlock victim", FATE_AGAIN, false},
        /* unique, check, not null */
        {PG, SQL_STAGE_EXECUTE, "23505", 1, "ERROR: duplicate", FATE_PARK, false},
        {PG, SQL_STAGE_EXECUTE, "23502", 1, "ERROR: null", FATE_PARK, false},
        {MY, SQL_STAGE_EXECUTE, "23000", 1062, "Duplicate", FATE_PARK, false},
        {MY, SQL_STAGE_EXECUTE, "23000", 4025, "CONSTRAINT", FATE_PARK, false},
        {LITE, SQL_STAGE_EXECUTE, "HY000", 19, "NOT NULL constraint", FATE_PARK, false},
        /* bad data */
        {PG, SQL_STAGE_EXECUTE, "22P02", 1, "ERROR: invalid json", FATE_PARK, false},
        {MY, SQL_STAGE_EXECUTE, "22007", 1366, "Incorrect", FATE_PARK, false},
        {LITE, SQL_STAGE_EXECUTE, "HY000", 1, "malformed JSON", FATE_PARK, false},
        /* statement time-out */
        {PG, SQL_STAGE_EXECUTE, "57014", 1, "ERROR: canceling", FATE_PAUSE, false},
        {MY, SQL_STAGE_EXECUTE, "HY018", 1969, "Query execution was interrupted", FATE_PAUSE, false},
        {OTHER, SQL_STAGE_EXECUTE, "HYT00", 0, "time-out", FATE_PAUSE, true},
        /* read-only, disk full */
        {PG, SQL_STAGE_EXECUTE, "25006", 1, "ERROR: read-only", FATE_PAUSE, false},
        {PG, SQL_STAGE_EXECUTE, "53100", 1, "ERROR: disk full", FATE_PAUSE, false},
        {MY, SQL_STAGE_EXECUTE, "25006", 1792, "READ ONLY", FATE_PAUSE, false},
        {LITE, SQL_STAGE_EXECUTE, "HY000", 8, "readonly", FATE_PAUSE, false},
        {LITE, SQL_STAGE_EXECUTE, "HY000", 13, "full", FATE_PAUSE, false},
        /* a wrong statement */
        {PG, SQL_STAGE_EXECUTE, "42883", 1, "ERROR: no such function", FATE_PAUSE, false},
        {MY, SQL_STAGE_PREPARE, "42000", 1305, "PROCEDURE does not exist", FATE_PAUSE, false},
        {LITE, SQL_STAGE_PREPARE, "HY000", 1, "no such table", FATE_PAUSE, false},
        /* the ERP's own word */
        {PG, SQL_STAGE_EXECUTE, "BO001", 1, "ERROR: blocked", FATE_REJECT, false},
        {MY, SQL_STAGE_EXECUTE, "BO001", 1644, "blocked", FATE_REJECT, false},
        {LITE, SQL_STAGE_EXECUTE, "HY000", 19, "BO001: blocked", FATE_REJECT, false},
        {MS, SQL_STAGE_EXECUTE, "42000", 50001, "BO001: blocked", FATE_REJECT, false},
        {PG, SQL_STAGE_EXECUTE, "P0001", 1, "ERROR: BO001: blocked", FATE_REJECT, false},
        {PG, SQL_STAGE_EXECUTE, "P0001", 1, "ERROR: not BO001: blocked", FATE_PARK, false},
        {MY, SQL_STAGE_EXECUTE, "45000", 1644, "blocked", FATE_PARK, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct sql_fate_row *row = sql_fate_of((enum sql_server)rows[i].server, (enum sql_stage)rows[i].stage, rows[i].sqlstate, rows[i].native, rows[i].message);
        if (row->fate != rows[i].fate || row->ambiguous != rows[i].ambiguous)
            fail_msg("%s/%ld of server %d: %s, %s", rows[i].sqlstate, rows[i].native, rows[i].server, fate_name(row->fate), row->words);
    }
}

/* Whatever a driver makes up: a state that is not the ERP's own word never rejects, and what broke a connection is not kept. */
static void nothing_else_rejects(void **state)
{
    (void)state;
    char text[6] = "";
    static const char letters[] = "0123456789ABHIMPSTXYZ";
    for (size_t a = 0; a < sizeof letters - 1; a++)
        for (size_t b = 0; b < sizeof letters - 1; b++)
            for (int server = OTHER; server <= MS; server++)
                for (int stage = SQL_STAGE_CONNECT; stage <= SQL_STAGE_COMMIT; stage++) {
                    text[0] = letters[a];
                    text[1] = letters[b];
                    memcpy(text + 2, "001", 4);
                    const struct sql_fate_row *row = sql_fate_of((enum sql_server)server, (enum sql_stage)stage, text, 77777, "words");
                    assert_int_not_equal(row->fate, FATE_REJECT);
                    assert_int_not_equal(row->fate, FATE_LOADED);
                    assert_true(!row->keeps || !row->ambiguous);
                    assert_true(stage >= SQL_STAGE_EXECUTE || !row->ambiguous);
                }
}

static void is_reason(const char *message, const char *wanted)
{
    size_t n;
    const char *p = sql_fate_reason(message, &n);
    assert_int_equal(n, strlen(wanted));
    assert_memory_equal(p, wanted, n);
}

static void the_reason_is_what_the_erp_said(void **state)
{
    (void)state;
    is_reason("ERROR: Nieznany towar X;\nError while executing the query", "Nieznany towar X");
    is_reason("BO001: Nieznany towar X", "Nieznany towar X");
    is_reason("Nieznany towar X", "Nieznany towar X");
    is_reason("ERROR: BO001: Nieznany; towar", "Nieznany; towar");
    is_reason("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_has_its_fate),
        cmocka_unit_test(nothing_else_rejects),
        cmocka_unit_test(the_reason_is_what_the_erp_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
