#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "producer/blame.h"
#include "producer/ledger.h"
#include "producer/ledger_digest.h"

enum { NOW = 1000000, REMEMBER = 1000000000 };

static struct outcome says(int64_t order, int64_t publication, int64_t round, const char *warehouse, enum outcome_result result)
{
    struct outcome o = {.organization = "acme", .order_id = order, .revision = "0123456789abcdef", .publication = publication, .round = round,
                        .warehouse = warehouse, .result = result, .document_id = result == OUTCOME_IMPORTED ? "D-1" : NULL,
                        .reason = result == OUTCOME_REJECTED ? "wrong tax code" : NULL, .attempts = 1, .at = NOW, .partition = -1, .offset = -1};
    assert_true(warehouse_set_add(&o.warehouses, "MAG-1", 5));
    assert_true(warehouse_set_add(&o.warehouses, "MAG-2", 5));
    return o;
}

static enum ledger_noted note_only(struct ledger *l, struct outcome o)
{
    int64_t offset = -1;
    return ledger_note(l, &o, 3, true, NOW, &offset);
}

/* And its row is in the topic, at a place that does not matter. */
static enum ledger_noted note(struct ledger *l, struct outcome o)
{
    uint64_t version = 0;
    enum ledger_noted noted = note_only(l, o);
    if (noted == LEDGER_CHANGED && ledger_row_of(l, o.order_id, &version) != NULL)
        ledger_written(l, o.order_id, version, -1);
    return noted;
}

static struct ledger *begin(void)
{
    struct ledger *l = ledger_create(REMEMBER);
    assert_non_null(l);
    assert_int_equal(ledger_open_partition(l, 3), RC_OK);
    return l;
}

static int64_t take(struct ledger *l, int64_t now)
{
    uint64_t number = 0;
    return ledger_take(l, now, &number);
}

static const struct ledger_row *row_of(struct ledger *l, int64_t order)
{
    uint64_t version = 0;
    return ledger_row_of(l, order, &version);
}

static void acknowledge(struct ledger *l, int64_t order, int64_t offset)
{
    uint64_t version = 0;
    assert_non_null(ledger_row_of(l, order, &version));
    ledger_written(l, order, version, offset);
}

static void any_rejection_wants_the_manual_status_at_once(void **state)
{
    (void)state;
    struct ledger *l = begin();
    assert_int_equal(note(l, says(7, 100, 100, "MAG-1", OUTCOME_REJECTED)), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL);
    assert_false(row_of(l, 7)->complete);
    assert_false(row_of(l, 7)->closed);
    assert_string_equal(row_of(l, 7)->results[0].reason, "wrong tax code");
    assert_int_equal(take(l, 0), 7);
    assert_int_equal(take(l, 0), 0); /* busy */
    ledger_destroy(l);
}

static void the_imported_status_is_wanted_when_every_warehouse_has_it(void **state)
{
    (void)state;
    struct ledger *l = begin();
    assert_int_equal(note(l, says(7, 100, 100, "MAG-1", OUTCOME_IMPORTED)), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_NONE);
    assert_int_equal(take(l, 0), 0);
    assert_int_equal(note(l, says(7, 100, 100, "MAG-1", OUTCOME_IMPORTED)), LEDGER_SAME); /* a duplicate changes nothing */
    assert_int_equal(note(l, says(7, 100, 100, "MAG-2", OUTCOME_WITHDRAWN)), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_IMPORTED);
    assert_true(row_of(l, 7)->complete);
    assert_int_equal(take(l, 0), 7);
    ledger_destroy(l);
}

static void withdrawn_everywhere_closes_without_a_status(void **state)
{
    (void)state;
    struct ledger *l = begin();
    assert_int_equal(note(l, says(7, 100, 100, "MAG-1", OUTCOME_WITHDRAWN)), LEDGER_CHANGED);
    assert_int_equal(note(l, says(7, 100, 100, "MAG-2", OUTCOME_WITHDRAWN)), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_NONE);
    assert_true(row_of(l, 7)->closed);
    assert_int_equal(take(l, 0), 0);
    ledger_destroy(l);
}

static void withdrawn_from_under_our_imported_status_wants_the_manual_one(void **state)
{
    (void)state;
    struct ledger *l = begin();
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_IMPORTED));
    note(l, says(7, 100, 100, "MAG-2", OUTCOME_IMPORTED));
    ledger_note_set(l, 7, 100, LEDGER_IMPORTED);
    struct outcome w = says(7, 200, 100, "MAG-1", OUTCOME_WITHDRAWN), v = says(7, 200, 100, "MAG-2", OUTCOME_WITHDRAWN);
    w.withdrawn = v.withdrawn = true;
    assert_int_equal(note(l, w), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_NONE);
    assert_int_equal(note(l, v), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL);
    assert_int_equal(ledger_decide(row_of(l, 7), LEDGER_SEEN_IMPORTED), LEDGER_PUT);
    assert_int_equal(ledger_decide(row_of(l, 7), LEDGER_SEEN_NEW), LEDGER_LEAVE_ALONE);
    ledger_destroy(l);
}

