/* The contract of erp_sink.h in tests, the same for each sink: SINK_CONTRACT gives their rows. A sink is a function that opens a fresh, empty ERP. */
#ifndef BRIDGE_TESTS_SINK_CONTRACT_H
#define BRIDGE_TESTS_SINK_CONTRACT_H

#include "tests/unit/sink_bench.h"

enum { MANY = 64 };

static inline void a_repeated_load_yields_the_same_document(void **state)
{
    struct order one, again;
    assert_int_equal(load(*state, order(&one, 1, 10, "aa", false)), FATE_LOADED);
    assert_int_equal(load(*state, order(&again, 1, 10, "aa", false)), FATE_LOADED);
    assert_true(one.end.document[0] != '\0');
    assert_string_equal(one.end.document, again.end.document);
}

static inline void an_edit_stays_in_the_same_document(void **state)
{
    struct order one, edit;
    assert_int_equal(load(*state, order(&one, 2, 10, "aa", false)), FATE_LOADED);
    assert_int_equal(load(*state, order(&edit, 2, 20, "bb", false)), FATE_LOADED);
    assert_string_equal(one.end.document, edit.end.document);
}

static inline void an_older_publication_changes_nothing(void **state)
{
    struct order newer, older, again;
    assert_int_equal(load(*state, order(&newer, 3, 20, "bb", false)), FATE_LOADED);
    assert_int_equal(load(*state, order(&older, 3, 10, "aa", false)), FATE_LOADED);
    assert_string_equal(newer.end.document, older.end.document);
    assert_int_equal(load(*state, order(&again, 3, 20, "bb", false)), FATE_LOADED);
}

static inline void a_withdrawal_is_remembered_and_a_newer_publication_loads_anew(void **state)
{
    struct order one, back, late, anew;
    assert_int_equal(load(*state, order(&one, 4, 10, "aa", false)), FATE_LOADED);
    assert_int_equal(load(*state, order(&back, 4, 20, "aa", true)), FATE_LOADED);
    assert_int_equal(load(*state, order(&late, 4, 10, "aa", false)), FATE_LOADED);
    assert_int_equal(load(*state, order(&anew, 4, 30, "aa", false)), FATE_LOADED);
    assert_true(anew.end.document[0] != '\0');
}

static inline void a_withdrawal_of_an_order_never_seen_is_no_fault(void **state)
{
    struct order back, late;
    assert_int_equal(load(*state, order(&back, 5, 20, "aa", true)), FATE_LOADED);
    assert_int_equal(load(*state, order(&late, 5, 10, "aa", false)), FATE_LOADED);
}

static inline void an_ambiguous_load_is_repeated_without_harm(void **state)
{
    struct order one, again, lost;
    assert_int_equal(load(*state, order(&one, 6, 10, "aa", false)), FATE_LOADED);
    order(&again, 6, 10, "aa", false)->load.ambiguous = true;
    assert_int_equal(load(*state, &again), FATE_LOADED);
    assert_string_equal(one.end.document, again.end.document);
    order(&lost, 7, 10, "aa", false)->load.ambiguous = true; /* it never arrived */
    assert_int_equal(load(*state, &lost), FATE_LOADED);
    assert_true(lost.end.document[0] != '\0');
}

static inline void many_loads_at_once_end_once_each(void **state)
{
    static struct order orders[MANY];
    for (int i = 0; i < MANY; i++)
        submit(*state, order(&orders[i], 100 + i, 10, "aa", false));
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(finish_again(*state, &orders[i]), FATE_LOADED);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(orders[i].end.document, orders[j].end.document);
    }
    for (int i = 0; i < 5; i++)
        loop_turn(((struct bench *)*state)->loop, 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(orders[i].end.calls, 1);
}

