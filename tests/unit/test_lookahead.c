/* The look-ahead over a real client and the mock cluster: what it finds, that it stays current, and where it stops for want of room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/kafka/publisher.h"
#include "consumer/lookahead.h"
#include "tests/mock/kafka_rig.h"

static struct world {
    struct kafka_rig rig;
    struct lookahead *ahead;
    int known;
} w;

static void known(void *arg)
{
    (void)arg;
    w.known++;
}

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    assert_int_equal(ack->rc, RC_OK);
    ++*(int *)arg;
}

struct row {
    const char *key, *warehouses, *publication; /* NULL: no such header */
};

static void fill(const struct row *rows, size_t n)
{
    struct publisher *p = NULL;
    struct err e = {""};
    int acks = 0;
    assert_int_equal(publisher_create(w.rig.loop, w.rig.config, w.rig.log, NULL, &p, &e), RC_OK);
    for (size_t i = 0; i < n; i++) {
        struct kafka_header headers[2];
        size_t headers_n = 0;
        if (rows[i].warehouses != NULL)
            headers[headers_n++] = (struct kafka_header){"warehouses", rows[i].warehouses, strlen(rows[i].warehouses)};
        if (rows[i].publication != NULL)
            headers[headers_n++] = (struct kafka_header){"publication", rows[i].publication, strlen(rows[i].publication)};
        struct kafka_record r = {.topic = "t", .partition = 0, .key = rows[i].key, .key_n = strlen(rows[i].key), .value = "v", .value_n = 1,
                                 .headers = headers, .headers_n = headers_n};
        assert_int_equal(publisher_send(p, &r, on_ack, &acks, &e), RC_OK);
    }
    kafka_rig_until(&w.rig, &acks, (int)n, 60000);
    publisher_destroy(p);
}

static void begin(const char *warehouse, const char *const *overrides, int64_t offset)
{
    struct err e = {""};
    struct lookahead_from from = {0, offset};
    w.known = 0;
    kafka_rig_open(&w.rig, "t:1", overrides);
    struct lookahead_env env = {.loop = w.rig.loop, .worker = w.rig.worker, .config = w.rig.config, .log = w.rig.log, .topic = "t",
                                .warehouse = warehouse, .known = known};
    w.ahead = lookahead_create(&env);
    assert_non_null(w.ahead);
    static const struct row rows[] = {{"a/1", "M,N", "10"}, {"a/2", "M", "10"}, {"a/3", "N", "10"},    {"a/1", "M", "30"}, {"a/3", "N", "20"},
                                      {"a/2", "M", "x"},    {"a/2", NULL, "40"}, {"a/4", "MM,N", "10"}, {"a/4", "M", "50"}};
    fill(rows, sizeof rows / sizeof *rows);
    assert_int_equal(lookahead_begin(w.ahead, &from, 1, &e), RC_OK);
}

static void end(void)
{
    lookahead_destroy(w.ahead);
    kafka_rig_close(&w.rig);
}

static bool outdated(const char *key, const char *warehouse, int64_t publication)
{
    return lookahead_outdated(w.ahead, key, strlen(key), warehouse, publication);
}

static void what_stands_further_on_outdates_for_the_warehouses_that_it_names(void **state)
{
    (void)state;
    begin("", NULL, 0);
    kafka_rig_until(&w.rig, &w.known, 1, 60000);
    assert_true(outdated("a/1", "M", 10));
    assert_false(outdated("a/1", "M", 30)); /* not by itself */
    assert_false(outdated("a/1", "N", 10));
    assert_false(outdated("a/2", "M", 10)); /* neither what tells no publication nor what names no warehouse counts */
    assert_true(outdated("a/3", "N", 10));
    assert_false(outdated("a/4", "M", 10)); /* MM is another one */
    assert_false(outdated("a/1", "M", 0)); /* its own is not known */
    assert_int_equal(lookahead_records(w.ahead), 9);
    end();
}

static void only_the_own_warehouse_counts_and_what_is_in_hand_is_noted(void **state)
{
    (void)state;
    begin("M", NULL, 3);
    lookahead_note(w.ahead, "a/1", 3, "M", 10); /* stands before */
    kafka_rig_until(&w.rig, &w.known, 1, 60000);
    assert_true(outdated("a/1", "M", 10));
    assert_false(outdated("a/3", "N", 10));
    assert_false(outdated("a/4", "M", 10));
    assert_int_equal(lookahead_records(w.ahead), 6);
    end();
}

static void it_stays_current_until_its_end(void **state)
{
    (void)state;
    static const struct row more[] = {{"a/1", "M", "60"}};
    begin("M", NULL, 0);
    kafka_rig_until(&w.rig, &w.known, 1, 60000);
    fill(more, 1);
    assert_true(lookahead_refresh(w.ahead));
    kafka_rig_until(&w.rig, &w.known, 2, 60000);
    assert_true(outdated("a/1", "M", 30));
    assert_true(lookahead_running(w.ahead));
    lookahead_end(w.ahead);
    assert_false(lookahead_running(w.ahead));
    assert_false(lookahead_refresh(w.ahead));
    assert_false(outdated("a/1", "M", 10));
    end();
}

static void it_stops_where_it_has_no_room_and_says_where(void **state)
{
    (void)state;
    static const char *const overrides[] = {"consumer.lookahead=1", NULL};
    begin("", overrides, 0);
    kafka_rig_until(&w.rig, &w.known, 1, 60000);
    assert_true(outdated("a/1", "M", 10));
    assert_false(outdated("a/3", "N", 10)); /* at offset 4 */
    assert_false(lookahead_short(w.ahead, 0, 3));
    assert_true(lookahead_short(w.ahead, 0, 4));
    assert_true(lookahead_short(w.ahead, 7, 0)); /* never looked at */
    assert_false(lookahead_refresh(w.ahead));
    assert_true(lookahead_running(w.ahead)); /* what it knows still holds */
    end();
}

static void none_is_made_where_none_is_wanted(void **state)
{
    (void)state;
    static const char *const overrides[] = {"consumer.lookahead=0", NULL};
    struct err e = {""};
    struct lookahead_from from = {0, 0};
    kafka_rig_open(&w.rig, "t:1", overrides);
    struct lookahead_env env = {.loop = w.rig.loop, .worker = w.rig.worker, .config = w.rig.config, .log = w.rig.log, .topic = "t",
                                .warehouse = "", .known = known};
    w.ahead = lookahead_create(&env);
    assert_int_equal(lookahead_begin(w.ahead, &from, 1, &e), RC_REJECT);
    assert_false(lookahead_running(w.ahead));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_further_on_outdates_for_the_warehouses_that_it_names),
        cmocka_unit_test(only_the_own_warehouse_counts_and_what_is_in_hand_is_noted),
        cmocka_unit_test(it_stays_current_until_its_end),
        cmocka_unit_test(it_stops_where_it_has_no_room_and_says_where),
        cmocka_unit_test(none_is_made_where_none_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
