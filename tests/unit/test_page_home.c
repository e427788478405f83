#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/web_site.h"
#include "consumer/page_home.h"
#include "consumer/page_order.h"
#include "consumer/page_sum.h"

#define HOSTILE "</h1><script>alert(1)</script>\"'&\xFF"

enum { NOW = 2000000000 };

struct world {
    struct loop *loop;
    struct program_sights *programs;
    struct board_facts *facts;
    struct buf out;
};

static int setup(void **state)
{
    static struct world w;
    struct err e;
    memset(&w, 0, sizeof w);
    w.loop = loop_create(NULL, &e);
    w.programs = program_sights_create(w.loop, &e);
    w.facts = calloc(1, sizeof *w.facts);
    w.facts->programs = w.programs;
    w.facts->now = NOW;
    buf_init(&w.out, WEB_PAGE_MAX);
    assert_int_equal(program_sights_add(w.programs, "127.0.0.1:9103", "erp-consumer", &e), RC_OK);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    buf_release(&w->out);
    program_sights_destroy(w->programs);
    loop_destroy(w->loop);
    free(w->facts);
    return 0;
}

/* As much of it as there is room for. */
static void hostile(char *to, size_t room)
{
    size_t n = strlen(HOSTILE) < room ? strlen(HOSTILE) : room - 1;
    memcpy(to, HOSTILE, n);
    to[n] = '\0';
}

#define TEXT(to) hostile(to, sizeof(to))

/* Every text that comes from elsewhere, hostile; every list full. */
static void fill(struct world *w)
{
    struct board_facts *f = w->facts;
    struct program_sight *p = (struct program_sight *)program_sights_get(w->programs, 0);
    f->scanned_at = NOW - 1000;
    f->letters_known = true;
    TEXT(f->words);
    TEXT(f->notes);
    TEXT(f->lags_words);
    p->state = PROGRAM_TROUBLED;
    TEXT(p->name);
    p->dependencies_n = PROGRAM_DEPENDENCIES;
    for (size_t i = 0; i < PROGRAM_DEPENDENCIES; i++) {
        TEXT(p->dependencies[i].name);
        TEXT(p->dependencies[i].state);
        TEXT(p->dependencies[i].since);
        TEXT(p->dependencies[i].why);
        TEXT(p->dependencies[i].doing);
    }
    for (f->sums_n = 0; f->sums_n < BOARD_SUMS; f->sums_n++) {
        f->sums[f->sums_n] = (struct board_sum){.reason = (enum waiting_reason)(f->sums_n % WAITING_REASONS), .orders = 1 + f->sums_n, .oldest = NOW - 1000000};
        (void)snprintf(f->sums[f->sums_n].warehouse, BOARD_NAME, "%zu%s", f->sums_n, HOSTILE);
    }
    f->waiting = 1234567;
    for (f->rows_n = 0; f->rows_n < BOARD_ROWS; f->rows_n++) {
        struct board_row *r = &f->rows[f->rows_n];
        TEXT(r->order);
        TEXT(r->warehouse);
        TEXT(r->words);
        r->reason = (enum waiting_reason)(f->rows_n % WAITING_REASONS);
        r->next_in = 1000;
    }
    for (f->lags_n = 0; f->lags_n < GROUP_LAGS_MAX; f->lags_n++)
        TEXT(f->lags[f->lags_n].group);
    for (f->consumers_n = 0; f->consumers_n < PROGRAM_SIGHTS_MAX; f->consumers_n++) {
        (void)snprintf(f->consumers[f->consumers_n].at, sizeof f->consumers[0].at, "127.0.0.1:9103");
        TEXT(f->consumers[f->consumers_n].warehouse);
        TEXT(f->consumers[f->consumers_n].paused);
    }
    for (f->letters.n = 0; f->letters.n < LETTER_KINDS_MAX; f->letters.n++) {
        f->letters.total++;
        TEXT(f->letters.all[f->letters.n].program);
        TEXT(f->letters.all[f->letters.n].code);
    }
}

static void fill_totals(struct board_totals *t)
{
    for (t->lines_n = 0; t->lines_n < BOARD_LINES; t->lines_n++)
        TEXT(t->lines[t->lines_n].warehouse);
    t->faults_total = 1000;
    for (t->faults_n = 0; t->faults_n < BOARD_FAULTS; t->faults_n++) {
        TEXT(t->faults[t->faults_n].order);
        TEXT(t->faults[t->faults_n].warehouse);
        TEXT(t->faults[t->faults_n].words);
        t->faults[t->faults_n].kind = (enum reconcile_kind)(t->faults_n % FAULT_KINDS);
    }
}

static const char *text_of(struct world *w)
{
    assert_false(buf_failed(&w->out));
    return buf_text(&w->out);
}

