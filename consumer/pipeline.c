#include "consumer/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <xxhash.h>

#include "common/contract/order_key.h"
#include "common/kafka/key_partition.h"
#include "consumer/order_record.h"

enum { FIRST_CAP = 1024, NAME_MOST = 400, NOTE_MOST = 60, SLACK_MS = 600000 };

struct name {
    uint16_t id;
    uint16_t group;    /* of a warehouse: a name; 0: none is known */
    bool told_group;   /* by the operator */
    int64_t group_at;  /* of the outcome that it was learned from */
    UT_hash_handle hh;
    char text[];
};

struct bound {
    int64_t first, start;
    int64_t first_at; /* ms, time of the first record that was read; -1: none */
};

struct passed { /* of one group */
    uint16_t group;
    int64_t *committed; /* bounds_n */
};

struct pipeline {
    int64_t from, to, restored;
    struct pipeline_publication *all; /* n */
    size_t n, cap;
    struct pipeline_offer *offers; /* offers_n */
    size_t offers_n, offers_cap;
    uint32_t *index; /* index_cap, a power of two: 1 + the publication's place; 0: free. NULL after the sort */
    size_t index_cap;
    struct name *by_text, **names; /* names_n; names[0] is "" */
    size_t names_n;
    struct bound *bounds;
    size_t bounds_n;
    struct passed *passed;
    size_t passed_n;
    uint64_t unreadable;
    const char *fault; /* literal; "": none */
};

static const char no_memory[] = "out of memory";

/* ---- names */

/* 0, the name "", also when there is no room, which is a fault. */
static uint16_t name_id(struct pipeline *p, const char *text, size_t n)
{
    struct name *name = NULL;
    HASH_FIND(hh, p->by_text, text, n, name);
    if (name != NULL)
        return name->id;
    struct name **more = p->names_n < PIPELINE_NAMES_MAX && n <= NAME_MOST ? realloc(p->names, (p->names_n + 1) * sizeof *more) : NULL;
    if (more != NULL)
        p->names = more;
    name = more != NULL ? calloc(1, sizeof *name + n + 1) : NULL;
    if (name == NULL) {
        p->fault = p->names_n < PIPELINE_NAMES_MAX ? no_memory : "the topics name more organizations, warehouses and groups than this command can tell apart";
        return 0;
    }
    memcpy(name->text, text, n);
    name->id = (uint16_t)p->names_n;
    HASH_ADD_KEYPTR(hh, p->by_text, name->text, n, name);
    p->names[p->names_n++] = name;
    return name->id;
}

static uint16_t text_id(struct pipeline *p, const char *text)
{
    return name_id(p, text, strlen(text));
}

const char *pipeline_name(const struct pipeline *p, uint16_t name)
{
    return name < p->names_n ? p->names[name]->text : "";
}

/* ---- publications */

static uint64_t hash_of(uint16_t organization, int64_t order_id, int64_t publication)
{
    uint64_t words[3] = {organization, (uint64_t)order_id, (uint64_t)publication};
    return XXH3_64bits(words, sizeof words);
}

static uint32_t *slot(const struct pipeline *p, uint16_t organization, int64_t order_id, int64_t publication)
{
    size_t at = (size_t)hash_of(organization, order_id, publication) & (p->index_cap - 1);
    while (p->index[at] != 0) {
        const struct pipeline_publication *pub = &p->all[p->index[at] - 1];
        if (pub->order_id == order_id && pub->publication == publication && pub->organization == organization)
            break;
        at = (at + 1) & (p->index_cap - 1);
    }
    return &p->index[at];
}

static bool grow_index(struct pipeline *p)
{
    uint32_t *before = p->index;
    size_t cap = p->index_cap == 0 ? (size_t)2 * FIRST_CAP : p->index_cap * 2;
    uint32_t *made = calloc(cap, sizeof *made);
    if (made == NULL)
        return false;
    p->index = made;
    p->index_cap = cap;
    for (size_t i = 0; i < p->n; i++)
        *slot(p, p->all[i].organization, p->all[i].order_id, p->all[i].publication) = (uint32_t)i + 1;
    free(before);
    return true;
}