/* Taken out and put back before the withdrawal was carried out: the offer behind it is what counts, and the imported status may stand. */
static void a_superseded_withdrawal_takes_nothing_back(void **state)
{
    (void)state;
    struct ledger *l = begin();
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_IMPORTED));
    note(l, says(7, 100, 100, "MAG-2", OUTCOME_IMPORTED));
    ledger_note_set(l, 7, 100, LEDGER_IMPORTED);
    struct outcome w = says(7, 200, 100, "MAG-1", OUTCOME_SUPERSEDED), v = says(7, 200, 100, "MAG-2", OUTCOME_WITHDRAWN);
    w.withdrawn = v.withdrawn = true;
    note(l, w);
    assert_int_equal(note(l, v), LEDGER_CHANGED);
    assert_true(row_of(l, 7)->complete);
    assert_false(row_of(l, 7)->closed);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_NONE);
    assert_int_equal(take(l, 0), 0);
    note(l, says(7, 300, 100, "MAG-1", OUTCOME_IMPORTED));
    note(l, says(7, 300, 100, "MAG-2", OUTCOME_IMPORTED));
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_IMPORTED);
    struct outcome x = says(7, 400, 100, "MAG-1", OUTCOME_WITHDRAWN), y = says(7, 400, 100, "MAG-2", OUTCOME_WITHDRAWN);
    x.withdrawn = y.withdrawn = true;
    note(l, x);
    note(l, y);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL); /* what was set before it is not forgotten */
    ledger_destroy(l);
}

static void a_superseded_publication_is_neither_settled_nor_closed(void **state)
{
    (void)state;
    struct ledger *l = begin();
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_IMPORTED));
    note(l, says(7, 100, 100, "MAG-2", OUTCOME_SUPERSEDED));
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_NONE);
    assert_true(row_of(l, 7)->complete);
    assert_false(row_of(l, 7)->closed);
    assert_int_equal(note(l, says(7, 100, 100, "MAG-1", OUTCOME_SUPERSEDED)), LEDGER_SAME); /* never replaces a verdict */
    ledger_destroy(l);
}

static void an_older_publication_never_touches_the_row_again(void **state)
{
    (void)state;
    struct ledger *l = begin();
    note(l, says(7, 200, 200, "MAG-1", OUTCOME_IMPORTED));
    assert_int_equal(note(l, says(7, 100, 100, "MAG-2", OUTCOME_REJECTED)), LEDGER_SAME);
    assert_int_equal(row_of(l, 7)->publication, 200);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_NONE);
    ledger_destroy(l);
}

static void a_newer_publication_of_the_round_takes_over_what_was_set_or_may_have_been(void **state)
{
    (void)state;
    struct ledger *l = begin();
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_REJECTED)); /* wanted, not settled: the PUT may be under way */
    note(l, says(7, 200, 100, "MAG-1", OUTCOME_IMPORTED));
    assert_int_equal(row_of(l, 7)->status_set, LEDGER_MANUAL);
    note(l, says(7, 300, 300, "MAG-1", OUTCOME_IMPORTED)); /* a new round */
    assert_int_equal(row_of(l, 7)->status_set, LEDGER_NONE);
    note(l, says(8, 100, 100, "MAG-1", OUTCOME_REJECTED));
    assert_true(ledger_settle(l, 8, 100, LEDGER_MANUAL, "Anulowane", "left alone", NOW));
    note(l, says(8, 200, 100, "MAG-1", OUTCOME_IMPORTED)); /* left alone: the bridge has set nothing */
    assert_int_equal(row_of(l, 8)->status_set, LEDGER_NONE);
    ledger_destroy(l);
}

static void only_what_nobody_decided_is_overwritten(void **state)
{
    (void)state;
    struct ledger_row r = {.wanted = LEDGER_IMPORTED};
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_NEW), LEDGER_PUT);
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_IMPORTED), LEDGER_SETTLED_ALREADY);
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_MANUAL), LEDGER_LEAVE_ALONE);
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_OTHER), LEDGER_LEAVE_ALONE);
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_OVERWRITABLE), LEDGER_PUT);
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_GONE), LEDGER_GONE);
    r.status_set = LEDGER_MANUAL;
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_MANUAL), LEDGER_PUT);
    r = (struct ledger_row){.wanted = LEDGER_MANUAL};
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_IMPORTED), LEDGER_PUT);
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_MANUAL), LEDGER_SETTLED_ALREADY);
    assert_int_equal(ledger_decide(&r, LEDGER_SEEN_OTHER), LEDGER_LEAVE_ALONE);
}

