/* The contract of erp_sink.h held to sql, against the example schema in SQLite; with BRIDGE_SQL_CONNECTION, BRIDGE_SQL_STATEMENT and BRIDGE_SQL_SCRIPT (a command that
 * makes the database empty again) against that server: tests/services/test_databases.py does so with each one. Then what only sql has. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "tests/unit/sink_contract.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sql.h>
#include <stdatomic.h>

#include "consumer/sql_pool.h"

/* The system has no more threads, if a test says so. */
static bool no_threads;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (no_threads)
        return EAGAIN;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    return next(thread, attributes, run, arg);
}

/* After so many that pass, so many statements freeze, as on a server that does, until `thaw`. */
static atomic_int passes, freezes, frozen;
static sem_t thaw;

SQLRETURN SQLExecute(SQLHSTMT statement)
{
    SQLRETURN (*next)(SQLHSTMT);
    if (atomic_fetch_sub(&passes, 1) <= 0 && atomic_fetch_sub(&freezes, 1) > 0) {
        atomic_fetch_add(&frozen, 1);
        while (sem_wait(&thaw) != 0)
            continue;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "SQLExecute");
    return next(statement);
}

static const char lite_statement[] =
    "WITH o AS (SELECT :organization AS organization, :order_id AS order_id, :warehouse AS warehouse, :revision AS revision, :publication AS publication, "
    ":withdrawn AS withdrawn, :order_json AS order_json) INSERT INTO xsale_import SELECT * FROM o WHERE true RETURNING (SELECT x.document_id FROM xsale_order x "
    "WHERE x.organization = xsale_import.organization AND x.order_id = xsale_import.order_id AND x.warehouse = xsale_import.warehouse)";

static void put(struct bench *b, const char *key, const char *value)
{
    char *text = malloc(strlen(key) + strlen(value) + 2);
    assert_non_null(text);
    (void)sprintf(text, "%s=%s", key, value);
    assert_true(b->long_values_n < 4);
    b->long_values[b->long_values_n++] = text;
}

static void database_empty(const char *directory)
{
    char command[900];
    const char *script = getenv("BRIDGE_SQL_SCRIPT");
    if (script == NULL)
        (void)snprintf(command, sizeof command, "rm -f %s/erp.db*; python3 -c \"import sqlite3; c = sqlite3.connect('%s/erp.db'); c.executescript(open('%s/schemas/erp/sqlite.sql').read()); "
                       "c.execute(\\\"INSERT INTO xsale_blocked_article VALUES ('%s')\\\"); c.commit()\"", directory, directory, BRIDGE_SOURCE, REFUSED);
    else
        (void)snprintf(command, sizeof command, "%s", script);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static struct bench *bench_sql(const char *statement)
{
    struct bench *b = bench_create();
    const char *connection = getenv("BRIDGE_SQL_CONNECTION"), *theirs = getenv("BRIDGE_SQL_STATEMENT");
    char lite[300];
    (void)snprintf(b->directory, sizeof b->directory, "/tmp/test-sink-sql-XXXXXX");
    assert_non_null(mkdtemp(b->directory));
    (void)snprintf(lite, sizeof lite, "Driver=SQLite3;Database=%s/erp.db;JournalMode=WAL;SyncPragma=NORMAL", b->directory);
    set(b, "erp.sink", "%s", "sql");
    set(b, "erp.sql.sessions", "%d", 4);
    put(b, "erp.sql.connection", connection != NULL ? connection : lite);
    put(b, "erp.sql.statement", statement != NULL ? statement : theirs != NULL ? theirs : lite_statement);
    put(b, "erp.sql.withdraw_statement", theirs != NULL ? theirs : lite_statement);
    b->refusal = "blocked";
    return b;
}

static int open_sql(void **state)
{
    struct bench *b = bench_sql(NULL);
    database_empty(b->directory);
    open_sink(b, "sql");
    *state = b;
    return 0;
}

/* --- what only a database has */

static void a_database_that_is_absent_pauses_and_is_told_until_it_is_there(void **state)
{
    (void)state;
    struct bench *b = bench_sql(NULL);
    struct order o;
    char path[100], hidden[120];
    (void)snprintf(path, sizeof path, "%s", b->directory);
    (void)snprintf(hidden, sizeof hidden, "%s.hidden", path);
    database_empty(b->directory);
    assert_int_equal(rename(path, hidden), 0);
    set(b, "erp.probe_min", "%s", "20ms");
    open_sink(b, "sql");
    for (int64_t end = loop_now(b->loop) + PATIENCE_MS; b->told < 2 && loop_now(b->loop) < end;)
        loop_turn(b->loop, 10);
    assert_true(b->told >= 2);
    assert_false(b->there);
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_PAUSE);
    assert_false(o.end.v.ambiguous); /* nothing was sent */
    assert_int_equal(rename(hidden, path), 0);
    for (int64_t end = loop_now(b->loop) + PATIENCE_MS; !b->there && loop_now(b->loop) < end;)
        loop_turn(b->loop, 10);
    assert_true(b->there);
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_LOADED);
    bench_destroy(b);
}

