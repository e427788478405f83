#include "producer/group_position.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/kafka/kafka_conf.h"
#include "common/kafka/kafka_new.h"

enum { ANSWER_MS = 5000, AGAIN_MS = 500, AGAIN_MOST_MS = 10000 };

struct group_position {
    struct group_position_needs n;
    char *group_id, *topic;
    group_position_fn *done;
    void *arg;
    struct loop_timer timer;
    struct backoff backoff;
    bool running, cancelled;
    /* the worker's between submit and done */
    rd_kafka_conf_t *conf;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t failed;
};

static void release(struct group_position *gp)
{
    if (gp->conf != NULL)
        rd_kafka_conf_destroy(gp->conf);
    if (gp->list != NULL)
        rd_kafka_topic_partition_list_destroy(gp->list);
    loop_timer_clear(gp->n.loop, &gp->timer);
    free(gp->group_id);
    free(gp->topic);
    free(gp);
}

/* In the worker's thread. */
static void run(void *arg)
{
    struct group_position *gp = arg;
    char words[256];
    rd_kafka_t *rk = kafka_new(RD_KAFKA_CONSUMER, gp->conf, words, sizeof words);
    if (rk == NULL) {
        gp->failed = RD_KAFKA_RESP_ERR__FAIL;
        return;
    }
    gp->conf = NULL; /* the handle's now */
    gp->failed = rd_kafka_committed(rk, gp->list, ANSWER_MS);
    for (int i = 0; gp->failed == RD_KAFKA_RESP_ERR_NO_ERROR && i < gp->list->cnt; i++)
        gp->failed = gp->list->elems[i].err;
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void try(void *arg);

static void ended(void *arg, bool ran)
{
    struct group_position *gp = arg;
    gp->running = false;
    if (gp->cancelled || !ran) {
        release(gp);
        return;
    }
    if (gp->failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_event(gp->n.log, LOG_WARN, "group", NULL, "committed positions cannot be read, tries again",
                  LOG_S("why", rd_kafka_err2str(gp->failed)));
        loop_timer_in(gp->n.loop, &gp->timer, backoff_next(&gp->backoff), try, gp);
        return;
    }
    int64_t *offsets = calloc((size_t)gp->n.partitions, sizeof *offsets);
    if (offsets == NULL) {
        loop_timer_in(gp->n.loop, &gp->timer, AGAIN_MOST_MS, try, gp);
        return;
    }
    for (int i = 0; i < gp->n.partitions; i++)
        offsets[i] = gp->list->elems[i].offset >= 0 ? gp->list->elems[i].offset : -1;
    group_position_fn *done = gp->done;
    void *done_arg = gp->arg;
    release(gp);
    done(done_arg, offsets);
    free(offsets);
}

static bool prepare(struct group_position *gp, struct err *e)
{
    if (gp->conf == NULL && kafka_conf_create(gp->n.config, KAFKA_GROUP, gp->group_id, &gp->conf, e) != RC_OK)
        return false;
    if (gp->list != NULL)
        rd_kafka_topic_partition_list_destroy(gp->list);
    gp->list = rd_kafka_topic_partition_list_new(gp->n.partitions);
    if (gp->list == NULL) {
        err_set(e, "out of memory");
        return false;
    }
    for (int i = 0; i < gp->n.partitions; i++)
        (void)rd_kafka_topic_partition_list_add(gp->list, gp->topic, i); /* within the size asked for */
    return true;
}

static void try(void *arg)
{
    struct group_position *gp = arg;
    struct err e;
    err_set(&e, "the worker takes no more");
    if (prepare(gp, &e) && worker_submit(gp->n.worker, run, ended, gp) == RC_OK) {
        gp->running = true;
        return;
    }
    log_event(gp->n.log, LOG_WARN, "group", NULL, "committed positions cannot be read, tries again", LOG_S("why", e.text));
    loop_timer_in(gp->n.loop, &gp->timer, backoff_next(&gp->backoff), try, gp);
}

enum rc group_position_fetch(const struct group_position_needs *needs, group_position_fn *done, void *arg, struct group_position **out,
                             struct err *e)
{
    struct group_position *gp = calloc(1, sizeof *gp);
    if (gp == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    gp->n = *needs;
    gp->done = done;
    gp->arg = arg;
    gp->group_id = strdup(needs->group_id);
    gp->topic = strdup(needs->topic);
    backoff_init(&gp->backoff, AGAIN_MS, AGAIN_MOST_MS, (uint64_t)loop_now(needs->loop) + 11);
    if (gp->group_id == NULL || gp->topic == NULL) {
        err_set(e, "out of memory");
        release(gp);
        return RC_FATAL;
    }
    loop_timer_in(needs->loop, &gp->timer, 0, try, gp);
    *out = gp;
    return RC_OK;
}

void group_position_cancel(struct group_position *gp)
{
    if (gp == NULL)
        return;
    gp->cancelled = true;
    if (!gp->running)
        release(gp);
}
