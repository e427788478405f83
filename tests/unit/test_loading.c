/* Records in hand until their outcomes are durable: what waits for its schema and for how long, what the ERP is not offered, what is acknowledged in which order.
 * Registry, publisher and sink are the test's own, linked instead of the real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka/frame.h"
#include "consumer/loading.h"
#include "tests/mock/kafka_rig.h"
#include "tests/unit/avro_bytes.h"

enum { SENT_MAX = 4000, ASKED_MAX = 200000, ID = 7, UNKNOWN_MS = 3600000 };
#define ORDER                                                                                                                              \
    "{\"organization\":\"acme\",\"orderId\":%d,\"revision\":\"0123456789abcdef\",\"publication\":%d,\"round\":1,\"fetchedAt\":1,"             \
    "\"purchasedAt\":1,\"warehouse\":\"%s\",\"warehouses\":[\"%s\"],\"items\":[{\"itemId\":1,\"quantity\":\"1\"}]}"

static struct world {
    int64_t now;
    struct clock clock;
    struct loop *loop;
    struct config *config;
    struct health *health;
    struct loading *loading;
    struct schema *order;
    int64_t offset;
    int done, progress;
    /* the registry */
    const struct schema *cached;
    struct asked {
        int32_t id;
        bool afresh;
        registry_schema_fn *done;
        void *arg;
    } asked[ASKED_MAX];
    size_t asked_n, answered_n;
    bool unknown;
    /* the publisher */
    struct sent {
        char topic[40], key[40];
        bool marked; /* as without its key */
        publisher_done_fn *done;
        void *arg;
    } sent[SENT_MAX];
    size_t sent_n, acked_n;
    /* the sink */
    enum rc submits;
    int tries;
    erp_done_fn *tried;
    void *tried_arg;
} w;

const struct schema *registry_cached(const struct registry *r, int32_t id)
{
    (void)r;
    return id == ID ? w.cached : NULL;
}

bool registry_unknown(const struct registry *r, int32_t id)
{
    (void)r, (void)id;
    return w.unknown;
}

static enum rc ask(int32_t id, bool afresh, registry_schema_fn *done, void *arg)
{
    assert_true(w.asked_n < ASKED_MAX);
    w.asked[w.asked_n++] = (struct asked){id, afresh, done, arg};
    return RC_OK;
}

enum rc registry_fetch(struct registry *r, int32_t id, registry_schema_fn *done, void *arg, struct err *e)
{
    (void)r, (void)e;
    return ask(id, false, done, arg);
}

enum rc registry_refetch(struct registry *r, int32_t id, registry_schema_fn *done, void *arg, struct err *e)
{
    (void)r, (void)e;
    return ask(id, true, done, arg);
}

enum rc publisher_send(struct publisher *p, const struct kafka_record *r, publisher_done_fn *done, void *arg, struct err *e)
{
    (void)p, (void)e;
    assert_true(w.sent_n < SENT_MAX);
    struct sent *s = &w.sent[w.sent_n++];
    *s = (struct sent){.done = done, .arg = arg};
    (void)snprintf(s->topic, sizeof s->topic, "%s", r->topic);
    s->marked = kafka_record_header(r, "omitted-key") != NULL;
    (void)snprintf(s->key, sizeof s->key, "%.*s", (int)r->key_n, (const char *)r->key);
    return RC_OK;
}

void publisher_on_room(struct publisher *p, loop_fn *room, void *arg)
{
    (void)p, (void)room, (void)arg;
}

static enum rc sink_open(const struct erp_sink_env *env, struct erp_sink **out, struct err *e)
{
    (void)env, (void)e;
    extern const struct erp_sink_ops sink_ops;
    static struct erp_sink sink;
    sink.ops = &sink_ops;
    *out = &sink;
    return RC_OK;
}

static bool sink_withdraws(const struct erp_sink *s)
{
    (void)s;
    return true;
}

static enum rc sink_submit(struct erp_sink *s, const struct erp_load *l, erp_done_fn *done, void *arg, struct err *e)
{
    (void)s, (void)l;
    w.tries++;
    w.tried = done;
    w.tried_arg = arg;
    err_set(e, "the header cannot be sent");
    return w.submits;
}