static void a_statement_that_does_not_fit_pauses_and_says_so(void **state)
{
    (void)state;
    struct bench *b = bench_sql("SELECT no_such_function(:order_id, :order_json)");
    struct order o;
    database_empty(b->directory);
    open_sink(b, "sql");
    assert_int_equal(load(b, order(&o, 1, 10, "aa", false)), FATE_PAUSE);
    assert_false(o.end.v.ambiguous);
    assert_non_null(strstr(o.end.words, "erp.sql.statement"));
    assert_non_null(strstr(o.end.words, "no_such_function"));
    bench_destroy(b);
}

/* The order's data stands in a constraint's message: the reason may tell it, a log line never. */
static void data_parks_one_order_and_stays_out_of_the_words(void **state)
{
    struct bench *b = *state;
    struct order bad, good;
    order(&bad, 21, 10, "aa", false);
    (void)snprintf(bad.document, sizeof bad.document, "{\"items\":[{\"quantity\":\"SEKRETNA\",\"articles\":[{\"code\":[}]}]}");
    bad.load.document_n = strlen(bad.document);
    enum fate fate = load(b, &bad);
    assert_true(fate == FATE_PARK || fate == FATE_REJECT); /* MariaDB's example checks the JSON itself */
    assert_true(bad.end.reason[0] != '\0');
    assert_null(strstr(bad.end.words, "SEKRETNA"));
    assert_int_equal(load(b, order(&good, 22, 10, "aa", false)), FATE_LOADED);
}

static void fields_of_the_document_are_parameters_too(void **state)
{
    (void)state;
    const char *theirs = getenv("BRIDGE_SQL_STATEMENT");
    bool mariadb = theirs != NULL && strncmp(theirs, "CALL", 4) == 0;
    struct bench *b = bench_sql(mariadb ? "SELECT concat(:number, '|', :totalGross, '|', :order_id)"
                                        : "SELECT CAST(:number AS text) || '|' || CAST(:totalGross AS text) || '|' || CAST(:order_id AS text)");
    struct order o;
    database_empty(b->directory);
    open_sink(b, "sql");
    order(&o, 31, 10, "aa", false);
    (void)snprintf(o.document, sizeof o.document, "{\"number\":\"ZAM żółw \\ud83d\\ude00\",\"totalGross\":19.9900}");
    o.load.document_n = strlen(o.document);
    assert_int_equal(load(b, &o), FATE_LOADED);
    assert_string_equal(o.end.document, "ZAM żółw \xF0\x9F\x98\x80|19.9900|31");
    bench_destroy(b);
}

