/* Avro's binary encoding of plain values, appended to a buffer (Avro 1.11 specification, "Binary Encoding"). Pure. */
#ifndef BRIDGE_CONTRACT_AVRO_PUT_H
#define BRIDGE_CONTRACT_AVRO_PUT_H

#include <stdint.h>

#include "common/base/buf.h"

void avro_put_long(struct buf *out, int64_t v); /* int too, counts, indexes */
void avro_put_float(struct buf *out, float v);
void avro_put_double(struct buf *out, double v);

#endif