/* Room for one more element; grows by half. */
static bool grow(void **all, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap == 0 ? FIRST_CAP : *cap + *cap / 2;
    void *made = realloc(*all, more * size);
    if (made == NULL)
        return false;
    *all = made;
    *cap = more;
    return true;
}

static struct pipeline_publication *take(struct pipeline *p, uint16_t organization, int64_t order_id, int64_t publication, int64_t told_at)
{
    if (*p->fault != '\0')
        return NULL;
    if (p->n * 2 >= p->index_cap && !grow_index(p)) {
        p->fault = no_memory;
        return NULL;
    }
    uint32_t *at = slot(p, organization, order_id, publication);
    if (*at != 0) {
        struct pipeline_publication *known = &p->all[*at - 1];
        known->told_at = told_at < known->told_at ? told_at : known->told_at;
        return known;
    }
    if (p->n >= PIPELINE_PUBLICATIONS_MAX || !grow((void **)&p->all, p->n, &p->cap, sizeof *p->all)) {
        p->fault = p->n >= PIPELINE_PUBLICATIONS_MAX ? "the span holds more publications than this command keeps in memory: choose a shorter one" : no_memory;
        return NULL;
    }
    struct pipeline_publication *pub = &p->all[p->n++];
    *at = (uint32_t)p->n;
    *pub = (struct pipeline_publication){.order_id = order_id, .publication = publication, .at = -1, .offset = -1, .told_at = told_at, .row_at = -1, .partition = -1,
                                         .organization = organization};
    return pub;
}

/* The offer to the warehouse; made when it is not there. The offers of a publication stand together, so they move when one comes late. */
static struct pipeline_offer *offer(struct pipeline *p, struct pipeline_publication *pub, uint16_t warehouse)
{
    for (uint32_t i = 0; i < pub->offers_n; i++)
        if (p->offers[pub->offers + i].warehouse == warehouse)
            return &p->offers[pub->offers + i];
    bool last = pub->offers_n > 0 && pub->offers + pub->offers_n == p->offers_n;
    size_t more = last ? 1 : (size_t)pub->offers_n + 1;
    for (size_t i = 0; i < more; i++) {
        if (p->offers_n + i >= PIPELINE_OFFERS_MAX || !grow((void **)&p->offers, p->offers_n + i, &p->offers_cap, sizeof *p->offers)) {
            p->fault = p->offers_n + i >= PIPELINE_OFFERS_MAX ? "the span holds more publications than this command keeps in memory: choose a shorter one" : no_memory;
            return NULL;
        }
    }
    if (!last) {
        if (pub->offers_n > 0)
            memcpy(&p->offers[p->offers_n], &p->offers[pub->offers], pub->offers_n * sizeof *p->offers);
        pub->offers = (uint32_t)p->offers_n;
    }
    p->offers_n += more;
    struct pipeline_offer *made = &p->offers[pub->offers + pub->offers_n++];
    *made = (struct pipeline_offer){.warehouse = warehouse, .answer = ANSWER_NONE, .partition = -1, .offset = -1, .at = -1};
    return made;
}

static void offer_set(struct pipeline *p, struct pipeline_publication *pub, const struct warehouse_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        (void)offer(p, pub, text_id(p, set->names[i]));
}

/* ---- what the records tell */

static void note_first(struct pipeline *p, const struct kafka_record *r)
{
    if (r->partition >= 0 && (size_t)r->partition < p->bounds_n && p->bounds[r->partition].first_at < 0)
        p->bounds[r->partition].first_at = r->timestamp;
}

