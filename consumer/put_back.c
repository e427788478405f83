#include "consumer/put_back.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/contract/publication.h"
#include "consumer/order_record.h"
#include "consumer/record_field.h"

void put_back_init(struct put_back *b, bool redrive, bool force)
{
    memset(b, 0, sizeof *b);
    b->redrive = redrive;
    b->force = force;
}

static void free_order(struct put_back_order *o)
{
    free(o->key);
    free(o->warehouses);
    free(o->fault);
    free(o->verdicts);
    free(o);
}

void put_back_release(struct put_back *b)
{
    struct put_back_order *o, *next;
    HASH_ITER(hh, b->orders, o, next)
    {
        HASH_DEL(b->orders, o);
        free_order(o);
    }
    order_again_forget(&b->again);
    free(b->chosen);
    b->chosen = NULL;
    b->chosen_n = b->n = 0;
}

static enum rc no_memory(struct err *e)
{
    err_set(e, "out of memory");
    return RC_FATAL;
}

static struct put_back_order *find(const struct put_back *b, const void *key, size_t n)
{
    struct put_back_order *o = NULL;
    if (key != NULL)
        HASH_FIND(hh, b->orders, key, n, o);
    return o;
}

bool put_back_knows(const struct put_back *b, const struct kafka_record *r)
{
    return find(b, r->key, r->key_n) != NULL;
}

static enum rc entry(struct put_back *b, const void *key, size_t n, struct put_back_order **out, struct err *e)
{
    struct put_back_order *o = find(b, key, n);
    if (o == NULL) {
        if (b->n >= PUT_BACK_MAX) {
            err_set(e, "more than %d orders: choose fewer at a time, for example by --from and --until", PUT_BACK_MAX);
            return RC_REJECT;
        }
        o = calloc(1, sizeof *o);
        if (o == NULL || (o->key = strndup(key, n)) == NULL) {
            free(o);
            return no_memory(e);
        }
        o->home = -1;
        HASH_ADD_KEYPTR(hh, b->orders, o->key, n, o);
        b->n++;
    }
    *out = o;
    return RC_OK;
}

enum rc put_back_name(struct put_back *b, const void *key, size_t n, struct err *e)
{
    struct put_back_order *o;
    return entry(b, key, n, &o, e);
}

static char *list_text(const struct warehouse_set *set)
{
    struct buf list;
    buf_init(&list, ORDER_WAREHOUSES * ORDER_WAREHOUSE_BYTES + 1);
    warehouse_set_print(set, &list);
    const char *text = buf_text(&list);
    char *copy = text != NULL ? strdup(text) : NULL;
    buf_release(&list);
    return copy;
}

/* This record is what would be put back. */
static enum rc take_source(struct put_back *b, struct put_back_order *o, enum put_back_source source, const struct scan_record *r, struct err *e)
{
    struct err fault = {""};
    enum rc rc = order_again_read(&b->again, r, &fault);
    if (rc == RC_FATAL) {
        *e = fault;
        return rc;
    }
    free(o->fault);
    free(o->warehouses);
    o->fault = o->warehouses = NULL;
    o->source = source;
    o->partition = r->record->partition;
    o->offset = r->record->offset;
    o->at = r->record->timestamp;
    o->publication = rc == RC_OK ? b->again.head.publication : order_record_publication(r->record);
    o->withdrawn = rc == RC_OK && b->again.head.withdrawn;
    o->redrives = order_again_redrives(r->record);
    if (rc == RC_OK)
        o->warehouses = list_text(&b->again.head.warehouses);
    else
        o->fault = strdup(fault.text);
    return (rc == RC_OK ? o->warehouses : o->fault) != NULL ? RC_OK : no_memory(e);
}

static bool header_is(const struct kafka_record *r, const char *name, const char *text)
{
    const struct kafka_header *h = kafka_record_header(r, name);
    return h != NULL && h->value != NULL && h->n == strlen(text) && memcmp(h->value, text, h->n) == 0;
}

enum rc put_back_letter(struct put_back *b, const struct scan_record *r, struct err *e)
{
    const char *organization;
    size_t n;
    int64_t id, publication = order_record_publication(r->record);
    struct put_back_order *o = NULL;
    if (!header_is(r->record, "kind", "order") || !order_key_parse(r->record->key, r->record->key_n, &organization, &n, &id)) {
        b->others++;
        return RC_OK;
    }
    enum rc rc = entry(b, r->record->key, r->record->key_n, &o, e);
    if (rc != RC_OK)
        return rc;
    b->letters++;
    bool better = o->source == PUT_BACK_NOWHERE || publication > o->publication || (publication == o->publication && (o->fault != NULL || o->left_out));
    if (!better)
        return RC_OK;
    rc = take_source(b, o, PUT_BACK_LETTER, r, e);
    o->left_out = kafka_record_header(r->record, "omitted") != NULL;
    return rc;
}

static enum rc see_order(struct put_back *b, struct put_back_order *o, const struct scan_record *r, int64_t publication, struct err *e)
{
    bool wanted = b->redrive ? o->left_out && publication == o->publication : publication >= o->on_orders;
    if (publication >= o->on_orders) {
        o->on_orders = publication;
        o->home = r->record->partition;
        o->newest_withdrawn = record_field_true(r, "withdrawn");
        o->newest_replayed = kafka_record_header(r->record, "replayed") != NULL;
    }
    bool planned = b->chosen != NULL; /* what is put back is settled then; a newer one is somebody else's, perhaps another operator's */
    return wanted && !planned ? take_source(b, o, PUT_BACK_RECORD, r, e) : RC_OK;
}

