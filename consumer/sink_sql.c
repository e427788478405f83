#include "consumer/sink_sql.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <utlist.h>

#include "common/net/worker.h"
#include "consumer/erp_reach.h"
#include "consumer/fate_rules.h"
#include "consumer/sql_check.h"
#include "consumer/sql_session.h"

enum { LOAD, WITHDRAW, LOOK, CLOSE }; /* the first two: places of the statements. CLOSE: psqlodbc waits for the server, so it is the thread's too */
enum { GRACE_MS = 2000, CLOSE_MS = 2000 };
/* Beyond the sessions. On a dead route a connection hangs until TCP's keep-alive gives it up, 2 h 11 min by default; a probe every 100 s (erp.probe_max, and the time-outs)
 * leaves fewer than this behind until then. */
enum { STUCK_MORE = 128 };
enum { JOB_RUNS, JOB_ENDED, JOB_LEFT }; /* JOB_LEFT: nobody waits for it; its thread destroys the session */

/* Threads of this process that do not come back. */
static atomic_size_t stuck;

/* One try, or a look; in the thread's hands from dispatch to done. It owns all that it uses: the thread may outlive the sink. */
struct job {
    struct job *prev, *next; /* among those that wait for a session */
    struct sink_sql *sink;   /* the loop's */
    erp_done_fn *done;       /* the loop's; NULL: a look */
    void *arg;
    int what;
    char *connection;
    struct sql_values values;
    struct sql_session *session; /* of its slot */
    struct sql_end end;
    atomic_int state, refs; /* refs: the loop's and the thread's */
};

struct slot { /* a connection and its thread; no worker: its last one is stuck and too many are */
    struct sink_sql *sink;
    struct worker *worker;
    struct sql_session *session;
    struct job *job; /* NULL: free */
    struct loop_timer watch;
};

struct sink_sql {
    struct erp_sink base;
    struct erp_sink_env env;
    struct erp_reach reach;
    struct sql_statement *statements[SQL_STATEMENTS];
    struct sql_settings settings;
    int64_t patience_ms;
    struct job *waiting;
    struct loop_timer later; /* tells those that wait in vain */
    bool connect_failed; /* look for a new secret before the next try */
    bool closing;
    size_t slots_n;
    struct slot slots[];
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
    return ((const struct sink_sql *)sink)->statements[WITHDRAW] != NULL;
}

static void job_unref(struct job *j)
{
    if (j == NULL || atomic_fetch_sub(&j->refs, 1) > 1)
        return;
    sql_values_release(&j->values);
    free(j->connection);
    free(j);
}

/* Nobody waits for its end. In the thread, unless that never got it. */
static void job_left(struct job *j)
{
    if (j->what != CLOSE)
        sql_session_destroy(j->session);
    (void)atomic_fetch_sub(&stuck, 1);
    job_unref(j);
}

/* In the thread. */
static void job_run(void *arg)
{
    struct job *j = arg;
    if (j->what == CLOSE)
        sql_session_destroy(j->session);
    else if (j->what == LOOK)
        sql_session_look(j->session, j->connection, &j->end);
    else
        sql_session_run(j->session, j->connection, (size_t)j->what, &j->values, &j->end);
    int runs = JOB_RUNS;
    if (atomic_compare_exchange_strong(&j->state, &runs, JOB_ENDED))
        job_unref(j);
    else
        job_left(j);
}

static void job_done(void *arg, bool ran);
static void watch_over(void *arg);

/* The slot has a session and a thread; false: words. */
static bool slot_open(struct slot *t, struct err *e)
{
    struct sink_sql *s = t->sink;
    if (t->worker != NULL)
        return true;
    if (atomic_load(&stuck) > s->slots_n + STUCK_MORE) {
        err_set(e, "erp.sql: %zu connections hang in the driver", atomic_load(&stuck));
        return false;
    }
    t->session = sql_session_create(&s->settings);
    t->worker = t->session != NULL ? worker_create(s->env.loop, e) : NULL;
    if (t->worker != NULL)
        return true;
    if (t->session == NULL)
        err_set(e, "erp.sql: out of memory");
    sql_session_destroy(t->session);
    t->session = NULL;
    return false;
}

