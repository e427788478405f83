#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/contract/ledger_row.h"
#include "tests/unit/avro_bytes.h"

static enum rc decode(const struct schema *writer, const void *avro, size_t n, struct ledger_row **out, struct err *e)
{
    struct record_writer w;
    record_writer_init(&w, writer);
    enum rc rc = ledger_row_decode(&w, avro, n, out, e);
    record_writer_release(&w); /* the object must not lean on it */
    return rc;
}

static const struct ledger_result two[] = {
    {.warehouse = "MAG-1", .result = OUTCOME_IMPORTED, .document_id = "ZK/1", .attempts = 1, .at = 10},
    {.warehouse = "", .result = OUTCOME_REJECTED, .reason = "no such article", .attempts = 2, .at = 11},
};

static struct ledger_row full(void)
{
    struct ledger_row r = {.organization = "acme", .order_id = 7, .revision = "0123456789abcdef", .publication = 5, .round = 4, .withdrawn = true,
                           .results = two, .results_n = 2, .wanted = LEDGER_MANUAL, .status_found = "Nowe", .status_set = LEDGER_IMPORTED,
                           .settled_at = 12, .note = "set by hand", .closed = true, .complete = false};
    assert_true(warehouse_set_add(&r.warehouses, "MAG-1", 5));
    return r;
}

static void the_publication_alone_is_read_from_sound_rows_of_any_writer_only(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("OrderStatus"));
    struct schema *other = schema_of("{\"type\":\"record\",\"name\":\"OrderStatus\",\"fields\":[{\"name\":\"more\",\"type\":\"string\"},"
                                     "{\"name\":\"publication\",\"type\":\"int\"}]}");
    struct schema *without = schema_of("{\"type\":\"record\",\"name\":\"OrderStatus\",\"fields\":[{\"name\":\"publication\",\"type\":[\"null\",\"long\"]}]}");
    struct ledger_row row = full();
    int64_t got = -7;
    struct buf b;
    buf_init(&b, 4096);
    row.publication = 1764000000000;
    assert_int_equal(ledger_row_encode(&row, &b, NULL), RC_OK);
    for (size_t n = 0; n < b.n; n++) {
        assert_int_equal(ledger_row_publication(writer, b.p, n, &got, NULL), RC_REJECT);
        assert_int_equal(got, -7);
    }
    assert_int_equal(ledger_row_publication(writer, b.p, b.n, &got, NULL), RC_OK);
    assert_int_equal(got, 1764000000000);
    buf_reset(&b);
    row.publication = INT64_MAX;
    assert_int_equal(ledger_row_encode(&row, &b, NULL), RC_OK);
    assert_int_equal(ledger_row_publication(writer, b.p, b.n, &got, NULL), RC_REJECT); /* nothing could be newer */
    assert_int_equal(got, 1764000000000);
    buf_put_byte(&b, 0);
    assert_int_equal(ledger_row_publication(writer, b.p, b.n, &got, NULL), RC_REJECT);
    assert_int_equal(ledger_row_publication(other, (const unsigned char *)"\x02x\x0a", 3, &got, NULL), RC_OK);
    assert_int_equal(got, 5);
    assert_int_equal(ledger_row_publication(without, (const unsigned char *)"\x02\x0a", 2, &got, NULL), RC_REJECT); /* left to whoever resolves schemas */
    buf_release(&b);
    schema_destroy(writer);
    schema_destroy(other);
    schema_destroy(without);
}

