/* Loads in hand: order per key, waiting, pausing, superseding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "consumer/lanes.h"

static const struct lanes_settings settings = {
    .concurrency = 4, .reject_after = 3, .park_min_ms = 100, .park_max_ms = 1000, .probe_min_ms = 1000, .probe_max_ms = 4000, .seed = 1};

static struct lane_item load(const char *key, int64_t publication)
{
    return (struct lane_item){
        .key = key, .key_n = strlen(key), .warehouse = "MAG-1", .publication = publication, .needs_erp = true};
}

static struct lanes *open_with(struct lane_item *items, size_t n)
{
    struct lanes *l = lanes_create(&settings);
    assert_non_null(l);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(lanes_push(l, &items[i]), RC_OK);
    return l;
}

static struct lane_item *try_next(struct lanes *l, int64_t now)
{
    struct lane_item *item = NULL;
    return lanes_next(l, now, &item) == LANES_TRY ? item : NULL;
}

static enum lanes_end end(struct lanes *l, struct lane_item *item, enum fate fate, bool ambiguous, int64_t now)
{
    struct lanes_result r = {fate, ambiguous, -1};
    return lanes_end(l, item, &r, now);
}

/* The items that left, oldest first. */
static struct lane_item *leavers[8];
static size_t left_n;

static void note_left(void *arg, struct lane_item *item)
{
    (void)arg;
    assert_null(item->lane);
    if (left_n < sizeof leavers / sizeof *leavers)
        leavers[left_n++] = item;
}

static void acked(struct lanes *l, struct lane_item *item)
{
    left_n = 0;
    lanes_done(l, item, note_left, NULL);
}

static void one_key_is_never_tried_twice_at_once_and_keeps_its_order(void **state)
{
    (void)state;
    struct lane_item items[3] = {load("a/1", 10), load("a/1", 10), load("a/2", 10)};
    struct lanes *l = open_with(items, 3);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_ptr_equal(try_next(l, 0), &items[2]);
    assert_null(try_next(l, 0));
    assert_int_equal(end(l, &items[0], FATE_LOADED, false, 1), LANES_VERDICT);
    acked(l, &items[0]);
    assert_ptr_equal(try_next(l, 1), &items[1]);
    lanes_destroy(l);
}

static void a_load_waits_until_the_outcome_of_its_predecessor_is_sent_or_durable(void **state)
{
    (void)state;
    struct lane_item items[4] = {load("a/1", 10), load("a/1", 20), load("a/2", 10), load("a/1", 10)};
    items[3].warehouse = "MAG-2";
    struct lanes *l = open_with(items, 1);
    struct lane_item *item = NULL;
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_int_equal(end(l, &items[0], FATE_REJECT, false, 1), LANES_VERDICT);
    assert_int_equal(lanes_push(l, &items[3]), RC_OK);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    assert_int_equal(lanes_push(l, &items[2]), RC_OK);
    assert_int_equal(lanes_items(l), 3);
    assert_ptr_equal(try_next(l, 1), &items[3]); /* another warehouse's */
    assert_ptr_equal(try_next(l, 1), &items[2]);
    assert_int_equal(end(l, &items[3], FATE_LOADED, false, 1), LANES_VERDICT);
    assert_int_equal(lanes_next(l, 1, &item), LANES_NOTHING);
    assert_int_equal(lanes_deadline(l, 1), INT64_MAX);
    acked(l, &items[0]);
    assert_null(items[0].lane);
    assert_ptr_equal(try_next(l, 1), &items[1]);
    lanes_destroy(l);
}

