#include "common/kafka/kafka_handle.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/kafka/broker_trouble.h"
#include "common/kafka/kafka_new.h"
#include "common/kafka/kafka_stats.h"

enum { JOINING_REPORTS = 2, PROBE_EVERY_MS = 1000, PROBE_WAITS_MS = 1, POKE_EVERY_MS = 10000 };
enum { EVENTS_A_TURN = 50 }; /* with orders a millisecond of work, which the ERP's answers wait for */

struct kafka_handle {
    struct kafka_handle_desc d; /* group_id is not kept */
    const struct config *config;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int fd;
    int refs;
    struct loop_watch watch;
    struct loop_timer probe, poke;
    bool open;
    bool up;
    bool troubled;
    bool silent; /* a broker owes an answer for too long */
    int joining; /* reports of the statistics that found it waiting for its group, up to JOINING_REPORTS: then it counts as down */
    bool abandoned;
    bool blamed; /* why it is down was said by a broker's connection */
    bool unauthenticated; /* the password was refused */
    char said[250]; /* by a broker's connection that failed last, since it was up; "": nothing */
    atomic_int x509_error; /* what was wrong with the last certificate that was refused; set by a broker's thread */
};

static void probe(void *arg);

static void set_up(struct kafka_handle *h)
{
    if (h->up)
        return;
    h->up = true;
    h->blamed = h->unauthenticated = false;
    h->said[0] = '\0';
    health_set(h->d.health, h->d.dependency, HEALTH_UP, NULL, NULL);
}

static void note_down(struct kafka_handle *h)
{
    h->up = false;
    if (!h->probe.armed)
        loop_timer_in(h->d.loop, &h->probe, PROBE_EVERY_MS, probe, h);
}

static void set_down(struct kafka_handle *h, const char *why, const char *doing)
{
    health_set(h->d.health, h->d.dependency, HEALTH_DOWN, why, doing);
    note_down(h);
}

/* Asks any usable broker something, and waits for no answer to speak of. */
static rd_kafka_resp_err_t ask(struct kafka_handle *h)
{
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(h->rk, 0, NULL, &found, PROBE_WAITS_MS);
    if (found != NULL)
        rd_kafka_metadata_destroy(found);
    return err;
}

/* What the answer is does not matter: that one is owed lets the statistics see silence. */
static void poke(void *arg)
{
    struct kafka_handle *h = arg;
    (void)ask(h);
    loop_timer_in(h->d.loop, &h->poke, POKE_EVERY_MS, poke, h);
}

static bool outside(const struct kafka_handle *h)
{
    return h->joining == JOINING_REPORTS;
}

static void probe(void *arg)
{
    struct kafka_handle *h = arg;
    if (h->unauthenticated)
        kafka_conf_credentials(h->config, h->d.role, h->rk);
    if (h->up || h->troubled || h->silent || outside(h)) /* trouble ends by work that succeeds, silence by an answer */
        return;
    rd_kafka_resp_err_t err = ask(h);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR__TIMED_OUT) { /* asked somebody */
        set_up(h);
        return;
    }
    loop_timer_in(h->d.loop, &h->probe, PROBE_EVERY_MS, probe, h);
}

void kafka_handle_well(struct kafka_handle *h)
{
    h->troubled = false;
    h->joining = 0;
    if (h->silent) /* what comes now may have been fetched before */
        return;
    set_up(h);
}

/* librdkafka answers a question in vain with "transport failure" or "timed out"; what lies behind it a connection has said. */
static const char *with_cause(const struct kafka_handle *h, const char *why, char *room, size_t n)
{
    if (h->said[0] == '\0' || (strstr(why, "transport failure") == NULL && strstr(why, "Timed out") == NULL))
        return why;
    (void)snprintf(room, n, "%s: %s", why, h->said); /* cut is fine */
    return room;
}

void kafka_handle_trouble(struct kafka_handle *h, const char *why, const char *doing)
{
    char room[512];
    h->troubled = true;
    set_down(h, with_cause(h, why, room, sizeof room), doing);
}

void kafka_handle_retry(struct kafka_handle *h, const char *why, const char *doing, int64_t in_ms)
{
    char room[512];
    h->troubled = true;
    health_retry(h->d.health, h->d.dependency, with_cause(h, why, room, sizeof room), doing, in_ms);
    note_down(h);
}

static void on_joining(struct kafka_handle *h, bool joining)
{
    bool was = outside(h);
    h->joining = !joining ? 0 : was ? h->joining : h->joining + 1;
    if (outside(h) && !was && !h->troubled && !h->silent && (h->up || h->said[0] == '\0')) /* a connection's own trouble says more */
        set_down(h, "not let into the group yet: another member gives its partitions up, or a session of before has to end first", "waits for its turn; it has no partitions");
    else if (was && !joining && !h->up)
        note_down(h); /* the wait ended by the group or by a broker that is gone: the probe tells which */
}

