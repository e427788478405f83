/* What the book does about orders that a complete poll did not show, and with rows read back. */
#include "tests/unit/book_bench.h"

/* One order, open since 5000, and a complete poll begun at now without it. true: it is named. */
static bool absent_at(struct order_book *b, int64_t now, struct order_book_absence *a)
{
    order_book_poll(b, now);
    (void)order_book_poll_complete(b);
    return order_book_absent(b, now, true, a);
}

static void an_open_order_that_a_complete_poll_does_not_show_is_withdrawn_when_a_look_finds_it_elsewhere(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    struct order_state note;
    bool forgotten;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A,B", 5000, &offer);
    assert_false(order_book_poll_complete(b));
    assert_false(order_book_absent(b, 5000, true, &a));
    (void)notes(b, &note, &forgotten);
    order_book_poll(b, 6000);
    assert_true(order_book_poll_complete(b));
    assert_true(order_book_absent(b, 6000, false, &a));
    assert_int_equal(a.order_id, 1);
    assert_false(a.slow);
    assert_false(order_book_looked(b, &a, ORDER_FOUND_NEW, &offer)); /* pages shifted */
    for (enum order_book_found f = ORDER_FOUND_IMPORTED; f <= ORDER_FOUND_GONE; f++)
        assert_true(order_book_looked(b, &a, f, &offer)); /* nobody of ours wanted these */
    assert_int_equal(offer.cause, ORDER_WITHDRAWAL);
    assert_int_equal(offer.publication, 6000);
    assert_int_equal(offer.round, 5000);
    assert_string_equal(list_of(&offer.warehouses), "A,B");
    order_book_withdrawn(b, 1, &offer, 6000);
    order_book_published(b, 1);
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_true(note.withdrawn && !note.closed);
    assert_int_equal(note.publication, 6000);
    assert_string_equal(note.revision, "000000000000000b");
    assert_false(absent_at(b, 7000, &a)); /* once */
    order_book_poll(b, 8000);
    assert_int_equal(show(b, 1, 11, "A", 8000, &offer), ORDER_PUBLISH); /* wanted again */
    assert_int_equal(offer.round, 5000);
    assert_string_equal(list_of(&offer.warehouses), "A,B");
    order_book_destroy(b);
}

static void a_status_that_the_updater_wants_or_has_set_in_this_round_withdraws_nothing(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    assert_true(absent_at(b, 6000, &a));
    row(b, 1, 5000, false, false, 0); /* wants and has set the imported status */
    assert_false(order_book_looked(b, &a, ORDER_FOUND_IMPORTED, &offer));
    assert_true(order_book_looked(b, &a, ORDER_FOUND_MANUAL, &offer));
    assert_true(order_book_looked(b, &a, ORDER_FOUND_GONE, &offer));
    row(b, 1, 4999, false, false, 1); /* of a round before this one */
    assert_true(order_book_looked(b, &a, ORDER_FOUND_IMPORTED, &offer));
    row(b, 1, 5000, true, true, 2);
    assert_false(order_book_looked(b, &a, ORDER_FOUND_OTHER, &offer)); /* closed since it was looked at: it left the new status by the updater's hand */
    order_book_destroy(b);
}

static void a_look_in_vain_is_repeated_slowly_until_a_poll_shows_the_order(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    assert_true(absent_at(b, 6000, &a));
    assert_false(a.slow);
    assert_false(absent_at(b, 7000, &a));
    assert_true(absent_at(b, 6000 + 10 * MINUTE, &a));
    assert_true(a.slow);
    order_book_poll(b, 6000 + 20 * MINUTE);
    (void)order_book_poll_complete(b);
    assert_false(order_book_absent(b, 6000 + 20 * MINUTE, false, &a)); /* no slow one allowed */
    int64_t now = 6000 + 21 * MINUTE;
    order_book_poll(b, now);
    assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_SKIP);
    assert_true(absent_at(b, now + 1000, &a));
    assert_false(a.slow);
    order_book_destroy(b);
}

