#include "common/kafka/publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/kafka/kafka_handle.h"

enum {
    HEADERS_MAX = 64,
    SENDS_A_TURN = 2000,
    RECALL_WAITS_MS = 5000, /* then what was not reported counts as not acknowledged */
    FULL_WAITS_MS = 50
};

/* RUNNING: records go to librdkafka as they come. RECALLING: what it holds was called back, its reports are awaited.
 * RESTING: no handle; a timer makes the next one. */
enum phase { RUNNING, RECALLING, RESTING };

struct topic {
    struct topic *next;
    rd_kafka_topic_t *rkt; /* of the present handle, or NULL */
    char name[250];
};

struct item {
    struct item *next, *prev;
    struct topic *topic;
    publisher_done_fn *done;
    void *arg;
    size_t size;
    bool out;     /* librdkafka borrows it */
    bool suspect; /* its batch got a verdict: goes alone */
    int32_t partition;
    const void *key, *value; /* behind the item, or NULL */
    size_t key_n, value_n;
    size_t headers_n;
    struct kafka_header *headers; /* right behind the item */
    char words[200];              /* verdict, on the doomed list */
};

struct publisher {
    struct loop *loop;
    const struct config *config;
    struct log *log;
    struct health *health;
    struct kafka_handle *handle;
    struct topic *topics;
    struct item waiting;   /* ring of what was taken, oldest first; those that are out come before next */
    struct item *next;     /* the first that is not out; &waiting: none */
    struct item doomed;    /* refused by librdkafka itself: done is called from a timer */
    size_t count, bytes, out;
    size_t max_count, max_bytes, max_record;
    bool out_suspect;
    enum phase phase;
    struct backoff backoff;
    struct loop_timer timer;  /* of the phase */
    struct loop_timer pumping, dooming, rooming;
    loop_fn *room;
    void *room_arg;
    bool room_wanted;
    unsigned rebuilds;
};

static void pump(void *arg);
static void rest(struct publisher *p);

static void ring_init(struct item *ring)
{
    ring->next = ring->prev = ring;
}

static void ring_put(struct item *ring, struct item *it)
{
    it->next = ring;
    it->prev = ring->prev;
    ring->prev->next = it;
    ring->prev = it;
}

static void ring_take(struct item *it)
{
    it->prev->next = it->next;
    it->next->prev = it->prev;
}

static void ring_free(struct item *ring)
{
    while (ring->next != ring) {
        struct item *it = ring->next;
        ring_take(it);
        free(it);
    }
}

static struct topic *topic_find(struct publisher *p, const char *name)
{
    for (struct topic *t = p->topics; t != NULL; t = t->next)
        if (strcmp(t->name, name) == 0)
            return t;
    struct topic *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    t->next = p->topics;
    p->topics = t;
    return t;
}

/* Also asks for the topic's leaders. NULL: librdkafka refuses the name. */
static rd_kafka_topic_t *topic_rkt(struct publisher *p, struct topic *t)
{
    if (t->rkt == NULL && p->handle != NULL)
        t->rkt = rd_kafka_topic_new(kafka_handle_rk(p->handle), t->name, NULL);
    return t->rkt;
}

static void drop_handle(struct publisher *p)
{
    for (struct topic *t = p->topics; t != NULL; t = t->next) {
        if (t->rkt != NULL)
            rd_kafka_topic_destroy(t->rkt);
        t->rkt = NULL;
    }
    kafka_handle_close(p->handle);
    p->handle = NULL;
}

static bool has_room(const struct publisher *p, size_t size)
{
    return p->count == 0 || (p->count < p->max_count && p->bytes + size <= p->max_bytes);
}

static void call_room(void *arg)
{
    struct publisher *p = arg;
    if (!p->room_wanted)
        return;
    p->room_wanted = false;
    if (p->room != NULL)
        p->room(p->room_arg);
}

/* Takes the item out of the books, tells its sender and frees it. */
static void finish(struct publisher *p, struct item *it, const struct publisher_ack *ack)
{
    ring_take(it);
    p->count--;
    p->bytes -= it->size;
    if (p->room_wanted && !p->rooming.armed && p->count <= p->max_count * 3 / 4 && p->bytes <= p->max_bytes * 3 / 4)
        loop_timer_in(p->loop, &p->rooming, 0, call_room, p);
    it->done(it->arg, ack);
    free(it);
}

/* Everything back: the reports of what librdkafka still holds come as purged, then the handle is replaced. */
static void recall_timed_out(void *arg)
{
    rest(arg);
}

