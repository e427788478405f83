#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/contract/outcome.h"
#include "tests/unit/avro_bytes.h"

static enum rc decode(const struct schema *writer, const void *avro, size_t n, struct outcome **out, struct err *e)
{
    struct record_writer w;
    record_writer_init(&w, writer);
    enum rc rc = outcome_decode(&w, avro, n, out, e);
    record_writer_release(&w); /* the object must not lean on it */
    return rc;
}

static struct outcome full(void)
{
    struct outcome o = {.organization = "acme", .order_id = 100123, .revision = "0123456789abcdef", .publication = 1764000000000,
                        .round = 1763000000000, .withdrawn = true, .warehouse = "MAG-1", .result = OUTCOME_SUPERSEDED, .document_id = "ZK/1",
                        .reason = "za\xC5\xBC\xC3\xB3\xC5\x82\xC4\x87 \xF0\x9F\x98\x80", .attempts = 3, .at = 1764000001000, .group = "xsale-erp-MAG-1",
                        .partition = 5, .offset = 1LL << 40};
    assert_true(warehouse_set_add(&o.warehouses, "MAG-1", 5));
    assert_true(warehouse_set_add(&o.warehouses, "MAG-2", 5));
    return o;
}

static struct outcome *decoded(const char *schema, const struct buf *b)
{
    struct schema *s = schema_of(schema);
    struct outcome *o = NULL;
    struct err e = {0};
    if (decode(s, b->p, b->n, &o, &e) != RC_OK)
        fail_msg("%s", e.text);
    schema_destroy(s); /* the object must not lean on it */
    return o;
}

static void an_outcome_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct outcome o = full();
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(outcome_encode(&o, &b, NULL), RC_OK);
    struct outcome *got = decoded(schema_builtin("OrderOutcome"), &b);
    assert_string_equal(got->organization, o.organization);
    assert_true(got->order_id == o.order_id && got->publication == o.publication && got->round == o.round && got->at == o.at);
    assert_string_equal(got->revision, o.revision);
    assert_true(got->withdrawn);
    assert_string_equal(got->warehouse, o.warehouse);
    assert_int_equal(got->warehouses.n, 2);
    assert_true(warehouse_set_has(&got->warehouses, "MAG-2"));
    assert_int_equal(got->result, OUTCOME_SUPERSEDED);
    assert_string_equal(got->document_id, o.document_id);
    assert_string_equal(got->reason, o.reason);
    assert_int_equal(got->attempts, 3);
    assert_string_equal(got->group, o.group);
    assert_int_equal(got->partition, 5);
    assert_true(got->offset == o.offset);
    outcome_destroy(got);
    outcome_destroy(NULL);
    buf_release(&b);
}

static void what_is_not_there_reads_as_none(void **state)
{
    (void)state;
    struct outcome o = full();
    struct buf b;
    buf_init(&b, 4096);
    o.round = 0;
    o.document_id = o.reason = o.group = NULL;
    o.partition = -1;
    o.offset = -1;
    o.warehouse = "";
    o.warehouses.n = 0;
    assert_int_equal(outcome_encode(&o, &b, NULL), RC_OK);
    struct outcome *got = decoded(schema_builtin("OrderOutcome"), &b);
    assert_true(got->round == 0 && got->partition == -1 && got->offset == -1);
    assert_null(got->document_id);
    assert_null(got->reason);
    assert_null(got->group);
    assert_string_equal(got->warehouse, "");
    assert_int_equal(got->warehouses.n, 0);
    outcome_destroy(got);
    buf_release(&b);
}

#define OLD                                                                                                            \
    "{\"type\":\"record\",\"name\":\"OrderOutcome\",\"namespace\":\"other\",\"fields\":["                              \
    "{\"name\":\"at\",\"type\":\"long\"},{\"name\":\"orderId\",\"type\":[\"int\",\"null\"]},"                          \
    "{\"name\":\"organization\",\"type\":[\"string\",\"null\"]},{\"name\":\"extra\",\"type\":{\"type\":\"map\",\"values\":\"double\"}},"  \
    "{\"name\":\"revision\",\"type\":\"string\"},{\"name\":\"publication\",\"type\":\"long\"},"                        \
    "{\"name\":\"warehouse\",\"type\":\"string\"},{\"name\":\"warehouses\",\"type\":[{\"type\":\"array\",\"items\":\"string\"},\"null\"]}," \
    "{\"name\":\"reason\",\"type\":\"string\"},"                                                                       \
    "{\"name\":\"result\",\"type\":{\"type\":\"enum\",\"name\":\"Result\",\"symbols\":[\"NEW\",\"WITHDRAWN\",\"REJECTED\",\"IMPORTED\"]}}]}"