static void whole_and_harmless(struct world *w)
{
    const char *text = text_of(w), *end = "</body></html>\n";
    assert_null(strstr(text, "<script>alert"));
    assert_null(strstr(text, "</h1><script"));
    assert_non_null(strstr(text, "&lt;/h1&gt;&lt;script&gt;alert(1)"));
    assert_null(strstr(text, "\xFF"));
    assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void whatever_others_say_stays_text(void **state)
{
    struct world *w = *state;
    fill(w);
    fill_totals(&w->facts->totals);
    page_home(w->facts, "0123456789abcdef", &w->out);
    whole_and_harmless(w);
}

static void the_fullest_page_is_well_below_its_limit(void **state)
{
    struct world *w = *state;
    fill(w);
    fill_totals(&w->facts->totals);
    page_home(w->facts, "0123456789abcdef", &w->out);
    assert_true(w->out.n < WEB_PAGE_MAX / 4);
}

static void before_the_first_pass_nothing_is_called_well(void **state)
{
    struct world *w = *state;
    page_home(w->facts, "0123456789abcdef", &w->out);
    const char *text = text_of(w);
    assert_non_null(strstr(text, "Looking for the first time"));
    assert_null(strstr(text, "All is well"));
    assert_null(strstr(text, "None."));
    assert_null(strstr(text, "Everything adds up"));
    assert_non_null(strstr(text, "<noscript><meta http-equiv=\"refresh\" content=\"1\"></noscript>"));
}

static void with_figures_and_no_trouble_all_is_well(void **state)
{
    struct world *w = *state;
    ((struct program_sight *)program_sights_get(w->programs, 0))->state = PROGRAM_READY;
    w->facts->scanned_at = NOW - 3000;
    page_home(w->facts, "0123456789abcdef", &w->out);
    const char *text = text_of(w);
    assert_non_null(strstr(text, "<h1>All is well</h1>"));
    assert_non_null(strstr(text, "Figures 3 s old"));
    assert_non_null(strstr(text, "/icon-well.svg"));
    assert_null(strstr(text, "http-equiv=\"refresh\" content=\"1\""));
}

static void an_order_shows_names_of_fields_and_no_value(void **state)
{
    struct world *w = *state;
    struct board_lookup l = {.kind = LOOKUP_ORDER, .state = LOOKUP_DONE, .answered_at = NOW};
    l.life = json_pack("{s:s,s:[{s:s,s:s,s:s,s:s,s:[s,s,s,s]}],s:b,s:[s]}", "order", "acme/1", "events", "time", "t", "kind", "published", "words", "</h1><script>alert(1)</script>",
                       "where", "w", "changes", "/buyer/email: \"jan@example.pl\" -> \"ewa@example.pl\"", "/remarks: \"a: b\" -> \"c\"", "/secret-without-a-colon",
                       "and 3 more", "settled", 0, "waitingFor", "</h1><script>alert(1)</script>");
    assert_non_null(l.life);
    page_order(&l, HOSTILE, "0123456789abcdef", &w->out);
    whole_and_harmless(w);
    const char *text = text_of(w);
    assert_non_null(strstr(text, "/buyer/email, /remarks"));
    assert_non_null(strstr(text, "and 3 more"));
    static const char *const values[] = {"jan@", "ewa@", "a: b", "secret"};
    for (size_t i = 0; i < 4; i++)
        assert_null(strstr(text, values[i]));
    json_decref(l.life);
}

static void a_look_up_that_is_not_done_says_so_and_comes_back(void **state)
{
    struct world *w = *state;
    struct board_lookup l = {.kind = LOOKUP_ORDER, .state = LOOKUP_RUNS};
    static const enum board_lookup_state states[] = {LOOKUP_WAITS, LOOKUP_RUNS};
    for (size_t i = 0; i < 2; i++) {
        l.state = states[i];
        buf_reset(&w->out);
        page_order(&l, "1", "0123456789abcdef", &w->out);
        assert_non_null(strstr(text_of(w), "http-equiv=\"refresh\""));
    }
    buf_reset(&w->out);
    page_order(NULL, "1", "0123456789abcdef", &w->out);
    assert_non_null(strstr(text_of(w), "Too many look-ups"));
    l.state = LOOKUP_FAILED;
    (void)snprintf(l.words, sizeof l.words, "%s", HOSTILE);
    buf_reset(&w->out);
    page_order(&l, "1", "0123456789abcdef", &w->out);
    whole_and_harmless(w);
    assert_null(strstr(text_of(w), "http-equiv=\"refresh\""));
}

static void a_sum_names_its_faults(void **state)
{
    struct world *w = *state;
    struct board_lookup *l = calloc(1, sizeof *l);
    l->kind = LOOKUP_SUM;
    l->state = LOOKUP_DONE;
    fill_totals(&l->totals);
    page_sum(l, HOSTILE, HOSTILE, "0123456789abcdef", &w->out);
    whole_and_harmless(w);
    assert_non_null(strstr(text_of(w), "Not everything adds up."));
    free(l);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(whatever_others_say_stays_text),
        TEST(the_fullest_page_is_well_below_its_limit),
        TEST(before_the_first_pass_nothing_is_called_well),
        TEST(with_figures_and_no_trouble_all_is_well),
        TEST(an_order_shows_names_of_fields_and_no_value),
        TEST(a_look_up_that_is_not_done_says_so_and_comes_back),
        TEST(a_sum_names_its_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
