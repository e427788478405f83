/* One librdkafka mock cluster with one broker on a random port of 127.0.0.1. It keeps nothing across a restart, forgets the oldest
 * records past 5 MiB a partition and answers no admin requests and no look-up by time.
 * Thread rule: one owner; the cluster itself runs in librdkafka's threads. */
#ifndef BRIDGE_TESTS_MOCK_CLUSTER_H
#define BRIDGE_TESTS_MOCK_CLUSTER_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>

struct mock_cluster;

/* NULL: no cluster; text: n bytes for the reason. */
struct mock_cluster *mock_cluster_create(char *text, size_t n);
void mock_cluster_destroy(struct mock_cluster *m);

const char *mock_cluster_servers(const struct mock_cluster *m);
/* false: refused (it exists). Topics that are not made here get 4 partitions when a producer first asks for them. */
bool mock_cluster_topic(struct mock_cluster *m, const char *name, int partitions);
/* Connections are cut and refused until up. */
bool mock_cluster_down(struct mock_cluster *m);
bool mock_cluster_up(struct mock_cluster *m);
/* Every answer waits this long. */
bool mock_cluster_rtt(struct mock_cluster *m, int ms);
/* The next n (1..16) requests of this kind (Kafka's ApiKey) are answered with err. */
bool mock_cluster_errors(struct mock_cluster *m, int api_key, rd_kafka_resp_err_t err, int n);

#endif
