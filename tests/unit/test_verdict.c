#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/verdict.h"

enum { NOW = 2000000000 };

struct world {
    struct loop *loop;
    struct program_sights *programs;
    struct board_facts *facts;
    struct verdict verdict;
};

/* The list's own place: tests write where answers would. */
static struct program_sight *sight(const struct world *w, size_t i)
{
    return (struct program_sight *)program_sights_get(w->programs, i);
}

static int setup(void **state)
{
    static struct world w;
    static const char *const names[] = {"xsale-producer", "erp-consumer", "status-updater"};
    struct err e;
    memset(&w, 0, sizeof w);
    w.loop = loop_create(NULL, &e);
    w.programs = program_sights_create(w.loop, &e);
    w.facts = calloc(1, sizeof *w.facts);
    for (int i = 0; i < 3; i++) {
        char at[40];
        (void)snprintf(at, sizeof at, "127.0.0.1:%d", 9101 + i);
        assert_int_equal(program_sights_add(w.programs, at, names[i], &e), RC_OK);
        sight(&w, (size_t)i)->state = PROGRAM_READY;
    }
    w.facts->programs = w.programs;
    w.facts->now = w.facts->scanned_at = NOW;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    program_sights_destroy(w->programs);
    loop_destroy(w->loop);
    free(w->facts);
    return 0;
}

static const struct trouble *look(struct world *w, size_t n)
{
    verdict_make(w->facts, &w->verdict);
    assert_int_equal(w->verdict.troubles_n, n);
    return &w->verdict.troubles[0];
}

static void down(struct world *w, size_t program, const char *name, const char *state)
{
    struct program_sight *p = sight(w, program);
    struct program_dependency *d = &p->dependencies[p->dependencies_n++];
    p->state = PROGRAM_TROUBLED;
    (void)snprintf(d->name, sizeof d->name, "%s", name);
    (void)snprintf(d->state, sizeof d->state, "%s", state);
    (void)snprintf(d->why, sizeof d->why, "HTTP 503");
    (void)snprintf(d->since, sizeof d->since, "1970-01-24T03:31:20.000Z"); /* two minutes before NOW */
    (void)snprintf(d->doing, sizeof d->doing, "one order at a time");
}

static void wait_for(struct world *w, const char *warehouse, enum waiting_reason reason, uint64_t orders, int64_t age)
{
    struct board_sum *s = &w->facts->sums[w->facts->sums_n++];
    *s = (struct board_sum){.reason = reason, .orders = orders, .oldest = NOW - age};
    (void)snprintf(s->warehouse, sizeof s->warehouse, "%s", warehouse);
}

static void all_is_well_when_everybody_is_ready_and_nothing_waits_for_long(void **state)
{
    struct world *w = *state;
    wait_for(w, "MAG-1", WAITING_UNREAD, 5, 1000);
    wait_for(w, "MAG-1", WAITING_FLYING, 32, 2000);
    wait_for(w, "", WAITING_STATUS, 3, 60000);
    (void)look(w, 0);
    assert_int_equal(w->verdict.level, VERDICT_WELL);
    assert_true(w->verdict.known);
}

static void an_erp_that_is_down_comes_first_with_what_to_do(void **state)
{
    struct world *w = *state;
    wait_for(w, "MAG-1", WAITING_UNREAD, 1204, 7200000);
    down(w, 1, "erp", "down");
    const struct trouble *t = look(w, 2);
    assert_int_equal(w->verdict.level, VERDICT_BAD);
    assert_string_equal(t->what, "erp-consumer 127.0.0.1:9102: the ERP is down");
    assert_string_equal(t->why, "HTTP 503, for 2 min");
    assert_string_equal(t->doing, "one order at a time");
    assert_non_null(strstr(t->todo, "Repair the ERP"));
    assert_non_null(strstr(t->command, "order-replay rewind"));
    assert_string_equal(t[1].what, "MAG-1: 1204 orders not read yet");
}

static void the_worst_comes_first(void **state)
{
    struct world *w = *state;
    (void)snprintf(w->facts->lags_words, sizeof w->facts->lags_words, "not every group is known");
    down(w, 0, "polling", "unknown");
    down(w, 2, "xsale", "down");
    const struct trouble *t = look(w, 3);
    assert_string_equal(t[0].what, "status-updater: xSale is down");
    assert_int_equal(t[1].level, VERDICT_WAITS);
    assert_int_equal(t[2].level, VERDICT_WAITS);
}

static void orders_that_wait_for_an_erp_are_told_once(void **state)
{
    struct world *w = *state;
    wait_for(w, "MAG-1", WAITING_PAUSED, 20, 1000);
    assert_string_equal(look(w, 1)->what, "MAG-1: 20 orders wait because the ERP is down");
    assert_int_equal(w->verdict.level, VERDICT_BAD);
    down(w, 1, "erp", "down");
    assert_non_null(strstr(look(w, 1)->what, "the ERP is down"));
}

static void advice_is_given_once(void **state)
{
    struct world *w = *state;
    down(w, 0, "kafka-publish", "down");
    down(w, 1, "kafka-group", "down");
    const struct trouble *t = look(w, 2);
    assert_string_equal(t[0].what, "xsale-producer: Kafka is down");
    assert_string_not_equal(t[0].todo, "");
    assert_string_equal(t[1].todo, "");
}