static void a_closed_order_that_a_warehouse_has_not_answered_is_looked_at_every_ten_minutes(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A,B", 5000, &offer);
    order_book_poll(b, 6000);
    row(b, 1, 5000, true, false, 0);
    assert_false(order_book_poll_complete(b)); /* begun before the row was read */
    assert_false(absent_at(b, 7000, &a));
    assert_false(absent_at(b, 6000 + 10 * MINUTE, &a));
    assert_true(absent_at(b, 7000 + 10 * MINUTE, &a));
    assert_true(a.slow && a.closed);
    assert_false(order_book_looked(b, &a, ORDER_FOUND_IMPORTED, &offer));
    assert_true(order_book_looked(b, &a, ORDER_FOUND_OTHER, &offer));
    assert_int_equal(offer.round, 5000);
    order_book_withdrawn(b, 1, &offer, 7000);
    order_book_published(b, 1);
    assert_false(absent_at(b, 8000 + 20 * MINUTE, &a));
    order_book_destroy(b);
}

static void a_doubted_look_is_remembered_until_the_next_one_and_no_longer_than_the_order_is_absent(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    int64_t now = 6000;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A,B", 5000, &offer);
    assert_true(absent_at(b, now, &a) && !a.doubted);
    order_book_doubt(b, 1);
    assert_true(absent_at(b, now += 10 * MINUTE, &a) && a.doubted);
    assert_true(absent_at(b, now += 10 * MINUTE, &a) && !a.doubted); /* the look between had another answer */
    order_book_doubt(b, 1);
    order_book_poll(b, now += 1000);
    assert_int_equal(show(b, 1, 11, "A,B", now, &offer), ORDER_SKIP);
    assert_true(absent_at(b, now += 1000, &a) && !a.doubted); /* a poll has shown it */
    row(b, 1, 5000, true, false, 0);
    assert_false(absent_at(b, now += 1000, &a));
    assert_true(absent_at(b, now += 10 * MINUTE, &a) && a.closed && a.slow && !a.doubted); /* slow, but looked at for the first time since it was closed */
    order_book_doubt(b, 1);
    assert_true(absent_at(b, now += 10 * MINUTE, &a) && a.closed && a.doubted);
    order_book_doubt(b, 2); /* nobody's */
    order_book_destroy(b);
}

static void absent_orders_are_named_in_turn_over_the_polls(void **state)
{
    (void)state;
    enum { MANY = 50, A_POLL = 5 };
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    bool named[MANY + 1] = {false};
    order_book_poll(b, 5000);
    for (int64_t id = 1; id <= MANY; id++)
        show(b, id, 11, "A", 5000, &offer);
    for (int64_t now = 6000; now < 6000 + MANY / A_POLL; now++) {
        order_book_poll(b, now);
        (void)order_book_poll_complete(b);
        for (int i = 0; i < A_POLL; i++) {
            assert_true(order_book_absent(b, now, true, &a));
            assert_false(named[a.order_id]);
            named[a.order_id] = true;
        }
    }
    assert_false(absent_at(b, 7000, &a));
    order_book_destroy(b);
}

static void an_order_that_was_rejected_here_has_nothing_to_withdraw(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    struct order_book_seen seen = {.order_id = 1, .revision = 50, .schema_id = SCHEMA_ID, .rejected = true};
    order_book_poll(b, 5000);
    assert_int_equal(order_book_see(b, &seen, 5000, &offer), ORDER_PUBLISH);
    assert_int_equal(order_book_offered(b, &seen, &offer, 5000), RC_OK);
    order_book_published(b, 1);
    assert_false(absent_at(b, 6000, &a));
    order_book_destroy(b);
}