bool pipeline_order(struct pipeline *p, const struct kafka_record *r)
{
    const char *organization;
    size_t n;
    int64_t id, publication = order_record_publication(r);
    const struct kafka_header *h = kafka_record_header(r, "warehouses");
    note_first(p, r);
    if (publication <= 0 || h == NULL || h->value == NULL || h->n == 0 || !order_key_parse(r->key, r->key_n, &organization, &n, &id)) {
        p->unreadable++;
        return false;
    }
    struct pipeline_publication *pub = take(p, name_id(p, organization, n), id, publication, r->timestamp);
    if (pub == NULL)
        return true;
    if (pub->at < 0) { /* the same publication may stand twice after a broker failure: the first one counts */
        pub->at = r->timestamp;
        pub->partition = r->partition;
        pub->offset = r->offset;
        pub->replayed = kafka_record_header(r, "replayed") != NULL;
    }
    for (const char *at = h->value, *end = at + h->n; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t length = (size_t)((comma != NULL ? comma : end) - at);
        if (warehouse_name_valid(at, length))
            (void)offer(p, pub, name_id(p, at, length));
        at += length + 1;
    }
    return true;
}

static int32_t partition_of(const struct pipeline *p, const struct kafka_record *r)
{
    return r->key != NULL && p->bounds_n > 0 ? key_partition(r->key, r->key_n, (int32_t)p->bounds_n) : -1;
}

static void learn_group(struct pipeline *p, const struct kafka_record *r, const struct outcome *o, uint16_t warehouse)
{
    struct name *name = p->names[warehouse];
    if (o->group == NULL || *o->group == '\0' || *o->warehouse == '\0' || name->told_group || r->timestamp < name->group_at)
        return;
    name->group_at = r->timestamp;
    p->names[warehouse]->group = text_id(p, o->group);
}

static bool excludes(enum pipeline_answer a, enum pipeline_answer b)
{
    return a != b && a != ANSWER_NONE && b != ANSWER_NONE && a != ANSWER_SUPERSEDED && b != ANSWER_SUPERSEDED;
}

/* The last verdict counts, and SUPERSEDED never replaces one: as the status-updater joins them. */
static void take_answer(const struct pipeline *p, struct pipeline_offer *f, const struct kafka_record *r, const struct outcome *o)
{
    enum pipeline_answer answer = (enum pipeline_answer)o->result;
    uint64_t document = o->document_id != NULL && *o->document_id != '\0' ? XXH3_64bits(o->document_id, strlen(o->document_id)) : 0;
    bool replaced = f->at < p->restored && o->at >= p->restored;
    if (f->partition == r->partition && f->offset == r->offset)
        return;
    f->answers += f->answers < UINT8_MAX;
    bool older = f->answer != ANSWER_NONE && f->answer != ANSWER_SUPERSEDED && o->at < f->at; /* read again after a crash, or moved here late */
    if (answer == ANSWER_SUPERSEDED && f->answer != ANSWER_NONE)
        return;
    if (replaced) {
        f->doubled = f->contradicted = false;
    } else {
        f->contradicted = f->contradicted || excludes((enum pipeline_answer)f->answer, answer);
        f->doubled = f->doubled || (answer == ANSWER_IMPORTED && f->answer == ANSWER_IMPORTED && document != 0 && f->document != 0 && document != f->document);
    }
    if (older)
        return;
    f->answer = (uint8_t)answer;
    f->document = document;
    f->partition = r->partition;
    f->offset = r->offset;
    f->at = o->at;
}

void pipeline_outcome(struct pipeline *p, const struct kafka_record *r, const struct outcome *o)
{
    uint16_t warehouse = text_id(p, o->warehouse);
    struct pipeline_publication *pub = take(p, text_id(p, o->organization), o->order_id, o->publication, r->timestamp);
    if (pub == NULL)
        return;
    if (pub->at < 0 && o->offset >= 0 && o->partition >= 0) {
        pub->partition = o->partition;
        pub->offset = o->offset;
    } else if (pub->partition < 0) {
        pub->partition = partition_of(p, r);
    }
    if (*o->warehouse != '\0')
        offer_set(p, pub, &o->warehouses);
    struct pipeline_offer *f = *p->fault == '\0' ? offer(p, pub, warehouse) : NULL;
    if (f == NULL)
        return;
    take_answer(p, f, r, o);
    learn_group(p, r, o, warehouse);
}