static void a_changed_verdict_reopens_the_row(void **state)
{
    (void)state;
    struct ledger *l = begin();
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_REJECTED));
    note(l, says(7, 100, 100, "MAG-2", OUTCOME_IMPORTED));
    assert_true(ledger_settle(l, 7, 100, LEDGER_MANUAL, NULL, NULL, NOW));
    acknowledge(l, 7, 41);
    assert_null(row_of(l, 7)); /* finished: only the digest is left */
    struct ledger_counts c;
    ledger_count(l, &c);
    assert_int_equal(c.finished, 1);
    int64_t offset = -1;
    struct outcome o = says(7, 100, 100, "MAG-1", OUTCOME_IMPORTED);
    assert_int_equal(ledger_note(l, &o, 3, true, NOW, &offset), LEDGER_READ_ROW);
    assert_int_equal(offset, 41);
    struct ledger_result results[2] = {{.warehouse = "MAG-1", .result = OUTCOME_REJECTED}, {.warehouse = "MAG-2", .result = OUTCOME_IMPORTED}};
    struct ledger_row row = {.organization = "acme", .order_id = 7, .publication = 100, .round = 100, .warehouses = o.warehouses, .results = results,
                             .results_n = 2, .wanted = LEDGER_MANUAL, .status_set = LEDGER_MANUAL, .settled_at = NOW, .closed = true, .complete = true};
    assert_int_equal(ledger_restore_whole(l, 7, &row, 3, 41), RC_OK);
    assert_int_equal(note(l, o), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_IMPORTED);
    assert_false(row_of(l, 7)->closed);
    assert_int_equal(take(l, 0), 7);
    ledger_destroy(l);
}

static size_t failing(const struct ledger *l)
{
    struct ledger_counts c;
    ledger_count(l, &c);
    return c.failing;
}

static void failures_in_a_row_are_counted_until_the_order_is_settled_or_moves_on(void **state)
{
    (void)state;
    struct ledger *l = begin();
    uint64_t number = 0;
    unsigned tries = 0;
    assert_int_equal(ledger_note_failure(l, 7, 1, &tries), 0); /* nobody's */
    for (int publication = 100; publication <= 200; publication += 100) {
        note(l, says(7, publication, 100, "MAG-1", OUTCOME_REJECTED));
        acknowledge(l, 7, 41 + publication);
        for (unsigned n = 1; n <= BLAME_FAILING_FROM; n++) {
            assert_int_equal(failing(l), 0);
            assert_int_equal(ledger_take(l, 0, &number), 7);
            assert_int_equal(ledger_note_failure(l, 7, number, &tries), n);
            assert_int_equal(tries, n);
            ledger_give_back(l, 7, number, 0, 0);
        }
        assert_int_equal(ledger_note_failure(l, 7, number, &tries), 0); /* given back */
        assert_int_equal(failing(l), 1);
    }
    assert_true(ledger_settle(l, 7, 200, LEDGER_MANUAL, NULL, NULL, NOW));
    assert_int_equal(failing(l), 0);
    ledger_destroy(l);
}

static unsigned fails(struct ledger *l, int64_t order, int64_t now, int64_t delay)
{
    uint64_t number = 0;
    unsigned tries = 0;
    assert_int_equal(ledger_take(l, now, &number), order);
    unsigned n = ledger_note_failure(l, order, number, &tries);
    ledger_give_back(l, order, number, now, delay);
    return n;
}

static void reject(struct ledger *l, int64_t order)
{
    note(l, says(order, 100, 100, "MAG-1", OUTCOME_REJECTED));
}

static void what_fails_for_all_makes_no_order_wait_longer_and_ends_for_all_with_the_first_success(void **state)
{
    (void)state;
    struct ledger *l = begin();
    for (int64_t order = 1; order <= 5; order++)
        reject(l, order);
    for (int64_t now = 0; now < 10; now++)
        for (int64_t order = 1; order <= 5; order++)
            assert_in_range(fails(l, order, now, now < 9 ? 0 : 60000), 1, BLAME_FAILING_FROM - 1);
    assert_int_equal(failing(l), 0);
    assert_true(ledger_outage(l));
    assert_int_equal(ledger_due_in(l, 100), 60000 + 9 - 100);
    ledger_note_success(l, 99, 0, 100, 2000);
    assert_false(ledger_outage(l));
    bool moments[2] = {false, false};
    int64_t now = 100;
    for (int n = 0; n < 5; n++) {
        int64_t wait = ledger_due_in(l, now);
        assert_in_range(wait, 0, 2001);
        moments[now + wait < 1100] = true;
        now += wait;
        assert_int_not_equal(take(l, now), 0);
    }
    assert_in_range(now, 100, 2101);
    assert_true(moments[0] && moments[1]); /* not all at once */
    ledger_destroy(l);
}

/* Another order than those of the test. */
static void succeeds(struct ledger *l, int64_t now, int64_t spread)
{
    ledger_note_success(l, 99, 0, now, spread);
}

