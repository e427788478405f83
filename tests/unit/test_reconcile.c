#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/reconcile.h"
#include "consumer/waiting.h"

enum { NOW = 10000000, GRACE = 1000 };

static struct pipeline *begin(void)
{
    struct pipeline *p = pipeline_create(0, INT64_MAX, INT64_MIN);
    assert_non_null(p);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pipeline_bounds(p, i, 0, 0), RC_OK);
    return p;
}

static void published(struct pipeline *p, const char *key, const char *publication, const char *warehouses, int64_t offset)
{
    struct kafka_header h[] = {{"publication", publication, strlen(publication)}, {"warehouses", warehouses, strlen(warehouses)}};
    struct kafka_record r = {.topic = "xsale.orders", .key = key, .key_n = strlen(key), .partition = 0, .offset = offset, .timestamp = atoll(publication), .headers = h, .headers_n = 2};
    assert_true(pipeline_order(p, &r));
}

static void answered(struct pipeline *p, int64_t order, int64_t publication, const char *warehouse, enum outcome_result result, const char *document)
{
    static int64_t offset = 0;
    struct kafka_record r = {.topic = "xsale.order-outcomes", .key = "acme/1", .key_n = 6, .partition = 0, .offset = offset++, .timestamp = publication + 10};
    struct outcome o = {.organization = "acme", .order_id = order, .publication = publication, .warehouse = warehouse, .result = result, .document_id = document,
                        .at = publication + 10 + offset, .group = "x-erp-all", .partition = -1, .offset = -1};
    assert_true(warehouse_set_add(&o.warehouses, warehouse, strlen(warehouse)) || *warehouse == '\0');
    pipeline_outcome(p, &r, &o);
}

static void settled(struct pipeline *p, int64_t order, int64_t publication, const char *warehouse, enum outcome_result result, enum ledger_wanted wanted, bool closed)
{
    struct ledger_result one = {.result = result};
    struct ledger_row row = {.organization = "acme", .order_id = order, .publication = publication, .results = &one, .results_n = 1, .wanted = wanted, .closed = closed};
    struct kafka_record r = {.topic = "xsale.order-status", .key = "acme/1", .key_n = 6, .partition = 0, .timestamp = publication + 20};
    (void)snprintf(one.warehouse, sizeof one.warehouse, "%s", warehouse);
    if (*warehouse != '\0')
        assert_true(warehouse_set_add(&row.warehouses, warehouse, strlen(warehouse)));
    pipeline_row(p, &r, &row);
}

/* Published, imported by W1 into D<order>, settled. */
static void whole(struct pipeline *p, int64_t order, int64_t publication)
{
    char key[40], text[40], document[40];
    (void)snprintf(key, sizeof key, "acme/%lld", (long long)order);
    (void)snprintf(text, sizeof text, "%lld", (long long)publication);
    (void)snprintf(document, sizeof document, "D%lld", (long long)order);
    published(p, key, text, "W1", order);
    answered(p, order, publication, "W1", OUTCOME_IMPORTED, document);
    settled(p, order, publication, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, true);
}

static struct reconcile made(struct pipeline *p)
{
    struct reconcile r;
    struct err e;
    pipeline_sort(p);
    assert_int_equal(reconcile_make(p, GRACE, NOW, &r, &e), RC_OK);
    return r;
}

/* Exactly this fault, of acme/<order>. */
static void only(struct pipeline *p, enum reconcile_kind kind, const char *order)
{
    struct reconcile r = made(p);
    assert_int_equal(r.faults_total, 1);
    assert_string_equal(reconcile_kind_name(r.faults[0].kind), reconcile_kind_name(kind));
    assert_string_equal(r.faults[0].order, order);
    reconcile_release(&r);
    pipeline_destroy(p);
}

static void what_adds_up_has_no_fault(void **state)
{
    (void)state;
    struct pipeline *p = begin();
    for (int i = 1; i <= 5000; i++)
        whole(p, i, 1000 + i);
    published(p, "acme/6000", "9000", "W1,W2", 6000); /* in flight */
    answered(p, 6001, 9001, "", OUTCOME_REJECTED, NULL); /* never was a record */
    settled(p, 6001, 9001, "", OUTCOME_REJECTED, LEDGER_MANUAL, true);
    struct reconcile r = made(p);
    assert_int_equal(r.faults_total, 0);
    assert_int_equal(r.orders, 5002);
    assert_int_equal(r.all.published, 5003);
    assert_int_equal(r.all.imported, 5000);
    assert_int_equal(r.all.rejected, 1);
    assert_int_equal(r.all.in_flight, 2);
    assert_int_equal(r.status_set, 5001);
    assert_int_equal(r.lines_n, 3);
    assert_string_equal(r.lines[0].warehouse, "");
    assert_string_equal(r.lines[2].warehouse, "W2");
    reconcile_release(&r);
    pipeline_destroy(p);
}