static inline void closing_under_load_ends_nothing(void **state)
{
    static struct order orders[MANY];
    struct bench *b = *state;
    for (int i = 0; i < MANY; i++)
        submit(b, order(&orders[i], 300 + i, 10, "aa", false));
    close_sink(b);
    for (int i = 0; i < 5; i++)
        loop_turn(b->loop, 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(orders[i].end.calls, 0);
}

static inline void the_order_that_the_erp_refuses_is_rejected_in_its_words(void **state)
{
    struct bench *b = *state;
    struct order bad, other;
    if (b->refusal == NULL)
        return; /* it takes whatever comes */
    assert_int_equal(load(b, order(&bad, 13, 10, "aa", false)), FATE_REJECT);
    assert_non_null(strstr(bad.end.reason, b->refusal));
    assert_false(bad.end.v.ambiguous);
    assert_int_equal(load(b, order(&other, 14, 10, "aa", false)), FATE_LOADED); /* and that is all about it */
    assert_int_equal(load(b, order(&bad, 13, 10, "aa", false)), FATE_REJECT);
}

enum { KEYS = 12, EDITS = 6 };

/* Each key's next publication is offered when its former has ended, as the lanes do; the keys go on side by side. */
static inline void each_key_in_its_order_ends_in_one_document(void **state)
{
    static struct order orders[KEYS][EDITS];
    static const char *const revisions[EDITS] = {"r0", "r1", "r2", "r3", "r4", "r5"};
    struct bench *b = *state;
    int at[KEYS] = {0}, over = 0;
    int64_t end = loop_now(b->loop) + 60000;
    memset(orders, 0, sizeof orders);
    for (int k = 0; k < KEYS; k++)
        submit(b, order(&orders[k][0], 500 + k, 10, "r0", false));
    while (loop_now(b->loop) < end && over < KEYS) {
        loop_turn(b->loop, 10);
        for (int k = 0; k < KEYS; k++) {
            struct order *o = &orders[k][at[k]];
            if (o->end.calls == 0 || (at[k] == EDITS - 1 && o->end.v.fate != FATE_AGAIN))
                continue;
            if (o->end.v.fate != FATE_AGAIN)
                at[k]++;
            submit(b, order(&orders[k][at[k]], 500 + k, 10 + at[k], revisions[at[k]], false));
        }
        over = 0;
        for (int k = 0; k < KEYS; k++)
            over += orders[k][EDITS - 1].end.calls > 0 && orders[k][EDITS - 1].end.v.fate != FATE_AGAIN;
    }
    for (int k = 0; k < KEYS; k++)
        for (int i = 0; i < EDITS; i++) {
            assert_int_equal(orders[k][i].end.calls, 1);
            assert_int_equal(orders[k][i].end.v.fate, FATE_LOADED);
            assert_string_equal(orders[k][i].end.document, orders[k][0].end.document);
            assert_true(i > 0 || k == 0 || strcmp(orders[k][0].end.document, orders[k - 1][0].end.document) != 0);
        }
}

/* sink: its name, a literal; open: the set-up, which leaves a struct bench with the sink opened. */
#define SINK_CONTRACT(sink, open) \
        { "a_repeated_load_yields_the_same_document (" sink ")", a_repeated_load_yields_the_same_document, open, close_all, NULL }, \
        { "an_edit_stays_in_the_same_document (" sink ")", an_edit_stays_in_the_same_document, open, close_all, NULL }, \
        { "an_older_publication_changes_nothing (" sink ")", an_older_publication_changes_nothing, open, close_all, NULL }, \
        { "a_withdrawal_is_remembered_and_a_newer_publication_loads_anew (" sink ")", a_withdrawal_is_remembered_and_a_newer_publication_loads_anew, open, close_all, NULL }, \
        { "a_withdrawal_of_an_order_never_seen_is_no_fault (" sink ")", a_withdrawal_of_an_order_never_seen_is_no_fault, open, close_all, NULL }, \
        { "an_ambiguous_load_is_repeated_without_harm (" sink ")", an_ambiguous_load_is_repeated_without_harm, open, close_all, NULL }, \
        { "many_loads_at_once_end_once_each (" sink ")", many_loads_at_once_end_once_each, open, close_all, NULL }, \
        { "closing_under_load_ends_nothing (" sink ")", closing_under_load_ends_nothing, open, close_all, NULL }, \
        { "the_order_that_the_erp_refuses_is_rejected_in_its_words (" sink ")", the_order_that_the_erp_refuses_is_rejected_in_its_words, open, close_all, NULL }, \
        { "each_key_in_its_order_ends_in_one_document (" sink ")", each_key_in_its_order_ends_in_one_document, open, close_all, NULL }

#endif
