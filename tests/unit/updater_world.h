/* The world around the updater for a test that plays it: clock, broker, group, publisher and xSale's wire stand here, linked instead of the real ones, and move only when
 * the test says so. Everything between them (updating, ledger, intake, row writer, ledger reader, setter, mover) is the program's own. */
#ifndef BRIDGE_TESTS_UPDATER_WORLD_H
#define BRIDGE_TESTS_UPDATER_WORLD_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_builtin.h"
#include "common/contract/ledger_row.h"
#include "common/contract/order_key.h"
#include "common/kafka/dlq.h"
#include "common/kafka/group.h"
#include "common/kafka/key_partition.h"
#include "common/kafka/publisher.h"
#include "producer/outcome_reader.h"
#include "producer/schema_reader.h"
#include "producer/updating.h"
#include "producer/xsale_client.h"

enum { PROCS = 2, PARTS = 2, ORDERS = 4, LOG = 4000, FLYING = 64, CALLS = 32, READERS = 8 };
enum { NEW = 11, IMPORTED = 12, MANUAL = 13, OTHER = 14, STATUSES = 4 };

struct stored { /* a record that is durable */
    char key[40];
    unsigned char *value;
    size_t n;
};

struct topic {
    struct stored rows[PARTS][LOG];
    int64_t n[PARTS];
};

struct flying { /* a record at a publisher */
    struct topic *topic;
    struct stored record;
    int32_t partition;
    int64_t offset; /* -1: not durable yet */
    publisher_done_fn *done;
    void *arg;
};

struct publisher {
    struct flying flying[FLYING];
    size_t n, most;
    loop_fn *room;
    void *arg;
    bool full;
};

struct group {
    const struct group_ops *ops;
    void *arg;
    bool owned[PARTS], paused[PARTS], revoking, closed;
    int64_t next[PARTS];
    struct {
        void (*done)(void *arg, enum rc rc);
        void *arg;
    } commits[FLYING];
    size_t commits_n;
};

struct schema_reader {
    const struct schema_reader_ops *ops;
    void *arg;
    int32_t parts[PARTS];
    int64_t at[PARTS], end[PARTS];
    size_t n;
    bool used, ended;
};

struct xsale_call {
    int64_t order, status; /* status 0: a look */
    int64_t publication;   /* a PUT is about */
    xsale_done_fn *done;
    void *arg;
    enum xsale_end end;
    int64_t found;
    bool used, served; /* served: its effect and its answer are decided */
    bool web_page;     /* XSALE_GONE is what a gateway said */
    bool waits;        /* for tokens or the quota: has not been sent */
};

struct loop {
    int64_t now;
    struct loop_timer *timers;
};

struct proc {
    struct loop loop;
    struct publisher publisher;
    struct group group;
    struct schema_reader readers[READERS];
    struct xsale_call calls[CALLS];
    struct updating *updating;
    int64_t newest[ORDERS]; /* publication that it knows of each order */
    int looked[ORDERS];     /* status that its last look showed, 0: none since its last PUT */
    bool failed;
    char words[200];
};

struct change {
    int order, from, to;
    int64_t publication; /* 0: a person's */
};

struct world {
    uint64_t seed, random;
    int64_t now;
    struct topic outcomes, status;
    int64_t committed[PARTS];
    struct proc procs[PROCS];
    struct proc *active; /* whose code runs */
    int shown[ORDERS];   /* statuses in xSale */
    bool by_person[ORDERS];
    struct change changes[400];
    size_t changes_n;
    bool calm, rewinds;
    bool gateway; /* stands before xSale and says 404 now and then, in a web page: of orders that are there */
    struct record_writer row_writer;
};

static struct world *w;
static struct config *config;

/* The test's own: what a PUT that takes effect, one that is sent, and a row that became durable mean to it. */
static void put_sent(struct proc *p, const struct xsale_call *c);
static void put_works(const struct xsale_call *c);
static void row_stands(int32_t partition, const struct stored *row);

static uint64_t dice(uint64_t sides)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % sides;
}