static void a_load_goes_while_the_outcome_of_its_predecessor_is_on_its_way_and_is_done_after_it(void **state)
{
    (void)state;
    struct lane_item items[4] = {load("a/1", 10), load("a/1", 20), load("a/1", 30), load("a/1", 10)};
    items[2].needs_erp = false;
    items[3].warehouse = "MAG-2";
    struct lanes *l = open_with(items, 1);
    struct lane_item *item = NULL;
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_int_equal(end(l, &items[0], FATE_LOADED, false, 1), LANES_VERDICT);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    assert_null(try_next(l, 1));
    lanes_sent(l, &items[0]);
    assert_ptr_equal(try_next(l, 1), &items[1]);
    assert_int_equal(end(l, &items[1], FATE_LOADED, false, 1), LANES_VERDICT);
    assert_int_equal(lanes_push(l, &items[3]), RC_OK);
    assert_int_equal(lanes_push(l, &items[2]), RC_OK);
    assert_ptr_equal(try_next(l, 1), &items[3]);
    assert_int_equal(end(l, &items[3], FATE_LOADED, false, 1), LANES_VERDICT);
    assert_int_equal(lanes_next(l, 1, &item), LANES_NOTHING);
    acked(l, &items[1]); /* without a word that it was sent */
    assert_int_equal(left_n, 0);
    acked(l, &items[3]); /* another warehouse's */
    assert_int_equal(left_n, 1);
    acked(l, &items[0]);
    assert_int_equal(left_n, 2);
    assert_ptr_equal(leavers[0], &items[0]);
    assert_ptr_equal(leavers[1], &items[1]);
    assert_int_equal(lanes_next(l, 1, &item), LANES_NOTE);
    assert_ptr_equal(item, &items[2]);
    acked(l, &items[2]);
    assert_int_equal(left_n, 1);
    lanes_destroy(l);
}

