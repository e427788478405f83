#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/order_writer.h"

/* ---- a publisher of the test's own, linked instead of the real one */

struct taken {
    char topic[64], key[64], omitted[16], reason[64];
    size_t value_n;
    publisher_done_fn *done;
    void *arg;
};

static struct {
    struct taken all[16]; /* not acknowledged, oldest first */
    size_t n;
    size_t room; /* 0: no end */
} air;

static void copy_header(const struct kafka_record *r, const char *name, char *out, size_t size)
{
    const struct kafka_header *h = kafka_record_header(r, name);
    snprintf(out, size, "%.*s", h != NULL ? (int)h->n : 0, h != NULL ? (const char *)h->value : "");
}

enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e)
{
    (void)p, (void)e;
    if (air.room > 0 && air.n >= air.room)
        return RC_RETRY;
    assert_true(air.n < 16);
    struct taken *t = &air.all[air.n++];
    snprintf(t->topic, sizeof t->topic, "%s", r->topic);
    snprintf(t->key, sizeof t->key, "%.*s", (int)r->key_n, (const char *)r->key);
    copy_header(r, "omitted", t->omitted, sizeof t->omitted);
    copy_header(r, "reason", t->reason, sizeof t->reason);
    t->value_n = r->value_n;
    t->done = done;
    t->arg = arg;
    return RC_OK;
}

static void acknowledge(enum rc rc)
{
    struct taken t = air.all[0];
    memmove(&air.all[0], &air.all[1], --air.n * sizeof t);
    t.done(t.arg, &(struct publisher_ack){rc, 0, 0, rc == RC_OK ? "" : "too large"});
}

void publisher_drop_waiting(struct publisher *p)
{
    (void)p;
    while (air.n > 0)
        acknowledge(RC_RETRY);
}

/* ---- the bench */

static int64_t now = 1795470000000;

static int64_t read_clock(void *arg)
{
    (void)arg;
    return now;
}

static const struct clock test_clock = {read_clock, read_clock, NULL};

struct bench {
    struct config *config;
    struct schema *schema;
    struct order_writer *w;
    unsigned landed, refused;
};

static void on_landed(void *arg, const struct flight_report *report)
{
    struct bench *b = arg;
    b->landed++;
    b->refused += report->end == FLIGHT_REFUSED;
}

static void bench_begin(struct bench *b)
{
    const char *overrides[] = {"xsale.client_id=a", "xsale.client_secret=b", "xsale.username=c", "xsale.password=d", "kafka.bootstrap.servers=127.0.0.1:1",
                               "registry.url=http://127.0.0.1:1"};
    struct config_source source = {.overrides = overrides, .overrides_n = 6, .program = CONFIG_PRODUCER};
    struct config_problems problems = {.count = 0};
    const char *text = schema_builtin("OrderState");
    struct err e;
    *b = (struct bench){.landed = 0};
    memset(&air, 0, sizeof air);
    buf_init(&problems.text, 100000);
    assert_int_equal(config_load(&source, &b->config, &problems), RC_OK);
    buf_release(&problems.text);
    assert_int_equal(schema_parse(text, strlen(text), &b->schema, &e), RC_OK);
    struct order_writer_needs needs = {.config = b->config, .clock = &test_clock, .organization = "acme", .order_schema = b->schema,
                                       .order_schema_id = 1, .outcome_schema_id = 2, .state_schema_id = 3};
    b->w = order_writer_create(&needs);
    assert_non_null(b->w);
    order_writer_on_landed(b->w, on_landed, b);
}

static void bench_end(struct bench *b)
{
    order_writer_destroy(b->w);
    schema_destroy(b->schema);
    config_destroy(b->config);
}

static void refuse(struct bench *b, int64_t id)
{
    struct refusal r = {.order_id = id, .revision = "00000000000000aa", .publication = 5000, .round = 5000,
                        .reason = "no currency", .text = "{\"Id\":1}", .text_n = 8};
    struct err e;
    assert_int_equal(order_writer_refuse(b->w, &r, &e), RC_OK);
}

static void a_dead_letter_that_the_broker_finds_too_large_goes_again_without_its_bytes(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    refuse(&b, 1);
    assert_int_equal(air.n, 1);
    assert_int_equal(air.all[0].value_n, 8);
    acknowledge(RC_REJECT);
    assert_int_equal(air.n, 1);
    assert_string_equal(air.all[0].topic, "xsale.orders-dlq");
    assert_string_equal(air.all[0].key, "acme/1");
    assert_string_equal(air.all[0].omitted, "8");
    assert_string_equal(air.all[0].reason, "no currency");
    assert_int_equal(air.all[0].value_n, 0);
    acknowledge(RC_REJECT); /* not even that: no third try */
    assert_int_equal(air.n, 1);
    assert_string_equal(air.all[0].topic, "xsale.order-outcomes");
    assert_int_equal(b.landed, 0);
    acknowledge(RC_OK);
    assert_int_equal(air.n, 0);
    assert_int_equal(b.landed, 1);
    assert_int_equal(b.refused, 0);
    bench_end(&b);
}

