#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/contract/mapping_lint.h"
#include "common/contract/schema_file.h"
#include "tests/unit/avro_bytes.h"

static void collect(void *arg, int line, const char *words)
{
    buf_printf(arg, "%d: %s\n", line, words);
}

/* The built-in Order with texts replaced (pairs, NULL ends them), and what is told about it. */
static void expect_told(const char *const *changes, const char *wanted)
{
    struct buf text, told;
    buf_init(&text, 1 << 20);
    buf_init(&told, 1 << 16);
    buf_put_text(&text, schema_builtin("Order"));
    for (; changes[0] != NULL; changes += 2) {
        struct buf next;
        const char *old = buf_text(&text), *at = strstr(old, changes[0]);
        if (at == NULL)
            fail_msg("not in the schema: %s", changes[0]);
        buf_init(&next, 1 << 20);
        buf_put(&next, old, (size_t)(at - old));
        buf_put_text(&next, changes[1]);
        buf_put_text(&next, at + strlen(changes[0]));
        buf_release(&text);
        text = next;
    }
    struct schema *s = schema_of(buf_text(&text));
    unsigned n = mapping_lint(s, collect, &told);
    assert_string_equal(buf_text(&told), wanted);
    assert_true((n == 0) == (wanted[0] == '\0'));
    schema_destroy(s);
    buf_release(&text);
    buf_release(&told);
}
#define EXPECT(wanted, ...) expect_told((const char *const[]){__VA_ARGS__, NULL}, wanted)

static void the_built_in_order_has_nothing_wrong(void **state)
{
    (void)state;
    expect_told((const char *const[]){NULL}, "");
}

static void pointers_that_are_none_are_told_with_their_line(void **state)
{
    (void)state;
    EXPECT("9: record xsale.Order, field number: \"xsale\": 'Number' is no JSON Pointer: it must be empty or begin with '/'\n", "\"/Number\"", "\"Number\"");
    EXPECT("9: record xsale.Order, field number: \"xsale\": '/a~2' is no JSON Pointer: a '~' must be followed by 0 or 1\n", "\"/Number\"", "\"/a~2\"");
    EXPECT("9: record xsale.Order, field number: \"xsale\": '/a~' is no JSON Pointer: a '~' must be followed by 0 or 1\n", "\"/Number\"", "\"/a~\"");
    EXPECT("", "\"/Number\"", "\"/a~0b~1c/0/\"");
    EXPECT("9: record xsale.Order, field number: \"xsale\" must be a JSON Pointer\n", "\"/Number\"", "5");
    EXPECT("9: record xsale.Order, field number: \"xsale\" must be an array of one or more JSON Pointers\n", "[\"/Number\"]", "\"/Number\"");
    EXPECT("9: record xsale.Order, field number: \"xsale\" must be an array of one or more JSON Pointers\n", "[\"/Number\"]", "[]");
    EXPECT("9: record xsale.Order, field number: \"xsale\": the pointer \"\" must stand alone\n", "[\"/Number\"]", "[\"\", \"/Number\"]");
    EXPECT("55: record xsale.Item, field articles: \"reference\" of a join must be a JSON Pointer\n", "\"reference\": \"/OrderItemId\", ", "");
}

static void a_pointer_is_told_where_it_stands(void **state)
{
    (void)state;
    EXPECT("10: record xsale.Order, field number: \"xsale\": 'Number' is no JSON Pointer: it must be empty or begin with '/'\n"
           "11: record xsale.Order, field number: \"xsale\": '/a~' is no JSON Pointer: a '~' must be followed by 0 or 1\n",
           "[\"/Number\"]", "[\n\"Number\",\n\"/a~\"]");
}

static void attributes_that_mean_nothing_are_told(void **state)
{
    (void)state;
    EXPECT("67: record xsale.Order, field raw: \"bridge\": rau is nothing that the bridge knows\n", "\"bridge\": \"raw\"", "\"bridge\": \"rau\"");
    EXPECT("67: record xsale.Order, field raw: \"volatile\" must be true or false\n", "\"bridge\": \"raw\", \"volatile\": true", "\"bridge\": \"raw\", \"volatile\": 1");
    EXPECT("48: record xsale.Item, field offerId: \"volatile\" is for the order's own fields\n", "\"xsale\": [\"/OfferId\"]", "\"xsale\": [\"/OfferId\"], \"volatile\": true");
    EXPECT("48: record xsale.Item, field offerId: \"bridge\" is for the order's own fields\n", "\"xsale\": [\"/OfferId\"]", "\"bridge\": \"raw\"");
    EXPECT("5: record xsale.Order, field revision: \"json\": milis is nothing that the bridge knows\n", "\"bridge\": \"revision\"", "\"bridge\": \"revision\", \"json\": \"milis\"");
    EXPECT("9: record xsale.Order, field number: \"symbols\" must be an object, for an enum\n", "[\"/Number\"]", "[\"/Number\"], \"symbols\": {\"a\": \"B\"}");
    EXPECT("9: record xsale.Order, field number: \"symbols\": 'b' becomes no symbol of the enum\n", "[\"null\", \"string\"]",
           "[\"null\", {\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"A\"]}]", "[\"/Number\"]", "[\"/Number\"], \"symbols\": {\"a\": \"A\", \"b\": \"B\"}");
    EXPECT("10: record xsale.Order, field foreignNumber: the document would have two members of its name: also field number's\n", "[\"/Number\"]",
           "[\"/Number\"], \"erp\": \"foreignNumber\"");
    EXPECT("9: record xsale.Order, field number: \"required\" must be true or false\n", "[\"/Number\"]", "[\"/Number\"], \"required\": \"yes\"");
}