static void large_documents_arrive_whole(void **state)
{
    (void)state;
    const char *theirs = getenv("BRIDGE_SQL_STATEMENT");
    enum { LARGE = 3 * 1024 * 1024 };
    struct bench *b = bench_sql(theirs != NULL ? "SELECT char_length(:order_json)" : "SELECT length(:order_json)");
    struct order o;
    char *text = malloc(LARGE);
    assert_non_null(text);
    for (size_t i = 0; i + 1 < LARGE; i += 2)
        memcpy(text + i, "\xC5\x82", 2);
    database_empty(b->directory);
    open_sink(b, "sql");
    order(&o, 41, 10, "aa", false)->load.document = text;
    o.load.document_n = LARGE;
    assert_int_equal(load(b, &o), FATE_LOADED);
    assert_string_equal(o.end.document, "1572864");
    free(text);
    bench_destroy(b);
}

static void a_document_id_that_is_null_or_too_long_is_not_named(void **state)
{
    (void)state;
    char lengthy[400];
    (void)snprintf(lengthy, sizeof lengthy, "SELECT '%0256d', :order_id", 1);
    const char *const statements[] = {"SELECT NULL, :order_id", "SELECT '', :order_id", lengthy};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        struct bench *b = bench_sql(statements[i]);
        struct order o;
        database_empty(b->directory);
        open_sink(b, "sql");
        assert_int_equal(load(b, order(&o, 51, 10, "aa", false)), FATE_LOADED);
        if (o.end.v.document_id != NULL)
            fail_msg("%s: %s", statements[i], o.end.document);
        bench_destroy(b);
    }
}

/* The password changed and so did its file: read again before the next try. */
static void a_new_connection_string_is_taken_after_a_failure(void **state)
{
    (void)state;
    struct bench *b = bench_sql(NULL);
    struct order o;
    char path[120], right[400];
    database_empty(b->directory);
    (void)snprintf(path, sizeof path, "%s/connection", b->directory);
    (void)snprintf(right, sizeof right, "%s", strchr(b->long_values[0], '=') + 1);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("Driver=SQLite3;Database=/no/such/place/erp.db", f) >= 0);
    assert_int_equal(fclose(f), 0);
    free(b->long_values[0]);
    b->long_values[0] = malloc(200);
    assert_non_null(b->long_values[0]);
    (void)snprintf(b->long_values[0], 200, "erp.sql.connection_file=%s", path);
    open_sink(b, "sql");
    assert_int_equal(load(b, order(&o, 61, 10, "aa", false)), FATE_PAUSE);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(right, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(load(b, order(&o, 61, 10, "aa", false)), FATE_LOADED);
    bench_destroy(b);
}

/* With little patience for what is frozen. */
static struct bench *bench_counting(void)
{
    struct bench *b = bench_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'D' || i FROM (SELECT i FROM n LIMIT :order_id) WHERE i = :order_id");
    database_empty(b->directory);
    set(b, "erp.sql.timeout", "%s", "1s");
    set(b, "erp.connect_timeout", "%s", "100ms");
    return b;
}

static void freeze_next(int n)
{
    atomic_store(&passes, 0);
    atomic_store(&frozen, 0);
    atomic_store(&freezes, n);
}

static void freeze(struct bench *b, struct order *o)
{
    freeze_next(1);
    submit(b, o);
}

static void wait_frozen(struct bench *b, int n)
{
    for (int64_t end = loop_now(b->loop) + PATIENCE_MS; atomic_load(&frozen) < n && loop_now(b->loop) < end;)
        loop_turn(b->loop, 10);
    assert_int_equal(atomic_load(&frozen), n);
}

