/* The same work with jansson and avro-c, as a careful C programmer would do it: one tree an order, one avro_value that is used again, fields by index.
 * Amounts go through jansson's doubles. Only what the benchmark's orders have is mapped. Thread rule: one owner. */
#ifndef BRIDGE_BENCH_PEER_AVROC_H
#define BRIDGE_BENCH_PEER_AVROC_H

#include <avro.h>
#include <stdbool.h>

#include "common/base/buf.h"

struct peer_avroc {
    avro_value_iface_t *iface;
    avro_value_t value;
    struct buf out; /* the order encoded last */
};

bool peer_avroc_open(struct peer_avroc *p, avro_schema_t schema);
void peer_avroc_close(struct peer_avroc *p);
/* text: a page, an array of orders. Each is encoded into p->out in turn. */
bool peer_avroc_encode(struct peer_avroc *p, const char *text, size_t n);
/* One record to avro-c's JSON and away with it. */
bool peer_avroc_decode(struct peer_avroc *p, const unsigned char *avro, size_t n);

#endif
