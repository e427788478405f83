#include "consumer/sink_sql.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "consumer/erp_reach.h"
#include "consumer/fate_rules.h"
#include "consumer/sql_check.h"
#include "consumer/sql_pool.h"

enum { GRACE_MS = 2000, CLOSE_MS = 2000 };

struct sink_sql {
    struct erp_sink base;
    struct erp_sink_env env;
    struct erp_reach reach;
    struct sql_statement *statements[SQL_STATEMENTS];
    struct sql_pool *pool;
    bool connect_failed; /* look for a new secret before each try */
};

static const char *text_of(const struct sink_sql *s, const char *key)
{
    return config_text(s->env.config, key);
}

static size_t connections(const struct config *c)
{
    return 2 * (size_t)config_int(c, "erp.sql.sessions"); /* SQLite has a journal beside each; a session that hangs is replaced */
}

static bool withdraws(const struct erp_sink *sink)
{
    return ((const struct sink_sql *)sink)->statements[SQL_WITHDRAW] != NULL;
}

/* Does the message tell nothing about the order? Data stands in errors about data only. */
static bool may_tell(const struct sql_end *end)
{
    static const char *const classes[] = {"08", "25", "28", "42", "53", "57", "58", "IM", "3D"};
    if (end->stage != SQL_STAGE_EXECUTE && end->stage != SQL_STAGE_COMMIT)
        return true;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(end->state, classes[i], 2) == 0)
            return true;
    return false;
}

/* Does the text hold the connection string's password? */
static bool tells_password(const char *text, const char *connection)
{
    static const char *const names[] = {"PWD=", "PASSWORD="};
    for (const char *p = connection; *p != '\0'; p++)
        for (size_t i = 0; i < 2; i++) {
            if (strncasecmp(p, names[i], strlen(names[i])) != 0)
                continue;
            const char *value = p + strlen(names[i]);
            size_t n = *value == '{' ? strcspn(++value, "}") : strcspn(value, ";");
            char word[200];
            if (n == 0 || n >= sizeof word)
                continue;
            memcpy(word, value, n);
            word[n] = '\0';
            if (strstr(text, word) != NULL)
                return true;
        }
    return false;
}

static void words_of(const struct sql_job *j, struct err *out)
{
    const struct sql_end *end = &j->end;
    char message[ERP_REASON_BYTES] = "";
    if (may_tell(end) && (j->connection == NULL || !tells_password(end->message, j->connection)))
        erp_reply_reason(end->message, strlen(end->message), message);
    if (message[0] != '\0')
        err_set(out, "%s (SQLSTATE %s, code %ld: %s)", end->row->words, end->state, end->native, message);
    else
        err_set(out, "%s (SQLSTATE %s, code %ld)", end->row->words, end->state[0] != '\0' ? end->state : "none", end->native);
}

/* The end as the bridge understands it; words and reason: room for the verdict's texts. */
static void judge(const struct sink_sql *s, const struct sql_job *j, struct err *words, char reason[ERP_REASON_BYTES], struct erp_verdict *v)
{
    const struct sql_end *end = &j->end;
    bool tried = end->stage == SQL_STAGE_EXECUTE || end->stage == SQL_STAGE_COMMIT;
    if (end->ok) {
        *v = (struct erp_verdict){.fate = FATE_LOADED, .document_id = end->has_document ? end->document : NULL, .retry_after_ms = -1,
                                  .words = j->done != NULL ? "loaded" : "connected"};
        return;
    }
    words_of(j, words);
    *v = (struct erp_verdict){.fate = end->row->fate, .ambiguous = tried && end->row->ambiguous, .retry_after_ms = -1, .words = words->text};
    v->fate = fate_rules_sql(s->env.config, end->state, end->native, v->fate, v->ambiguous);
    if (v->fate == FATE_REJECT || v->fate == FATE_PARK) {
        size_t n;
        const char *said = sql_fate_reason(end->message, &n);
        erp_reply_reason(said, n, reason);
        v->reason = reason[0] != '\0' ? reason : end->row->words;
    }
}

/* Tells, and touches nothing of the sink afterwards, which may be closed by then. */
static void tell(struct sink_sql *s, const struct sql_job *j, const struct erp_verdict *v)
{
    if (j->done == NULL)
        erp_reach_ended(&s->reach, v->fate == FATE_LOADED, v->words);
    else
        j->done(j->arg, v);
}

