/* What a record's key and headers tell before its value is read, and what makes it unreadable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "consumer/order_record.h"

enum { HEADERS = 5 };

static struct kafka_header header(const char *name, const char *value)
{
    return (struct kafka_header){name, value, strlen(value)};
}

static struct order_record *record(const char *key, const char *value, const struct kafka_header *headers, size_t n)
{
    struct kafka_record r = {.topic = "xsale.orders", .partition = 3, .offset = 42, .key = key, .key_n = key != NULL ? strlen(key) : 0,
                             .value = value, .value_n = value != NULL ? strlen(value) : 0, .headers = headers, .headers_n = n};
    struct order_record *o = order_record_create(&r, 7);
    assert_non_null(o);
    return o;
}

static void key_and_headers_are_known_before_the_value_is_read(void **state)
{
    (void)state;
    char key[] = "acme/77", value[] = "bytes";
    struct kafka_header headers[HEADERS] = {header("publication", "1795470000000"), header("revision", "00ffaa1122334455"),
                                            header("warehouses", "MAG-1,MAG-2"),
                                            header("traceparent", "00-f678a956b08d67d5f4dd92f5ad2b21f9-6a5d849d1bdd461a-01"),
                                            header("publication", "1795470000001")};
    struct order_record *o = record(key, value, headers, HEADERS);
    struct warehouse_set set;
    memset(key, 'x', sizeof key); /* it has its own copy */
    memset(value, 'x', sizeof value);
    assert_string_equal(o->key, "acme/77");
    assert_string_equal(o->organization, "acme");
    assert_int_equal(o->order_id, 77);
    assert_true(o->publication == 1795470000001); /* the last of a name counts */
    assert_string_equal(o->revision, "00ffaa1122334455");
    assert_non_null(o->traceparent);
    assert_int_equal(o->generation, 7);
    assert_int_equal(o->source.offset, 42);
    assert_memory_equal(o->source.value, "bytes", 5);
    assert_true(o->bytes > 100);
    order_record_warehouses(o, &set);
    assert_int_equal(set.n, 2);
    order_record_destroy(o);
}

static void nonsense_in_key_and_headers_is_not_known(void **state)
{
    (void)state;
    struct kafka_header headers[HEADERS] = {header("publication", "12x"), header("revision", "00FF"), header("warehouses", ",,"),
                                            header("traceparent", "hello\r\nX: y"), {"schema", NULL, 0}};
    static const char *const keys[] = {"nonsense", "acme/", "acme/0", "/1", "", NULL};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct order_record *o = record(keys[i], NULL, headers, HEADERS);
        struct warehouse_set set;
        assert_string_equal(o->key, "");
        assert_string_equal(o->organization, "");
        assert_true(o->publication == 0);
        assert_string_equal(o->revision, "");
        assert_null(o->traceparent);
        order_record_warehouses(o, &set);
        assert_int_equal(set.n, 0);
        order_record_destroy(o);
    }
}

static void a_value_that_is_missing_or_no_frame_is_never_readable(void **state)
{
    (void)state;
    static const char *const values[] = {NULL, "", "garbage", "\1\2\3"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct order_record *o = record("acme/77", values[i], NULL, 0);
        struct warehouse_set set;
        struct err e = {{0}};
        assert_int_equal(order_record_decode(o, NULL, &set, &e), RC_REJECT); /* before any schema is asked for */
        assert_true(e.text[0] != '\0');
        order_record_destroy(o);
    }
}

static bool not_for(const char *list, const char *warehouse)
{
    struct kafka_header h = header("warehouses", list);
    struct kafka_record r = {.topic = "t", .headers = &h, .headers_n = 1};
    return order_record_not_for(&r, warehouse);
}

static void a_record_is_passed_over_by_whole_names_only(void **state)
{
    (void)state;
    struct kafka_record bare = {.topic = "t"};
    assert_false(not_for("MAG-1", "MAG-1"));
    assert_false(not_for("MAG-1,MAG-2", "MAG-2"));
    assert_false(not_for("MAG-0,MAG-1,MAG-2", "MAG-1"));
    assert_true(not_for("MAG-10", "MAG-1"));
    assert_true(not_for("MAG-1", "MAG-10"));
    assert_true(not_for("XMAG-1,MAG-2", "MAG-1"));
    assert_false(not_for("", "MAG-1")); /* says nothing: read it */
    assert_false(order_record_not_for(&bare, "MAG-1"));
    assert_false(order_record_names(&bare, "MAG-1"));
}

static int64_t publication(const char *text)
{
    struct kafka_header h = header("publication", text);
    struct kafka_record r = {.topic = "t", .headers = &h, .headers_n = 1};
    return order_record_publication(&r);
}

static void a_publication_is_a_possible_number_or_not_known(void **state)
{
    (void)state;
    assert_true(publication("1795470000001") == 1795470000001);
    assert_true(publication("") == 0);
    assert_true(publication("-5") == 0);
    assert_true(publication("1e3") == 0);
    assert_true(publication("253402300799999") == 253402300799999);
    assert_true(publication("253402300800000") == 0); /* a next one must always be possible */
    assert_true(publication("9223372036854775807") == 0);
    assert_true(publication("99999999999999999999999") == 0);
    assert_true(order_record_publication(&(struct kafka_record){.topic = "t"}) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_and_headers_are_known_before_the_value_is_read),
        cmocka_unit_test(nonsense_in_key_and_headers_is_not_known),
        cmocka_unit_test(a_value_that_is_missing_or_no_frame_is_never_readable),
        cmocka_unit_test(a_record_is_passed_over_by_whole_names_only),
        cmocka_unit_test(a_publication_is_a_possible_number_or_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