void pipeline_row(struct pipeline *p, const struct kafka_record *r, const struct ledger_row *row)
{
    struct pipeline_publication *pub = take(p, text_id(p, row->organization), row->order_id, row->publication, r->timestamp);
    if (pub == NULL)
        return;
    for (size_t i = 0; i < row->results_n; i++)
        if (row->results[i].warehouse[0] != '\0') { /* the producer's alone is about an order that never was a record */
            offer_set(p, pub, &row->warehouses);
            break;
        }
    if (pub->partition < 0)
        pub->partition = partition_of(p, r);
    const char *note = row->note != NULL ? row->note : "";
    size_t n = strlen(note);
    pub->note = name_id(p, note, n < NOTE_MOST ? n : NOTE_MOST);
    pub->row_at = r->timestamp;
    pub->wanted = (uint8_t)row->wanted;
    pub->set = (uint8_t)row->status_set;
    pub->closed = row->closed;
    pub->complete = row->complete;
    pub->row_withdrawn = row->withdrawn;
    pub->row_settled = row->settled_at != 0;
}

void pipeline_state(struct pipeline *p, const struct kafka_record *r, const struct order_state *s)
{
    struct pipeline_publication *pub = take(p, text_id(p, s->organization), s->order_id, s->publication, r->timestamp);
    if (pub == NULL)
        return;
    if (!s->closed)
        offer_set(p, pub, &s->warehouses);
    if (pub->partition < 0)
        pub->partition = partition_of(p, r);
    pub->open_state = !s->closed;
}

void pipeline_unreadable(struct pipeline *p)
{
    p->unreadable++;
}

uint64_t pipeline_unreadables(const struct pipeline *p)
{
    return p->unreadable;
}

/* ---- what was asked before */

enum rc pipeline_bounds(struct pipeline *p, int32_t partition, int64_t first, int64_t start)
{
    bool next = partition >= 0 && partition < PIPELINE_PARTITIONS_MAX && (size_t)partition == p->bounds_n;
    struct bound *more = next ? realloc(p->bounds, (p->bounds_n + 1) * sizeof *more) : NULL;
    if (more == NULL)
        return RC_FATAL;
    p->bounds = more;
    p->bounds[p->bounds_n++] = (struct bound){first, start, -1};
    return RC_OK;
}

static struct passed *passed_of(const struct pipeline *p, uint16_t group)
{
    for (size_t i = 0; i < p->passed_n; i++)
        if (p->passed[i].group == group)
            return &p->passed[i];
    return NULL;
}

enum rc pipeline_group(struct pipeline *p, const char *group, int32_t partition, int64_t committed)
{
    uint16_t name = text_id(p, group);
    struct passed *g = passed_of(p, name);
    if (partition < 0 || (size_t)partition >= p->bounds_n)
        return RC_OK; /* a partition that came meanwhile */
    if (g == NULL) {
        struct passed *more = realloc(p->passed, (p->passed_n + 1) * sizeof *more);
        if (more == NULL)
            return RC_FATAL;
        p->passed = more;
        g = &p->passed[p->passed_n];
        *g = (struct passed){name, malloc(p->bounds_n * sizeof *g->committed)};
        if (g->committed == NULL)
            return RC_FATAL;
        p->passed_n++;
        for (size_t i = 0; i < p->bounds_n; i++)
            g->committed[i] = -1;
    }
    g->committed[partition] = committed;
    return RC_OK;
}

enum rc pipeline_serves(struct pipeline *p, const char *warehouse, const char *group)
{
    uint16_t w = text_id(p, warehouse), g = text_id(p, group);
    if (*p->fault != '\0')
        return RC_FATAL;
    p->names[w]->group = g;
    p->names[w]->told_group = true;
    return RC_OK;
}

/* ---- answers */

static int by_order(const void *a, const void *b)
{
    const struct pipeline_publication *x = a, *y = b;
    if (x->organization != y->organization)
        return x->organization < y->organization ? -1 : 1;
    if (x->order_id != y->order_id)
        return x->order_id < y->order_id ? -1 : 1;
    return x->publication < y->publication ? -1 : x->publication > y->publication;
}

void pipeline_sort(struct pipeline *p)
{
    free(p->index);
    p->index = NULL;
    p->index_cap = 0;
    if (p->n > 1)
        qsort(p->all, p->n, sizeof *p->all, by_order);
}

