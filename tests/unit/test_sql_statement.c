/* Named parameters in SQL text, and the values that they get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "consumer/sql_values.h"
#include "consumer/sql_wide.h"

static struct sql_statement *parsed(const char *text)
{
    struct sql_statement *s = NULL;
    struct err e = {{0}};
    if (sql_statement_parse(text, &s, &e) != RC_OK)
        fail_msg("%s", e.text);
    return s;
}

static void gives(const char *text, const char *odbc, const char *names)
{
    struct sql_statement *s = parsed(text);
    char found[200] = "";
    for (size_t i = 0; i < sql_statement_count(s); i++) {
        strcat(found, i > 0 ? " " : "");
        strcat(found, sql_statement_parameter(s, i));
    }
    assert_string_equal(sql_statement_text(s), odbc);
    assert_string_equal(found, names);
    sql_statement_destroy(s);
}

static void a_name_behind_a_colon_is_a_parameter(void **state)
{
    (void)state;
    gives("SELECT f(:order_id, :warehouse,:order_id)", "SELECT f(?, ?,?)", "order_id warehouse order_id");
    gives("CALL p()", "CALL p()", "");
    gives(":a", "?", "a");
    gives("x=:_a1-:b", "x=?-?", "_a1 b");
}

static void casts_strings_and_comments_are_left_alone(void **state)
{
    (void)state;
    gives("SELECT :a::jsonb, x := 1, b[1:2]", "SELECT ?::jsonb, x := 1, b[1:2]", "a");
    gives("SELECT ':no', 'it''s :no', \":no\", `:no`, :yes", "SELECT ':no', 'it''s :no', \":no\", `:no`, ?", "yes");
    gives("SELECT 1 -- :no ? 'x\n, :yes /* :no ' */ -- :no", "SELECT 1 -- :no ? 'x\n, ? /* :no ' */ -- :no", "yes");
    gives("DO $$ :no $$ || $t$ :no $$ $t$ || :yes", "DO $$ :no $$ || $t$ :no $$ $t$ || ?", "yes");
    gives("SELECT $1, a$b$ + :yes", "SELECT $1, a$b$ + ?", "yes");
    gives("SELECT '12:30', 5 - 3 / 2, :a-- x", "SELECT '12:30', 5 - 3 / 2, ?-- x", "a");
}

static void what_is_no_statement_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "  ;\n", "SELECT ?", "SELECT 'a", "SELECT \"a", "SELECT `a", "SELECT /* a", "SELECT $x$ a $y$"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sql_statement *s = NULL;
        struct err e = {{0}};
        assert_int_equal(sql_statement_parse(wrong[i], &s, &e), RC_REJECT);
        assert_null(s);
        assert_true(e.text[0] != '\0');
    }
}

static void more_parameters_than_any_driver_likes_are_refused(void **state)
{
    (void)state;
    char text[4 * (SQL_PARAMETERS_MAX + 1) + 1] = "";
    struct sql_statement *s = NULL;
    struct err e = {{0}};
    for (int i = 0; i < SQL_PARAMETERS_MAX; i++)
        strcat(text, ":a, ");
    assert_int_equal(sql_statement_parse(text, &s, &e), RC_OK);
    sql_statement_destroy(s);
    strcat(text, ":a");
    s = NULL;
    assert_int_equal(sql_statement_parse(text, &s, &e), RC_REJECT);
    assert_null(s);
}

static const char document[] = "{\"number\": \"Z \\u0142\\\"1\", \"totalGross\": 19.9900, \"big\": 123456789012345678901, \"paid\": true, \"sent\":false, \"remarks\": null, "
                               "\"items\": [ {\"a\": 1}], \"empty\": \"\", \"warehouse\": \"theirs\"}";

static struct erp_load load_of(const char *text)
{
    return (struct erp_load){.key = "k", .organization = "acme", .order_id = 7, .warehouse = "MAG-1", .revision = "00ff", .publication = 1700000000000, .withdrawn = true,
                             .document = text, .document_n = strlen(text)};
}

