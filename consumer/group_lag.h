/* How far the bridge's consumer groups are behind, in records: committed offsets beside the topics' ends, asked from Kafka without reading a record. Blocks in the
 * worker only; one question at a time. Thread rule: the loop's thread. */
#ifndef BRIDGE_CONSUMER_GROUP_LAG_H
#define BRIDGE_CONSUMER_GROUP_LAG_H

#include "common/program/program.h"

enum { GROUP_LAGS_MAX = 32 };

struct group_lag {
    char group[256];
    char topic[250];
    int64_t records;  /* behind; -1: it has committed nothing yet */
    int64_t members;  /* -1: the broker does not tell (an embedded one) */
};

struct group_lags;

/* lags: n, borrowed during the call, sorted by group; words: "" or what could not be asked. */
typedef void group_lags_fn(void *arg, const struct group_lag *lags, size_t n, const char *words);

/* RC_FATAL: configuration or memory. */
enum rc group_lags_create(struct program *p, group_lags_fn *told, void *arg, struct group_lags **out, struct err *e);
void group_lags_destroy(struct group_lags *g); /* NULL is a no-op */
/* Asks for the groups that begin with <prefix>-erp- (behind in orders) and <prefix>-updater- (behind in order-outcomes), as the broker lists them, and for those that are
 * named: n names of groups on orders. While a question is open: nothing happens. */
void group_lags_ask(struct group_lags *g, const char *const *names, size_t n);

#endif
