/* How many files a process may have open: whether that is enough is found at start, and told while it is not. Thread rule: the loop's thread. */
#ifndef BRIDGE_PROGRAM_DESCRIPTORS_H
#define BRIDGE_PROGRAM_DESCRIPTORS_H

#include <stddef.h>

#include "common/base/config.h"
#include "common/base/err.h"
#include "common/net/health.h"
#include "common/net/loop.h"

/* The most that a program has open with this configuration: its own, the HTTP port's, Kafka's at three brokers or as many as are named, and `connections` to xSale or the ERP. */
size_t descriptors_needed(const struct config *c, size_t connections);
/* Raises the soft limit to what is needed. RC_FATAL with words: the hard limit is below that. */
enum rc descriptors_claim(size_t needed, struct err *e);

struct descriptor_watch;

/* Looks every second, and sets the health of "open-files" once none was free. NULL: out of memory. */
struct descriptor_watch *descriptor_watch_create(struct loop *l, struct health *h);
void descriptor_watch_destroy(struct descriptor_watch *w);

#endif