#define hold(truth, ...)                                                                                                                    \
    do {                                                                                                                                    \
        if (!(truth)) {                                                                                                                     \
            print_error("history %" PRIu64 ": %s: ", w->seed, #truth);                                                                      \
            print_error(__VA_ARGS__);                                                                                                       \
            print_error("\n");                                                                                                              \
            fail();                                                                                                                         \
        }                                                                                                                                   \
    } while (0)

static bool talks; /* tells a history's events */
#define event(...)                                                                                                                          \
    do {                                                                                                                                    \
        if (talks) {                                                                                                                        \
            print_message("%8" PRId64 "  ", w->now % 100000000);                                                                            \
            print_message(__VA_ARGS__);                                                                                                     \
            print_message("\n");                                                                                                            \
        }                                                                                                                                   \
    } while (0)

static int64_t id_of(size_t order)
{
    return 100 + (int64_t)order;
}

static size_t order_of(int64_t id)
{
    return (size_t)(id - 100);
}

static size_t key_of(size_t order, char key[40])
{
    return (size_t)snprintf(key, 40, "acme/%" PRId64, id_of(order));
}

static int32_t home_of(size_t order)
{
    char key[40];
    size_t n = key_of(order, key);
    return key_partition(key, n, PARTS);
}

/* ---- the loop */

static int64_t clock_now(void *arg)
{
    (void)arg;
    return w->now;
}

static const struct clock the_clock = {clock_now, clock_now, NULL};

const struct clock *loop_clock(const struct loop *l)
{
    (void)l;
    return &the_clock;
}

int64_t loop_now(const struct loop *l)
{
    (void)l;
    return w->now;
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    if (!t->armed)
        return;
    t->armed = false;
    struct loop_timer **at = &l->timers;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at, loop_fn *fn, void *arg)
{
    loop_timer_clear(l, t);
    struct loop_timer **place = &l->timers;
    while (*place != NULL && (*place)->at <= at)
        place = &(*place)->next;
    *t = (struct loop_timer){.next = *place, .at = at, .fn = fn, .arg = arg, .armed = true};
    *place = t;
}

void loop_timer_in(struct loop *l, struct loop_timer *t, int64_t delay, loop_fn *fn, void *arg)
{
    loop_timer_set(l, t, w->now + delay, fn, arg);
}

/* false: nothing was due. */
static bool run_timer(struct proc *p)
{
    struct loop_timer *t = p->loop.timers;
    if (t == NULL || t->at > w->now)
        return false;
    loop_timer_clear(&p->loop, t);
    t->fn(t->arg);
    return true;
}

/* ---- the publisher */

static int64_t append(struct topic *t, int32_t partition, const struct stored *r)
{
    hold(t->n[partition] < LOG, "the log is full");
    struct stored *to = &t->rows[partition][t->n[partition]];
    *to = *r;
    to->value = malloc(r->n + 1);
    memcpy(to->value, r->value, r->n);
    return t->n[partition]++;
}

static void make_durable(struct flying *f)
{
    if (f->offset >= 0)
        return;
    f->offset = append(f->topic, f->partition, &f->record);
    if (f->topic == &w->status)
        row_stands(f->partition, &f->record);
}

enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e)
{
    (void)e;
    if (p->n >= p->most) {
        p->full = true;
        return RC_RETRY;
    }
    struct flying *f = &p->flying[p->n++];
    *f = (struct flying){.topic = strcmp(r->topic, "status") == 0 ? &w->status : &w->outcomes, .offset = -1, .done = done, .arg = arg};
    hold(strcmp(r->topic, "status") == 0 || strcmp(r->topic, "outcomes") == 0, "a record for %s", r->topic);
    f->partition = r->partition >= 0 ? r->partition : key_partition(r->key, r->key_n, PARTS);
    (void)snprintf(f->record.key, sizeof f->record.key, "%.*s", (int)r->key_n, (const char *)r->key);
    f->record.value = malloc(r->value_n + 1);
    memcpy(f->record.value, r->value, r->value_n);
    f->record.n = r->value_n;
    return RC_OK;
}

static void take_off(struct publisher *p, size_t i, struct flying *out)
{
    *out = p->flying[i];
    memmove(p->flying + i, p->flying + i + 1, (p->n - i - 1) * sizeof *p->flying);
    p->n--;
}

