/* Confluent's wire format: byte 0, schema id as four bytes big endian, Avro.
 * Source: Confluent documentation, "Wire format". Pure. */
#ifndef BRIDGE_KAFKA_FRAME_H
#define BRIDGE_KAFKA_FRAME_H

#include "common/base/buf.h"
#include "common/base/err.h"

enum { FRAME_BYTES = 5 };

void frame_put(struct buf *out, int32_t schema_id);
/* RC_OK: *schema_id, *avro (n - 5 bytes, borrowed from p) set. RC_REJECT: no frame. */
enum rc frame_parse(const void *p, size_t n, int32_t *schema_id, const unsigned char **avro, size_t *avro_n, struct err *e);

#endif
