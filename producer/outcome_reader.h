/* Records of order-outcomes to outcomes, whoever wrote them: key, frame, schema by its id, bounded decoding. Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_OUTCOME_READER_H
#define BRIDGE_PRODUCER_OUTCOME_READER_H

#include "common/contract/outcome.h"
#include "common/kafka/kafka_record.h"
#include "producer/writer_schemas.h"

struct outcome_reader;

enum outcome_read {
    OUTCOME_READ,        /* *out owned by the caller (outcome_destroy) */
    OUTCOME_NOT_OURS,    /* of another organization */
    OUTCOME_NOT_NOW,     /* its schema is being asked for: retry is called soon, or never; look again every second */
    OUTCOME_DISOWNED,    /* the same, and the registry's last answer was that it does not know the id */
    OUTCOME_UNREADABLE,  /* never: words say why */
    OUTCOME_NO_MEMORY
};

/* schemas and organization are borrowed while the reader lives. retry(arg): what was NOT_NOW may be tried again. */
enum rc outcome_reader_create(struct writer_schemas *schemas, const char *organization, loop_fn *retry, void *arg, struct outcome_reader **out,
                              struct err *e);
void outcome_reader_destroy(struct outcome_reader *r);
enum outcome_read outcome_reader_read(struct outcome_reader *r, const struct kafka_record *rec, struct outcome **out, struct err *e);

#endif