static void on_stats(struct kafka_handle *h, rd_kafka_event_t *event)
{
    struct kafka_vitals v;
    char words[200];
    const char *json = rd_kafka_event_stats(event);
    if (json == NULL || kafka_stats_take(json, strlen(json), h->d.dependency, health_metrics(h->d.health), &v) != RC_OK)
        return;
    if (v.silent[0] != '\0') {
        h->silent = true;
        (void)snprintf(words, sizeof words, "%s is connected and has not answered for %lld s", v.silent, (long long)(v.silent_ms / 1000));
        set_down(h, words, "waits for its answer and connects again");
    } else if (h->silent && v.answers) {
        h->silent = false;
        if (!h->troubled && !outside(h))
            set_up(h);
    }
    on_joining(h, v.joining);
}

/* A broker's connection has failed. That all are down follows from what each one said. */
static void on_failure(struct kafka_handle *h, rd_kafka_resp_err_t err, const char *words)
{
    char why[512];
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && h->blamed && !h->up)
        return;
    if (err == RD_KAFKA_RESP_ERR__TRANSPORT && h->up) /* one broker of several may go */
        return;
    struct broker_trouble t = broker_trouble_find(words, err == RD_KAFKA_RESP_ERR__SSL ? atomic_exchange(&h->x509_error, 0) : 0);
    (void)snprintf(why, sizeof why, "%s%s", t.why, words); /* cut is fine */
    if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        (void)snprintf(h->said, sizeof h->said, "%.249s", why);
    set_down(h, why, t.doing);
    h->blamed = err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    h->unauthenticated = err == RD_KAFKA_RESP_ERR__AUTHENTICATION;
}

/* Newer versions of librdkafka tell of a broker that hangs up at the first question in a log line alone. */
static void on_log(struct kafka_handle *h, rd_kafka_event_t *event)
{
    const char *facility = NULL, *text = NULL;
    int level = 0;
    if (h->up || rd_kafka_event_log(event, &facility, &text, &level) != 0 || strcmp(facility, "FAIL") != 0 || strstr(text, "in state APIVERSION_QUERY") == NULL)
        return;
    const char *words = strstr(text, "]: "); /* behind the thread's name */
    on_failure(h, RD_KAFKA_RESP_ERR__TRANSPORT, words != NULL ? words + 3 : text);
}

/* librdkafka logs that it got no thread for a broker and does without: a client whose first one it was has no broker from then on, and never looks for one again. Where it can do without
 * even less it aborts the process itself. */
static void end_without_thread(const struct kafka_handle *h, const char *words)
{
    log_fact(h->d.log, LOG_ERROR, "kafka", NULL, "cannot go on without a thread for a broker", LOG_S("dependency", h->d.dependency), LOG_S("why", words));
    abort();
}

/* true: dealt with here. */
static bool own_event(struct kafka_handle *h, rd_kafka_event_t *event)
{
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_LOG) {
        on_log(h, event);
        return kafka_conf_event(h->d.log, event);
    }
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_STATS)
        on_stats(h, event);
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR)
        return false;
    switch (rd_kafka_event_error(event)) {
    case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
        end_without_thread(h, rd_kafka_event_error_string(event));
        return true;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
        on_failure(h, rd_kafka_event_error(event), rd_kafka_event_error_string(event));
        return kafka_conf_event(h->d.log, event);
    default:
        return false;
    }
}

/* In a broker's thread. OpenSSL's verdict stays as it is, only noted: librdkafka's words do not tell it. */
static int look_at_certificate(rd_kafka_t *rk, const char *name, int32_t id, int *x509_error, int depth, const char *der, size_t n, char *text, size_t room,
                               void *opaque)
{
    struct kafka_handle *h = opaque;
    (void)rk, (void)name, (void)id, (void)depth, (void)der, (void)n;
    if (*x509_error == 0)
        return 1;
    atomic_store(&h->x509_error, *x509_error);
    (void)snprintf(text, room, "%sX509 error %d", broker_trouble_find("", *x509_error).why, *x509_error);
    return 0;
}

static bool ready(void *arg)
{
    struct kafka_handle *h = arg;
    uint64_t count;
    bool more = false;
    if (read(h->fd, &count, sizeof count) < 0)
        count = 0; /* a glance: nothing was rung; the queue is looked at all the same */
    kafka_handle_ref(h);
    for (int n = 0; h->open; n++) {
        if (n == EVENTS_A_TURN) {
            more = true;
            break;
        }
        rd_kafka_event_t *event = rd_kafka_queue_poll(h->queue, 0);
        if (event == NULL)
            break;
        if (!own_event(h, event))
            h->d.event(h->d.arg, event);
        rd_kafka_event_destroy(event);
    }
    kafka_handle_unref(h);
    return more;
}