static void orders_that_fail_while_others_succeed_wait_longer_and_nobody_hurries_them(void **state)
{
    (void)state;
    struct ledger *l = begin();
    for (int64_t order = 1; order <= 4; order++)
        reject(l, order);
    for (unsigned n = 1; n <= BLAME_FAILING_FROM; n++) {
        for (int64_t order = 1; order <= 4; order++)
            assert_in_range(fails(l, order, n, 0), 1, n);
        succeeds(l, n, 0);
        assert_false(ledger_outage(l)); /* the same four all the time */
        assert_int_equal(failing(l), n < BLAME_FAILING_FROM ? 0 : 4);
    }
    assert_int_equal(fails(l, 1, 10, 60000), BLAME_FAILING_FROM + 1);
    for (int64_t order = 2; order <= 4; order++)
        assert_int_equal(fails(l, order, 10, 60000), BLAME_FAILING_FROM + 1);
    succeeds(l, 10, 2000);
    assert_int_equal(ledger_due_in(l, 10), 60000);
    assert_true(ledger_settle(l, 1, 100, LEDGER_MANUAL, NULL, NULL, NOW));
    assert_int_equal(failing(l), 3);
    ledger_destroy(l);
}

static void after_one_lucky_success_in_a_brown_out_the_others_are_not_blamed(void **state)
{
    (void)state;
    struct ledger *l = begin();
    uint64_t number = 0;
    for (int64_t order = 1; order <= 12; order++)
        reject(l, order);
    for (int64_t lucky = 1; lucky <= 8; lucky++) {
        for (int tries = 0; tries < 3; tries++)
            for (int64_t order = lucky; order <= 12; order++)
                assert_in_range(fails(l, order, lucky, 0), 1, BLAME_FAILING_FROM);
        assert_true(ledger_outage(l));
        assert_int_equal(ledger_take(l, lucky, &number), lucky);
        ledger_note_success(l, lucky, number, lucky, 0);
        assert_true(ledger_settle(l, lucky, 100, LEDGER_MANUAL, NULL, NULL, NOW));
        ledger_give_back(l, lucky, number, lucky, 0);
        assert_int_equal(failing(l), 0);
    }
    assert_true(ledger_outage(l)); /* four still fail, and few tries succeed */
    ledger_destroy(l);
}

static void an_outage_is_over_too_when_nothing_of_it_waits_any_more(void **state)
{
    (void)state;
    struct ledger *l = begin();
    for (int64_t order = 1; order <= 3; order++)
        reject(l, order);
    for (int64_t order = 1; order <= 3; order++)
        (void)fails(l, order, 0, 0);
    assert_true(ledger_outage(l));
    assert_true(ledger_settle(l, 1, 100, LEDGER_MANUAL, NULL, NULL, NOW)); /* a person did it */
    assert_false(ledger_outage(l));
    (void)fails(l, 2, 0, 0);
    ledger_drop_partition(l, 3);
    succeeds(l, 0, 2000);
    ledger_destroy(l);
}

static void an_order_is_gone_by_doubtful_words_only_when_they_come_again_later_and_nothing_else_in_between(void **state)
{
    (void)state;
    struct ledger *l = begin();
    uint64_t number = 0;
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_REJECTED));
    assert_int_equal(ledger_take(l, 0, &number), 7);
    assert_false(ledger_doubt(l, 7, number, 0));
    ledger_give_back(l, 7, number, 0, 0); /* at once, because the row moved on: no time has passed */
    assert_int_equal(ledger_take(l, 1, &number), 7);
    assert_false(ledger_doubt(l, 7, number, 1));
    assert_true(ledger_doubt(l, 7, number, LEDGER_DOUBT_MS));
    assert_false(ledger_doubt(l, 7, number + 1, LEDGER_DOUBT_MS)); /* another's take */
    ledger_end_doubt(l, 7, number);
    assert_false(ledger_doubt(l, 7, number, 2 * LEDGER_DOUBT_MS));
    note(l, says(7, 200, 100, "MAG-1", OUTCOME_REJECTED)); /* the producer has seen it meanwhile */
    assert_false(ledger_doubt(l, 7, number, 4 * LEDGER_DOUBT_MS));
    ledger_destroy(l);
}

