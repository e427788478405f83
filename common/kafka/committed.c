#include "common/kafka/committed.h"

#include <stdlib.h>

#include "common/kafka/offset_query.h"

enum { COMMITTED_WAITS_MS = 5000, BOUNDS_WAIT_MS = 2000 };

struct bounds {
    int64_t low, high; /* -1: not known */
};

struct committed {
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    struct log *log;
    rd_kafka_topic_partition_list_t *list;
    struct bounds *bounds; /* one for each of list */
    rd_kafka_resp_err_t err;
    committed_fn *done;
    void *arg;
};

static void committed_free(struct committed *c)
{
    if (c == NULL)
        return;
    if (c->list != NULL)
        rd_kafka_topic_partition_list_destroy(c->list);
    kafka_handle_unref(c->handle);
    free(c->bounds);
    free(c);
}

/* Into low or high of each; false: not to be had. */
static bool ask_bounds(struct committed *c, int64_t what)
{
    int failed;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(c->list);
    bool known = offset_query(c->rk, list, what, BOUNDS_WAIT_MS, &failed) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; known && i < list->cnt; i++)
        *(what == RD_KAFKA_OFFSET_END ? &c->bounds[i].high : &c->bounds[i].low) = list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return known;
}

/* In the worker. The bounds are for the log and for offsets that are gone; without them reading starts all the same. */
static void run(void *arg)
{
    struct committed *c = arg;
    c->err = rd_kafka_committed(c->rk, c->list, COMMITTED_WAITS_MS);
    for (int i = 0; c->err == RD_KAFKA_RESP_ERR_NO_ERROR && i < c->list->cnt; i++)
        c->err = c->list->elems[i].err;
    if (c->err == RD_KAFKA_RESP_ERR_NO_ERROR && ask_bounds(c, RD_KAFKA_OFFSET_BEGINNING))
        (void)ask_bounds(c, RD_KAFKA_OFFSET_END);
}

static void forget_metadata(rd_kafka_topic_partition_t *p)
{
    rd_kafka_mem_free(NULL, p->metadata);
    p->metadata = NULL;
    p->metadata_size = 0;
}

static void mend(struct committed *c, rd_kafka_topic_partition_t *p, const struct bounds *b)
{
    if (p->offset < 0) {
        p->offset = -1;
        return;
    }
    if (b->low < 0 || b->high < 0)
        return;
    if (p->offset < b->low) {
        log_fact(c->log, LOG_ERROR, "group", NULL, "records were deleted before they were read", LOG_S("topic", p->topic),
                 LOG_I("partition", p->partition), LOG_I("committed", p->offset), LOG_I("earliest", b->low),
                 LOG_I("missing", b->low - p->offset));
        p->offset = b->low;
        forget_metadata(p);
    } else if (p->offset > b->high) {
        log_fact(c->log, LOG_ERROR, "group", NULL, "the committed offset lies past the topic's end: reading from the earliest",
                 LOG_S("topic", p->topic), LOG_I("partition", p->partition), LOG_I("committed", p->offset), LOG_I("end", b->high));
        p->offset = -1;
        forget_metadata(p);
    }
}

static void done(void *arg, bool ran)
{
    struct committed *c = arg;
    if (c->done != NULL && !ran) {
        c->done(c->arg, RC_RETRY, NULL, "stopped");
    } else if (c->done != NULL && c->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        c->done(c->arg, RC_RETRY, NULL, rd_kafka_err2str(c->err));
    } else if (c->done != NULL) {
        for (int i = 0; i < c->list->cnt; i++)
            mend(c, &c->list->elems[i], &c->bounds[i]);
        c->done(c->arg, RC_OK, c->list, "");
    }
    committed_free(c);
}

enum rc committed_ask(struct worker *w, struct kafka_handle *h, struct log *log, const rd_kafka_topic_partition_list_t *list,
                      committed_fn *fn, void *arg, struct committed **out)
{
    struct committed *c = calloc(1, sizeof *c);
    if (c == NULL)
        return RC_FATAL;
    kafka_handle_ref(h);
    c->handle = h;
    c->rk = kafka_handle_rk(h);
    c->log = log;
    c->done = fn;
    c->arg = arg;
    c->list = rd_kafka_topic_partition_list_copy(list);
    c->bounds = calloc((size_t)list->cnt + 1, sizeof *c->bounds);
    if (c->bounds == NULL) {
        committed_free(c);
        return RC_FATAL;
    }
    for (int i = 0; i < list->cnt; i++)
        c->bounds[i] = (struct bounds){-1, -1};
    enum rc rc = worker_submit(w, run, done, c);
    if (rc != RC_OK) {
        committed_free(c);
        return rc;
    }
    *out = c;
    return RC_OK;
}

void committed_forget(struct committed *c)
{
    if (c != NULL)
        c->done = NULL;
}
