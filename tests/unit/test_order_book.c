#include "common/contract/publication.h"
#include "tests/unit/book_bench.h"

static void an_unknown_order_is_published_once_and_then_skipped(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    assert_int_equal(order_book_poll(b, 5000), 5000);
    assert_int_equal(show(b, 1, 11, "A", 5000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.cause, ORDER_NEW);
    assert_int_equal(offer.publication, 5000);
    assert_int_equal(offer.round, 5000);
    assert_int_equal(show(b, 1, 11, "A", 5000, &offer), ORDER_REPEATED);
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_false(forgotten);
    assert_string_equal(note.revision, "000000000000000b");
    assert_int_equal(note.publication, 5000);
    assert_int_equal(note.schema_id, SCHEMA_ID);
    assert_string_equal(list_of(&note.warehouses), "A");
    order_book_poll_complete(b);
    order_book_poll(b, 6000);
    assert_int_equal(show(b, 1, 11, "A", 6000, &offer), ORDER_SKIP);
    assert_int_equal(show(b, 1, 11, "A", 6000, &offer), ORDER_REPEATED);
    order_book_destroy(b);
}

static void an_edit_keeps_the_round_and_names_the_warehouse_that_has_nothing_any_more(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A,B", 5000, &offer);
    order_book_poll(b, 90000);
    assert_int_equal(show(b, 1, 12, "B,C", 90000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.cause, ORDER_EDIT);
    assert_int_equal(offer.publication, 90000);
    assert_int_equal(offer.round, 5000);
    assert_string_equal(list_of(&offer.warehouses), "A,B,C");
    order_book_destroy(b);
}

static void a_publication_rises_even_when_the_clock_goes_back(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    order_book_poll(b, 500000);
    show(b, 1, 11, "A", 500000, &offer);
    assert_int_equal(order_book_poll(b, 1000), 501000);
    assert_int_equal(show(b, 1, 12, "A", 1000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.publication, 501000);
    assert_true(order_book_is_news(b, 99, 700000, false)); /* whatever is heard of counts, of any order */
    assert_int_equal(order_book_poll(b, 1000), 701000);
    row(b, 98, 800000, false, false, 0); /* so does a row of an order that is not known */
    assert_int_equal(order_book_poll(b, 1000), 801000);
    assert_int_equal(order_book_restore(b, 97, NULL, 900000), RC_OK); /* and a tombstone */
    assert_int_equal(order_book_poll(b, 1000), 901000);
    order_book_destroy(b);
}

/* As a replica does that was stopped in the middle of a publish and wakes up while its successor, whose clock lags behind, polls: the order is not known yet when its row
 * is read. Offered with less than that row has it would stay open for ever: nobody's row would be of its publication or a newer one. */
static void what_is_offered_after_a_higher_row_was_read_in_the_same_poll_is_above_it(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_absence a;
    struct order_book_seen rejected = {.order_id = 2, .revision = 50, .schema_id = SCHEMA_ID, .rejected = true};
    order_book_poll(b, 5000);
    show(b, 5, 11, "A", 5000, &offer);
    assert_int_equal(order_book_poll(b, 7000), 7000);
    show(b, 1, 11, "A", 7000, &offer);
    assert_int_equal(offer.publication, 7000);
    row(b, 2, 500000, true, true, 0);
    assert_int_equal(order_book_see(b, &rejected, 7000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.publication, 501000);
    assert_int_equal(offer.round, 501000);
    assert_int_equal(order_book_offered(b, &rejected, &offer, 7000), RC_OK);
    order_book_published(b, 2);
    assert_int_equal(show(b, 3, 11, "A", 7000, &offer), ORDER_PUBLISH); /* what was offered does not count as heard */
    assert_int_equal(offer.publication, 501000);
    row(b, 4, PUBLICATION_MAX, true, true, 1); /* from such a number nobody counts on */
    assert_int_equal(show(b, 4, 11, "A", 7000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.publication, 501000);
    assert_int_equal(show(b, 2, 11, "A", 7000, &offer), ORDER_REPEATED);
    assert_true(order_book_poll_complete(b));
    assert_true(order_book_absent(b, 7000, true, &a)); /* none of those that this poll has published */
    assert_int_equal(a.order_id, 5);
    assert_true(order_book_looked(b, &a, ORDER_FOUND_OTHER, &offer));
    assert_int_equal(offer.publication, 501000);
    assert_false(order_book_absent(b, 7000, true, &a));
    assert_int_equal(order_book_poll(b, 8000), 502000);
    row(b, 2, 501000, true, true, 2);
    assert_int_equal(order_book_see(b, &rejected, 8000, &offer), ORDER_SKIP);
    order_book_poll(b, 9000);
    assert_int_equal(order_book_see(b, &rejected, 9000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.cause, ORDER_RETRY); /* closed: the rejection counts */
    order_book_destroy(b);
}

static void a_closed_order_shown_by_a_later_poll_is_a_retry_of_a_new_round(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    (void)notes(b, &note, &forgotten);
    order_book_poll(b, 6000);
    row(b, 1, 5000, true, true, 3); /* read while the poll runs: its page may be older */
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_true(note.closed);
    assert_int_equal(show(b, 1, 11, "A", 6000, &offer), ORDER_SKIP);
    order_book_poll(b, 7000);
    assert_int_equal(show(b, 1, 11, "A", 7000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.cause, ORDER_RETRY);
    assert_int_equal(offer.round, 5001);
    assert_int_equal(offer.publication, 7000);
    order_book_destroy(b);
}

static void a_row_of_an_older_publication_closes_nothing(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    order_book_poll(b, 6000);
    show(b, 1, 12, "A", 6000, &offer);
    (void)notes(b, &note, &forgotten);
    row(b, 1, 5000, true, true, 0);
    assert_int_equal(notes(b, &note, &forgotten), 0);
    order_book_poll(b, 7000);
    assert_int_equal(show(b, 1, 12, "A", 7000, &offer), ORDER_SKIP);
    order_book_destroy(b);
}

static void a_row_of_a_newer_publication_is_taken_over(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    order_book_poll(b, 5000);
    show(b, 1, 1, "B", 5000, &offer);
    row(b, 1, 5001, false, false, 0);
    (void)notes(b, &note, &forgotten);
    assert_int_equal(note.publication, 5001);
    assert_int_equal(note.round, 5000);
    assert_string_equal(list_of(&note.warehouses), "A,B");
    row(b, 1, 5001, true, true, 1);
    (void)notes(b, &note, &forgotten);
    assert_true(note.closed);
    order_book_destroy(b);
}

static void a_closed_complete_order_that_a_later_poll_does_not_show_is_forgotten(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    struct order_book_counts c;
    bool forgotten;
    int64_t position = 9;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    (void)notes(b, &note, &forgotten);
    row(b, 1, 5000, true, false, 4);
    (void)notes(b, &note, &forgotten);
    order_book_poll_complete(b); /* begun before the row was read */
    order_book_poll(b, 6000);
    order_book_poll_complete(b); /* a warehouse has not answered */
    assert_int_equal(notes(b, &note, &forgotten), 0);
    row(b, 1, 5000, true, true, 5);
    order_book_ledger_positions(b, &position, 1);
    assert_int_equal(position, 5);
    order_book_poll(b, 7000);
    order_book_poll_complete(b);
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_true(forgotten);
    assert_int_equal(note.publication, 5000);
    position = 9;
    order_book_ledger_positions(b, &position, 1);
    assert_int_equal(position, 9);
    order_book_count(b, &c);
    assert_int_equal(c.open + c.closed, 0);
    order_book_destroy(b);
}

static void a_note_waits_for_the_acknowledgement_and_then_tells_the_latest(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    struct warehouse_set own = set_of("A");
    struct order_book_seen seen = {.order_id = 1, .revision = 1, .schema_id = SCHEMA_ID, .warehouses = &own};
    order_book_poll(b, 5000);
    assert_int_equal(order_book_see(b, &seen, 5000, &offer), ORDER_PUBLISH);
    assert_int_equal(order_book_see(b, &seen, 5000, &offer), ORDER_PUBLISH); /* asked again after a wait */
    assert_int_equal(order_book_offered(b, &seen, &offer, 5000), RC_OK);
    row(b, 1, 5000, true, true, 0); /* the others were faster than the acknowledgement */
    assert_int_equal(notes(b, &note, &forgotten), 0);
    order_book_published(b, 1);
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_true(note.closed);
    order_book_destroy(b);
}

static void an_order_open_for_long_is_offered_again_in_its_round(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    int64_t later = 5000 + 3 * (int64_t)DAY;
    order_book_poll(b, later);
    assert_int_equal(show(b, 1, 11, "A", later, &offer), ORDER_SKIP);
    order_book_poll(b, ++later);
    assert_int_equal(show(b, 1, 11, "A", later, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.cause, ORDER_REOFFER);
    assert_int_equal(offer.round, 5000);
    order_book_destroy(b);
}

static void the_third_retry_of_an_unchanged_order_waits_and_the_next_ones_longer(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_book_counts c;
    int64_t now = 5000, p;
    order_book_poll(b, now);
    show(b, 1, 11, "A", now, &offer);
    int64_t waits[] = {0, 0, MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, 32 * MINUTE, 60 * MINUTE, 60 * MINUTE};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        row(b, 1, offer.publication, true, true, (int64_t)i);
        if (waits[i] > 0) {
            now += waits[i] - 1;
            order_book_poll(b, now);
            assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_HELD);
            order_book_count(b, &c);
            assert_int_equal(c.held, 1);
            now++;
        }
        p = order_book_poll(b, now);
        assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_PUBLISH);
        assert_int_equal(offer.publication, p);
    }
    row(b, 1, offer.publication, true, true, 99);
    order_book_poll(b, now);
    assert_int_equal(show(b, 1, 12, "A", now, &offer), ORDER_PUBLISH); /* another content is another matter */
    order_book_destroy(b);
}

static void the_guard_goes_by_a_clock_that_nobody_sets(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    int64_t now = 5000;
    for (int i = 0; i < 3; i++) {
        order_book_poll(b, now);
        assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_PUBLISH);
        row(b, 1, offer.publication, true, true, i);
    }
    now += DAY; /* the wall clock is set, no time has passed */
    steady_ahead = -DAY;
    order_book_poll(b, now);
    assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_HELD);
    steady_ahead = 0;
    order_book_destroy(b);
}

static void an_order_that_was_forgotten_meanwhile_is_guarded_too(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    struct order_book_counts c;
    bool forgotten;
    int64_t now = 5000;
    for (int i = 0; i < 3; i++) {
        order_book_poll(b, now);
        assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_PUBLISH);
        assert_int_equal(offer.cause, ORDER_NEW);
        row(b, 1, offer.publication, true, true, i);
        order_book_poll(b, ++now);
        order_book_poll_complete(b);
        (void)notes(b, &note, &forgotten);
        assert_true(forgotten);
    }
    order_book_poll(b, ++now);
    assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_HELD);
    assert_int_equal(show(b, 1, 11, "A", now, &offer), ORDER_REPEATED); /* or a server that repeats its last page would never end the poll */
    order_book_count(b, &c);
    assert_int_equal(c.held, 1);
    assert_int_equal(show(b, 1, 12, "A", now, &offer), ORDER_PUBLISH);
    order_book_destroy(b);
}

static struct order_state note_of(int64_t publication, bool closed)
{
    struct order_state s = {.order_id = 1, .revision = "000000000000000b", .publication = publication, .round = publication, .schema_id = SCHEMA_ID,
                            .closed = closed};
    s.warehouses = set_of("A");
    return s;
}

static void a_note_that_a_former_owner_wrote_late_changes_nothing(void **state)
{
    (void)state;
    struct order_state newer = note_of(7000, true), older = note_of(5000, false), open = note_of(7000, false), got;
    struct order_book *b = book_new();
    assert_int_equal(order_book_restore(b, 1, &newer, 7000), RC_OK);
    assert_int_equal(order_book_restore(b, 1, &older, 5000), RC_OK);
    assert_true(order_book_get(b, 1, &got));
    assert_true(got.publication == 7000 && got.closed);
    assert_int_equal(order_book_restore(b, 1, &open, 7000), RC_OK); /* the same publication does not open again */
    assert_true(order_book_get(b, 1, &got));
    assert_true(got.closed);
    assert_int_equal(order_book_restore(b, 1, NULL, 5000), RC_OK); /* a late tombstone */
    assert_true(order_book_get(b, 1, &got));
    assert_int_equal(order_book_restore(b, 1, NULL, 7000), RC_OK);
    assert_false(order_book_get(b, 1, &got));
    assert_int_equal(order_book_restore(b, 1, &newer, 7000), RC_OK); /* what was forgotten stays so */
    assert_false(order_book_get(b, 1, &got));
    older.publication = 8000;
    assert_int_equal(order_book_restore(b, 1, &older, 8000), RC_OK);
    assert_true(order_book_get(b, 1, &got));
    assert_int_equal(order_book_restore(b, 1, NULL, 0), RC_OK); /* without a publication it cannot be late */
    assert_false(order_book_get(b, 1, &got));
    order_book_destroy(b);
}

static void a_changed_schema_is_compared_by_the_old_one_before_an_edit_is_believed(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    struct warehouse_set own = set_of("A");
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    (void)notes(b, &note, &forgotten);
    struct order_book_seen seen = {.order_id = 1, .revision = 50, .schema_id = 8, .warehouses = &own};
    order_book_poll(b, 6000);
    assert_int_equal(order_book_see(b, &seen, 6000, &offer), ORDER_COMPARE);
    assert_int_equal(offer.schema_id, SCHEMA_ID);
    seen.compared = true;
    seen.old_revision = 12;
    assert_int_equal(order_book_see(b, &seen, 6000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.cause, ORDER_EDIT);
    seen.old_revision = 11;
    assert_int_equal(order_book_see(b, &seen, 6000, &offer), ORDER_SKIP);
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_int_equal(note.schema_id, 8);
    assert_string_equal(note.revision, "0000000000000032");
    assert_int_equal(note.publication, 5000);
    order_book_destroy(b);
}

static void an_order_that_cannot_be_compared_now_is_left_alone_until_it_is_offered_again(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    struct warehouse_set own = set_of("A");
    order_book_poll(b, 5000);
    show(b, 1, 11, "A", 5000, &offer);
    (void)notes(b, &note, &forgotten);
    struct order_book_seen seen = {.order_id = 1, .revision = 50, .schema_id = 8, .warehouses = &own, .compared = true, .undecided = true};
    order_book_poll(b, 6000);
    assert_int_equal(order_book_see(b, &seen, 6000, &offer), ORDER_SKIP);
    assert_int_equal(order_book_see(b, &seen, 6000, &offer), ORDER_REPEATED); /* the poll has shown it: it is not absent */
    assert_false(order_book_poll_complete(b));
    assert_int_equal(notes(b, &note, &forgotten), 0);
    seen.compared = seen.undecided = false;
    order_book_poll(b, 7000);
    assert_int_equal(order_book_see(b, &seen, 7000, &offer), ORDER_COMPARE); /* as before */
    assert_int_equal(offer.schema_id, SCHEMA_ID);
    seen.compared = seen.undecided = true;
    assert_int_equal(order_book_see(b, &seen, INT64_C(40) * 24 * 3600 * 1000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.cause, ORDER_REOFFER);
    order_book_destroy(b);
}

static void an_edit_that_cannot_become_a_record_withdraws_what_is_open_and_is_rejected_by_the_next_poll(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    struct order_book_seen seen = {.order_id = 1, .revision = 50, .schema_id = SCHEMA_ID, .rejected = true};
    order_book_poll(b, 5000);
    assert_int_equal(order_book_see(b, &seen, 5000, &offer), ORDER_PUBLISH); /* nothing is open */
    assert_int_equal(offer.warehouses.n, 0);
    seen.order_id = 2;
    show(b, 2, 11, "A", 5000, &offer);
    order_book_poll(b, 6000);
    assert_int_equal(order_book_see(b, &seen, 6000, &offer), ORDER_WITHDRAW);
    assert_string_equal(list_of(&offer.warehouses), "A");
    assert_int_equal(offer.round, 5000);
    order_book_withdrawn(b, 2, &offer, 6000);
    assert_int_equal(order_book_see(b, &seen, 6000, &offer), ORDER_REPEATED);
    order_book_published(b, 2);
    (void)notes(b, &note, &forgotten);
    assert_true(note.withdrawn && !note.closed);
    assert_string_equal(note.revision, "000000000000000b");
    order_book_poll(b, 7000);
    assert_int_equal(order_book_see(b, &seen, 7000, &offer), ORDER_PUBLISH);
    assert_int_equal(offer.round, 5000);
    assert_int_equal(order_book_offered(b, &seen, &offer, 7000), RC_OK);
    order_book_published(b, 2);
    order_book_poll(b, 8000);
    assert_int_equal(order_book_see(b, &seen, 8000, &offer), ORDER_SKIP); /* rejected once */
    order_book_destroy(b);
}

static void the_tail_of_orders_is_adopted_where_it_is_newer_than_the_notes(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note = {.order_id = 1, .revision = "000000000000000b", .publication = 5000, .round = 5000, .schema_id = SCHEMA_ID};
    bool forgotten;
    note.warehouses = set_of("A");
    assert_int_equal(order_book_restore(b, 1, &note, 5000), RC_OK);
    assert_int_equal(order_book_restore(b, 2, NULL, 6000), RC_OK);
    assert_false(order_book_is_news(b, 1, 5000, false));
    assert_false(order_book_is_news(b, 2, 6000, false));
    assert_false(order_book_is_news(b, 1, 9000, true));
    assert_true(order_book_is_news(b, 2, 7000, false));
    note.order_id = 2;
    note.publication = 7000;
    note.at = 6999;
    assert_int_equal(order_book_adopt(b, &note), RC_OK);
    order_book_restored(b);
    assert_int_equal(notes(b, &note, &forgotten), 1);
    assert_int_equal(note.order_id, 2);
    assert_false(note.closed);
    assert_int_equal(order_book_poll(b, 1), 10000);
    assert_int_equal(show(b, 2, 11, "A", 7000, &offer), ORDER_SKIP);
    assert_int_equal(show(b, 1, 11, "A", 7000, &offer), ORDER_SKIP);
    order_book_destroy(b);
}

static void the_row_that_alone_tells_of_the_highest_publication_is_read_again(void **state)
{
    (void)state;
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    bool forgotten;
    int64_t position = 9;
    row(b, 98, 800000, true, true, 4); /* a rejection that a killed producer had not noted: the order is not known */
    order_book_ledger_positions(b, &position, 1);
    assert_int_equal(position, 4);
    order_book_poll(b, 1000);
    show(b, 1, 11, "A", 1000, &offer);
    order_book_ledger_positions(b, &position, 1);
    assert_int_equal(position, 4);
    (void)notes(b, &note, &forgotten); /* now order-state tells of a higher one */
    position = 9;
    order_book_ledger_positions(b, &position, 1);
    assert_int_equal(position, 9);
    order_book_destroy(b);
}

static void many_orders_come_and_go_in_little_memory(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct order_book *b = book_new();
    struct order_book_offer offer;
    struct order_state note;
    struct order_book_counts c;
    bool forgotten;
    order_book_poll(b, 5000);
    for (int64_t id = 1; id <= MANY; id++) {
        assert_int_equal(show(b, id * 977, 11, id % 2 ? "A" : "A,B", 5000, &offer), ORDER_PUBLISH);
        assert_int_equal(notes(b, &note, &forgotten), 1);
    }
    order_book_count(b, &c);
    assert_int_equal(c.open, MANY);
    assert_true(c.bytes / MANY < 160);
    for (int64_t id = 1; id <= MANY; id += 2)
        row(b, id * 977, 5000, true, true, id);
    (void)notes(b, &note, &forgotten);
    order_book_poll(b, 6000);
    order_book_poll_complete(b);
    assert_int_equal(notes(b, &note, &forgotten), MANY / 2);
    order_book_poll(b, 7000);
    for (int64_t id = 1; id <= MANY; id++)
        assert_int_equal(show(b, id * 977, 11, id % 2 ? "A" : "A,B", 7000, &offer), id % 2 ? ORDER_PUBLISH : ORDER_SKIP);
    order_book_destroy(b);
}

/* ---- random histories: orders, an operator, a ledger; the producer crashes between any two effects and is restored from the topics */

enum { ORDERS = 3, LOG = 4000 };
enum status { NEW, IMPORTED, MANUAL, CANCELLED };

struct world {
    uint64_t seed;
    int64_t now;
    struct {
        enum status status;
        uint64_t revision;
        int cause; /* rises with whatever justifies a publication */
    } xsale[ORDERS];
    struct published {
        int64_t id, publication, round, at;
        uint64_t revision;
        int cause;
        bool replayed;
    } orders[LOG];
    size_t orders_n;
    struct noted {
        int64_t id, at, publication, round, of;
        uint64_t revision;
        bool null, closed;
    } notes[LOG]; /* not compacted: with records of former owners that came late */
    size_t notes_n;
    struct {
        int64_t id, publication, round;
        uint64_t revision;
        bool closed;
    } ledger[LOG];
    size_t ledger_n;
    int64_t committed, read;
    struct order_book *book;
    int effects_left; /* until a crash; -1: none */
    bool crashed;
};

static unsigned draw(struct world *w, unsigned n)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 7;
    w->seed ^= w->seed << 17;
    return (unsigned)(w->seed >> 33) % n;
}

/* false: the producer dies before this effect. */
static bool effect(struct world *w)
{
    if (w->effects_left == 0)
        w->crashed = true;
    else if (w->effects_left > 0)
        w->effects_left--;
    return !w->crashed;
}

static void write_notes(struct world *w)
{
    struct order_state s;
    bool forgotten;
    while (!w->crashed && order_book_note(w->book, &s, &forgotten)) {
        if (!effect(w))
            return;
        assert_true(w->notes_n < LOG);
        w->notes[w->notes_n++] = (struct noted){s.order_id, w->now, s.publication, s.round, s.at, strtoull(s.revision, NULL, 16), forgotten, s.closed};
        order_book_note_taken(w->book);
    }
}

static void read_ledger(struct world *w)
{
    for (; w->read < (int64_t)w->ledger_n; w->read++) {
        struct ledger_row r = {.order_id = w->ledger[w->read].id, .publication = w->ledger[w->read].publication,
                               .round = w->ledger[w->read].round, .closed = w->ledger[w->read].closed, .complete = w->ledger[w->read].closed};
        snprintf(r.revision, sizeof r.revision, "%016llx", (unsigned long long)w->ledger[w->read].revision);
        r.warehouses = set_of("A");
        assert_int_equal(order_book_ledger(w->book, &r, 0, w->read), RC_OK);
    }
}

static void restore(struct world *w)
{
    int64_t last = 0;
    order_book_destroy(w->book);
    w->book = book_new();
    w->crashed = false;
    w->effects_left = -1;
    for (size_t i = 0; i < w->notes_n; i++) {
        const struct noted *n = &w->notes[i];
        struct order_state s = {.order_id = n->id, .publication = n->publication, .round = n->round, .closed = n->closed, .at = n->of, .schema_id = SCHEMA_ID};
        snprintf(s.revision, sizeof s.revision, "%016llx", (unsigned long long)n->revision);
        s.warehouses = set_of("A");
        if (n->at > last)
            last = n->at;
        assert_int_equal(order_book_restore(w->book, n->id, n->null ? NULL : &s, n->publication), RC_OK);
    }
    for (size_t i = 0; i < w->orders_n; i++) {
        const struct published *o = &w->orders[i];
        if (o->at < last - 5 * MINUTE || !order_book_is_news(w->book, o->id, o->publication, o->replayed))
            continue;
        struct order_state s = {.order_id = o->id, .publication = o->publication, .round = o->round, .at = o->at, .schema_id = SCHEMA_ID};
        snprintf(s.revision, sizeof s.revision, "%016llx", (unsigned long long)o->revision);
        s.warehouses = set_of("A");
        assert_int_equal(order_book_adopt(w->book, &s), RC_OK);
    }
    w->read = w->committed;
    read_ledger(w);
    order_book_restored(w->book);
    write_notes(w);
}

static void put_order(struct world *w, const struct published *o)
{
    for (size_t i = w->orders_n; i-- > 0;) {
        const struct published *before = &w->orders[i];
        if (before->id != o->id)
            continue;
        if (o->publication <= before->publication)
            fail_msg("publication of order %d does not rise", (int)o->id);
        if (!o->replayed && !before->replayed && before->cause == o->cause && o->at - before->at < 3 * (int64_t)DAY)
            fail_msg("order %d published twice without cause", (int)o->id);
        break;
    }
    assert_true(w->orders_n < LOG);
    w->orders[w->orders_n++] = *o;
}

static void poll(struct world *w, int missed)
{
    struct order_book_offer offer;
    struct warehouse_set own = set_of("A");
    struct {
        bool shown;
        uint64_t revision;
        int cause;
    } page[ORDERS];
    order_book_poll(w->book, w->now);
    for (int k = 0; k < ORDERS; k++) {
        page[k].shown = w->xsale[k].status == NEW && k != missed;
        page[k].revision = w->xsale[k].revision;
        page[k].cause = w->xsale[k].cause;
    }
    for (int k = 0; k < ORDERS && !w->crashed; k++) {
        struct order_book_seen seen = {.order_id = k + 1, .revision = page[k].revision, .schema_id = SCHEMA_ID, .warehouses = &own,
                                       .steady_ms = w->now};
        if (draw(w, 3) == 0)
            read_ledger(w);
        if (!page[k].shown || order_book_see(w->book, &seen, w->now, &offer) != ORDER_PUBLISH)
            continue;
        if (!effect(w))
            return;
        put_order(w, &(struct published){k + 1, offer.publication, offer.round, w->now, page[k].revision, page[k].cause, false});
        assert_int_equal(order_book_offered(w->book, &seen, &offer, w->now), RC_OK);
        order_book_published(w->book, k + 1);
        if (draw(w, 2) == 0)
            write_notes(w);
    }
    write_notes(w);
    if (w->crashed)
        return;
    order_book_poll_complete(w->book);
    write_notes(w);
    if (w->crashed)
        return;
    int64_t position = w->read;
    order_book_ledger_positions(w->book, &position, 1);
    w->committed = position > w->committed ? position : w->committed;
}

static const struct published *newest(const struct world *w, int64_t id)
{
    for (size_t i = w->orders_n; i-- > 0;)
        if (w->orders[i].id == id)
            return &w->orders[i];
    return NULL;
}

/* The updater settles the newest publication: sets the status when the order stands in a new one, then writes the row. */
static void settle(struct world *w, int k)
{
    const struct published *o = newest(w, k + 1);
    if (o == NULL)
        return;
    for (size_t i = w->ledger_n; i-- > 0;)
        if (w->ledger[i].id == o->id) {
            if (w->ledger[i].publication == o->publication && w->ledger[i].closed)
                return;
            break;
        }
    bool closed = draw(w, 4) != 0;
    if (closed && w->xsale[k].status == NEW)
        w->xsale[k].status = draw(w, 2) == 0 ? MANUAL : IMPORTED;
    assert_true(w->ledger_n < LOG);
    w->ledger[w->ledger_n].id = o->id;
    w->ledger[w->ledger_n].publication = o->publication;
    w->ledger[w->ledger_n].round = o->round;
    w->ledger[w->ledger_n].revision = o->revision;
    w->ledger[w->ledger_n++].closed = closed;
}

static void operate(struct world *w, int k)
{
    unsigned what = draw(w, 5);
    if (what < 2 && w->xsale[k].status != IMPORTED && w->xsale[k].status != CANCELLED) {
        w->xsale[k].revision = 1 + draw(w, 1000000);
        w->xsale[k].cause++;
    } else if (what < 4 && w->xsale[k].status != NEW) {
        w->xsale[k].status = NEW;
        w->xsale[k].cause++;
    } else if (what == 4 && draw(w, 6) == 0 && newest(w, k + 1) != NULL) {
        struct published again = *newest(w, k + 1);
        again.publication++;
        again.at = w->now;
        again.replayed = true;
        put_order(w, &again);
    }
}

/* A former owner's note comes late, after whatever was noted since. */
static void come_late(struct world *w)
{
    if (w->notes_n == 0)
        return;
    assert_true(w->notes_n < LOG);
    struct noted late = w->notes[draw(w, (unsigned)w->notes_n)];
    late.at = w->now;
    w->notes[w->notes_n++] = late;
}

static void play(struct world *w, bool calm)
{
    switch (calm ? 6 : draw(w, 10)) {
    case 0:
        operate(w, (int)draw(w, ORDERS));
        break;
    case 1:
        w->effects_left = (int)draw(w, 6);
        break;
    case 2:
        w->now += (int64_t)draw(w, 3) * 40 * MINUTE;
        break;
    case 3:
    case 4:
        settle(w, (int)draw(w, ORDERS));
        break;
    case 5:
        if (draw(w, 4) == 0)
            come_late(w);
        read_ledger(w);
        write_notes(w);
        break;
    default:
        poll(w, draw(w, 8) == 0 ? (int)draw(w, ORDERS) : -1);
    }
    w->now += 5000;
    if (w->crashed)
        restore(w);
}

static void no_random_history_publishes_twice_or_loses_an_order(void **state)
{
    (void)state;
    enum { HISTORIES = 3000, LENGTH = 150 };
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        *w = (struct world){.seed = seed * 0x9e3779b97f4a7c15U, .now = 10 * (int64_t)DAY, .effects_left = -1};
        for (int k = 0; k < ORDERS; k++)
            w->xsale[k].revision = 1 + draw(w, 1000);
        restore(w);
        for (int i = 0; i < LENGTH; i++)
            play(w, false);
        w->effects_left = -1;
        for (int i = 0; i < 30; i++) { /* healed: everything must come to rest */
            for (int k = 0; k < ORDERS; k++)
                settle(w, k);
            read_ledger(w);
            w->now += 61 * MINUTE;
            play(w, true);
        }
        size_t before = w->orders_n;
        poll(w, -1);
        poll(w, -1);
        assert_int_equal(w->orders_n, before);
        for (int k = 0; k < ORDERS; k++)
            if (w->xsale[k].status == NEW)
                fail_msg("history %u: order %d is stuck", (unsigned)seed, k + 1);
        struct order_book_counts c;
        order_book_count(w->book, &c);
        assert_int_equal(c.open + c.closed, 0);
        order_book_destroy(w->book);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_order_is_published_once_and_then_skipped),
        cmocka_unit_test(an_edit_keeps_the_round_and_names_the_warehouse_that_has_nothing_any_more),
        cmocka_unit_test(a_publication_rises_even_when_the_clock_goes_back),
        cmocka_unit_test(what_is_offered_after_a_higher_row_was_read_in_the_same_poll_is_above_it),
        cmocka_unit_test(a_closed_order_shown_by_a_later_poll_is_a_retry_of_a_new_round),
        cmocka_unit_test(a_row_of_an_older_publication_closes_nothing),
        cmocka_unit_test(a_row_of_a_newer_publication_is_taken_over),
        cmocka_unit_test(a_closed_complete_order_that_a_later_poll_does_not_show_is_forgotten),
        cmocka_unit_test(a_note_waits_for_the_acknowledgement_and_then_tells_the_latest),
        cmocka_unit_test(an_order_open_for_long_is_offered_again_in_its_round),
        cmocka_unit_test(the_third_retry_of_an_unchanged_order_waits_and_the_next_ones_longer),
        cmocka_unit_test(the_guard_goes_by_a_clock_that_nobody_sets),
        cmocka_unit_test(an_order_that_was_forgotten_meanwhile_is_guarded_too),
        cmocka_unit_test(a_note_that_a_former_owner_wrote_late_changes_nothing),
        cmocka_unit_test(an_order_that_cannot_be_compared_now_is_left_alone_until_it_is_offered_again),
        cmocka_unit_test(a_changed_schema_is_compared_by_the_old_one_before_an_edit_is_believed),
        cmocka_unit_test(an_edit_that_cannot_become_a_record_withdraws_what_is_open_and_is_rejected_by_the_next_poll),
        cmocka_unit_test(the_tail_of_orders_is_adopted_where_it_is_newer_than_the_notes),
        cmocka_unit_test(the_row_that_alone_tells_of_the_highest_publication_is_read_again),
        cmocka_unit_test(many_orders_come_and_go_in_little_memory),
        cmocka_unit_test(no_random_history_publishes_twice_or_loses_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
