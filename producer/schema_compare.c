#include "producer/schema_compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOST_MOST = 16, KEY_TEXT = 300 };

struct lost { /* a schema that the registry did not give */
    int32_t id;
    int64_t since; /* monotonic ms: it has said since then that it does not know it; -1: it has not */
    bool asked;    /* in this poll */
    enum lost_told { UNTOLD, TOLD_SILENT, TOLD_DISOWNED } told; /* that orders wait for it */
    size_t orders; /* that wait for it in this poll */
};

struct schema_compare {
    struct schema_compare_needs n;
    loop_fn *there;
    void *arg;
    struct writer_schema_wait wait;
    int32_t id; /* of encoder, or of the schema that could not be used (encoder NULL); 0: none */
    struct order_encoder *encoder;
    struct lost lost[LOST_MOST];
    size_t lost_n;
    bool silent; /* the registry gave no answer in this poll */
    struct {     /* orders that wait in this poll */
        size_t n;
        char first[KEY_TEXT];
        int32_t id; /* of the first one's schema */
        bool disowned;
    } waiting;
};

struct schema_compare *schema_compare_create(const struct schema_compare_needs *needs, loop_fn *there, void *arg)
{
    struct schema_compare *sc = calloc(1, sizeof *sc);
    if (sc != NULL)
        *sc = (struct schema_compare){.n = *needs, .there = there, .arg = arg};
    return sc;
}

void schema_compare_destroy(struct schema_compare *sc)
{
    if (sc == NULL)
        return;
    writer_schemas_forget(&sc->wait);
    writer_schemas_tell(sc->n.schemas, NULL, NULL);
    order_encoder_destroy(sc->encoder);
    free(sc);
}

/* ---- polls */

void schema_compare_poll(struct schema_compare *sc)
{
    sc->silent = false;
    sc->waiting.n = 0;
    for (size_t i = 0; i < sc->lost_n; i++) {
        sc->lost[i].asked = false;
        sc->lost[i].orders = 0;
    }
}

static void tell_waiting(struct schema_compare *sc)
{
    char why[400], more[40] = "";
    if (sc->waiting.n == 0) {
        writer_schemas_tell(sc->n.schemas, NULL, NULL);
        return;
    }
    if (sc->waiting.n > 1)
        (void)snprintf(more, sizeof more, " (and %zu more)", sc->waiting.n - 1); /* fits */
    (void)snprintf(why, sizeof why, "open order %.100s%s was published with schema %" PRId32 ", %s: whether it was edited since cannot be told", sc->waiting.first, more,
                   sc->waiting.id, sc->waiting.disowned ? "which the registry does not know" : "about which the registry gave no answer"); /* fits */
    writer_schemas_tell(sc->n.schemas, why, sc->waiting.disowned
                        ? "leaves it alone and publishes the others; give the registry that schema back under that id; after producer.unknown_schema_after without it the order counts as edited and is published again"
                        : "leaves it alone, publishes the others and asks again with each poll; see to the registry");
}

void schema_compare_polled(struct schema_compare *sc)
{
    size_t kept = 0;
    for (size_t i = 0; i < sc->lost_n; i++)
        if (sc->lost[i].orders > 0)
            sc->lost[kept++] = sc->lost[i];
    sc->lost_n = kept;
    tell_waiting(sc);
}

/* ---- a schema */

/* NULL: no room; those that are there are done with one day. */
static struct lost *lost_of(struct schema_compare *sc, int32_t id)
{
    for (size_t i = 0; i < sc->lost_n; i++)
        if (sc->lost[i].id == id)
            return &sc->lost[i];
    if (sc->lost_n == LOST_MOST)
        return NULL;
    sc->lost[sc->lost_n] = (struct lost){.id = id, .since = -1};
    return &sc->lost[sc->lost_n++];
}

static void ask(struct schema_compare *sc, struct lost *lost)
{
    lost->asked = true;
    writer_schemas_forget(&sc->wait);
    sc->wait.id = lost->id;
    sc->wait.any_answer = true;
    writer_schemas_wait(sc->n.schemas, &sc->wait, sc->there, sc->arg);
}