static struct slot *slot_free(struct sink_sql *s)
{
    for (size_t i = 0; i < s->slots_n; i++)
        if (s->slots[i].job == NULL && s->slots[i].worker != NULL)
            return &s->slots[i];
    for (size_t i = 0; i < s->slots_n; i++)
        if (s->slots[i].job == NULL)
            return &s->slots[i];
    return NULL;
}

/* Hands the job to the slot's thread; false: it stays the caller's. */
static bool dispatch(struct slot *t, struct job *j, struct err *e)
{
    struct sink_sql *s = t->sink;
    if (s->connect_failed && config_refresh_secrets(s->env.config))
        log_event(s->env.log, LOG_INFO, "erp", NULL, "credential read again", LOG_S("key", "erp.sql.connection"));
    s->connect_failed = false;
    if (!slot_open(t, e))
        return false;
    if ((j->connection = strdup(text_of(s, "erp.sql.connection"))) == NULL) {
        err_set(e, "erp.sql: out of memory");
        return false;
    }
    j->session = t->session;
    atomic_store(&j->refs, 2);
    if (worker_submit(t->worker, job_run, job_done, j) != RC_OK) {
        atomic_store(&j->refs, 1);
        err_set(e, "erp.sql: no room for another job");
        return false;
    }
    t->job = j;
    loop_timer_in(s->env.loop, &t->watch, s->patience_ms, watch_over, t);
    return true;
}

/* The job is over: tells, and touches nothing of the sink afterwards, which may be closed by then. */
static void tell(struct job *j, const struct erp_verdict *v)
{
    struct sink_sql *s = j->sink;
    erp_done_fn *done = j->done;
    void *arg = j->arg;
    if (done == NULL)
        erp_reach_ended(&s->reach, v->fate == FATE_LOADED, v->words);
    else
        done(arg, v);
}

/* The next one that waits gets the slot. One that cannot begin stays first in the row while others run, whose end calls here again. */
static void next(struct sink_sql *s)
{
    struct err e = {{0}};
    struct slot *t;
    while (s->waiting != NULL && (t = slot_free(s)) != NULL) {
        struct job *j = s->waiting;
        DL_DELETE(s->waiting, j);
        if (dispatch(t, j, &e))
            continue;
        DL_PREPEND(s->waiting, j);
        break;
    }
}

static bool all_free(const struct sink_sql *s)
{
    for (size_t i = 0; i < s->slots_n; i++)
        if (s->slots[i].job != NULL)
            return false;
    return true;
}

/* Nothing runs whose end could call next: those that wait are told so, one at a time, since what they do about it is not known. */
static void told_off(void *arg)
{
    struct sink_sql *s = arg;
    struct err e = {{0}};
    next(s);
    if (s->waiting == NULL || !all_free(s))
        return;
    struct job *j = s->waiting;
    DL_DELETE(s->waiting, j);
    (void)slot_open(&s->slots[0], &e);
    struct erp_verdict v = {.fate = FATE_PAUSE, .retry_after_ms = -1, .words = e.text[0] != '\0' ? e.text : "erp.sql: no connection to be had"};
    if (s->waiting != NULL)
        loop_timer_in(s->env.loop, &s->later, 0, told_off, s);
    tell(j, &v);
    job_unref(j);
}

static void go_on(struct sink_sql *s)
{
    next(s);
    if (s->waiting != NULL && all_free(s))
        loop_timer_in(s->env.loop, &s->later, 0, told_off, s);
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

static void words_of(const struct job *j, struct err *out)
{
    const struct sql_end *end = &j->end;
    char message[ERP_REASON_BYTES] = "";
    if (may_tell(end) && !tells_password(end->message, j->connection))
        erp_reply_reason(end->message, strlen(end->message), message);
    if (message[0] != '\0')
        err_set(out, "%s (SQLSTATE %s, code %ld: %s)", end->row->words, end->state, end->native, message);
    else
        err_set(out, "%s (SQLSTATE %s, code %ld)", end->row->words, end->state[0] != '\0' ? end->state : "none", end->native);
}

/* The end as the bridge understands it; words and reason: room for the verdict's texts. */
static void judge(const struct job *j, struct err *words, char reason[ERP_REASON_BYTES], struct erp_verdict *v)
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
    v->fate = fate_rules_sql(j->sink->env.config, end->state, end->native, v->fate, v->ambiguous);
    if (v->fate == FATE_REJECT || v->fate == FATE_PARK) {
        size_t n;
        const char *said = sql_fate_reason(end->message, &n);
        erp_reply_reason(said, n, reason);
        v->reason = reason[0] != '\0' ? reason : end->row->words;
    }
}

