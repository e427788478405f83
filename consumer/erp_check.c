#include "consumer/erp_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/check_order.h"
#include "consumer/erp_reply.h"
#include "consumer/erp_sink.h"

enum { ORDERS = 4, AT_ONCE = 2, AGAIN_MOST = 20, AGAIN_MS = 250, DOCUMENT_MAX = 16 * 1024 * 1024, ID_FIRST = 1000000000 };

/* What the ERP owes in a step. */
enum owed {
    OWED_NEW,      /* loaded, in a document of its own */
    OWED_SAME,     /* loaded, and the document is the one that the order has */
    OWED_EDIT,     /* the same, or refused */
    OWED_DONE,     /* done; which document does not matter */
    OWED_NOTHING,  /* done without a trace: no document, or the one that was withdrawn */
    OWED_ANEW      /* loaded, in whatever document */
};

struct step {
    const char *what;
    unsigned char order, version; /* version: place of its publication */
    bool edited, withdrawn, ambiguous, twice;
    enum owed owed;
    bool cleans; /* what it finds does not count */
};

static const struct step steps[] = {
    {"a new order is loaded", 0, 1, .owed = OWED_NEW},
    {"the same offer again: the same document", 0, 1, .owed = OWED_SAME},
    {"again after a lost answer: the same document", 0, 1, .ambiguous = true, .owed = OWED_SAME},
    {"the same content, published again: the same document", 0, 2, .owed = OWED_SAME},
    {"an edit: the same document, or refused", 0, 3, .edited = true, .owed = OWED_EDIT},
    {"an older publication that comes late changes nothing", 0, 1, .owed = OWED_SAME},
    {"another order is another document", 1, 1, .owed = OWED_NEW},
    {"one order twice at the same time: one document", 2, 1, .twice = true, .owed = OWED_NEW},
    {"a withdrawal of a loaded order", 0, 4, .edited = true, .withdrawn = true, .owed = OWED_DONE},
    {"the same withdrawal again", 0, 4, .edited = true, .withdrawn = true, .ambiguous = true, .owed = OWED_DONE},
    {"an older publication after its withdrawal is not loaded", 0, 3, .edited = true, .owed = OWED_NOTHING},
    {"a newer publication after the withdrawal is loaded anew", 0, 5, .owed = OWED_ANEW},
    {"and offered again: the same document", 0, 5, .owed = OWED_SAME},
    {"a withdrawal of an order never seen", 3, 2, .withdrawn = true, .owed = OWED_DONE},
    {"that order, late after its withdrawal, is not loaded", 3, 1, .owed = OWED_NOTHING},
    {"that order, published anew, is loaded", 3, 3, .owed = OWED_ANEW},
    {"clean-up: the first order", 0, 6, .withdrawn = true, .owed = OWED_DONE, .cleans = true},
    {"clean-up: the second order", 1, 2, .withdrawn = true, .owed = OWED_DONE, .cleans = true},
    {"clean-up: the third order", 2, 2, .withdrawn = true, .owed = OWED_DONE, .cleans = true},
    {"clean-up: the fourth order", 3, 4, .withdrawn = true, .owed = OWED_DONE, .cleans = true},
};

struct try { /* one offer of the step */
    struct erp_check *check;
    struct erp_load load;
    bool over;
    int again;
    enum fate fate;
    bool named;
    char document[ERP_DOCUMENT_BYTES];
    char words[ERP_REASON_BYTES];
    struct loop_timer timer;
};

struct erp_check {
    struct erp_check_env env;
    struct check_order *template;
    struct erp_sink *sink;
    const char *warehouse;
    int64_t first_id, first_publication;
    size_t step;
    struct try tries[AT_ONCE];
    struct buf document;
    char revision[ORDER_REVISION_BYTES], key[600];
    char documents[ORDERS][ERP_DOCUMENT_BYTES]; /* of the orders; "": none named */
    unsigned kept, broken, unknown, skipped;
    bool loaded; /* anything at all */
    struct loop_timer timer;
};

static const char organization[] = "test";

static void begin_step(void *arg);
static void try_once(void *arg);
static void go_on(struct erp_check *k);

static size_t offers(const struct step *s)
{
    return s->twice ? 2 : 1;
}

static void finish(struct erp_check *k, int code, const char *words)
{
    if (k->loaded && !k->sink->ops->withdraws(k->sink))
        (void)fprintf(k->env.out, "The test orders %" PRId64 " to %" PRId64 " of organization \"%s\" are left in the ERP: withdrawals are not passed on.\n", k->first_id,
                      k->first_id + ORDERS - 1, organization);
    if (words == NULL)
        (void)fprintf(k->env.out, "%u kept, %u not kept, %u not to be told, %u skipped.\n", k->kept, k->broken, k->unknown, k->skipped);
    (void)fflush(k->env.out); /* a terminal that is gone does not matter */
    k->env.finished(k->env.arg, code, words);
}

static void say(struct erp_check *k, const char *how, const char *detail)
{
    (void)fprintf(k->env.out, "%-8s %s%s%s\n", how, steps[k->step].what, detail[0] != '\0' ? ": " : "", detail);
}

