/* What becomes of orders that an operator wants back: only the newest publication, only once, and not for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/outcome.h"
#include "common/kafka/frame.h"
#include "consumer/option_number.h"
#include "consumer/progress.h"
#include "consumer/put_back.h"
#include "consumer/put_back_print.h"
#include "tests/unit/avro_bytes.h"

enum { KEY_TEXT = 32, HEADERS = 5 };

struct bench {
    struct schema *order, *outcome;
    struct put_back list;
    struct buf avro;
    int64_t offset;
};

static int set_up(void **state)
{
    static struct bench b;
    b = (struct bench){.order = schema_of(schema_builtin("Order")), .outcome = schema_of(schema_builtin("OrderOutcome"))};
    put_back_init(&b.list, true, false);
    (void)snprintf(b.list.topics[TOPIC_ORDERS], sizeof b.list.topics[0], "xsale.orders");
    (void)snprintf(b.list.topics[TOPIC_OUTCOMES], sizeof b.list.topics[0], "xsale.order-outcomes");
    (void)snprintf(b.list.topics[TOPIC_STATUS], sizeof b.list.topics[0], "xsale.order-status");
    (void)snprintf(b.list.topics[TOPIC_DLQ], sizeof b.list.topics[0], "xsale.orders-dlq");
    buf_init(&b.avro, 65536);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    put_back_release(&b->list);
    buf_release(&b->avro);
    schema_destroy(b->order);
    schema_destroy(b->outcome);
    return 0;
}

struct told {
    int order;
    int publication;
    bool withdrawn, replayed, omitted;
    const char *redrives, *kind;
};

/* A record of the order, on `orders` or as a dead letter. */
static void order_on(struct bench *b, const char *topic, struct told t)
{
    char text[1024], key[KEY_TEXT], publication[KEY_TEXT];
    struct kafka_header headers[HEADERS];
    struct err e = {{0}};
    (void)snprintf(text, sizeof text,
                   "{\"organization\":\"acme\",\"orderId\":%d,\"revision\":\"0123456789abcdef\",\"publication\":%d,\"round\":1,\"fetchedAt\":1,\"withdrawn\":%s,"
                   "\"warehouse\":\"MAG-1\",\"warehouses\":[\"MAG-1\",\"MAG-2\"],\"items\":[{\"quantity\":\"1\"}]}",
                   t.order, t.publication, t.withdrawn ? "true" : "false");
    buf_reset(&b->avro);
    bytes_json(&b->avro, b->order, text);
    (void)snprintf(key, sizeof key, "acme/%d", t.order);
    (void)snprintf(publication, sizeof publication, "%d", t.publication);
    struct kafka_record r = {.topic = topic, .partition = 4, .offset = b->offset++, .timestamp = t.publication, .key = key, .key_n = strlen(key), .value = "x", .value_n = 1, .headers = headers};
    headers[r.headers_n++] = (struct kafka_header){"publication", publication, strlen(publication)};
    headers[r.headers_n++] = (struct kafka_header){"kind", t.kind != NULL ? t.kind : "order", strlen(t.kind != NULL ? t.kind : "order")};
    if (t.replayed)
        headers[r.headers_n++] = (struct kafka_header){"replayed", "redrive", 7};
    if (t.redrives != NULL)
        headers[r.headers_n++] = (struct kafka_header){"redrives", t.redrives, strlen(t.redrives)};
    if (t.omitted)
        headers[r.headers_n++] = (struct kafka_header){"omitted", "999", 3};
    struct scan_record s = {.record = &r, .writer = t.omitted ? NULL : b->order, .avro = b->avro.p, .avro_n = b->avro.n, .fault = ""};
    assert_int_equal(strcmp(topic, "xsale.orders-dlq") == 0 ? put_back_letter(&b->list, &s, &e) : put_back_see(&b->list, &s, &e), RC_OK);
}

static void letter(struct bench *b, struct told t)
{
    order_on(b, "xsale.orders-dlq", t);
}

static void published(struct bench *b, struct told t)
{
    order_on(b, "xsale.orders", t);
}

