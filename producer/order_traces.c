#include "producer/order_traces.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "common/base/traceparent.h"

struct order_trace {
    int64_t order_id;
    char traceparent[TRACEPARENT_TEXT];
    bool lost; /* no memory for its place in the table */
    UT_hash_handle hh;
};

struct order_traces {
    struct order_trace *all; /* in the order in which they came */
};

struct order_traces *order_traces_create(void)
{
    return calloc(1, sizeof(struct order_traces));
}

static void forget(struct order_traces *t, struct order_trace *o)
{
    HASH_DEL(t->all, o);
    free(o);
}

void order_traces_destroy(struct order_traces *t)
{
    while (t != NULL && t->all != NULL)
        forget(t, t->all);
    free(t);
}

static struct order_trace *find(struct order_traces *t, int64_t order_id)
{
    struct order_trace *o = NULL;
    HASH_FIND(hh, t->all, &order_id, sizeof order_id, o);
    return o;
}

void order_traces_note(struct order_traces *t, int64_t order_id, const struct kafka_record *outcome)
{
    const struct kafka_header *h = kafka_record_header(outcome, "traceparent");
    if (h == NULL || h->value == NULL || !traceparent_valid(h->value, h->n))
        return;
    struct order_trace *o = find(t, order_id);
    if (o != NULL)
        forget(t, o);
    if (HASH_COUNT(t->all) >= ORDER_TRACES)
        forget(t, t->all);
    if ((o = calloc(1, sizeof *o)) == NULL)
        return;
    o->order_id = order_id;
    memcpy(o->traceparent, h->value, TRACEPARENT_TEXT - 1);
    HASH_ADD(hh, t->all, order_id, sizeof o->order_id, o);
    if (o->lost)
        free(o);
}

const char *order_traces_find(struct order_traces *t, int64_t order_id)
{
    const struct order_trace *o = t == NULL ? NULL : find(t, order_id);
    return o == NULL ? NULL : o->traceparent;
}

void order_traces_id(struct order_traces *t, int64_t order_id, char out[33])
{
    traceparent_id(order_traces_find(t, order_id), out);
}
