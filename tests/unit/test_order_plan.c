#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/json_tape.h"
#include "common/contract/order_encoder.h"
#include "common/contract/order_plan.h"

/* The built-in schema with its first `from` replaced; owned by the caller. */
static char *changed(const char *from, const char *to)
{
    const char *text = schema_builtin("Order"), *place = strstr(text, from);
    struct buf made;
    buf_init(&made, 1 << 20);
    assert_non_null(place);
    buf_put(&made, text, (size_t)(place - text));
    buf_put_text(&made, to);
    buf_put_text(&made, place + strlen(from));
    assert_non_null(buf_text(&made));
    return (char *)made.p;
}

/* words NULL: must be accepted. */
static void expect(const char *from, const char *to, const char *words)
{
    struct schema *s = NULL;
    struct order_plan *p = NULL;
    struct err e;
    char *text = changed(from, to);
    if (schema_parse(text, strlen(text), &s, &e) != RC_OK)
        fail_msg("the schema itself was refused: %s", e.text);
    enum rc rc = order_plan_create(s, &p, &e);
    if (words == NULL && rc != RC_OK)
        fail_msg("%s", e.text);
    if (words != NULL) {
        assert_int_equal(rc, RC_REJECT);
        assert_string_equal(e.text, words);
    }
    order_plan_destroy(p);
    schema_destroy(s);
    free(text);
}

#define NUMBER "\"type\": [\"null\", \"string\"], \"doc\": \"Number of the order in xSale.\", \"default\": null, \"xsale\": [\"/Number\"]"

static void a_schema_that_cannot_be_a_mapping_is_refused_by_field(void **state)
{
    (void)state;
    expect("\"xsale\": [\"/Number\"]", "\"xsale\": [\"Number\"]", "mapping: field number: a JSON Pointer begins with '/'");
    expect("\"xsale\": [\"/Number\"]", "\"xsale\": [\"/a~2\"]", "mapping: field number: a '~' in a JSON Pointer must be ~0 or ~1");
    expect("\"xsale\": [\"/Number\"]", "\"xsale\": []", "mapping: field number: \"xsale\" must be an array of one or more JSON Pointers");
    expect("\"xsale\": [\"/Number\"]", "\"xsale\": \"/Number\"", "mapping: field number: \"xsale\" must be an array of one or more JSON Pointers");
    expect("\"xsale\": [\"/Number\"]", "\"xsale\": [7]", "mapping: field number: \"xsale\" holds something that is neither a JSON Pointer nor a join");
    expect("\"xsale\": [\"/Number\"]", "\"xsale\": [\"\"]", "mapping: field number: the pointer \"\" is for records only");
    expect("\"xsale\": [\"/Number\"]", "\"xsale\": [\"/Number\", \"\"]", "mapping: field number: a JSON Pointer begins with '/'");
    expect("\"xsale\": [\"/Number\"]", "\"bridge\": \"nothing\"", "mapping: field number: \"bridge\" names nothing that the bridge knows");
    expect("\"xsale\": [\"/Number\"]", "\"bridge\": \"raw\"", "mapping: field number: the type does not suit what the bridge fills in");
    expect("\"xsale\": [\"/Number\"]", "\"bridge\": \"organization\"", "mapping: field number: the bridge fills in each value once only");
    expect("\"xsale\": [\"/Number\"]", "\"resolve\": \"warehouse\"", "mapping: field number: \"resolve\" needs \"xsale\"");
    expect("\"xsale\": [\"/City\"]", "\"xsale\": [\"/City\"], \"resolve\": \"warehouse\"",
           "mapping: field buyer: field city: \"resolve\" can be \"warehouse\", for a string of the order or of an article");
    expect("\"xsale\": [\"/City\"]", "\"bridge\": \"raw\"", "mapping: field buyer: field city: \"bridge\" names a value, and only in the order's own fields");
    expect("\"xsale\": [\"/City\"]", "\"xsale\": [\"/City\"], \"volatile\": true", "mapping: field buyer: field city: \"volatile\" is for the order's own fields");
    expect("\"xsale\": [\"/Quantity\"], \"required\": true", "\"required\": true",
           "mapping: field items: field quantity: neither \"xsale\" nor \"bridge\" nor \"default\" says what it holds");
    expect("\"reference\": \"/OrderItemId\", ", "", "mapping: field items: field articles: a join needs the pointers \"array\", \"reference\" and \"to\"");
}

