#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/roff.h"

static void text_is(const char *words, const char *wanted)
{
    struct buf out;
    buf_init(&out, 4096);
    roff_text(&out, words, strlen(words));
    assert_string_equal(buf_text(&out), wanted);
    buf_release(&out);
}

static void each_sentence_begins_a_line_and_nothing_is_read_as_a_macro(void **state)
{
    (void)state;
    text_is("", "");
    text_is("One. Two e.g. three (as said.) Four", "One.\nTwo e.g. three (as said.)\nFour\n");
    text_is(".Sh a-b\n'c \\d", "\\&.Sh a\\-b 'c \\ed\n");
    text_is("A.", "A.\n");
}

static void long_lines_are_broken_at_blanks(void **state)
{
    (void)state;
    struct buf out;
    char words[400] = "";
    buf_init(&out, 4096);
    for (int i = 0; i < 30; i++)
        memcpy(words + (size_t)i * 12, ".bcdefghijk ", 13);
    roff_text(&out, words, strlen(words));
    const char *line = buf_text(&out);
    for (; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 80);
        assert_memory_equal(line, "\\&.", 3);
    }
    buf_release(&out);
}

static void arguments_stay_on_their_line(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    roff_arguments(&out, "-check An order  to");
    assert_string_equal(buf_text(&out), "\\-check \\&An order  \\&to");
    buf_release(&out);
}

static void paragraphs_have_a_macro_between_them(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    roff_paragraphs(&out, "a\n\n\nb c\n\nd\n");
    assert_string_equal(buf_text(&out), "a\n.Pp\nb c\n.Pp\nd\n");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sentence_begins_a_line_and_nothing_is_read_as_a_macro),
        cmocka_unit_test(long_lines_are_broken_at_blanks),
        cmocka_unit_test(arguments_stay_on_their_line),
        cmocka_unit_test(paragraphs_have_a_macro_between_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