static void a_verdict_that_says_nothing_new_leaves_the_order_finished(void **state)
{
    (void)state;
    struct ledger *l = begin();
    struct outcome o = says(7, 100, 100, "MAG-1", OUTCOME_REJECTED);
    note(l, o);
    note(l, says(7, 100, 100, "MAG-2", OUTCOME_REJECTED));
    assert_true(ledger_settle(l, 7, 100, LEDGER_MANUAL, NULL, NULL, NOW));
    acknowledge(l, 7, 41);
    int64_t offset = -1;
    assert_int_equal(ledger_note(l, &o, 3, true, NOW, &offset), LEDGER_READ_ROW);
    struct ledger_result results[2] = {{.warehouse = "MAG-1", .result = OUTCOME_REJECTED, .reason = o.reason}, {.warehouse = "MAG-2", .result = OUTCOME_REJECTED}};
    struct ledger_row row = {.organization = "acme", .order_id = 7, .publication = 100, .round = 100, .warehouses = o.warehouses, .results = results,
                             .results_n = 2, .wanted = LEDGER_MANUAL, .status_set = LEDGER_MANUAL, .settled_at = NOW, .closed = true, .complete = true};
    assert_int_equal(ledger_restore_whole(l, 7, &row, 3, 41), RC_OK);
    assert_int_equal(note(l, o), LEDGER_SAME);
    assert_null(row_of(l, 7));
    assert_int_equal(ledger_note(l, &o, 3, true, NOW, &offset), LEDGER_READ_ROW);
    assert_int_equal(offset, 41);
    ledger_destroy(l);
}

/* While it was read, the partition went to another updater, which wrote more, and came back. */
static void a_row_read_again_never_replaces_a_newer_one(void **state)
{
    (void)state;
    struct outcome o = says(7, 100, 100, "MAG-1", OUTCOME_IMPORTED);
    struct ledger_result results[2] = {{.warehouse = "MAG-1", .result = OUTCOME_REJECTED}, {.warehouse = "MAG-2", .result = OUTCOME_IMPORTED}};
    struct ledger_row old = {.organization = "acme", .order_id = 7, .publication = 100, .round = 100, .warehouses = o.warehouses, .results = results,
                             .results_n = 2, .wanted = LEDGER_MANUAL, .status_set = LEDGER_MANUAL, .settled_at = NOW, .closed = true, .complete = true};
    for (int finished = 0; finished < 2; finished++)
        for (int there = 0; there < 2; there++) {
            struct ledger *l = begin();
            int64_t offset = -1;
            assert_int_equal(ledger_restore(l, &old, 3, 41, NOW), RC_OK);
            assert_int_equal(ledger_note(l, &o, 3, true, NOW, &offset), LEDGER_READ_ROW);
            ledger_drop_partition(l, 3);
            struct ledger_row newer = old;
            newer.publication = 200;
            newer.closed = newer.complete = finished != 0;
            newer.settled_at = finished ? NOW : 0;
            assert_int_equal(ledger_restore(l, &newer, 3, 55, NOW), RC_OK);
            assert_int_equal(ledger_open_partition(l, 3), RC_OK);
            assert_int_equal(ledger_restore_whole(l, 7, there ? &old : NULL, 3, 41), RC_OK);
            assert_int_equal(ledger_note(l, &o, 3, true, NOW, &offset), LEDGER_SAME); /* of an older publication */
            assert_int_equal(take(l, 0), finished ? 0 : 7);
            if (!finished)
                assert_int_equal(row_of(l, 7)->publication, 200);
            ledger_destroy(l);
        }
}

static void a_settlement_of_what_is_no_longer_true_changes_nothing(void **state)
{
    (void)state;
    struct ledger *l = begin();
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_REJECTED));
    uint64_t number = 0;
    assert_int_equal(ledger_take(l, 0, &number), 7);
    note(l, says(7, 200, 200, "MAG-1", OUTCOME_IMPORTED)); /* an operator's retry came in between */
    assert_false(ledger_settle(l, 7, 100, LEDGER_MANUAL, "Nowe", NULL, NOW));
    ledger_give_back(l, 7, number, 0, 0);
    assert_int_equal(take(l, 0), 0);
    assert_false(row_of(l, 7)->closed);
    ledger_destroy(l);
}

static void the_oldest_comes_first_and_a_delayed_one_later(void **state)
{
    (void)state;
    struct ledger *l = begin();
    for (int64_t id = 1; id <= 3; id++)
        note(l, says(id, 100, 100, "MAG-1", OUTCOME_REJECTED));
    uint64_t number = 0;
    assert_int_equal(ledger_take(l, 0, &number), 1);
    ledger_give_back(l, 1, number + 1, 0, 0); /* somebody else's take */
    ledger_give_back(l, 1, number, 0, 500);
    assert_int_equal(take(l, 0), 2);
    assert_int_equal(take(l, 0), 3);
    assert_int_equal(take(l, 0), 0);
    assert_int_equal(ledger_due_in(l, 100), 400);
    assert_int_equal(take(l, 499), 0);
    assert_int_equal(take(l, 500), 1);
    assert_int_equal(ledger_due_in(l, 500), -1);
    ledger_destroy(l);
}