static void sink_close(struct erp_sink *s)
{
    (void)s;
}

extern const struct erp_sink_ops sink_ops;
const struct erp_sink_ops sink_ops = {.name = "http", .open = sink_open, .withdraws = sink_withdraws, .submit = sink_submit, .close = sink_close};

const struct erp_sink_ops *erp_sink_find(const char *name)
{
    return strcmp(name, "http") == 0 ? &sink_ops : NULL;
}

static int64_t world_now(void *arg)
{
    (void)arg;
    return w.now;
}

static void on_done(void *arg, const struct order_record *r)
{
    (void)arg, (void)r;
    w.done++;
}

static void on_progress(void *arg)
{
    (void)arg;
    w.progress++;
}

static void on_failed(void *arg, const char *words)
{
    (void)arg;
    fail_msg("%s", words);
}

static int open_world(const char *warehouse)
{
    const char *settings[] = {"consumer.unknown_schema_after=1h", "registry.url=http://127.0.0.1:1", "erp.http.url=http://127.0.0.1:1/x", warehouse, NULL};
    struct err e = {{0}};
    memset(&w, 0, sizeof w);
    w.now = 1000000;
    w.clock = (struct clock){world_now, world_now, NULL};
    w.loop = loop_create(&w.clock, &e);
    assert_non_null(w.loop);
    w.config = kafka_rig_config("127.0.0.1:1", settings);
    w.health = health_create(&w.clock, NULL);
    assert_non_null(w.health);
    w.order = schema_of(schema_builtin("Order"));
    struct loading_env env = {.config = w.config, .health = w.health,
                              .outbox = {.loop = w.loop, .outcomes = "outcomes", .dead_letters = "dlq", .group = "g"},
                              .ops = {.record_done = on_done, .progress = on_progress, .failed = on_failed}};
    if (loading_create(&env, &w.loading, &e) != RC_OK)
        fail_msg("%s", e.text);
    loading_schema(w.loading, 3);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return open_world("consumer.warehouse=");
}

static int setup_of_one_warehouse(void **state)
{
    (void)state;
    return open_world("consumer.warehouse=MAG-1");
}

static int teardown(void **state)
{
    (void)state;
    loading_destroy(w.loading);
    schema_destroy(w.order);
    health_destroy(w.health);
    config_destroy(w.config);
    loop_destroy(w.loop);
    return 0;
}

static void pass(int64_t ms)
{
    for (int64_t end = w.now + ms; w.now < end;) {
        w.now += end - w.now < 500 ? end - w.now : 500;
        loop_turn(w.loop, 0);
    }
}

/* The registry answers everything that it was asked, and what follows from that. */
static void answer(enum rc rc, const struct schema *s)
{
    while (w.answered_n < w.asked_n) {
        struct asked *a = &w.asked[w.answered_n++];
        a->done(a->arg, rc, s, "the registry's words");
    }
}

static void ack(void)
{
    while (w.acked_n < w.sent_n) {
        struct sent *s = &w.sent[w.acked_n++];
        s->done(s->arg, &(struct publisher_ack){.rc = RC_OK, .words = ""});
    }
}

/* Its header says MAG-1, whatever the record says. */
static void take_of(const char *warehouse, int32_t id, uint64_t fingerprint, int order, int publication)
{
    char key[32], text[500], schema[20], when[20];
    struct buf value;
    buf_init(&value, 100000);
    frame_put(&value, id);
    (void)snprintf(key, sizeof key, "acme/%d", order);
    (void)snprintf(text, sizeof text, ORDER, order, publication, warehouse, warehouse);
    (void)snprintf(schema, sizeof schema, "%016llx", (unsigned long long)fingerprint);
    (void)snprintf(when, sizeof when, "%d", publication);
    bytes_json(&value, w.order, text);
    const struct kafka_header headers[] = {{"publication", when, strlen(when)}, {"revision", "0123456789abcdef", 16}, {"warehouses", "MAG-1", 5}, {"schema", schema, 16}};
    struct kafka_record r = {.topic = "orders", .offset = w.offset++, .key = key, .key_n = strlen(key), .value = value.p, .value_n = value.n, .headers = headers,
                             .headers_n = fingerprint != 0 ? 4 : 3};
    struct order_record *record = order_record_create(&r, 1);
    assert_non_null(record);
    buf_release(&value);
    loading_take(w.loading, record);
}