static void a_superseded_publication_and_a_withdrawal_are_no_faults(void **state)
{
    (void)state;
    struct pipeline *p = begin();
    published(p, "acme/1", "1000", "W1", 1);
    answered(p, 1, 1000, "W1", OUTCOME_SUPERSEDED, NULL);
    whole(p, 1, 2000);
    whole(p, 2, 1000);
    published(p, "acme/2", "3000", "W1", 7);
    answered(p, 2, 3000, "W1", OUTCOME_WITHDRAWN, NULL);
    settled(p, 2, 3000, "W1", OUTCOME_WITHDRAWN, LEDGER_NONE, true);
    published(p, "acme/2", "4000", "W1", 8); /* loads anew */
    answered(p, 2, 4000, "W1", OUTCOME_IMPORTED, "NEW");
    settled(p, 2, 4000, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, true);
    struct reconcile r = made(p);
    assert_int_equal(r.faults_total, 0);
    assert_int_equal(r.all.superseded, 1);
    assert_int_equal(r.all.withdrawn, 1);
    assert_int_equal(r.publications, 5);
    reconcile_release(&r);
    pipeline_destroy(p);
}

static void each_fault_is_found(void **state)
{
    (void)state;
    struct pipeline *p = begin();
    whole(p, 1, 1000);
    whole(p, 2, 1000);
    answered(p, 2, 1000, "W1", OUTCOME_IMPORTED, "OTHER");
    only(p, FAULT_DOUBLE, "acme/2");

    p = begin();
    whole(p, 1, 1000);
    whole(p, 1, 2000);
    published(p, "acme/1", "3000", "W1", 9);
    answered(p, 1, 3000, "W1", OUTCOME_IMPORTED, "OTHER");
    settled(p, 1, 3000, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, true);
    only(p, FAULT_SECOND, "acme/1");

    p = begin();
    whole(p, 3, 1000);
    answered(p, 3, 1000, "W1", OUTCOME_REJECTED, NULL);
    settled(p, 3, 1000, "W1", OUTCOME_REJECTED, LEDGER_MANUAL, true);
    only(p, FAULT_CONTRADICTION, "acme/3");

    p = begin();
    whole(p, 4, 1000);
    settled(p, 4, 1000, "W1", OUTCOME_IMPORTED, LEDGER_MANUAL, true);
    only(p, FAULT_CONTRADICTION, "acme/4");

    p = begin();
    published(p, "acme/5", "1000", "W1", 5);
    answered(p, 5, 1000, "W1", OUTCOME_SUPERSEDED, NULL);
    only(p, FAULT_CONTRADICTION, "acme/5");

    p = begin();
    whole(p, 6, 1000);
    settled(p, 6, 1000, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, false);
    only(p, FAULT_STATUS, "acme/6");

    p = begin();
    answered(p, 7, 1000, "W1", OUTCOME_IMPORTED, "D7");
    only(p, FAULT_NO_RECORD, "acme/7");

    p = begin();
    settled(p, 8, 1000, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, true);
    only(p, FAULT_NO_RECORD, "acme/8");

    p = begin();
    assert_int_equal(pipeline_group(p, "x-erp-W1", 0, 10), RC_OK);
    published(p, "acme/9", "1000", "W1", 9);
    published(p, "acme/10", "1000", "W1", 10); /* not passed */
    only(p, FAULT_PASSED, "acme/9");
}

static void what_is_young_may_be_under_way(void **state)
{
    (void)state;
    struct pipeline *p = begin();
    answered(p, 1, NOW - 100, "W1", OUTCOME_IMPORTED, "D"); /* its record came after the topic's end was asked for */
    whole(p, 2, NOW - 100);
    settled(p, 2, NOW - 100, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, false);
    struct reconcile r = made(p);
    assert_int_equal(r.faults_total, 0);
    assert_int_equal(r.status_pending, 1);
    reconcile_release(&r);
    pipeline_destroy(p);
}

static void an_answer_after_a_restored_backup_replaces_the_one_before(void **state)
{
    (void)state;
    struct pipeline *p = pipeline_create(0, INT64_MAX, 500000);
    assert_int_equal(pipeline_bounds(p, 0, 0, 0), RC_OK);
    whole(p, 1, 1000);
    struct kafka_record r = {.topic = "xsale.order-outcomes", .key = "acme/1", .key_n = 6, .offset = 900000, .timestamp = 600000};
    struct outcome o = {.organization = "acme", .order_id = 1, .publication = 1000, .warehouse = "W1", .document_id = "AGAIN", .at = 600000, .partition = -1, .offset = -1};
    assert_true(warehouse_set_add(&o.warehouses, "W1", 2));
    pipeline_outcome(p, &r, &o);
    struct reconcile found = made(p);
    assert_int_equal(found.faults_total, 0);
    reconcile_release(&found);
    pipeline_destroy(p);
}

