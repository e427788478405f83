#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/contract/outcome.h"
#include "consumer/record_field.h"
#include "consumer/record_line.h"
#include "consumer/scan_time.h"
#include "tests/unit/avro_bytes.h"

struct bench {
    struct schema *schema;
    struct buf avro, line;
    struct kafka_header headers[2];
    struct kafka_record record;
    struct scan_record scanned;
};

static int set_up(void **state)
{
    static struct bench b;
    struct outcome o = {.organization = "acme", .order_id = 7, .revision = "0123456789abcdef", .publication = 1764000000000, .warehouse = "MAG-1",
                        .result = OUTCOME_REJECTED, .reason = "brak \"towaru\"\n", .attempts = 2, .at = 1764000001000, .partition = 3, .offset = 9};
    b = (struct bench){.schema = schema_of(schema_builtin("OrderOutcome"))};
    assert_true(warehouse_set_add(&o.warehouses, "MAG-1", 5));
    buf_init(&b.avro, 4096);
    buf_init(&b.line, 65536);
    assert_int_equal(outcome_encode(&o, &b.avro, NULL), RC_OK);
    b.record = (struct kafka_record){.topic = "xsale.order-outcomes", .partition = 3, .offset = 9, .timestamp = 1764000002003, .key = "acme/7", .key_n = 6,
                                     .value = b.avro.p, .value_n = b.avro.n};
    b.scanned = (struct scan_record){.record = &b.record, .writer = b.schema, .avro = b.avro.p, .avro_n = b.avro.n, .fault = ""};
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    buf_release(&b->avro);
    buf_release(&b->line);
    schema_destroy(b->schema);
    return 0;
}

static json_t *json_line(struct bench *b)
{
    buf_reset(&b->line);
    record_line_json(&b->scanned, &b->line);
    assert_false(buf_failed(&b->line));
    assert_int_equal(b->line.p[b->line.n - 1], '\n');
    json_t *v = json_loadb((const char *)b->line.p, b->line.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);
    return v;
}

static const char *text_line(struct bench *b)
{
    buf_reset(&b->line);
    record_line_text(&b->scanned, &b->line);
    return buf_text(&b->line);
}

static void a_line_of_text_tells_what_happened(void **state)
{
    struct bench *b = *state;
    assert_string_equal(text_line(b), "2025-11-24T16:00:02.003Z xsale.order-outcomes[3]@9 acme/7 result=REJECTED warehouse=MAG-1 attempts=2 "
                                      "reason=\"brak \\\"towaru\\\"\\n\" publication=2025-11-24T16:00:00.000Z\n");
}

static void a_line_of_json_holds_all_of_it(void **state)
{
    struct bench *b = *state;
    b->headers[0] = (struct kafka_header){"a", "1", 1};
    b->headers[1] = (struct kafka_header){"a", "\xff", 1};
    b->record.headers = b->headers;
    b->record.headers_n = 2;
    json_t *v = json_line(b), *value = json_object_get(v, "value");
    assert_string_equal(json_string_value(json_object_get(v, "topic")), "xsale.order-outcomes");
    assert_string_equal(json_string_value(json_object_get(v, "key")), "acme/7");
    assert_string_equal(json_string_value(json_object_get(v, "time")), "2025-11-24T16:00:02.003Z");
    assert_int_equal(json_integer_value(json_object_get(v, "offset")), 9);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(v, "headers"), "a"), "bytes")), "/w==");
    assert_string_equal(json_string_value(json_object_get(value, "reason")), "brak \"towaru\"\n");
    assert_int_equal(json_integer_value(json_object_get(value, "orderId")), 7);
    assert_null(json_object_get(v, "fault"));
    json_decref(v);
}

static void what_cannot_be_read_is_shown_with_the_reason(void **state)
{
    struct bench *b = *state;
    b->scanned = (struct scan_record){.record = &b->record, .fault = "schema id 7: gone"};
    json_t *v = json_line(b);
    assert_true(json_is_null(json_object_get(v, "value")));
    assert_string_equal(json_string_value(json_object_get(v, "fault")), "schema id 7: gone");
    json_decref(v);
    assert_string_equal(text_line(b), "2025-11-24T16:00:02.003Z xsale.order-outcomes[3]@9 acme/7 fault=\"schema id 7: gone\"\n");
}

static void a_tombstone_and_a_key_of_garbage_do_no_harm(void **state)
{
    struct bench *b = *state;
    b->record = (struct kafka_record){.topic = "xsale.order-state", .timestamp = -1, .key = "\xff\xfe", .key_n = 2};
    b->scanned = (struct scan_record){.record = &b->record, .fault = ""};
    assert_string_equal(text_line(b), "- xsale.order-state[0]@0 ? null\n");
    json_t *v = json_line(b);
    assert_true(json_is_null(json_object_get(v, "value")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(v, "key"), "bytes")), "//4=");
    json_decref(v);
}

