#include "consumer/waiting.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "consumer/record_line.h"

static const struct {
    const char *name, *words;
} reasons[WAITING_REASONS] = {
    [WAITING_UNREAD] = {"unread", "not yet taken by the warehouse's program, or its port was not reached"},
    [WAITING_QUEUED] = {"queued", "in the program's hand, others go first"},
    [WAITING_FLYING] = {"flying", "at the ERP now"},
    [WAITING_PARKED] = {"parked", "tried in vain, tried again"},
    [WAITING_PAUSED] = {"paused", "the ERP is down"},
    [WAITING_SCHEMA] = {"schema", "its schema is not to be had"},
    [WAITING_STATUS] = {"status", "answered, the status is still to be set"},
    [WAITING_REFUSED] = {"refused", "answered, xSale refuses the status"},
};

const char *waiting_reason_name(enum waiting_reason r)
{
    return (size_t)r < WAITING_REASONS ? reasons[r].name : NULL;
}

const char *waiting_reason_words(enum waiting_reason r)
{
    return (size_t)r < WAITING_REASONS ? reasons[r].words : NULL;
}

struct spot { /* one that waits; made into a row when it is among the oldest */
    int64_t since;
    uint32_t publication;
    uint16_t warehouse;
    uint8_t reason;
};

struct work {
    const struct pipeline *p;
    const struct in_hand *hand;
    struct waiting *out;
    struct spot *spots;
    size_t spots_n, spots_cap;
    bool failed;
};

static void key_of(const struct pipeline *p, const struct pipeline_publication *pub, char out[ORDER_KEY_BYTES])
{
    if (order_key_format(out, pipeline_name(p, pub->organization), pub->order_id) == 0)
        out[0] = '\0';
}

static void sum(struct work *w, const struct spot *s)
{
    struct waiting *out = w->out;
    const char *warehouse = pipeline_name(w->p, s->warehouse);
    struct waiting_sum *at = NULL;
    for (size_t i = 0; i < out->sums_n && at == NULL; i++)
        if (out->sums[i].warehouse == warehouse && out->sums[i].reason == (enum waiting_reason)s->reason)
            at = &out->sums[i];
    if (at == NULL) {
        struct waiting_sum *more = realloc(out->sums, (out->sums_n + 1) * sizeof *more);
        w->failed = w->failed || more == NULL;
        if (more == NULL)
            return;
        out->sums = more;
        at = &out->sums[out->sums_n++];
        *at = (struct waiting_sum){.warehouse = warehouse, .reason = (enum waiting_reason)s->reason, .oldest = s->since};
    }
    at->orders++;
    at->oldest = s->since < at->oldest ? s->since : at->oldest;
}

static void spot(struct work *w, size_t publication, uint16_t warehouse, enum waiting_reason reason, int64_t since)
{
    struct spot made = {since, (uint32_t)publication, warehouse, (uint8_t)reason};
    if (w->spots_n == w->spots_cap) {
        size_t cap = w->spots_cap == 0 ? 256 : w->spots_cap * 2;
        struct spot *more = realloc(w->spots, cap * sizeof *more);
        w->failed = w->failed || more == NULL;
        if (more == NULL)
            return;
        w->spots = more;
        w->spots_cap = cap;
    }
    w->spots[w->spots_n++] = made;
    sum(w, &made);
}

/* The consumer that serves the warehouse: the one for it alone, else one for all. NULL: none answered. */
static const struct in_hand_program *consumer_of(const struct in_hand *h, const char *warehouse)
{
    const struct in_hand_program *found = NULL;
    for (size_t i = 0; h != NULL && i < h->programs_n; i++) {
        const struct in_hand_program *p = &h->programs[i];
        if (strcmp(p->program, "erp-consumer") != 0 || p->words[0] != '\0')
            continue;
        if (strcmp(p->warehouse, warehouse) == 0)
            return p;
        if (p->warehouse[0] == '\0')
            found = p;
    }
    return found;
}

