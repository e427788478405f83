#include "consumer/pipeline_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/contract/record_writers.h"
#include "common/kafka/group_survey.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/topics.h"
#include "consumer/kafka_away.h"
#include "consumer/scan_time.h"
#include "consumer/topic_scan.h"

enum { NAMED_MAX = 64, GROUPS_LIST_MAX = 8192 };

struct pipeline_scan {
    struct program *program;
    struct group_survey *survey;
    struct topic_scan *scan;
    struct pipeline *pipeline;
    struct record_writers writers;
    char names[TOPIC_COUNT][250];
    char words[300];
    int64_t from; /* where reading begins: the span's begin less the clocks' slack */
    pipeline_scan_fn *done;
    void *arg;
};

static void fail(struct pipeline_scan *s, const char *words)
{
    s->done(s->arg, RC_FATAL, NULL, words);
}

static int topic_of(const struct pipeline_scan *s, const char *topic)
{
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (strcmp(s->names[i], topic) == 0)
            return i;
    return TOPIC_COUNT;
}

static bool ours(const struct pipeline_scan *s, const struct kafka_record *r)
{
    const char *wanted = config_text(program_config(s->program), "xsale.organization"), *organization;
    size_t n;
    int64_t id;
    return *wanted == '\0' || !order_key_parse(r->key, r->key_n, &organization, &n, &id) || (strlen(wanted) == n && memcmp(wanted, organization, n) == 0);
}

/* Orders tell everything by key and headers, so none is decoded. */
static bool wanted(void *arg, const struct kafka_record *r)
{
    struct pipeline_scan *s = arg;
    if (!ours(s, r))
        return false;
    if (topic_of(s, r->topic) != TOPIC_ORDERS)
        return r->value != NULL;
    (void)pipeline_order(s->pipeline, r);
    return false;
}

/* false: it cannot be read by our schema. */
static bool take(struct pipeline_scan *s, const struct scan_record *r)
{
    struct record_writer *writer = r->writer != NULL ? record_writers_get(&s->writers, r->writer) : NULL;
    struct err e;
    enum rc rc = RC_REJECT;
    struct outcome *o = NULL;
    struct ledger_row *row = NULL;
    struct order_state *state = NULL;
    if (writer == NULL)
        return false;
    switch (topic_of(s, r->record->topic)) {
    case TOPIC_OUTCOMES:
        if ((rc = outcome_decode(writer, r->avro, r->avro_n, &o, &e)) == RC_OK)
            pipeline_outcome(s->pipeline, r->record, o);
        outcome_destroy(o);
        break;
    case TOPIC_STATUS:
        if ((rc = ledger_row_decode(writer, r->avro, r->avro_n, &row, &e)) == RC_OK)
            pipeline_row(s->pipeline, r->record, row);
        ledger_row_destroy(row);
        break;
    case TOPIC_STATE:
        if ((rc = order_state_decode(writer, r->avro, r->avro_n, &state, &e)) == RC_OK)
            pipeline_state(s->pipeline, r->record, state);
        order_state_destroy(state);
        break;
    default:
        break;
    }
    return rc == RC_OK;
}

static void on_record(void *arg, const struct scan_record *r)
{
    struct pipeline_scan *s = arg;
    if (!take(s, r))
        pipeline_unreadable(s->pipeline);
}

static void on_end(void *arg)
{
    struct pipeline_scan *s = arg;
    if (*pipeline_fault(s->pipeline) != '\0') {
        fail(s, pipeline_fault(s->pipeline));
        return;
    }
    pipeline_sort(s->pipeline);
    s->done(s->arg, RC_OK, s->pipeline, s->words);
}

static void on_failed(void *arg, const char *words)
{
    fail(arg, words);
}

static void begin_scan(struct pipeline_scan *s)
{
    static const struct topic_scan_ops ops = {wanted, on_record, on_end, on_failed, false};
    static const int topics[] = {TOPIC_ORDERS, TOPIC_OUTCOMES, TOPIC_STATUS, TOPIC_STATE};
    struct reader_start starts[sizeof topics / sizeof *topics];
    struct err e;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        starts[i] = (struct reader_start){s->names[topics[i]], -1, s->from == SCAN_TIME_BEGINNING ? READER_BEGINNING : READER_TIME, s->from};
    if (topic_scan_create(s->program, starts, sizeof topics / sizeof *topics, &ops, s, &s->scan, &e) != RC_OK)
        fail(s, e.text);
}

