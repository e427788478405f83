#include "common/kafka/partition_counts.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/kafka/kafka_handle.h"

enum { WAITS_MS = 5000 };

/* Outlives its asker when it must. */
struct question {
    struct partition_counts *asker; /* NULL: gone */
    struct kafka_handle *handle;
    rd_kafka_t *rk;
    char topics[PARTITION_COUNTS_MAX][250];
    int32_t counts[PARTITION_COUNTS_MAX];
    size_t n;
};

struct partition_counts {
    struct kafka_handle *handle;
    struct question *asked; /* NULL: answered */
    partition_counts_fn *done;
    void *arg;
};

static void on_event(void *arg, rd_kafka_event_t *event)
{
    (void)arg; /* nothing is subscribed to: what comes are log lines and errors, which the handle has told */
    (void)event;
}

static int32_t count(rd_kafka_t *rk, const char *topic)
{
    const struct rd_kafka_metadata *found = NULL;
    int32_t n = 0;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    if (rkt == NULL)
        return 0;
    if (rd_kafka_metadata(rk, 0, rkt, &found, WAITS_MS) == RD_KAFKA_RESP_ERR_NO_ERROR && found->topic_cnt == 1 &&
        found->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
        n = found->topics[0].partition_cnt;
    if (found != NULL)
        rd_kafka_metadata_destroy(found);
    rd_kafka_topic_destroy(rkt);
    return n;
}

/* A broker that does not answer once is not asked again for each topic. */
static void run(void *arg)
{
    struct question *q = arg;
    for (size_t i = 0; i < q->n; i++)
        if ((q->counts[i] = count(q->rk, q->topics[i])) <= 0 && i == 0)
            return;
}

static void on_done(void *arg, bool ran)
{
    struct question *q = arg;
    struct partition_counts *p = q->asker;
    (void)ran; /* then every count is 0 */
    if (p != NULL) {
        p->asked = NULL;
        p->done(p->arg, q->counts, q->n);
    }
    kafka_handle_unref(q->handle);
    free(q);
}

enum rc partition_counts_ask(struct loop *l, struct worker *w, const struct config *c, struct log *log, struct health *h, const char *const *topics, size_t n,
                             partition_counts_fn *done, void *arg, struct partition_counts **out, struct err *e)
{
    struct partition_counts *p = calloc(1, sizeof *p);
    struct question *q = calloc(1, sizeof *q);
    enum rc rc = RC_FATAL;
    err_set(e, "out of memory");
    if (p == NULL || q == NULL || n > PARTITION_COUNTS_MAX)
        goto out;
    struct kafka_handle_desc d = {.loop = l, .log = log, .health = h, .dependency = "kafka-read", .role = KAFKA_READ, .event = on_event, .arg = p};
    if ((rc = kafka_handle_create(&d, c, &p->handle, e)) != RC_OK)
        goto out;
    p->done = done;
    p->arg = arg;
    *q = (struct question){.asker = p, .handle = p->handle, .rk = kafka_handle_rk(p->handle), .n = n};
    for (size_t i = 0; i < n; i++)
        (void)snprintf(q->topics[i], sizeof q->topics[i], "%s", topics[i]);
    kafka_handle_ref(p->handle);
    if ((rc = worker_submit(w, run, on_done, q)) != RC_OK) {
        err_set(e, "too much is asked at once");
        kafka_handle_unref(p->handle);
        goto out;
    }
    p->asked = q;
    *out = p;
    return RC_OK;
out:
    free(q);
    partition_counts_forget(p);
    return rc;
}

void partition_counts_forget(struct partition_counts *p)
{
    if (p == NULL)
        return;
    if (p->asked != NULL)
        p->asked->asker = NULL;
    kafka_handle_close(p->handle);
    free(p);
}
