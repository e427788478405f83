#include "consumer/reconcile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "consumer/record_line.h"

static const struct {
    const char *name, *words;
} kinds[FAULT_KINDS] = {
    [FAULT_PASSED] = {"passed", "the warehouse's group has passed the order's record, but there is no outcome: nobody will load it. order-replay resend it"},
    [FAULT_NO_RECORD] = {"no-record", "something is told of a publication whose record does not exist: was the topic cut, or restored from an older copy?"},
    [FAULT_DOUBLE] = {"double", "one publication was loaded into two documents of one warehouse: one of them is too much in the ERP"},
    [FAULT_SECOND] = {"second-document", "a later publication was loaded into another document instead of changing the first: one of them is too much in the ERP"},
    [FAULT_CONTRADICTION] = {"contradiction", "results exclude each other; order-replay explain shows which. After a restored backup: --restored MOMENT"},
    [FAULT_STATUS] = {"status", "every warehouse has answered, but the status is not set in xSale: is the status-updater running, and what does its /readyz say?"},
};

const char *reconcile_kind_name(enum reconcile_kind k)
{
    return (size_t)k < FAULT_KINDS ? kinds[k].name : NULL;
}

const char *reconcile_kind_words(enum reconcile_kind k)
{
    return (size_t)k < FAULT_KINDS ? kinds[k].words : NULL;
}

struct work {
    const struct pipeline *p;
    struct reconcile *out;
    int64_t grace, now;
    size_t cap;
    bool failed; /* memory */
};