static bool is_other_orders(const struct erp_check *k, const struct step *s, const char *document)
{
    for (size_t i = 0; i < ORDERS; i++)
        if (i != s->order && strcmp(k->documents[i], document) == 0)
            return true;
    return false;
}

/* What is wrong with the document that a loaded offer names; NULL: nothing. *told: it could be judged at all. */
static const char *wrong_document(const struct erp_check *k, const struct step *s, const struct try *t, bool *told)
{
    const char *known = k->documents[s->order];
    bool same = s->owed == OWED_SAME || s->owed == OWED_EDIT;
    *told = t->named || s->owed == OWED_DONE || s->owed == OWED_NOTHING;
    if (!t->named)
        return NULL;
    if (s->owed != OWED_DONE && is_other_orders(k, s, t->document))
        return "it is another order's document";
    if (same && known[0] != '\0' && strcmp(known, t->document) != 0)
        return "it is a second document";
    if (s->owed == OWED_NOTHING && strcmp(known, t->document) != 0)
        return "it was loaded";
    return NULL;
}

static void judge(struct erp_check *k, const struct step *s, const struct try *t)
{
    char detail[ERP_REASON_BYTES + ERP_DOCUMENT_BYTES + 80];
    bool told = true, refused = t->fate == FATE_REJECT && s->owed == OWED_EDIT;
    const char *wrong = t->fate == FATE_LOADED ? wrong_document(k, s, t, &told) : NULL;
    if (refused) {
        (void)snprintf(detail, sizeof detail, "refused (%s)", t->words);
    } else if (t->fate != FATE_LOADED) {
        (void)snprintf(detail, sizeof detail, "%s", t->words);
    } else if (wrong != NULL) {
        (void)snprintf(detail, sizeof detail, "%s (%s)", wrong, t->document);
    } else {
        (void)snprintf(detail, sizeof detail, "%s", t->named ? t->document : "");
    }
    if (s->cleans) {
        say(k, t->fate == FATE_LOADED ? "" : "left", t->fate == FATE_LOADED ? "" : detail);
    } else if ((t->fate != FATE_LOADED && !refused) || wrong != NULL) {
        k->broken++;
        say(k, "BROKEN", detail);
    } else if (!told) {
        k->unknown++;
        say(k, "?", "done, but the ERP names no document");
    } else {
        k->kept++;
        say(k, "ok", detail);
    }
    if (t->fate == FATE_LOADED && t->named && s->owed != OWED_DONE && s->owed != OWED_NOTHING)
        memcpy(k->documents[s->order], t->document, sizeof t->document);
}

/* Can nothing more be learnt? A first order that is refused, or an ERP that is not there. */
static bool hopeless(struct erp_check *k, const struct try *t)
{
    char words[ERP_REASON_BYTES + 100];
    if (t->fate == FATE_LOADED) {
        k->loaded = true;
        return false;
    }
    if (k->step == 0 && t->fate == FATE_REJECT)
        (void)snprintf(words, sizeof words, "the ERP refuses the test order: %s; give it one that it takes with --check-order", t->words);
    else if (k->step == 0 || t->fate == FATE_PAUSE)
        (void)snprintf(words, sizeof words, "%s: %s", steps[k->step].what, t->words);
    else
        return false;
    finish(k, ERP_CHECK_FAILED, words);
    return true;
}

static void step_over(struct erp_check *k)
{
    const struct step *s = &steps[k->step];
    struct try *t = &k->tries[0], *other = &k->tries[1];
    for (size_t i = 0; i < offers(s); i++)
        if (hopeless(k, &k->tries[i]))
            return;
    if (s->twice && t->fate == FATE_LOADED) {
        bool two = other->fate == FATE_LOADED && t->named && other->named && strcmp(t->document, other->document) != 0;
        if (two || other->fate != FATE_LOADED) {
            t->fate = FATE_PARK;
            (void)snprintf(t->words, sizeof t->words, "%s", two ? "two documents" : other->words);
        }
    }
    judge(k, s, t);
    go_on(k);
}

static void tried(void *arg, const struct erp_verdict *v)
{
    struct try *t = arg;
    struct erp_check *k = t->check;
    if ((v->fate == FATE_AGAIN || (v->fate == FATE_PARK && steps[k->step].twice)) && t->again++ < AGAIN_MOST) {
        loop_timer_in(k->env.loop, &t->timer, AGAIN_MS, try_once, t);
        return;
    }
    t->fate = v->fate;
    t->named = v->document_id != NULL;
    (void)snprintf(t->document, sizeof t->document, "%s", t->named ? v->document_id : "");
    (void)snprintf(t->words, sizeof t->words, "%s", v->reason != NULL ? v->reason : v->words);
    t->over = true;
    for (size_t i = 0; i < offers(&steps[k->step]); i++)
        if (!k->tries[i].over)
            return;
    step_over(k);
}

static void try_once(void *arg)
{
    struct try *t = arg;
    struct erp_check *k = t->check;
    struct err e = {{0}};
    t->load.attempt++;
    enum rc rc = k->sink->ops->submit(k->sink, &t->load, tried, t, &e);
    if (rc == RC_OK)
        return;
    struct erp_verdict v = {.fate = rc == RC_REJECT ? FATE_REJECT : FATE_PAUSE, .retry_after_ms = -1, .words = e.text};
    tried(t, &v);
}

