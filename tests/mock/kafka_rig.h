/* What a test of a Kafka part needs: a mock cluster (or another broker), a loop with its worker, and a configuration that points there.
 * Failures end the test through cmocka. */
#ifndef BRIDGE_TESTS_KAFKA_RIG_H
#define BRIDGE_TESTS_KAFKA_RIG_H

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "common/net/worker.h"
#include "tests/mock/mock_cluster.h"

struct kafka_rig {
    struct mock_cluster *mock;
    struct loop *loop;
    struct worker *worker;
    struct config *config;
    struct log *log;
};

enum { RIG_SETTINGS_MAX = 16 };

/* topics: "a:6,b:1" made in the mock. settings: further "section.key=value", NULL-terminated, or NULL. */
void kafka_rig_open(struct kafka_rig *r, const char *topics, const char *const *settings);
void kafka_rig_close(struct kafka_rig *r);
/* Only the configuration; for tests without a broker. */
struct config *kafka_rig_config(const char *servers, const char *const *settings);

/* Turns the loop until *value >= wanted; fails after ms. */
void kafka_rig_until(struct kafka_rig *r, const int *value, int wanted, int ms);
/* Turns the loop this long. */
void kafka_rig_for(struct kafka_rig *r, int ms);

#endif
