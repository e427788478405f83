#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/outcome_intake.h"

enum { MANY = 2000 };

struct world {
    struct outcome_intake *in;
    struct intake_ticket *tickets[MANY];
    int64_t offsets[MANY];
    size_t n;
    bool refuse, finish_inside;
    const char *unread; /* key of records that cannot be read yet; NULL: none */
    int64_t unread_since;
    int pauses, resumes, asked, again;
    char last_value[8];
};

static enum intake_noted on_note(void *arg, const struct kafka_record *r, struct intake_ticket *t, int64_t *since)
{
    struct world *w = arg;
    if (w->refuse)
        return INTAKE_NOT_NOW;
    if (w->unread != NULL && strlen(w->unread) == r->key_n && memcmp(w->unread, r->key, r->key_n) == 0) {
        assert_true(*since == 0 || *since == w->unread_since);
        w->again += *since != 0;
        *since = w->unread_since = 77;
        w->asked++;
        return INTAKE_PARK;
    }
    w->offsets[w->n] = r->offset;
    w->tickets[w->n++] = t;
    memcpy(w->last_value, r->value, r->value_n);
    w->last_value[r->value_n] = '\0';
    if (w->finish_inside)
        intake_finish(w->in, t);
    return INTAKE_DEALT;
}

static void on_pause(void *arg, int32_t partition)
{
    (void)partition;
    ((struct world *)arg)->pauses++;
}

static void on_resume(void *arg, int32_t partition)
{
    (void)partition;
    ((struct world *)arg)->resumes++;
}

static const struct intake_ops ops = {on_note, on_pause, on_resume};

static struct world *begin(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->in = intake_create(&ops, w);
    assert_non_null(w->in);
    assert_int_equal(intake_add(w->in, 2, 10), RC_OK);
    return w;
}

static void end(struct world *w)
{
    intake_destroy(w->in);
    free(w);
}

static void push_of(struct world *w, int64_t offset, const char *key)
{
    char value[] = "abc";
    struct kafka_header h = {"kind", "x", 1};
    struct kafka_record r = {.topic = "t", .partition = 2, .offset = offset, .key = key, .key_n = strlen(key), .value = value, .value_n = 3, .headers = &h,
                             .headers_n = 1};
    assert_int_equal(intake_push(w->in, &r), RC_OK);
    memset(value, 'z', sizeof value); /* the intake has its own copy */
}

static void push(struct world *w, int64_t offset)
{
    push_of(w, offset, "acme/7");
}

static void nothing_is_noted_before_the_ledger_was_read_back(void **state)
{
    (void)state;
    struct world *w = begin();
    push(w, 10);
    assert_false(intake_run(w->in, 100));
    assert_int_equal(w->n, 0);
    intake_open(w->in, 2);
    assert_false(intake_run(w->in, 100));
    assert_int_equal(w->n, 1);
    assert_string_equal(w->last_value, "abc");
    intake_finish(w->in, w->tickets[0]);
    end(w);
}

static void the_position_passes_only_what_is_acknowledged_in_order(void **state)
{
    (void)state;
    struct world *w = begin();
    int64_t position = 0;
    intake_open(w->in, 2);
    for (int64_t o = 10; o < 14; o++)
        push(w, o);
    intake_run(w->in, 100);
    intake_finish(w->in, w->tickets[1]);
    intake_finish(w->in, w->tickets[2]);
    assert_false(intake_commit(w->in, 2, &position));
    intake_finish(w->in, w->tickets[0]);
    assert_true(intake_commit(w->in, 2, &position));
    assert_int_equal(position, 13);
    assert_false(intake_commit(w->in, 2, &position)); /* told once */
    intake_commit_again(w->in);
    assert_true(intake_commit(w->in, 2, &position)); /* a commit that failed is told again */
    intake_finish(w->in, w->tickets[3]);
    assert_true(intake_commit(w->in, 2, &position));
    assert_int_equal(position, 14);
    assert_int_equal(intake_unacknowledged(w->in, -1), 0);
    end(w);
}

static void a_record_that_cannot_be_noted_blocks_those_behind_it(void **state)
{
    (void)state;
    struct world *w = begin();
    intake_open(w->in, 2);
    push(w, 10);
    push(w, 11);
    w->refuse = true;
    assert_false(intake_run(w->in, 100));
    assert_int_equal(intake_held(w->in, 2), 2);
    w->refuse = false;
    w->finish_inside = true;
    assert_true(intake_run(w->in, 1)); /* the budget */
    assert_false(intake_run(w->in, 100));
    int64_t position = 0;
    assert_true(intake_commit(w->in, 2, &position));
    assert_int_equal(position, 12);
    end(w);
}

static void a_full_partition_is_paused_and_resumed_at_half(void **state)
{
    (void)state;
    struct world *w = begin();
    for (int64_t o = 0; o < INTAKE_HIGH; o++)
        push(w, o);
    assert_int_equal(w->pauses, 1);
    intake_open(w->in, 2);
    w->finish_inside = true;
    intake_run(w->in, INTAKE_HIGH / 2 - 1);
    assert_int_equal(w->resumes, 0);
    intake_run(w->in, 1);
    assert_int_equal(w->resumes, 1);
    end(w);
}

static void what_waits_for_acknowledgement_is_bounded(void **state)
{
    (void)state;
    struct world *w = begin();
    intake_open(w->in, 2);
    for (int64_t o = 0; o < INTAKE_NOTED + 5; o++) {
        push(w, o);
        intake_run(w->in, 100);
    }
    assert_int_equal(w->n, INTAKE_NOTED);
    for (size_t i = 0; i < INTAKE_NOTED; i++)
        intake_finish(w->in, w->tickets[i]);
    intake_run(w->in, 100);
    assert_int_equal(w->n, INTAKE_NOTED + 5);
    for (size_t i = INTAKE_NOTED; i < w->n; i++)
        intake_finish(w->in, w->tickets[i]);
    end(w);
}