static void job_ended(void *arg, struct sql_job *j, bool left)
{
    struct sink_sql *s = arg;
    struct erp_verdict v = {.fate = FATE_PAUSE, .ambiguous = true, .retry_after_ms = -1, .words = "no answer from the database, the connection hangs and is left behind"};
    struct err words = {{0}};
    char reason[ERP_REASON_BYTES];
    if (left) {
        log_event(s->env.log, LOG_WARN, "erp", NULL, "a connection hangs and is left behind", LOG_I("hanging", sql_pool_hanging()));
    } else {
        judge(s, j, &words, reason, &v);
        bool connected = j->end.ok || j->end.stage != SQL_STAGE_CONNECT;
        s->connect_failed = !connected;
        if (j->done != NULL && connected)
            erp_reach_proved(&s->reach);
    }
    tell(s, j, &v);
    sql_job_unref(j);
}

static bool begin(struct sink_sql *s, struct sql_job *j, struct err *e)
{
    if (s->connect_failed && config_refresh_secrets(s->env.config))
        log_event(s->env.log, LOG_INFO, "erp", NULL, "credential read again", LOG_S("key", "erp.sql.connection"));
    return sql_pool_submit(s->pool, j, text_of(s, "erp.sql.connection"), e);
}

static void look(void *arg)
{
    struct sink_sql *s = arg;
    struct err e = {{0}};
    struct sql_job *j = sql_job_create(SQL_LOOK);
    if (j != NULL && begin(s, j, &e))
        return;
    sql_job_unref(j);
    erp_reach_ended(&s->reach, false, e.text[0] != '\0' ? e.text : "erp.sql: out of memory");
}

static enum rc submit(struct erp_sink *sink, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e)
{
    struct sink_sql *s = (struct sink_sql *)sink;
    struct sql_job *j = sql_job_create(l->withdrawn ? SQL_WITHDRAW : SQL_LOAD);
    enum rc rc = RC_RETRY;
    if (j == NULL) {
        err_set(e, "erp.sql: out of memory");
        return RC_RETRY;
    }
    j->done = done;
    j->arg = arg;
    rc = sql_values_fill(&j->values, s->statements[j->what], l, e);
    if (rc == RC_OK && begin(s, j, e))
        return RC_OK;
    sql_job_unref(j);
    return rc == RC_REJECT ? RC_REJECT : RC_RETRY;
}

static void release(struct sink_sql *s)
{
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        sql_statement_destroy(s->statements[i]);
    free(s);
}

static enum rc statements_read(struct sink_sql *s, struct err *e)
{
    enum rc rc = sql_check_statement(s->env.config, false, &s->statements[SQL_LOAD], e);
    if (rc == RC_OK)
        rc = sql_check_statement(s->env.config, true, &s->statements[SQL_WITHDRAW], e);
    if (rc == RC_OK && s->statements[SQL_LOAD] == NULL) {
        err_set(e, "erp.sql.statement: is needed");
        rc = RC_REJECT;
    }
    return rc;
}

static enum rc pool_create(struct sink_sql *s, struct err *e)
{
    int64_t connect_ms = config_ms(s->env.config, "erp.connect_timeout"), timeout_ms = config_ms(s->env.config, "erp.sql.timeout");
    struct sql_settings session = {.connect_timeout_s = (long)((connect_ms + 999) / 1000), .timeout_s = (long)((timeout_ms + 999) / 1000)};
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        session.statements[i] = s->statements[i] != NULL ? sql_statement_text(s->statements[i]) : NULL;
    struct sql_pool_env env = {.loop = s->env.loop, .session = session, .sessions = (size_t)config_int(s->env.config, "erp.sql.sessions"),
                               .patience_ms = connect_ms + timeout_ms + GRACE_MS, .ended = job_ended, .arg = s};
    return (s->pool = sql_pool_create(&env, e)) != NULL ? RC_OK : RC_FATAL;
}

static enum rc sink_open(const struct erp_sink_env *env, struct erp_sink **out, struct err *e)
{
    struct sink_sql *s = calloc(1, sizeof *s);
    if (s == NULL) {
        err_set(e, "erp.sql: out of memory");
        return RC_FATAL;
    }
    s->base.ops = &sink_sql_ops;
    s->env = *env;
    enum rc rc = statements_read(s, e);
    if (rc == RC_OK)
        rc = pool_create(s, e);
    if (rc != RC_OK) {
        release(s);
        return rc;
    }
    erp_reach_begin(&s->reach, env, look, s);
    *out = &s->base;
    return RC_OK;
}

static void sink_close(struct erp_sink *sink)
{
    struct sink_sql *s = (struct sink_sql *)sink;
    if (s == NULL)
        return;
    erp_reach_release(&s->reach);
    sql_pool_destroy(s->pool, CLOSE_MS);
    if (sql_pool_hanging() > 0)
        log_event(s->env.log, LOG_WARN, "erp", NULL, "connections hang and are left behind", LOG_I("hanging", sql_pool_hanging()));
    release(s);
}

const struct erp_sink_ops sink_sql_ops = {
    .name = "sql", .check = sql_check, .connections = connections, .open = sink_open, .withdraws = withdraws, .submit = submit, .close = sink_close};