static void what_only_needs_a_note_waits_for_its_predecessor_too(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/1", 20)};
    items[1].needs_erp = false;
    struct lanes *l = open_with(items, 2);
    struct lane_item *item = NULL;
    assert_int_equal(lanes_next(l, 0, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[0]);
    assert_int_equal(lanes_next(l, 0, &item), LANES_NOTHING);
    acked(l, &items[0]);
    assert_int_equal(lanes_next(l, 0, &item), LANES_NOTE);
    assert_ptr_equal(item, &items[1]);
    acked(l, &items[1]);
    lanes_destroy(l);
}

static void no_more_than_concurrency_fly(void **state)
{
    (void)state;
    static const char *const keys[] = {"a/1", "a/2", "a/3", "a/4", "a/5"};
    struct lane_item items[5];
    for (size_t i = 0; i < 5; i++)
        items[i] = load(keys[i], 10);
    struct lanes *l = open_with(items, 5);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(try_next(l, 0), &items[i]);
    assert_null(try_next(l, 0));
    assert_int_equal(lanes_deadline(l, 0), INT64_MAX);
    assert_int_equal(end(l, &items[2], FATE_REJECT, false, 0), LANES_VERDICT);
    assert_ptr_equal(try_next(l, 0), &items[4]);
    lanes_destroy(l);
}

static void no_more_go_than_a_crash_may_repeat(void **state)
{
    (void)state;
    static const char *const keys[] = {"a/1", "a/2", "a/3", "a/4", "a/5"};
    struct lane_item items[5];
    struct lanes_settings s = settings;
    s.uncommitted_most = 3;
    struct lanes *l = lanes_create(&s);
    assert_non_null(l);
    for (size_t i = 0; i < 5; i++) {
        items[i] = load(keys[i], 10);
        assert_int_equal(lanes_push(l, &items[i]), RC_OK);
    }
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(try_next(l, 0), &items[i]);
    assert_null(try_next(l, 0));
    assert_int_equal(end(l, &items[0], FATE_LOADED, false, 0), LANES_VERDICT);
    assert_null(try_next(l, 0)); /* its outcome is not acknowledged */
    assert_int_equal(lanes_deadline(l, 0), INT64_MAX);
    acked(l, &items[0]);
    lanes_uncommitted(l, 1);
    assert_null(try_next(l, 0)); /* it is not committed */
    assert_int_equal(lanes_deadline(l, 0), INT64_MAX);
    lanes_uncommitted(l, 0);
    assert_int_equal(lanes_deadline(l, 0), 0);
    assert_ptr_equal(try_next(l, 0), &items[3]);
    lanes_uncommitted(l, 1);
    assert_int_equal(end(l, &items[1], FATE_PAUSE, false, 0), LANES_STAYS); /* the ERP is down, and has two more before it */
    assert_int_equal(end(l, &items[2], FATE_PAUSE, false, 0), LANES_STAYS);
    assert_int_equal(end(l, &items[3], FATE_PAUSE, false, 0), LANES_STAYS);
    lanes_uncommitted(l, 3);
    assert_null(try_next(l, 60000)); /* a probe is a load too */
    assert_int_equal(lanes_deadline(l, 60000), INT64_MAX);
    lanes_uncommitted(l, 2);
    assert_non_null(try_next(l, 60000));
    lanes_destroy(l);
}

static void a_parked_order_blocks_its_key_and_nothing_else(void **state)
{
    (void)state;
    struct lane_item items[3] = {load("a/1", 10), load("a/1", 10), load("a/2", 10)};
    struct lanes *l = open_with(items, 3);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_int_equal(end(l, &items[0], FATE_PARK, false, 0), LANES_STAYS);
    assert_int_equal(items[0].state, LANE_PARKED);
    assert_ptr_equal(try_next(l, 0), &items[2]);
    assert_null(try_next(l, 0));
    int64_t due = lanes_deadline(l, 0);
    assert_in_range(due, 100, 1000);
    assert_null(try_next(l, due - 1));
    assert_ptr_equal(try_next(l, due), &items[0]);
    assert_int_equal(items[0].tries, 2);
    lanes_destroy(l);
}

static void an_older_untried_publication_is_superseded_by_a_newer_one(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/1", 20)};
    struct lanes *l = open_with(items, 2);
    struct lane_item *item = NULL;
    assert_int_equal(lanes_next(l, 0, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[0]);
    acked(l, item);
    assert_ptr_equal(try_next(l, 0), &items[1]);
    lanes_destroy(l);
}

static void an_older_publication_that_comes_late_is_superseded(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 20), load("a/1", 10)};
    struct lanes *l = open_with(items, 2);
    struct lane_item *item = NULL;
    assert_int_equal(lanes_next(l, 0, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[1]);
    lanes_destroy(l);
}

static void another_warehouse_supersedes_nothing(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/1", 20)};
    items[1].warehouse = "MAG-2";
    struct lanes *l = open_with(items, 2);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    lanes_destroy(l);
}

static void a_try_under_way_is_superseded_only_after_it_failed_for_sure(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/1", 20)};
    struct lanes *l = open_with(items, 1);
    struct lane_item *item = NULL;
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    assert_int_equal(lanes_next(l, 0, &item), LANES_NOTHING);
    assert_int_equal(end(l, &items[0], FATE_PAUSE, false, 1), LANES_STAYS);
    assert_int_equal(lanes_next(l, 1, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[0]);
    lanes_destroy(l);
}

static void an_ambiguous_try_is_never_superseded_before_its_verdict(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/1", 20)};
    struct lanes *l = open_with(items, 1);
    struct lane_item *item = NULL;
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_int_equal(end(l, &items[0], FATE_PAUSE, true, 1), LANES_STAYS);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    assert_int_equal(lanes_next(l, 1, &item), LANES_NOTHING);
    int64_t at = lanes_deadline(l, 1);
    assert_ptr_equal(try_next(l, at), &items[0]);
    assert_true(items[0].ambiguous);
    assert_int_equal(end(l, &items[0], FATE_PAUSE, false, at), LANES_STAYS); /* says nothing about the first */
    assert_int_equal(lanes_next(l, at, &item), LANES_NOTHING);
    at = lanes_deadline(l, at);
    assert_ptr_equal(try_next(l, at), &items[0]);
    assert_int_equal(end(l, &items[0], FATE_LOADED, false, at), LANES_VERDICT);
    acked(l, &items[0]);
    assert_ptr_equal(try_next(l, at), &items[1]);
    lanes_destroy(l);
}

static void an_erp_that_is_down_is_probed_by_one_order_at_a_time_in_turn(void **state)
{
    (void)state;
    struct lane_item items[4] = {load("a/1", 10), load("a/2", 10), load("a/3", 10), load("a/4", 10)};
    struct lanes_settings two = settings;
    two.concurrency = 2;
    struct lanes *l = lanes_create(&two);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(lanes_push(l, &items[i]), RC_OK);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_ptr_equal(try_next(l, 0), &items[1]);
    end(l, &items[0], FATE_PAUSE, false, 0);
    assert_null(try_next(l, 5000)); /* the other is still under way */
    end(l, &items[1], FATE_PAUSE, false, 10);
    assert_true(lanes_gate(l)->paused);
    /* in turn over those in hand, then one that was not tried, 1 s, 2 s, 4 s, 4 s apart */
    static const int turn[] = {0, 1, 2, 0, 1, 3, 2};
    static const int64_t apart[] = {1000, 2000, 4000, 4000, 4000, 4000, 4000};
    int64_t now = 0;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(lanes_deadline(l, now), now + apart[i]);
        assert_null(try_next(l, now + apart[i] - 1));
        now += apart[i];
        assert_ptr_equal(try_next(l, now), &items[turn[i]]);
        assert_null(try_next(l, now));
        end(l, &items[turn[i]], FATE_PAUSE, false, now);
    }
    now = lanes_deadline(l, now);
    struct lane_item *probe = try_next(l, now);
    assert_int_equal(end(l, probe, FATE_REJECT, false, now), LANES_VERDICT); /* a verdict, even a bad one */
    assert_false(lanes_gate(l)->paused);
    assert_non_null(try_next(l, now));
    assert_non_null(try_next(l, now));
    lanes_destroy(l);
}

static void a_probe_waits_as_long_as_the_erp_asks(void **state)
{
    (void)state;
    struct lane_item items[1] = {load("a/1", 10)};
    struct lanes *l = open_with(items, 1);
    struct lanes_result r = {FATE_PAUSE, false, 30000};
    try_next(l, 0);
    lanes_end(l, &items[0], &r, 0);
    assert_int_equal(lanes_deadline(l, 0), 30000);
    r.retry_after_ms = INT64_MAX; /* nobody waits for ever */
    try_next(l, 30000);
    lanes_end(l, &items[0], &r, 30000);
    assert_int_equal(lanes_deadline(l, 30000), 30000 + GATE_WISH_MS);
    lanes_destroy(l);
}

/* Fails item 0 `times` times with fate, each time after `others` got a verdict. */
static enum lanes_end fail_often(struct lanes *l, struct lane_item *item, enum fate fate, unsigned times, bool others)
{
    static struct lane_item other[64];
    enum lanes_end e = LANES_STAYS;
    int64_t now = 0;
    for (unsigned i = 0; i < times && e == LANES_STAYS; i++) {
        struct lane_item *next = try_next(l, now);
        while (next == NULL) {
            now = lanes_deadline(l, now);
            assert_true(now < INT64_MAX);
            next = try_next(l, now);
        }
        assert_ptr_equal(next, item);
        if (others) {
            other[i] = load("b/9", 10);
            assert_int_equal(lanes_push(l, &other[i]), RC_OK);
            struct lane_item *o = try_next(l, now);
            if (o != NULL)
                end(l, o, FATE_LOADED, false, now);
            else
                lanes_remove(l, &other[i]);
            acked(l, &other[i]);
        }
        now += 10;
        e = end(l, item, fate, false, now);
    }
    return e;
}

static void an_order_that_fails_while_others_load_is_given_up(void **state)
{
    (void)state;
    struct lane_item items[1] = {load("a/1", 10)};
    struct lanes *l = open_with(items, 1);
    assert_int_equal(fail_often(l, &items[0], FATE_PARK, 2, true), LANES_STAYS);
    assert_int_equal(fail_often(l, &items[0], FATE_PARK, 1, true), LANES_GIVEN_UP);
    assert_int_equal(items[0].strikes, 3);
    lanes_destroy(l);
}

static void an_erp_that_answers_nobody_rejects_nobody(void **state)
{
    (void)state;
    struct lane_item items[1] = {load("a/1", 10)};
    struct lanes *l = open_with(items, 1);
    assert_int_equal(fail_often(l, &items[0], FATE_PARK, 50, false), LANES_STAYS);
    assert_int_equal(fail_often(l, &items[0], FATE_PAUSE, 50, false), LANES_STAYS);
    assert_int_equal(items[0].strikes, 0);
    lanes_destroy(l);
}

static void an_order_that_alone_seems_to_find_the_erp_down_waits_alone_and_is_never_given_up(void **state)
{
    (void)state;
    struct lane_item bad = load("a/1", 10), good[20];
    struct lanes *l = open_with(&bad, 1);
    int64_t now = 0;
    for (size_t i = 0; i < 20; i++) {
        while (try_next(l, now) != &bad)
            now = lanes_deadline(l, now);
        end(l, &bad, FATE_PAUSE, false, now);
        assert_int_equal(lanes_gate(l)->paused, i == 0); /* once it may be the ERP; later it is the order's own trouble */
        good[i] = load("b/9", 10);
        assert_int_equal(lanes_push(l, &good[i]), RC_OK);
        struct lane_item *next = NULL;
        while ((next = try_next(l, now)) != &good[i]) {
            if (next == &bad)
                end(l, &bad, FATE_PAUSE, false, now);
            now = lanes_deadline(l, now);
        }
        assert_int_equal(end(l, &good[i], FATE_LOADED, false, now), LANES_VERDICT);
        acked(l, &good[i]);
    }
    assert_int_equal(bad.strikes, 0);
    lanes_destroy(l);
}

static void a_time_out_while_others_are_answered_is_the_orders_own(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/2", 10)};
    struct lanes *l = open_with(items, 2);
    try_next(l, 0);
    try_next(l, 0);
    end(l, &items[1], FATE_LOADED, false, 29000);
    assert_int_equal(end(l, &items[0], FATE_PAUSE, true, 30000), LANES_STAYS);
    assert_int_equal(items[0].state, LANE_PARKED);
    assert_int_equal(items[0].strikes, 1);
    assert_false(lanes_gate(l)->paused);
    lanes_destroy(l);
}

static void time_outs_after_the_last_answer_mean_that_the_erp_hangs(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/2", 10)};
    struct lanes *l = open_with(items, 2);
    try_next(l, 0);
    try_next(l, 0);
    end(l, &items[1], FATE_LOADED, false, 5);
    assert_int_equal(end(l, &items[0], FATE_PAUSE, true, 30000), LANES_STAYS);
    assert_int_equal(items[0].state, LANE_QUEUED);
    assert_int_equal(items[0].strikes, 0);
    assert_true(lanes_gate(l)->paused);
    lanes_destroy(l);
}

static void a_cut_connection_is_tried_again_twice_before_it_means_something(void **state)
{
    (void)state;
    struct lane_item items[1] = {load("a/1", 10)};
    struct lanes *l = open_with(items, 1);
    int64_t now = 0;
    for (int i = 0; i < 3; i++) {
        assert_false(lanes_gate(l)->paused);
        assert_ptr_equal(try_next(l, now), &items[0]);
        end(l, &items[0], FATE_AGAIN, true, now);
        now = lanes_deadline(l, now);
    }
    assert_true(lanes_gate(l)->paused);
    assert_true(items[0].ambiguous);
    lanes_destroy(l);
}

static void what_needs_no_erp_is_noted_while_it_is_down(void **state)
{
    (void)state;
    struct lane_item items[3] = {load("a/1", 10), load("a/2", 10), load("a/2", 20)};
    items[2].needs_erp = false;
    struct lanes *l = open_with(items, 1);
    try_next(l, 0);
    end(l, &items[0], FATE_PAUSE, false, 0);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    assert_int_equal(lanes_push(l, &items[2]), RC_OK);
    struct lane_item *item = NULL;
    assert_int_equal(lanes_next(l, 0, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[1]);
    acked(l, item);
    assert_int_equal(lanes_next(l, 0, &item), LANES_NOTE);
    assert_ptr_equal(item, &items[2]);
    assert_int_equal(lanes_next(l, 0, &item), LANES_NOTHING);
    lanes_destroy(l);
}

static void what_cannot_be_read_yet_holds_its_key(void **state)
{
    (void)state;
    struct lane_item items[3] = {load("a/1", 10), load("a/1", 10), load("a/1", 10)};
    items[0].held = true;
    struct lanes *l = open_with(items, 2);
    assert_null(try_next(l, 0));
    assert_int_equal(lanes_push_behind(l, &items[0], &items[2]), RC_OK);
    lanes_unhold(l, &items[0]);
    static const int order[] = {0, 2, 1};
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(try_next(l, 0), &items[order[i]]);
        end(l, &items[order[i]], FATE_LOADED, false, 0);
        acked(l, &items[order[i]]);
    }
    lanes_destroy(l);
}

static void count_one(void *arg, struct lane_item *item)
{
    assert_int_not_equal(item->state, LANE_FLYING);
    ++*(int *)arg;
}

static void a_revoked_partition_leaves_and_its_late_ends_are_nobodys(void **state)
{
    (void)state;
    struct lane_item items[5] = {load("a/1", 10), load("a/1", 10), load("a/2", 10), load("a/3", 20), load("a/3", 10)};
    items[2].partition = 1;
    struct lanes *l = open_with(items, 5); /* the last one is superseded and not told yet */
    struct lane_item *item = NULL;
    assert_int_equal(lanes_next(l, 0, &item), LANES_SUPERSEDED);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    int gone = 0;
    lanes_drop(l, 0, count_one, &gone);
    assert_int_equal(gone, 2);
    assert_true(items[0].stale);
    struct lane_item anew = load("a/1", 10); /* it comes back while the old try is under way */
    assert_int_equal(lanes_push(l, &anew), RC_OK);
    assert_ptr_equal(try_next(l, 0), &items[2]);
    assert_null(try_next(l, 0));
    assert_int_equal(end(l, &items[0], FATE_LOADED, false, 0), LANES_STALE);
    assert_ptr_equal(try_next(l, 0), &anew);
    lanes_destroy(l);
}

/* The older one came behind the try and is superseded, but while nothing may begin nobody is told; the partition leaves before. */
static void what_waited_only_for_a_load_that_is_dropped_leaves_with_it(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 20), load("a/1", 10)};
    struct lanes *l = open_with(items, 1);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    assert_int_equal(items[1].state, LANE_SETTLING);
    assert_int_equal(end(l, &items[0], FATE_LOADED, false, 1), LANES_VERDICT);
    lanes_sent(l, &items[0]);
    acked(l, &items[0]);
    assert_int_equal(left_n, 0);
    lanes_drop(l, 0, note_left, NULL);
    assert_int_equal(left_n, 2);
    assert_ptr_equal(leavers[0], &items[1]);
    assert_false(items[1].durable);
    assert_ptr_equal(leavers[1], &items[0]);
    assert_true(items[0].durable);
    lanes_destroy(l);
}

