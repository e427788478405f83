/* What a reply says in words, and the URLs that are asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/utf8.h"
#include "consumer/erp_reply.h"
#include "consumer/url_template.h"

static const char *document(const char *body, const char *pointer)
{
    static char out[ERP_DOCUMENT_BYTES];
    return erp_reply_document(body, strlen(body), pointer, out) ? out : NULL;
}

static const char *reason(const char *body)
{
    static char out[ERP_REASON_BYTES];
    erp_reply_reason(body, strlen(body), out);
    return out;
}

static void the_document_is_found_by_pointer_and_numbers_are_their_text(void **state)
{
    (void)state;
    assert_string_equal(document("{\"DocumentId\":\"ZK/2026/1\"}", "/DocumentId"), "ZK/2026/1");
    assert_string_equal(document("{\"a\":[{\"id\":42}]}", "/a/0/id"), "42");
    assert_string_equal(document("{\"a/b\":{\"~\":\"x\"}}", "/a~1b/~0"), "x");
    assert_string_equal(document("\"whole\"", ""), "whole");
}

static void a_reply_without_the_document_names_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "ok", "{}", "{\"DocumentId\":null}", "{\"DocumentId\":\"\"}", "[1]", "{\"DocumentId\":{}}",
                                         "{\"DocumentId\":\"a\\u0000b\"}", "<html>"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_null(document(bodies[i], "/DocumentId"));
    char longer[400] = "{\"DocumentId\":\"";
    memset(longer + 15, 'x', 300);
    memcpy(longer + 315, "\"}", 3);
    assert_null(document(longer, "/DocumentId"));
    assert_null(document("[1,2]", "/9"));
    assert_null(document("[1,2]", "/x"));
}

static void pointers_are_checked(void **state)
{
    (void)state;
    assert_true(erp_reply_pointer_ok(""));
    assert_true(erp_reply_pointer_ok("/a/~0/~1"));
    assert_false(erp_reply_pointer_ok("a"));
    assert_false(erp_reply_pointer_ok("/a~2"));
    assert_false(erp_reply_pointer_ok("/a~"));
}

static void the_reason_is_the_erps_text_wherever_it_usually_stands(void **state)
{
    (void)state;
    assert_string_equal(reason("{\"error\":\"Nieznany towar\"}"), "Nieznany towar");
    assert_string_equal(reason("{\"code\":7,\"Message\":\"za mało\"}"), "za mało");
    assert_string_equal(reason("{\"error\":{\"message\":\"inside\"}}"), "inside");
    assert_string_equal(reason("{\"title\":\"t\",\"detail\":\"d\"}"), "d");
    assert_string_equal(reason("{\"errors\":[\"a\"]}"), "{\"errors\":[\"a\"]}");
    assert_string_equal(reason("plain words"), "plain words");
    assert_string_equal(reason(""), "");
}

static void the_reason_has_no_control_characters_and_no_bad_utf8(void **state)
{
    (void)state;
    assert_string_equal(reason(" a\r\n\tb\x01" "c \x7f"), "a b c");
    assert_string_equal(reason("a\xff" "b\xc5"), "ab");
    assert_string_equal(reason("a\xc2\x85" "b"), "a b");
    assert_string_equal(reason("a\xed\xa0\x80" "b"), "ab");
}

static void the_reason_is_cut_at_500_characters_not_bytes(void **state)
{
    (void)state;
    char body[4001];
    for (size_t i = 0; i < 1000; i++)
        memcpy(body + 4 * i, "\xf0\x9f\x93\xa6", 4);
    body[4000] = '\0';
    assert_int_equal(strlen(reason(body)), 2000);
    assert_int_equal(utf8_check(reason(body), 2000), 2000);
}

static void urls_are_filled_in_and_encoded(void **state)
{
    (void)state;
    struct erp_load l = {.organization = "ac me", .order_id = 7, .warehouse = "MAG/1\xc5\x82", .revision = "00ff", .publication = 99};
    struct buf out;
    buf_init(&out, 1000);
    url_template_fill("http://x/{organization}/{order_id}?w={warehouse}&r={revision}&p={publication}", &l, &out);
    assert_string_equal(buf_text(&out), "http://x/ac%20me/7?w=MAG%2F1%C5%82&r=00ff&p=99");
    buf_release(&out);
}

static void unknown_fields_are_refused(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(url_template_check("http://x/{order_id}", &e), RC_OK);
    assert_int_equal(url_template_check("http://x/{order}", &e), RC_REJECT);
    assert_int_equal(url_template_check("http://x/{order_id", &e), RC_REJECT);
    assert_int_equal(url_template_check("http://x/}", &e), RC_REJECT);
}

static void a_location_names_its_last_part(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"https://erp.example/api/orders/ZK%2F2026%2f7?view=1", "ZK/2026/7"}, {"/orders/77", "77"}, {"77", "77"}, {"/orders/77/", "77"},
        {"https://erp.example/orders/a%zz", "a%zz"}, {"https://erp.example", ""}, {"https://erp.example/", ""}, {"", ""}, {"/orders/%00", ""},
        {"/orders/%FF", ""}, {"/orders/x#y/z", "x"},
    };
    char out[ERP_DOCUMENT_BYTES], longer[400];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool found = erp_reply_location(rows[i][0], out);
        if (found != (rows[i][1][0] != '\0') || (found && strcmp(out, rows[i][1]) != 0))
            fail_msg("%s", rows[i][0]);
    }
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_false(erp_reply_location(longer, out));
    longer[255] = '\0';
    assert_true(erp_reply_location(longer, out));
    assert_false(erp_reply_header("", 0, out));
    assert_true(erp_reply_header("ZK/7", 4, out));
    assert_string_equal(out, "ZK/7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_found_by_pointer_and_numbers_are_their_text),
        cmocka_unit_test(a_reply_without_the_document_names_none),
        cmocka_unit_test(pointers_are_checked),
        cmocka_unit_test(the_reason_is_the_erps_text_wherever_it_usually_stands),
        cmocka_unit_test(the_reason_has_no_control_characters_and_no_bad_utf8),
        cmocka_unit_test(the_reason_is_cut_at_500_characters_not_bytes),
        cmocka_unit_test(urls_are_filled_in_and_encoded),
        cmocka_unit_test(unknown_fields_are_refused),
        cmocka_unit_test(a_location_names_its_last_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
