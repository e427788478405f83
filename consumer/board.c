#include "consumer/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/in_hand_print.h"
#include "consumer/order_search.h"
#include "consumer/pipeline_scan.h"
#include "consumer/scan_time.h"

enum { LIFE_BYTES = 4 * 1024 * 1024, HANDS_BYTES = 16 * 1024, REST_TIMES = 3, GRACE_MS = 900000, LONG_GRACE_MS = 86400000 };

/* What is under way: one of these steps, or nothing. */
enum step { STEP_NONE, STEP_PIPELINE, STEP_HANDS, STEP_LETTERS, STEP_ORDER, STEP_ORDER_HANDS, STEP_SUM };

struct board {
    struct board_desc desc;
    struct loop *loop;
    struct board_facts facts;
    struct program_sights *programs;
    struct group_lags *lags;
    struct loop_timer step_timer, turn_timer, programs_timer;
    enum step step;
    int64_t looked_at, began_at, rest_until; /* monotonic ms */
    struct pipeline_scan *scan;
    struct pipeline *pipeline;  /* the scan's, while its waiting is made */
    struct in_hand_ask *hands;
    struct letter_count *letters;
    struct order_search *search;
    struct board_lookup lookups[BOARD_LOOKUPS];
    size_t lookups_n;
    struct board_lookup *running;
};

static void turn(void *arg);

static int64_t mono(const struct board *b)
{
    return loop_now(b->loop);
}

static int64_t wall(const struct board *b)
{
    return clock_wall(loop_clock(b->loop));
}

/* Frees what the steps hold; not from inside one of their ops. */
static void drop_steps(struct board *b)
{
    in_hand_ask_destroy(b->hands);
    letter_count_destroy(b->letters);
    order_search_destroy(b->search);
    pipeline_scan_destroy(b->scan);
    b->hands = NULL;
    b->letters = NULL;
    b->search = NULL;
    b->scan = NULL;
    b->pipeline = NULL;
}

/* The turn is over; the next one begins in a turn of the loop to come, when what was used is no longer on the stack. */
static void turn_over(struct board *b)
{
    int64_t took = mono(b) - b->began_at;
    b->facts.scanning = false;
    if (b->running == NULL) {
        b->facts.took_ms = took;
        b->rest_until = mono(b) + (took * REST_TIMES > b->desc.every_ms ? took * REST_TIMES : b->desc.every_ms);
    }
    b->step = STEP_NONE;
    b->running = NULL;
    loop_timer_clear(b->loop, &b->step_timer);
    loop_timer_in(b->loop, &b->turn_timer, 0, turn, b);
}

static void lookup_over(struct board *b, enum board_lookup_state state, const char *words)
{
    struct board_lookup *l = b->running;
    l->state = state;
    l->done_at = mono(b);
    l->answered_at = wall(b);
    (void)snprintf(l->words, sizeof l->words, "%s", words);
    turn_over(b);
}

static void refresh_failed(struct board *b, const char *words)
{
    (void)snprintf(b->facts.words, sizeof b->facts.words, "%s", words);
    turn_over(b);
}

static void on_late(void *arg)
{
    struct board *b = arg;
    static const char words[] = "the topics could not be read to their end within three minutes; --since takes a shorter span";
    if (b->running != NULL)
        lookup_over(b, LOOKUP_FAILED, words);
    else
        refresh_failed(b, words);
}

/* ---- the figures */

static void on_letters(void *arg, const struct letter_kinds *k, const char *words)
{
    struct board *b = arg;
    if (b->step != STEP_LETTERS) /* given up */
        return;
    if (*words == '\0') {
        b->facts.letters = *k;
        b->facts.letters_known = true;
    }
    (void)snprintf(b->facts.letters_words, sizeof b->facts.letters_words, "%s", words);
    turn_over(b);
}

static void count_letters(struct board *b)
{
    struct err e;
    b->step = STEP_LETTERS;
    if (letter_count_create(b->desc.program, b->facts.from, on_letters, b, &b->letters, &e) == RC_OK)
        return;
    (void)snprintf(b->facts.letters_words, sizeof b->facts.letters_words, "%.190s", e.text);
    turn_over(b);
}

/* A status that is still to be set is among what waits already: it breaks the sum only after a day. */
static void take_figures(struct board *b, const struct in_hand *h)
{
    struct waiting w;
    struct reconcile r;
    struct err e;
    if (waiting_make(b->pipeline, h, NULL, BOARD_ROWS, &w, &e) != RC_OK || reconcile_make(b->pipeline, LONG_GRACE_MS, wall(b), &r, &e) != RC_OK) {
        refresh_failed(b, e.text); /* no memory: what the first of the two made is lost with it */
        return;
    }
    board_copy_waiting(&w, &b->facts);
    board_copy_totals(&r, &b->facts.totals);
    if (h != NULL)
        board_copy_hands(h, &b->facts);
    waiting_release(&w);
    reconcile_release(&r);
    b->facts.words[0] = '\0';
    b->facts.scanned_at = wall(b);
    count_letters(b);
}

