#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/order_scope.h"

static const char *const pointers[] = {"/Id", "/", "/a", "/Customer/Name", "/Customer/Id", "/Tags/1", "/ab~1c", "/say \"hi\"", "/SixteenCharacter", "/SixteenCharactersAndA", "/SixteenCharactersAndB",
                                       "/Delivery1Code", "/Delivery2Code", "/a\":1,\"b"};
enum { POINTERS = sizeof pointers / sizeof pointers[0] };

struct room {
    struct arena arena;
    struct order_scope scope;
    struct json_tape tape;
    uint32_t slots[POINTERS];
    struct order_twice twice;
};

static int begin(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    struct err e;
    assert_non_null(r);
    arena_init(&r->arena);
    json_tape_init(&r->tape);
    for (size_t i = 0; i < POINTERS; i++)
        assert_int_equal(order_scope_add(&r->scope, &r->arena, pointers[i], &r->slots[i], &e), RC_OK);
    assert_int_equal(order_scope_finish(&r->scope, &r->arena, &e), RC_OK);
    *state = r;
    return 0;
}

static int end(void **state)
{
    struct room *r = *state;
    arena_release(&r->arena);
    json_tape_release(&r->tape);
    free(r);
    return 0;
}

/* found: for each pointer a digit that the text has there as its value, '-': nothing, '2': twice. The text in memory of exactly its size, so that ASan sees a byte read too many. */
static void expect(struct room *r, const char *text, const char *found)
{
    struct err e;
    size_t n = strlen(text);
    char *copy = malloc(n);
    assert_non_null(copy);
    memcpy(copy, text, n);
    assert_int_equal(json_tape_parse(&r->tape, copy, n, &e), RC_OK);
    order_scope_find(&r->scope, &r->tape, 0, &r->twice);
    for (size_t i = 0; i < POINTERS; i++) {
        uint32_t node = r->scope.values[r->slots[i]];
        char is = node == ORDER_SCOPE_NONE ? '-' : node == ORDER_SCOPE_TWICE ? '2' : copy[r->tape.nodes[node].start];
        if (is != found[i])
            fail_msg("%s: %s leads to %c", text, pointers[i], is);
    }
    free(copy);
}

static void members_are_found_in_any_order_and_after_any_other_object(void **state)
{
    static const struct {
        const char *text, *found;
    } row[] = {
        {"{\"Id\":1,\"\":3,\"a\":4,\"Customer\":{\"Name\":5,\"Id\":6},\"Tags\":[0,7]}", "134567--------"},
        {"{\"Tags\":[0,7],\"Customer\":{\"Id\":6,\"Name\":5},\"a\":4,\"Id\":1,\"\":3}", "134567--------"},
        {"{\"ab/c\":8,\"say \\\"hi\\\"\":9}", "------89------"},
        {"{\"SixteenCharacter\":1,\"SixteenCharactersAndA\":3,\"SixteenCharactersAndB\":4}", "--------134---"},
        {"{\"SixteenCharactersAndB\":4,\"SixteenCharacter\":1,\"SixteenCharactersAndA\":3}", "--------134---"},
        {"{\"SixteenCharacters\":1,\"SixteenCharactersAndC\":3,\"SixteenCharacte\":4}", "--------------"},
        {"{\"Delivery1Code\":1,\"Delivery2Code\":3,\"Delivery3Code\":4}", "-----------13-"},
        {"{\"a\":1,\"b\":3}", "--1-----------"},
        {"{\"\\u0049d\":1}", "1-------------"},
        {"{\"Id\":1}", "1-------------"},
        {"{\"i\":1,\"IId\":3,\"I\":4,\"id\":5}", "--------------"},
        {"{}", "--------------"},
        {"[1]", "--------------"},
    };
    enum { ROWS = sizeof row / sizeof row[0] };
    for (size_t before = 0; before < ROWS; before++)
        for (size_t i = 0; i < ROWS; i++) {
            expect(*state, row[before].text, row[before].found);
            expect(*state, row[i].text, row[i].found);
            assert_null(((struct room *)*state)->twice.pointer);
        }
}

static void a_key_that_is_there_twice_is_noticed_also_where_it_was_expected(void **state)
{
    struct room *r = *state;
    for (int again = 0; again < 2; again++) {
        expect(r, "{\"Id\":1,\"x\":0,\"Id\":1}", "2-------------");
        assert_string_equal(r->twice.pointer, "/Id");
        assert_int_equal(r->twice.first, 1);
        assert_int_equal(r->twice.second, 14);
        expect(r, "{\"Id\":1,\"x\":0,\"\\u0049d\":1}", "2-------------");
        expect(r, "{\"Customer\":{\"Name\":1,\"Name\":1},\"Id\":1}", "1--2----------");
        assert_string_equal(r->twice.pointer, "/Customer/Name");
    }
}

static void an_object_may_have_any_number_of_members(void **state)
{
    char text[4000] = "{", *at = text + 1;
    for (int i = 0; i < 3 * ORDER_SCOPE_SEEN; i++)
        at += sprintf(at, "\"other %d\":0,", i);
    (void)sprintf(at, "\"a\":4,\"Id\":1}");
    for (int again = 0; again < 3; again++)
        expect(*state, text, "1-4-----------");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_are_found_in_any_order_and_after_any_other_object, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_is_there_twice_is_noticed_also_where_it_was_expected, begin, end),
        cmocka_unit_test_setup_teardown(an_object_may_have_any_number_of_members, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