static void recall(struct publisher *p, const char *why)
{
    if (p->phase != RUNNING)
        return;
    p->phase = RECALLING;
    log_event(p->log, LOG_WARN, "publisher", NULL, "records are sent again by a new producer", LOG_S("why", why),
              LOG_I("records", p->count));
    kafka_handle_trouble(p->handle, why, "sends again in order with a new producer");
    rd_kafka_resp_err_t err = rd_kafka_purge(kafka_handle_rk(p->handle),
                                             RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log_event(p->log, LOG_WARN, "publisher", NULL, "purge failed", LOG_S("why", rd_kafka_err2str(err)));
    loop_timer_in(p->loop, &p->timer, p->out == 0 ? 0 : RECALL_WAITS_MS, recall_timed_out, p);
}

static bool is_verdict(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        return true;
    default:
        return false;
    }
}

/* A verdict on the only record under way makes the idempotent producer fatal in some versions: then that says why. */
static rd_kafka_resp_err_t report_error(struct publisher *p, const rd_kafka_message_t *m, const struct item *it)
{
    char text[8];
    if (m->err != RD_KAFKA_RESP_ERR__FATAL || !it->suspect)
        return m->err;
    return rd_kafka_fatal_error(kafka_handle_rk(p->handle), text, sizeof text);
}

static void report(struct publisher *p, const rd_kafka_message_t *m)
{
    struct item *it = m->_private;
    rd_kafka_resp_err_t err = report_error(p, m, it);
    bool alone = it->suspect;
    struct publisher_ack ack = {RC_OK, m->partition, m->offset, ""};
    p->out--;
    it->out = false;
    if (it->suspect)
        p->out_suspect = false;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        backoff_reset(&p->backoff);
        if (p->phase == RUNNING)
            kafka_handle_well(p->handle);
        finish(p, it, &ack);
        return;
    }
    if (is_verdict(err) && alone) {
        ack = (struct publisher_ack){RC_REJECT, m->partition, -1, rd_kafka_err2str(err)};
        if (m->err == RD_KAFKA_RESP_ERR__FATAL)
            recall(p, ack.words);
        finish(p, it, &ack);
        return;
    }
    char why[400];
    (void)snprintf(why, sizeof why, "topic %s: %s", it->topic->name, rd_kafka_err2str(err));
    if (is_verdict(err))
        it->suspect = true;
    recall(p, why);
}

static void on_reports(struct publisher *p, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *m;
    while ((m = rd_kafka_event_message_next(event)) != NULL)
        report(p, m);
    if (p->phase == RECALLING && p->out == 0)
        rest(p);
    else
        pump(p);
}

static void on_event(void *arg, rd_kafka_event_t *event)
{
    struct publisher *p = arg;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
        on_reports(p, event);
        return;
    }
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR)
        return;
    (void)kafka_conf_event(p->log, event);
    if (rd_kafka_event_error_is_fatal(event) != 0)
        recall(p, rd_kafka_event_error_string(event));
}

static enum rc open_handle(struct publisher *p, struct err *e)
{
    struct kafka_handle_desc d = {
        .loop = p->loop,
        .log = p->log,
        .health = p->health,
        .dependency = "kafka-publish",
        .role = KAFKA_PRODUCE,
        .troubled = p->rebuilds > 0,
        .event = on_event,
        .arg = p,
    };
    return kafka_handle_create(&d, p->config, &p->handle, e);
}

static void restart(void *arg)
{
    struct publisher *p = arg;
    struct err e = {""};
    if (open_handle(p, &e) != RC_OK) { /* memory: it worked with this configuration before */
        log_event(p->log, LOG_ERROR, "publisher", NULL, "no new producer", LOG_S("why", e.text));
        loop_timer_in(p->loop, &p->timer, backoff_next(&p->backoff), restart, p);
        return;
    }
    p->phase = RUNNING;
    p->next = p->waiting.next;
    pump(p);
}

/* The handle is given up; nothing is out any more. */
static void rest(struct publisher *p)
{
    drop_handle(p);
    for (struct item *it = p->waiting.next; it != &p->waiting; it = it->next)
        it->out = false;
    p->out = 0;
    p->out_suspect = false;
    p->phase = RESTING;
    p->rebuilds++;
    loop_timer_in(p->loop, &p->timer, backoff_next(&p->backoff), restart, p);
}

static void call_doomed(void *arg)
{
    struct publisher *p = arg;
    while (p->doomed.next != &p->doomed) {
        struct item *it = p->doomed.next;
        finish(p, it, &(struct publisher_ack){RC_REJECT, it->partition, -1, it->words});
    }
}

/* librdkafka itself refuses this very record. */
static void doom(struct publisher *p, struct item *it, const char *why)
{
    ring_take(it);
    ring_put(&p->doomed, it);
    (void)snprintf(it->words, sizeof it->words, "%s", why);
    loop_timer_in(p->loop, &p->dooming, 0, call_doomed, p);
}