static void take_with(int32_t id, uint64_t fingerprint, int order, int publication)
{
    take_of("MAG-1", id, fingerprint, order, publication);
}

static void take(int order, int publication)
{
    take_with(ID, schema_fingerprint(w.order), order, publication);
}

static void erp_says(enum fate fate)
{
    w.tried(w.tried_arg, &(struct erp_verdict){.fate = fate, .retry_after_ms = -1, .reason = fate == FATE_REJECT ? "no" : NULL, .words = "its words"});
}

static bool said(const char *words)
{
    struct buf b;
    buf_init(&b, 10000);
    health_print(w.health, &b);
    bool found = strstr(buf_text(&b), words) != NULL;
    buf_release(&b);
    return found;
}

static bool up(const char *name)
{
    char words[60];
    (void)snprintf(words, sizeof words, "\"%s\":{\"state\":\"up\"", name);
    return said(words);
}

static void an_order_goes_to_the_erp_when_its_schema_is_there(void **state)
{
    (void)state;
    take(1, 10);
    assert_int_equal(w.tries, 0);
    answer(RC_OK, w.order);
    assert_int_equal(w.tries, 1);
    erp_says(FATE_LOADED);
    assert_int_equal(w.done, 0);
    ack();
    assert_int_equal(w.done, 1);
    assert_int_equal(loading_records(w.loading), 0);
    assert_true(up("erp"));
}

static void an_id_that_became_another_schema_is_the_systems_trouble_and_asked_for_again(void **state)
{
    (void)state;
    struct schema *others[] = {schema_of("\"long\""), schema_of("{\"type\":\"record\",\"name\":\"x.Y\",\"fields\":[]}"), NULL /* not Avro at all */};
    for (size_t i = 0; i < 3; i++) {
        w.cached = others[i];
        take_with(ID, schema_fingerprint(w.order), 1, 10);
        answer(others[i] != NULL ? RC_OK : RC_REJECT, others[i]);
        pass(5000);
        assert_int_equal(w.sent_n, 0);
        assert_false(up("schema"));
        assert_true(said("another schema than the record was written with"));
        assert_true(w.asked_n > w.answered_n);
        assert_true(w.asked[w.asked_n - 1].afresh);
        answer(RC_OK, w.order); /* the registry was mended */
        assert_true(up("schema"));
        assert_int_equal(w.tries, 1);
        teardown(NULL);
        setup(NULL);
    }
    schema_destroy(others[0]);
    schema_destroy(others[1]);
}

static void a_record_without_a_fingerprint_is_refused_when_its_schema_is_no_order(void **state)
{
    (void)state;
    struct schema *other = schema_of("\"long\"");
    take_with(ID, 0, 1, 10);
    answer(RC_OK, other);
    assert_int_equal(w.sent_n, 1);
    assert_string_equal(w.sent[0].topic, "dlq");
    schema_destroy(other);
}

/* Time passes; whatever the registry is asked it answers with rc. */
static void wait_answered(int64_t ms, enum rc rc, bool unknown)
{
    w.unknown = unknown;
    for (int64_t end = w.now + ms; w.now < end;) {
        answer(rc, NULL);
        pass(2000);
    }
}

static void an_unknown_schema_is_refused_only_after_its_time_and_never_while_the_registry_is_away(void **state)
{
    (void)state;
    take_with(99, 5, 1, 10);
    wait_answered(UNKNOWN_MS - 60000, RC_RETRY, true);
    assert_int_equal(w.sent_n, 0);
    wait_answered(2 * UNKNOWN_MS, RC_RETRY, false); /* away: the time begins anew */
    assert_int_equal(w.sent_n, 0);
    wait_answered(UNKNOWN_MS - 60000, RC_RETRY, true);
    assert_int_equal(w.sent_n, 0);
    wait_answered(120000, RC_RETRY, true);
    assert_int_equal(w.sent_n, 1);
    assert_string_equal(w.sent[0].topic, "dlq");
    ack();
    ack();
    assert_int_equal(w.done, 1);
    assert_true(up("schema"));
}