static void fault(struct work *w, const struct pipeline_publication *pub, uint16_t warehouse, enum reconcile_kind kind, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void fault(struct work *w, const struct pipeline_publication *pub, uint16_t warehouse, enum reconcile_kind kind, const char *format, ...)
{
    struct reconcile *r = w->out;
    r->faults_total++;
    if (r->faults_n >= RECONCILE_FAULTS_MAX)
        return;
    if (r->faults_n == w->cap) {
        size_t cap = w->cap == 0 ? 16 : w->cap * 2;
        struct reconcile_fault *more = realloc(r->faults, cap * sizeof *more);
        w->failed = w->failed || more == NULL;
        if (more == NULL)
            return;
        r->faults = more;
        w->cap = cap;
    }
    struct reconcile_fault *f = &r->faults[r->faults_n++];
    *f = (struct reconcile_fault){.kind = kind, .publication = pub->publication, .warehouse = pipeline_name(w->p, warehouse)};
    (void)order_key_format(f->order, pipeline_name(w->p, pub->organization), pub->order_id);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(f->words, sizeof f->words, format, args);
    va_end(args);
}

/* NULL: no memory. */
static struct reconcile_line *line_of(struct work *w, uint16_t warehouse)
{
    struct reconcile *r = w->out;
    const char *name = pipeline_name(w->p, warehouse);
    for (size_t i = 0; i < r->lines_n; i++)
        if (r->lines[i].warehouse == name)
            return &r->lines[i];
    struct reconcile_line *more = realloc(r->lines, (r->lines_n + 1) * sizeof *more);
    w->failed = w->failed || more == NULL;
    if (more == NULL)
        return NULL;
    r->lines = more;
    r->lines[r->lines_n] = (struct reconcile_line){.warehouse = name};
    return &r->lines[r->lines_n++];
}

/* Without a record it was not published: the sum shows it. */
static void count(struct reconcile_line *line, enum pipeline_answer answer, bool recorded, bool lost)
{
    line->published += recorded;
    line->lost += lost;
    line->imported += answer == ANSWER_IMPORTED;
    line->rejected += answer == ANSWER_REJECTED;
    line->superseded += answer == ANSWER_SUPERSEDED;
    line->withdrawn += answer == ANSWER_WITHDRAWN;
    line->in_flight += recorded && answer == ANSWER_NONE && !lost;
}

/* Told of so lately that the rest may still be under way, or was not read any more. */
static bool fresh(const struct work *w, int64_t at)
{
    return at > w->now - w->grace;
}

static void judge_offer(struct work *w, const struct pipeline_publication *pub, const struct pipeline_offer *f, bool record_lost)
{
    bool lost = !record_lost && f->answer == ANSWER_NONE && pipeline_passed(w->p, pub, f);
    struct reconcile_line *line = line_of(w, f->warehouse);
    if (line != NULL)
        count(line, (enum pipeline_answer)f->answer, !record_lost, lost);
    count(&w->out->all, (enum pipeline_answer)f->answer, !record_lost, lost);
    if (lost)
        fault(w, pub, f->warehouse, FAULT_PASSED, "group %s has passed partition %d offset %" PRId64, pipeline_group_of(w->p, f->warehouse), (int)pub->partition,
              pub->offset);
    if (f->doubled)
        fault(w, pub, f->warehouse, FAULT_DOUBLE, "%u outcomes; the last one, in partition %d at offset %" PRId64 " of order-outcomes, names another document than one before it",
              f->answers, (int)f->partition, f->offset);
    if (f->contradicted)
        fault(w, pub, f->warehouse, FAULT_CONTRADICTION, "%u outcomes with different results; the last one is %s, in partition %d at offset %" PRId64 " of order-outcomes",
              f->answers, outcome_result_name((enum outcome_result)f->answer), (int)f->partition, f->offset);
}

struct joined { /* what the answers of a publication come to */
    bool complete, superseded;
    enum ledger_wanted wanted;
    int64_t at; /* of the last answer */
};

/* As the status-updater joins them. */
static struct joined join(const struct pipeline *p, const struct pipeline_publication *pub)
{
    struct joined j = {.complete = pub->offers_n > 0, .at = -1};
    bool imported = false, rejected = false;
    for (uint32_t i = 0; i < pub->offers_n; i++) {
        const struct pipeline_offer *f = pipeline_offer_at(p, pub->offers + i);
        j.complete = j.complete && f->answer != ANSWER_NONE;
        j.superseded = j.superseded || f->answer == ANSWER_SUPERSEDED;
        imported = imported || f->answer == ANSWER_IMPORTED;
        rejected = rejected || f->answer == ANSWER_REJECTED;
        j.at = f->at > j.at ? f->at : j.at;
    }
    if (rejected)
        j.wanted = LEDGER_MANUAL;
    else if (j.complete && !j.superseded && imported)
        j.wanted = LEDGER_IMPORTED;
    return j;
}

static const char *wanted_words(unsigned wanted)
{
    return wanted == LEDGER_IMPORTED ? "imported" : wanted == LEDGER_MANUAL ? "manual" : "no";
}

/* The status follows the newest publication alone. */
static void judge_status(struct work *w, const struct pipeline_publication *pub)
{
    struct joined j = join(w->p, pub);
    bool row = pub->row_at >= 0;
    if (!j.complete && j.wanted == LEDGER_NONE) {
        w->out->status_open++;
        return;
    }
    if (j.superseded && j.wanted == LEDGER_NONE) {
        w->out->status_open++;
        if (!fresh(w, j.at))
            fault(w, pub, 0, FAULT_CONTRADICTION, "superseded, but no newer publication of the order exists");
        return;
    }
    bool follows = j.wanted == LEDGER_NONE || pub->wanted == j.wanted;
    if (row && pub->closed && follows) {
        w->out->status_set++;
        return;
    }
    if (fresh(w, j.at)) {
        w->out->status_pending++;
        return;
    }
    if (row && pub->closed) {
        w->out->status_set++;
        fault(w, pub, 0, FAULT_CONTRADICTION, "the answers ask for the %s status, the ledger's last row wanted the %s one", wanted_words(j.wanted), wanted_words(pub->wanted));
        return;
    }
    if (!row)
        fault(w, pub, 0, FAULT_STATUS, "the %s status is due, and the ledger has no row of this publication", wanted_words(j.wanted));
    else
        fault(w, pub, 0, FAULT_STATUS, "the %s status is due and not set%s%s", wanted_words(j.wanted), pub->note != 0 ? ": " : "", pipeline_name(w->p, pub->note));
}

/* A later publication of the order, imported by the same warehouse into another document, without a withdrawal between. pubs: n, of one order, by publication. */
static void judge_documents(struct work *w, const struct pipeline_publication *pub, size_t before)
{
    for (uint32_t i = 0; i < pub->offers_n; i++) {
        const struct pipeline_offer *f = pipeline_offer_at(w->p, pub->offers + i);
        if (f->answer != ANSWER_IMPORTED || f->document == 0)
            continue;
        for (size_t k = 1; k <= before; k++) {
            const struct pipeline_publication *old = pub - k;
            const struct pipeline_offer *g = NULL;
            for (uint32_t m = 0; m < old->offers_n && g == NULL; m++)
                if (pipeline_offer_at(w->p, old->offers + m)->warehouse == f->warehouse)
                    g = pipeline_offer_at(w->p, old->offers + m);
            if (g == NULL || (g->answer != ANSWER_WITHDRAWN && (g->answer != ANSWER_IMPORTED || g->document == 0)))
                continue;
            if (g->answer == ANSWER_IMPORTED && g->document != f->document && !pipeline_restored_between(w->p, g, f))
                fault(w, pub, f->warehouse, FAULT_SECOND, "publication %" PRId64 " was imported into another document", old->publication);
            break;
        }
    }
}

static void judge(struct work *w, const struct pipeline_publication *pub, size_t before, bool newest)
{
    bool lost = pub->at < 0 && pipeline_record_lost(w->p, pub);
    w->out->publications++;
    if (lost)
        fault(w, pub, 0, FAULT_NO_RECORD, "told of by %s", pub->offset >= 0 ? "an outcome" : pub->row_at >= 0 ? "the ledger" : "the producer's order-state, or an outcome");
    for (uint32_t i = 0; i < pub->offers_n; i++)
        judge_offer(w, pub, pipeline_offer_at(w->p, pub->offers + i), lost);
    judge_documents(w, pub, before);
    if (newest && !lost)
        judge_status(w, pub);
}

static bool same_order(const struct pipeline_publication *a, const struct pipeline_publication *b)
{
    return a->order_id == b->order_id && a->organization == b->organization;
}

/* One that is known by its row or state alone is told of in the sums only where its record should be there. */
static bool counts(const struct work *w, const struct pipeline_publication *pub)
{
    if (!pipeline_in_span(w->p, pub) || pub->offers_n == 0)
        return false;
    if (pub->at >= 0 || (pub->offers_n == 1 && pipeline_offer_at(w->p, pub->offers)->warehouse == 0))
        return true;
    return pipeline_record_lost(w->p, pub) && !fresh(w, pub->told_at);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct reconcile_line *)a)->warehouse, ((const struct reconcile_line *)b)->warehouse);
}