/* NULL: it cannot carry them. */
static rd_kafka_headers_t *headers_of(const struct item *it)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(it->headers_n);
    for (size_t i = 0; h != NULL && i < it->headers_n; i++) {
        if (rd_kafka_header_add(h, it->headers[i].name, -1, it->headers[i].value, (ssize_t)it->headers[i].n) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(h);
            h = NULL;
        }
    }
    return h;
}

/* The headers go as one list of ours: librdkafka frees those that it made of single ones twice when it refuses the record (its issue 4627, open in 2.13). */
static rd_kafka_error_t *produce(struct publisher *p, struct item *it, rd_kafka_topic_t *rkt)
{
    rd_kafka_vu_t v[7];
    size_t n = 0;
    rd_kafka_headers_t *headers = headers_of(it);
    if (headers == NULL)
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__INVALID_ARG, "no headers can be made");
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = rkt};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = it->partition < 0 ? RD_KAFKA_PARTITION_UA : it->partition};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0}; /* borrows the value until its report */
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)it->key, it->key_n}};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)it->value, it->value_n}};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = it};
    v[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    rd_kafka_error_t *error = rd_kafka_produceva(kafka_handle_rk(p->handle), v, n);
    if (error != NULL)
        rd_kafka_headers_destroy(headers);
    return error;
}

/* true: go on with the next one. */
static bool send_next(struct publisher *p)
{
    struct item *it = p->next;
    rd_kafka_topic_t *rkt = topic_rkt(p, it->topic);
    if (rkt == NULL) {
        recall(p, "a topic's name is refused");
        return false;
    }
    rd_kafka_error_t *error = produce(p, it, rkt);
    if (error == NULL) {
        p->next = it->next;
        p->out++;
        it->out = true;
        p->out_suspect = it->suspect;
        return true;
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        loop_timer_in(p->loop, &p->pumping, FULL_WAITS_MS, pump, p);
    } else if (is_verdict(code)) {
        p->next = it->next;
        doom(p, it, rd_kafka_error_string(error));
    } else {
        recall(p, rd_kafka_error_string(error));
    }
    rd_kafka_error_destroy(error);
    return is_verdict(code);
}

static void pump(void *arg)
{
    struct publisher *p = arg;
    for (int n = 0; p->phase == RUNNING && p->next != &p->waiting; n++) {
        if (p->out_suspect || (p->next->suspect && p->out > 0))
            return; /* a report comes and pumps */
        if (n == SENDS_A_TURN) {
            loop_timer_in(p->loop, &p->pumping, 0, pump, p);
            return;
        }
        if (!send_next(p))
            return;
    }
}

static size_t record_size(const struct kafka_record *r)
{
    size_t n = r->key_n + r->value_n;
    for (size_t i = 0; i < r->headers_n; i++)
        n += strlen(r->headers[i].name) + 1 + r->headers[i].n;
    return n;
}

static const void *copy(unsigned char **at, const void *p, size_t n)
{
    unsigned char *to = *at;
    if (p == NULL)
        return NULL;
    if (n > 0)
        memcpy(to, p, n);
    *at += n;
    return to;
}

static struct item *item_create(const struct kafka_record *r, size_t size)
{
    size_t table = r->headers_n * sizeof(struct kafka_header);
    struct item *it = malloc(sizeof *it + table + size + 1); /* + 1: an empty value still has an address inside */
    if (it == NULL)
        return NULL;
    *it = (struct item){.next = NULL};
    unsigned char *at = (unsigned char *)(it + 1) + table;
    it->size = sizeof *it + table + size + 1;
    it->partition = r->partition;
    it->key = copy(&at, r->key, r->key_n);
    it->key_n = r->key == NULL ? 0 : r->key_n;
    it->value = copy(&at, r->value, r->value_n);
    it->value_n = r->value == NULL ? 0 : r->value_n;
    it->headers_n = r->headers_n;
    it->headers = (struct kafka_header *)(void *)(it + 1);
    for (size_t i = 0; i < r->headers_n; i++) {
        const struct kafka_header *from = &r->headers[i];
        it->headers[i].name = copy(&at, from->name, strlen(from->name) + 1);
        it->headers[i].value = copy(&at, from->value, from->n);
        it->headers[i].n = from->n;
    }
    return it;
}

enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e)
{
    if (r->headers_n > HEADERS_MAX) {
        err_set(e, "record for %s: %zu headers, at most %d", r->topic, r->headers_n, HEADERS_MAX);
        return RC_REJECT;
    }
    size_t size = record_size(r);
    if (size > p->max_record) {
        err_set(e, "record for %s: %zu bytes, message.max.bytes allows %zu", r->topic, size, p->max_record);
        return RC_REJECT;
    }
    if (!has_room(p, sizeof(struct item) + size)) {
        p->room_wanted = true;
        err_set(e, "%zu records (%zu bytes) wait for the broker", p->count, p->bytes);
        return RC_RETRY;
    }
    struct topic *t = topic_find(p, r->topic);
    struct item *it = t == NULL ? NULL : item_create(r, size);
    if (it == NULL) {
        err_set(e, "record for %s: out of memory", r->topic);
        return RC_FATAL;
    }
    it->topic = t;
    it->done = done;
    it->arg = arg;
    ring_put(&p->waiting, it);
    if (p->next == &p->waiting)
        p->next = it;
    p->count++;
    p->bytes += it->size;
    pump(p);
    return RC_OK;
}

static size_t max_record(rd_kafka_t *rk)
{
    char text[32] = "";
    size_t n = sizeof text;
    if (rd_kafka_conf_get(rd_kafka_conf(rk), "message.max.bytes", text, &n) != RD_KAFKA_CONF_OK)
        return 1000000;
    long long bytes = strtoll(text, NULL, 10);
    return bytes > 0 ? (size_t)bytes : 1000000;
}

enum rc publisher_create(struct loop *l, const struct config *c, struct log *log, struct health *h, struct publisher **out,
                         struct err *e)
{
    struct publisher *p = calloc(1, sizeof *p);
    if (p == NULL) {
        err_set(e, "publisher: out of memory");
        return RC_FATAL;
    }
    p->loop = l;
    p->config = c;
    p->log = log;
    p->health = h;
    p->max_count = (size_t)config_int(c, "publisher.queue_records");
    p->max_bytes = (size_t)config_int(c, "publisher.queue_bytes");
    ring_init(&p->waiting);
    ring_init(&p->doomed);
    p->next = &p->waiting;
    backoff_init(&p->backoff, 100, 30000, (uint64_t)clock_wall(loop_clock(l)) ^ (uint64_t)(uintptr_t)p);
    enum rc rc = open_handle(p, e);
    if (rc != RC_OK) {
        free(p);
        return rc;
    }
    p->max_record = max_record(kafka_handle_rk(p->handle));
    *out = p;
    return RC_OK;
}

static void ring_move(struct item *to, struct item *from)
{
    while (from->next != from) {
        struct item *it = from->next;
        ring_take(it);
        ring_put(to, it);
    }
}

/* A purge would leave what is under way to librdkafka, which sends it again when the broker is back: only the end of the handle ends that. */
void publisher_drop_waiting(struct publisher *p)
{
    static const struct publisher_ack dropped = {RC_RETRY, -1, -1, "given up: another may have the right to publish now"};
    struct item given_up;
    if (p->count == 0)
        return;
    log_event(p->log, LOG_WARN, "publisher", NULL, "records that are not acknowledged are given up", LOG_I("records", p->count));
    drop_handle(p); /* first: it borrows from the items */
    ring_init(&given_up);
    ring_move(&given_up, &p->doomed);
    ring_move(&given_up, &p->waiting);
    p->next = &p->waiting;
    p->out = 0;
    p->out_suspect = false;
    p->phase = RESTING;
    loop_timer_clear(p->loop, &p->pumping);
    loop_timer_clear(p->loop, &p->dooming);
    loop_timer_in(p->loop, &p->timer, 0, restart, p);
    while (given_up.next != &given_up)
        finish(p, given_up.next, &dropped);
}

void publisher_destroy(struct publisher *p)
{
    if (p == NULL)
        return;
    loop_timer_clear(p->loop, &p->timer);
    loop_timer_clear(p->loop, &p->pumping);
    loop_timer_clear(p->loop, &p->dooming);
    loop_timer_clear(p->loop, &p->rooming);
    drop_handle(p); /* first: it borrows from the items */
    ring_free(&p->waiting);
    ring_free(&p->doomed);
    while (p->topics != NULL) {
        struct topic *t = p->topics;
        p->topics = t->next;
        free(t);
    }
    free(p);
}

void publisher_warm(struct publisher *p, const char *topic)
{
    struct topic *t = topic_find(p, topic);
    if (t != NULL)
        (void)topic_rkt(p, t);
}

void publisher_on_room(struct publisher *p, loop_fn *room, void *arg)
{
    p->room = room;
    p->room_arg = arg;
}

size_t publisher_waiting(const struct publisher *p)
{
    return p->count;
}

unsigned publisher_rebuilds(const struct publisher *p)
{
    return p->rebuilds;
}

void publisher_break(struct publisher *p)
{
    if (p->handle != NULL)
        (void)rd_kafka_test_fatal_error(kafka_handle_rk(p->handle), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "raised by a test");
}