static enum waiting_reason reason_of(const struct in_hand_order *o, const struct in_hand_program *p)
{
    static const struct {
        const char *state;
        enum waiting_reason reason;
    } states[] = {{"flying", WAITING_FLYING}, {"settling", WAITING_FLYING}, {"parked", WAITING_PARKED}, {"held", WAITING_SCHEMA}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(o->state, states[i].state) == 0)
            return states[i].reason;
    return p->paused[0] != '\0' ? WAITING_PAUSED : WAITING_QUEUED;
}

static const struct in_hand_order *hand_order(const struct work *w, const struct pipeline_publication *pub, const char *warehouse,
                                              const struct in_hand_program **program)
{
    char key[ORDER_KEY_BYTES];
    if (w->hand == NULL)
        return NULL;
    key_of(w->p, pub, key);
    const struct in_hand_order *o = in_hand_find(w->hand, key, warehouse, program);
    return o != NULL && o->publication == pub->publication ? o : NULL;
}

static void look_at_offer(struct work *w, size_t i, const struct pipeline_offer *f)
{
    const struct pipeline_publication *pub = pipeline_at(w->p, i);
    const char *warehouse = pipeline_name(w->p, f->warehouse);
    const struct in_hand_program *program = NULL;
    const struct in_hand_order *o = hand_order(w, pub, warehouse, &program);
    enum waiting_reason reason = WAITING_UNREAD;
    if (o != NULL)
        reason = reason_of(o, program);
    else if ((program = consumer_of(w->hand, warehouse)) != NULL && program->paused[0] != '\0')
        reason = WAITING_PAUSED;
    spot(w, i, f->warehouse, reason, pub->at >= 0 ? pub->at : pub->told_at);
}

static bool refused_in(const char *note)
{
    return strstr(note, "403") != NULL;
}

/* A status is due that no row calls settled. */
static void look_at_status(struct work *w, size_t i)
{
    const struct pipeline_publication *pub = pipeline_at(w->p, i);
    bool complete = pub->offers_n > 0, superseded = false, imported = false, rejected = false;
    int64_t at = -1;
    for (uint32_t k = 0; k < pub->offers_n; k++) {
        const struct pipeline_offer *f = pipeline_offer_at(w->p, pub->offers + k);
        complete = complete && f->answer != ANSWER_NONE;
        superseded = superseded || f->answer == ANSWER_SUPERSEDED;
        imported = imported || f->answer == ANSWER_IMPORTED;
        rejected = rejected || f->answer == ANSWER_REJECTED;
        at = f->at > at ? f->at : at;
    }
    bool due = rejected || (complete && !superseded && imported);
    if (!due || (pub->row_at >= 0 && pub->closed))
        return;
    const struct in_hand_program *program = NULL;
    const struct in_hand_order *o = hand_order(w, pub, "", &program);
    spot(w, i, 0, o != NULL && refused_in(o->words) ? WAITING_REFUSED : WAITING_STATUS, at);
}

static bool same_order(const struct pipeline_publication *a, const struct pipeline_publication *b)
{
    return a->order_id == b->order_id && a->organization == b->organization;
}

/* Only the newest publication waits: an older one ends as superseded when its turn comes. */
static void look(struct work *w, const char *warehouse)
{
    size_t n = pipeline_n(w->p);
    for (size_t i = 0; i < n && !w->failed; i++) {
        const struct pipeline_publication *pub = pipeline_at(w->p, i);
        if ((i + 1 < n && same_order(pub, pub + 1)) || !pipeline_in_span(w->p, pub))
            continue;
        for (uint32_t k = 0; pub->at >= 0 && k < pub->offers_n; k++) {
            const struct pipeline_offer *f = pipeline_offer_at(w->p, pub->offers + k);
            if (f->answer == ANSWER_NONE && (warehouse == NULL || strcmp(pipeline_name(w->p, f->warehouse), warehouse) == 0))
                look_at_offer(w, i, f);
        }
        if (warehouse == NULL || *warehouse == '\0')
            look_at_status(w, i);
    }
}