/* The loop is not woken for each while there is work for the threads: none of them may stay where nobody looks. */
static void what_ended_is_told_though_the_next_statement_hangs_and_others_wait(void **state)
{
    (void)state;
    struct bench *b = bench_counting();
    struct order quick[3], hangs, waits[5];
    assert_int_equal(sem_init(&thaw, 0, 0), 0);
    set(b, "erp.sql.sessions", "%d", 1);
    set(b, "erp.sql.timeout", "%s", "60s");
    open_sink(b, "sql");
    atomic_store(&passes, 3);
    atomic_store(&freezes, 1);
    for (int i = 0; i < 3; i++)
        submit(b, order(&quick[i], 1 + i, 10, "aa", false));
    submit(b, order(&hangs, 4, 10, "aa", false));
    for (int i = 0; i < 5; i++)
        submit(b, order(&waits[i], 5 + i, 10, "aa", false));
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(b, &quick[i]), FATE_LOADED);
    assert_int_equal(hangs.end.calls + waits[0].end.calls, 0);
    assert_int_equal(sem_post(&thaw), 0);
    assert_int_equal(finish(b, &hangs), FATE_LOADED);
    for (int i = 0; i < 5; i++)
        assert_int_equal(finish(b, &waits[i]), FATE_LOADED);
    bench_destroy(b);
}

/* It was not sent, so nothing about it is ambiguous, whether a connection comes in the place of the one that hangs or not. */
static void what_waits_behind_a_connection_that_hangs_was_not_sent(void **state)
{
    (void)state;
    struct bench *b = bench_counting();
    struct order hangs[2], waits[2], late;
    struct err e;
    assert_int_equal(sem_init(&thaw, 0, 0), 0);
    set(b, "erp.sql.sessions", "%d", 1);
    open_sink(b, "sql");
    freeze(b, order(&hangs[0], 4, 10, "aa", false));
    for (int i = 0; i < 2; i++)
        submit(b, order(&waits[i], 5 + i, 10, "aa", false));
    assert_int_equal(finish(b, &hangs[0]), FATE_PAUSE);
    assert_true(hangs[0].end.v.ambiguous);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(b, &waits[i]), FATE_LOADED);

    freeze(b, order(&hangs[1], 4, 11, "aa", false));
    for (int i = 0; i < 2; i++)
        submit(b, order(&waits[i], 5 + i, 11, "aa", false));
    no_threads = true;
    assert_int_equal(finish(b, &hangs[1]), FATE_PAUSE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(finish(b, &waits[i]), FATE_PAUSE);
        assert_false(waits[i].end.v.ambiguous);
        assert_non_null(strstr(waits[i].end.words, strerror(EAGAIN)));
    }
    order(&late, 9, 10, "aa", false);
    assert_int_equal(b->sink->ops->submit(b->sink, &late.load, NULL, NULL, &e), RC_RETRY);
    no_threads = false;
    assert_int_equal(load(b, &late), FATE_LOADED);
    assert_int_equal(sql_pool_hanging(), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sem_post(&thaw), 0);
    for (int64_t end = loop_now(b->loop) + PATIENCE_MS; sql_pool_hanging() > 0 && loop_now(b->loop) < end;)
        loop_turn(b->loop, 10);
    assert_int_equal(sql_pool_hanging(), 0); /* they came back, and nobody heard of it */
    bench_destroy(b);
}

static void a_connection_that_hangs_is_left_behind_and_the_others_go_on(void **state)
{
    (void)state;
    struct bench *b = bench_counting();
    struct order hangs[3], good, late;
    assert_int_equal(sem_init(&thaw, 0, 0), 0);
    open_sink(b, "sql");
    freeze_next(3);
    for (int i = 0; i < 3; i++)
        submit(b, order(&hangs[i], 4, 10 + i, "aa", false));
    wait_frozen(b, 3);
    assert_int_equal(load(b, order(&good, 7, 10, "aa", false)), FATE_LOADED); /* on the one that is left */
    assert_string_equal(good.end.document, "D7");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(finish(b, &hangs[i]), FATE_PAUSE);
        assert_true(hangs[i].end.v.ambiguous); /* who knows what it still does */
    }
    for (int i = 0; i < 8; i++) /* new ones stand in their places */
        assert_int_equal(load(b, order(&late, 8 + i, 10, "aa", false)), FATE_LOADED);
    freeze(b, order(&hangs[0], 4, 20, "aa", false));
    wait_frozen(b, 1);
    int64_t before = loop_now(b->loop);
    close_sink(b); /* with one more that hangs, for ever */
    assert_true(loop_now(b->loop) - before < PATIENCE_MS);
    bench_destroy(b);
}