static void acknowledge_first(struct proc *p)
{
    struct flying f;
    make_durable(&p->publisher.flying[0]);
    take_off(&p->publisher, 0, &f);
    f.done(f.arg, &(struct publisher_ack){RC_OK, f.partition, f.offset, ""});
    free(f.record.value);
    if (p->publisher.full && p->publisher.n < p->publisher.most) {
        p->publisher.full = false;
        p->publisher.room(p->publisher.arg);
    }
}

void publisher_drop_waiting(struct publisher *p)
{
    struct flying all[FLYING];
    size_t n = p->n;
    memcpy(all, p->flying, n * sizeof *all);
    p->n = 0;
    size_t durable = dice(n + 1); /* in order: the first ones may have been written */
    for (size_t i = 0; i < n; i++) {
        if (i < durable)
            make_durable(&all[i]);
        all[i].done(all[i].arg, &(struct publisher_ack){RC_RETRY, all[i].partition, -1, "dropped"});
        free(all[i].record.value);
    }
}

void publisher_on_room(struct publisher *p, loop_fn *room, void *arg)
{
    p->room = room;
    p->arg = arg;
}

/* ---- the group */

enum rc group_create(struct loop *l, struct worker *worker, const struct config *c, struct log *log, struct health *h, const char *group_id,
                     const char *const *topics, size_t topics_n, const struct group_ops *ops, void *arg, struct group **out, struct err *e)
{
    (void)l, (void)worker, (void)c, (void)log, (void)h, (void)group_id, (void)topics, (void)topics_n, (void)e;
    w->active->group = (struct group){.ops = ops, .arg = arg};
    *out = &w->active->group;
    return RC_OK;
}

void group_destroy(struct group *g)
{
    if (g != NULL)
        g->ops = NULL;
}

void group_released(struct group *g)
{
    for (size_t i = 0; i < ORDERS; i++)
        if (g->owned[home_of(i)])
            w->active->newest[i] = 0;
    g->revoking = false;
    memset(g->owned, 0, sizeof g->owned);
}

void group_commit(struct group *g, const struct group_partition *parts, size_t n, void (*done)(void *arg, enum rc rc), void *arg)
{
    bool stored = w->calm || dice(5) != 0;
    for (size_t i = 0; i < n && stored; i++) {
        hold(parts[i].offset <= w->outcomes.n[parts[i].partition], "committed beyond the end");
        w->committed[parts[i].partition] = parts[i].offset;
    }
    hold(g->commits_n < FLYING, "commits");
    g->commits[g->commits_n].done = done;
    g->commits[g->commits_n++].arg = arg;
    if (!stored) /* told as a failure: its words come with the answer */
        g->commits[g->commits_n - 1].arg = arg;
}

static void answer_commit(struct group *g)
{
    void (*done)(void *arg, enum rc rc) = g->commits[0].done;
    void *arg = g->commits[0].arg;
    memmove(g->commits, g->commits + 1, (g->commits_n - 1) * sizeof *g->commits);
    g->commits_n--;
    if (done != NULL)
        done(arg, w->calm || dice(4) != 0 ? RC_OK : RC_RETRY);
}

void group_pause(struct group *g, const char *topic, int32_t partition)
{
    (void)topic;
    g->paused[partition] = true;
}

void group_resume(struct group *g, const char *topic, int32_t partition)
{
    (void)topic;
    g->paused[partition] = false;
}

void group_close(struct group *g, loop_fn *done, void *arg)
{
    (void)g, (void)done, (void)arg; /* these histories crash */
}

/* ---- readers of the ledger */

enum rc schema_reader_create(const struct schema_reader_needs *needs, const struct reader_start *starts, size_t starts_n,
                             const struct schema_reader_ops *ops, void *arg, struct schema_reader **out, struct err *e)
{
    (void)needs, (void)e;
    struct schema_reader *r = w->active->readers;
    while (r->used)
        r++;
    hold(r < w->active->readers + READERS, "readers");
    *r = (struct schema_reader){.ops = ops, .arg = arg, .n = starts_n, .used = true};
    for (size_t i = 0; i < starts_n; i++) {
        r->parts[i] = starts[i].partition;
        r->at[i] = starts[i].from == READER_OFFSET ? starts[i].value : 0;
        r->end[i] = w->status.n[starts[i].partition];
    }
    *out = r;
    return RC_OK;
}