static void a_program_without_kafka_says_so_once(void **state)
{
    struct world *w = *state;
    down(w, 0, "kafka-publish", "unknown");
    down(w, 0, "kafka-topics", "down");
    down(w, 0, "kafka-group", "down");
    down(w, 0, "registry", "down");
    const struct trouble *t = look(w, 3);
    assert_string_equal(t[0].what, "xsale-producer: Kafka is down");
    assert_string_equal(t[1].what, "xsale-producer: the schema registry is down");
    assert_string_equal(t[2].what, "xsale-producer: kafka-publish is not known yet");
}

static void the_longest_name_decides_what_a_dependency_means(void **state)
{
    struct world *w = *state;
    down(w, 0, "xsale-quota", "down");
    assert_non_null(strstr(look(w, 1)->what, "quota"));
    down(w, 2, "something-new", "down");
    assert_string_equal(look(w, 2)[1].what, "status-updater: is not ready");
}

static void what_is_not_known_yet_is_not_called_down(void **state)
{
    struct world *w = *state;
    down(w, 0, "xsale", "unknown");
    const struct trouble *t = look(w, 1);
    assert_int_equal(w->verdict.level, VERDICT_WAITS);
    assert_string_equal(t->what, "xsale-producer: xsale is not known yet");
}

static void a_program_that_does_not_answer_is_missed_unless_another_does_its_work(void **state)
{
    struct world *w = *state;
    struct err e;
    sight(w, 2)->state = PROGRAM_SILENT;
    (void)snprintf(sight(w, 2)->words, sizeof sight(w, 2)->words, "connection refused");
    const struct trouble *t = look(w, 1);
    assert_string_equal(t->what, "status-updater does not answer at 127.0.0.1:9103");
    assert_string_equal(t->why, "connection refused");
    assert_int_equal(program_sights_add(w->programs, "other:1", "", &e), RC_OK);
    sight(w, 3)->state = PROGRAM_READY;
    (void)snprintf(sight(w, 3)->name, sizeof sight(w, 3)->name, "status-updater");
    (void)look(w, 0);
}

static void what_is_lost_is_bad_whatever_else_is_well(void **state)
{
    struct world *w = *state;
    w->facts->totals.faults_total = 1;
    w->facts->totals.faults_n = 1;
    (void)snprintf(w->facts->totals.faults[0].order, sizeof w->facts->totals.faults[0].order, "acme/100001");
    const struct trouble *t = look(w, 1);
    assert_int_equal(t->level, VERDICT_BAD);
    assert_string_equal(t->command, "order-replay explain -c FILE acme/100001");
}

static void a_name_that_a_shell_would_obey_is_in_no_command(void **state)
{
    struct world *w = *state;
    wait_for(w, "M; rm -rf ~", WAITING_PARKED, 1, 1000);
    assert_string_equal(look(w, 1)->command, "order-replay waiting -c FILE --warehouse ...");
}

static void old_figures_are_not_passed_off_as_new(void **state)
{
    struct world *w = *state;
    w->facts->scanned_at = NOW - 2 * VERDICT_OLD_MS;
    assert_string_equal(look(w, 1)->what, "the figures are 10 min old");
    (void)snprintf(w->facts->words, sizeof w->facts->words, "Kafka did not answer");
    assert_int_equal(look(w, 1)->level, VERDICT_BAD);
    w->facts->scanned_at = 0;
    assert_string_equal(look(w, 1)->what, "the topics cannot be read: there are no figures");
    assert_false(w->verdict.known);
}

static void answers_from_before_a_pause_are_not_passed_off_as_the_present(void **state)
{
    struct world *w = *state;
    down(w, 0, "xsale", "down");
    sight(w, 0)->answered_at = NOW - VERDICT_STALE_MS;
    sight(w, 1)->answered_at = NOW - 1000;
    (void)look(w, 1);
    assert_int_equal(w->verdict.stale_ms, 0);
    sight(w, 0)->answered_at = NOW - 4 * VERDICT_STALE_MS;
    (void)look(w, 1);
    assert_int_equal(w->verdict.stale_ms, 4 * VERDICT_STALE_MS);
    sight(w, 0)->state = PROGRAM_SILENT; /* it was asked just now, and did not answer */
    verdict_make(w->facts, &w->verdict);
    assert_int_equal(w->verdict.stale_ms, 0);
}

static void more_troubles_than_anybody_reads_are_cut(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < BOARD_SUMS; i++)
        wait_for(w, "MAG-1", WAITING_PARKED, 1, 1000);
    (void)look(w, TROUBLES_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_is_well_when_everybody_is_ready_and_nothing_waits_for_long),
        TEST(an_erp_that_is_down_comes_first_with_what_to_do),
        TEST(the_worst_comes_first),
        TEST(orders_that_wait_for_an_erp_are_told_once),
        TEST(advice_is_given_once),
        TEST(a_program_without_kafka_says_so_once),
        TEST(the_longest_name_decides_what_a_dependency_means),
        TEST(what_is_not_known_yet_is_not_called_down),
        TEST(a_program_that_does_not_answer_is_missed_unless_another_does_its_work),
        TEST(what_is_lost_is_bad_whatever_else_is_well),
        TEST(a_name_that_a_shell_would_obey_is_in_no_command),
        TEST(old_figures_are_not_passed_off_as_new),
        TEST(answers_from_before_a_pause_are_not_passed_off_as_the_present),
        TEST(more_troubles_than_anybody_reads_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