static void types_that_cannot_be_mapped_are_refused_by_field(void **state)
{
    static const struct {
        const char *type, *words;
    } row[] = {
        {"[\"null\", \"double\"]", "mapping: field number: float and double cannot be mapped: use a decimal"},
        {"[\"null\", \"float\"]", "mapping: field number: float and double cannot be mapped: use a decimal"},
        {"[\"null\", \"bytes\"]", "mapping: field number: this type cannot be mapped"},
        {"[\"null\", {\"type\": \"map\", \"values\": \"string\"}]", "mapping: field number: this type cannot be mapped"},
        {"[\"null\", {\"type\": \"fixed\", \"name\": \"F\", \"size\": 4}]", "mapping: field number: this type cannot be mapped"},
        {"[\"null\", \"string\", \"long\"]", "mapping: field number: a union can be mapped only when it is null and one other type"},
        {"[\"null\"]", "mapping: field number: a union can be mapped only when it is null and one other type"},
        {"[\"null\", {\"type\": \"record\", \"name\": \"Loop\", \"fields\": [{\"name\": \"x\", \"type\": [\"null\", \"Loop\"], \"xsale\": [\"/x\"]}]}]", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char to[400] = "\"type\": ";
        strncat(to, row[i].type, sizeof to - strlen(to) - 1);
        strncat(to, ", \"default\": null, \"xsale\": [\"/Number\"]", sizeof to - strlen(to) - 1);
        if (row[i].words != NULL) {
            expect(NUMBER, to, row[i].words);
            continue;
        }
        struct schema *s = NULL;
        struct order_plan *p = NULL;
        struct err e;
        char *text = changed(NUMBER, to);
        assert_int_equal(schema_parse(text, strlen(text), &s, &e), RC_OK);
        assert_int_equal(order_plan_create(s, &p, &e), RC_REJECT);
        assert_non_null(strstr(e.text, "nested too deeply"));
        schema_destroy(s);
        free(text);
    }
}

static void an_order_without_what_everyone_needs_is_refused(void **state)
{
    (void)state;
    expect("\"name\": \"orderId\"", "\"name\": \"id\"", "mapping: field orderId (a long with \"xsale\") is missing");
    expect("\"name\": \"items\"", "\"name\": \"lines\"",
           "mapping: field lines: field articles: field warehouse: \"resolve\" can be \"warehouse\", for a string of the order or of an article");
    expect("\"default\": false, \"bridge\": \"withdrawn\"", "\"default\": false", "mapping: no field with \"bridge\": \"withdrawn\"");
    expect(", \"bridge\": \"raw\", \"volatile\": true", "", NULL);
}

/* An encoder made of an edited schema. */

struct mapped {
    struct schema *schema;
    struct zone *zone;
    struct order_encoder *enc;
    struct json_tape tape;
    struct buf out;
    struct err e;
};

static const struct warehouse_rules rules = {.initial = "M"};

static void open_mapped(struct mapped *m, const char *from, const char *to)
{
    char *text = changed(from, to);
    *m = (struct mapped){.zone = NULL};
    json_tape_init(&m->tape);
    buf_init(&m->out, 4096);
    assert_int_equal(zone_open("UTC", &m->zone, &m->e), RC_OK);
    assert_int_equal(schema_parse(text, strlen(text), &m->schema, &m->e), RC_OK);
    if (order_encoder_create(m->schema, m->zone, &rules, &m->enc, &m->e) != RC_OK)
        fail_msg("%s", m->e.text);
    free(text);
}

static void close_mapped(struct mapped *m)
{
    order_encoder_destroy(m->enc);
    schema_destroy(m->schema);
    zone_close(m->zone);
    json_tape_release(&m->tape);
    buf_release(&m->out);
}

/* members stand in front of what every order needs. words NULL: accepted, and the record holds these bytes. */
static void expect_order(struct mapped *m, const char *members, const char *words, const char *bytes, size_t n)
{
    const struct order_stamp stamp = {.organization = "o", .publication = 1, .round = 1, .fetched_at = 1};
    struct order_facts facts;
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "{%s,\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"Items\":[{\"Quantity\":1}]}", members);
    assert_int_equal(json_tape_parse(&m->tape, (const char *)text.p, text.n, &m->e), RC_OK);
    enum rc rc = order_encoder_read(m->enc, &m->tape, 0, &facts, &m->e);
    if (words != NULL) {
        assert_int_equal(rc, RC_REJECT);
        assert_string_equal(m->e.text, words);
    } else {
        if (rc != RC_OK)
            fail_msg("%s", m->e.text);
        buf_reset(&m->out);
        assert_int_equal(order_encoder_write(m->enc, &stamp, &m->out, &m->e), RC_OK);
        bool found = false;
        for (size_t i = 0; i + n <= m->out.n && !found; i++)
            found = memcmp(m->out.p + i, bytes, n) == 0;
        assert_true(found);
    }
    buf_release(&text);
}