static enum rc note_verdict(struct put_back_order *o, const char *warehouse, size_t n, enum outcome_result result, struct err *e)
{
    struct put_back_verdict *v = NULL;
    for (size_t i = 0; i < o->verdicts_n && v == NULL; i++)
        if (strlen(o->verdicts[i].warehouse) == n && memcmp(o->verdicts[i].warehouse, warehouse, n) == 0)
            v = &o->verdicts[i];
    if (v != NULL && result == OUTCOME_SUPERSEDED) /* never replaces the ERP's own */
        return RC_OK;
    if (v == NULL && (o->verdicts_n >= ORDER_WAREHOUSES || n >= sizeof v->warehouse))
        return RC_OK;
    if (v == NULL) {
        struct put_back_verdict *grown = realloc(o->verdicts, (o->verdicts_n + 1) * sizeof *grown);
        if (grown == NULL)
            return no_memory(e);
        o->verdicts = grown;
        v = &grown[o->verdicts_n++];
        memcpy(v->warehouse, warehouse, n);
        v->warehouse[n] = '\0';
    }
    v->result = result;
    return RC_OK;
}

static enum rc see_outcome(struct put_back_order *o, const struct scan_record *r, int64_t publication, struct err *e)
{
    const char *warehouse;
    size_t n;
    if (publication < o->judged || !record_field_text(r, "warehouse", &warehouse, &n))
        return RC_OK;
    if (publication > o->judged)
        o->verdicts_n = 0;
    o->judged = publication;
    for (int i = 0; i < OUTCOME_RESULTS; i++)
        if (record_field_equals(r, "result", outcome_result_name((enum outcome_result)i)))
            return note_verdict(o, warehouse, n, (enum outcome_result)i, e);
    return RC_OK;
}

enum rc put_back_see(struct put_back *b, const struct scan_record *r, struct err *e)
{
    struct put_back_order *o = find(b, r->record->key, r->record->key_n);
    int64_t publication = order_record_publication(r->record);
    if (o == NULL || r->record->value == NULL)
        return RC_OK;
    if (publication == 0 && publication_possible(record_field_long(r, "publication", 0)))
        publication = record_field_long(r, "publication", 0);
    if (strcmp(r->record->topic, b->topics[TOPIC_ORDERS]) == 0)
        return see_order(b, o, r, publication, e);
    if (publication > o->elsewhere)
        o->elsewhere = publication;
    return strcmp(r->record->topic, b->topics[TOPIC_OUTCOMES]) == 0 ? see_outcome(o, r, publication, e) : RC_OK;
}

/* NULL: it has not answered. */
static const struct put_back_verdict *verdict_of(const struct put_back_order *o, const char *warehouse, size_t n)
{
    for (size_t i = 0; o->judged == o->publication && i < o->verdicts_n; i++)
        if (strlen(o->verdicts[i].warehouse) == n && memcmp(o->verdicts[i].warehouse, warehouse, n) == 0)
            return &o->verdicts[i];
    return NULL;
}

/* Every warehouse of the list has answered; *rejected: one of them with a refusal. */
static bool answered(const struct put_back_order *o, bool *rejected)
{
    bool all = true;
    *rejected = false;
    for (const char *p = o->warehouses; *p != '\0'; p += *p == ',') {
        size_t n = strcspn(p, ",");
        const struct put_back_verdict *v = verdict_of(o, p, n);
        all = all && v != NULL;
        *rejected = *rejected || (v != NULL && v->result == OUTCOME_REJECTED);
        p += n;
    }
    return all;
}

static enum put_back_fate judge_newer(const struct put_back_order *o)
{
    if (o->on_orders < o->elsewhere || o->on_orders <= o->publication)
        return PUT_BACK_SUPERSEDED; /* only the ledger or the outcomes know of it */
    return o->newest_withdrawn ? PUT_BACK_WITHDRAWN : o->newest_replayed ? PUT_BACK_DONE : PUT_BACK_SUPERSEDED;
}

enum put_back_fate put_back_judge(const struct put_back *b, const struct put_back_order *o)
{
    bool rejected = false;
    if (o->source == PUT_BACK_NOWHERE)
        return PUT_BACK_UNKNOWN;
    if (o->on_orders > o->publication || o->elsewhere > o->publication)
        return judge_newer(o);
    if (o->fault != NULL)
        return PUT_BACK_UNREADABLE;
    bool all = answered(o, &rejected);
    if (b->redrive && !rejected)
        return all ? PUT_BACK_IMPORTED : PUT_BACK_IN_FLIGHT;
    if (b->redrive)
        return o->redrives >= PUT_BACK_REDRIVES && !b->force ? PUT_BACK_TOO_OFTEN : PUT_BACK_YES;
    if (o->withdrawn)
        return PUT_BACK_WITHDRAWN;
    return all || b->force ? PUT_BACK_YES : PUT_BACK_IN_FLIGHT;
}

static int by_place(const void *a, const void *b)
{
    const struct put_back_order *x = *(struct put_back_order *const *)a, *y = *(struct put_back_order *const *)b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

enum rc put_back_plan(struct put_back *b, struct err *e)
{
    struct put_back_order *o, *next;
    free(b->chosen);
    b->chosen_n = 0;
    b->chosen = calloc(b->n + 1, sizeof(struct put_back_order *));
    if (b->chosen == NULL)
        return no_memory(e);
    HASH_ITER(hh, b->orders, o, next)
    {
        o->fate = put_back_judge(b, o);
        if (o->fate == PUT_BACK_YES)
            b->chosen[b->chosen_n++] = o;
    }
    qsort(b->chosen, b->chosen_n, sizeof(struct put_back_order *), by_place);
    return RC_OK;
}
