#include "consumer/order_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/traceparent.h"
#include "common/contract/publication.h"
#include "common/kafka/frame.h"

/* A zero-terminated copy of n bytes at *at, which moves behind it. */
static char *keep(char **at, const void *bytes, size_t n)
{
    char *begin = *at;
    if (n > 0)
        memcpy(begin, bytes, n);
    begin[n] = '\0';
    *at += n + 1;
    return begin;
}

static size_t source_bytes(const struct kafka_record *r)
{
    size_t n = strlen(r->topic) + 1 + r->key_n + 1 + r->value_n + 1 + r->headers_n * sizeof(struct kafka_header);
    for (size_t i = 0; i < r->headers_n; i++)
        n += strlen(r->headers[i].name) + 1 + r->headers[i].n + 1;
    return n;
}

static void source_copy(struct order_record *o, const struct kafka_record *r)
{
    struct kafka_header *headers = (struct kafka_header *)(void *)(o + 1); /* the struct's size keeps it aligned */
    char *at = (char *)(headers + r->headers_n);
    o->source = *r;
    o->source.headers = headers;
    o->source.topic = keep(&at, r->topic, strlen(r->topic));
    o->source.key = r->key != NULL ? keep(&at, r->key, r->key_n) : NULL;
    o->source.value = r->value != NULL ? keep(&at, r->value, r->value_n) : NULL;
    for (size_t i = 0; i < r->headers_n; i++) {
        headers[i].name = keep(&at, r->headers[i].name, strlen(r->headers[i].name));
        headers[i].n = r->headers[i].n;
        headers[i].value = r->headers[i].value != NULL ? keep(&at, r->headers[i].value, r->headers[i].n) : NULL;
    }
}

/* A header's text (it is kept zero-terminated); NULL: none. */
static const char *header_text(const struct order_record *o, const char *name)
{
    const struct kafka_header *h = kafka_record_header(&o->source, name);
    return h != NULL && h->value != NULL && strlen(h->value) == h->n ? h->value : NULL;
}

static bool is_revision(const char *text)
{
    return strlen(text) == ORDER_REVISION_BYTES - 1 && strspn(text, "0123456789abcdef") == ORDER_REVISION_BYTES - 1;
}

static void headers_read(struct order_record *o)
{
    const char *revision = header_text(o, "revision");
    const char *warehouses = header_text(o, "warehouses"), *fingerprint = header_text(o, "schema"), *organization;
    size_t n;
    if (order_key_parse(o->source.key, o->source.key_n, &organization, &n, &o->order_id) && n < sizeof o->organization_text) {
        memcpy(o->organization_text, organization, n);
        memcpy(o->key, o->source.key, o->source.key_n); /* parsed, so it fits */
    }
    o->publication = order_record_publication(&o->source);
    if (revision != NULL && is_revision(revision))
        memcpy(o->revision, revision, ORDER_REVISION_BYTES);
    if (fingerprint != NULL && is_revision(fingerprint)) /* of the same form */
        o->fingerprint = strtoull(fingerprint, NULL, 16);
    o->warehouses = warehouses != NULL ? strdup(warehouses) : strdup("");
    o->traceparent = header_text(o, "traceparent");
    if (o->traceparent != NULL && !traceparent_valid(o->traceparent, strlen(o->traceparent)))
        o->traceparent = NULL;
}

struct order_record *order_record_create(const struct kafka_record *r, uint64_t generation)
{
    size_t bytes = sizeof(struct order_record) + source_bytes(r);
    struct order_record *o = malloc(bytes);
    if (o == NULL)
        return NULL;
    memset(o, 0, sizeof *o); /* what stands behind it is filled in */
    o->generation = generation;
    o->bytes = bytes;
    source_copy(o, r);
    o->organization = o->organization_text;
    headers_read(o);
    if (o->warehouses != NULL)
        return o;
    free(o);
    return NULL;
}

void order_record_destroy(struct order_record *o)
{
    if (o == NULL)
        return;
    free((void *)(uintptr_t)o->warehouses);
    free(o);
}

static enum rc head_take(struct order_record *o, const struct order_head *h, struct err *e)
{
    struct buf list;
    buf_init(&list, ORDER_WAREHOUSES * ORDER_WAREHOUSE_BYTES + 1);
    warehouse_set_print(&h->warehouses, &list);
    const char *text = buf_text(&list);
    char *copy = text != NULL ? strdup(text) : NULL;
    buf_release(&list);
    if (copy == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    free((void *)(uintptr_t)o->warehouses);
    o->warehouses = copy;
    o->publication = h->publication;
    o->round = h->round;
    o->withdrawn = h->withdrawn;
    memcpy(o->revision, h->revision, sizeof o->revision);
    return RC_OK;
}

enum rc order_record_decode(struct order_record *o, struct order_views *views, struct warehouse_set *delivering, struct err *e)
{
    struct order_head *head;
    const struct order_view *view = NULL;
    enum rc rc = RC_REJECT;
    o->schema_id = -1;
    if (o->source.value == NULL) {
        err_set(e, "the record has no value");
        return RC_REJECT;
    }
    if ((rc = frame_parse(o->source.value, o->source.value_n, &o->schema_id, &o->avro, &o->avro_n, e)) != RC_OK)
        return rc;
    if ((rc = order_views_get(views, o->schema_id, o->fingerprint, &view, e)) != RC_OK)
        return rc;
    head = order_views_head(views);
    if ((rc = order_view_head(view, o->avro, o->avro_n, head, e)) != RC_OK)
        return rc;
    if (o->key[0] == '\0' || head->order_id != o->order_id || strcmp(head->organization, o->organization) != 0) {
        err_set(e, "the record's key does not name the order in its value");
        return RC_REJECT;
    }
    if ((rc = head_take(o, head, e)) != RC_OK)
        return rc;
    warehouse_set_copy(delivering, &head->delivering);
    o->undivided = head->undivided;
    o->view = view;
    return RC_OK;
}

void order_record_warehouses(const struct order_record *o, struct warehouse_set *out)
{
    out->n = 0;
    if (o->warehouses[0] != '\0' && warehouse_set_parse(out, o->warehouses, strlen(o->warehouses), NULL) != RC_OK)
        out->n = 0;
}

bool order_record_names(const struct kafka_record *r, const char *warehouse)
{
    const struct kafka_header *h = kafka_record_header(r, "warehouses");
    size_t n = strlen(warehouse);
    const char *p = h != NULL ? h->value : NULL, *end = p != NULL ? p + h->n : NULL;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma != NULL ? comma : end;
        if ((size_t)(stop - p) == n && memcmp(p, warehouse, n) == 0)
            return true;
        p = stop + 1;
    }
    return false;
}

bool order_record_not_for(const struct kafka_record *r, const char *warehouse)
{
    const struct kafka_header *h = kafka_record_header(r, "warehouses");
    return h != NULL && h->n > 0 && !order_record_names(r, warehouse);
}

int64_t order_record_publication(const struct kafka_record *r)
{
    const struct kafka_header *h = kafka_record_header(r, "publication");
    return h == NULL ? 0 : publication_parse(h->value, h->n);
}