static void nothing_in_a_line_of_text_steers_a_terminal(void **state)
{
    static const char *const keys[] = {"acme/\x1b[2J", "acme/\x7f", "acme/\302\2332J", "acme/a\r\nb", "acme/\t"};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        b->headers[0] = (struct kafka_header){"reason", keys[i], strlen(keys[i])};
        b->record = (struct kafka_record){.topic = "xsale.orders-dlq", .key = keys[i], .key_n = strlen(keys[i]), .headers = b->headers, .headers_n = 1};
        b->scanned = (struct scan_record){.record = &b->record, .fault = ""};
        const char *line = text_line(b);
        size_t n = strlen(line);
        assert_int_equal(line[n - 1], '\n');
        for (size_t at = 0; at + 1 < n; at++)
            assert_true(line[at] >= ' ' && line[at] < 0x7f);
    }
}

static void a_dead_letter_shows_its_bytes(void **state)
{
    struct bench *b = *state;
    b->headers[0] = (struct kafka_header){"kind", "xsale-order", 11};
    b->headers[1] = (struct kafka_header){"reason", "no lines", 8};
    b->record = (struct kafka_record){.topic = "xsale.orders-dlq", .timestamp = 1764000002003, .key = "acme/?1", .key_n = 7, .value = "{\"a\":1}", .value_n = 7,
                                      .headers = b->headers, .headers_n = 2};
    b->scanned = (struct scan_record){.record = &b->record, .fault = ""};
    assert_string_equal(text_line(b), "2025-11-24T16:00:02.003Z xsale.orders-dlq[0]@0 acme/?1 kind=xsale-order reason=\"no lines\"\n");
    json_t *v = json_line(b);
    assert_string_equal(json_string_value(json_object_get(v, "value")), "{\"a\":1}");
    json_decref(v);
}

static void a_publication_is_shown_as_the_moment_that_it_is(void **state)
{
    struct bench *b = *state;
    b->headers[0] = (struct kafka_header){"publication", "1764000000000", 13};
    b->headers[1] = (struct kafka_header){"revision", "ab", 2};
    b->record = (struct kafka_record){.topic = "xsale.orders", .timestamp = 1764000002003, .key = "acme/7", .key_n = 6, .value = "x", .value_n = 1,
                                      .headers = b->headers, .headers_n = 2};
    b->scanned = (struct scan_record){.record = &b->record, .fault = ""};
    assert_string_equal(text_line(b), "2025-11-24T16:00:02.003Z xsale.orders[0]@0 acme/7 publication=2025-11-24T16:00:00.000Z revision=ab\n");
    b->headers[0] = (struct kafka_header){"publication", "17640x", 6};
    assert_string_equal(text_line(b), "2025-11-24T16:00:02.003Z xsale.orders[0]@0 acme/7 publication=17640x revision=ab\n");
}

static void members_are_found_by_name(void **state)
{
    struct bench *b = *state;
    const char *p;
    size_t n;
    assert_true(record_field_equals(&b->scanned, "result", "REJECTED"));
    assert_false(record_field_equals(&b->scanned, "result", "REJECTE"));
    assert_true(record_field_equals(&b->scanned, "warehouse", "MAG-1"));
    assert_false(record_field_text(&b->scanned, "documentId", &p, &n)); /* null */
    assert_false(record_field_text(&b->scanned, "orderId", &p, &n));    /* no text */
    assert_false(record_field_text(&b->scanned, "nothing", &p, &n));
    assert_int_equal(record_field_long(&b->scanned, "orderId", -1), 7);
    assert_int_equal(record_field_long(&b->scanned, "attempts", -1), 2);
    assert_int_equal(record_field_long(&b->scanned, "reason", -1), -1);
    b->scanned.writer = NULL;
    assert_int_equal(record_field_long(&b->scanned, "orderId", -1), -1);
}

static int64_t moment(const char *text)
{
    struct err e = {""};
    int64_t ms = -1;
    if (scan_time_parse(text, 1764000000000, &ms, &e) == RC_OK)
        return ms;
    assert_non_null(strstr(e.text, "is no moment"));
    return -1;
}

static void moments_are_read_as_operators_write_them(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "Europe/Warsaw", 1), 0);
    assert_true(moment("3h") == 1764000000000 - 3 * 3600000);
    assert_true(moment("90s") == 1764000000000 - 90000);
    assert_true(moment("2d") == 1764000000000 - 2 * 86400000);
    assert_true(moment("beginning") == SCAN_TIME_BEGINNING && moment("end") == SCAN_TIME_END);
    assert_true(moment("2025-11-24T16:00Z") == 1764000000000);
    assert_true(moment("2025-11-24T17:00") == 1764000000000);
    assert_true(moment("2025-11-24 17:00:01") == 1764000001000);
    assert_true(moment("2025-11-24Z") == 1763942400000);
    assert_true(moment("2025-07-01T12:00") == moment("2025-07-01T10:00Z"));
    static const char *const wrong[] = {"", "h", "3", "3w", "-3h", "3h ", "9999999999h", "2025-02-30", "2025-13-01", "2025-11-24T", "2025-11-24T1", "2025-11-24T16:00z",
                                        "2025-11-24T16:61", "20251124", "99999d", "2025-11-24T16:00:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (moment(wrong[i]) != -1)
            fail_msg("\"%s\" was taken", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_of_text_tells_what_happened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_of_json_holds_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_shown_with_the_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tombstone_and_a_key_of_garbage_do_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_in_a_line_of_text_steers_a_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_letter_shows_its_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_publication_is_shown_as_the_moment_that_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_are_found_by_name, set_up, tear_down),
        cmocka_unit_test(moments_are_read_as_operators_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