static void job_done(void *arg, bool ran)
{
    struct job *j = arg;
    struct sink_sql *s = j->sink;
    struct erp_verdict v;
    struct err words = {{0}};
    char reason[ERP_REASON_BYTES];
    if (atomic_load(&j->state) == JOB_LEFT) {
        if (!ran)
            job_left(j);
        return; /* told already, or never to be told */
    }
    if (!ran)
        job_unref(j); /* the thread's: it never had it */
    for (size_t i = 0; i < s->slots_n; i++)
        if (s->slots[i].job == j) {
            s->slots[i].job = NULL;
            loop_timer_clear(s->env.loop, &s->slots[i].watch);
        }
    if (!s->closing) {
        judge(j, &words, reason, &v);
        s->connect_failed = s->connect_failed || (!j->end.ok && j->end.stage == SQL_STAGE_CONNECT);
        if (j->done != NULL && (j->end.ok || j->end.stage != SQL_STAGE_CONNECT))
            erp_reach_proved(&s->reach);
        go_on(s);
        tell(j, &v);
    }
    job_unref(j);
}

/* Leaves the slot's thread and its session to themselves. Returns the job, or NULL: it has just ended, and its done will tell. */
static struct job *leave(struct slot *t)
{
    struct job *j = t->job;
    int runs = JOB_RUNS;
    (void)atomic_fetch_add(&stuck, 1); /* before its thread can count it down */
    if (!atomic_compare_exchange_strong(&j->state, &runs, JOB_LEFT)) {
        (void)atomic_fetch_sub(&stuck, 1);
        return NULL;
    }
    (void)worker_give_up(t->worker, 0);
    t->worker = NULL;
    t->session = NULL;
    t->job = NULL;
    return j;
}

/* The thread does not come back. */
static void watch_over(void *arg)
{
    struct slot *t = arg;
    struct sink_sql *s = t->sink;
    struct job *j = leave(t);
    struct erp_verdict v = {.fate = FATE_PAUSE, .ambiguous = true, .retry_after_ms = -1, .words = "no answer from the database, the connection hangs and is left behind"};
    if (j == NULL)
        return;
    log_event(s->env.log, LOG_WARN, "erp", NULL, "a connection hangs and is left behind", LOG_I("hanging", atomic_load(&stuck)));
    go_on(s);
    tell(j, &v);
    job_unref(j);
}

static struct job *job_create(struct sink_sql *s, int what)
{
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->sink = s;
    j->what = what;
    atomic_init(&j->state, JOB_RUNS);
    atomic_init(&j->refs, 1);
    return j;
}

/* Gives it to a free connection, or lets it wait for one. false: neither; the job is the caller's. */
static bool begin(struct sink_sql *s, struct job *j, struct err *e)
{
    struct slot *t = s->waiting == NULL ? slot_free(s) : NULL;
    if (t != NULL && dispatch(t, j, e))
        return true;
    if (all_free(s))
        return false; /* nothing runs that it could wait for */
    DL_APPEND(s->waiting, j);
    return true;
}

static void look(void *arg)
{
    struct sink_sql *s = arg;
    struct err e = {{0}};
    struct job *j = job_create(s, LOOK);
    if (j != NULL && begin(s, j, &e))
        return;
    job_unref(j);
    erp_reach_ended(&s->reach, false, e.text[0] != '\0' ? e.text : "erp.sql: out of memory");
}

static enum rc submit(struct erp_sink *sink, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e)
{
    struct sink_sql *s = (struct sink_sql *)sink;
    struct job *j = job_create(s, l->withdrawn ? WITHDRAW : LOAD);
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
    job_unref(j);
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
    enum rc rc = sql_check_statement(s->env.config, false, &s->statements[LOAD], e);
    if (rc == RC_OK)
        rc = sql_check_statement(s->env.config, true, &s->statements[WITHDRAW], e);
    if (rc == RC_OK && s->statements[LOAD] == NULL) {
        err_set(e, "erp.sql.statement: is needed");
        rc = RC_REJECT;
    }
    return rc;
}

