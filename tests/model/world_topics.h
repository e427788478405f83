/* What the parts of the world's Kafka share. */
#ifndef BRIDGE_MODEL_WORLD_TOPICS_H
#define BRIDGE_MODEL_WORLD_TOPICS_H

#include "tests/model/world.h"

enum { HEADERS = 12, TEXT = 64 };

struct stored {
    char key[TEXT];
    size_t key_n;
    unsigned char *value; /* NULL: a tombstone */
    size_t value_n;
    char names[HEADERS][TEXT], values[HEADERS][TEXT];
    size_t headers_n;
    int64_t ts;
    bool compacted; /* gone */
};

struct stored *stored_copy(const struct kafka_record *r);
void stored_free(struct stored *s);
int world_topic(const char *name); /* TOPIC_... of "xsale.orders" */
void world_append(int topic, struct stored *s); /* takes it */

void world_publisher_restart(void); /* nothing is in the air */
void world_publisher_reset(void);   /* and nothing is frozen */

#endif
