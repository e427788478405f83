#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/contract/order_state.h"
#include "tests/unit/avro_bytes.h"

static enum rc decode(const struct schema *writer, const void *avro, size_t n, struct order_state **out, struct err *e)
{
    struct record_writer w;
    record_writer_init(&w, writer);
    enum rc rc = order_state_decode(&w, avro, n, out, e);
    record_writer_release(&w); /* the object must not lean on it */
    return rc;
}

static void a_state_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("OrderState"));
    for (int closed = 0; closed < 2; closed++) {
        struct order_state s = {.organization = "acme", .order_id = INT64_MAX, .revision = "fedcba9876543210", .publication = 5, .round = 4,
                                .withdrawn = closed == 0, .schema_id = INT32_MAX, .closed = closed != 0, .at = -1};
        struct order_state *got = NULL;
        struct buf b;
        buf_init(&b, 4096);
        assert_true(warehouse_set_add(&s.warehouses, "MAG-1", 5));
        assert_int_equal(order_state_encode(&s, &b, NULL), RC_OK);
        assert_int_equal(decode(writer, b.p, b.n, &got, NULL), RC_OK);
        assert_string_equal(got->organization, "acme");
        assert_string_equal(got->revision, s.revision);
        assert_true(got->order_id == INT64_MAX && got->publication == 5 && got->round == 4 && got->at == -1);
        assert_int_equal(got->schema_id, INT32_MAX);
        assert_int_equal(got->withdrawn, s.withdrawn);
        assert_int_equal(got->closed, s.closed);
        assert_true(got->warehouses.n == 1 && warehouse_set_has(&got->warehouses, "MAG-1"));
        order_state_destroy(got);
        buf_release(&b);
    }
    schema_destroy(writer);
}

static void a_state_is_written_as_its_schema_says(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("OrderState"));
    struct order_state s = {.organization = "ac\xC5\x9B", .order_id = 9007199254740993, .revision = "fedcba9876543210", .publication = -1, .round = 1764000000000,
                            .withdrawn = true, .schema_id = 64, .at = INT64_MIN};
    struct buf b, expected;
    buf_init(&b, 4096);
    buf_init(&expected, 4096);
    assert_true(warehouse_set_add(&s.warehouses, "A", 1) && warehouse_set_add(&s.warehouses, "MAG-1", 5));
    bytes_json(&expected, writer, "{\"organization\":\"ac\xC5\x9B\",\"orderId\":9007199254740993,\"revision\":\"fedcba9876543210\",\"publication\":-1,"
                                  "\"round\":1764000000000,\"withdrawn\":true,\"schemaId\":64,\"warehouses\":[\"A\",\"MAG-1\"],\"state\":\"OPEN\","
                                  "\"at\":-9223372036854775808}");
    assert_int_equal(order_state_encode(&s, &b, NULL), RC_OK);
    assert_int_equal(b.n, expected.n);
    assert_memory_equal(b.p, expected.p, b.n);
    buf_release(&b);
    buf_init(&b, 40); /* too small: nothing stays in it */
    assert_int_equal(order_state_encode(&s, &b, NULL), RC_REJECT);
    assert_int_equal(b.n, 0);
    buf_release(&b);
    buf_release(&expected);
    schema_destroy(writer);
}

static void symbols_in_another_order_keep_their_meaning(void **state)
{
    (void)state;
    struct schema *writer = schema_of(
        "{\"type\":\"record\",\"name\":\"OrderState\",\"fields\":[{\"name\":\"organization\",\"type\":\"string\"},{\"name\":\"orderId\",\"type\":\"int\"},"
        "{\"name\":\"revision\",\"type\":\"string\"},{\"name\":\"publication\",\"type\":\"long\"},{\"name\":\"round\",\"type\":\"long\"},"
        "{\"name\":\"withdrawn\",\"type\":\"boolean\"},{\"name\":\"schemaId\",\"type\":\"int\"},"
        "{\"name\":\"warehouses\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
        "{\"name\":\"state\",\"type\":{\"type\":\"enum\",\"name\":\"State\",\"symbols\":[\"CLOSED\",\"OPEN\"]}},{\"name\":\"at\",\"type\":\"int\"}]}");
    struct order_state *got = NULL;
    struct err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    bytes_json(&b, writer, "{\"organization\":\"a\",\"orderId\":1,\"revision\":\"r\",\"publication\":2,\"round\":3,\"withdrawn\":false,"
                           "\"schemaId\":4,\"warehouses\":[],\"state\":\"CLOSED\",\"at\":6}");
    assert_int_equal(decode(writer, b.p, b.n, &got, &e), RC_OK);
    assert_true(got->closed && got->schema_id == 4 && got->at == 6);
    order_state_destroy(got);
    buf_release(&b);
    schema_destroy(writer);
}

static void a_cut_state_is_rejected_and_bad_texts_are_not_written(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("OrderState"));
    struct order_state s = {.organization = "acme", .order_id = 1, .revision = "fedcba9876543210"}, *got = NULL;
    struct err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(order_state_encode(&s, &b, NULL), RC_OK);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(decode(writer, b.p, n, &got, &e), RC_REJECT);
    assert_null(got);
    s.organization = "\xFF";
    assert_int_equal(order_state_encode(&s, &b, &e), RC_REJECT);
    assert_string_equal(e.text, "order state: field organization: no valid UTF-8");
    buf_release(&b);
    schema_destroy(writer);
}

static void a_publication_after_which_none_can_follow_is_rejected(void **state)
{
    (void)state;
    static const int64_t impossible[] = {-1, 253402300800000, INT64_MAX};
    struct schema *writer = schema_of(schema_builtin("OrderState"));
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < 2 * sizeof impossible / sizeof *impossible; i++) {
        struct order_state s = {.organization = "acme", .order_id = 1, .revision = "fedcba9876543210"}, *got = NULL;
        struct err e = {0};
        *(i % 2 == 0 ? &s.publication : &s.round) = impossible[i / 2];
        buf_reset(&b);
        assert_int_equal(order_state_encode(&s, &b, NULL), RC_OK);
        assert_int_equal(decode(writer, b.p, b.n, &got, &e), RC_REJECT);
        assert_string_equal(e.text, i % 2 == 0 ? "order state: field publication: is negative or beyond the year 9999" : "order state: field round: is negative or beyond the year 9999");
    }
    buf_release(&b);
    schema_destroy(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_reads_back_as_it_was_written),
        cmocka_unit_test(a_state_is_written_as_its_schema_says),
        cmocka_unit_test(symbols_in_another_order_keep_their_meaning),
        cmocka_unit_test(a_cut_state_is_rejected_and_bad_texts_are_not_written),
        cmocka_unit_test(a_publication_after_which_none_can_follow_is_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