static int by_since(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;
    if (x->since != y->since)
        return x->since < y->since ? -1 : 1;
    if (x->publication != y->publication)
        return x->publication < y->publication ? -1 : 1;
    return x->warehouse < y->warehouse ? -1 : x->warehouse > y->warehouse;
}

static int by_warehouse(const void *a, const void *b)
{
    const struct waiting_sum *x = a, *y = b;
    int c = strcmp(x->warehouse, y->warehouse);
    return c != 0 ? c : (int)x->reason - (int)y->reason;
}

static void fill(const struct work *w, const struct spot *s, struct waiting_row *row)
{
    const struct pipeline_publication *pub = pipeline_at(w->p, s->publication);
    const char *warehouse = pipeline_name(w->p, s->warehouse);
    const struct in_hand_program *program = NULL;
    *row = (struct waiting_row){.publication = pub->publication, .since = s->since, .warehouse = warehouse, .reason = (enum waiting_reason)s->reason,
                                .partition = pub->at >= 0 ? pub->partition : -1, .offset = pub->at >= 0 ? pub->offset : -1, .next_in = -1};
    key_of(w->p, pub, row->order);
    const struct in_hand_order *o = hand_order(w, pub, warehouse, &program);
    if (o != NULL)
        row->next_in = o->next_in;
    if (s->reason == WAITING_PAUSED && (o == NULL || o->words[0] == '\0')) {
        program = consumer_of(w->hand, warehouse);
        (void)snprintf(row->words, sizeof row->words, "%s", program != NULL ? program->paused : "");
    } else if (o != NULL) {
        (void)snprintf(row->words, sizeof row->words, "%s", o->words);
    } else if (s->warehouse == 0) {
        (void)snprintf(row->words, sizeof row->words, "%s", pub->row_at >= 0 ? pipeline_name(w->p, pub->note) : "the ledger has no row of it yet");
    }
}

enum rc waiting_make(const struct pipeline *p, const struct in_hand *h, const char *warehouse, size_t limit, struct waiting *out, struct err *e)
{
    struct work w = {.p = p, .hand = h, .out = out};
    enum rc rc = RC_FATAL;
    *out = (struct waiting){0};
    err_set(e, "%s", *pipeline_fault(p) != '\0' ? pipeline_fault(p) : "out of memory");
    if (*pipeline_fault(p) != '\0')
        goto out;
    look(&w, warehouse);
    if (w.spots_n > 1)
        qsort(w.spots, w.spots_n, sizeof *w.spots, by_since);
    out->total = w.spots_n;
    out->rows_n = w.spots_n < limit ? w.spots_n : limit;
    if (w.failed || (out->rows = calloc(out->rows_n + 1, sizeof *out->rows)) == NULL)
        goto out;
    for (size_t i = 0; i < out->rows_n; i++)
        fill(&w, &w.spots[i], &out->rows[i]);
    if (out->sums_n > 1)
        qsort(out->sums, out->sums_n, sizeof *out->sums, by_warehouse);
    rc = RC_OK;
out:
    free(w.spots);
    if (rc != RC_OK)
        waiting_release(out);
    return rc;
}

void waiting_release(struct waiting *w)
{
    free(w->rows);
    free(w->sums);
    *w = (struct waiting){0};
}

static void put_age(struct buf *out, int64_t ms)
{
    char text[32];
    int64_t s = ms > 0 ? ms / 1000 : 0;
    if (s < 120)
        (void)snprintf(text, sizeof text, "%" PRId64 " s", s);
    else if (s < 7200)
        (void)snprintf(text, sizeof text, "%" PRId64 " min", s / 60);
    else
        (void)snprintf(text, sizeof text, "%" PRId64 " h", s / 3600);
    buf_printf(out, "%8s", text);
}

