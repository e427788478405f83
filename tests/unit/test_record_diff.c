#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "consumer/record_diff.h"
#include "tests/unit/avro_bytes.h"

static const char text[] =
    "{\"type\":\"record\",\"name\":\"O\",\"fields\":["
    "{\"name\":\"at\",\"type\":\"long\",\"volatile\":true},"
    "{\"name\":\"total\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":4}]},"
    "{\"name\":\"buyer\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"city\",\"type\":\"string\"}]}]},"
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"I\",\"fields\":[{\"name\":\"code\",\"type\":\"string\"}]}}}]}";

static struct record_leaves leaves(const struct schema *s, const char *json)
{
    struct buf b;
    struct err e = {""};
    struct record_leaves l;
    buf_init(&b, 65536);
    bytes_json(&b, s, json);
    if (record_leaves_read(schema_root(s), b.p, b.n, &l, &e) != RC_OK)
        fail_msg("%s", e.text);
    buf_release(&b);
    return l;
}

static void note(void *arg, const char *path, const char *before, const char *after)
{
    buf_printf(arg, "%s: %s -> %s\n", path, before != NULL ? before : "(none)", after != NULL ? after : "(none)");
}

static void differences_are_named_by_their_path(void **state)
{
    (void)state;
    struct schema *s = schema_of(text);
    struct record_leaves a = leaves(s, "{\"at\":1,\"total\":\"10.1000\",\"buyer\":{\"city\":\"Kutno\"},\"items\":[{\"code\":\"A\"},{\"code\":\"B\"}]}");
    struct record_leaves b = leaves(s, "{\"at\":2,\"total\":\"10.1001\",\"buyer\":null,\"items\":[{\"code\":\"A\"},{\"code\":\"C\"},{\"code\":\"D\"}]}");
    struct buf out;
    buf_init(&out, 65536);
    assert_int_equal(record_diff(&a, &b, note, &out), 5);
    assert_string_equal(buf_text(&out), "/buyer: (none) -> null\n/buyer/city: \"Kutno\" -> (none)\n/items/1/code: \"B\" -> \"C\"\n"
                                        "/items/2/code: (none) -> \"D\"\n/total: 10.1 -> 10.1001\n");
    assert_int_equal(record_diff(&a, &a, note, &out), 0);
    record_leaves_release(&a);
    record_leaves_release(&b);
    buf_release(&out);
    schema_destroy(s);
}

static void more_than_the_bound_is_refused(void **state)
{
    (void)state;
    struct schema *s = schema_of("{\"type\":\"array\",\"items\":\"boolean\"}");
    struct buf b;
    struct err e = {""};
    struct record_leaves l;
    buf_init(&b, 1 << 20);
    bytes_long(&b, RECORD_LEAVES_MAX + 1);
    for (int i = 0; i <= RECORD_LEAVES_MAX; i++)
        buf_put_byte(&b, 1);
    buf_put_byte(&b, 0);
    assert_int_equal(record_leaves_read(schema_root(s), b.p, b.n, &l, &e), RC_REJECT);
    assert_string_equal(e.text, "too many values to compare");
    assert_int_equal(record_leaves_read(schema_root(s), b.p, 1000, &l, &e), RC_REJECT);
    buf_release(&b);
    schema_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_named_by_their_path),
        cmocka_unit_test(more_than_the_bound_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