static void what_the_bridge_needs_and_was_dropped_is_told_all_at_once(void **state)
{
    (void)state;
    EXPECT("1: record xsale.Order, field orderId: is missing: the bridge needs it\n"
           "66: record xsale.Order, field fetchedAt: is of another type than the bridge needs\n"
           "51: record xsale.Item, field quantity: is of another type than the bridge needs\n"
           "55: record xsale.Article, field code: is missing: the bridge needs it\n",
           "\"name\": \"orderId\"", "\"name\": \"id\"", "\"name\": \"code\"", "\"name\": \"kod\"",
           "\"fetchedAt\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}", "\"fetchedAt\", \"type\": \"string\"",
           "\"quantity\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 18, \"scale\": 6}", "\"quantity\", \"type\": \"string\"");
    EXPECT("4: record xsale.Order, field organization: needs its attribute \"bridge\": \"organization\"\n",
           "\"bridge\": \"organization\"", "\"default\": \"\"", "\"fields\": [\n", "\"fields\": [\n\n");
    EXPECT("1: record xsale.Order, field warehouses: is missing: the bridge needs it\n", "\"name\": \"warehouses\"", "\"name\": \"stores\"");
}

static void a_view_is_told_about_its_own_attributes_only(void **state)
{
    (void)state;
    struct buf told;
    buf_init(&told, 1 << 16);
    struct schema *s = schema_of("{\"type\":\"record\",\"name\":\"Order\",\n\"doc\":\"{ \\\" {\",\"fields\":[\n{\"name\":\"a\",\"type\":\"long\",\"erp\":\"b\",\"bridge\":\"x\"},\n"
                                 "{\"name\":\"b\",\"type\":\"long\"},\n{\"name\":\"c\",\"type\":\"long\",\"json\":1,\"erp\":\"\"}]}");
    assert_int_equal(mapping_lint_view(s, collect, &told), 3);
    assert_string_equal(buf_text(&told), "4: record Order, field b: the document would have two members of its name: also field a's\n"
                                         "5: record Order, field c: \"json\": no text\n"
                                         "5: record Order, field c: \"erp\" must be the member's name in the document\n");
    schema_destroy(s);
    buf_reset(&told);
    s = schema_of("\"long\"");
    assert_int_equal(mapping_lint_view(s, collect, &told), 1);
    assert_string_equal(buf_text(&told), "0: the schema of a view must be a record\n");
    schema_destroy(s);
    buf_release(&told);
}

static void a_file_that_is_no_schema_is_named_with_its_fault(void **state)
{
    (void)state;
    char path[] = "/tmp/test_mapping_lint.XXXXXX";
    struct schema *s = NULL;
    struct err e = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\n\"type\":\n", 10), 10);
    assert_int_equal(schema_file_load(path, &s, &e), RC_REJECT);
    assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
    assert_non_null(strstr(e.text, ":3: schema: line 3"));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(schema_file_load(path, &s, &e), RC_REJECT);
    assert_int_equal(pwrite(fd, "\"long\"", 6, 0), 6);
    assert_int_equal(schema_file_load(path, &s, &e), RC_OK);
    assert_int_equal(schema_root(s)->kind, SCHEMA_LONG);
    schema_destroy(s);
    assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
    assert_int_equal(schema_file_load(path, &s, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "larger than 1 MB"));
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(schema_file_load(path, &s, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "No such file"));
    assert_int_equal(schema_file_load("/tmp", &s, &e), RC_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_order_has_nothing_wrong),
        cmocka_unit_test(pointers_that_are_none_are_told_with_their_line),
        cmocka_unit_test(a_pointer_is_told_where_it_stands),
        cmocka_unit_test(attributes_that_mean_nothing_are_told),
        cmocka_unit_test(what_the_bridge_needs_and_was_dropped_is_told_all_at_once),
        cmocka_unit_test(a_view_is_told_about_its_own_attributes_only),
        cmocka_unit_test(a_file_that_is_no_schema_is_named_with_its_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