const char *pipeline_fault(const struct pipeline *p)
{
    return p->fault;
}

size_t pipeline_n(const struct pipeline *p)
{
    return p->n;
}

const struct pipeline_publication *pipeline_at(const struct pipeline *p, size_t i)
{
    return &p->all[i];
}

const struct pipeline_offer *pipeline_offer_at(const struct pipeline *p, uint32_t i)
{
    return &p->offers[i];
}

bool pipeline_in_span(const struct pipeline *p, const struct pipeline_publication *pub)
{
    int64_t at = pub->at >= 0 ? pub->at : pub->told_at;
    return at >= p->from && at < p->to;
}

/* Would its record have been read? By its offset where an outcome names it; else by the publication, which is not later than its record but for clocks. */
static bool would_be_read(const struct pipeline *p, const struct pipeline_publication *pub)
{
    if (pub->partition < 0 || (size_t)pub->partition >= p->bounds_n)
        return false;
    const struct bound *b = &p->bounds[pub->partition];
    if (pub->offset >= 0)
        return pub->offset >= b->start;
    if (pub->publication < p->from)
        return false;
    return b->first == 0 || (b->first_at >= 0 && pub->publication >= b->first_at + SLACK_MS);
}

bool pipeline_record_lost(const struct pipeline *p, const struct pipeline_publication *pub)
{
    bool offered = false;
    for (uint32_t i = 0; i < pub->offers_n; i++)
        offered = offered || p->offers[pub->offers + i].warehouse != 0;
    return pub->at < 0 && offered && would_be_read(p, pub);
}

/* What the operator said, what the outcomes tell, else one of the names that erp-consumer takes by itself. */
static const struct passed *serving(const struct pipeline *p, uint16_t warehouse)
{
    const struct passed *everyone = NULL;
    const char *name = pipeline_name(p, warehouse);
    size_t n = strlen(name);
    if (p->names[warehouse]->group != 0)
        return passed_of(p, p->names[warehouse]->group);
    for (size_t i = 0; i < p->passed_n; i++) {
        const char *group = pipeline_name(p, p->passed[i].group);
        size_t m = strlen(group);
        if (m > n + 5 && strcmp(group + m - n, name) == 0 && memcmp(group + m - n - 5, "-erp-", 5) == 0)
            return &p->passed[i];
        if (m > 8 && strcmp(group + m - 8, "-erp-all") == 0)
            everyone = &p->passed[i];
    }
    return everyone;
}

const char *pipeline_group_of(const struct pipeline *p, uint16_t warehouse)
{
    const struct passed *g = serving(p, warehouse);
    return g != NULL ? pipeline_name(p, g->group) : pipeline_name(p, p->names[warehouse]->group);
}

bool pipeline_restored_between(const struct pipeline *p, const struct pipeline_offer *before, const struct pipeline_offer *after)
{
    return before->at < p->restored && after->at >= p->restored;
}

bool pipeline_passed(const struct pipeline *p, const struct pipeline_publication *pub, const struct pipeline_offer *f)
{
    const struct passed *g = pub->at >= 0 && pub->partition >= 0 && (size_t)pub->partition < p->bounds_n ? serving(p, f->warehouse) : NULL;
    return g != NULL && g->committed[pub->partition] > pub->offset;
}

struct pipeline *pipeline_create(int64_t from, int64_t to, int64_t restored)
{
    struct pipeline *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->from = from;
    p->to = to;
    p->restored = restored;
    p->fault = "";
    (void)name_id(p, "", 0);
    if (*p->fault == '\0')
        return p;
    pipeline_destroy(p);
    return NULL;
}

void pipeline_destroy(struct pipeline *p)
{
    if (p == NULL)
        return;
    HASH_CLEAR(hh, p->by_text);
    for (size_t i = 0; i < p->names_n; i++)
        free(p->names[i]);
    for (size_t i = 0; i < p->passed_n; i++)
        free(p->passed[i].committed);
    free(p->names);
    free(p->passed);
    free(p->bounds);
    free(p->index);
    free(p->offers);
    free(p->all);
    free(p);
}
