/* Keeps librdkafka's fetching going while its queue is drained.
 *
 * A broker's thread stops fetching when the queue holds queued.min.messages or queued.max.messages.kbytes, or while every partition is paused. From 2.2 on it looks
 * again after fetch.queue.backoff.ms; before, it sleeps until something arrives for it, a second at most, however long the queue has been empty. Any request
 * wakes it. So the leaders are asked for an offset, and nobody waits for the answer: each time that a quarter of the queue's limit was taken, and after a resume.
 * (Rejected: a queue that lasts a second, which takes 80 MB; asking for metadata, which goes to any broker instead of the one that sleeps.)
 * Thread rule: one owner. */
#ifndef BRIDGE_KAFKA_FETCH_NUDGE_H
#define BRIDGE_KAFKA_FETCH_NUDGE_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

struct fetch_nudge {
    int64_t records_each, bytes_each; /* a quarter of the limits; 0: never needed */
    int64_t records, bytes;           /* taken since the last one */
};

/* Reads the limits from the handle's configuration. */
void fetch_nudge_init(struct fetch_nudge *n, rd_kafka_t *rk);
/* A message was taken from the queue. true: fetch_nudge_send is due. */
bool fetch_nudge_due(struct fetch_nudge *n, const rd_kafka_message_t *m);
/* Wakes the threads of these partitions' leaders. list: all that is assigned; taken over. Never waits. */
void fetch_nudge_send(struct fetch_nudge *n, rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list);

#endif