static void a_row_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("OrderStatus"));
    struct ledger_row r = full(), *got = NULL;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(ledger_row_encode(&r, &b, NULL), RC_OK);
    assert_int_equal(decode(writer, b.p, b.n, &got, NULL), RC_OK);
    schema_destroy(writer);
    assert_string_equal(got->organization, "acme");
    assert_string_equal(got->revision, r.revision);
    assert_true(got->order_id == 7 && got->publication == 5 && got->round == 4 && got->settled_at == 12);
    assert_true(got->withdrawn && got->closed && !got->complete);
    assert_true(got->wanted == LEDGER_MANUAL && got->status_set == LEDGER_IMPORTED);
    assert_string_equal(got->status_found, "Nowe");
    assert_string_equal(got->note, "set by hand");
    assert_int_equal(got->warehouses.n, 1);
    assert_int_equal(got->results_n, 2);
    assert_string_equal(got->results[0].warehouse, "MAG-1");
    assert_int_equal(got->results[0].result, OUTCOME_IMPORTED);
    assert_string_equal(got->results[0].document_id, "ZK/1");
    assert_null(got->results[0].reason);
    assert_true(got->results[0].attempts == 1 && got->results[0].at == 10);
    assert_string_equal(got->results[1].warehouse, "");
    assert_int_equal(got->results[1].result, OUTCOME_REJECTED);
    assert_null(got->results[1].document_id);
    assert_string_equal(got->results[1].reason, "no such article");
    assert_true(got->results[1].attempts == 2 && got->results[1].at == 11);
    ledger_row_destroy(got);
    buf_release(&b);
}

static void an_unsettled_row_without_results_reads_back(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("OrderStatus"));
    struct ledger_row r = full(), *got = NULL;
    struct buf b;
    buf_init(&b, 4096);
    r.results_n = 0;
    r.results = NULL;
    r.settled_at = 0;
    r.status_found = r.note = NULL;
    r.wanted = r.status_set = LEDGER_NONE;
    assert_int_equal(ledger_row_encode(&r, &b, NULL), RC_OK);
    assert_int_equal(decode(writer, b.p, b.n, &got, NULL), RC_OK);
    assert_true(got->results_n == 0 && got->settled_at == 0 && got->wanted == LEDGER_NONE && got->status_set == LEDGER_NONE);
    assert_null(got->status_found);
    assert_null(got->note);
    ledger_row_destroy(got);
    buf_release(&b);
    schema_destroy(writer);
}

static void faults_in_a_result_are_named(void **state)
{
    (void)state;
    struct ledger_result bad = two[0];
    struct ledger_row r = full();
    struct err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    r.results = &bad;
    r.results_n = 1;
    bad.reason = "\x80";
    assert_int_equal(ledger_row_encode(&r, &b, &e), RC_REJECT);
    assert_string_equal(e.text, "ledger row: field reason: no valid UTF-8");
    r.wanted = (enum ledger_wanted)9;
    r.results_n = 0;
    assert_int_equal(ledger_row_encode(&r, &b, &e), RC_REJECT);
    assert_string_equal(e.text, "ledger row: field wanted: no such symbol");
    assert_int_equal(b.n, 0);
    buf_release(&b);
}

static void altered_rows_never_do_harm(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("OrderStatus"));
    struct ledger_row r = full();
    struct buf b;
    uint32_t seed = 11;
    size_t taken = 0;
    buf_init(&b, 4096);
    assert_int_equal(ledger_row_encode(&r, &b, NULL), RC_OK);
    for (int i = 0; i < 8000; i++) {
        struct err e = {0};
        struct ledger_row *got = NULL;
        size_t n = i % 4 == 0 ? (seed >> 5) % b.n : b.n;
        unsigned char *copy = malloc(n == 0 ? 1 : n);
        assert_non_null(copy);
        memcpy(copy, b.p, n);
        for (int k = 0; n > 0 && k < 1 + i % 2; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % n] = (unsigned char)(seed >> 24);
        }
        enum rc rc = decode(writer, copy, n, &got, &e);
        assert_true(rc == RC_OK ? got != NULL : rc == RC_REJECT && got == NULL && e.text[0] != '\0');
        taken += rc == RC_OK;
        ledger_row_destroy(got);
        free(copy);
    }
    assert_true(taken > 300 && taken < 7500);
    buf_release(&b);
    schema_destroy(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_reads_back_as_it_was_written),
        cmocka_unit_test(the_publication_alone_is_read_from_sound_rows_of_any_writer_only),
        cmocka_unit_test(an_unsettled_row_without_results_reads_back),
        cmocka_unit_test(faults_in_a_result_are_named),
        cmocka_unit_test(altered_rows_never_do_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
