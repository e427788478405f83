#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "consumer/html.h"

static void is(const char *in, size_t n, const char *wanted)
{
    struct buf out;
    buf_init(&out, 10000);
    html_put(&out, in, n);
    assert_string_equal(buf_text(&out), wanted);
    buf_release(&out);
}

static void text_stays_text(void **state)
{
    (void)state;
    is("<script>alert('1' & \"2\")</script>", 33, "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;");
    is("&lt;", 4, "&amp;lt;");
    is("", 0, "");
}

static void letters_of_every_length_stay(void **state)
{
    (void)state;
    is("Żółw €5 \xF0\x9F\x90\xA2", strlen("Żółw €5 \xF0\x9F\x90\xA2"), "Żółw €5 \xF0\x9F\x90\xA2");
}

static void what_is_no_text_is_marked(void **state)
{
    (void)state;
    is("a\0b\x1b[31m\x7f", 9, "a\xEF\xBF\xBD" "b\xEF\xBF\xBD[31m\xEF\xBF\xBD");
    is("a\nb\tc", 5, "a\nb\tc");
    is("\xC0\xBCscript", 8, "\xEF\xBF\xBD\xEF\xBF\xBDscript"); /* an overlong < */
    is("\xFF<", 2, "\xEF\xBF\xBD&lt;");
    is("\xE2\x82", 2, "\xEF\xBF\xBD\xEF\xBF\xBD"); /* cut in a letter */
}

static void every_byte_leaves_nothing_that_ends_a_text_or_an_attribute(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char in[3] = {(char)c, '<', '"'};
        struct buf out;
        buf_init(&out, 1000);
        html_put(&out, in, sizeof in);
        const char *text = buf_text(&out);
        assert_null(strpbrk(text, "<>\"'"));
        assert_int_equal(strlen(text), out.n);
        buf_release(&out);
    }
}

static void a_part_of_a_url_is_only_that(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    html_url(&out, "a b&c=\"<>'/?#ż");
    assert_string_equal(buf_text(&out), "a%20b%26c%3D%22%3C%3E%27%2F%3F%23%C5%BC");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_text),
        cmocka_unit_test(letters_of_every_length_stay),
        cmocka_unit_test(what_is_no_text_is_marked),
        cmocka_unit_test(every_byte_leaves_nothing_that_ends_a_text_or_an_attribute),
        cmocka_unit_test(a_part_of_a_url_is_only_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
