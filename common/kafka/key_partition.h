/* The partition that every Kafka client with the partitioner murmur2_random (Java's own, and ours) gives a key. Source: Kafka's Utils.murmur2. Pure. */
#ifndef BRIDGE_KAFKA_KEY_PARTITION_H
#define BRIDGE_KAFKA_KEY_PARTITION_H

#include <stddef.h>
#include <stdint.h>

uint32_t key_murmur2(const void *key, size_t n);
/* partitions > 0 */
int32_t key_partition(const void *key, size_t n, int32_t partitions);

#endif
