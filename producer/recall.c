#include "producer/recall.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/probe.h"
#include "common/contract/order_key.h"
#include "common/contract/order_view.h"
#include "common/contract/publication.h"
#include "common/kafka/kafka_conf.h"

enum {
    MARGIN_MS = 5 * 60 * 1000,
    /* Compaction keeps a tombstone for a day. In a topic shared with other organizations ours may be gone while theirs go on: an order record older than this
     * without a note may have been forgotten long ago, and must not be taken for open. At worst it is offered once more. */
    TOMBSTONES_MS = 12 * 3600 * 1000,
    TOPIC_BYTES = 250
};

struct recall {
    struct recall_needs n;
    struct order_book *book;
    const struct recall_ops *ops;
    void *arg;
    struct schema_reader *reader;
    struct order_view *view; /* of view_schema */
    const struct schema *view_schema;
    int64_t last_note, last_own; /* broker's times of the last notes, of anybody and of this organization; -1: there is none */
    size_t adopted, unreadable;
    bool failed;
};

bool recall_is_ours(const char *organization, const struct kafka_record *r, int64_t *order_id)
{
    const char *name;
    size_t n;
    return r->key != NULL && order_key_parse(r->key, r->key_n, &name, &n, order_id) && n == strlen(organization) &&
           memcmp(name, organization, n) == 0;
}

static void fail(struct recall *r, const char *words)
{
    if (r->failed)
        return;
    r->failed = true;
    r->ops->failed(r->arg, words);
}

static int64_t publication_of(const struct kafka_record *r)
{
    const struct kafka_header *h = kafka_record_header(r, "publication");
    return h == NULL ? 0 : publication_parse(h->value, h->n);
}

static void unreadable(struct recall *r, const struct kafka_record *record, const char *why)
{
    r->unreadable++;
    log_event(r->n.reader.log, LOG_ERROR, "restore", NULL, "a record cannot be read and is passed over", LOG_S("topic", record->topic),
              LOG_I("partition", record->partition), LOG_I("offset", record->offset), LOG_S("why", why));
}

static enum rc start_reader(struct recall *r, const char *topic, int partitions, enum reader_from from, int64_t value,
                            const struct schema_reader_ops *ops)
{
    char name[TOPIC_BYTES];
    struct err e;
    struct reader_start *starts = calloc((size_t)partitions, sizeof *starts);
    if (starts == NULL) {
        fail(r, "out of memory");
        return RC_FATAL;
    }
    kafka_topic_name(r->n.reader.config, topic, name);
    for (int i = 0; i < partitions; i++)
        starts[i] = (struct reader_start){.topic = name, .partition = i, .from = from, .value = value};
    enum rc rc = schema_reader_create(&r->n.reader, starts, (size_t)partitions, ops, r, &r->reader, &e);
    free(starts);
    if (rc != RC_OK)
        fail(r, e.text);
    return rc;
}

/* ---- the tail of `orders` */

static bool is_news(void *arg, const struct kafka_record *record)
{
    struct recall *r = arg;
    int64_t id, publication = publication_of(record);
    bool replayed = kafka_record_header(record, "replayed") != NULL;
    if (!recall_is_ours(r->n.organization, record, &id) || record->value == NULL)
        return false;
    return publication == 0 || order_book_is_news(r->book, id, publication, replayed);
}

static enum rc read_head(struct recall *r, const struct schema_record *sr, struct order_head *head, struct err *e)
{
    if (sr->writer == NULL) {
        err_set(e, "no frame, or a schema that cannot be read");
        return RC_REJECT;
    }
    if (r->view_schema != sr->writer->schema) {
        order_view_destroy(r->view);
        r->view = NULL;
        r->view_schema = NULL;
        enum rc rc = order_view_create(sr->writer->schema, &r->view, e);
        if (rc != RC_OK)
            return rc;
        r->view_schema = sr->writer->schema;
    }
    return order_view_head(r->view, sr->avro, sr->avro_n, head, e);
}

/* The headers alone say enough to publish nothing twice. */
static bool head_from_headers(const struct kafka_record *record, struct order_head *head)
{
    const struct kafka_header *list = kafka_record_header(record, "warehouses"), *revision = kafka_record_header(record, "revision");
    head->publication = head->round = publication_of(record);
    head->withdrawn = false;
    head->warehouses.n = 0;
    if (head->publication == 0 || list == NULL || revision == NULL || revision->n != ORDER_REVISION_BYTES - 1)
        return false;
    memcpy(head->revision, revision->value, revision->n);
    head->revision[revision->n] = '\0';
    return list->n == 0 || warehouse_set_parse(&head->warehouses, list->value, list->n, NULL) == RC_OK;
}