/* An eventfd takes exactly eight bytes; librdkafka writes them when its queue becomes non-empty. */
static void ring_from(struct kafka_handle *h, rd_kafka_queue_t *queue)
{
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, h->fd, &one, sizeof one);
}

static enum rc make_rk(struct kafka_handle *h, const struct config *c, const char *group_id, struct err *e)
{
    rd_kafka_conf_t *conf = NULL;
    char text[512] = "";
    enum rc rc = kafka_conf_create(c, h->d.role, group_id, &conf, e);
    if (rc != RC_OK)
        return rc;
    int events = RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS;
    if (h->d.role == KAFKA_PRODUCE)
        events |= RD_KAFKA_EVENT_DR;
    else
        events |= RD_KAFKA_EVENT_FETCH;
    if (h->d.role == KAFKA_GROUP)
        events |= RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT;
    rd_kafka_conf_set_events(conf, events);
    rd_kafka_conf_set_opaque(conf, h);
    (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, look_at_certificate); /* refused by a library without TLS */
    h->rk = kafka_new(h->d.role == KAFKA_PRODUCE ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (h->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        err_set(e, "kafka: %s", text);
        return RC_FATAL;
    }
    return RC_OK;
}

static enum rc make_queue(struct kafka_handle *h, struct err *e)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (h->d.role == KAFKA_GROUP || h->d.role == KAFKA_READ) {
        err = rd_kafka_poll_set_consumer(h->rk);
        h->queue = rd_kafka_queue_get_consumer(h->rk);
    } else {
        h->queue = rd_kafka_queue_get_main(h->rk);
    }
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        err = rd_kafka_set_log_queue(h->rk, NULL);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || h->queue == NULL) {
        err_set(e, "kafka: queue: %s", rd_kafka_err2str(err));
        return RC_FATAL;
    }
    return RC_OK;
}

enum rc kafka_handle_create(const struct kafka_handle_desc *d, const struct config *c, struct kafka_handle **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct kafka_handle *h = calloc(1, sizeof *h);
    if (h == NULL) {
        err_set(e, "kafka: out of memory");
        return RC_FATAL;
    }
    h->d = *d;
    h->d.group_id = NULL;
    h->config = c;
    h->refs = 1;
    if ((h->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
        err_set(e, "kafka: no event descriptor");
        goto out;
    }
    if ((rc = make_rk(h, c, d->group_id, e)) != RC_OK || (rc = make_queue(h, e)) != RC_OK)
        goto out;
    ring_from(h, h->queue);
    loop_watch_add(d->loop, &h->watch, h->fd, ready, h);
    h->open = true;
    h->troubled = d->troubled;
    if (!h->troubled)
        health_set(d->health, d->dependency, HEALTH_UNKNOWN, "not connected yet", "connects");
    loop_timer_in(d->loop, &h->probe, 0, probe, h);
    loop_timer_in(d->loop, &h->poke, POKE_EVERY_MS, poke, h);
    *out = h;
    h = NULL;
out:
    kafka_handle_unref(h);
    return rc;
}

void kafka_handle_close(struct kafka_handle *h)
{
    if (h == NULL)
        return;
    if (h->open) {
        h->open = false;
        loop_watch_remove(h->d.loop, &h->watch);
        loop_timer_clear(h->d.loop, &h->probe);
        loop_timer_clear(h->d.loop, &h->poke);
        rd_kafka_queue_io_event_enable(h->queue, -1, NULL, 0);
    }
    kafka_handle_unref(h);
}

void kafka_handle_move(struct kafka_handle *h, rd_kafka_queue_t *queue)
{
    rd_kafka_queue_io_event_enable(h->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(h->queue);
    h->queue = queue;
    ring_from(h, queue);
}

void kafka_handle_abandon(struct kafka_handle *h)
{
    h->abandoned = true;
}

void kafka_handle_ref(struct kafka_handle *h)
{
    h->refs++;
}

void kafka_handle_unref(struct kafka_handle *h)
{
    if (h == NULL || --h->refs > 0 || h->abandoned) /* its threads still look at it */
        return;
    if (h->queue != NULL)
        rd_kafka_queue_destroy(h->queue);
    if (h->rk != NULL) /* never waits for a broker: a group that should leave was closed before */
        rd_kafka_destroy_flags(h->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    if (h->fd >= 0)
        (void)close(h->fd);
    free(h);
}

rd_kafka_t *kafka_handle_rk(struct kafka_handle *h)
{
    return h->rk;
}

rd_kafka_queue_t *kafka_handle_queue(struct kafka_handle *h)
{
    return h->queue;
}