void schema_reader_destroy(struct schema_reader *r)
{
    if (r != NULL)
        r->used = false;
}

static void knows(struct proc *p, size_t order, int64_t publication)
{
    if (publication > p->newest[order])
        p->newest[order] = publication;
}

static void feed_reader(struct proc *p, struct schema_reader *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->at[i] >= r->end[i])
            continue;
        const struct stored *s = &w->status.rows[r->parts[i]][r->at[i]];
        struct kafka_record rec = {.topic = "status", .partition = r->parts[i], .offset = r->at[i]++, .key = s->key, .key_n = strlen(s->key), .value = s->value,
                                   .value_n = s->n};
        struct schema_record out = {.record = &rec, .writer = &w->row_writer, .schema_id = 1, .avro = s->value + 5, .avro_n = s->n - 5};
        struct ledger_row *row = NULL;
        struct err e;
        hold(ledger_row_decode(&w->row_writer, out.avro, out.avro_n, &row, &e) == RC_OK, "%s", e.text);
        event("order %zu: process %d reads back %" PRId64 " at %" PRId64 " of %" PRId64, order_of(row->order_id), (int)(p - w->procs), row->publication % 100000000, rec.offset, r->end[i]);
        knows(p, order_of(row->order_id), row->publication);
        ledger_row_destroy(row);
        if (r->ops->wanted == NULL || r->ops->wanted(r->arg, &rec))
            r->ops->record(r->arg, &out);
        return;
    }
    if (!r->ended) {
        r->ended = true;
        r->ops->end(r->arg);
    }
}

/* ---- outcomes as they are read: the value is the outcome itself */

struct said {
    struct outcome outcome;
    char warehouse[8], document[16], reason[16];
    int64_t readable_at; /* its schema is not known before */
};

struct outcome_reader {
    struct proc *proc;
};

enum rc outcome_reader_create(struct writer_schemas *schemas, const char *organization, loop_fn *retry, void *arg, struct outcome_reader **out,
                              struct err *e)
{
    (void)schemas, (void)organization, (void)retry, (void)arg, (void)e;
    *out = malloc(sizeof **out);
    (*out)->proc = w->active;
    return RC_OK;
}

void outcome_reader_destroy(struct outcome_reader *r)
{
    free(r);
}

enum outcome_read outcome_reader_read(struct outcome_reader *r, const struct kafka_record *rec, struct outcome **out, struct err *e)
{
    struct said *s = malloc(sizeof *s);
    memcpy(s, rec->value, sizeof *s);
    if (s->readable_at > w->now) {
        bool disowned = s->readable_at % 2 == 0;
        free(s);
        err_set(e, "not known");
        return disowned ? OUTCOME_DISOWNED : OUTCOME_NOT_NOW;
    }
    s->outcome.warehouse = s->warehouse;
    s->outcome.document_id = s->document[0] != '\0' ? s->document : NULL;
    s->outcome.reason = s->reason[0] != '\0' ? s->reason : NULL;
    if (home_of(order_of(s->outcome.order_id)) == rec->partition)
        knows(r->proc, order_of(s->outcome.order_id), s->outcome.publication);
    event("order %zu: process %d reads %s of %s for %" PRId64, order_of(s->outcome.order_id), (int)(r->proc - w->procs), outcome_result_name(s->outcome.result), s->warehouse, s->outcome.publication % 100000000);
    *out = &s->outcome; /* first member: freed by outcome_destroy */
    return OUTCOME_READ;
}

/* ---- xSale's wire */

const char *xsale_client_organization(const struct xsale_client *x)
{
    (void)x;
    return "acme";
}

bool xsale_client_can_look(const struct xsale_client *x)
{
    (void)x;
    return true;
}

bool xsale_client_is_new(const struct xsale_client *x, int64_t id)
{
    (void)x;
    return id == NEW;
}

int64_t xsale_client_imported(const struct xsale_client *x)
{
    (void)x;
    return IMPORTED;
}

int64_t xsale_client_manual(const struct xsale_client *x)
{
    (void)x;
    return MANUAL;
}

