/* A record on its way to or from a topic. Plain borrowed views. */
#ifndef BRIDGE_KAFKA_KAFKA_RECORD_H
#define BRIDGE_KAFKA_KAFKA_RECORD_H

#include <stddef.h>
#include <stdint.h>

struct kafka_header {
    const char *name;
    const void *value; /* n bytes */
    size_t n;
};

struct kafka_record {
    const char *topic;
    int32_t partition; /* -1: by key (murmur2_random) */
    int64_t offset;    /* read records only */
    int64_t timestamp; /* ms; read records only (-1: none) */
    const void *key;   /* key_n bytes; NULL: none */
    size_t key_n;
    const void *value; /* value_n bytes; NULL: tombstone */
    size_t value_n;
    const struct kafka_header *headers; /* headers_n */
    size_t headers_n;
};

/* The last header of that name; NULL: none. */
const struct kafka_header *kafka_record_header(const struct kafka_record *r, const char *name);

#endif