static void verdict(struct bench *b, int order, int publication, const char *warehouse, enum outcome_result result)
{
    char key[KEY_TEXT];
    struct err e = {{0}};
    struct outcome o = {.organization = "acme", .order_id = order, .revision = "0123456789abcdef", .publication = publication, .warehouse = warehouse, .result = result,
                        .partition = -1, .offset = -1};
    buf_reset(&b->avro);
    assert_int_equal(outcome_encode(&o, &b->avro, NULL), RC_OK);
    (void)snprintf(key, sizeof key, "acme/%d", order);
    struct kafka_record r = {.topic = "xsale.order-outcomes", .key = key, .key_n = strlen(key), .value = "x", .value_n = 1};
    struct scan_record s = {.record = &r, .writer = b->outcome, .avro = b->avro.p, .avro_n = b->avro.n, .fault = ""};
    assert_int_equal(put_back_see(&b->list, &s, &e), RC_OK);
}

static enum put_back_fate fate(struct bench *b, int order)
{
    char key[KEY_TEXT];
    struct put_back_order *o = NULL;
    (void)snprintf(key, sizeof key, "acme/%d", order);
    HASH_FIND(hh, b->list.orders, key, strlen(key), o);
    assert_non_null(o);
    return put_back_judge(&b->list, o);
}

/* Refused by MAG-1, taken by MAG-2. */
static void refused(struct bench *b, struct told t)
{
    letter(b, t);
    published(b, t);
    verdict(b, t.order, t.publication, "MAG-1", OUTCOME_REJECTED);
    verdict(b, t.order, t.publication, "MAG-2", OUTCOME_IMPORTED);
}

static void the_newest_publication_that_was_refused_is_put_back(void **state)
{
    struct bench *b = *state;
    struct err e;
    refused(b, (struct told){.order = 1, .publication = 100});
    letter(b, (struct told){.order = 2, .publication = 100}); /* two letters of one order: the newer */
    refused(b, (struct told){.order = 2, .publication = 200});
    letter(b, (struct told){.order = 2, .publication = 100});
    letter(b, (struct told){.order = 3, .publication = 100, .kind = "outcome"});
    assert_int_equal(fate(b, 1), PUT_BACK_YES);
    assert_int_equal(fate(b, 2), PUT_BACK_YES);
    assert_int_equal(put_back_plan(&b->list, &e), RC_OK);
    assert_int_equal(b->list.chosen_n, 2);
    assert_int_equal(b->list.chosen[1]->publication, 200);
    assert_int_equal(b->list.letters, 4);
    assert_int_equal(b->list.others, 1);
}

static void what_became_newer_is_left(void **state)
{
    struct bench *b = *state;
    for (int i = 1; i <= 5; i++)
        refused(b, (struct told){.order = i, .publication = 100});
    published(b, (struct told){.order = 1, .publication = 200});
    published(b, (struct told){.order = 2, .publication = 200, .withdrawn = true});
    published(b, (struct told){.order = 3, .publication = 101, .replayed = true});
    verdict(b, 4, 300, "MAG-1", OUTCOME_IMPORTED); /* its record is gone */
    published(b, (struct told){.order = 5, .publication = 50}); /* older */
    assert_int_equal(fate(b, 1), PUT_BACK_SUPERSEDED);
    assert_int_equal(fate(b, 2), PUT_BACK_WITHDRAWN);
    assert_int_equal(fate(b, 3), PUT_BACK_DONE);
    assert_int_equal(fate(b, 4), PUT_BACK_SUPERSEDED);
    assert_int_equal(fate(b, 5), PUT_BACK_YES);
}

static void the_last_verdict_of_each_warehouse_counts(void **state)
{
    struct bench *b = *state;
    refused(b, (struct told){.order = 1, .publication = 100});
    verdict(b, 1, 100, "MAG-1", OUTCOME_SUPERSEDED); /* is no verdict of the ERP */
    assert_int_equal(fate(b, 1), PUT_BACK_YES);
    verdict(b, 1, 100, "MAG-1", OUTCOME_IMPORTED); /* after a rewind */
    assert_int_equal(fate(b, 1), PUT_BACK_IMPORTED);
    verdict(b, 1, 50, "MAG-1", OUTCOME_REJECTED); /* of an older publication */
    assert_int_equal(fate(b, 1), PUT_BACK_IMPORTED);
    letter(b, (struct told){.order = 2, .publication = 100}); /* the letter came, the outcome not yet */
    published(b, (struct told){.order = 2, .publication = 100});
    verdict(b, 2, 100, "MAG-2", OUTCOME_IMPORTED);
    assert_int_equal(fate(b, 2), PUT_BACK_IN_FLIGHT);
    letter(b, (struct told){.order = 3, .publication = 100}); /* refused here, not answered there */
    verdict(b, 3, 100, "MAG-1", OUTCOME_REJECTED);
    assert_int_equal(fate(b, 3), PUT_BACK_YES);
}