static void another_writers_schema_is_resolved_to_ours(void **state)
{
    (void)state;
    struct schema *s = schema_of(OLD);
    struct buf b;
    buf_init(&b, 4096);
    bytes_json(&b, s, "{\"at\":5,\"orderId\":7,\"organization\":\"acme\",\"extra\":{\"a\":1},\"revision\":\"0123456789abcdef\",\"publication\":9,"
                      "\"warehouse\":\"A\",\"warehouses\":[\"A\",\"B\"],\"reason\":\"no stock\",\"result\":\"REJECTED\"}");
    schema_destroy(s);
    struct outcome *got = decoded(OLD, &b);
    assert_true(got->order_id == 7 && got->at == 5 && got->publication == 9 && got->round == 0 && !got->withdrawn);
    assert_int_equal(got->result, OUTCOME_REJECTED);
    assert_string_equal(got->reason, "no stock");
    assert_null(got->document_id);
    assert_true(got->attempts == 0 && got->partition == -1 && got->offset == -1);
    assert_int_equal(got->warehouses.n, 2);
    outcome_destroy(got);
    buf_release(&b);
}

static void expect_rejected(const char *schema, const char *json, const char *words)
{
    struct schema *s = schema_of(schema);
    struct outcome *got = NULL;
    struct err e = {0};
    struct buf b;
    buf_init(&b, 8192);
    bytes_json(&b, s, json);
    enum rc rc = decode(s, b.p, b.n, &got, &e);
    if (rc != RC_REJECT || got != NULL || strcmp(e.text, words) != 0)
        fail_msg("code %d, words '%s', wanted '%s'", rc, e.text, words);
    buf_release(&b);
    schema_destroy(s);
}

static void what_cannot_be_an_outcome_is_rejected_by_name(void **state)
{
    (void)state;
    expect_rejected(OLD, "{\"at\":5,\"orderId\":7,\"organization\":\"acme\",\"extra\":{},\"revision\":\"0\",\"publication\":9,"
                         "\"warehouse\":\"A\",\"warehouses\":[],\"reason\":\"\",\"result\":\"NEW\"}",
                    "outcome: result: a symbol that the reader does not know at byte 18");
    expect_rejected(OLD, "{\"at\":5,\"orderId\":null,\"organization\":\"acme\",\"extra\":{},\"revision\":\"0\",\"publication\":9,"
                         "\"warehouse\":\"A\",\"warehouses\":[],\"reason\":\"\",\"result\":\"REJECTED\"}",
                    "outcome: orderId: null cannot be read as long at byte 2");
    expect_rejected(OLD, "{\"at\":5,\"orderId\":1,\"organization\":\"acme\",\"extra\":{},\"revision\":\"01234567890123456\",\"publication\":9,"
                         "\"warehouse\":\"A\",\"warehouses\":[],\"reason\":\"\",\"result\":\"REJECTED\"}",
                    "outcome: field revision: is too long");
    expect_rejected(OLD, "{\"at\":5,\"orderId\":1,\"organization\":\"acme\",\"extra\":{},\"revision\":\"0\",\"publication\":253402300800000,"
                         "\"warehouse\":\"A\",\"warehouses\":[],\"reason\":\"\",\"result\":\"REJECTED\"}",
                    "outcome: field publication: is negative or beyond the year 9999");
    expect_rejected(OLD, "{\"at\":5,\"orderId\":1,\"organization\":\"acme\",\"extra\":{},\"revision\":\"0\",\"publication\":9,"
                         "\"warehouse\":\"A\",\"warehouses\":[\"A\",\"\"],\"reason\":\"\",\"result\":\"REJECTED\"}",
                    "outcome: field warehouses: holds no warehouse's name, or too many");
    expect_rejected("\"string\"", "\"x\"", "outcome: string cannot be read as xsale.OrderOutcome");
    expect_rejected("{\"type\":\"record\",\"name\":\"OrderOutcome\",\"fields\":[{\"name\":\"organization\",\"type\":\"string\"}]}", "{\"organization\":\"a\"}",
                    "outcome: orderId: the writer has no such field, and it has no default");
    expect_rejected("{\"type\":\"record\",\"name\":\"OrderOutcome\",\"fields\":[{\"name\":\"organization\",\"type\":\"long\"}]}", "{\"organization\":1}",
                    "outcome: organization: long cannot be read as string");
}

