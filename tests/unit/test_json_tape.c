#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/json_tape.h"

/* The text in memory of exactly its size, so that ASan sees a byte read too many. */
static enum rc parse_n(struct json_tape *t, const char *text, size_t n, char **copy)
{
    struct err e;
    *copy = malloc(n > 0 ? n : 1);
    assert_non_null(*copy);
    memcpy(*copy, text, n);
    enum rc rc = json_tape_parse(t, *copy, n, &e);
    if (rc == RC_REJECT)
        assert_memory_equal(e.text, "JSON: ", 6);
    return rc;
}

static void expect(const char *text, size_t n, enum rc wanted)
{
    struct json_tape t;
    char *copy;
    json_tape_init(&t);
    if (parse_n(&t, text, n, &copy) != wanted)
        fail_msg("%.*s: not as expected", (int)n, text);
    json_tape_release(&t);
    free(copy);
}

static void json_is_accepted(void **state)
{
    static const char *const good[] = {"null", "true", "false", "0", "-0", "-1", "10", "1.5", "1e5", "1E+5", "1.25e-10", "\"\"",
                                       "\"abc\"", "\"\\\"\"", "\"\\u0041\"", "[]", "{}", "[ ]", "{ }", " [1 , 2] ", "[[],{}]",
                                       "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":[1,2,{\"c\":null}]}}", "\t\r\n1\n", "123456789012345678901234567890",
                                       "\"\x7f\"", "\"Zażółć gęślą jaźń 😀\"", "[\"\\\\\",\"\\\\\\\"\"]", "\"a/b\"", "{\"\":0}", "\"\\q\""};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect(good[i], strlen(good[i]), RC_OK);
}

static void everything_else_is_refused(void **state)
{
    static const char *const bad[] = {"", " ", "nul", "nulL", "True", "tru", "01", "-01", "00", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+",
                                      "0x1", "1 2", "NaN", "'a'", "\"", "\"a", "\"\\\"", "\"\n\"", "\"\t\"", "\"\\\n\"", "[", "]", "[1", "[1,",
                                      "[1,]", "[,1]", "[1 2]", "[1}", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
                                      "{,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1]", "{\"a\":1 \"b\":2}", "[]]", "{}{}", "null,", "\xef\xbb\xbf[]",
                                      "[1]x", "// c\n1", "{\"a\"::1}", "[\"a\":1]", "nullnull", "\"\x1f\"", "\"1234567\x01\""};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect(bad[i], strlen(bad[i]), RC_REJECT);
    expect("[\0]", 3, RC_REJECT);
    expect("\"a\0b\"", 5, RC_REJECT);
    expect("1\0", 2, RC_REJECT);
}

static const char sample[] = "{\"Id\": 100123, \"x\\u0041\": [1.5e3, true, null, {\"d\": \"Gd\\u0144sk 😀\", \"e\": []}], \"z\": -0.07} ";

static void a_text_cut_anywhere_is_refused(void **state)
{
    size_t n = sizeof sample - 1;
    (void)state;
    expect(sample, n, RC_OK);
    for (size_t cut = 0; cut < n - 1; cut++)
        expect(sample, cut, RC_REJECT);
}

static void nodes_say_where_everything_stands(void **state)
{
    struct json_tape t;
    char *copy;
    (void)state;
    json_tape_init(&t);
    assert_int_equal(parse_n(&t, sample, sizeof sample - 1, &copy), RC_OK);
    assert_int_equal(t.nodes[0].type, JSON_TAPE_OBJECT);
    assert_int_equal(t.nodes[0].count, 3);
    assert_int_equal(t.nodes[0].height, 4);
    assert_int_equal(t.nodes[0].next, t.n);
    assert_int_equal(t.nodes[0].end, sizeof sample - 2);
    uint32_t array = json_tape_member(&t, 0, "xA", 2, NULL);
    assert_int_not_equal(array, 0);
    assert_int_equal(t.nodes[array].count, 4);
    assert_int_equal(t.nodes[array].height, 3);
    uint32_t number = array + 1;
    assert_int_equal(t.nodes[number].end - t.nodes[number].start, 5);
    assert_memory_equal(copy + t.nodes[number].start, "1.5e3", 5);
    assert_int_equal(t.nodes[number].height, 0);
    assert_int_equal(json_tape_pointer(&t, 0, "/xA/3/d"), json_tape_pointer(&t, json_tape_pointer(&t, array, "/3"), "/d"));
    json_tape_release(&t);
    free(copy);
}

static void nesting_is_bounded(void **state)
{
    enum { N = JSON_TAPE_DEPTH };
    static char text[2 * N + 2];
    (void)state;
    memset(text, '[', N);
    memset(text + N, ']', N);
    expect(text, 2 * N, RC_OK);
    memset(text, '[', N + 1);
    memset(text + N + 1, ']', N + 1);
    expect(text, 2 * N + 2, RC_REJECT);
    memset(text, '[', sizeof text);
    expect(text, sizeof text, RC_REJECT);
}

static void strings_end_where_they_end_whatever_their_length(void **state)
{
    struct json_tape t;
    char *copy, text[64];
    (void)state;
    for (size_t n = 0; n < 40; n++) {
        memset(text, 'x', sizeof text);
        text[0] = text[n + 1] = '"';
        expect(text, n + 2, RC_OK);
        expect(text, n + 1, RC_REJECT);
        text[n + 1] = '\x1f';
        text[n + 2] = '"';
        expect(text, n + 3, RC_REJECT);
        text[n + 1] = '\\';
        text[n + 2] = text[n + 3] = '"';
        json_tape_init(&t);
        assert_int_equal(parse_n(&t, text, n + 4, &copy), RC_OK);
        assert_true((t.nodes[0].flags & JSON_TAPE_ESCAPED) != 0);
        json_tape_release(&t);
        free(copy);
    }
}

static void a_string_says_whether_all_of_it_is_ascii(void **state)
{
    struct json_tape t;
    char *copy, text[64];
    (void)state;
    for (size_t n = 0; n < 40; n++)
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'x', sizeof text);
            text[0] = '[';
            text[1] = text[n + 2] = '"';
            text[n + 3] = ',';
            text[n + 4] = text[sizeof text - 2] = '"';
            text[sizeof text - 1] = ']';
            if (text[at] != 'x')
                continue;
            text[at] = '\xc5';
            json_tape_init(&t);
            assert_int_equal(parse_n(&t, text, sizeof text, &copy), RC_OK);
            assert_int_equal(t.nodes[1].flags, at < n + 2 ? JSON_TAPE_FOREIGN : 0);
            assert_int_equal(t.nodes[2].flags, at < n + 2 ? 0 : JSON_TAPE_FOREIGN);
            json_tape_release(&t);
            free(copy);
        }
}

