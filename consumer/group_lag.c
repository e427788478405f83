#include "consumer/group_lag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/kafka_handle.h"
#include "common/kafka/reader_bounds.h"

enum { WAITS_MS = 5000 };

struct question { /* the worker's while it runs */
    struct group_lags *asker; /* NULL: gone */
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    char orders[250], outcomes[250];
    char erp[200], updater[200]; /* how the groups' names begin */
    struct group_lag lags[GROUP_LAGS_MAX];
    size_t n;
    char words[200];
};

struct group_lags {
    struct worker *worker;
    struct kafka_handle *handle;
    const struct config *config;
    struct question *asked;
    group_lags_fn *told;
    void *arg;
};

static void on_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg; /* nothing is subscribed to */
    (void)event;
}

enum rc group_lags_create(struct program *p, group_lags_fn *told, void *arg, struct group_lags **out, struct err *e)
{
    struct group_lags *g = calloc(1, sizeof *g);
    if (g == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    *g = (struct group_lags){.worker = program_worker(p), .config = program_config(p), .told = told, .arg = arg};
    struct kafka_handle_desc d = {.loop = program_loop(p), .log = program_log(p), .health = program_health(p), .dependency = "kafka-groups", .role = KAFKA_ADMIN,
                                  .event = on_event, .arg = g};
    enum rc rc = kafka_handle_create(&d, program_config(p), &g->handle, e);
    if (rc != RC_OK)
        free(g);
    else
        *out = g;
    return rc;
}

void group_lags_destroy(struct group_lags *g)
{
    if (g == NULL)
        return;
    if (g->asked != NULL)
        g->asked->asker = NULL;
    kafka_handle_close(g->handle);
    free(g);
}

static struct group_lag *find(struct question *q, const char *group)
{
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->lags[i].group, group) == 0)
            return &q->lags[i];
    return NULL;
}

static struct group_lag *add(struct question *q, const char *group, const char *topic)
{
    struct group_lag *lag = find(q, group);
    if (lag != NULL || q->n == GROUP_LAGS_MAX)
        return lag;
    lag = &q->lags[q->n++];
    *lag = (struct group_lag){.records = -1, .members = -1};
    (void)snprintf(lag->group, sizeof lag->group, "%s", group);
    (void)snprintf(lag->topic, sizeof lag->topic, "%s", topic);
    return lag;
}

