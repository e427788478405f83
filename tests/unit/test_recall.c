/* Over librdkafka's mock cluster, and without a registry unless a test says so: what a producer that starts knows afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/contract/publication.h"
#include "common/kafka/frame.h"
#include "common/kafka/publisher.h"
#include "common/kafka/registry_local.h"
#include "common/net/health.h"
#include "producer/recall.h"
#include "tests/mock/kafka_rig.h"
#include "tests/unit/avro_bytes.h"
#include "tests/unit/scripted_server.h"

struct bench {
    struct kafka_rig rig;
    struct publisher *publisher;
    struct registry *registry;
    struct writer_schemas *schemas;
    struct health *health;
    struct order_book *book;
    struct buf bytes;
    struct schema *order;
    int sent, acks, done, failed;
};

static void on_ack(void *arg, const struct publisher_ack *ack)
{
    assert_int_equal(ack->rc, RC_OK);
    ++*(int *)arg;
}

static void on_done(void *arg)
{
    ((struct bench *)arg)->done++;
}

static void on_failed(void *arg, const char *words)
{
    print_error("%s\n", words);
    ((struct bench *)arg)->failed++;
}

static int open_with(void **state, const char *registry, const char *setting)
{
    static struct bench b;
    const char *const settings[] = {registry, setting, NULL};
    struct err e = {""};
    memset(&b, 0, sizeof b);
    kafka_rig_open(&b.rig, "xsale.order-state:1,xsale.orders:2", settings);
    assert_int_equal(publisher_create(b.rig.loop, b.rig.config, b.rig.log, NULL, &b.publisher, &e), RC_OK);
    assert_int_equal(registry_create(b.rig.loop, b.rig.config, b.rig.log, NULL, &b.registry, &e), RC_OK);
    b.health = health_create(clock_system(), b.rig.log);
    assert_non_null(b.health);
    b.schemas = writer_schemas_create(b.rig.loop, b.rig.log, b.health, b.registry);
    b.book = order_book_create(3 * 24 * 3600 * 1000);
    assert_true(b.schemas != NULL && b.book != NULL);
    buf_init(&b.bytes, 65536);
    b.order = schema_of(schema_builtin("Order"));
    *state = &b;
    return 0;
}

static int open_bench(void **state)
{
    return open_with(state, "registry.url=", NULL);
}

static int open_bench_that_passes_over(void **state)
{
    return open_with(state, "registry.url=", "topics.pass_over=xsale.order-state/0/7,xsale.order-state/0/1,xsale.order-state/0/0,xsale.order-state/0/3,xsale.order-state/0/4");
}

static int close_bench(void **state)
{
    struct bench *b = *state;
    schema_destroy(b->order);
    buf_release(&b->bytes);
    order_book_destroy(b->book);
    publisher_destroy(b->publisher);
    registry_destroy(b->registry);
    writer_schemas_destroy(b->schemas);
    health_destroy(b->health);
    kafka_rig_close(&b->rig);
    return 0;
}

struct written { /* headers: NULL is left out */
    const char *topic, *key;
    const void *value; /* value_n; NULL: a tombstone */
    size_t value_n;
    const char *publication, *revision, *warehouses, *replayed;
};

static void put(struct bench *b, const struct written *w)
{
    struct kafka_header headers[4];
    size_t n = 0;
    struct err e = {""};
    const char *const names[] = {"publication", "revision", "warehouses", "replayed"}, *const values[] = {w->publication, w->revision, w->warehouses, w->replayed};
    for (size_t i = 0; i < 4; i++)
        if (values[i] != NULL)
            headers[n++] = (struct kafka_header){names[i], values[i], strlen(values[i])};
    struct kafka_record r = {.topic = w->topic, .partition = 0, .key = w->key, .key_n = strlen(w->key), .value = w->value, .value_n = w->value_n, .headers = headers,
                             .headers_n = n};
    assert_int_equal(publisher_send(b->publisher, &r, on_ack, &b->acks, &e), RC_OK);
    kafka_rig_until(&b->rig, &b->acks, ++b->sent, 60000);
}

