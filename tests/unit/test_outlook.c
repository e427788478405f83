/* When loading may begin: the look-ahead and what is in hand are the test's own, linked instead of the real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "consumer/outlook.h"
#include "tests/mock/kafka_rig.h"

static struct world {
    int64_t now;
    struct clock clock;
    struct loop *loop;
    struct config *config;
    struct assignment *mine;
    struct outlook *outlook;
    int ready;
    /* the look-ahead */
    struct lookahead_env env;
    int begun, ended, noted;
    bool running, is_short, cannot;
    uint64_t records;
    int64_t from[8];
} w;

struct lookahead *lookahead_create(const struct lookahead_env *env)
{
    w.env = *env;
    return (struct lookahead *)(void *)&w;
}

void lookahead_destroy(struct lookahead *a)
{
    (void)a;
}

enum rc lookahead_begin(struct lookahead *a, const struct lookahead_from *from, size_t n, struct err *e)
{
    (void)a;
    err_set(e, "no broker");
    if (w.cannot)
        return RC_FATAL;
    w.begun++;
    w.running = true;
    w.is_short = false;
    for (size_t i = 0; i < n; i++)
        w.from[from[i].partition] = from[i].offset;
    return RC_OK;
}

void lookahead_note(struct lookahead *a, const void *key, size_t key_n, const char *warehouse, int64_t publication)
{
    (void)a, (void)key, (void)key_n, (void)warehouse, (void)publication;
    w.noted++;
}

bool lookahead_refresh(struct lookahead *a)
{
    (void)a;
    return w.running;
}

void lookahead_end(struct lookahead *a)
{
    (void)a;
    w.ended += w.running;
    w.running = false;
}

bool lookahead_running(const struct lookahead *a)
{
    (void)a;
    return w.running;
}

uint64_t lookahead_records(const struct lookahead *a)
{
    (void)a;
    return w.records;
}

bool lookahead_short(const struct lookahead *a, int32_t partition, int64_t next)
{
    (void)a, (void)partition, (void)next;
    return w.is_short;
}

bool lookahead_outdated(const struct lookahead *a, const void *key, size_t key_n, const char *warehouse, int64_t publication)
{
    (void)a, (void)key, (void)key_n, (void)warehouse;
    return publication == 7;
}

size_t loading_records(const struct loading *l)
{
    (void)l;
    return 0;
}

void loading_each(const struct loading *l, void (*fn)(void *arg, const struct lane_item *item), void *arg)
{
    (void)l;
    fn(arg, &(struct lane_item){.key = "a/1", .key_n = 3, .warehouse = "M", .publication = 1});
}

static int64_t clock_fn(void *arg)
{
    (void)arg;
    return w.now;
}

static void ready(void *arg)
{
    (void)arg;
    assert_false(outlook_waits(w.outlook));
    w.ready++;
}

static int set_up(void **state)
{
    struct err e = {""};
    (void)state;
    memset(&w, 0, sizeof w);
    w.now = 1000;
    w.clock = (struct clock){clock_fn, clock_fn, NULL};
    assert_non_null(w.loop = loop_create(&w.clock, &e));
    w.config = kafka_rig_config("127.0.0.1:1", NULL);
    assert_non_null(w.mine = assignment_create("t"));
    struct lookahead_env env = {.loop = w.loop, .config = w.config, .topic = "t", .warehouse = ""};
    assert_non_null(w.outlook = outlook_create(&env, w.mine, ready, NULL));
    for (int32_t p = 0; p < 2; p++) {
        bool understood;
        struct group_partition part = {"t", p, 5 + p, ""};
        assert_non_null(assignment_add(w.mine, &part, &understood));
    }
    outlook_assigned(w.outlook);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    outlook_destroy(w.outlook);
    assignment_destroy(w.mine);
    config_destroy(w.config);
    loop_destroy(w.loop);
    return 0;
}

static void at_end(size_t i, bool is)
{
    struct owned *o = assignment_at(w.mine, i);
    o->ended = o->ended || is;
    o->at_end = is;
}

static void look(void)
{
    outlook_look(w.outlook);
}

static void what_is_all_in_hand_needs_no_look(void **state)
{
    (void)state;
    look();
    assert_true(outlook_waits(w.outlook));
    at_end(0, true);
    look();
    assert_true(outlook_waits(w.outlook));
    at_end(1, true);
    look();
    assert_false(outlook_waits(w.outlook));
    assert_int_equal(w.ready, 1);
    assert_int_equal(w.begun, 0);
}