static void is_text(const struct sql_value *v, const char *text)
{
    assert_int_equal(v->kind, SQL_VALUE_TEXT);
    assert_int_equal(v->text_n, strlen(text));
    assert_memory_equal(v->text, text, strlen(text));
}

static void our_own_values_come_from_the_load(void **state)
{
    (void)state;
    struct sql_statement *s = parsed(":organization :order_id :warehouse :revision :publication :withdrawn :order_json :order");
    struct erp_load l = load_of(document);
    struct sql_values values;
    assert_int_equal(sql_values_fill(&values, s, &l, NULL), RC_OK);
    is_text(&values.v[0], "acme");
    assert_int_equal(values.v[1].kind, SQL_VALUE_BIGINT);
    assert_int_equal(values.v[1].number, 7);
    is_text(&values.v[2], "MAG-1"); /* not the order's own */
    is_text(&values.v[3], "00ff");
    assert_int_equal(values.v[4].number, 1700000000000);
    assert_int_equal(values.v[5].kind, SQL_VALUE_INTEGER);
    assert_int_equal(values.v[5].number, 1);
    is_text(&values.v[6], document);
    is_text(&values.v[7], document);
    sql_values_release(&values);
    sql_statement_destroy(s);
}

static void a_field_of_the_document_is_its_exact_text(void **state)
{
    (void)state;
    struct sql_statement *s = parsed(":number :totalGross :big :paid :sent :remarks :items :empty :nowhere");
    struct erp_load l = load_of(document);
    struct sql_values values;
    assert_int_equal(sql_values_fill(&values, s, &l, NULL), RC_OK);
    is_text(&values.v[0], "Z \xC5\x82\"1");
    is_text(&values.v[1], "19.9900");
    is_text(&values.v[2], "123456789012345678901");
    is_text(&values.v[3], "1");
    is_text(&values.v[4], "0");
    assert_int_equal(values.v[5].kind, SQL_VALUE_NULL);
    is_text(&values.v[6], "[ {\"a\": 1}]");
    is_text(&values.v[7], "");
    assert_int_equal(values.v[8].kind, SQL_VALUE_NULL);
    sql_values_release(&values);
    sql_statement_destroy(s);
}

static void a_document_that_no_database_takes_is_the_orders_fault(void **state)
{
    (void)state;
    static const char *const wrong[] = {"[]", "{", "{\"number\": \"\\u0000\"}", "{\"number\": \"\xFF\"}"};
    struct sql_statement *s = parsed(":number");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct erp_load l = load_of(wrong[i]);
        struct sql_values values;
        struct err e = {{0}};
        assert_int_equal(sql_values_fill(&values, s, &l, &e), RC_REJECT);
        assert_true(e.text[0] != '\0');
    }
    sql_statement_destroy(s);
}

static void utf_8_becomes_utf_16(void **state)
{
    (void)state;
    static const uint16_t wanted[] = {'a', 0x0142, 0x20AC, 0xD83D, 0xDE00, 0xFFFD, 'z'};
    struct buf out;
    buf_init(&out, 100);
    sql_wide_put(&out, "a\xC5\x82\xE2\x82\xAC\xF0\x9F\x98\x80\xFFz", 12);
    assert_int_equal(out.n, sizeof wanted);
    assert_memory_equal(out.p, wanted, sizeof wanted);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_behind_a_colon_is_a_parameter),
        cmocka_unit_test(casts_strings_and_comments_are_left_alone),
        cmocka_unit_test(what_is_no_statement_is_refused),
        cmocka_unit_test(more_parameters_than_any_driver_likes_are_refused),
        cmocka_unit_test(our_own_values_come_from_the_load),
        cmocka_unit_test(a_field_of_the_document_is_its_exact_text),
        cmocka_unit_test(a_document_that_no_database_takes_is_the_orders_fault),
        cmocka_unit_test(utf_8_becomes_utf_16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