const struct xsale_status *xsale_client_status_by_id(const struct xsale_client *x, int64_t id)
{
    static const struct xsale_status names[] = {{NEW, "Nowe"}, {IMPORTED, "Zaimportowano do ERP"}, {MANUAL, "Do obsługi ręcznej"}, {OTHER, "Anulowane"}};
    (void)x;
    for (size_t i = 0; i < STATUSES; i++)
        if (names[i].id == id)
            return &names[i];
    return NULL;
}

static struct xsale_call *call(struct xsale_client *x, int64_t id, int64_t status, xsale_done_fn *done, void *arg)
{
    struct proc *p = (struct proc *)x;
    struct xsale_call *c = p->calls;
    while (c < p->calls + CALLS && c->used)
        c++;
    hold(c < p->calls + CALLS, "calls");
    for (size_t i = 0; i < CALLS; i++)
        hold(!p->calls[i].used || p->calls[i].order != id, "two tries at a time for order %" PRId64, id);
    *c = (struct xsale_call){.order = id, .status = status, .publication = p->newest[order_of(id)], .done = done, .arg = arg, .used = true};
    return c;
}

struct xsale_call *xsale_get_order(struct xsale_client *x, int64_t id, xsale_done_fn *done, void *arg)
{
    return call(x, id, 0, done, arg);
}

void xsale_client_on_trace(struct xsale_client *x, xsale_trace_fn *fn, void *arg)
{
    (void)x, (void)fn, (void)arg;
}

struct xsale_call *xsale_put_status(struct xsale_client *x, int64_t id, int64_t status, xsale_done_fn *done, void *arg)
{
    struct xsale_call *c = call(x, id, status, done, arg);
    c->waits = !w->calm && dice(4) == 0;
    put_sent((struct proc *)x, c);
    return c;
}

bool xsale_is_sent(const struct xsale_call *c)
{
    return !c->waits;
}

static void serve(struct xsale_call *c)
{
    if (c->served)
        return;
    c->served = true;
    c->end = XSALE_OK;
    if (c->status == 0) {
        c->found = w->shown[order_of(c->order)];
        if (w->gateway && !w->calm && dice(6) == 0) {
            c->end = XSALE_GONE;
            c->web_page = true;
            return;
        }
        if (!w->calm && dice(12) == 0)
            c->end = XSALE_LATER; /* xSale cannot show it now */
        return;
    }
    if (c->waits && dice(2) == 0) {
        c->end = XSALE_LATER; /* it waited for too long */
        return;
    }
    switch (w->calm ? 10 : dice(11)) {
    case 0:
        c->end = XSALE_AMBIGUOUS;
        return;
    case 1:
        c->end = XSALE_LATER;
        return;
    case 2:
        c->end = XSALE_REFUSED;
        return;
    case 3:
        c->end = XSALE_GONE; /* though the order is there */
        c->web_page = w->gateway;
        return;
    case 4:
    case 5:
        c->end = XSALE_AMBIGUOUS; /* it worked, and nobody was told */
        break;
    default:
        break;
    }
    put_works(c);
}

static void answer(struct proc *p, struct xsale_call *c)
{
    char body[64];
    serve(c);
    c->used = false;
    struct xsale_reply reply = {.end = c->end, .status = 200, .web_page = c->web_page, .body = body, .words = "as the history wants it"};
    reply.body_n = (size_t)snprintf(body, sizeof body, "{\"Id\":%" PRId64 ",\"StatusId\":%" PRId64 "}", c->order, c->found);
    if (c->status == 0 && c->end == XSALE_OK)
        p->looked[order_of(c->order)] = (int)c->found;
    c->done(c->arg, &reply);
}

/* What is under way at xSale when nobody waits for it any more happens now or never. */
void xsale_cancel(struct xsale_call *c)
{
    if (c == NULL)
        return;
    if (c->status != 0 && !c->served && !c->waits && dice(2) == 0)
        put_works(c);
    c->used = false;
}

enum rc order_encoder_peek(const struct order_encoder *enc, const struct json_tape *t, uint32_t order, struct order_facts *facts, struct err *e)
{
    (void)enc, (void)order, (void)e;
    long long id = 0, status = 0;
    assert_int_equal(sscanf(t->text, "{\"Id\":%lld,\"StatusId\":%lld}", &id, &status), 2);
    facts->has_id = facts->has_status = true;
    facts->order_id = id;
    facts->status_id = status;
    return RC_OK;
}

#endif
