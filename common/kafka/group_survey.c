#include "common/kafka/group_survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/kafka_handle.h"
#include "common/kafka/reader_bounds.h"

enum { WAITS_MS = 10000, LIST_WAITS_MS = 3000, AGAIN_MS = 1000, TRIES = 4 };

/* One question in the worker: about one group, the first one also about the topic and the other groups. Outlives the survey when it must. */
struct question {
    struct group_survey *asker; /* NULL: gone */
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    char topic[250], prefix[256];
    struct reader_start from;
    bool first;
    struct survey_bound *bounds; /* bounds_n; owned */
    size_t bounds_n;
    char (*names)[256]; /* names_n; owned */
    size_t names_n;
    int64_t *committed; /* bounds_n; owned */
    char list_words[300];
    enum rc rc;
    struct err e;
};

struct group_survey {
    struct loop *loop;
    struct worker *worker;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct kafka_handle *handle;
    struct survey found;
    char topic[250], prefix[256];
    struct reader_start from;
    size_t asked_n; /* groups that were asked about */
    int tries;
    bool bounds_known;
    struct question *asked;
    struct loop_timer again;
    group_survey_fn *done;
    void *arg;
};

static void ask(void *arg);

static void on_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg; /* nothing is subscribed to: what comes are log lines and errors, which the handle has told */
    (void)event;
}

static void question_free(struct question *q)
{
    if (q == NULL)
        return;
    if (q->handle != NULL)
        kafka_handle_unref(q->handle);
    free(q->bounds);
    free(q->names);
    free(q->committed);
    free(q);
}

/* ---- in the worker */

static enum rc trouble(struct question *q, const char *what, rd_kafka_resp_err_t err)
{
    err_set(&q->e, "%s: %s", what, rd_kafka_err2str(err));
    return RC_RETRY;
}

static enum rc ask_bounds(struct question *q)
{
    struct reader_bounds first = {NULL, 0}, from = {NULL, 0};
    struct reader_start all = {q->topic, -1, READER_BEGINNING, 0};
    q->from.topic = q->topic;
    q->from.partition = -1;
    enum rc rc = reader_bounds_ask(q->rk, &all, 1, &first, &q->e);
    if (rc == RC_OK)
        rc = reader_bounds_ask(q->rk, &q->from, 1, &from, &q->e);
    if (rc == RC_OK && (first.n != from.n || first.n > SURVEY_PARTITIONS_MAX || (q->bounds = calloc(first.n + 1, sizeof *q->bounds)) == NULL)) {
        err_set(&q->e, "%s: its partitions change, or memory is short", q->topic);
        rc = RC_RETRY;
    }
    for (size_t i = 0; rc == RC_OK && i < first.n; i++) {
        size_t at = (size_t)first.all[i].partition;
        if (at < first.n)
            q->bounds[at] = (struct survey_bound){first.all[i].start, from.all[i].start, first.all[i].end};
        q->bounds_n = first.n;
    }
    reader_bounds_release(&first);
    reader_bounds_release(&from);
    return rc;
}

/* A list that cannot be had is no end: the groups that are named are asked for all the same. */
static void ask_list(struct question *q)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t err = rd_kafka_list_groups(q->rk, NULL, &list, LIST_WAITS_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)snprintf(q->list_words, sizeof q->list_words, "the broker does not list its groups (%s): only those with the usual names were looked at", rd_kafka_err2str(err));
    if ((err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__PARTIAL) || list == NULL)
        return;
    q->names = calloc(SURVEY_GROUPS_MAX, sizeof *q->names);
    for (int i = 0; q->names != NULL && i < list->group_cnt && q->names_n < SURVEY_GROUPS_MAX; i++)
        if (strncmp(list->groups[i].group, q->prefix, strlen(q->prefix)) == 0 && strlen(list->groups[i].group) < sizeof q->names[0])
            (void)snprintf(q->names[q->names_n++], sizeof q->names[0], "%s", list->groups[i].group);
    rd_kafka_group_list_destroy(list);
}

static enum rc ask_committed(struct question *q)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)q->bounds_n);
    q->committed = calloc(q->bounds_n + 1, sizeof *q->committed);
    for (size_t i = 0; i < q->bounds_n; i++)
        rd_kafka_topic_partition_list_add(list, q->topic, (int32_t)i);
    rd_kafka_resp_err_t err = q->committed != NULL ? rd_kafka_committed(q->rk, list, WAITS_MS) : RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        err = list->elems[i].err;
        q->committed[list->elems[i].partition] = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : trouble(q, "a group's offsets cannot be read", err);
}

static void run(void *arg)
{
    struct question *q = arg;
    q->rc = q->first ? ask_bounds(q) : RC_OK;
    if (q->rc == RC_OK && q->first)
        ask_list(q);
    if (q->rc == RC_OK)
        q->rc = ask_committed(q);
}

/* ---- on the loop */