static void put_note(struct bench *b, const char *key, int64_t id, int64_t publication, size_t cut)
{
    struct order_state s = {.organization = "acme", .order_id = id, .revision = "0123456789abcdef", .publication = publication, .round = publication, .at = publication};
    struct err e = {""};
    buf_reset(&b->bytes);
    frame_put(&b->bytes, registry_local_id("xsale.order-state"));
    assert_true(warehouse_set_add(&s.warehouses, "MAG-1", 5));
    assert_int_equal(order_state_encode(&s, &b->bytes, &e), RC_OK);
    put(b, &(struct written){.topic = "xsale.order-state", .key = key, .value = b->bytes.p, .value_n = b->bytes.n - cut});
}

static void put_order(struct bench *b, const char *key, int64_t id, int64_t publication, const char *replayed)
{
    char text[500], number[24];
    (void)snprintf(number, sizeof number, "%lld", (long long)publication);
    (void)snprintf(text, sizeof text,
                   "{\"organization\":\"acme\",\"orderId\":%lld,\"revision\":\"fedcba9876543210\",\"publication\":%lld,\"round\":7,\"fetchedAt\":1,"
                   "\"warehouses\":[\"MAG-2\"],\"items\":[]}",
                   (long long)id, (long long)publication);
    buf_reset(&b->bytes);
    frame_put(&b->bytes, registry_local_id("xsale.orders"));
    bytes_json(&b->bytes, b->order, text);
    put(b, &(struct written){.topic = "xsale.orders", .key = key, .value = b->bytes.p, .value_n = b->bytes.n, .publication = number, .replayed = replayed});
}

static struct recall *recall_begin(struct bench *b)
{
    static const struct recall_ops ops = {.done = on_done, .failed = on_failed};
    struct recall_needs needs = {.reader = {.loop = b->rig.loop, .worker = b->rig.worker, .config = b->rig.config, .log = b->rig.log, .schemas = b->schemas},
                                 .organization = "acme", .state_partitions = 1, .order_partitions = 2};
    struct recall *r = recall_create(&needs, b->book, &ops, b);
    assert_non_null(r);
    return r;
}

static void recall_all(struct bench *b)
{
    struct recall *r = recall_begin(b);
    kafka_rig_until(&b->rig, &b->done, 1, 60000);
    assert_int_equal(b->failed, 0);
    recall_destroy(r);
    order_book_restored(b->book);
}

static void what_was_published_after_the_last_note_is_open(void **state)
{
    struct bench *b = *state;
    struct order_state s;
    put_note(b, "acme/1", 1, 100, 0);
    put_note(b, "acme/2", 2, 100, 0);
    put_note(b, "other/3", 3, 100, 0);
    put_order(b, "acme/1", 1, 100, NULL); /* as noted */
    put_order(b, "acme/2", 2, 110, NULL); /* the producer stopped between this and its note */
    put_order(b, "other/3", 3, 120, NULL);
    put_order(b, "acme/4", 4, 120, NULL);
    put_order(b, "acme/1", 1, 130, "1");  /* put back by hand: the ledger's row will tell */
    recall_all(b);
    assert_true(order_book_get(b->book, 1, &s) && s.publication == 100 && warehouse_set_has(&s.warehouses, "MAG-1"));
    assert_true(order_book_get(b->book, 2, &s) && s.publication == 110 && s.round == 7 && !s.closed);
    assert_string_equal(s.revision, "fedcba9876543210");
    assert_true(warehouse_set_has(&s.warehouses, "MAG-2"));
    assert_false(order_book_get(b->book, 3, &s));
    assert_true(order_book_get(b->book, 4, &s) && s.publication == 120);
    assert_true(order_book_poll(b->book, 1) > 120); /* above everything ever heard of */
}

static void what_was_forgotten_stays_forgotten(void **state)
{
    struct bench *b = *state;
    struct order_state s;
    put_order(b, "acme/1", 1, 100, NULL);
    put_note(b, "acme/1", 1, 100, 0);
    put(b, &(struct written){.topic = "xsale.order-state", .key = "acme/1", .publication = "100"});
    put_order(b, "acme/2", 2, 100, NULL);
    put(b, &(struct written){.topic = "xsale.order-state", .key = "acme/2", .publication = "100"});
    put_order(b, "acme/2", 2, 105, NULL); /* and published anew since */
    recall_all(b);
    assert_false(order_book_get(b->book, 1, &s));
    assert_true(order_book_get(b->book, 2, &s) && s.publication == 105);
}

