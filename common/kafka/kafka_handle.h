/* One librdkafka handle on the loop: its queue is drained by events (a bounded number a turn), its log lines go to our log, and one
 * dependency of /readyz says whether a broker can be reached. Counted, because a worker's job may still use the handle when its owner is gone.
 *
 * A broker is known to be gone when librdkafka says that all are, and to be there when work succeeds; an idle handle is asked once a second,
 * while it is not up, with a metadata request that waits 1 ms at most: it makes librdkafka connect and tells a usable broker from none.
 * A frozen broker keeps its connections: it is known by its silence (kafka_stats.h). So that one which has nothing to do is not taken for one, it is asked every
 * 10 s too. When it answers again the dependency is up again.
 * A member of a group that still waits to be let in after two reports of the statistics (5 s apart) is down until it is in: after a broker's restart its session of before
 * may have to end first. One that is in and has no partitions is up: there are more members than partitions.
 * A handle that gets no thread from the system is of no use for good: the process ends by SIGABRT, after a line in the log, to be started again.
 * Thread rule: the loop's thread; kafka_handle_rk's result may be used in a worker while a reference is held. */
#ifndef BRIDGE_KAFKA_KAFKA_HANDLE_H
#define BRIDGE_KAFKA_KAFKA_HANDLE_H

#include "common/kafka/kafka_conf.h"
#include "common/net/health.h"
#include "common/net/loop.h"

struct kafka_handle;

/* Every event except log lines and errors about the brokers' absence (statistics too, once they were read); the event is destroyed after the call. */
typedef void kafka_event_fn(void *arg, rd_kafka_event_t *event);

struct kafka_handle_desc {
    struct loop *loop;
    struct log *log;
    struct health *health;
    const char *dependency; /* literal: "kafka-publish", "kafka-group", ... */
    enum kafka_role role;
    const char *group_id;   /* KAFKA_GROUP */
    bool troubled;          /* takes over from a handle in trouble: the dependency stays as it is until kafka_handle_well */
    kafka_event_fn *event;
    void *arg;
};

/* Does not wait for a broker. RC_FATAL: configuration or memory. */
enum rc kafka_handle_create(const struct kafka_handle_desc *d, const struct config *c, struct kafka_handle **out, struct err *e);
/* The owner goes: no event follows, also when called from inside one. The handle ends with its last reference; NULL is a no-op. */
void kafka_handle_close(struct kafka_handle *h);
/* The program ends and its broker does not answer: the handle is left as it is, since librdkafka would wait for that answer (seen with 2.13 and group.protocol=consumer).
 * kafka_handle_close still has to be called. */
void kafka_handle_abandon(struct kafka_handle *h);
void kafka_handle_ref(struct kafka_handle *h);
void kafka_handle_unref(struct kafka_handle *h);

rd_kafka_t *kafka_handle_rk(struct kafka_handle *h);
rd_kafka_queue_t *kafka_handle_queue(struct kafka_handle *h);
/* From here on events come from this queue (of the same handle; taken over). */
void kafka_handle_move(struct kafka_handle *h, rd_kafka_queue_t *queue);

/* Work succeeded: the dependency is up and earlier trouble over. */
void kafka_handle_well(struct kafka_handle *h);
/* Trouble that a reachable broker does not mend (a missing topic, no permission): stays until kafka_handle_well. */
void kafka_handle_trouble(struct kafka_handle *h, const char *why, const char *doing);
/* Such trouble, and doing ("fetches it again") comes in in_ms. */
void kafka_handle_retry(struct kafka_handle *h, const char *why, const char *doing, int64_t in_ms);

#endif