static void the_loop_guard_stops_at_three(void **state)
{
    struct bench *b = *state;
    refused(b, (struct told){.order = 1, .publication = 102, .replayed = true, .redrives = "2"});
    refused(b, (struct told){.order = 2, .publication = 103, .replayed = true, .redrives = "3"});
    assert_int_equal(fate(b, 1), PUT_BACK_YES);
    assert_int_equal(fate(b, 2), PUT_BACK_TOO_OFTEN);
    b->list.force = true;
    assert_int_equal(fate(b, 2), PUT_BACK_YES);
}

static void a_letter_without_its_value_takes_the_record(void **state)
{
    struct bench *b = *state;
    letter(b, (struct told){.order = 1, .publication = 100, .omitted = true});
    verdict(b, 1, 100, "MAG-1", OUTCOME_REJECTED);
    assert_int_equal(fate(b, 1), PUT_BACK_UNREADABLE);
    published(b, (struct told){.order = 1, .publication = 100});
    assert_int_equal(fate(b, 1), PUT_BACK_YES);
    assert_int_equal(b->list.orders->source, PUT_BACK_RECORD);
    refused(b, (struct told){.order = 2, .publication = 100, .omitted = true}); /* it is not readable there either */
    assert_int_equal(fate(b, 2), PUT_BACK_UNREADABLE);
}

static void an_order_is_sent_again_unless_it_is_under_way_or_withdrawn(void **state)
{
    struct bench *b = *state;
    b->list.redrive = false;
    for (int i = 1; i <= 3; i++) {
        char key[KEY_TEXT];
        (void)snprintf(key, sizeof key, "acme/%d", i);
        assert_int_equal(put_back_name(&b->list, key, strlen(key), NULL), RC_OK);
    }
    assert_int_equal(fate(b, 1), PUT_BACK_UNKNOWN);
    published(b, (struct told){.order = 1, .publication = 100});
    published(b, (struct told){.order = 1, .publication = 200});
    verdict(b, 1, 100, "MAG-1", OUTCOME_IMPORTED);
    verdict(b, 1, 200, "MAG-1", OUTCOME_IMPORTED);
    assert_int_equal(fate(b, 1), PUT_BACK_IN_FLIGHT);
    b->list.force = true;
    assert_int_equal(fate(b, 1), PUT_BACK_YES);
    b->list.force = false;
    verdict(b, 1, 200, "MAG-2", OUTCOME_IMPORTED);
    assert_int_equal(fate(b, 1), PUT_BACK_YES);
    published(b, (struct told){.order = 2, .publication = 100, .withdrawn = true});
    b->list.force = true;
    assert_int_equal(fate(b, 2), PUT_BACK_WITHDRAWN);
    verdict(b, 3, 100, "MAG-1", OUTCOME_IMPORTED);
    published(b, (struct told){.order = 3, .publication = 50});
    assert_int_equal(fate(b, 3), PUT_BACK_SUPERSEDED); /* the newest record is gone */
}

/* Two operators at once: what the other one put back meanwhile is left, and the places of the plan stay as the reader goes along them. */
static void what_becomes_newer_after_the_plan_is_left_and_moves_nothing(void **state)
{
    struct bench *b = *state;
    struct err e;
    b->list.redrive = false;
    for (int i = 1; i <= 2; i++) {
        char key[KEY_TEXT];
        (void)snprintf(key, sizeof key, "acme/%d", i);
        assert_int_equal(put_back_name(&b->list, key, strlen(key), NULL), RC_OK);
        published(b, (struct told){.order = i, .publication = 100});
        verdict(b, i, 100, "MAG-1", OUTCOME_IMPORTED);
        verdict(b, i, 100, "MAG-2", OUTCOME_IMPORTED);
    }
    assert_int_equal(put_back_plan(&b->list, &e), RC_OK);
    assert_int_equal(b->list.chosen_n, 2);
    const struct put_back_order *first = b->list.chosen[0];
    int64_t offset = first->offset;
    assert_string_equal(first->key, "acme/1");
    published(b, (struct told){.order = 1, .publication = 101, .replayed = true});
    verdict(b, 1, 101, "MAG-1", OUTCOME_IMPORTED);
    verdict(b, 1, 101, "MAG-2", OUTCOME_IMPORTED);
    assert_int_equal(fate(b, 1), PUT_BACK_DONE);
    assert_true(first->offset == offset && first->publication == 100);
    assert_int_equal(fate(b, 2), PUT_BACK_YES);
}