static const char *shown(const char *warehouse)
{
    return *warehouse != '\0' ? warehouse : "(status-updater)";
}

/* A text of a program in one line, cut at a character. */
static void put_words(struct buf *out, const char *text)
{
    size_t n = utf8_check(text, strlen(text));
    for (size_t i = 0; i < n; i++)
        buf_put_byte(out, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : (unsigned char)text[i]);
}

void waiting_text(const struct waiting *w, int64_t now, struct buf *out)
{
    if (w->total == 0) {
        buf_put_text(out, "nothing waits\n");
        return;
    }
    buf_printf(out, "%-20s %-8s %10s %8s\n", "warehouse", "reason", "orders", "oldest");
    for (size_t i = 0; i < w->sums_n; i++) {
        const struct waiting_sum *s = &w->sums[i];
        buf_printf(out, "%-20s %-8s %10" PRIu64 " ", shown(s->warehouse), reasons[s->reason].name, s->orders);
        put_age(out, now - s->oldest);
        buf_printf(out, "  %s\n", reasons[s->reason].words);
    }
    buf_printf(out, "\n%8s  %-20s %-8s order\n", "waits", "warehouse", "reason");
    for (size_t i = 0; i < w->rows_n; i++) {
        const struct waiting_row *r = &w->rows[i];
        put_age(out, now - r->since);
        buf_printf(out, "  %-20s %-8s %s", shown(r->warehouse), reasons[r->reason].name, r->order);
        if (r->next_in >= 0)
            buf_printf(out, ", next try in %" PRId64 " s", (r->next_in + 999) / 1000);
        if (r->words[0] != '\0') {
            buf_put_text(out, ": ");
            put_words(out, r->words);
        }
        buf_put_byte(out, '\n');
    }
    if (w->total > w->rows_n)
        buf_printf(out, "and %" PRIu64 " more\n", w->total - w->rows_n);
}

static void put_json_text(struct buf *out, const char *text)
{
    avro_json_text(out, (const unsigned char *)text, utf8_check(text, strlen(text)));
}

static void put_json_row(const struct waiting_row *r, int64_t now, struct buf *out)
{
    buf_put_text(out, "{\"order\":");
    put_json_text(out, r->order);
    buf_printf(out, ",\"publication\":%" PRId64 ",\"since\":\"", r->publication);
    record_line_time(r->since, out);
    buf_printf(out, "\",\"waitingMs\":%" PRId64 ",\"warehouse\":", now > r->since ? now - r->since : 0);
    put_json_text(out, r->warehouse);
    buf_printf(out, ",\"reason\":\"%s\",\"words\":", reasons[r->reason].name);
    put_json_text(out, r->words);
    if (r->next_in >= 0)
        buf_printf(out, ",\"nextInMs\":%" PRId64, r->next_in);
    if (r->offset >= 0)
        buf_printf(out, ",\"partition\":%d,\"offset\":%" PRId64, (int)r->partition, r->offset);
    buf_put_byte(out, '}');
}

void waiting_json(const struct waiting *w, int64_t now, struct buf *out)
{
    buf_printf(out, "{\"total\":%" PRIu64 ",\"sums\":[", w->total);
    for (size_t i = 0; i < w->sums_n; i++) {
        const struct waiting_sum *s = &w->sums[i];
        buf_printf(out, "%s{\"warehouse\":", i > 0 ? "," : "");
        put_json_text(out, s->warehouse);
        buf_printf(out, ",\"reason\":\"%s\",\"orders\":%" PRIu64 ",\"oldest\":\"", reasons[s->reason].name, s->orders);
        record_line_time(s->oldest, out);
        buf_put_text(out, "\"}");
    }
    buf_put_text(out, "],\"orders\":[");
    for (size_t i = 0; i < w->rows_n; i++) {
        buf_put_text(out, i > 0 ? "," : "");
        put_json_row(&w->rows[i], now, out);
    }
    buf_put_text(out, "]}\n");
}