static void expect_words(const char *text, const char *words)
{
    struct json_tape t;
    struct err e;
    json_tape_init(&t);
    assert_int_equal(json_tape_parse(&t, text, strlen(text), &e), RC_REJECT);
    assert_string_equal(e.text, words);
    json_tape_release(&t);
}

static void words_tell_the_fault_and_its_byte_however_the_text_ends(void **state)
{
    static const struct {
        const char *text, *closed, *open; /* words for the text with the end of a container behind it, and with a blank behind that */
    } row[] = {
        {"[[1", "JSON: the text ends inside an array at byte 4", "JSON: the text ends inside an array at byte 5"},
        {"{\"a\":{\"b\":[", "JSON: the text ends inside an object at byte 12", "JSON: the text ends inside an object at byte 13"},
        {"[\"a", "JSON: the text ends inside a string at byte 4", "JSON: the text ends inside a string at byte 5"},
        {"[1, 2 3", "JSON: no comma or end behind a value at byte 6", "JSON: no comma or end behind a value at byte 6"},
        {"[-", "JSON: bad number at byte 2", "JSON: bad number at byte 2"},
        {"[1.", "JSON: bad number at byte 3", "JSON: bad number at byte 3"},
        {"[2e+", "JSON: bad number at byte 4", "JSON: bad number at byte 4"},
        {"[ 01", "JSON: number with a leading zero at byte 2", "JSON: number with a leading zero at byte 2"},
        {"[tru", "JSON: unknown word at byte 1", "JSON: unknown word at byte 1"},
        {"[1,", "JSON: no value where one must be at byte 3", "JSON: no value where one must be at byte 3"},
        {"[{\"a\" ", "JSON: no colon behind a key at byte 6", "JSON: no colon behind a key at byte 6"},
        {"[{1", "JSON: no key where one must be at byte 2", "JSON: no key where one must be at byte 2"},
        {"[1]", "JSON: more text behind the value at byte 3", "JSON: more text behind the value at byte 3"},
    };
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        (void)snprintf(text, sizeof text, "%s]", row[i].text);
        expect_words(text, row[i].closed);
        (void)snprintf(text, sizeof text, "%s] ", row[i].text);
        expect_words(text, row[i].open);
    }
}