static void leave(struct schema_compare *sc, struct lost *lost, int32_t id, const char *key)
{
    bool disowned = writer_schemas_disowned(sc->n.schemas, id);
    if (lost != NULL)
        lost->orders++;
    if (sc->waiting.n++ == 0) {
        (void)snprintf(sc->waiting.first, sizeof sc->waiting.first, "%s", key); /* as large */
        sc->waiting.id = id;
        sc->waiting.disowned = disowned;
        tell_waiting(sc);
    }
    enum lost_told told = disowned ? TOLD_DISOWNED : TOLD_SILENT;
    if (lost != NULL ? lost->told == told : sc->waiting.n > 1)
        return;
    log_fact(sc->n.log, LOG_ERROR, "poll", key, "an open order waits for the schema that it was published with: whether it was edited since cannot be told",
             LOG_I("schema_id", id), LOG_S("why", disowned ? "the registry does not know it" : "the registry gave no answer"),
             LOG_S("doing", disowned ? "leaves the orders of that schema alone and publishes the others; give the registry that schema back under that id; after "
                                       "producer.unknown_schema_after without it they count as edited"
                                     : "leaves the orders of that schema alone, publishes the others and asks again with each poll; see to the registry"));
    if (lost != NULL)
        lost->told = told;
}

/* Not remembered as the schema's plan: the registry may have it again. */
static void give_up(struct schema_compare *sc, int32_t id, const char *key)
{
    order_encoder_destroy(sc->encoder);
    sc->encoder = NULL;
    sc->id = 0;
    log_event(sc->n.log, LOG_WARN, "poll", key, "an open order counts as edited: the registry has not known the schema that it was published with for producer.unknown_schema_after",
              LOG_I("schema_id", id));
}

static enum schema_compare_found find_unknown(struct schema_compare *sc, int32_t id, int64_t order_id)
{
    char key[KEY_TEXT];
    int64_t now = loop_now(sc->n.loop);
    struct lost *lost = lost_of(sc, id);
    if (lost != NULL && !lost->asked && !sc->silent) {
        ask(sc, lost);
        return SCHEMA_COMPARE_WAIT;
    }
    (void)snprintf(key, sizeof key, "%.200s/%" PRId64, sc->n.organization, order_id); /* fits */
    bool disowned = lost != NULL && writer_schemas_disowned(sc->n.schemas, id);
    if (lost != NULL && lost->asked && !disowned) {
        sc->silent = true;
        lost->since = -1;
    }
    if (disowned && lost->since < 0)
        lost->since = now;
    if (disowned && now - lost->since >= config_ms(sc->n.config, "producer.unknown_schema_after")) {
        give_up(sc, id, key);
        return SCHEMA_COMPARE_READY;
    }
    leave(sc, lost, id, key);
    return SCHEMA_COMPARE_LATER;
}

enum schema_compare_found schema_compare_find(struct schema_compare *sc, int32_t schema_id, int64_t order_id)
{
    struct record_writer *writer = NULL;
    struct err e;
    if (sc->id == schema_id)
        return SCHEMA_COMPARE_READY;
    enum writer_schema_found found = writer_schemas_find(sc->n.schemas, schema_id, &writer);
    if (found == WRITER_SCHEMA_UNKNOWN)
        return find_unknown(sc, schema_id, order_id);
    order_encoder_destroy(sc->encoder);
    sc->encoder = NULL;
    sc->id = schema_id;
    err_set(&e, "it cannot be read");
    if (found == WRITER_SCHEMA_UNREADABLE || order_mapping_encoder_for(sc->n.mapping, writer->schema, &sc->encoder, &e) != RC_OK)
        log_event(sc->n.log, LOG_WARN, "poll", NULL, "orders cannot be compared by their older schema; they count as edited",
                  LOG_I("schema_id", schema_id), LOG_S("why", e.text));
    return SCHEMA_COMPARE_READY;
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