static void a_record_that_cannot_be_read_counts_by_its_headers_or_not_at_all(void **state)
{
    struct bench *b = *state;
    struct order_state s;
    put_note(b, "acme/1", 1, 100, 3);
    put(b, &(struct written){.topic = "xsale.order-state", .key = "acme/2", .value = "x", .value_n = 1});
    put(b, &(struct written){.topic = "xsale.orders", .key = "acme/3", .value = "x", .value_n = 1, .publication = "120", .revision = "00112233445566aa",
                             .warehouses = "MAG-1,MAG-2"});
    put(b, &(struct written){.topic = "xsale.orders", .key = "acme/4", .value = "x", .value_n = 1, .publication = "120", .revision = "short", .warehouses = "MAG-1"});
    put(b, &(struct written){.topic = "xsale.orders", .key = "acme/5", .value = "x", .value_n = 1, .publication = "a120", .revision = "00112233445566aa",
                             .warehouses = "MAG-1"});
    put(b, &(struct written){.topic = "xsale.orders", .key = "acme/6", .publication = "120"}); /* a tombstone is nobody's order */
    put(b, &(struct written){.topic = "xsale.orders", .key = "acme/x", .value = "x", .value_n = 1, .publication = "120"});
    recall_all(b);
    assert_false(order_book_get(b->book, 1, &s));
    assert_false(order_book_get(b->book, 2, &s));
    assert_true(order_book_get(b->book, 3, &s) && s.publication == 120 && s.warehouses.n == 2 && !s.withdrawn);
    assert_string_equal(s.revision, "00112233445566aa");
    for (int64_t id = 4; id < 7; id++)
        assert_false(order_book_get(b->book, id, &s));
}

/* Whatever somebody else wrote: the next poll must be able to publish above all that is known. */
static void an_impossible_publication_is_not_heard(void **state)
{
    struct bench *b = *state;
    struct order_state s;
    put_note(b, "acme/1", 1, INT64_MAX, 0);
    put_note(b, "acme/2", 2, INT64_MAX / 2, 0);
    put(b, &(struct written){.topic = "xsale.order-state", .key = "acme/3", .publication = "9223372036854775807"}); /* forgotten */
    put_order(b, "acme/4", 4, INT64_MAX, NULL);
    put_note(b, "acme/5", 5, 100, 0);
    put_note(b, "acme/6", 6, PUBLICATION_MAX, 0); /* possible, and nothing to count on from */
    put_order(b, "acme/7", 7, PUBLICATION_MAX - 1, NULL);
    put(b, &(struct written){.topic = "xsale.order-state", .key = "acme/8", .publication = "253402300799999"});
    recall_all(b);
    for (int64_t id = 1; id < 5; id++)
        assert_false(order_book_get(b->book, id, &s));
    assert_true(order_book_get(b->book, 5, &s) && s.publication == 100);
    assert_int_equal(order_book_poll(b->book, 5000), 5000);
}

/* Of a schema that nobody knows. */
static void put_strange_note(struct bench *b, const char *key, int32_t schema_id)
{
    buf_reset(&b->bytes);
    frame_put(&b->bytes, schema_id);
    buf_put_text(&b->bytes, "?");
    put(b, &(struct written){.topic = "xsale.order-state", .key = key, .value = b->bytes.p, .value_n = b->bytes.n});
}

/* Notes of orders 1 and 3, and a strange one between them. */
static void put_notes(struct bench *b)
{
    put_note(b, "acme/1", 1, 100, 0);
    put_strange_note(b, "acme/2", 12345);
    put_note(b, "acme/3", 3, 100, 0);
}

/* Until health "schema" is down; then words have it. */
static void await_schema_down(struct bench *b, char *words, size_t room)
{
    words[0] = '\0';
    for (int i = 0; i < 600 && strstr(words, "schema is down") == NULL; i++) {
        kafka_rig_for(&b->rig, 50);
        health_summary(b->health, words, room);
    }
}