static enum rc sink_open(const struct erp_sink_env *env, struct erp_sink **out, struct err *e)
{
    size_t n = (size_t)config_int(env->config, "erp.sql.sessions");
    struct sink_sql *s = calloc(1, sizeof *s + n * sizeof *s->slots);
    if (s == NULL) {
        err_set(e, "erp.sql: out of memory");
        return RC_FATAL;
    }
    s->base.ops = &sink_sql_ops;
    s->env = *env;
    s->slots_n = n;
    for (size_t i = 0; i < n; i++)
        s->slots[i].sink = s;
    enum rc rc = statements_read(s, e);
    if (rc != RC_OK) {
        release(s);
        return rc;
    }
    int64_t connect_ms = config_ms(env->config, "erp.connect_timeout"), timeout_ms = config_ms(env->config, "erp.sql.timeout");
    s->settings = (struct sql_settings){.connect_timeout_s = (long)((connect_ms + 999) / 1000), .timeout_s = (long)((timeout_ms + 999) / 1000)};
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        s->settings.statements[i] = s->statements[i] != NULL ? sql_statement_text(s->statements[i]) : NULL;
    s->patience_ms = connect_ms + timeout_ms + GRACE_MS;
    erp_reach_begin(&s->reach, env, look, s);
    *out = &s->base;
    return RC_OK;
}

/* Gives the slot's thread its last job: to close the connection. */
static void slot_bid_farewell(struct slot *t)
{
    struct job *j = job_create(t->sink, CLOSE);
    if (j == NULL)
        return; /* the process ends, and the connection with it */
    j->session = t->session;
    atomic_store(&j->refs, 2);
    if (worker_submit(t->worker, job_run, job_done, j) == RC_OK) {
        t->job = j;
        return;
    }
    atomic_store(&j->refs, 1);
    job_unref(j);
}

/* false: the time is over before the job is. */
static bool job_wait(const struct slot *t, int64_t until)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (atomic_load(&t->job->state) == JOB_RUNS && loop_now(t->sink->env.loop) < until)
        (void)nanosleep(&pause, NULL); /* cut short by a signal: fine */
    return atomic_load(&t->job->state) != JOB_RUNS;
}

/* What runs may end until then, and the connection be closed; else the thread is left behind with both. */
static void slot_close(struct slot *t, int64_t until)
{
    if (t->worker == NULL)
        return;
    if (t->job != NULL && t->job->what != CLOSE && job_wait(t, until))
        slot_bid_farewell(t);
    if (t->job != NULL && !job_wait(t, until))
        job_unref(leave(t));
    worker_destroy(t->worker); /* all its jobs have ended; NULL: left behind */
}

static void sink_close(struct erp_sink *sink)
{
    struct sink_sql *s = (struct sink_sql *)sink;
    struct job *j, *more;
    if (s == NULL)
        return;
    s->closing = true;
    loop_timer_clear(s->env.loop, &s->later);
    erp_reach_release(&s->reach);
    DL_FOREACH_SAFE(s->waiting, j, more)
    {
        DL_DELETE(s->waiting, j);
        job_unref(j);
    }
    int64_t until = loop_now(s->env.loop) + CLOSE_MS;
    for (size_t i = 0; i < s->slots_n; i++) {
        loop_timer_clear(s->env.loop, &s->slots[i].watch);
        if (s->slots[i].worker != NULL && s->slots[i].job == NULL)
            slot_bid_farewell(&s->slots[i]);
    }
    for (size_t i = 0; i < s->slots_n; i++)
        slot_close(&s->slots[i], until);
    if (atomic_load(&stuck) > 0)
        log_event(s->env.log, LOG_WARN, "erp", NULL, "connections hang and are left behind", LOG_I("hanging", atomic_load(&stuck)));
    release(s);
}

const struct erp_sink_ops sink_sql_ops = {
    .name = "sql", .check = sql_check, .connections = connections, .open = sink_open, .withdraws = withdraws, .submit = submit, .close = sink_close};