static void what_a_ledger_row_says_is_wanted_is_taken_up_after_a_restart(void **state)
{
    (void)state;
    struct ledger *l = begin();
    struct ledger_row row = {.organization = "acme", .order_id = 7, .publication = 100, .round = 100, .wanted = LEDGER_IMPORTED, .complete = true};
    assert_int_equal(ledger_restore(l, &row, 3, 5, NOW), RC_OK);
    assert_int_equal(take(l, 0), 7);
    row.closed = true;
    row.settled_at = NOW;
    assert_int_equal(ledger_restore(l, &row, 3, 6, NOW), RC_OK); /* a later row of the same order replaces it */
    assert_null(row_of(l, 7));
    struct ledger_counts c;
    ledger_count(l, &c);
    assert_int_equal(c.waiting, 0);
    assert_int_equal(c.finished, 1);
    ledger_drop_partition(l, 3);
    ledger_count(l, &c);
    assert_int_equal(c.finished, 0);
    ledger_destroy(l);
}

static void nothing_is_taken_up_before_its_partition_was_read_back(void **state)
{
    (void)state;
    struct ledger *l = ledger_create(REMEMBER);
    struct ledger_row row = {.organization = "acme", .order_id = 7, .publication = 100, .round = 100, .wanted = LEDGER_MANUAL};
    assert_int_equal(ledger_restore(l, &row, 3, 5, NOW), RC_OK); /* settled by a row that comes later */
    assert_int_equal(take(l, 0), 0);
    row.closed = true;
    row.settled_at = NOW;
    row.order_id = 8;
    assert_int_equal(ledger_restore(l, &row, 3, 6, NOW), RC_OK); /* closed, one warehouse has not answered */
    assert_int_equal(ledger_open_partition(l, 3), RC_OK);
    assert_int_equal(take(l, 0), 7);
    assert_int_equal(take(l, 0), 0);
    ledger_drop_partition(l, 3);
    row.settled_at = 0;
    assert_int_equal(ledger_restore(l, &row, 3, 5, NOW), RC_OK);
    assert_int_equal(take(l, 0), 0); /* closed again */
    ledger_destroy(l);
}

static void nothing_is_taken_up_before_its_row_is_in_the_topic(void **state)
{
    (void)state;
    struct ledger *l = begin();
    assert_int_equal(note_only(l, says(7, 1000, 1000, "MAG-1", OUTCOME_REJECTED)), LEDGER_CHANGED);
    assert_int_equal(take(l, 0), 0);
    acknowledge(l, 7, 40);
    assert_int_equal(take(l, 0), 7);
    ledger_destroy(l);
}

static void a_take_ends_with_its_row(void **state)
{
    (void)state;
    struct ledger *l = begin();
    uint64_t number = 0;
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-1", OUTCOME_REJECTED)), LEDGER_CHANGED);
    assert_int_equal(ledger_take(l, 0, &number), 7);
    assert_true(ledger_holds(l, 7, number));
    ledger_drop_partition(l, 3);
    assert_false(ledger_holds(l, 7, number));
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-1", OUTCOME_REJECTED)), LEDGER_CHANGED);
    assert_false(ledger_holds(l, 7, number));
    ledger_destroy(l);
}

static void an_older_verdict_that_comes_again_changes_nothing(void **state)
{
    (void)state;
    struct ledger *l = begin();
    struct outcome old = says(7, 1000, 1000, "MAG-1", OUTCOME_REJECTED), now = says(7, 1000, 1000, "MAG-1", OUTCOME_IMPORTED);
    now.at = old.at + 1;
    assert_int_equal(note(l, old), LEDGER_CHANGED);
    assert_int_equal(note(l, now), LEDGER_CHANGED);
    assert_int_equal(note(l, old), LEDGER_SAME); /* read again after a crash */
    assert_int_equal(row_of(l, 7)->results[0].result, OUTCOME_IMPORTED);
    old.at = now.at;
    assert_int_equal(note(l, old), LEDGER_CHANGED); /* as late: the topic's order counts */
    ledger_destroy(l);
}

static void a_put_that_a_withdrawal_crossed_is_taken_back(void **state)
{
    (void)state;
    struct ledger *l = begin();
    struct outcome gone[2] = {says(7, 2000, 1000, "MAG-1", OUTCOME_WITHDRAWN), says(7, 2000, 1000, "MAG-2", OUTCOME_WITHDRAWN)};
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-1", OUTCOME_REJECTED)), LEDGER_CHANGED);
    ledger_note_set(l, 7, 1000, LEDGER_MANUAL);
    assert_true(ledger_settle(l, 7, 1000, LEDGER_MANUAL, NULL, NULL, NOW));
    struct outcome later = says(7, 1000, 1000, "MAG-1", OUTCOME_IMPORTED);
    later.at++;
    assert_int_equal(note(l, later), LEDGER_CHANGED);
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-2", OUTCOME_IMPORTED)), LEDGER_CHANGED); /* the imported status is wanted, the manual one was set */
    for (int i = 0; i < 2; i++) {
        gone[i].withdrawn = true;
        assert_int_equal(note(l, gone[i]), LEDGER_CHANGED);
    }
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL); /* either may stand there now */
    assert_false(row_of(l, 7)->closed);
    ledger_destroy(l);

    l = begin(); /* the answer to the PUT comes after the withdrawal */
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-1", OUTCOME_IMPORTED)), LEDGER_CHANGED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(note(l, gone[i]), LEDGER_CHANGED);
    assert_true(row_of(l, 7)->closed);
    ledger_note_set(l, 7, 1000, LEDGER_IMPORTED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL);
    assert_false(row_of(l, 7)->closed);
    ledger_destroy(l);
}