static void a_note_whose_schema_nobody_knows_holds_the_start_and_is_named(void **state)
{
    struct bench *b = *state;
    char words[800];
    put_notes(b);
    struct recall *r = recall_begin(b);
    await_schema_down(b, words, sizeof words);
    static const char *const said[] = {"xsale.order-state/0/1 was written with schema 12345", "publishes nothing", "topics.pass_over"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strstr(words, said[i]) == NULL)
            fail_msg("%s is not said: %s", said[i], words);
    kafka_rig_for(&b->rig, 300);
    assert_int_equal(b->done + b->failed, 0);
    recall_destroy(r);
    assert_true(health_ready(b->health)); /* nobody waits any more */
}

/* The first note is named too, and its schema is there: only nobody has asked for it yet. 0 and -1 are ids like any other: a record may carry them. */
static void a_note_that_the_operator_lets_pass_is_one_that_cannot_be_read(void **state)
{
    struct bench *b = *state;
    struct order_state s;
    put_notes(b);
    put_strange_note(b, "acme/4", 0);
    put_strange_note(b, "acme/5", -1);
    put_note(b, "acme/6", 6, 100, 0);
    recall_all(b);
    for (int64_t id = 1; id < 7; id++)
        assert_int_equal(order_book_get(b->book, id, &s), id == 1 || id == 3 || id == 6);
}