static unsigned problems_with(const char *const *settings, size_t n, char *text, size_t room)
{
    const char *overrides[8] = {"kafka.bootstrap.servers=127.0.0.1:1", "registry.url=http://127.0.0.1:1", "erp.sink=sql"};
    struct config_problems problems = {.count = 0};
    struct config *c = NULL;
    for (size_t i = 0; i < n; i++)
        overrides[3 + i] = settings[i];
    struct config_source source = {.overrides = overrides, .overrides_n = 3 + n, .program = CONFIG_CONSUMER};
    buf_init(&problems.text, 10000);
    assert_int_equal(config_load(&source, &c, &problems), RC_OK);
    erp_sink_find("sql")->check(c, &problems);
    (void)snprintf(text, room, "%s", buf_text(&problems.text));
    buf_release(&problems.text);
    config_destroy(c);
    return problems.count;
}

static void wrong_settings_are_all_told(void **state)
{
    (void)state;
    char text[2000];
    assert_int_equal(problems_with(NULL, 0, text, sizeof text), 2);
    assert_non_null(strstr(text, "erp.sql.connection"));
    assert_non_null(strstr(text, "erp.sql.statement"));
    static const char *const unknown[] = {"erp.sql.connection=DSN=x", "erp.sql.statement=SELECT f(:order_id, :ordre, :totalGross)"};
    assert_int_equal(problems_with(unknown, 2, text, sizeof text), 1);
    assert_non_null(strstr(text, ":ordre"));
    static const char *const both[] = {"erp.sql.connection=DSN=x", "erp.sql.statement=SELECT f(:order_id)", "erp.sql.statement_file=/no/such/file"};
    assert_int_equal(problems_with(both, 3, text, sizeof text), 2);
    static const char *const blind[] = {"erp.sql.connection=DSN=x", "erp.sql.statement=SELECT f(:revision)", "erp.sql.withdraw_statement=SELECT 'x"};
    assert_int_equal(problems_with(blind, 3, text, sizeof text), 2);
    static const char *const right[] = {"erp.sql.connection=DSN=x", "erp.sql.statement=SELECT f(:order)"};
    assert_int_equal(problems_with(right, 2, text, sizeof text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SINK_CONTRACT("sql", open_sql),
        {"data_parks_one_order_and_stays_out_of_the_words", data_parks_one_order_and_stays_out_of_the_words, open_sql, close_all, NULL},
        cmocka_unit_test(a_statement_that_does_not_fit_pauses_and_says_so),
        cmocka_unit_test(fields_of_the_document_are_parameters_too),
        cmocka_unit_test(large_documents_arrive_whole),
        cmocka_unit_test(a_document_id_that_is_null_or_too_long_is_not_named),
        cmocka_unit_test(wrong_settings_are_all_told),
        cmocka_unit_test(a_database_that_is_absent_pauses_and_is_told_until_it_is_there),
        cmocka_unit_test(a_new_connection_string_is_taken_after_a_failure),
        cmocka_unit_test(what_ended_is_told_though_the_next_statement_hangs_and_others_wait),
        cmocka_unit_test(what_waits_behind_a_connection_that_hangs_was_not_sent),
        cmocka_unit_test(a_connection_that_hangs_is_left_behind_and_the_others_go_on), /* last: they count on */
    };
    size_t n = sizeof tests / sizeof *tests;
    if (getenv("BRIDGE_SQL_CONNECTION") != NULL)
        n -= 5; /* the last ones are about a file, and a database without time-outs */
    return _cmocka_run_group_tests("sql", tests, n, NULL, NULL);
}