static void after_a_restored_backup_only_the_newest_publication_needs_its_new_document(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct pipeline *p = pipeline_create(0, INT64_MAX, known ? 500000 : INT64_MIN);
        assert_int_equal(pipeline_bounds(p, 0, 0, 0), RC_OK);
        whole(p, 1, 1000); /* a newer one stands behind it, so it is not loaded again */
        published(p, "acme/1", "600000", "W1", 2);
        answered(p, 1, 600000, "W1", OUTCOME_IMPORTED, "AGAIN");
        settled(p, 1, 600000, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, true);
        struct reconcile found = made(p);
        assert_int_equal(found.faults_total, known ? 0 : 1);
        reconcile_release(&found);
        pipeline_destroy(p);
    }
}

static void what_was_deleted_before_the_span_is_not_missed(void **state)
{
    (void)state;
    struct pipeline *p = pipeline_create(0, INT64_MAX, INT64_MIN);
    assert_int_equal(pipeline_bounds(p, 0, 100, 100), RC_OK);
    published(p, "acme/1", "2000000", "W1", 100);
    settled(p, 8, 1000000, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, true);
    struct reconcile r = made(p);
    assert_int_equal(r.faults_total, 0);
    assert_int_equal(r.orders, 1);
    reconcile_release(&r);
    pipeline_destroy(p);
}

static void what_waits_is_told_with_the_programs_reason(void **state)
{
    (void)state;
    struct pipeline *p = begin();
    struct waiting w;
    struct err e;
    whole(p, 1, 1000);
    published(p, "acme/2", "3000", "W1,W2", 2);
    published(p, "acme/3", "2000", "W1", 3);
    published(p, "acme/4", "4000", "W1", 4);
    published(p, "acme/4", "5000", "W1", 5);
    answered(p, 2, 3000, "W2", OUTCOME_IMPORTED, "D");
    whole(p, 5, 6000);
    settled(p, 5, 6000, "W1", OUTCOME_IMPORTED, LEDGER_IMPORTED, false);
    struct in_hand_order parked = {.key = "acme/3", .warehouse = "W1", .state = "parked", .words = "ERP said 503", .publication = 2000, .since = 2500, .next_in = 40000};
    struct in_hand_program consumer = {.program = "erp-consumer", .orders = &parked, .orders_n = 1};
    struct in_hand hand = {&consumer, 1};
    pipeline_sort(p);
    assert_int_equal(waiting_make(p, &hand, NULL, 10, &w, &e), RC_OK);
    assert_int_equal(w.total, 4);
    assert_string_equal(w.rows[0].order, "acme/3");
    assert_int_equal(w.rows[0].reason, WAITING_PARKED);
    assert_string_equal(w.rows[0].words, "ERP said 503");
    assert_int_equal(w.rows[0].next_in, 40000);
    assert_string_equal(w.rows[1].order, "acme/2");
    assert_int_equal(w.rows[1].reason, WAITING_UNREAD);
    assert_int_equal(w.rows[2].publication, 5000);
    assert_int_equal(w.rows[3].reason, WAITING_STATUS);
    assert_int_equal(w.sums_n, 3);
    waiting_release(&w);
    (void)snprintf(consumer.paused, sizeof consumer.paused, "connection refused");
    assert_int_equal(waiting_make(p, &hand, "W1", 1, &w, &e), RC_OK);
    assert_int_equal(w.rows_n, 1);
    assert_int_equal(w.total, 3);
    struct buf out;
    buf_init(&out, 100000);
    waiting_json(&w, NOW, &out);
    assert_non_null(strstr(buf_text(&out), "\"reason\":\"paused\",\"orders\":2"));
    buf_release(&out);
    waiting_release(&w);
    pipeline_destroy(p);
}

static void bounds_out_of_turn_leave_those_that_are_there(void **state)
{
    (void)state;
    struct pipeline *p = pipeline_create(0, INT64_MAX, INT64_MIN);
    assert_int_equal(pipeline_bounds(p, 0, 100, 100), RC_OK);
    assert_int_equal(pipeline_bounds(p, 2, 100, 100), RC_FATAL);
    assert_int_equal(pipeline_bounds(p, 1, 100, 100), RC_OK);
    assert_int_equal(pipeline_group(p, "shop-erp-W1", 1, 5), RC_OK);
    pipeline_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_out_of_turn_leave_those_that_are_there),
        cmocka_unit_test(what_adds_up_has_no_fault),
        cmocka_unit_test(a_superseded_publication_and_a_withdrawal_are_no_faults),
        cmocka_unit_test(each_fault_is_found),
        cmocka_unit_test(what_is_young_may_be_under_way),
        cmocka_unit_test(an_answer_after_a_restored_backup_replaces_the_one_before),
        cmocka_unit_test(after_a_restored_backup_only_the_newest_publication_needs_its_new_document),
        cmocka_unit_test(what_was_deleted_before_the_span_is_not_missed),
        cmocka_unit_test(what_waits_is_told_with_the_programs_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