/* The text in other surroundings: blanks at its end, and as a part of another. */
static void a_text_makes_the_same_nodes_however_it_ends(void **state)
{
    static const char *const texts[] = {"{}", "[]", "[[],{}]", "{\"a\":{\"b\":[1,2,{\"c\":null}],\"d\":[]},\"e\":-1.5e+3}", "[1,[2,[3,[4],5],6],[[]],7]",
                                        "[{\"a\":\"\u0144\\n\"},true ,{ \"b\" : 0 } ]"};
    struct json_tape a, b;
    struct err e;
    char text[100];
    (void)state;
    json_tape_init(&a);
    json_tape_init(&b);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        (void)snprintf(text, sizeof text, "%s\n", texts[i]);
        assert_int_equal(json_tape_parse(&a, texts[i], strlen(texts[i]), &e), RC_OK);
        assert_int_equal(json_tape_parse(&b, text, strlen(text), &e), RC_OK);
        assert_int_equal(a.n, b.n);
        for (size_t n = 0; n < a.n; n++)
            assert_memory_equal(&a.nodes[n], &b.nodes[n], sizeof a.nodes[n]);
    }
    assert_int_equal(json_tape_parse(&a, texts[4], strlen(texts[4]), &e), RC_OK);
    assert_int_equal(a.nodes[0].count, 4);
    assert_int_equal(a.nodes[2].count, 3);
    assert_int_equal(a.nodes[4].count, 3);
    assert_int_equal(a.nodes[6].count, 1);
    json_tape_release(&a);
    json_tape_release(&b);
}

static void a_tape_is_used_again_without_growing(void **state)
{
    struct json_tape t;
    struct err e;
    (void)state;
    json_tape_init(&t);
    assert_int_equal(json_tape_parse(&t, sample, sizeof sample - 1, &e), RC_OK);
    const void *nodes = t.nodes;
    assert_int_equal(json_tape_parse(&t, "[", 1, &e), RC_REJECT);
    assert_int_equal(t.n, 0);
    assert_int_equal(json_tape_parse(&t, sample, sizeof sample - 1, &e), RC_OK);
    assert_ptr_equal(t.nodes, nodes);
    json_tape_release(&t);
}

static void members_are_found_also_by_escaped_keys(void **state)
{
    static const char text[] = "{\"\\u0049d\":1,\"a\":2,\"Id\":3,\"\\ud83d\\ude00\":4,\"\\q\":5,\"\":6}";
    struct json_tape t;
    struct err e;
    bool twice;
    (void)state;
    json_tape_init(&t);
    assert_int_equal(json_tape_parse(&t, text, sizeof text - 1, &e), RC_OK);
    uint32_t id = json_tape_member(&t, 0, "Id", 2, &twice);
    assert_true(twice);
    assert_int_equal(text[t.nodes[id].start], '1');
    assert_int_equal(text[t.nodes[json_tape_member(&t, 0, "a", 1, &twice)].start], '2');
    assert_false(twice);
    assert_int_equal(text[t.nodes[json_tape_member(&t, 0, "😀", 4, &twice)].start], '4');
    assert_int_equal(text[t.nodes[json_tape_member(&t, 0, "", 0, &twice)].start], '6');
    assert_int_equal(json_tape_member(&t, 0, "q", 1, &twice), 0);
    assert_int_equal(json_tape_member(&t, 1, "q", 1, &twice), 0);
    json_tape_release(&t);
}

static void pointers_follow_rfc_6901(void **state)
{
    static const char text[] = "{\"a/b\":[10,20],\"m~n\":{\"\":7},\"0\":8}";
    static const struct {
        const char *pointer, *found; /* NULL: nothing */
    } row[] = {{"/a~1b/0", "10"}, {"/a~1b/1", "20"}, {"/a~1b/2", NULL}, {"/a~1b/-", NULL}, {"/a~1b/00", NULL}, {"/a~1b/", NULL},
               {"/m~0n/", "7"}, {"/0", "8"}, {"/1", NULL}, {"/0/x", NULL}, {"x", NULL}, {"/a~1b/99999999999", NULL}, {"/a~1b/4294967296", NULL}};
    struct json_tape t;
    struct err e;
    char longest[400];
    (void)state;
    json_tape_init(&t);
    assert_int_equal(json_tape_parse(&t, text, sizeof text - 1, &e), RC_OK);
    assert_int_equal(json_tape_pointer(&t, 0, ""), 0);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        uint32_t node = json_tape_pointer(&t, 0, row[i].pointer);
        if (row[i].found == NULL)
            assert_int_equal(node, UINT32_MAX);
        else
            assert_memory_equal(text + t.nodes[node].start, row[i].found, strlen(row[i].found));
    }
    memset(longest, 'a', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(json_tape_pointer(&t, 0, longest), UINT32_MAX);
    json_tape_release(&t);
}

