/* The publisher, with its records in the air until the broker takes them and, later, until the producer hears of it. Idempotence is the broker's: what is stored of a
 * topic is stored in order, and once. */
#include <string.h>

#include "common/kafka/publisher.h"
#include "tests/model/world_topics.h"

enum { FLIGHTS = 64, ROOM = 6 };

static struct flight {
    int topic;
    struct stored *record; /* owned until it is stored */
    bool done;             /* stored */
    publisher_done_fn *fn;
    void *arg;
} air[FLIGHTS]; /* air_n, oldest first */
static size_t air_n, room;
static bool wants_room;
static struct stored *frozen; /* the record of a replica that was stopped */

struct publisher *world_publisher(void)
{
    return (struct publisher *)air; /* never looked into */
}

enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e)
{
    (void)p;
    (void)e;
    if (air_n >= room) {
        wants_room = true;
        return RC_RETRY;
    }
    air[air_n++] = (struct flight){.topic = world_topic(r->topic), .record = stored_copy(r), .fn = done, .arg = arg};
    return RC_OK;
}

static struct flight take(size_t i)
{
    struct flight f = air[i];
    memmove(&air[i], &air[i + 1], (--air_n - i) * sizeof f);
    return f;
}

/* The oldest flight of a random topic that is stored, or not. FLIGHTS: none. */
static size_t pick(bool done)
{
    size_t topic = dice(TOPIC_COUNT);
    for (size_t n = 0; n < TOPIC_COUNT; n++, topic = (topic + 1) % TOPIC_COUNT)
        for (size_t i = 0; i < air_n; i++)
            if (air[i].topic == (int)topic && air[i].done == done)
                return i;
    return FLIGHTS;
}

bool world_publisher_store(void)
{
    size_t i = the->broker_down ? FLIGHTS : pick(false);
    if (i == FLIGHTS)
        return false;
    struct stored *s = air[i].record;
    air[i].record = NULL;
    air[i].done = true;
    world_append(air[i].topic, s);
    return true;
}

static void acknowledge(size_t i, enum rc rc)
{
    struct flight f = take(i);
    stored_free(f.record);
    f.fn(f.arg, &(struct publisher_ack){rc, 0, 0, ""});
}

bool world_publisher_acknowledge(void)
{
    size_t i = pick(true);
    if (i == FLIGHTS)
        return false;
    acknowledge(i, RC_OK);
    room = 1 + dice(ROOM);
    if (wants_room && air_n < room && the->tenure != NULL) {
        wants_room = false;
        tenure_room(the->tenure);
    }
    return true;
}

void publisher_drop_waiting(struct publisher *p)
{
    (void)p;
    for (size_t n = dice(air_n + 1); n > 0; n--)
        (void)world_publisher_store();
    size_t n = air_n;
    while (n-- > 0)
        acknowledge(0, RC_RETRY);
}

void world_publisher_crash(bool freeze)
{
    for (size_t i = 0; i < air_n && freeze && frozen == NULL; i++)
        if (air[i].topic == TOPIC_ORDERS && !air[i].done) {
            frozen = air[i].record;
            air[i].record = NULL;
            air[i].done = true; /* never stored by this process */
        }
}

void world_publisher_wake(void)
{
    if (frozen == NULL)
        return;
    the->woken = true;
    say("a stopped replica wakes up");
    world_append(TOPIC_ORDERS, frozen);
    frozen = NULL;
}

void world_publisher_restart(void)
{
    while (air_n > 0)
        stored_free(take(0).record);
    wants_room = false;
    room = 1 + dice(ROOM);
}

void world_publisher_reset(void)
{
    stored_free(frozen);
    frozen = NULL;
    world_publisher_restart();
}
