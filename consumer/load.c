#include "consumer/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct load *load_create(struct loading *owner, struct order_record *record, const char *warehouse)
{
    struct load *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->owner = owner;
    l->record = record;
    record->open++;
    (void)snprintf(l->warehouse, sizeof l->warehouse, "%s", warehouse); /* a warehouse's name fits */
    l->item.key = record->source.key != NULL ? record->source.key : "";
    l->item.key_n = record->source.key_n;
    l->item.partition = record->source.partition;
    l->item.needs_erp = true;
    load_describe(l);
    return l;
}

void load_describe(struct load *l)
{
    l->item.warehouse = l->warehouse;
    l->item.publication = l->record->publication;
}

void load_destroy(struct load *l)
{
    if (l == NULL)
        return;
    load_land(l);
    l->record->open--;
    free(l->reason);
    free(l->document_id);
    free(l->trouble);
    free(l);
}

enum rc load_take_off(struct load *l, bool own_lines, size_t max, size_t about, struct err *e)
{
    struct order_record *r = l->record;
    struct flight *f = calloc(1, sizeof *f);
    if (f == NULL) {
        err_set(e, "out of memory");
        return RC_RETRY;
    }
    buf_init(&f->document, max);
    (void)buf_reserve(&f->document, about < max ? about : max); /* a failure stays, and is told below */
    l->flight = f;
    bool whole = r->undivided && !l->takes_back; /* what has nothing for the warehouse is taken back */
    enum rc rc = order_view_json(r->view, r->avro, r->avro_n, own_lines && !whole ? l->warehouse : NULL, &f->document, e);
    if (rc == RC_OK && buf_failed(&f->document)) {
        err_set(e, "the document would be larger than %zu bytes", max);
        rc = RC_REJECT;
    }
    if (f->document.no_memory) { /* says nothing about the order */
        err_set(e, "out of memory");
        rc = RC_RETRY;
    }
    if (rc != RC_OK) {
        load_land(l);
        return rc == RC_FATAL ? RC_RETRY : rc;
    }
    (void)snprintf(f->key, sizeof f->key, "%s/%s/%" PRId64, r->key, l->warehouse, r->publication); /* fits */
    f->erp = (struct erp_load){.key = f->key, .organization = r->organization, .order_id = r->order_id, .warehouse = l->warehouse,
                               .revision = r->revision, .publication = r->publication, .withdrawn = l->takes_back,
                               .document = (const char *)f->document.p, .document_n = f->document.n, .traceparent = r->traceparent,
                               .attempt = (int)l->item.tries, .ambiguous = l->item.ambiguous};
    return RC_OK;
}

void load_land(struct load *l)
{
    if (l->flight == NULL)
        return;
    buf_release(&l->flight->document);
    free(l->flight);
    l->flight = NULL;
}

void load_words(struct load *l, const char *reason_code, const char *reason, const char *document_id)
{
    l->reason_code = reason_code;
    free(l->reason);
    free(l->document_id);
    l->reason = reason != NULL ? strdup(reason) : NULL;
    l->document_id = document_id != NULL ? strdup(document_id) : NULL;
}

void load_troubled(struct load *l, const char *words, int64_t now)
{
    if (l->trouble == NULL)
        l->troubled_since = now;
    free(l->trouble);
    l->trouble = strndup(words != NULL ? words : "", 250);
}