static void on_hands(void *arg, struct in_hand *h)
{
    struct board *b = arg;
    if (b->step == STEP_HANDS) /* else given up */
        take_figures(b, h);
    in_hand_release(h);
}

static void ask_hands(struct board *b)
{
    struct err e;
    b->step = STEP_HANDS;
    if (in_hand_ask_create(b->desc.program, b->desc.at, NULL, on_hands, b, &b->hands, &e) != RC_OK)
        take_figures(b, NULL);
}

static void on_pipeline(void *arg, enum rc rc, struct pipeline *p, const char *words)
{
    struct board *b = arg;
    if (b->step != STEP_PIPELINE) /* given up */
        return;
    (void)snprintf(b->facts.notes, sizeof b->facts.notes, "%s", rc == RC_OK ? words : "");
    if (rc == RC_OK && *pipeline_fault(p) != '\0') {
        rc = RC_RETRY;
        words = pipeline_fault(p);
    }
    if (rc != RC_OK) {
        refresh_failed(b, words);
        return;
    }
    b->pipeline = p;
    ask_hands(b);
}

static void begin_refresh(struct board *b)
{
    struct err e;
    b->facts.from = b->desc.span_ms > 0 ? wall(b) - b->desc.span_ms : SCAN_TIME_BEGINNING;
    struct pipeline_span span = {b->facts.from, SCAN_TIME_END, INT64_MIN, b->desc.groups};
    b->step = STEP_PIPELINE;
    if (pipeline_scan_create(b->desc.program, &span, on_pipeline, b, &b->scan, &e) != RC_OK)
        refresh_failed(b, e.text);
}

/* ---- look-ups */

static json_t *life_of(struct board *b, const struct order_search_result *r)
{
    struct buf text;
    buf_init(&text, LIFE_BYTES);
    order_life_json(r->life, r->keys[0], wall(b), &text);
    json_t *made = buf_failed(&text) ? NULL : json_loadb((const char *)text.p, text.n, 0, NULL);
    buf_release(&text);
    return made;
}

/* What the programs say of the order goes into its life as "now". */
static void on_order_hands(void *arg, struct in_hand *h)
{
    struct board *b = arg;
    struct buf text;
    buf_init(&text, HANDS_BYTES);
    if (b->step == STEP_ORDER_HANDS) { /* else given up */
        in_hand_text(h, &text);
        if (!buf_failed(&text) && text.n > 0)
            (void)json_object_set_new(b->running->life, "now", json_stringn((const char *)text.p, text.n)); /* what is no text is left out */
        lookup_over(b, LOOKUP_DONE, "");
    }
    buf_release(&text);
    in_hand_release(h);
}

static void on_order(void *arg, const struct order_search_result *r)
{
    struct board *b = arg;
    char words[1000] = "";
    if (b->step != STEP_ORDER) /* given up */
        return;
    if (r->rc != RC_OK) {
        lookup_over(b, LOOKUP_FAILED, r->words);
        return;
    }
    json_decref(b->running->life);
    b->running->life = r->life != NULL ? life_of(b, r) : NULL;
    if (b->running->life == NULL && r->life == NULL && r->keys_n > 0) {
        size_t n = (size_t)snprintf(words, sizeof words, "Several orders have that number:");
        for (size_t i = 0; i < r->keys_n && n < sizeof words; i++)
            n += (size_t)snprintf(words + n, sizeof words - n, " %s", r->keys[i]);
    } else if (b->running->life == NULL) {
        (void)snprintf(words, sizeof words, "No record of this order: neither as its id nor as its number or the shop's own number.");
    }
    struct err e;
    b->step = STEP_ORDER_HANDS;
    if (b->running->life == NULL || in_hand_ask_create(b->desc.program, b->desc.at, r->keys[0], on_order_hands, b, &b->hands, &e) != RC_OK)
        lookup_over(b, LOOKUP_DONE, words);
}

static void on_sum(void *arg, enum rc rc, struct pipeline *p, const char *words)
{
    struct board *b = arg;
    struct reconcile r;
    struct err e;
    if (b->step != STEP_SUM) /* given up */
        return;
    if (rc == RC_OK)
        words = pipeline_fault(p);
    if (rc != RC_OK || *words != '\0') {
        lookup_over(b, LOOKUP_FAILED, words);
        return;
    }
    if (reconcile_make(p, GRACE_MS, wall(b), &r, &e) != RC_OK) {
        lookup_over(b, LOOKUP_FAILED, e.text);
        return;
    }
    board_copy_totals(&r, &b->running->totals);
    reconcile_release(&r);
    lookup_over(b, LOOKUP_DONE, "");
}