enum rc reconcile_make(const struct pipeline *p, int64_t grace, int64_t now, struct reconcile *out, struct err *e)
{
    struct work w = {.p = p, .out = out, .grace = grace, .now = now};
    *out = (struct reconcile){.unreadable = pipeline_unreadables(p)};
    if (*pipeline_fault(p) != '\0') {
        err_set(e, "%s", pipeline_fault(p));
        return RC_FATAL;
    }
    size_t n = pipeline_n(p), before = 0;
    bool counted = false; /* the order, in the span */
    for (size_t i = 0; i < n && !w.failed; i++) {
        const struct pipeline_publication *pub = pipeline_at(p, i);
        before = i > 0 && same_order(pub, pub - 1) ? before + 1 : 0;
        counted = before > 0 && counted;
        if (!counts(&w, pub))
            continue;
        out->orders += !counted;
        counted = true;
        judge(&w, pub, before, i + 1 == n || !same_order(pub, pub + 1));
    }
    if (w.failed) {
        reconcile_release(out);
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    if (out->lines_n > 1)
        qsort(out->lines, out->lines_n, sizeof *out->lines, by_name);
    return RC_OK;
}

void reconcile_release(struct reconcile *r)
{
    free(r->lines);
    free(r->faults);
    *r = (struct reconcile){0};
}

static void put_line(const struct reconcile_line *l, struct buf *out)
{
    const char *name = l->warehouse == NULL ? "all" : *l->warehouse == '\0' ? "(producer)" : l->warehouse;
    buf_printf(out, "%-20s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %8" PRIu64 "\n", name, l->published, l->imported, l->rejected,
               l->superseded, l->withdrawn, l->in_flight, l->lost);
}

void reconcile_text(const struct reconcile *r, struct buf *out)
{
    buf_printf(out, "%-20s %10s %10s %10s %10s %10s %10s %8s\n", "warehouse", "published", "imported", "rejected", "superseded", "withdrawn", "in flight", "missing");
    for (size_t i = 0; i < r->lines_n; i++)
        put_line(&r->lines[i], out);
    put_line(&r->all, out);
    buf_printf(out, "%" PRIu64 " orders in %" PRIu64 " publications; status settled: %" PRIu64 ", on its way: %" PRIu64 ", waits for answers: %" PRIu64 "\n", r->orders,
               r->publications, r->status_set, r->status_pending, r->status_open);
    if (r->unreadable > 0)
        buf_printf(out, "%" PRIu64 " records cannot be read and are not counted\n", r->unreadable);
    if (r->faults_total == 0)
        buf_put_text(out, "everything adds up\n");
    for (int k = 0; k < FAULT_KINDS; k++) {
        bool headed = false;
        for (size_t i = 0; i < r->faults_n; i++) {
            const struct reconcile_fault *f = &r->faults[i];
            if ((int)f->kind != k)
                continue;
            if (!headed)
                buf_printf(out, "\n%s: %s\n", kinds[k].name, kinds[k].words);
            headed = true;
            buf_printf(out, "  %s%s%s, publication ", f->order, *f->warehouse != '\0' ? ", " : "", f->warehouse);
            record_line_time(f->publication, out);
            buf_printf(out, ": %s\n", f->words);
        }
    }
    if (r->faults_total > r->faults_n)
        buf_printf(out, "and %" PRIu64 " more\n", r->faults_total - r->faults_n);
}

static void put_json_text(struct buf *out, const char *text)
{
    avro_json_text(out, (const unsigned char *)text, utf8_check(text, strlen(text)));
}

static void put_json_line(const struct reconcile_line *l, struct buf *out)
{
    buf_put_text(out, "{\"warehouse\":");
    if (l->warehouse == NULL)
        buf_put_text(out, "null");
    else
        put_json_text(out, l->warehouse);
    buf_printf(out, ",\"published\":%" PRIu64 ",\"imported\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"superseded\":%" PRIu64 ",\"withdrawn\":%" PRIu64, l->published,
               l->imported, l->rejected, l->superseded, l->withdrawn);
    buf_printf(out, ",\"inFlight\":%" PRIu64 ",\"missing\":%" PRIu64 "}", l->in_flight, l->lost);
}

void reconcile_json(const struct reconcile *r, struct buf *out)
{
    buf_put_text(out, "{\"warehouses\":[");
    for (size_t i = 0; i < r->lines_n; i++) {
        buf_put_text(out, i > 0 ? "," : "");
        put_json_line(&r->lines[i], out);
    }
    buf_put_text(out, "],\"all\":");
    put_json_line(&r->all, out);
    buf_printf(out, ",\"orders\":%" PRIu64 ",\"publications\":%" PRIu64 ",\"statusSettled\":%" PRIu64 ",\"statusPending\":%" PRIu64 ",\"statusOpen\":%" PRIu64, r->orders,
               r->publications, r->status_set, r->status_pending, r->status_open);
    buf_printf(out, ",\"unreadable\":%" PRIu64 ",\"faultsTotal\":%" PRIu64 ",\"faults\":[", r->unreadable, r->faults_total);
    for (size_t i = 0; i < r->faults_n; i++) {
        const struct reconcile_fault *f = &r->faults[i];
        buf_printf(out, "%s{\"kind\":\"%s\",\"order\":", i > 0 ? "," : "", kinds[f->kind].name);
        put_json_text(out, f->order);
        buf_printf(out, ",\"publication\":%" PRId64 ",\"warehouse\":", f->publication);
        put_json_text(out, f->warehouse);
        buf_put_text(out, ",\"words\":");
        put_json_text(out, f->words);
        buf_put_byte(out, '}');
    }
    buf_put_text(out, "]}\n");
}