static void what_cannot_be_tried_at_all_is_the_owners_and_says_nothing_about_the_erp(void **state)
{
    (void)state;
    struct lane_item items[2] = {load("a/1", 10), load("a/2", 10)};
    struct lanes *l = open_with(items, 1);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    end(l, &items[0], FATE_PAUSE, false, 0);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    assert_ptr_equal(try_next(l, 1000), &items[0]);
    end(l, &items[0], FATE_PAUSE, false, 1000);
    assert_ptr_equal(try_next(l, 3000), &items[1]);
    assert_int_equal(lanes_flying_of(l, 0), 1);
    lanes_refused(l, &items[1]);
    assert_int_equal(items[1].state, LANE_SETTLING);
    assert_int_equal(items[1].tries, 0);
    assert_int_equal(lanes_flying(l), 0);
    assert_true(lanes_gate(l)->paused);
    assert_ptr_equal(try_next(l, 3000), &items[0]); /* the probe is still to be made */
    acked(l, &items[1]);
    lanes_destroy(l);
}

static bool known_outdated(void *arg, const struct lane_item *item)
{
    return item->publication < *(const int64_t *)arg;
}

static void what_is_known_to_be_outdated_is_not_tried_unless_a_try_is_open(void **state)
{
    (void)state;
    int64_t newest = 0;
    struct lanes_settings s = settings;
    s.outdated = known_outdated;
    s.arg = &newest;
    struct lane_item items[4] = {load("a/1", 10), load("a/2", 10), load("a/3", 10), load("a/4", 30)}, *item = NULL;
    struct lanes *l = lanes_create(&s);
    assert_non_null(l);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(lanes_push(l, &items[i]), RC_OK);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    assert_ptr_equal(try_next(l, 0), &items[1]);
    assert_int_equal(end(l, &items[0], FATE_PARK, false, 0), LANES_STAYS);
    assert_int_equal(end(l, &items[1], FATE_AGAIN, true, 0), LANES_STAYS);
    newest = 20; /* became known while they wait */
    assert_int_equal(lanes_push(l, &items[2]), RC_OK);
    assert_int_equal(lanes_push(l, &items[3]), RC_OK);
    assert_int_equal(lanes_next(l, 0, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[2]);
    assert_int_equal(item->state, LANE_SETTLING);
    assert_ptr_equal(try_next(l, 0), &items[3]);
    assert_ptr_equal(try_next(l, 100), &items[1]); /* what may have been loaded needs the ERP's word */
    assert_int_equal(lanes_next(l, 2000, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[0]);
    acked(l, &items[0]);
    acked(l, &items[2]);
    lanes_destroy(l);
}

static void a_probe_is_never_made_of_an_outdated_load(void **state)
{
    (void)state;
    int64_t newest = 0;
    struct lanes_settings s = settings;
    s.outdated = known_outdated;
    s.arg = &newest;
    struct lane_item items[2] = {load("a/1", 10), load("a/2", 30)}, *item = NULL;
    struct lanes *l = lanes_create(&s);
    assert_non_null(l);
    assert_int_equal(lanes_push(l, &items[0]), RC_OK);
    assert_ptr_equal(try_next(l, 0), &items[0]);
    end(l, &items[0], FATE_PAUSE, false, 0);
    assert_int_equal(lanes_push(l, &items[1]), RC_OK);
    newest = 20;
    assert_int_equal(lanes_next(l, 500, &item), LANES_NOTHING); /* the ERP's moment has not come */
    assert_int_equal(lanes_next(l, 1000, &item), LANES_SUPERSEDED);
    assert_ptr_equal(item, &items[0]);
    assert_ptr_equal(try_next(l, 1000), &items[1]);
    acked(l, &items[0]);
    lanes_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_is_never_tried_twice_at_once_and_keeps_its_order),
        cmocka_unit_test(a_load_waits_until_the_outcome_of_its_predecessor_is_sent_or_durable),
        cmocka_unit_test(a_load_goes_while_the_outcome_of_its_predecessor_is_on_its_way_and_is_done_after_it),
        cmocka_unit_test(what_only_needs_a_note_waits_for_its_predecessor_too),
        cmocka_unit_test(no_more_than_concurrency_fly),
        cmocka_unit_test(no_more_go_than_a_crash_may_repeat),
        cmocka_unit_test(a_parked_order_blocks_its_key_and_nothing_else),
        cmocka_unit_test(an_older_untried_publication_is_superseded_by_a_newer_one),
        cmocka_unit_test(an_older_publication_that_comes_late_is_superseded),
        cmocka_unit_test(another_warehouse_supersedes_nothing),
        cmocka_unit_test(a_try_under_way_is_superseded_only_after_it_failed_for_sure),
        cmocka_unit_test(an_ambiguous_try_is_never_superseded_before_its_verdict),
        cmocka_unit_test(an_erp_that_is_down_is_probed_by_one_order_at_a_time_in_turn),
        cmocka_unit_test(a_probe_waits_as_long_as_the_erp_asks),
        cmocka_unit_test(an_order_that_fails_while_others_load_is_given_up),
        cmocka_unit_test(an_erp_that_answers_nobody_rejects_nobody),
        cmocka_unit_test(an_order_that_alone_seems_to_find_the_erp_down_waits_alone_and_is_never_given_up),
        cmocka_unit_test(a_time_out_while_others_are_answered_is_the_orders_own),
        cmocka_unit_test(time_outs_after_the_last_answer_mean_that_the_erp_hangs),
        cmocka_unit_test(a_cut_connection_is_tried_again_twice_before_it_means_something),
        cmocka_unit_test(what_needs_no_erp_is_noted_while_it_is_down),
        cmocka_unit_test(what_cannot_be_read_yet_holds_its_key),
        cmocka_unit_test(a_revoked_partition_leaves_and_its_late_ends_are_nobodys),
        cmocka_unit_test(what_waited_only_for_a_load_that_is_dropped_leaves_with_it),
        cmocka_unit_test(what_cannot_be_tried_at_all_is_the_owners_and_says_nothing_about_the_erp),
        cmocka_unit_test(what_is_known_to_be_outdated_is_not_tried_unless_a_try_is_open),
        cmocka_unit_test(a_probe_is_never_made_of_an_outdated_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
