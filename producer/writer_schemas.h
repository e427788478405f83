/* Writer schemas by registry id, for whoever waits for one and may stop waiting. Asks the registry again until it answers; a schema that cannot be read is
 * remembered as such, and asked for again where records that must be read wait for it; how the records of the last RECORD_WRITERS_KEPT are read is compiled once and kept. Lives longer than the registry client (whose questions end silently with it). Thread rule: the loop's thread. */
#ifndef BRIDGE_PRODUCER_WRITER_SCHEMAS_H
#define BRIDGE_PRODUCER_WRITER_SCHEMAS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/log.h"
#include "common/contract/record_writers.h"
#include "common/kafka/registry.h"
#include "common/net/health.h"
#include "common/net/loop.h"

struct writer_schemas;

/* Embedded in its owner; zeroed before first use. */
struct writer_schema_wait {
    struct writer_schema_wait *next, *prev; /* ours */
    struct writer_schemas *schemas;         /* ours */
    int32_t id;
    char record[200];      /* what cannot go on without it: "xsale.order-state/0/1234"; "": whoever waits tells it */
    const char *meanwhile; /* literal, what does not happen until then: "publishes nothing" */
    const struct schema *reader; /* called only once records of the schema can be read by this one: another, or what is no schema, is as good as none. NULL: any will do */
    bool passable;         /* called too once the registry says that it does not know the schema, or says one that is of no use: an operator lets the record pass */
    bool any_answer;       /* called after the next answer whatever it is, also when the registry cannot be asked */
    bool answered;         /* ours; the registry was asked since the wait began, or could not be */
    loop_fn *fn;
    void *arg;
};

enum writer_schema_found { WRITER_SCHEMA_THERE, WRITER_SCHEMA_UNREADABLE, WRITER_SCHEMA_UNKNOWN };

/* h: name "schema", while somebody waits for one that the registry has not given. NULL: out of memory. */
struct writer_schemas *writer_schemas_create(struct loop *l, struct log *log, struct health *h, struct registry *r);
/* After registry_destroy. */
void writer_schemas_destroy(struct writer_schemas *ws);

/* *out: borrowed until the next call, its schema as long as the registry client lives; set for THERE only. */
enum writer_schema_found writer_schemas_find(struct writer_schemas *ws, int32_t id, struct record_writer **out);
/* Must it be waited for, as writer_schemas_wait does? For w->id, reader and passable, which the caller sets. */
bool writer_schemas_lacks(struct writer_schemas *ws, const struct writer_schema_wait *w);
/* For w->id, record, meanwhile, reader, passable and any_answer, which the caller sets. fn is called once, from the loop, when the id is no longer unknown. */
void writer_schemas_wait(struct writer_schemas *ws, struct writer_schema_wait *w, loop_fn *fn, void *arg);
void writer_schemas_forget(struct writer_schema_wait *w);
/* Orders that wait without holding anything else up: health "schema" is down with these words (copied) unless a record waits, whose words go first. why NULL: none does. */
void writer_schemas_tell(struct writer_schemas *ws, const char *why, const char *doing);
/* Asks in the background, for whoever looks again later: an id at most once in five seconds, and not more than 16 at a time. */
void writer_schemas_ask(struct writer_schemas *ws, int32_t id);
/* Was "I do not know this id" the registry's last answer about it? */
bool writer_schemas_disowned(const struct writer_schemas *ws, int32_t id);

#endif
