#include "producer/outcome_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/kafka/frame.h"

/* Milliseconds since 1970 that are neither seconds nor microseconds: a publication in another unit would stand above (or below) every other one for ever. */
static const int64_t publication_least = INT64_C(100000000000), publication_most = INT64_C(100000000000000); /* years 1973 to 5138 */
enum { DOCUMENT_MAX = 1000 }; /* bytes; so that a row always fits */

struct outcome_reader {
    struct writer_schemas *schemas;
    const char *organization;
    loop_fn *retry;
    void *arg;
    struct writer_schema_wait wait;
};

enum rc outcome_reader_create(struct writer_schemas *schemas, const char *organization, loop_fn *retry, void *arg, struct outcome_reader **out,
                              struct err *e)
{
    struct outcome_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, "outcomes: out of memory");
        return RC_FATAL;
    }
    *r = (struct outcome_reader){.schemas = schemas, .organization = organization, .retry = retry, .arg = arg};
    *out = r;
    return RC_OK;
}

void outcome_reader_destroy(struct outcome_reader *r)
{
    if (r == NULL)
        return;
    writer_schemas_forget(&r->wait);
    free(r);
}

static void on_schema(void *arg)
{
    struct outcome_reader *r = arg;
    r->retry(r->arg);
}

/* The record's key must name the order that the outcome is about, or it would be joined with another order's. */
static bool key_fits(const struct outcome *o, const struct kafka_record *rec)
{
    char key[ORDER_KEY_BYTES];
    size_t n = order_key_format(key, o->organization, o->order_id);
    return n == rec->key_n && memcmp(key, rec->key, n) == 0;
}

/* What no schema says; NULL: it is sound. */
static const char *fault(const struct outcome *o, const struct kafka_record *rec)
{
    if (!key_fits(o, rec))
        return "the key and the outcome name different orders";
    if (o->publication < publication_least || o->publication > publication_most)
        return "publication is not a time in milliseconds since 1970";
    if (o->round < 0 || o->round > o->publication)
        return "round is later than the publication";
    if (o->warehouse[0] != '\0' && !warehouse_name_valid(o->warehouse, strlen(o->warehouse)))
        return "warehouse is not a name of 1 to 63 bytes without comma, slash and control characters";
    if (o->document_id != NULL && strlen(o->document_id) > DOCUMENT_MAX)
        return "documentId is longer than 1000 bytes";
    return NULL;
}

static enum outcome_read decode(struct record_writer *writer, const struct kafka_record *rec, const unsigned char *avro, size_t n,
                                struct outcome **out, struct err *e)
{
    struct outcome *o = NULL;
    enum rc rc = outcome_decode(writer, avro, n, &o, e);
    if (rc != RC_OK)
        return rc == RC_FATAL ? OUTCOME_NO_MEMORY : OUTCOME_UNREADABLE;
    const char *words = fault(o, rec);
    if (words != NULL) {
        outcome_destroy(o);
        err_set(e, "%s", words);
        return OUTCOME_UNREADABLE;
    }
    *out = o;
    return OUTCOME_READ;
}

enum outcome_read outcome_reader_read(struct outcome_reader *r, const struct kafka_record *rec, struct outcome **out, struct err *e)
{
    const char *organization = NULL;
    size_t organization_n = 0, avro_n = 0;
    int64_t order_id = 0;
    int32_t id = 0;
    const unsigned char *avro = NULL;
    struct record_writer *writer = NULL;
    if (rec->key == NULL || !order_key_parse(rec->key, rec->key_n, &organization, &organization_n, &order_id)) {
        err_set(e, "the key is not <organization>/<orderId>");
        return OUTCOME_UNREADABLE;
    }
    if (organization_n != strlen(r->organization) || memcmp(organization, r->organization, organization_n) != 0)
        return OUTCOME_NOT_OURS;
    if (frame_parse(rec->value, rec->value_n, &id, &avro, &avro_n, e) != RC_OK)
        return OUTCOME_UNREADABLE;
    switch (writer_schemas_find(r->schemas, id, &writer)) {
    case WRITER_SCHEMA_THERE:
        return decode(writer, rec, avro, avro_n, out, e);
    case WRITER_SCHEMA_UNREADABLE:
        err_set(e, "schema %d of the registry cannot be read", (int)id);
        return OUTCOME_UNREADABLE;
    case WRITER_SCHEMA_UNKNOWN:
        break;
    }
    err_set(e, "the registry does not know schema %d", (int)id);
    if (writer_schemas_disowned(r->schemas, id)) {
        writer_schemas_ask(r->schemas, id);
        return OUTCOME_DISOWNED;
    }
    writer_schemas_forget(&r->wait); /* one at a time is waited for: soon there, as a rule */
    r->wait.id = id;
    writer_schemas_wait(r->schemas, &r->wait, on_schema, r);
    return OUTCOME_NOT_NOW;
}
