/* Where partitions begin and end, asked of their leaders: all of them with one request a leader.
 *
 * Not by rd_kafka_query_watermark_offsets: once its request is sent it waits for the request's own time-out (socket.timeout.ms, a minute), whatever time-out it was
 * given, so a frozen broker would hold a stop for that long. Thread rule: blocks; any thread, usually the worker. */
#ifndef BRIDGE_KAFKA_OFFSET_QUERY_H
#define BRIDGE_KAFKA_OFFSET_QUERY_H

#include <librdkafka/rdkafka.h>

/* what: RD_KAFKA_OFFSET_BEGINNING or RD_KAFKA_OFFSET_END, written to each of list's offsets before the question and replaced by the answer. An error, also a single
 * partition's, leaves no offset to be used. *failed: index of the partition concerned, -1: all. */
rd_kafka_resp_err_t offset_query(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int64_t what, int wait_ms, int *failed);

#endif
