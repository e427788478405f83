/* One member of a scanned record by its name in the writer's schema. The bytes have passed the walk. Pure. */
#ifndef BRIDGE_CONSUMER_RECORD_FIELD_H
#define BRIDGE_CONSUMER_RECORD_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "consumer/topic_scan.h"

/* A text, or an enum's symbol. *p: *n bytes, borrowed from the record or its schema, not terminated. false: no such field, null, or of another type. */
bool record_field_text(const struct scan_record *r, const char *name, const char **p, size_t *n);
bool record_field_equals(const struct scan_record *r, const char *name, const char *text);
/* An int or long; none: no such field, null, or of another type. */
int64_t record_field_long(const struct scan_record *r, const char *name, int64_t none);
/* A boolean that is true; false: no such field, null, or of another type. */
bool record_field_true(const struct scan_record *r, const char *name);

#endif