static void what_does_not_fit_is_looked_at_before_anything_is_loaded(void **state)
{
    (void)state;
    at_end(0, true);
    assignment_at(w.mine, 1)->paused = true;
    look();
    assert_int_equal(w.begun, 1);
    assert_int_equal(w.noted, 1); /* what is in hand */
    assert_int_equal(w.from[0], 5);
    assert_int_equal(w.from[1], 6);
    assert_true(outlook_waits(w.outlook));
    w.env.known(w.env.arg);
    assert_int_equal(w.ready, 1);
    assert_false(outlook_waits(w.outlook));
    look();
    assert_true(w.running); /* and kept current */
    assert_int_equal(w.begun, 1);
    assert_true(outlook_outdated(w.outlook, "a/1", 3, "M", 7));
    assignment_at(w.mine, 1)->paused = false;
    look();
    assert_true(w.running);
    at_end(1, true);
    look();
    assert_false(w.running); /* everything is in hand */
    assert_false(outlook_waits(w.outlook));
}

static void a_growing_backlog_is_looked_at_while_loading_goes_on(void **state)
{
    (void)state;
    at_end(0, true);
    at_end(1, true);
    look();
    at_end(1, false);
    assignment_at(w.mine, 1)->paused = true;
    look();
    assert_int_equal(w.begun, 1);
    assert_false(outlook_waits(w.outlook));
    w.env.known(w.env.arg);
    assert_int_equal(w.ready, 1);
    outlook_reopened(w.outlook); /* after a pause of the ERP it has to be current first */
    assert_true(outlook_waits(w.outlook));
    w.env.known(w.env.arg);
    assert_false(outlook_waits(w.outlook));
    assert_int_equal(w.ready, 2);
}

static void after_a_pause_with_everything_in_hand_nothing_waits(void **state)
{
    (void)state;
    at_end(0, true);
    at_end(1, true);
    look();
    outlook_reopened(w.outlook);
    assert_false(outlook_waits(w.outlook));
}

static void the_intake_at_the_end_of_what_there_was_room_for_looks_again_first(void **state)
{
    (void)state;
    assignment_at(w.mine, 0)->paused = true;
    look();
    w.env.known(w.env.arg);
    w.is_short = true;
    look();
    assert_int_equal(w.begun, 2);
    assert_true(outlook_waits(w.outlook));
    w.env.known(w.env.arg);
    assert_false(outlook_waits(w.outlook));
}

static void without_progress_loading_begins_all_the_same(void **state)
{
    (void)state;
    assignment_at(w.mine, 0)->paused = true;
    look();
    for (int i = 0; i < 30; i++) { /* slow is not stuck */
        w.now += OUTLOOK_PATIENCE_MS / 2;
        w.records++;
        look();
    }
    assert_true(outlook_waits(w.outlook));
    w.now += OUTLOOK_PATIENCE_MS;
    look();
    assert_false(outlook_waits(w.outlook));
    assert_int_equal(w.ready, 1);
}

static void one_partition_that_never_ends_holds_the_others_up_for_minutes_only(void **state)
{
    (void)state;
    assignment_at(w.mine, 0)->paused = true;
    look();
    for (int64_t ms = 0; ms < OUTLOOK_LONGEST_MS; ms += 1000) {
        assert_true(outlook_waits(w.outlook));
        w.now += 1000;
        w.records++; /* of the others */
        look();
    }
    assert_false(outlook_waits(w.outlook));
    assert_int_equal(w.ready, 1);
}

static void a_look_that_cannot_begin_holds_nobody_up(void **state)
{
    (void)state;
    w.cannot = true;
    assignment_at(w.mine, 0)->paused = true;
    look();
    assert_false(outlook_waits(w.outlook));
    assert_int_equal(w.ready, 1);
}

static void a_new_assignment_forgets_and_waits_again(void **state)
{
    (void)state;
    assignment_at(w.mine, 0)->paused = true;
    look();
    w.env.known(w.env.arg);
    outlook_assigned(w.outlook);
    assert_false(w.running);
    assert_true(outlook_waits(w.outlook));
    assignment_remove(w.mine, 0);
    assignment_remove(w.mine, 1);
    outlook_revoked(w.outlook);
    assert_false(outlook_waits(w.outlook));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(what_is_all_in_hand_needs_no_look),
        ROW(what_does_not_fit_is_looked_at_before_anything_is_loaded),
        ROW(a_growing_backlog_is_looked_at_while_loading_goes_on),
        ROW(after_a_pause_with_everything_in_hand_nothing_waits),
        ROW(the_intake_at_the_end_of_what_there_was_room_for_looks_again_first),
        ROW(without_progress_loading_begins_all_the_same),
        ROW(one_partition_that_never_ends_holds_the_others_up_for_minutes_only),
        ROW(a_look_that_cannot_begin_holds_nobody_up),
        ROW(a_new_assignment_forgets_and_waits_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