static void so_does_that_of_an_order_without_id(void **state)
{
    (void)state;
    struct bench b;
    struct order_facts facts = {.revision = "00000000000000bb", .text = "{}", .text_n = 2};
    struct err e;
    bench_begin(&b);
    assert_int_equal(order_writer_nameless(b.w, &facts, "no id", &e), RC_OK);
    acknowledge(RC_REJECT);
    assert_int_equal(air.n, 1);
    assert_string_equal(air.all[0].key, "acme/?00000000000000bb");
    assert_string_equal(air.all[0].omitted, "2");
    acknowledge(RC_OK);
    assert_int_equal(b.landed, 1);
    bench_end(&b);
}

static void what_is_abandoned_is_not_sent_and_nobody_hears_of_it(void **state)
{
    (void)state;
    struct bench b;
    struct order_state note = {.order_id = 7, .revision = "00000000000000aa", .publication = 5000, .round = 5000};
    struct err e;
    bench_begin(&b);
    refuse(&b, 1);
    refuse(&b, 2);
    acknowledge(RC_OK); /* the first one's letter */
    assert_int_equal(order_writer_note(b.w, &note, false, &e), RC_OK);
    assert_int_equal(air.n, 3);
    order_writer_abandon(b.w);
    assert_int_equal(air.n, 0); /* no letter again and no outcome either */
    assert_int_equal(b.landed, 0);
    assert_int_equal(order_writer_flights(b.w), 0);
    assert_int_equal(order_writer_note(b.w, &note, true, &e), RC_OK); /* the next tenure's */
    acknowledge(RC_OK);
    assert_int_equal(b.landed, 1);
    bench_end(&b);
}

static void no_note_is_written_while_something_is_in_the_air_for_long(void **state)
{
    (void)state;
    struct bench b;
    struct order_state note = {.order_id = 7, .revision = "00000000000000aa", .publication = 5000, .round = 5000};
    struct err e;
    bench_begin(&b);
    refuse(&b, 1);
    now += 60 * 1000;
    refuse(&b, 2); /* a younger one does not hide it */
    assert_int_equal(order_writer_note(b.w, &note, false, &e), RC_OK);
    now++;
    assert_int_equal(order_writer_note(b.w, &note, false, &e), RC_RETRY);
    assert_int_equal(air.n, 3);
    acknowledge(RC_OK);
    assert_int_equal(order_writer_note(b.w, &note, false, &e), RC_RETRY);
    while (b.landed < 2) /* the note, and the first one's outcome */
        acknowledge(RC_OK);
    assert_int_equal(order_writer_note(b.w, &note, false, &e), RC_OK);
    now += 60 * 1000;
    assert_int_equal(order_writer_note(b.w, &note, false, &e), RC_RETRY);
    while (air.n > 0)
        acknowledge(RC_OK);
    assert_int_equal(order_writer_note(b.w, &note, true, &e), RC_OK);
    acknowledge(RC_OK);
    bench_end(&b);
}

static void an_outcome_goes_out_when_its_dead_letter_is_acknowledged_and_there_is_room(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    refuse(&b, 1);
    refuse(&b, 2);
    assert_int_equal(air.n, 2);
    air.room = 1; /* the second one's letter takes it */
    acknowledge(RC_OK);
    assert_int_equal(air.n, 1);
    order_writer_room(b.w);
    acknowledge(RC_OK);
    assert_int_equal(air.n, 1);
    assert_string_equal(air.all[0].topic, "xsale.order-outcomes");
    assert_string_equal(air.all[0].key, "acme/2");
    acknowledge(RC_OK);
    assert_int_equal(b.landed, 1);
    order_writer_room(b.w);
    assert_string_equal(air.all[0].key, "acme/1");
    acknowledge(RC_OK);
    assert_int_equal(b.landed, 2);
    refuse(&b, 3);
    air.room = 0;
    refuse(&b, 4);
    air.room = 1;
    acknowledge(RC_OK);
    order_writer_abandon(b.w); /* one owing, one in the air */
    assert_int_equal(order_writer_flights(b.w), 0);
    order_writer_room(b.w);
    assert_int_equal(air.n, 0);
    assert_int_equal(b.landed, 2);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_goes_out_when_its_dead_letter_is_acknowledged_and_there_is_room),
        cmocka_unit_test(a_dead_letter_that_the_broker_finds_too_large_goes_again_without_its_bytes),
        cmocka_unit_test(so_does_that_of_an_order_without_id),
        cmocka_unit_test(no_note_is_written_while_something_is_in_the_air_for_long),
        cmocka_unit_test(what_is_abandoned_is_not_sent_and_nobody_hears_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