/* The registry's answer for the schema of the notes. */
static void state_reply(char *out, size_t room)
{
    struct buf schema;
    buf_init(&schema, room);
    buf_put_text(&schema, "{\"schema\":\"");
    for (const char *p = schema_builtin("OrderState"); *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            buf_put_text(&schema, "\\");
        buf_put(&schema, *p == '\n' ? " " : p, 1);
    }
    buf_put_text(&schema, "\"}");
    assert_true(snprintf(out, room, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", schema.n, buf_text(&schema)) < (int)room);
    buf_release(&schema);
}

/* A registry that says once that it is not there, then that it does not know the schema, then gives each note's. The named note waits for the second answer. */
static void a_named_note_is_passed_over_by_the_registrys_word_alone(void **state)
{
    static const char away[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    static const char unknown[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 49\r\n\r\n{\"error_code\":40403,\"message\":\"Schema not found\"}";
    char known[8192], url[64], words[800];
    struct order_state s;
    state_reply(known, sizeof known);
    struct scripted_server *registry = script_start((struct script_row[]){{away, SCRIPT_KEEP}, {unknown, SCRIPT_KEEP}, {known, SCRIPT_KEEP}}, 3);
    (void)snprintf(url, sizeof url, "registry.url=http://127.0.0.1:%d", registry->port);
    assert_int_equal(open_with(state, url, "topics.pass_over=xsale.order-state/0/0"), 0);
    struct bench *b = *state;
    put_strange_note(b, "acme/1", 12345);
    put_note(b, "acme/2", 2, 100, 0);
    struct recall *r = recall_begin(b);
    await_schema_down(b, words, sizeof words);
    assert_non_null(strstr(words, "topics.pass_over names it"));
    assert_null(strstr(words, "or name the record"));
    assert_int_equal(b->done + b->failed, 0);
    kafka_rig_until(&b->rig, &b->done, 1, 60000);
    assert_true(health_ready(b->health));
    assert_false(order_book_get(b->book, 1, &s));
    assert_true(order_book_get(b->book, 2, &s));
    recall_destroy(r);
    (void)close_bench(state);
    script_stop(registry);
}

static const char no_schema[] = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"schema\":\"[\"}", another[] = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"schema\":\"\\\"long\\\"\"}";

/* Until health "schema" says so. */
static void await_schema_words(struct bench *b, const char *expected)
{
    char words[1500] = "";
    for (int i = 0; i < 600 && strstr(words, expected) == NULL; i++) {
        kafka_rig_for(&b->rig, 50);
        health_summary(b->health, words, sizeof words);
    }
    if (strstr(words, expected) == NULL)
        fail_msg("%s is not said: %s", expected, words);
}

/* Passed over, the order that it tells of would be published a second time. */
static void a_note_for_which_the_registry_gives_what_cannot_be_its_schema_holds_the_start_until_it_gives_that(void **state)
{
    char known[8192], url[64];
    struct order_state s;
    state_reply(known, sizeof known);
    const struct script_row rows[] = {{no_schema, SCRIPT_KEEP}, {no_schema, SCRIPT_KEEP}, {another, SCRIPT_KEEP}, {another, SCRIPT_KEEP}, {known, SCRIPT_KEEP}};
    struct scripted_server *registry = script_start(rows, sizeof rows / sizeof *rows);
    (void)snprintf(url, sizeof url, "registry.url=http://127.0.0.1:%d", registry->port);
    assert_int_equal(open_with(state, url, NULL), 0);
    struct bench *b = *state;
    put_note(b, "acme/1", 1, 100, 0);
    put_note(b, "acme/2", 2, 100, 0);
    struct recall *r = recall_begin(b);
    await_schema_words(b, "xsale.order-state/0/0 was written with schema 2: registry: schema 2:");
    await_schema_words(b, "xsale.order-state/0/0 was written with schema 2: the registry gives that id to another schema:");
    assert_int_equal(b->done + b->failed, 0);
    kafka_rig_until(&b->rig, &b->done, 1, 60000);
    assert_true(health_ready(b->health));
    assert_true(order_book_get(b->book, 1, &s) && order_book_get(b->book, 2, &s));
    recall_destroy(r);
    (void)close_bench(state);
    script_stop(registry);
}

static void a_named_note_is_passed_over_when_what_the_registry_gives_cannot_be_its_schema(void **state)
{
    const char *const replies[] = {no_schema, another};
    for (size_t i = 0; i < 2; i++) {
        char url[64];
        struct order_state s;
        struct scripted_server *registry = script_start(&(struct script_row){replies[i], SCRIPT_KEEP}, 1);
        (void)snprintf(url, sizeof url, "registry.url=http://127.0.0.1:%d", registry->port);
        assert_int_equal(open_with(state, url, "topics.pass_over=xsale.order-state/0/0"), 0);
        struct bench *b = *state;
        put_note(b, "acme/1", 1, 100, 0);
        recall_all(b);
        assert_false(order_book_get(b->book, 1, &s));
        (void)close_bench(state);
        script_stop(registry);
    }
}

static void a_named_note_waits_while_the_registry_is_down(void **state)
{
    char url[64], words[800];
    (void)snprintf(url, sizeof url, "registry.url=http://127.0.0.1:%d", script_dead_port());
    assert_int_equal(open_with(state, url, "topics.pass_over=xsale.order-state/0/0"), 0);
    struct bench *b = *state;
    put_strange_note(b, "acme/1", 12345);
    struct recall *r = recall_begin(b);
    await_schema_down(b, words, sizeof words);
    assert_non_null(strstr(words, "xsale.order-state/0/0 was written with schema 12345"));
    assert_non_null(strstr(words, "topics.pass_over names it"));
    kafka_rig_for(&b->rig, 1500);
    assert_int_equal(b->done + b->failed, 0);
    recall_destroy(r);
    (void)close_bench(state);
}

static void nothing_at_all_is_remembered_of_empty_topics(void **state)
{
    struct bench *b = *state;
    struct order_book_counts counts;
    recall_all(b);
    order_book_count(b->book, &counts);
    assert_int_equal(counts.open + counts.closed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_published_after_the_last_note_is_open, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(what_was_forgotten_stays_forgotten, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(a_record_that_cannot_be_read_counts_by_its_headers_or_not_at_all, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(an_impossible_publication_is_not_heard, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(a_note_whose_schema_nobody_knows_holds_the_start_and_is_named, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(a_note_that_the_operator_lets_pass_is_one_that_cannot_be_read, open_bench_that_passes_over, close_bench),
        cmocka_unit_test(a_named_note_is_passed_over_by_the_registrys_word_alone),
        cmocka_unit_test(a_note_for_which_the_registry_gives_what_cannot_be_its_schema_holds_the_start_until_it_gives_that),
        cmocka_unit_test(a_named_note_is_passed_over_when_what_the_registry_gives_cannot_be_its_schema),
        cmocka_unit_test(a_named_note_waits_while_the_registry_is_down),
        cmocka_unit_test_setup_teardown(nothing_at_all_is_remembered_of_empty_topics, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
