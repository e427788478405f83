/* Over librdkafka's mock cluster and a scripted registry: rows of the ledger whose schema the registry does not give at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/contract/order_key.h"
#include "common/kafka/frame.h"
#include "common/kafka/publisher.h"
#include "common/net/health.h"
#include "producer/ledger_reader.h"
#include "tests/mock/kafka_rig.h"
#include "tests/unit/scripted_server.h"

enum { ROW_SCHEMA = 77, ROWS = 3, REPLY_BYTES = 32768 };

struct bench {
    struct kafka_rig rig;
    struct scripted_server *server;
    struct publisher *publisher;
    struct registry *registry;
    struct writer_schemas *schemas;
    struct health *health;
    struct ledger_reader *reader;
    char known[REPLY_BYTES];
    int sent, acks, rows, restored, ones, failed;
    int64_t orders; /* of the rows, one digit each */
    int64_t one;    /* the order of the row that was read again; 0: it was not there */
};

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    assert_int_equal(ack->rc, RC_OK);
    ++*(int *)arg;
}

static void on_row(void *arg, const struct ledger_row *row, int32_t partition, int64_t offset)
{
    struct bench *b = arg;
    assert_int_equal(partition, 0);
    assert_int_equal(offset, row->order_id - 1);
    b->rows++;
    b->orders = b->orders * 10 + row->order_id;
}

static void on_restored(void *arg, const int32_t *partitions, size_t n)
{
    assert_true(n == 1 && partitions[0] == 0);
    ((struct bench *)arg)->restored++;
}

static void on_one(void *arg, const struct ledger_row *row)
{
    struct bench *b = arg;
    b->ones++;
    b->one = row != NULL ? row->order_id : 0;
}

static void on_failed(void *arg, const char *words)
{
    print_error("%s\n", words);
    ((struct bench *)arg)->failed++;
}