static void note(struct question *q, const char *what, rd_kafka_resp_err_t err)
{
    if (q->words[0] == '\0')
        (void)snprintf(q->words, sizeof q->words, "%s: %s", what, rd_kafka_err2str(err));
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* An embedded broker knows no such question: then only the named groups are looked at. */
static void ask_groups(struct question *q)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t err = rd_kafka_list_groups(q->rk, NULL, &list, WAITS_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
        note(q, "not every group is known", err);
    for (int i = 0; list != NULL && i < list->group_cnt; i++) {
        const struct rd_kafka_group_info *info = &list->groups[i];
        struct group_lag *lag = begins(info->group, q->erp)       ? add(q, info->group, q->orders)
                                : begins(info->group, q->updater) ? add(q, info->group, q->outcomes)
                                                                  : find(q, info->group);
        if (lag != NULL)
            lag->members = info->member_cnt;
    }
    if (list != NULL)
        rd_kafka_group_list_destroy(list);
}

/* Records between what is committed and the end. The earliest that is left counts where less was committed. */
static int64_t behind(const rd_kafka_topic_partition_list_t *committed, const struct reader_bounds *b)
{
    int64_t sum = -1;
    for (int i = 0; i < committed->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &committed->elems[i];
        for (size_t k = 0; k < b->n && p->offset >= 0; k++) {
            if (b->all[k].partition != p->partition)
                continue;
            int64_t at = p->offset > b->all[k].start ? p->offset : b->all[k].start;
            sum = (sum < 0 ? 0 : sum) + (b->all[k].end > at ? b->all[k].end - at : 0);
        }
    }
    /* In a partition where it has committed nothing yet everything waits. */
    for (size_t k = 0; k < b->n && sum >= 0; k++) {
        bool known = false;
        for (int i = 0; i < committed->cnt; i++)
            known |= committed->elems[i].partition == b->all[k].partition && committed->elems[i].offset >= 0;
        sum += known ? 0 : b->all[k].end - b->all[k].start;
    }
    return sum;
}

static void take_offsets(struct question *q, struct group_lag *lag, const rd_kafka_event_t *event, const struct reader_bounds *b)
{
    const rd_kafka_ListConsumerGroupOffsets_result_t *result = rd_kafka_event_ListConsumerGroupOffsets_result((rd_kafka_event_t *)event);
    size_t n = 0;
    const rd_kafka_group_result_t **groups = result != NULL ? rd_kafka_ListConsumerGroupOffsets_result_groups(result, &n) : NULL;
    if (rd_kafka_event_error((rd_kafka_event_t *)event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        note(q, lag->group, rd_kafka_event_error((rd_kafka_event_t *)event));
    else if (n == 1 && rd_kafka_group_result_error(groups[0]) != NULL)
        note(q, lag->group, rd_kafka_error_code(rd_kafka_group_result_error(groups[0])));
    else if (n == 1)
        lag->records = behind(rd_kafka_group_result_partitions(groups[0]), b);
}

static void ask_offsets(struct question *q, struct group_lag *lag, const struct reader_bounds *b)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)b->n);
    for (size_t i = 0; i < b->n; i++)
        rd_kafka_topic_partition_list_add(list, lag->topic, b->all[i].partition);
    rd_kafka_ListConsumerGroupOffsets_t *asked = rd_kafka_ListConsumerGroupOffsets_new(lag->group, list);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(q->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(q->rk);
    if (rd_kafka_AdminOptions_set_request_timeout(options, WAITS_MS, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_ListConsumerGroupOffsets(q->rk, &asked, 1, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAITS_MS + 1000);
        if (event != NULL)
            take_offsets(q, lag, event, b);
        else
            note(q, lag->group, RD_KAFKA_RESP_ERR__TIMED_OUT);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(asked);
    rd_kafka_topic_partition_list_destroy(list);
}

static void run(void *arg)
{
    struct question *q = arg;
    struct reader_bounds orders = {NULL, 0}, outcomes = {NULL, 0};
    struct reader_start all[] = {{q->orders, -1, READER_BEGINNING, 0}, {q->outcomes, -1, READER_BEGINNING, 0}};
    struct err e;
    if (reader_bounds_ask(q->rk, &all[0], 1, &orders, &e) == RC_OK && reader_bounds_ask(q->rk, &all[1], 1, &outcomes, &e) == RC_OK) {
        ask_groups(q);
        for (size_t i = 0; i < q->n && q->words[0] == '\0'; i++) /* who does not answer once is not asked for each group */
            ask_offsets(q, &q->lags[i], strcmp(q->lags[i].topic, q->orders) == 0 ? &orders : &outcomes);
    } else {
        (void)snprintf(q->words, sizeof q->words, "%.190s", e.text);
    }
    reader_bounds_release(&orders);
    reader_bounds_release(&outcomes);
}

static int by_group(const void *a, const void *b)
{
    return strcmp(((const struct group_lag *)a)->group, ((const struct group_lag *)b)->group);
}

static void done(void *arg, bool ran)
{
    struct question *q = arg;
    if (q->asker != NULL && ran) {
        q->asker->asked = NULL;
        qsort(q->lags, q->n, sizeof *q->lags, by_group);
        q->asker->told(q->asker->arg, q->lags, q->n, q->words);
    }
    kafka_handle_unref(q->handle);
    free(q);
}

void group_lags_ask(struct group_lags *g, const char *const *names, size_t n)
{
    struct question *q = g->asked == NULL ? calloc(1, sizeof *q) : NULL;
    char updater[256];
    if (q == NULL)
        return;
    const char *prefix = config_text(g->config, "topics.prefix"), *organization = config_text(g->config, "xsale.organization");
    kafka_topic_name(g->config, "orders", q->orders);
    kafka_topic_name(g->config, "order-outcomes", q->outcomes);
    (void)snprintf(q->erp, sizeof q->erp, "%.150s-erp-", prefix);
    (void)snprintf(q->updater, sizeof q->updater, "%.150s-updater-", prefix);
    (void)snprintf(updater, sizeof updater, "%.170s%.80s", q->updater, organization);
    if (*organization != '\0')
        (void)add(q, updater, q->outcomes);
    for (size_t i = 0; i < n; i++)
        if (*names[i] != '\0')
            (void)add(q, names[i], q->orders);
    q->asker = g;
    q->handle = g->handle;
    kafka_handle_ref(g->handle);
    q->rk = kafka_handle_rk(g->handle);
    if (worker_submit(g->worker, run, done, q) == RC_OK) {
        g->asked = q;
    } else {
        kafka_handle_unref(q->handle);
        free(q);
    }
}