static void a_late_acknowledgement_of_a_partition_that_went_away_does_nothing(void **state)
{
    (void)state;
    struct world *w = begin();
    intake_open(w->in, 2);
    push(w, 10);
    push(w, 11);
    intake_run(w->in, 1);
    intake_stop(w->in, 2);
    assert_int_equal(intake_held(w->in, 2), 0);
    intake_drop(w->in, 2);
    assert_int_equal(intake_add(w->in, 2, 50), RC_OK);
    intake_finish(w->in, w->tickets[0]);
    int64_t position = 0;
    assert_false(intake_commit(w->in, 2, &position));
    struct kafka_record r = {.topic = "t", .partition = 3, .value = "", .key = ""};
    assert_int_equal(intake_push(w->in, &r), RC_RETRY); /* not ours */
    end(w);
}

static void what_cannot_be_read_yet_holds_back_only_its_own_key(void **state)
{
    (void)state;
    struct world *w = begin();
    int64_t position = 0;
    intake_open(w->in, 2);
    w->unread = "acme/8";
    w->finish_inside = true;
    push(w, 10);
    push_of(w, 11, "acme/8");
    push(w, 12);
    push_of(w, 13, "acme/8");
    push_of(w, 14, "acme/88");
    intake_run(w->in, 100);
    assert_int_equal(w->n, 3);
    assert_int_equal(w->asked, 1); /* the second one of the key waits for the first */
    assert_int_equal(intake_parked(w->in), 2);
    assert_int_equal(intake_held(w->in, -1), 2);
    assert_true(intake_commit(w->in, 2, &position));
    assert_int_equal(position, 11);
    intake_retry(w->in);
    assert_int_equal(w->again, 1); /* what the owner noted was kept */
    assert_int_equal(w->n, 3);
    w->unread = NULL;
    intake_retry(w->in);
    assert_int_equal(w->n, 5);
    assert_int_equal(w->offsets[3], 11);
    assert_int_equal(w->offsets[4], 13);
    assert_true(intake_commit(w->in, 2, &position));
    assert_int_equal(position, 15);
    assert_int_equal(intake_parked(w->in), 0);
    end(w);
}

static void what_is_parked_is_bounded_and_ends_with_its_partition(void **state)
{
    (void)state;
    struct world *w = begin();
    int64_t position = 0;
    char key[32];
    intake_open(w->in, 2);
    w->unread = "acme/1";
    for (int64_t o = 0; o < INTAKE_HIGH; o++)
        push_of(w, o, "acme/1");
    push_of(w, INTAKE_HIGH, "acme/2");
    intake_run(w->in, 10000);
    assert_int_equal(intake_parked(w->in), INTAKE_PARKED);
    assert_int_equal(w->n, 0); /* the next one blocks */
    assert_int_equal(intake_held(w->in, 2), INTAKE_HIGH + 1);
    intake_stop(w->in, 2);
    assert_int_equal(intake_parked(w->in), 0);
    intake_retry(w->in);
    assert_false(intake_commit(w->in, 2, &position));
    intake_drop(w->in, 2);
    assert_int_equal(intake_add(w->in, 2, 0), RC_OK);
    intake_open(w->in, 2);
    w->finish_inside = true;
    push_of(w, 0, "acme/1");
    for (int64_t o = 1; o <= INTAKE_AHEAD + 10; o++) { /* what is acknowledged behind it is bounded too */
        (void)snprintf(key, sizeof key, "acme/%d", (int)(o % 7) + 2);
        w->n = 0;
        push_of(w, o, key);
        intake_run(w->in, 10);
    }
    assert_int_equal(intake_held(w->in, 2), 11);
    end(w);
}

static void parking_makes_room_too(void **state)
{
    (void)state;
    struct world *w = begin();
    intake_open(w->in, 2);
    w->unread = "acme/1";
    for (int64_t o = 0; o < INTAKE_HIGH; o++)
        push_of(w, o, o < INTAKE_PARKED ? "acme/1" : "acme/2");
    assert_int_equal(w->pauses, 1);
    w->finish_inside = true;
    intake_run(w->in, INTAKE_HIGH / 2);
    assert_int_equal(w->resumes, 1);
    end(w);
}

static void large_records_pause_their_partition(void **state)
{
    (void)state;
    static char large[1 << 20];
    struct world *w = begin();
    struct kafka_record r = {.topic = "t", .partition = 2, .key = "acme/7", .key_n = 6, .value = large, .value_n = sizeof large};
    for (int i = 0; i < 4; i++) {
        r.offset = i;
        assert_int_equal(w->pauses, 0);
        assert_int_equal(intake_push(w->in, &r), RC_OK);
    }
    assert_int_equal(w->pauses, 1);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_noted_before_the_ledger_was_read_back),
        cmocka_unit_test(the_position_passes_only_what_is_acknowledged_in_order),
        cmocka_unit_test(a_record_that_cannot_be_noted_blocks_those_behind_it),
        cmocka_unit_test(a_full_partition_is_paused_and_resumed_at_half),
        cmocka_unit_test(what_waits_for_acknowledgement_is_bounded),
        cmocka_unit_test(what_cannot_be_read_yet_holds_back_only_its_own_key),
        cmocka_unit_test(what_is_parked_is_bounded_and_ends_with_its_partition),
        cmocka_unit_test(parking_makes_room_too),
        cmocka_unit_test(large_records_pause_their_partition),
        cmocka_unit_test(a_late_acknowledgement_of_a_partition_that_went_away_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