/* The verdict turns while the change to its status is not answered: either status may stand in xSale now. */
static void a_status_whose_change_was_not_answered_counts_as_set_when_the_verdict_turns(void **state)
{
    (void)state;
    struct ledger *l = begin();
    struct outcome turned = says(7, 1000, 1000, "MAG-1", OUTCOME_REJECTED);
    turned.at++;
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-1", OUTCOME_IMPORTED)), LEDGER_CHANGED);
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-2", OUTCOME_IMPORTED)), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->status_set, LEDGER_NONE);
    assert_int_equal(note(l, turned), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL);
    assert_int_equal(row_of(l, 7)->status_set, LEDGER_IMPORTED);
    struct outcome gone[2] = {says(7, 2000, 1000, "MAG-1", OUTCOME_WITHDRAWN), says(7, 2000, 1000, "MAG-2", OUTCOME_WITHDRAWN)};
    for (int i = 0; i < 2; i++) {
        gone[i].withdrawn = true;
        assert_int_equal(note(l, gone[i]), LEDGER_CHANGED);
    }
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL); /* not closed with the imported status standing over a withdrawn order */
    assert_false(row_of(l, 7)->closed);
    ledger_destroy(l);

    l = begin();
    turned.result = OUTCOME_IMPORTED;
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-1", OUTCOME_REJECTED)), LEDGER_CHANGED);
    assert_int_equal(note(l, says(7, 1000, 1000, "MAG-2", OUTCOME_IMPORTED)), LEDGER_CHANGED);
    assert_int_equal(note(l, turned), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_IMPORTED);
    assert_int_equal(ledger_decide(row_of(l, 7), LEDGER_SEEN_MANUAL), LEDGER_PUT);
    ledger_destroy(l);
}

static void a_late_row_of_an_older_publication_changes_nothing(void **state)
{
    (void)state;
    struct ledger *l = begin();
    struct ledger_row row = {.organization = "acme", .order_id = 7, .publication = 200, .round = 100, .wanted = LEDGER_IMPORTED, .settled_at = NOW,
                             .closed = true, .complete = true};
    assert_int_equal(ledger_restore(l, &row, 3, 5, NOW), RC_OK);
    row = (struct ledger_row){.organization = "acme", .order_id = 7, .publication = 100, .round = 100, .wanted = LEDGER_MANUAL};
    assert_int_equal(ledger_restore(l, &row, 3, 6, NOW), RC_OK);
    assert_int_equal(take(l, 0), 0);
    row.publication = 300;
    assert_int_equal(ledger_restore(l, &row, 3, 7, NOW), RC_OK);
    row.publication = 250;
    row.wanted = LEDGER_IMPORTED;
    assert_int_equal(ledger_restore(l, &row, 3, 8, NOW), RC_OK);
    assert_int_equal(row_of(l, 7)->publication, 300);
    ledger_destroy(l);
}

static void a_delay_is_of_the_publication_that_was_refused(void **state)
{
    (void)state;
    struct ledger *l = begin();
    uint64_t number = 0;
    note(l, says(7, 100, 100, "MAG-1", OUTCOME_REJECTED));
    assert_int_equal(ledger_take(l, 0, &number), 7);
    ledger_give_back(l, 7, number, 0, 600000);
    assert_int_equal(take(l, 0), 0);
    note(l, says(7, 200, 200, "MAG-1", OUTCOME_REJECTED));
    assert_int_equal(take(l, 0), 7);
    ledger_destroy(l);
}

static void an_order_refused_by_the_producer_goes_to_manual_handling(void **state)
{
    (void)state;
    struct ledger *l = begin();
    struct outcome o = says(7, 100, 100, "", OUTCOME_REJECTED);
    o.warehouses.n = 0;
    assert_int_equal(note(l, o), LEDGER_CHANGED);
    assert_int_equal(row_of(l, 7)->wanted, LEDGER_MANUAL);
    assert_true(row_of(l, 7)->complete);
    ledger_destroy(l);
}

static void the_digest_holds_what_was_put_through_growth_and_removal(void **state)
{
    (void)state;
    struct ledger_digest d;
    ledger_digest_init(&d, REMEMBER);
    for (int64_t id = 1; id <= 20000; id++) {
        struct ledger_digest_entry e = {NOW + id, (uint8_t)(id % 7), id * 3, (uint16_t)(id % 5)};
        assert_true(ledger_digest_put(&d, id, &e, NOW));
    }
    for (int64_t id = 1; id <= 20000; id += 2)
        ledger_digest_remove(&d, id);
    ledger_digest_drop(&d, 4);
    size_t left = 0;
    for (int64_t id = 1; id <= 20000; id++) {
        struct ledger_digest_entry e;
        bool there = ledger_digest_get(&d, id, &e);
        assert_int_equal(there, id % 2 == 0 && id % 5 != 4);
        left += there;
        if (there)
            assert_true(e.publication == NOW + id && e.flags == id % 7 && e.offset == id * 3 && e.partition == id % 5);
    }
    assert_int_equal(left, d.n);
    ledger_digest_release(&d);
}