static void an_adopted_order_without_a_row_may_have_been_forgotten_and_its_rows_are_read_back(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_state record = {.order_id = 1, .revision = "000000000000000b", .publication = 7000, .round = 7000, .schema_id = SCHEMA_ID, .at = 6999};
    struct order_state closed = {.order_id = 2, .revision = "000000000000000b", .publication = 5000, .round = 5000, .schema_id = SCHEMA_ID, .at = 5001, .closed = true};
    struct order_book_absence a;
    bool forgotten;
    record.warehouses = closed.warehouses = set_of("A");
    assert_int_equal(order_book_rows_missing_since(b), -1);
    assert_int_equal(order_book_adopt(b, &record), RC_OK);
    assert_int_equal(order_book_rows_missing_since(b), 6999);
    assert_int_equal(order_book_restore(b, 2, &closed, 5000), RC_OK);
    assert_int_equal(order_book_rows_missing_since(b), 5001); /* closed by a row that nobody has read */
    struct ledger_row r = {.order_id = 1, .revision = "000000000000000b", .publication = 7000, .round = 7000, .closed = true, .complete = true};
    r.warehouses = set_of("A");
    row(b, 2, 5000, true, true, 8);
    assert_int_equal(order_book_ledger_back(b, &r, 0, 3), RC_OK);
    assert_int_equal(order_book_rows_missing_since(b), -1);
    r.order_id = 2;
    r.publication = 5000;
    r.complete = false;
    assert_int_equal(order_book_ledger_back(b, &r, 0, 2), RC_OK); /* older than what is known */
    order_book_restored(b);
    assert_false(absent_at(b, 9000, &a));
    assert_int_equal(notes(b, &closed, &forgotten), 2); /* both closed and answered by all: forgotten */
    assert_true(forgotten);
    order_book_destroy(b);
}

/* It was forgotten long ago, and compaction has removed the tombstone: only a row from the time of its newest publication says so. Else it would stay open, or an
 * imported order would be withdrawn. */
static void the_rows_of_a_record_that_came_days_late_are_read_back_from_its_publication_on(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_state record = {.order_id = 1, .revision = "000000000000000b", .publication = 7000, .round = 7000, .schema_id = SCHEMA_ID,
                                 .at = 7000 + 4 * (int64_t)DAY};
    struct order_book_absence a;
    struct order_state note;
    bool forgotten;
    record.warehouses = set_of("A");
    assert_int_equal(order_book_adopt(b, &record), RC_OK);
    assert_int_equal(order_book_rows_missing_since(b), 7000);
    struct ledger_row r = {.order_id = 1, .revision = "000000000000000c", .publication = 8000, .round = 8000, .closed = true, .complete = true};
    r.warehouses = set_of("A");
    assert_int_equal(order_book_ledger_back(b, &r, 0, 3), RC_OK);
    assert_int_equal(order_book_rows_missing_since(b), -1);
    order_book_restored(b);
    assert_false(absent_at(b, 9000, &a));
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_true(forgotten);
    order_book_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_order_that_a_complete_poll_does_not_show_is_withdrawn_when_a_look_finds_it_elsewhere),
        cmocka_unit_test(a_status_that_the_updater_wants_or_has_set_in_this_round_withdraws_nothing),
        cmocka_unit_test(a_look_in_vain_is_repeated_slowly_until_a_poll_shows_the_order),
        cmocka_unit_test(a_closed_order_that_a_warehouse_has_not_answered_is_looked_at_every_ten_minutes),
        cmocka_unit_test(a_doubted_look_is_remembered_until_the_next_one_and_no_longer_than_the_order_is_absent),
        cmocka_unit_test(absent_orders_are_named_in_turn_over_the_polls),
        cmocka_unit_test(an_order_that_was_rejected_here_has_nothing_to_withdraw),
        cmocka_unit_test(an_adopted_order_without_a_row_may_have_been_forgotten_and_its_rows_are_read_back),
        cmocka_unit_test(the_rows_of_a_record_that_came_days_late_are_read_back_from_its_publication_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