static void the_plan_is_told_in_words_and_as_json(void **state)
{
    struct bench *b = *state;
    struct err e;
    struct buf out;
    refused(b, (struct told){.order = 1, .publication = 1000});
    refused(b, (struct told){.order = 2, .publication = 2000});
    refused(b, (struct told){.order = 3, .publication = 3000});
    published(b, (struct told){.order = 3, .publication = 4000});
    assert_int_equal(put_back_plan(&b->list, &e), RC_OK);
    buf_init(&out, 65536);
    put_back_text(&b->list, &out);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, "3 dead letters chosen, of 3 orders\nto be put back onto xsale.orders: 2 orders\n"));
    assert_non_null(strstr(text, "        4         2\n  for MAG-1: 2\n  for MAG-2: 2\n"));
    assert_non_null(strstr(text, "  first: acme/1, rejected 1970-01-01T00:00:01.000Z\n  last:  acme/2, rejected 1970-01-01T00:00:02.000Z\n"));
    assert_non_null(strstr(text, "left alone: 1 order, superseded: a newer publication stands behind the rejected one\n  acme/3\n"));
    b->list.chosen[0]->put = true;
    buf_reset(&out);
    put_back_json(&b->list, true, &out);
    json_t *v = json_loadb((const char *)out.p, out.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);
    assert_int_equal(json_integer_value(json_object_get(v, "back")), 2);
    assert_int_equal(json_integer_value(json_object_get(v, "put")), 1);
    assert_int_equal(json_integer_value(json_object_get(v, "superseded")), 1);
    assert_int_equal(json_array_size(json_object_get(v, "each")), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(v, "each"), 0), "state")), "put");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(v, "each"), 0), "next")), 1001);
    json_decref(v);
    buf_release(&out);
}

static void progress_tells_rate_and_time_left(void **state)
{
    (void)state;
    struct buf line;
    buf_init(&line, 200);
    progress_line(0, 2000, 0, &line);
    assert_string_equal(buf_text(&line), "[--------------------] 0 of 2000");
    buf_reset(&line);
    progress_line(1200, 2000, 6000, &line);
    assert_string_equal(buf_text(&line), "[############--------] 1200 of 2000, 200 a second, 4 s left");
    buf_reset(&line);
    progress_line(1, 2000, 5000, &line);
    assert_string_equal(buf_text(&line), "[--------------------] 1 of 2000, 0.2 a second, 2 h 46 min left");
    buf_release(&line);
}

static void numbers_of_options_are_whole_and_within_bounds(void **state)
{
    (void)state;
    struct err e;
    int64_t n = 5;
    assert_int_equal(option_number("--rate", NULL, 1, 10, &n, &e), RC_OK);
    assert_true(n == 5);
    assert_int_equal(option_number("--rate", "10", 1, 10, &n, &e), RC_OK);
    assert_true(n == 10);
    static const char *const wrong[] = {"", "0", "11", "-1", "+1", " 1", "1 ", "1.5", "x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(option_number("--rate", wrong[i], 1, 10, &n, &e), RC_REJECT);
    assert_string_equal(e.text, "--rate: 99999999999999999999 is no whole number from 1 to 10");
    assert_true(n == 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_publication_that_was_refused_is_put_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_became_newer_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_verdict_of_each_warehouse_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loop_guard_stops_at_three, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_letter_without_its_value_takes_the_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_order_is_sent_again_unless_it_is_under_way_or_withdrawn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_becomes_newer_after_the_plan_is_left_and_moves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_plan_is_told_in_words_and_as_json, set_up, tear_down),
        cmocka_unit_test(progress_tells_rate_and_time_left),
        cmocka_unit_test(numbers_of_options_are_whole_and_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