/* "FROM TO" as the page joined them. */
static enum rc parse_span(const struct board *b, const char *text, struct pipeline_span *out, struct err *e)
{
    char from[BOARD_QUESTION];
    size_t n = strcspn(text, " ");
    memcpy(from, text, n);
    from[n] = '\0';
    *out = (struct pipeline_span){.restored = INT64_MIN, .groups = b->desc.groups};
    enum rc rc = scan_time_parse(from, wall(b), &out->from, e);
    return rc == RC_OK ? scan_time_parse(text[n] != '\0' ? text + n + 1 : "end", wall(b), &out->to, e) : rc;
}

static void begin_lookup(struct board *b, struct board_lookup *l)
{
    struct err e;
    struct pipeline_span span;
    enum rc rc;
    b->running = l;
    l->state = LOOKUP_RUNS;
    b->step = l->kind == LOOKUP_ORDER ? STEP_ORDER : STEP_SUM;
    if (l->kind == LOOKUP_ORDER)
        rc = order_search_create(b->desc.program, l->text, SCAN_TIME_BEGINNING, on_order, b, &b->search, &e);
    else if ((rc = parse_span(b, l->text, &span, &e)) == RC_OK)
        rc = pipeline_scan_create(b->desc.program, &span, on_sum, b, &b->scan, &e);
    if (rc != RC_OK)
        lookup_over(b, LOOKUP_FAILED, e.text);
}

static struct board_lookup *first_waiting(struct board *b)
{
    struct board_lookup *first = NULL;
    for (size_t i = 0; i < b->lookups_n; i++) {
        struct board_lookup *l = &b->lookups[i];
        if (l->state == LOOKUP_WAITS && (first == NULL || l->wanted_at < first->wanted_at))
            first = l;
    }
    return first;
}

/* ---- whose turn */

/* A person who waits for an answer goes before the figures. */
static void turn(void *arg)
{
    struct board *b = arg;
    if (b->step != STEP_NONE)
        return;
    drop_steps(b);
    struct board_lookup *l = first_waiting(b);
    bool due = mono(b) - b->looked_at <= BOARD_LOOKED_MS;
    if (l == NULL && (!due || mono(b) < b->rest_until)) {
        if (due)
            loop_timer_in(b->loop, &b->turn_timer, b->rest_until - mono(b), turn, b);
        return;
    }
    b->began_at = mono(b);
    loop_timer_in(b->loop, &b->step_timer, BOARD_PASS_MS, on_late, b);
    b->facts.scanning = l == NULL;
    if (l != NULL)
        begin_lookup(b, l);
    else
        begin_refresh(b);
}

static void on_lags(void *arg, const struct group_lag *lags, size_t n, const char *words)
{
    struct board *b = arg;
    memcpy(b->facts.lags, lags, n * sizeof *lags);
    b->facts.lags_n = n;
    (void)snprintf(b->facts.lags_words, sizeof b->facts.lags_words, "%s", words);
}

/* The groups of the warehouses that the figures name: an embedded broker cannot list them. */
static void ask_lags(struct board *b)
{
    char names[GROUP_LAGS_MAX][256];
    const char *list[GROUP_LAGS_MAX];
    size_t n = 0;
    const char *prefix = config_text(program_config(b->desc.program), "topics.prefix"), *own = config_text(program_config(b->desc.program), "consumer.group");
    if (*own != '\0')
        list[n++] = own;
    for (size_t i = 0; i < b->facts.totals.lines_n && n < GROUP_LAGS_MAX; i++) {
        if (b->facts.totals.lines[i].warehouse[0] == '\0')
            continue;
        (void)snprintf(names[n], sizeof names[n], "%.100s-erp-%.120s", prefix, b->facts.totals.lines[i].warehouse);
        list[n] = names[n];
        n++;
    }
    group_lags_ask(b->lags, list, n);
}

static void ask_programs(void *arg)
{
    struct board *b = arg;
    if (mono(b) - b->looked_at > BOARD_LOOKED_MS)
        return; /* the next look begins it again */
    program_sights_ask(b->programs);
    ask_lags(b);
    loop_timer_in(b->loop, &b->programs_timer, BOARD_PROGRAMS_MS, ask_programs, b);
}

/* ---- for the page */