static void more_unknown_ids_than_are_kept_are_all_refused_after_their_time(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++)
        take_with(1000 + i * 7919, 5, i + 1, 10);
    assert_true(w.asked_n <= ORDER_VIEWS_MAX + 1); /* no storm */
    wait_answered(UNKNOWN_MS / 2, RC_RETRY, true);
    assert_int_equal(w.sent_n, 0);
    wait_answered(UNKNOWN_MS, RC_RETRY, true);
    ack();
    ack();
    assert_int_equal(w.done, 400);
    assert_int_equal(loading_records(w.loading), 0);
}

static void many_unknown_ids_are_asked_for_at_a_bounded_rate(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        take_with(1000 + i * 7919, 5, i + 1, 10);
    wait_answered(120000, RC_RETRY, true);
    bool asked[1000] = {false};
    for (size_t i = 0; i < w.asked_n; i++)
        asked[(w.asked[i].id - 1000) / 7919] = true;
    for (size_t i = 0; i < 1000; i++)
        assert_true(asked[i]); /* each came to its turn */
    assert_true(w.asked_n < ORDER_VIEWS_MAX * 8 + 120 * 12);
}

static void garbage_does_not_stop_the_intake(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        take_with(1000 + i * 7919, 0, i + 1, 10);
    take_with(99, 5, 5000, 10); /* one that our producer wrote, whose schema will come */
    int before = w.progress;
    wait_answered(120000, RC_RETRY, true);
    ack();
    ack();
    assert_int_equal(w.done, 1000 - 250);
    assert_int_equal(loading_records(w.loading), 251);
    assert_true(w.progress > before);
    wait_answered(UNKNOWN_MS, RC_RETRY, true);
    ack();
    ack();
    assert_int_equal(w.done, 1001);
}

static void an_empty_registry_refuses_none_of_many_orders_that_tell_their_schema(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++)
        take_with(ID, schema_fingerprint(w.order), i + 1, 10);
    wait_answered(UNKNOWN_MS / 2, RC_RETRY, true);
    assert_int_equal(w.sent_n, 0);
    answer(RC_OK, w.order);
    pass(40000);
    answer(RC_OK, w.order);
    assert_true(w.tries > 0);
}

static void a_partition_that_leaves_takes_its_trouble_with_it(void **state)
{
    (void)state;
    take_with(99, 5, 1, 10);
    answer(RC_RETRY, NULL);
    pass(3000);
    assert_false(up("schema"));
    loading_drop(w.loading, 0);
    assert_int_equal(loading_records(w.loading), 0);
    assert_true(up("schema"));
}

static void what_cannot_begin_pauses_and_says_so(void **state)
{
    (void)state;
    w.cached = w.order;
    w.submits = RC_RETRY;
    for (int i = 0; i < 50; i++)
        take(i + 1, 10);
    pass(1000);
    assert_true(w.tries <= 2);
    assert_false(up("erp"));
    assert_true(said("the header cannot be sent"));
    pass(60000);
    assert_true(w.tries < 60);
    assert_int_equal(w.sent_n, 0);
    w.submits = RC_OK;
    int tries = w.tries;
    pass(60000);
    assert_int_equal(w.tries, tries + 1);
    erp_says(FATE_LOADED);
    assert_true(up("erp"));
    assert_true(w.tries > tries + 10);
}

