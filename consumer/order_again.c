#include "consumer/order_again.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_peek.h"
#include "common/contract/avro_put.h"
#include "common/contract/order_key.h"
#include "common/kafka/frame.h"
#include "consumer/order_record.h"

enum { REDRIVES_DIGITS = 9, TEXTS_MAX = 16384 };

static enum rc reject(struct err *e, const char *words)
{
    err_set(e, "%s", words);
    return RC_REJECT;
}

static enum rc take_view(struct order_again *a, const struct schema *writer, struct err *e)
{
    if (a->writer == writer)
        return RC_OK;
    order_again_forget(a);
    enum rc rc = order_view_create(writer, &a->view, e);
    if (rc == RC_OK)
        a->writer = writer;
    return rc;
}

void order_again_forget(struct order_again *a)
{
    order_view_destroy(a->view);
    a->view = NULL;
    a->writer = NULL;
}

static bool key_agrees(const struct order_head *h, const struct kafka_record *r)
{
    char key[ORDER_KEY_BYTES];
    size_t n = order_key_format(key, h->organization, h->order_id);
    return n > 0 && r->key != NULL && r->key_n == n && memcmp(r->key, key, n) == 0;
}

static bool schema_agrees(const struct schema *writer, const struct kafka_record *r)
{
    const struct kafka_header *h = kafka_record_header(r, "schema");
    char own[17];
    (void)snprintf(own, sizeof own, "%016" PRIx64, schema_fingerprint(writer)); /* fits */
    return h == NULL || h->value == NULL || h->n != 16 || memcmp(h->value, own, 16) == 0;
}

enum rc order_again_read(struct order_again *a, const struct scan_record *r, struct err *e)
{
    if (r->fault[0] != '\0')
        return reject(e, r->fault);
    if (r->writer == NULL)
        return reject(e, "it has no value");
    if (!schema_agrees(r->writer, r->record))
        return reject(e, "the registry gives the record's schema id to another schema than the one it was written with");
    enum rc rc = take_view(a, r->writer, e);
    if (rc == RC_OK)
        rc = order_view_head(a->view, r->avro, r->avro_n, &a->head, e);
    if (rc != RC_OK)
        return rc;
    if (!key_agrees(&a->head, r->record))
        return reject(e, "the record's key does not name the order in its value");
    int64_t told = order_record_publication(r->record);
    return told == 0 || told == a->head.publication ? RC_OK : reject(e, "its header and its value tell of different publications");
}

/* The Avro bytes with another publication. */
static bool put_order(const struct scan_record *r, int64_t publication, struct buf *out)
{
    const struct schema_node *root = schema_root(r->writer);
    struct avro_cursor c = {r->avro, r->avro + r->avro_n};
    int64_t old;
    for (size_t i = 0; i < root->count; i++) {
        const struct schema_node *type = root->fields[i].type;
        if (strcmp(root->fields[i].name, "publication") != 0) {
            if (!avro_walk_skip(type, &c))
                return false;
            continue;
        }
        if (!avro_peek_enter(&type, &c) || type->kind != SCHEMA_LONG)
            return false;
        buf_put(out, r->avro, (size_t)(c.p - r->avro));
        avro_put_long(out, publication);
        if (!avro_read_long(&c, &old))
            return false;
        buf_put(out, c.p, (size_t)(c.end - c.p));
        return true;
    }
    return false;
}

static bool sets_equal(const struct warehouse_set *a, const struct warehouse_set *b)
{
    bool equal = a->n == b->n;
    for (size_t i = 0; equal && i < a->n; i++)
        equal = strcmp(a->names[i], b->names[i]) == 0;
    return equal;
}

/* What was made is the same order in the same state, and a newer publication. */
static bool same_order(const struct order_head *a, const struct order_head *b, int64_t publication)
{
    return strcmp(a->organization, b->organization) == 0 && a->order_id == b->order_id && strcmp(a->revision, b->revision) == 0 && a->round == b->round &&
           a->withdrawn == b->withdrawn && sets_equal(&a->warehouses, &b->warehouses) && sets_equal(&a->delivering, &b->delivering) && a->raw_n == b->raw_n &&
           b->publication == publication && a->publication < publication;
}