static bool add_group(struct group_survey *g, const char *name)
{
    for (size_t i = 0; i < g->found.groups_n; i++)
        if (strcmp(g->found.groups[i].name, name) == 0)
            return true;
    struct survey_group *more = g->found.groups_n < SURVEY_GROUPS_MAX ? realloc(g->found.groups, (g->found.groups_n + 1) * sizeof *more) : NULL;
    if (more == NULL)
        return g->found.groups_n >= SURVEY_GROUPS_MAX; /* what goes beyond is left out */
    g->found.groups = more;
    more = &g->found.groups[g->found.groups_n++];
    *more = (struct survey_group){.committed = NULL};
    (void)snprintf(more->name, sizeof more->name, "%s", name);
    return true;
}

static bool take(struct group_survey *g, struct question *q)
{
    bool ok = true;
    if (q->first) {
        g->found.bounds = q->bounds;
        g->found.bounds_n = q->bounds_n;
        q->bounds = NULL;
        g->bounds_known = true;
        (void)snprintf(g->found.words, sizeof g->found.words, "%s", q->list_words);
        for (size_t i = 0; i < q->names_n; i++)
            ok = add_group(g, q->names[i]) && ok;
    }
    g->found.groups[g->asked_n++].committed = q->committed;
    q->committed = NULL;
    g->tries = 0;
    return ok;
}

static void tell(struct group_survey *g, enum rc rc, const char *words)
{
    g->done(g->arg, rc, &g->found, words);
}

static void on_done(void *arg, bool ran)
{
    struct question *q = arg;
    struct group_survey *g = q->asker;
    struct err e = q->e;
    if (g != NULL) {
        g->asked = NULL;
        kafka_handle_close(g->handle);
        g->handle = NULL;
        bool ok = ran && q->rc == RC_OK;
        if (ok && !take(g, q))
            tell(g, RC_RETRY, "out of memory");
        else if (ok && g->asked_n == g->found.groups_n)
            tell(g, RC_OK, "");
        else if (ok)
            loop_timer_in(g->loop, &g->again, 0, ask, g);
        else if (ran && ++g->tries < TRIES)
            loop_timer_in(g->loop, &g->again, AGAIN_MS, ask, g);
        else
            tell(g, RC_RETRY, ran ? e.text : "stopped");
    }
    question_free(q);
}

/* The next group; each needs a handle of its own, because a client asks for its own group's offsets only. */
static void ask(void *arg)
{
    struct group_survey *g = arg;
    struct err e = {""};
    struct question *q = calloc(1, sizeof *q);
    struct kafka_handle_desc d = {.loop = g->loop, .log = g->log, .health = g->health, .dependency = "kafka-group", .role = KAFKA_GROUP,
                                  .group_id = g->found.groups[g->asked_n].name, .event = on_event, .arg = g};
    if (q == NULL || kafka_handle_create(&d, g->config, &g->handle, &e) != RC_OK) {
        free(q);
        tell(g, RC_RETRY, e.text[0] != '\0' ? e.text : "out of memory");
        return;
    }
    q->asker = g;
    q->handle = g->handle;
    kafka_handle_ref(g->handle);
    q->rk = kafka_handle_rk(g->handle);
    q->first = !g->bounds_known;
    q->from = g->from;
    q->bounds_n = g->found.bounds_n;
    memcpy(q->topic, g->topic, sizeof q->topic);
    memcpy(q->prefix, g->prefix, sizeof q->prefix);
    if (worker_submit(g->worker, run, on_done, q) != RC_OK) {
        question_free(q);
        tell(g, RC_RETRY, "too much is asked at once");
        return;
    }
    g->asked = q;
}

enum rc group_survey_create(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, const struct reader_start *from,
                            const char *prefix, const char *const *named, size_t named_n, group_survey_fn *done, void *arg, struct group_survey **out,
                            struct err *e)
{
    struct group_survey *g = calloc(1, sizeof *g);
    bool ok = g != NULL && named_n > 0;
    for (size_t i = 0; ok && i < named_n; i++)
        ok = add_group(g, named[i]);
    if (!ok) {
        err_set(e, "out of memory");
        group_survey_destroy(g);
        return RC_FATAL;
    }
    g->loop = l;
    g->worker = w;
    g->config = c;
    g->log = log;
    g->health = h;
    g->from = *from;
    g->done = done;
    g->arg = arg;
    (void)snprintf(g->topic, sizeof g->topic, "%s", from->topic);
    (void)snprintf(g->prefix, sizeof g->prefix, "%s", prefix);
    loop_timer_in(l, &g->again, 0, ask, g);
    *out = g;
    return RC_OK;
}

void group_survey_destroy(struct group_survey *g)
{
    if (g == NULL)
        return;
    if (g->asked != NULL)
        g->asked->asker = NULL;
    if (g->loop != NULL)
        loop_timer_clear(g->loop, &g->again);
    kafka_handle_close(g->handle);
    for (size_t i = 0; i < g->found.groups_n; i++)
        free(g->found.groups[i].committed);
    free(g->found.groups);
    free(g->found.bounds);
    free(g);
}
