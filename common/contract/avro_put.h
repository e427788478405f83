/* Avro's binary encoding of plain values, appended to a buffer (Avro 1.11 specification, "Binary Encoding"). Pure. */
#ifndef BRIDGE_CONTRACT_AVRO_PUT_H
#define BRIDGE_CONTRACT_AVRO_PUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

void avro_put_long(struct buf *out, int64_t v); /* int too, counts, indexes */
void avro_put_float(struct buf *out, float v);
void avro_put_double(struct buf *out, double v);
void avro_put_bool(struct buf *out, bool v);
/* A string; RC_REJECT: no valid UTF-8, nothing appended. */
enum rc avro_put_text(struct buf *out, const char *text);

#endif
