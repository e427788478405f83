#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/kafka/frame.h"

static void a_frame_is_zero_and_the_id_big_endian(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    frame_put(&b, 0x01020304);
    buf_put_text(&b, "xy");
    assert_int_equal(b.n, 7);
    assert_memory_equal(b.p, "\0\1\2\3\4xy", 7);
    int32_t id = 0;
    const unsigned char *avro = NULL;
    size_t n = 99;
    assert_int_equal(frame_parse(b.p, b.n, &id, &avro, &n, NULL), RC_OK);
    assert_int_equal(id, 0x01020304);
    assert_ptr_equal(avro, b.p + 5);
    assert_int_equal(n, 2);
    buf_release(&b);
}

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    int32_t id = -7;
    const unsigned char *avro = NULL;
    size_t n = 0;
    struct err e = {0};
    assert_int_equal(frame_parse(NULL, 0, &id, &avro, &n, &e), RC_REJECT);
    assert_int_equal(frame_parse("\0\0\0\1", 4, &id, &avro, &n, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "4 bytes"));
    assert_int_equal(frame_parse("{\"Id\"", 5, &id, &avro, &n, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "123"));
    assert_int_equal(frame_parse("\0\x80\0\0\1", 5, &id, &avro, &n, &e), RC_REJECT);
    assert_int_equal(frame_parse("\0\0\0\0\0", 5, &id, &avro, &n, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "schema id 0"));
    assert_int_equal(id, -7);
    assert_int_equal(frame_parse("\0\x7F\xFF\xFF\xFF", 5, &id, &avro, &n, &e), RC_OK);
    assert_int_equal(id, INT32_MAX);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_zero_and_the_id_big_endian),
        cmocka_unit_test(what_is_no_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