static void go_on(struct erp_check *k)
{
    k->step++;
    loop_timer_in(k->env.loop, &k->timer, 0, begin_step, k);
}

/* Steps about withdrawals mean nothing to an ERP that is never told of them. */
static bool skips(struct erp_check *k, const struct step *s)
{
    if (k->sink->ops->withdraws(k->sink) || (!s->withdrawn && s->owed != OWED_NOTHING && s->owed != OWED_ANEW))
        return false;
    if (!s->cleans) {
        k->skipped++;
        say(k, "skipped", "withdrawals are not passed on");
    }
    return true;
}

/* The order in the step's version, in document, key and the tries. */
static enum rc prepare(struct erp_check *k, const struct step *s, struct err *e)
{
    struct check_version v = {.organization = organization, .order_id = k->first_id + s->order, .warehouse = k->warehouse,
                              .publication = k->first_publication + s->version, .withdrawn = s->withdrawn, .edited = s->edited};
    buf_reset(&k->document);
    enum rc rc = check_order_write(k->template, &v, &k->document, k->revision, e);
    if (rc == RC_OK && buf_failed(&k->document)) {
        err_set(e, "the test order is too large");
        rc = RC_REJECT;
    }
    (void)snprintf(k->key, sizeof k->key, "%s/%" PRId64 "/%s/%" PRId64, v.organization, v.order_id, v.warehouse, v.publication);
    for (size_t i = 0; i < offers(s); i++)
        k->tries[i] = (struct try){.check = k, .load = {.key = k->key, .organization = v.organization, .order_id = v.order_id, .warehouse = v.warehouse,
                                                        .revision = k->revision, .publication = v.publication, .withdrawn = v.withdrawn,
                                                        .document = (const char *)k->document.p, .document_n = k->document.n, .ambiguous = s->ambiguous}};
    return rc;
}

static void begin_step(void *arg)
{
    struct erp_check *k = arg;
    const struct step *s = &steps[k->step];
    struct err e = {{0}};
    if (k->step == sizeof steps / sizeof *steps) {
        finish(k, k->broken > 0 ? ERP_CHECK_BROKEN : ERP_CHECK_KEPT, NULL);
        return;
    }
    if (skips(k, s)) {
        go_on(k);
        return;
    }
    if (prepare(k, s, &e) != RC_OK) {
        finish(k, ERP_CHECK_FAILED, e.text);
        return;
    }
    for (size_t i = 0; i < offers(s); i++)
        loop_timer_in(k->env.loop, &k->tries[i].timer, 0, try_once, &k->tries[i]);
}

/* The consumer's own warehouse, else one that is known. */
static const char *warehouse_of(const struct config *c)
{
    const char *own = config_text(c, "consumer.warehouse"), *initial = config_text(c, "warehouses.default");
    if (own[0] != '\0')
        return own;
    if (config_list_count(c, "warehouses.known") > 0)
        return config_list_item(c, "warehouses.known", 0);
    return initial[0] != '\0' ? initial : "TEST";
}

enum rc erp_check_create(const struct erp_check_env *env, struct erp_check **out, struct err *e)
{
    const struct erp_sink_ops *ops = erp_sink_find(config_text(env->config, "erp.sink"));
    struct erp_check *k = calloc(1, sizeof *k);
    int64_t now = clock_wall(loop_clock(env->loop));
    enum rc rc = RC_FATAL;
    err_set(e, "out of memory");
    if (k == NULL)
        return RC_FATAL;
    k->env = *env;
    buf_init(&k->document, DOCUMENT_MAX);
    k->warehouse = warehouse_of(env->config);
    k->first_publication = now;
    k->first_id = ID_FIRST + now / 1000 * ORDERS % ID_FIRST; /* each run has its own; fits 32 bits */
    struct erp_sink_env sink = {.loop = env->loop, .config = env->config, .log = env->log};
    rc = check_order_open(env->config, env->order, &k->template, e);
    if (rc == RC_OK)
        rc = ops->open(&sink, &k->sink, e);
    if (rc != RC_OK) {
        erp_check_destroy(k);
        return rc;
    }
    (void)fprintf(env->out, "Test orders %" PRId64 " to %" PRId64 " of organization \"%s\" for warehouse %s, sink %s\n", k->first_id, k->first_id + ORDERS - 1, organization,
                  k->warehouse, ops->name);
    loop_timer_in(env->loop, &k->timer, 0, begin_step, k);
    *out = k;
    return RC_OK;
}

void erp_check_destroy(struct erp_check *k)
{
    if (k == NULL)
        return;
    loop_timer_clear(k->env.loop, &k->timer);
    for (size_t i = 0; i < AT_ONCE; i++)
        loop_timer_clear(k->env.loop, &k->tries[i].timer);
    if (k->sink != NULL)
        k->sink->ops->close(k->sink);
    check_order_close(k->template);
    buf_release(&k->document);
    free(k);
}