static enum rc put_value(struct order_again *a, const struct scan_record *r, int64_t publication, struct buf *out, struct err *e)
{
    buf_put(out, r->record->value, FRAME_BYTES);
    if (!put_order(r, publication, out))
        return reject(e, "its field publication is not where the schema says");
    if (buf_failed(out))
        return reject(e, "it is too large, or out of memory");
    enum rc rc = order_view_head(a->view, out->p + FRAME_BYTES, out->n - FRAME_BYTES, &a->made, e);
    if (rc == RC_OK && !same_order(&a->head, &a->made, publication))
        rc = reject(e, "what was made of it is another order; this must not happen");
    return rc;
}

static void add(struct order_copy *c, const char *name, const void *value, size_t n)
{
    c->headers[c->headers_n++] = (struct kafka_header){name, value, n};
}

/* As the producer writes them, and what was done by hand. */
static void put_headers(struct order_again *a, const struct scan_record *r, const struct order_again_stamp *stamp, struct order_copy *c)
{
    size_t organization_n = strlen(a->head.organization);
    (void)snprintf(c->publication, sizeof c->publication, "%" PRId64, stamp->publication); /* each fits */
    (void)snprintf(c->redrives, sizeof c->redrives, "%" PRId64, stamp->redrives);
    (void)snprintf(c->fingerprint, sizeof c->fingerprint, "%016" PRIx64, schema_fingerprint(r->writer));
    traceparent_print(&a->traces, c->traceparent);
    buf_put(&c->texts, a->head.organization, organization_n);
    buf_put(&c->texts, a->head.revision, ORDER_REVISION_BYTES - 1);
    warehouse_set_print(&a->head.warehouses, &c->texts);
    if (buf_failed(&c->texts))
        return;
    const char *texts = (const char *)c->texts.p;
    size_t before = organization_n + ORDER_REVISION_BYTES - 1;
    add(c, "organization", texts, organization_n);
    add(c, "revision", texts + organization_n, ORDER_REVISION_BYTES - 1);
    add(c, "publication", c->publication, strlen(c->publication));
    add(c, "warehouses", texts + before, c->texts.n - before);
    add(c, "schema", c->fingerprint, strlen(c->fingerprint));
    add(c, "traceparent", c->traceparent, strlen(c->traceparent));
    add(c, "replayed", stamp->how, strlen(stamp->how));
    if (stamp->redrives > 0)
        add(c, "redrives", c->redrives, strlen(c->redrives));
}

static struct order_copy *copy_new(void)
{
    struct order_copy *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    buf_init(&c->key, ORDER_KEY_BYTES);
    buf_init(&c->value, ORDER_AGAIN_BYTES);
    buf_init(&c->texts, TEXTS_MAX);
    return c;
}

enum rc order_again_make(struct order_again *a, const struct scan_record *r, const char *topic, const struct order_again_stamp *stamp,
                         struct order_copy **out, struct err *e)
{
    struct order_copy *c = NULL;
    enum rc rc = order_again_read(a, r, e);
    if (rc != RC_OK)
        return rc;
    if ((c = copy_new()) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    rc = put_value(a, r, stamp->publication, &c->value, e);
    if (rc != RC_OK)
        goto out;
    put_headers(a, r, stamp, c);
    buf_put(&c->key, r->record->key, r->record->key_n);
    if (buf_failed(&c->key) || buf_failed(&c->texts)) {
        rc = RC_FATAL;
        err_set(e, "out of memory");
        goto out;
    }
    c->record = (struct kafka_record){.topic = topic, .partition = -1, .key = c->key.p, .key_n = c->key.n, .value = c->value.p, .value_n = c->value.n,
                                      .headers = c->headers, .headers_n = c->headers_n};
    *out = c;
    c = NULL;
out:
    order_copy_destroy(c);
    return rc;
}

void order_copy_destroy(struct order_copy *c)
{
    if (c == NULL)
        return;
    buf_release(&c->key);
    buf_release(&c->value);
    buf_release(&c->texts);
    free(c);
}

int64_t order_again_redrives(const struct kafka_record *r)
{
    const struct kafka_header *h = kafka_record_header(r, "redrives");
    const char *p = h != NULL ? h->value : NULL;
    int64_t n = 0;
    for (size_t i = 0; p != NULL && i < h->n && i < REDRIVES_DIGITS; i++)
        n = p[i] >= '0' && p[i] <= '9' ? n * 10 + (p[i] - '0') : n;
    return n;
}