static void a_field_may_be_found_elsewhere(void **state)
{
    struct mapped m;
    (void)state;
    open_mapped(&m, "\"xsale\": [\"/Number\"]", "\"xsale\": [\"/No\", \"/Numbers/1\", \"/Names/a~1b/n\"]");
    expect_order(&m, "\"Numbers\":[\"x\",\"second\"],\"No\":\"\"", NULL, "\2\014second", 8);
    expect_order(&m, "\"Names\":{\"a/b\":{\"n\":\"deep\"}},\"Numbers\":[1]", NULL, "\2\010deep", 6);
    expect_order(&m, "\"Names\":7,\"Numbers\":{},\"No\":\"first\"", NULL, "\2\012first", 7);
    expect_order(&m, "\"Names\":{\"a/b\":{},\"a/b\":{}}", "/Names/a~1b: there twice, at bytes 10 and 19 of the order", NULL, 0);
    expect_order(&m, "\"Numbers\":[1,true]", "/Numbers/1: must be a text", NULL, 0);
    close_mapped(&m);
}

static void an_enum_takes_symbols_and_the_texts_of_its_table(void **state)
{
    struct mapped m;
    (void)state;
    open_mapped(&m, NUMBER,
                "\"type\": [\"null\", {\"type\": \"enum\", \"name\": \"Kind\", \"symbols\": [\"RETAIL\", \"TRADE\"]}], \"default\": null, \"xsale\": [\"/Kind\"],"
                " \"symbols\": {\"hurt\": \"TRADE\", \"7\": \"TRADE\"}");
    expect_order(&m, "\"ForeignNumber\":\"f\",\"Kind\":\"hurt\"", NULL, "\2\2\2\2f", 5);
    expect_order(&m, "\"ForeignNumber\":\"f\",\"Kind\":7", NULL, "\2\2\2\2f", 5);
    expect_order(&m, "\"ForeignNumber\":\"f\",\"Kind\":\"RETAIL\"", NULL, "\2\0\2\2f", 5);
    expect_order(&m, "\"Kind\":\"other\"", "/Kind: none of the values that the mapping knows", NULL, 0);
    close_mapped(&m);
    expect(NUMBER, "\"type\": {\"type\": \"enum\", \"name\": \"Kind\", \"symbols\": [\"A\"]}, \"xsale\": [\"/Kind\"], \"symbols\": {\"x\": \"B\"}",
           "mapping: field number: \"symbols\" must turn texts into symbols of the enum");
}