static void a_text_with_a_zero_in_it_is_rejected(void **state)
{
    (void)state;
    struct outcome o = full(), *got = NULL;
    struct schema *s = schema_of(schema_builtin("OrderOutcome"));
    struct err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(outcome_encode(&o, &b, &e), RC_OK);
    b.p[1] = '\0'; /* of the organization */
    assert_int_equal(decode(s, b.p, b.n, &got, &e), RC_REJECT);
    assert_string_equal(e.text, "outcome: field organization: holds U+0000");
    buf_release(&b);
    schema_destroy(s);
}

static void what_does_not_fit_is_not_written(void **state)
{
    (void)state;
    struct outcome o = full();
    struct err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    buf_put_text(&b, "kept");
    o.reason = "\xC5";
    assert_int_equal(outcome_encode(&o, &b, &e), RC_REJECT);
    assert_string_equal(e.text, "outcome: field reason: no valid UTF-8");
    o = full();
    o.result = OUTCOME_RESULTS;
    assert_int_equal(outcome_encode(&o, &b, &e), RC_REJECT);
    assert_string_equal(e.text, "outcome: field result: no such symbol");
    o = full();
    o.organization = NULL;
    assert_int_equal(outcome_encode(&o, &b, &e), RC_REJECT);
    assert_string_equal(e.text, "outcome: field organization: must not be null");
    assert_int_equal(b.n, 4);
    o = full();
    b.max = 20;
    assert_int_equal(outcome_encode(&o, &b, &e), RC_REJECT);
    assert_int_equal(b.n, 4);
    buf_release(&b);
    assert_null(outcome_result_name(OUTCOME_RESULTS));
    assert_string_equal(outcome_result_name(OUTCOME_WITHDRAWN), "WITHDRAWN");
}

static void altered_outcomes_never_do_harm(void **state)
{
    (void)state;
    struct schema *s = schema_of(schema_builtin("OrderOutcome"));
    struct outcome o = full();
    struct buf b;
    uint32_t seed = 3;
    size_t taken = 0;
    buf_init(&b, 4096);
    assert_int_equal(outcome_encode(&o, &b, NULL), RC_OK);
    for (int i = 0; i < 8000; i++) {
        struct err e = {0};
        struct outcome *got = NULL;
        size_t n = i % 4 == 0 ? (seed >> 5) % b.n : b.n;
        unsigned char *copy = malloc(n == 0 ? 1 : n);
        assert_non_null(copy);
        memcpy(copy, b.p, n);
        for (int k = 0; n > 0 && k < 1 + i % 2; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % n] = (unsigned char)(seed >> 24);
        }
        enum rc rc = decode(s, copy, n, &got, &e);
        assert_true(rc == RC_OK ? got != NULL : rc == RC_REJECT && got == NULL && e.text[0] != '\0');
        taken += rc == RC_OK;
        outcome_destroy(got);
        free(copy);
    }
    assert_true(taken > 500 && taken < 7500);
    buf_release(&b);
    schema_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_reads_back_as_it_was_written),
        cmocka_unit_test(what_is_not_there_reads_as_none),
        cmocka_unit_test(another_writers_schema_is_resolved_to_ours),
        cmocka_unit_test(what_cannot_be_an_outcome_is_rejected_by_name),
        cmocka_unit_test(a_text_with_a_zero_in_it_is_rejected),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(altered_outcomes_never_do_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
