/* An order put back by hand is the same order bit for bit, but for its publication. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/frame.h"
#include "consumer/order_again.h"
#include "tests/unit/avro_bytes.h"

#define HEAD                                                                                                                                 \
    "\"organization\":\"acme\",\"orderId\":100123,\"revision\":\"0123456789abcdef\",\"publication\":1764000000123,\"round\":1764000000000," \
    "\"fetchedAt\":1763650991123"
#define ORDER                                                                                                                                \
    "{" HEAD ",\"purchasedAt\":1763643791123,\"totalNet\":\"249.99\",\"warehouse\":\"MAG-1\",\"warehouses\":[\"MAG-1\",\"MAG-2\"],\"raw\":\"{}\"," \
    "\"items\":[{\"itemId\":1,\"quantity\":\"3\",\"articles\":[{\"code\":\"A\",\"quantity\":\"1\",\"warehouse\":\"MAG-2\"}]},{\"itemId\":2,\"quantity\":\"0.125\"}]}"

/* A user's own fields around ours, publication null-able and in another place. */
#define OWN                                                                                                                                            \
    "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"before\",\"type\":{\"type\":\"map\",\"values\":\"double\"}},"                     \
    "{\"name\":\"organization\",\"type\":\"string\"},{\"name\":\"orderId\",\"type\":\"long\"},{\"name\":\"revision\",\"type\":\"string\"},"            \
    "{\"name\":\"round\",\"type\":\"long\"},{\"name\":\"warehouse\",\"type\":[\"null\",\"string\"]},"                                                  \
    "{\"name\":\"publication\",\"type\":[\"null\",\"long\"]},{\"name\":\"warehouses\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"           \
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\",\"fields\":[{\"name\":\"colour\",\"type\":\"string\"},"   \
    "{\"name\":\"articles\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Article\",\"fields\":["                            \
    "{\"name\":\"warehouse\",\"type\":[\"null\",\"string\"]}]}}}]}}},{\"name\":\"after\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}}]}"
#define OWN_ORDER                                                                                                                                      \
    "{\"before\":{\"a\":1.5},\"organization\":\"acme\",\"orderId\":100123,\"revision\":\"0123456789abcdef\",\"round\":5,\"warehouse\":\"MAG-1\",\"publication\":63," \
    "\"warehouses\":[\"MAG-1\"],\"items\":[{\"colour\":\"red\",\"articles\":[]}],\"after\":\"xyz\"}"

struct bench {
    struct schema *schema;
    struct buf avro, value;
    char publication[24], fingerprint[17];
    struct kafka_header headers[6];
    struct kafka_record record;
    struct scan_record scanned;
    struct order_again again;
    struct order_copy *copy;
};

static void header(struct bench *b, const char *name, const char *value)
{
    b->headers[b->record.headers_n++] = (struct kafka_header){name, value, strlen(value)};
}

static void begin(struct bench *b, const char *schema, const char *order, int64_t publication)
{
    memset(b, 0, sizeof *b);
    b->schema = schema_of(schema);
    buf_init(&b->avro, 1 << 20);
    buf_init(&b->value, 1 << 20);
    bytes_json(&b->avro, b->schema, order);
    frame_put(&b->value, 7);
    buf_put(&b->value, b->avro.p, b->avro.n);
    (void)snprintf(b->publication, sizeof b->publication, "%" PRId64, publication);
    (void)snprintf(b->fingerprint, sizeof b->fingerprint, "%016" PRIx64, schema_fingerprint(b->schema));
    b->record = (struct kafka_record){.topic = "xsale.orders-dlq", .key = "acme/100123", .key_n = 11, .value = b->value.p, .value_n = b->value.n, .headers = b->headers};
    header(b, "publication", b->publication);
    header(b, "schema", b->fingerprint);
    header(b, "kind", "order");
    b->scanned = (struct scan_record){.record = &b->record, .writer = b->schema, .avro = b->avro.p, .avro_n = b->avro.n, .fault = ""};
}

static void end(struct bench *b)
{
    order_copy_destroy(b->copy);
    order_again_forget(&b->again);
    buf_release(&b->avro);
    buf_release(&b->value);
    schema_destroy(b->schema);
}

static void make(struct bench *b, int64_t publication, const char *how, int64_t redrives)
{
    struct err e = {{0}};
    struct order_again_stamp stamp = {publication, how, redrives};
    if (order_again_make(&b->again, &b->scanned, "xsale.orders", &stamp, &b->copy, &e) != RC_OK)
        fail_msg("%s", e.text);
}

static const char *copied(const struct bench *b, const char *name)
{
    static char text[256];
    const struct kafka_header *h = kafka_record_header(&b->copy->record, name);
    if (h == NULL)
        return NULL;
    (void)snprintf(text, sizeof text, "%.*s", (int)h->n, (const char *)h->value);
    return text;
}