static void on_order(void *arg, const struct schema_record *sr)
{
    struct recall *r = arg;
    const struct kafka_record *record = sr->record;
    struct order_head *head = calloc(1, sizeof *head); /* 8 KB, not for the stack twice */
    struct order_state state = {0};
    struct err e;
    if (head == NULL || !recall_is_ours(r->n.organization, record, &state.order_id))
        goto out;
    if (read_head(r, sr, head, &e) != RC_OK && !head_from_headers(record, head)) {
        unreadable(r, record, e.text);
        goto out;
    }
    if (!order_book_is_news(r->book, state.order_id, head->publication, kafka_record_header(record, "replayed") != NULL))
        goto out;
    memcpy(state.revision, head->revision, sizeof state.revision);
    state.publication = head->publication;
    state.round = head->round;
    state.withdrawn = head->withdrawn;
    state.schema_id = sr->schema_id;
    state.warehouses = head->warehouses;
    state.at = record->timestamp > 0 ? record->timestamp : head->publication;
    if (order_book_adopt(r->book, &state) != RC_OK)
        fail(r, "restore: out of memory");
    r->adopted++;
out:
    free(head);
}

static void on_orders_end(void *arg)
{
    struct recall *r = arg;
    log_event(r->n.reader.log, LOG_INFO, "restore", NULL, "the producer's memory is restored", LOG_I("adopted_from_orders", r->adopted),
              LOG_I("unreadable", r->unreadable));
    PROBE(orders_adopted);
    if (!r->failed)
        r->ops->done(r->arg); /* r may be gone */
}

/* ---- order-state */

static bool is_note(void *arg, const struct kafka_record *record)
{
    struct recall *r = arg;
    int64_t id;
    bool ours = recall_is_ours(r->n.organization, record, &id);
    if (record->timestamp > r->last_note)
        r->last_note = record->timestamp;
    if (ours && record->timestamp > r->last_own)
        r->last_own = record->timestamp;
    return ours;
}

static void on_note(void *arg, const struct schema_record *sr)
{
    struct recall *r = arg;
    int64_t id;
    struct order_state *state = NULL;
    struct err e;
    enum rc rc = RC_OK;
    if (!recall_is_ours(r->n.organization, sr->record, &id))
        return;
    if (sr->record->value != NULL && sr->writer == NULL) {
        unreadable(r, sr->record, "no frame, or a schema that cannot be read");
        return;
    }
    if (sr->writer != NULL && (rc = order_state_decode(sr->writer, sr->avro, sr->avro_n, &state, &e)) == RC_REJECT) {
        unreadable(r, sr->record, e.text);
        return;
    }
    if (rc != RC_OK || order_book_restore(r->book, id, state, publication_of(sr->record)) != RC_OK)
        fail(r, "restore: out of memory");
    order_state_destroy(state);
}

static void on_notes_end(void *arg)
{
    static const struct schema_reader_ops ops = {.wanted = is_news, .record = on_order, .end = on_orders_end, .meanwhile = "publishes nothing"};
    struct recall *r = arg;
    schema_reader_destroy(r->reader);
    r->reader = NULL;
    if (r->failed)
        return;
    int64_t from = r->last_note - TOMBSTONES_MS > r->last_own ? r->last_note - TOMBSTONES_MS : r->last_own;
    (void)start_reader(r, "orders", r->n.order_partitions, from > MARGIN_MS ? READER_TIME : READER_BEGINNING, from - MARGIN_MS,
                       &ops); /* told by fail */
}

/* ---- life */

struct recall *recall_create(const struct recall_needs *needs, struct order_book *book, const struct recall_ops *ops, void *arg)
{
    static const enum avro_builtin reads = AVRO_ORDER_STATE;
    static const struct schema_reader_ops notes = {.wanted = is_note, .record = on_note, .end = on_notes_end, .reads = &reads, .meanwhile = "publishes nothing"};
    struct recall *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    *r = (struct recall){.n = *needs, .book = book, .ops = ops, .arg = arg, .last_note = -1, .last_own = -1};
    (void)start_reader(r, "order-state", needs->state_partitions, READER_BEGINNING, 0, &notes); /* told by fail */
    return r;
}

void recall_destroy(struct recall *r)
{
    if (r == NULL)
        return;
    schema_reader_destroy(r->reader);
    order_view_destroy(r->view);
    free(r);
}