const struct board_facts *board_look(struct board *b)
{
    b->looked_at = mono(b);
    b->facts.now = wall(b);
    if (b->step == STEP_NONE && !b->turn_timer.armed)
        loop_timer_in(b->loop, &b->turn_timer, 0, turn, b);
    if (!b->programs_timer.armed)
        loop_timer_in(b->loop, &b->programs_timer, 0, ask_programs, b);
    return &b->facts;
}

static struct board_lookup *find(struct board *b, enum board_lookup_kind kind, const char *text)
{
    for (size_t i = 0; i < b->lookups_n; i++)
        if (b->lookups[i].kind == kind && strcmp(b->lookups[i].text, text) == 0)
            return &b->lookups[i];
    return NULL;
}

static bool answered(const struct board_lookup *l)
{
    return l->state == LOOKUP_DONE || l->state == LOOKUP_FAILED;
}

/* A new place, or that of the answer given longest ago. */
static struct board_lookup *make_room(struct board *b)
{
    struct board_lookup *oldest = NULL;
    if (b->lookups_n < BOARD_LOOKUPS)
        return &b->lookups[b->lookups_n++];
    for (size_t i = 0; i < BOARD_LOOKUPS; i++)
        if (answered(&b->lookups[i]) && (oldest == NULL || b->lookups[i].done_at < oldest->done_at))
            oldest = &b->lookups[i];
    if (oldest != NULL)
        json_decref(oldest->life);
    return oldest;
}

const struct board_lookup *board_find(struct board *b, enum board_lookup_kind kind, const char *text)
{
    struct board_lookup *l = strlen(text) < BOARD_QUESTION ? find(b, kind, text) : NULL;
    bool stale = l != NULL && answered(l) && mono(b) - l->done_at > BOARD_ANSWER_MS;
    if (l != NULL && !stale)
        return l;
    if (l == NULL) {
        if (strlen(text) >= BOARD_QUESTION || (l = make_room(b)) == NULL)
            return NULL;
        *l = (struct board_lookup){.kind = kind};
        (void)snprintf(l->text, sizeof l->text, "%s", text);
    }
    l->state = LOOKUP_WAITS;
    l->wanted_at = mono(b);
    if (b->step == STEP_NONE)
        loop_timer_in(b->loop, &b->turn_timer, 0, turn, b);
    return l;
}

static enum rc add_programs(struct board *b, struct err *e)
{
    static const char *const known[][2] = {
        {"xsale-producer", "http.producer_port"}, {"erp-consumer", "http.consumer_port"}, {"status-updater", "http.updater_port"}};
    struct config *c = program_config(b->desc.program);
    const char *host = config_text(c, "http.address"), *more = b->desc.at != NULL ? b->desc.at : "";
    char at[300];
    enum rc rc = RC_OK;
    bool anywhere = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0, six = strchr(host, ':') != NULL;
    for (size_t i = 0; i < 3 && rc == RC_OK; i++) {
        int port = (int)config_int(c, known[i][1]);
        (void)snprintf(at, sizeof at, "%s%.200s%s:%d", !anywhere && six ? "[" : "", anywhere ? "127.0.0.1" : host, !anywhere && six ? "]" : "", port);
        rc = port > 0 ? program_sights_add(b->programs, at, known[i][0], e) : RC_OK;
    }
    while (rc == RC_OK && *more != '\0') {
        size_t n = strcspn(more, ",");
        (void)snprintf(at, sizeof at, "%.*s", (int)n, more);
        rc = program_sights_add(b->programs, at, "", e);
        more += n + (more[n] == ',');
    }
    return rc;
}

enum rc board_create(const struct board_desc *d, struct board **out, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct board *b = calloc(1, sizeof *b);
    if (b == NULL) {
        err_set(e, "out of memory");
        return rc;
    }
    b->desc = *d;
    b->loop = program_loop(d->program);
    b->looked_at = mono(b); /* the first one who looks finds something */
    b->programs = program_sights_create(b->loop, e);
    b->facts.programs = b->programs;
    if (b->programs != NULL && (rc = add_programs(b, e)) == RC_OK)
        rc = group_lags_create(d->program, on_lags, b, &b->lags, e);
    if (rc != RC_OK) {
        board_destroy(b);
        return rc;
    }
    (void)board_look(b);
    *out = b;
    return RC_OK;
}

void board_destroy(struct board *b)
{
    if (b == NULL)
        return;
    loop_timer_clear(b->loop, &b->step_timer);
    loop_timer_clear(b->loop, &b->turn_timer);
    loop_timer_clear(b->loop, &b->programs_timer);
    drop_steps(b);
    group_lags_destroy(b->lags);
    program_sights_destroy(b->programs);
    for (size_t i = 0; i < b->lookups_n; i++)
        json_decref(b->lookups[i].life);
    free(b);
}