/* The registry's answer that gives the schema of the rows. */
static void row_reply(char *out)
{
    struct buf schema;
    buf_init(&schema, REPLY_BYTES);
    buf_put_text(&schema, "{\"schema\":\"");
    for (const char *p = schema_builtin("OrderStatus"); *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            buf_put_text(&schema, "\\");
        buf_put(&schema, *p == '\n' ? " " : p, 1);
    }
    buf_put_text(&schema, "\"}");
    assert_true(snprintf(out, REPLY_BYTES, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", schema.n, buf_text(&schema)) < REPLY_BYTES);
    buf_release(&schema);
}

/* Of order id, at offset id - 1. */
static void put_row(struct bench *b, int64_t id)
{
    struct ledger_row row = {.organization = "acme", .order_id = id, .revision = "0123456789abcdef", .publication = 100, .round = 100, .wanted = LEDGER_IMPORTED};
    char key[ORDER_KEY_BYTES];
    size_t key_n = order_key_format(key, "acme", id);
    struct buf bytes;
    struct err e = {""};
    buf_init(&bytes, 65536);
    frame_put(&bytes, ROW_SCHEMA);
    assert_true(warehouse_set_add(&row.warehouses, "MAG-1", 5));
    assert_int_equal(ledger_row_encode(&row, &bytes, &e), RC_OK);
    struct kafka_record r = {.topic = "xsale.order-status", .partition = 0, .key = key, .key_n = key_n, .value = bytes.p, .value_n = bytes.n};
    assert_int_equal(publisher_send(b->publisher, &r, on_ack, &b->acks, &e), RC_OK);
    kafka_rig_until(&b->rig, &b->acks, ++b->sent, 60000);
    buf_release(&bytes);
}

/* The registry first gives what is no schema, then another record's, then the rows'; each twice, for what it says once is not believed. */
static int open_bench(void **state)
{
    static const char no_schema[] = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"schema\":\"[\"}", another[] = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"schema\":\"\\\"long\\\"\"}";
    static const struct ledger_reader_ops ops = {.row = on_row, .restored = on_restored, .one = on_one, .failed = on_failed};
    static struct bench b;
    char url[64];
    struct err e = {""};
    memset(&b, 0, sizeof b);
    row_reply(b.known);
    const struct script_row rows[] = {{no_schema, SCRIPT_KEEP}, {no_schema, SCRIPT_KEEP}, {another, SCRIPT_KEEP}, {another, SCRIPT_KEEP}, {b.known, SCRIPT_KEEP}};
    b.server = script_start(rows, sizeof rows / sizeof *rows);
    (void)snprintf(url, sizeof url, "registry.url=http://127.0.0.1:%d", b.server->port);
    kafka_rig_open(&b.rig, "xsale.order-status:1", (const char *const[]){url, NULL});
    assert_int_equal(publisher_create(b.rig.loop, b.rig.config, b.rig.log, NULL, &b.publisher, &e), RC_OK);
    assert_int_equal(registry_create(b.rig.loop, b.rig.config, b.rig.log, NULL, &b.registry, &e), RC_OK);
    b.health = health_create(clock_system(), b.rig.log);
    assert_non_null(b.health);
    b.schemas = writer_schemas_create(b.rig.loop, b.rig.log, b.health, b.registry);
    assert_non_null(b.schemas);
    struct ledger_reader_parts parts = {.loop = b.rig.loop, .worker = b.rig.worker, .config = b.rig.config, .log = b.rig.log, .health = b.health, .schemas = b.schemas,
                                        .topic = "xsale.order-status", .organization = "acme"};
    assert_int_equal(ledger_reader_create(&parts, &ops, &b, &b.reader, &e), RC_OK);
    for (int64_t id = 1; id <= ROWS; id++)
        put_row(&b, id);
    *state = &b;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *b = *state;
    ledger_reader_destroy(b->reader);
    publisher_destroy(b->publisher);
    registry_destroy(b->registry);
    writer_schemas_destroy(b->schemas);
    health_destroy(b->health);
    kafka_rig_close(&b->rig);
    script_stop(b->server);
    return 0;
}

/* Until health "schema" says of the record what the registry gives, and what does not happen meanwhile; nothing of the ledger has been told by then. */
static void await_words(struct bench *b, const char *record, const char *why, const char *meanwhile)
{
    char words[1500] = "", expected[300];
    (void)snprintf(expected, sizeof expected, "%s was written with schema %d: %s", record, ROW_SCHEMA, why);
    for (int i = 0; i < 600 && strstr(words, expected) == NULL; i++) {
        kafka_rig_for(&b->rig, 50);
        health_summary(b->health, words, sizeof words);
    }
    if (strstr(words, expected) == NULL || strstr(words, meanwhile) == NULL)
        fail_msg("\"%s\" or \"%s\" is not said: %s", expected, meanwhile, words);
    assert_int_equal(b->rows + b->restored + b->ones + b->failed, 0);
}

static void await_both(struct bench *b, const char *record, const char *meanwhile)
{
    await_words(b, record, "registry: schema 77:", meanwhile);
    await_words(b, record, "the registry gives that id to another schema:", meanwhile);
}

/* Passed over, what the row still wants would never be set. */
static void a_restore_waits_for_rows_whose_id_the_registry_gives_to_what_cannot_be_their_schema(void **state)
{
    struct bench *b = *state;
    ledger_reader_restore(b->reader, (const int32_t[]){0}, 1);
    await_both(b, "xsale.order-status/0/0", "changes no status until it can be read");
    kafka_rig_until(&b->rig, &b->restored, 1, 60000);
    assert_int_equal(b->orders, 123);
    assert_int_equal(b->failed, 0);
    assert_true(health_ready(b->health));
}

/* Taken for one that is not there, what the bridge had set would be forgotten. */
static void a_row_that_is_read_again_is_waited_for_while_the_registry_gives_its_id_to_what_cannot_be_its_schema(void **state)
{
    struct bench *b = *state;
    ledger_reader_one(b->reader, 0, 1, 2);
    await_both(b, "xsale.order-status/0/1", "takes no further outcomes of its partition until it can be read");
    kafka_rig_until(&b->rig, &b->ones, 1, 60000);
    assert_int_equal(b->one, 2);
    assert_int_equal(b->failed, 0);
    assert_true(health_ready(b->health));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_restore_waits_for_rows_whose_id_the_registry_gives_to_what_cannot_be_their_schema, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(a_row_that_is_read_again_is_waited_for_while_the_registry_gives_its_id_to_what_cannot_be_its_schema, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
