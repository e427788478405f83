#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "consumer/program_sight.h"

static void ready(struct program_sight *p, int status, const char *json)
{
    program_sight_ready(p, status, json, strlen(json));
}

static void metrics(struct program_sight *p, const char *text)
{
    program_sight_metrics(p, text, strlen(text));
}

static void readiness_is_read_with_every_dependency(void **state)
{
    (void)state;
    struct program_sight p = {.expected = ""};
    ready(&p, 200, "{\"ready\":true,\"dependencies\":{\"kafka-read\":{\"state\":\"up\",\"since\":\"2026-11-27T01:02:03.004Z\"}}}");
    assert_int_equal(p.state, PROGRAM_READY);
    assert_int_equal(p.dependencies_n, 1);
    ready(&p, 503, "{\"ready\":false,\"dependencies\":{\"erp\":{\"state\":\"down\",\"since\":\"s\",\"error\":\"HTTP 503\",\"doing\":\"one order at a time\"},\"kafka\":{\"state\":\"up\"}}}");
    assert_int_equal(p.state, PROGRAM_TROUBLED);
    assert_int_equal(p.dependencies_n, 2);
    assert_string_equal(p.dependencies[0].name, "erp");
    assert_string_equal(p.dependencies[0].state, "down");
    assert_string_equal(p.dependencies[0].why, "HTTP 503");
    assert_string_equal(p.dependencies[0].doing, "one order at a time");
    assert_string_equal(p.dependencies[1].why, "");
}

static void what_is_no_program_of_ours_is_told(void **state)
{
    (void)state;
    static const char *const others[] = {"", "ok", "{}", "[]", "{\"dependencies\":[]}", "{\"dependencies\":\"x\"}", "<html>", "{\"dependencies\":{"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct program_sight p = {.expected = ""};
        ready(&p, 200, others[i]);
        assert_int_equal(p.state, PROGRAM_SILENT);
        assert_string_not_equal(p.words, "");
    }
}

static void more_and_longer_than_there_is_room_for_is_cut(void **state)
{
    (void)state;
    static char json[40000];
    struct program_sight p = {.expected = ""};
    size_t n = (size_t)snprintf(json, sizeof json, "{\"dependencies\":{");
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(json + n, sizeof json - n, "%s\"a-dependency-with-a-name-that-is-longer-than-anybody-would-write-it-%d\":{\"state\":\"%0200d\",\"error\":\"%0500d\"}", i > 0 ? "," : "", i, 0, 0);
    (void)snprintf(json + n, sizeof json - n, "}}");
    ready(&p, 503, json);
    assert_int_equal(p.dependencies_n, PROGRAM_DEPENDENCIES);
    assert_int_equal(strlen(p.dependencies[0].why), sizeof p.dependencies[0].why - 1);
    ready(&p, 503, "{\"dependencies\":{\"a\":{\"state\":7,\"error\":{}},\"b\":[]}}");
    assert_int_equal(p.dependencies_n, 2);
    assert_string_equal(p.dependencies[0].state, "");
}

static void numbers_are_found_by_their_whole_names(void **state)
{
    (void)state;
    struct program_sight p = {.expected = ""};
    metrics(&p, "# HELP xsale_bridge_orders_parked x 99\nxsale_bridge_orders_parked_total 98\nxsale_bridge_orders_parked 7\nxsale_bridge_orders_in_hand{a=\"b c\"} 2\n"
                "xsale_bridge_orders_in_hand{a=\"d\"} 3.5\nxsale_bridge_erp_paused 1\nxsale_bridge_build_info{program=\"erp-consumer\",version=\"1\"} 1");
    assert_true(p.numbers[PROGRAM_PARKED] == 7);
    assert_true(p.numbers[PROGRAM_IN_HAND] == 5.5);
    assert_true(p.numbers[PROGRAM_PAUSED] == 1);
    assert_true(isnan(p.numbers[PROGRAM_OWNER]));
    assert_string_equal(p.name, "erp-consumer");
    metrics(&p, "");
    assert_true(isnan(p.numbers[PROGRAM_PARKED]));
}

static void hostile_lines_do_no_harm(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n\n\n", "xsale_bridge_orders_parked", "xsale_bridge_orders_parked ", "xsale_bridge_orders_parked{", "xsale_bridge_build_info{program=\"",
                                        "xsale_bridge_build_info{program=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "xsale_bridge_orders_parked x",
                                        "xsale_bridge_orders_parked 1e999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct program_sight p = {.expected = ""};
        metrics(&p, texts[i]);
        assert_true(strlen(p.name) < sizeof p.name);
    }
}

static void only_hosts_with_ports_are_asked(void **state)
{
    (void)state;
    struct err e;
    struct loop *l = loop_create(NULL, &e);
    struct program_sights *s = program_sights_create(l, &e);
    static const char *const no[] = {"", "host", "host:", ":1", "host:0", "host:65536", "host:1x", "a b:1", "user@host:1", "host/path:1", "host?:1", "ho\nst:1"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_int_equal(program_sights_add(s, no[i], "", &e), RC_REJECT);
    assert_int_equal(program_sights_add(s, "127.0.0.1:9101", "", &e), RC_OK);
    assert_int_equal(program_sights_add(s, "127.0.0.1:9101", "", &e), RC_OK);
    assert_int_equal(program_sights_add(s, "[::1]:9102", "", &e), RC_OK);
    assert_int_equal(program_sights_count(s), 2);
    for (int i = 0; i < PROGRAM_SIGHTS_MAX - 2; i++) {
        char at[40];
        (void)snprintf(at, sizeof at, "host-%d:1", i);
        assert_int_equal(program_sights_add(s, at, "", &e), RC_OK);
    }
    assert_int_equal(program_sights_add(s, "one-more:1", "", &e), RC_REJECT);
    program_sights_destroy(s);
    loop_destroy(l);
}

static void who_does_not_answer_is_silent(void **state)
{
    (void)state;
    struct err e;
    struct loop *l = loop_create(NULL, &e);
    struct program_sights *s = program_sights_create(l, &e);
    assert_int_equal(program_sights_add(s, "127.0.0.1:1", "xsale-producer", &e), RC_OK);
    assert_int_equal(program_sights_get(s, 0)->state, PROGRAM_UNASKED);
    program_sights_ask(s);
    int64_t end = clock_mono(clock_system()) + 10000;
    while (program_sights_get(s, 0)->state == PROGRAM_UNASKED && clock_mono(clock_system()) < end)
        loop_turn(l, 100);
    assert_int_equal(program_sights_get(s, 0)->state, PROGRAM_SILENT);
    assert_string_not_equal(program_sights_get(s, 0)->words, "");
    program_sights_destroy(s);
    loop_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readiness_is_read_with_every_dependency),
        cmocka_unit_test(what_is_no_program_of_ours_is_told),
        cmocka_unit_test(more_and_longer_than_there_is_room_for_is_cut),
        cmocka_unit_test(numbers_are_found_by_their_whole_names),
        cmocka_unit_test(hostile_lines_do_no_harm),
        cmocka_unit_test(only_hosts_with_ports_are_asked),
        cmocka_unit_test(who_does_not_answer_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