static void a_finished_order_costs_little_more_than_24_bytes(void **state)
{
    (void)state;
    struct ledger_digest d;
    size_t room = 0;
    ledger_digest_init(&d, REMEMBER);
    for (int64_t id = 1; id <= 300000; id++) {
        struct ledger_digest_entry e = {NOW, 0, id, 0};
        assert_true(ledger_digest_put(&d, id * 7, &e, NOW));
        if (id % 1000 == 0 && id >= 100000) {
            room = 0;
            for (size_t i = 0; i < LEDGER_DIGEST_TABLES; i++)
                room += (size_t)d.tables[i].cap * 24;
            assert_true(room < (size_t)id * 33);
        }
    }
    assert_int_equal(d.n, 300000);
    ledger_digest_release(&d);
}

static void the_digest_forgets_what_is_too_old_when_it_grows(void **state)
{
    (void)state;
    struct ledger_digest d;
    ledger_digest_init(&d, 1000);
    for (int64_t id = 1; id <= 100000; id++) {
        struct ledger_digest_entry e = {id, 0, id, 0};
        assert_true(ledger_digest_put(&d, id, &e, id));
    }
    struct ledger_digest_entry e;
    assert_true(ledger_digest_get(&d, 99500, &e));
    assert_false(ledger_digest_get(&d, 1, &e));
    assert_true(d.n <= 4096);
    ledger_digest_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_rejection_wants_the_manual_status_at_once),
        cmocka_unit_test(the_imported_status_is_wanted_when_every_warehouse_has_it),
        cmocka_unit_test(withdrawn_everywhere_closes_without_a_status),
        cmocka_unit_test(withdrawn_from_under_our_imported_status_wants_the_manual_one),
        cmocka_unit_test(a_superseded_withdrawal_takes_nothing_back),
        cmocka_unit_test(a_superseded_publication_is_neither_settled_nor_closed),
        cmocka_unit_test(an_older_publication_never_touches_the_row_again),
        cmocka_unit_test(a_newer_publication_of_the_round_takes_over_what_was_set_or_may_have_been),
        cmocka_unit_test(only_what_nobody_decided_is_overwritten),
        cmocka_unit_test(a_changed_verdict_reopens_the_row),
        cmocka_unit_test(failures_in_a_row_are_counted_until_the_order_is_settled_or_moves_on),
        cmocka_unit_test(what_fails_for_all_makes_no_order_wait_longer_and_ends_for_all_with_the_first_success),
        cmocka_unit_test(orders_that_fail_while_others_succeed_wait_longer_and_nobody_hurries_them),
        cmocka_unit_test(after_one_lucky_success_in_a_brown_out_the_others_are_not_blamed),
        cmocka_unit_test(an_outage_is_over_too_when_nothing_of_it_waits_any_more),
        cmocka_unit_test(an_order_is_gone_by_doubtful_words_only_when_they_come_again_later_and_nothing_else_in_between),
        cmocka_unit_test(a_verdict_that_says_nothing_new_leaves_the_order_finished),
        cmocka_unit_test(a_row_read_again_never_replaces_a_newer_one),
        cmocka_unit_test(a_settlement_of_what_is_no_longer_true_changes_nothing),
        cmocka_unit_test(the_oldest_comes_first_and_a_delayed_one_later),
        cmocka_unit_test(what_a_ledger_row_says_is_wanted_is_taken_up_after_a_restart),
        cmocka_unit_test(nothing_is_taken_up_before_its_partition_was_read_back),
        cmocka_unit_test(nothing_is_taken_up_before_its_row_is_in_the_topic),
        cmocka_unit_test(a_take_ends_with_its_row),
        cmocka_unit_test(an_older_verdict_that_comes_again_changes_nothing),
        cmocka_unit_test(a_put_that_a_withdrawal_crossed_is_taken_back),
        cmocka_unit_test(a_status_whose_change_was_not_answered_counts_as_set_when_the_verdict_turns),
        cmocka_unit_test(a_late_row_of_an_older_publication_changes_nothing),
        cmocka_unit_test(a_delay_is_of_the_publication_that_was_refused),
        cmocka_unit_test(an_order_refused_by_the_producer_goes_to_manual_handling),
        cmocka_unit_test(the_digest_holds_what_was_put_through_growth_and_removal),
        cmocka_unit_test(a_finished_order_costs_little_more_than_24_bytes),
        cmocka_unit_test(the_digest_forgets_what_is_too_old_when_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
