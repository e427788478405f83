/* Everything that turns an order of the configured account into a record: the Order schema (producer.schema, or the built-in one), the time zone, the
 * warehouse rules, and the encoder compiled from them. Thread rule: one owner; opened once per process (zone_open). */
#ifndef BRIDGE_PRODUCER_ORDER_MAPPING_H
#define BRIDGE_PRODUCER_ORDER_MAPPING_H

#include "common/base/config.h"
#include "common/contract/order_encoder.h"

struct order_mapping;

/* Adds a line per problem; no network. */
void order_mapping_check(const struct config *c, struct config_problems *problems);
/* c borrowed while the mapping lives. RC_REJECT: words name file and field. */
enum rc order_mapping_open(const struct config *c, struct order_mapping **out, struct err *e);
void order_mapping_close(struct order_mapping *m);

const struct schema *order_mapping_schema(const struct order_mapping *m);
struct order_encoder *order_mapping_encoder(struct order_mapping *m);
/* A second encoder with the same zone and rules for another schema (borrowed): the one that an open order's revision was computed with. */
enum rc order_mapping_encoder_for(const struct order_mapping *m, const struct schema *s, struct order_encoder **out, struct err *e);

#endif