static void a_newer_publication_goes_after_the_older_ones_rejection_is_durable(void **state)
{
    (void)state;
    w.cached = w.order;
    take(1, 10);
    take(1, 20);
    assert_int_equal(w.tries, 1);
    erp_says(FATE_REJECT);
    assert_int_equal(w.sent_n, 1);
    assert_string_equal(w.sent[0].topic, "dlq");
    pass(10000);
    assert_int_equal(w.tries, 1);
    w.acked_n = 1;
    w.sent[0].done(w.sent[0].arg, &(struct publisher_ack){.rc = RC_OK, .words = ""});
    assert_int_equal(w.sent_n, 2);
    assert_string_equal(w.sent[1].topic, "outcomes");
    assert_int_equal(w.tries, 1);
    ack();
    assert_int_equal(w.done, 1);
    assert_int_equal(w.tries, 2);
    erp_says(FATE_LOADED);
    ack();
    assert_int_equal(w.done, 2);
}

static void a_newer_publication_goes_while_the_older_ones_outcome_is_under_way_and_is_finished_after_it(void **state)
{
    (void)state;
    w.cached = w.order;
    take(1, 10);
    take(1, 20);
    assert_int_equal(w.tries, 1);
    erp_says(FATE_LOADED);
    assert_int_equal(w.sent_n, 1);
    assert_int_equal(w.tries, 2);
    erp_says(FATE_LOADED);
    assert_int_equal(w.sent_n, 2);
    w.sent[1].done(w.sent[1].arg, &(struct publisher_ack){.rc = RC_OK, .words = ""});
    assert_int_equal(w.done, 0);
    w.sent[0].done(w.sent[0].arg, &(struct publisher_ack){.rc = RC_OK, .words = ""});
    assert_int_equal(w.done, 2);
}

static void a_record_that_turns_out_to_be_another_warehouses_waits_for_the_outcome_before_it_unread(void **state)
{
    (void)state;
    w.cached = w.order;
    take(1, 10);
    erp_says(FATE_LOADED);
    assert_int_equal(w.sent_n, 1);
    take_of("MAG-9", 99, schema_fingerprint(w.order), 1, 20);
    assert_false(up("schema"));
    pass(3000);
    answer(RC_OK, w.order);
    assert_true(up("schema"));
    pass(10000);
    answer(RC_OK, w.order);
    assert_int_equal(w.done, 0);
    ack();
    assert_int_equal(w.done, 2);
    assert_int_equal(loading_records(w.loading), 0);
}

static void a_dead_letter_that_the_broker_refuses_is_sent_with_less_until_it_is_taken(void **state)
{
    (void)state;
    struct kafka_record r = {.topic = "orders", .key = "no order", .key_n = 8, .value = "garbage", .value_n = 7};
    loading_take(w.loading, order_record_create(&r, 1));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(w.sent_n, i + 1);
        assert_int_equal(w.sent[i].marked, i == 2);
        w.sent[i].done(w.sent[i].arg, &(struct publisher_ack){.rc = i < 2 ? RC_REJECT : RC_OK, .words = "too large"});
    }
    assert_int_equal(w.sent_n, 3);
    assert_int_equal(w.done, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_order_goes_to_the_erp_when_its_schema_is_there),
        TEST(an_id_that_became_another_schema_is_the_systems_trouble_and_asked_for_again),
        TEST(a_record_without_a_fingerprint_is_refused_when_its_schema_is_no_order),
        TEST(an_unknown_schema_is_refused_only_after_its_time_and_never_while_the_registry_is_away),
        TEST(more_unknown_ids_than_are_kept_are_all_refused_after_their_time),
        TEST(many_unknown_ids_are_asked_for_at_a_bounded_rate),
        TEST(garbage_does_not_stop_the_intake),
        TEST(an_empty_registry_refuses_none_of_many_orders_that_tell_their_schema),
        TEST(a_partition_that_leaves_takes_its_trouble_with_it),
        TEST(what_cannot_begin_pauses_and_says_so),
        TEST(a_dead_letter_that_the_broker_refuses_is_sent_with_less_until_it_is_taken),
        TEST(a_newer_publication_goes_after_the_older_ones_rejection_is_durable),
        TEST(a_newer_publication_goes_while_the_older_ones_outcome_is_under_way_and_is_finished_after_it),
        cmocka_unit_test_setup_teardown(a_record_that_turns_out_to_be_another_warehouses_waits_for_the_outcome_before_it_unread, setup_of_one_warehouse, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
