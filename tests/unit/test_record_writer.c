#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/contract/record_writers.h"
#include "tests/unit/avro_bytes.h"

#define RECORD(name, more, field) "{\"type\":\"record\",\"name\":\"" name "\"" more ",\"fields\":[" field "]}"

static void expect_read(struct record_writer *w, const struct schema *reader, const char *avro, size_t n, const char *wanted, size_t wanted_n)
{
    struct err e = {0};
    struct buf out;
    buf_init(&out, 4096);
    if (record_writer_read(w, reader, (const unsigned char *)avro, n, &out, &e) != RC_OK)
        fail_msg("%s", e.text);
    assert_int_equal(out.n, wanted_n);
    assert_memory_equal(out.p, wanted, wanted_n);
    buf_release(&out);
}

static void each_reader_has_its_own_way(void **state)
{
    (void)state;
    struct schema *s = schema_of(RECORD("R", "", "{\"name\":\"a\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"X\",\"Y\"]}},{\"name\":\"b\",\"type\":\"int\"}"));
    struct schema *same = schema_of(schema_text(s));
    struct schema *later = schema_of(RECORD("N", ",\"aliases\":[\"R\"]", "{\"name\":\"c\",\"aliases\":[\"b\"],\"type\":\"double\"},{\"name\":\"a\",\"type\":{\"type\":\"enum\","
                                                                         "\"name\":\"E\",\"symbols\":[\"Z\",\"X\"],\"default\":\"Z\"}}"));
    struct record_writer w;
    record_writer_init(&w, s);
    for (int i = 0; i < 3; i++) {
        expect_read(&w, same, "\x02\x06", 2, "\x02\x06", 2);
        expect_read(&w, later, "\x00\x06", 2, "\0\0\0\0\0\0\x08\x40\x02", 9);
        expect_read(&w, later, "\x02\x00", 2, "\0\0\0\0\0\0\0\0\0", 9);
    }
    assert_ptr_equal(w.ways[1].reader, later);
    assert_null(w.ways[2].reader); /* compiled once */
    record_writer_release(&w);
    record_writer_release(&w);
    schema_destroy(s);
    schema_destroy(same);
    schema_destroy(later);
}

static void a_way_that_does_not_exist_is_refused_each_time(void **state)
{
    (void)state;
    struct schema *s = schema_of("\"long\""), *reader = schema_of("\"int\"");
    struct record_writer w;
    struct buf out;
    buf_init(&out, 64);
    record_writer_init(&w, s);
    for (int i = 0; i < 3; i++) {
        struct err e = {0};
        assert_int_equal(record_writer_read(&w, reader, (const unsigned char *)"\x02", 1, &out, &e), RC_REJECT);
        assert_string_equal(e.text, "long cannot be read as int");
    }
    assert_null(w.ways[1].reader);
    assert_int_equal(out.n, 0);
    record_writer_release(&w);
    schema_destroy(s);
    schema_destroy(reader);
}

static void readers_are_few(void **state)
{
    (void)state;
    struct schema *s = schema_of("\"long\""), *readers[RECORD_WRITER_READERS + 1];
    struct record_writer w;
    struct err e = {0};
    struct buf out;
    buf_init(&out, 64);
    record_writer_init(&w, s);
    for (size_t i = 0; i <= RECORD_WRITER_READERS; i++) {
        readers[i] = schema_of("\"long\"");
        assert_int_equal(record_writer_read(&w, readers[i], (const unsigned char *)"\x02", 1, &out, &e), i < RECORD_WRITER_READERS ? RC_OK : RC_FATAL);
    }
    assert_string_equal(e.text, "too many readers of one schema");
    record_writer_release(&w);
    for (size_t i = 0; i <= RECORD_WRITER_READERS; i++)
        schema_destroy(readers[i]);
    schema_destroy(s);
    buf_release(&out);
}

static void of_many_writers_the_last_stay_compiled(void **state)
{
    (void)state;
    enum { MANY = RECORD_WRITERS_KEPT + 3 };
    struct schema *schemas[MANY], *reader = schema_of("\"long\"");
    static struct record_writers ws;
    for (size_t i = 0; i < MANY; i++) {
        schemas[i] = schema_of("\"long\"");
        struct record_writer *w = record_writers_get(&ws, schemas[i]);
        assert_ptr_equal(w->schema, schemas[i]);
        expect_read(w, reader, "\x02", 1, "\x02", 1);
        expect_read(record_writers_get(&ws, schemas[0]), reader, "\x02", 1, "\x02", 1); /* in use all the time */
    }
    assert_ptr_equal(record_writers_get(&ws, schemas[0])->ways[0].reader, reader);
    assert_ptr_equal(record_writers_get(&ws, schemas[MANY - 1])->ways[0].reader, reader);
    assert_ptr_equal(record_writers_get(&ws, schemas[5])->ways[0].reader, reader);
    assert_null(record_writers_get(&ws, schemas[1])->ways[0].reader); /* forgotten, and there again */
    assert_ptr_equal(record_writers_get(&ws, schemas[1])->schema, schemas[1]);
    record_writers_release(&ws);
    for (size_t i = 0; i < MANY; i++)
        schema_destroy(schemas[i]);
    schema_destroy(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reader_has_its_own_way),
        cmocka_unit_test(a_way_that_does_not_exist_is_refused_each_time),
        cmocka_unit_test(readers_are_few),
        cmocka_unit_test(of_many_writers_the_last_stay_compiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
