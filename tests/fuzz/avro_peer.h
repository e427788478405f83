/* avro-c behind our walk: what the walk accepts, avro-c must decode whole and write again as bytes that mean the same. */
#ifndef BRIDGE_TESTS_AVRO_PEER_H
#define BRIDGE_TESTS_AVRO_PEER_H

#include "common/contract/schema.h"

/* p: n bytes that avro_walk_check has passed. exact: they are as avro-c writes them, byte for byte. Ends the process with words at a difference. */
void avro_peer_check(const struct schema *s, const unsigned char *p, size_t n, bool exact);

#endif