static void the_copy_is_the_same_order_as_the_next_publication(void **state)
{
    (void)state;
    struct bench b;
    struct buf wanted;
    begin(&b, schema_builtin("Order"), ORDER, 1764000000123);
    make(&b, 1764000000124, "redrive", 2);
    buf_init(&wanted, 1 << 20);
    frame_put(&wanted, 7);
    bytes_json(&wanted, b.schema, "{\"organization\":\"acme\",\"orderId\":100123,\"revision\":\"0123456789abcdef\",\"publication\":1764000000124,"
                                  "\"round\":1764000000000,\"fetchedAt\":1763650991123" /* else as ORDER */
                                  ",\"purchasedAt\":1763643791123,\"totalNet\":\"249.99\",\"warehouse\":\"MAG-1\",\"warehouses\":[\"MAG-1\",\"MAG-2\"],\"raw\":\"{}\","
                                  "\"items\":[{\"itemId\":1,\"quantity\":\"3\",\"articles\":[{\"code\":\"A\",\"quantity\":\"1\",\"warehouse\":\"MAG-2\"}]},"
                                  "{\"itemId\":2,\"quantity\":\"0.125\"}]}");
    assert_int_equal(b.copy->record.value_n, wanted.n);
    assert_memory_equal(b.copy->record.value, wanted.p, wanted.n);
    buf_release(&wanted);
    assert_string_equal(b.copy->record.topic, "xsale.orders");
    assert_int_equal(b.copy->record.partition, -1);
    assert_int_equal(b.copy->record.key_n, 11);
    assert_memory_equal(b.copy->record.key, "acme/100123", 11);
    end(&b);
}

static void its_headers_are_the_producers_and_say_what_was_done(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, schema_builtin("Order"), ORDER, 1764000000123);
    header(&b, "redrives", "1");
    assert_int_equal(order_again_redrives(&b.record), 1);
    make(&b, 1764000000124, "redrive", 2);
    assert_string_equal(copied(&b, "organization"), "acme");
    assert_string_equal(copied(&b, "revision"), "0123456789abcdef");
    assert_string_equal(copied(&b, "publication"), "1764000000124");
    assert_string_equal(copied(&b, "warehouses"), "MAG-1,MAG-2");
    assert_string_equal(copied(&b, "schema"), b.fingerprint);
    assert_int_equal(strlen(copied(&b, "traceparent")), 55);
    assert_string_equal(copied(&b, "replayed"), "redrive");
    assert_string_equal(copied(&b, "redrives"), "2");
    assert_null(copied(&b, "kind"));
    order_copy_destroy(b.copy);
    make(&b, 1764000000124, "resend", 0);
    assert_null(copied(&b, "redrives"));
    end(&b);
}

static void fields_of_the_users_own_are_kept_bit_for_bit(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, OWN, OWN_ORDER, 63);
    make(&b, 64, "redrive", 1); /* 63 takes one byte, 64 two */
    assert_int_equal(b.copy->record.value_n, b.value.n + 1);
    size_t at = 0;
    while (((const unsigned char *)b.copy->record.value)[at] == b.value.p[at])
        at++;
    assert_int_equal(b.value.p[at], 126);
    assert_memory_equal((const char *)b.copy->record.value + at, "\x80\x01", 2);
    assert_memory_equal((const char *)b.copy->record.value + at + 2, b.value.p + at + 1, b.value.n - at - 1);
    end(&b);
}

static void refused(struct bench *b, const char *words)
{
    struct err e = {{0}};
    struct order_again_stamp stamp = {1764000000124, "redrive", 1};
    assert_int_equal(order_again_make(&b->again, &b->scanned, "xsale.orders", &stamp, &b->copy, &e), RC_REJECT);
    if (strstr(e.text, words) == NULL)
        fail_msg("%s, wanted %s", e.text, words);
    assert_null(b->copy);
    end(b);
}

static void what_does_not_agree_with_itself_is_not_put_back(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, schema_builtin("Order"), ORDER, 1764000000123);
    b.record.key = "acme/100124";
    refused(&b, "key does not name the order");
    begin(&b, schema_builtin("Order"), ORDER, 1764000000120);
    refused(&b, "different publications");
    begin(&b, schema_builtin("Order"), ORDER, 1764000000123);
    b.fingerprint[3] = b.fingerprint[3] == 'a' ? 'b' : 'a';
    refused(&b, "another schema");
    begin(&b, schema_builtin("Order"), ORDER, 1764000000123);
    b.scanned.avro_n--;
    refused(&b, "order");
    begin(&b, schema_builtin("Order"), ORDER, 1764000000123);
    b.scanned.fault = "schema id 9: gone";
    refused(&b, "schema id 9: gone");
    begin(&b, schema_builtin("Order"), ORDER, 1764000000123);
    b.scanned.writer = NULL;
    refused(&b, "no value");
    begin(&b, schema_builtin("Order"), "{" HEAD ",\"warehouses\":[\"MAG-1\"],\"items\":[]}", 1764000000123);
    struct err e;
    struct order_again_stamp same = {1764000000123, "redrive", 1}; /* not newer */
    assert_int_equal(order_again_make(&b.again, &b.scanned, "xsale.orders", &same, &b.copy, &e), RC_REJECT);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_copy_is_the_same_order_as_the_next_publication),
        cmocka_unit_test(its_headers_are_the_producers_and_say_what_was_done),
        cmocka_unit_test(fields_of_the_users_own_are_kept_bit_for_bit),
        cmocka_unit_test(what_does_not_agree_with_itself_is_not_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
