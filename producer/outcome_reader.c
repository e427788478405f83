#include "producer/outcome_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/kafka/frame.h"

enum { AGAIN_MS = 5000, BAD_IDS = 16 };

struct outcome_reader {
    struct loop *loop;
    struct log *log;
    struct registry *registry;
    const char *organization;
    loop_fn *retry;
    void *arg;
    int32_t asked; /* id being fetched, or waited for; 0: none */
    int32_t bad[BAD_IDS]; /* ids whose schema cannot be read; the oldest is forgotten first */
    size_t bad_n;
    struct loop_timer again;
};

enum rc outcome_reader_create(struct loop *l, struct log *log, struct registry *registry, const char *organization, loop_fn *retry, void *arg,
                              struct outcome_reader **out, struct err *e)
{
    struct outcome_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        err_set(e, "outcomes: out of memory");
        return RC_FATAL;
    }
    *r = (struct outcome_reader){.loop = l, .log = log, .registry = registry, .organization = organization, .retry = retry, .arg = arg};
    *out = r;
    return RC_OK;
}

void outcome_reader_destroy(struct outcome_reader *r)
{
    if (r == NULL)
        return;
    loop_timer_clear(r->loop, &r->again);
    free(r);
}

static bool is_bad(const struct outcome_reader *r, int32_t id)
{
    for (size_t i = 0; i < r->bad_n && i < BAD_IDS; i++)
        if (r->bad[i] == id)
            return true;
    return false;
}

static void on_again(void *arg)
{
    struct outcome_reader *r = arg;
    r->asked = 0;
    r->retry(r->arg);
}

static void on_schema(void *arg, enum rc rc, const struct schema *s, const char *words)
{
    struct outcome_reader *r = arg;
    (void)s;
    if (rc == RC_REJECT)
        r->bad[r->bad_n++ % BAD_IDS] = r->asked;
    if (rc == RC_OK || rc == RC_REJECT) {
        on_again(r);
        return;
    }
    log_event(r->log, LOG_WARN, "outcome", NULL, "schema not to be had, outcomes behind it wait", LOG_I("schema", r->asked), LOG_S("why", words));
    loop_timer_in(r->loop, &r->again, AGAIN_MS, on_again, r);
}

static void ask(struct outcome_reader *r, int32_t id)
{
    struct err e = {0};
    if (r->asked != 0)
        return;
    r->asked = id;
    if (registry_fetch(r->registry, id, on_schema, r, &e) != RC_OK)
        loop_timer_in(r->loop, &r->again, AGAIN_MS, on_again, r);
}

/* The record's key must name the order that the outcome is about, or it would be joined with another order's. */
static bool key_fits(const struct outcome *o, const struct kafka_record *rec)
{
    char key[ORDER_KEY_BYTES];
    size_t n = order_key_format(key, o->organization, o->order_id);
    return n == rec->key_n && memcmp(key, rec->key, n) == 0;
}

enum outcome_read outcome_reader_read(struct outcome_reader *r, const struct kafka_record *rec, struct outcome **out, struct err *e)
{
    const char *organization = NULL;
    size_t organization_n = 0, avro_n = 0;
    int64_t order_id = 0;
    int32_t id = 0;
    const unsigned char *avro = NULL;
    struct outcome *o = NULL;
    if (rec->key == NULL || !order_key_parse(rec->key, rec->key_n, &organization, &organization_n, &order_id)) {
        err_set(e, "the key is not <organization>/<orderId>");
        return OUTCOME_UNREADABLE;
    }
    if (organization_n != strlen(r->organization) || memcmp(organization, r->organization, organization_n) != 0)
        return OUTCOME_NOT_OURS;
    if (frame_parse(rec->value, rec->value_n, &id, &avro, &avro_n, e) != RC_OK)
        return OUTCOME_UNREADABLE;
    const struct schema *writer = registry_cached(r->registry, id);
    if (writer == NULL && is_bad(r, id)) {
        err_set(e, "schema %d of the registry cannot be read", (int)id);
        return OUTCOME_UNREADABLE;
    }
    if (writer == NULL) {
        ask(r, id);
        return OUTCOME_NOT_NOW;
    }
    enum rc rc = outcome_decode(writer, avro, avro_n, &o, e);
    if (rc != RC_OK)
        return rc == RC_FATAL ? OUTCOME_NO_MEMORY : OUTCOME_UNREADABLE;
    if (!key_fits(o, rec)) {
        outcome_destroy(o);
        err_set(e, "the key and the outcome name different orders");
        return OUTCOME_UNREADABLE;
    }
    *out = o;
    return OUTCOME_READ;
}