static void on_survey(void *arg, enum rc rc, const struct survey *found, const char *words)
{
    struct pipeline_scan *s = arg;
    if (rc != RC_OK) {
        struct err e;
        kafka_away_words(config_text(program_config(s->program), "kafka.bootstrap.servers"), words, health_why(program_health(s->program), "kafka"), &e);
        fail(s, e.text);
        return;
    }
    (void)snprintf(s->words, sizeof s->words, "%s", found->words);
    for (size_t i = 0; i < found->bounds_n && rc == RC_OK; i++)
        rc = pipeline_bounds(s->pipeline, (int32_t)i, found->bounds[i].first, found->bounds[i].start);
    for (size_t g = 0; g < found->groups_n && rc == RC_OK; g++) {
        bool any = false;
        for (size_t i = 0; i < found->bounds_n; i++)
            any = any || found->groups[g].committed[i] >= 0;
        for (size_t i = 0; any && i < found->bounds_n && rc == RC_OK; i++)
            rc = pipeline_group(s->pipeline, found->groups[g].name, (int32_t)i, found->groups[g].committed[i]);
    }
    if (rc != RC_OK)
        fail(s, "out of memory");
    else
        begin_scan(s);
}

/* "WAREHOUSE=GROUP,..." ; each group's name is appended to named. */
static enum rc parse_groups(struct pipeline_scan *s, char *list, const char **named, size_t *named_n, struct err *e)
{
    char *rest = NULL;
    for (char *pair = strtok_r(list, ",", &rest); pair != NULL; pair = strtok_r(NULL, ",", &rest)) {
        char *group = strchr(pair, '=');
        if (group == NULL || group == pair || group[1] == '\0' || *named_n == NAMED_MAX) {
            err_set(e, "%.60s is not WAREHOUSE=GROUP, or there are too many of them", pair);
            return RC_REJECT;
        }
        *group++ = '\0';
        if (pipeline_serves(s->pipeline, pair, group) != RC_OK) {
            err_set(e, "out of memory");
            return RC_FATAL;
        }
        named[(*named_n)++] = group;
    }
    return RC_OK;
}

static enum rc ask_groups(struct pipeline_scan *s, const struct pipeline_span *span, struct err *e)
{
    const struct config *c = program_config(s->program);
    char prefix[270], all[280], own[530];
    const char *named[NAMED_MAX + 3];
    size_t n = 0;
    const char *group = config_text(c, "consumer.group"), *warehouse = config_text(c, "consumer.warehouse");
    char *list = span->groups != NULL ? strndup(span->groups, GROUPS_LIST_MAX) : NULL;
    (void)snprintf(prefix, sizeof prefix, "%.250s-erp-", config_text(c, "topics.prefix"));
    (void)snprintf(all, sizeof all, "%sall", prefix);
    (void)snprintf(own, sizeof own, "%s%.250s", prefix, warehouse);
    named[n++] = all;
    if (*group != '\0')
        named[n++] = group;
    if (*warehouse != '\0')
        named[n++] = own;
    enum rc rc = list != NULL ? parse_groups(s, list, named, &n, e) : RC_OK;
    struct reader_start from = {s->names[TOPIC_ORDERS], -1, s->from == SCAN_TIME_BEGINNING ? READER_BEGINNING : READER_TIME, s->from};
    if (rc == RC_OK)
        rc = group_survey_create(program_loop(s->program), program_worker(s->program), c, program_log(s->program), program_health(s->program), &from, prefix, named, n,
                                 on_survey, s, &s->survey, e);
    free(list);
    return rc;
}

enum rc pipeline_scan_create(struct program *p, const struct pipeline_span *span, pipeline_scan_fn *done, void *arg, struct pipeline_scan **out, struct err *e)
{
    struct pipeline_scan *s = calloc(1, sizeof *s);
    if (span->from >= span->to) {
        err_set(e, "the span ends before it begins");
        free(s);
        return RC_REJECT;
    }
    if (s == NULL || (s->pipeline = pipeline_create(span->from, span->to, span->restored)) == NULL) {
        err_set(e, "out of memory");
        free(s);
        return RC_FATAL;
    }
    s->program = p;
    s->done = done;
    s->arg = arg;
    s->from = span->from > PIPELINE_SLACK_MS ? span->from - PIPELINE_SLACK_MS : SCAN_TIME_BEGINNING;
    for (int i = 0; i < TOPIC_COUNT; i++)
        kafka_topic_name(program_config(p), topic_table[i].name, s->names[i]);
    enum rc rc = ask_groups(s, span, e);
    if (rc != RC_OK) {
        pipeline_scan_destroy(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

void pipeline_scan_destroy(struct pipeline_scan *s)
{
    if (s == NULL)
        return;
    group_survey_destroy(s->survey);
    topic_scan_destroy(s->scan);
    record_writers_release(&s->writers);
    pipeline_destroy(s->pipeline);
    free(s);
}