static void other_types_are_encoded_as_avro_says(void **state)
{
    struct mapped m;
    (void)state;
    open_mapped(&m, NUMBER, "\"type\": {\"type\": \"array\", \"items\": {\"type\": \"int\", \"logicalType\": \"date\"}}, \"xsale\": [\"/Dates\"]");
    expect_order(&m, "\"ForeignNumber\":\"f\",\"Dates\":[\"1970-01-02\",\"1969-12-31\"]", NULL, "\4\2\1\0\2\2f", 7);
    expect_order(&m, "\"Dates\":[\"1970-01-02\",7]", "/Dates/1: must be a text with a date", NULL, 0);
    close_mapped(&m);
    open_mapped(&m, NUMBER, "\"type\": {\"type\": \"array\", \"items\": [\"null\", \"string\"]}, \"xsale\": [\"/Tags\"]");
    expect_order(&m, "\"ForeignNumber\":\"f\",\"Tags\":[\"a\",null,\"\"]", NULL, "\6\2\2a\0\0\0\2\2f", 10);
    expect_order(&m, "\"ForeignNumber\":\"f\",\"Tags\":null", NULL, "\0\2\2f", 4);
    close_mapped(&m);
    open_mapped(&m, NUMBER, "\"type\": \"boolean\", \"default\": true, \"xsale\": [\"/Gift\"]");
    expect_order(&m, "\"ForeignNumber\":\"f\",\"Gift\":false", NULL, "\0\2\2f", 4);
    expect_order(&m, "\"ForeignNumber\":\"f\"", NULL, "\1\2\2f", 4);
    expect_order(&m, "\"Gift\":\"true\"", "/Gift: must be true or false", NULL, 0);
    close_mapped(&m);
    open_mapped(&m, NUMBER, "\"type\": \"int\", \"xsale\": [\"/N\"]");
    expect_order(&m, "\"N\":2147483648", "/N: not an integer of 32 bits", NULL, 0);
    expect_order(&m, "\"M\":1", "/N: missing", NULL, 0);
    close_mapped(&m);
}

static void a_field_without_a_source_is_its_default(void **state)
{
    struct mapped m;
    (void)state;
    open_mapped(&m, NUMBER,
                "\"type\": {\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": \"string\"}, {\"name\": \"b\", \"type\": {\"type\": \"array\", "
                "\"items\": \"long\"}, \"default\": [1, -1]}, {\"name\": \"c\", \"type\": \"bytes\", \"default\": \"\\u00ff\"}, {\"name\": \"d\", \"type\": \"float\", \"default\": 1.5}, "
                "{\"name\": \"e\", \"type\": {\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"X\", \"Y\"]}, \"default\": \"Y\"}, "
                "{\"name\": \"f\", \"type\": {\"type\": \"map\", \"values\": \"boolean\"}, \"default\": {\"k\": true}}]}, \"default\": {\"a\": \"dd\"}");
    expect_order(&m, "\"ForeignNumber\":\"f\"", NULL, "\4dd\4\2\1\0\2\xff\0\0\xc0\x3f\2\2\2k\1\0\2\2f", 23);
    close_mapped(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_that_cannot_be_a_mapping_is_refused_by_field),
        cmocka_unit_test(types_that_cannot_be_mapped_are_refused_by_field),
        cmocka_unit_test(an_order_without_what_everyone_needs_is_refused),
        cmocka_unit_test(a_field_may_be_found_elsewhere),
        cmocka_unit_test(an_enum_takes_symbols_and_the_texts_of_its_table),
        cmocka_unit_test(other_types_are_encoded_as_avro_says),
        cmocka_unit_test(a_field_without_a_source_is_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
