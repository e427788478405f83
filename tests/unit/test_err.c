#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/utf8.h"

static void words_are_prefixed_on_the_way_up(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, "no %s", "number");
    err_prefix(&e, "order %d", 7);
    err_prefix(&e, "page %d", 3);
    assert_string_equal(e.text, "page 3: order 7: no number");
}

static void words_may_be_made_of_themselves(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, "cut");
    err_set(&e, "again: %s", e.text);
    assert_string_equal(e.text, "again: cut");
    err_prefix(&e, "%s", e.text);
    assert_string_equal(e.text, "again: cut: again: cut");
}

static void a_caller_may_not_care(void **state)
{
    (void)state;
    err_set(NULL, "x");
    err_prefix(NULL, "x");
}

static void long_words_are_cut_at_a_character(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        char words[1200] = "";
        memset(words, 'a', shift);
        for (size_t n = shift; n + 5 < sizeof words; n += 4)
            memcpy(words + n, "\xF0\x9F\x93\xA6", 5);
        struct err e;
        err_set(&e, "%s", words);
        assert_in_range(strlen(e.text), sizeof e.text - 9, sizeof e.text - 1);
        assert_int_equal(utf8_check(e.text, strlen(e.text)), strlen(e.text));
        err_prefix(&e, "za\xC5\xBC\xC3\xB3\xC5\x82\xC4\x87");
        assert_int_equal(utf8_check(e.text, strlen(e.text)), strlen(e.text));
        assert_memory_equal(e.text, "za\xC5\xBC\xC3\xB3\xC5\x82\xC4\x87: ", 12);
    }
}

static void what_is_no_character_becomes_a_question_mark(void **state)
{
    struct err e;
    (void)state;
    err_set(&e, "name '%.3s' and '%.6s'", "a\xC5\xBC\xC3\xB3", "ab\xF0\x9F\x93\xA6z");
    assert_string_equal(e.text, "name 'a\xC5\xBC' and 'ab\xF0\x9F\x93\xA6'");
    err_set(&e, "name '%.2s' and '%.5s'", "a\xC5\xBC\xC3\xB3", "ab\xF0\x9F\x93\xA6z");
    assert_string_equal(e.text, "name 'a?' and 'ab?'");
    err_set(&e, "\xFF\xFE%s\x80", "x");
    assert_string_equal(e.text, "??x?");
    err_prefix(&e, "in %.3s", "ab\xC5\xBC");
    assert_string_equal(e.text, "in ab?: ??x?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_prefixed_on_the_way_up),
        cmocka_unit_test(words_may_be_made_of_themselves),
        cmocka_unit_test(a_caller_may_not_care),
        cmocka_unit_test(long_words_are_cut_at_a_character),
        cmocka_unit_test(what_is_no_character_becomes_a_question_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
