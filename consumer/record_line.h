/* A record of one of our topics as one line for people (text) or programs (JSON). Pure but for the buffer. */
#ifndef BRIDGE_CONSUMER_RECORD_LINE_H
#define BRIDGE_CONSUMER_RECORD_LINE_H

#include "common/base/buf.h"
#include "consumer/topic_scan.h"

/* Appends {"topic","partition","offset","time","key","headers":{...},"value":{...}|null|"..."} and a newline. The value of an Avro record is its fields under the
 * names that the ERP sees, `raw` as base64; a dead letter's is its bytes as text where they are UTF-8, else base64 under "bytes"; "fault" where it cannot
 * be read. RFC 3339 UTC times. */
void record_line_json(const struct scan_record *r, struct buf *out);
/* Appends "time topic[partition]@offset key what-happened" and a newline: no personal data, no content of the order. */
void record_line_text(const struct scan_record *r, struct buf *out);

/* Appends RFC 3339 UTC with milliseconds; "-" for a time before 1970. */
void record_line_time(int64_t ms, struct buf *out);

#endif