static void a_pointer_tells_when_a_key_on_its_way_is_there_twice(void **state)
{
    static const char text[] = "{\"a\":{\"b\":1,\"b\":2},\"c\":[{\"d\":3}],\"a\":4}";
    static const struct {
        const char *pointer;
        bool twice;
    } row[] = {{"/a", true}, {"/a/b", true}, {"/c/0/d", false}, {"/x", false}, {"", false}};
    struct json_tape t;
    bool twice;
    (void)state;
    json_tape_init(&t);
    assert_int_equal(json_tape_parse(&t, text, sizeof text - 1, NULL), RC_OK);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        twice = !row[i].twice;
        assert_int_equal(json_tape_pointer_once(&t, 0, row[i].pointer, &twice), json_tape_pointer(&t, 0, row[i].pointer));
        assert_int_equal(twice, row[i].twice);
    }
    json_tape_release(&t);
}

/* wanted NULL: must be refused. */
static void expect_taken(const char *text, const char *wanted)
{
    struct json_tape t;
    struct buf out;
    struct err e;
    char *copy;
    json_tape_init(&t);
    buf_init(&out, 100);
    assert_int_equal(parse_n(&t, text, strlen(text), &copy), RC_OK);
    enum rc rc = json_tape_string(&t, 0, &out, &e);
    assert_int_equal(rc, wanted == NULL ? RC_REJECT : RC_OK);
    if (wanted != NULL)
        assert_string_equal(buf_text(&out), wanted);
    buf_release(&out);
    json_tape_release(&t);
    free(copy);
}

static void strings_are_checked_when_they_are_taken(void **state)
{
    static const char *const bad[] = {"\"\\q\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"",
                                      "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\u0000\"", "\"a\\u0000b\"", "\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\\n\xe2\x82\"", "1", "null", "[]"};
    (void)state;
    expect_taken("\"\"", "");
    expect_taken("\"Gdańsk 😀\"", "Gdańsk 😀");
    expect_taken("\"\\u0047d\\u0144\\u20AC\\ud83d\\uDE00\"", "Gdń€😀");
    expect_taken("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "a\"\\/\b\f\n\r\tz");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_taken(bad[i], NULL);
}

static void a_string_beyond_the_buffer_is_refused(void **state)
{
    char text[140];
    memset(text, 'x', sizeof text);
    text[0] = text[sizeof text - 2] = '"';
    text[sizeof text - 1] = '\0';
    (void)state;
    expect_taken(text, NULL);
}

static void integers_are_exact(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } row[] = {{"0", true, 0}, {"-1", true, -1}, {"\"12\"", true, 12}, {"12.0", true, 12}, {"1e3", true, 1000},
               {"9223372036854775807", true, INT64_MAX}, {"-9223372036854775808", true, INT64_MIN}, {"9223372036854775808", false, 0},
               {"12345678901234567890", false, 0}, {"1.5", false, 0}, {"\"\"", false, 0}, {"\"1a\"", false, 0}, {"\" 1\"", false, 0},
               {"\"\\u0031\\u0032\"", true, 12}, {"\"\\u002D1\\u0065\\u0032\"", true, -100}, {"\"\\u0031x\"", false, 0}, {"\"\\ud800\"", false, 0},
               {"\"\\u0030000000000000000000000000000000000000000000000000000000000000000000\"", false, 0}, {"true", false, 0}, {"null", false, 0}, {"[1]", false, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct json_tape t;
        struct err e;
        int64_t v = 0;
        json_tape_init(&t);
        assert_int_equal(json_tape_parse(&t, row[i].text, strlen(row[i].text), &e), RC_OK);
        assert_int_equal(json_tape_integer(&t, 0, &v, &e), row[i].good ? RC_OK : RC_REJECT);
        assert_true(v == row[i].value);
        json_tape_release(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_accepted),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_text_cut_anywhere_is_refused),
        cmocka_unit_test(nodes_say_where_everything_stands),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(strings_end_where_they_end_whatever_their_length),
        cmocka_unit_test(a_tape_is_used_again_without_growing),
        cmocka_unit_test(a_string_says_whether_all_of_it_is_ascii),
        cmocka_unit_test(words_tell_the_fault_and_its_byte_however_the_text_ends),
        cmocka_unit_test(a_text_makes_the_same_nodes_however_it_ends),
        cmocka_unit_test(members_are_found_also_by_escaped_keys),
        cmocka_unit_test(pointers_follow_rfc_6901),
        cmocka_unit_test(a_pointer_tells_when_a_key_on_its_way_is_there_twice),
        cmocka_unit_test(strings_are_checked_when_they_are_taken),
        cmocka_unit_test(a_string_beyond_the_buffer_is_refused),
        cmocka_unit_test(integers_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
