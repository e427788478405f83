#include "producer/schema_compare.h"

#include <stdlib.h>

struct schema_compare {
    struct writer_schemas *schemas;
    const struct order_mapping *mapping;
    struct log *log;
    loop_fn *there;
    void *arg;
    struct writer_schema_wait wait;
    int32_t id; /* of encoder, or of the schema that could not be used (encoder NULL); 0: none yet */
    struct order_encoder *encoder;
};

struct schema_compare *schema_compare_create(struct writer_schemas *schemas, const struct order_mapping *mapping, struct log *log, loop_fn *there,
                                             void *arg)
{
    struct schema_compare *sc = calloc(1, sizeof *sc);
    if (sc != NULL)
        *sc = (struct schema_compare){.schemas = schemas, .mapping = mapping, .log = log, .there = there, .arg = arg};
    return sc;
}

void schema_compare_destroy(struct schema_compare *sc)
{
    if (sc == NULL)
        return;
    writer_schemas_forget(&sc->wait);
    order_encoder_destroy(sc->encoder);
    free(sc);
}

bool schema_compare_ready(struct schema_compare *sc, int32_t schema_id)
{
    struct record_writer *writer = NULL;
    struct err e;
    if (sc->id == schema_id)
        return true;
    enum writer_schema_found found = writer_schemas_find(sc->schemas, schema_id, &writer);
    if (found == WRITER_SCHEMA_UNKNOWN) {
        writer_schemas_forget(&sc->wait);
        sc->wait.id = schema_id;
        writer_schemas_wait(sc->schemas, &sc->wait, sc->there, sc->arg);
        return false;
    }
    order_encoder_destroy(sc->encoder);
    sc->encoder = NULL;
    sc->id = schema_id;
    err_set(&e, "it cannot be read");
    if (found == WRITER_SCHEMA_UNREADABLE || order_mapping_encoder_for(sc->mapping, writer->schema, &sc->encoder, &e) != RC_OK)
        log_event(sc->log, LOG_WARN, "poll", NULL, "orders cannot be compared by their older schema; they count as edited",
                  LOG_I("schema_id", schema_id), LOG_S("why", e.text));
    return true;
}

uint64_t schema_compare_revision(struct schema_compare *sc, const struct json_tape *tape, uint32_t node, bool rejected_now)
{
    struct order_facts facts;
    struct err e;
    if (sc->encoder == NULL)
        return 0;
    bool rejected = order_encoder_read(sc->encoder, tape, node, &facts, &e) != RC_OK;
    return rejected == rejected_now ? strtoull(facts.revision, NULL, 16) : 0;
}
