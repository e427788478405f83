#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/poller.h"

/* ---- xSale, played by the test: linked instead of the real client */

struct xsale_call {
    int64_t index, received;
    xsale_done_fn *done;
    void *arg;
};

static struct {
    struct xsale_call *open;
    unsigned asked;
} shop;

struct xsale_call *xsale_get_page(struct xsale_client *x, int64_t index, int64_t received, xsale_done_fn *done, void *arg)
{
    (void)x;
    assert_null(shop.open);
    shop.open = malloc(sizeof *shop.open);
    assert_non_null(shop.open);
    *shop.open = (struct xsale_call){index, received, done, arg};
    shop.asked++;
    return shop.open;
}

void xsale_cancel(struct xsale_call *call)
{
    if (call == NULL)
        return;
    assert_ptr_equal(call, shop.open);
    free(call);
    shop.open = NULL;
}

/* ---- the bench */

static int64_t now = 1000;

static int64_t read_clock(void *arg)
{
    (void)arg;
    return now;
}

static const struct clock test_clock = {read_clock, read_clock, NULL};

struct bench {
    struct loop *loop;
    struct config *config;
    struct poller *p;
    char taken[65536]; /* ids in their order */
    char known[65536]; /* " id " of all taken in this poll */
    int wait_before;   /* the order that has to wait once; 0: none */
    unsigned pages, complete, failed;
    bool unsure; /* nothing is remembered */
};

static enum poller_taken on_order(void *arg, const struct json_tape *tape, uint32_t node)
{
    struct bench *b = arg;
    int64_t id;
    char mark[32];
    assert_int_equal(json_tape_integer(tape, json_tape_member(tape, node, "Id", 2, NULL), &id, NULL), RC_OK);
    if (id == b->wait_before) {
        b->wait_before = 0;
        return POLLER_WAIT;
    }
    snprintf(mark, sizeof mark, " %d ", (int)id);
    snprintf(b->taken + strlen(b->taken), sizeof b->taken - strlen(b->taken), "%d ", (int)id);
    if (b->unsure)
        return POLLER_UNSURE;
    if (strstr(b->known, mark) != NULL)
        return POLLER_REPEATED;
    snprintf(b->known + strlen(b->known), sizeof b->known - strlen(b->known), "%s", mark);
    return POLLER_FRESH;
}

static void on_page(void *arg, size_t orders)
{
    (void)orders;
    ((struct bench *)arg)->pages++;
}

static void on_complete(void *arg)
{
    ((struct bench *)arg)->complete++;
}

static void on_failed(void *arg, const char *words)
{
    assert_non_null(strstr(words, "1000 pages"));
    ((struct bench *)arg)->failed++;
}

static void turn(struct bench *b, int64_t ms)
{
    now += ms;
    for (int i = 0; i < 20; i++)
        loop_turn(b->loop, 0);
}

static struct bench *bench_new(void)
{
    static const struct poller_ops ops = {on_order, on_page, on_complete, on_failed};
    const char *overrides[] = {"xsale.client_id=a", "xsale.client_secret=b", "xsale.username=c", "xsale.password=d", "kafka.bootstrap.servers=127.0.0.1:1",
                               "registry.url=http://127.0.0.1:1"};
    struct config_source source = {.overrides = overrides, .overrides_n = 6, .program = CONFIG_PRODUCER};
    struct config_problems problems = {.count = 0};
    struct bench *b = calloc(1, sizeof *b);
    struct err e;
    assert_non_null(b);
    memset(&shop, 0, sizeof shop);
    buf_init(&problems.text, 100000);
    assert_int_equal(config_load(&source, &b->config, &problems), RC_OK);
    buf_release(&problems.text);
    b->loop = loop_create(&test_clock, &e);
    b->p = poller_create(b->loop, NULL, b->config, NULL, NULL, &ops, b);
    assert_non_null(b->p);
    poller_start(b->p);
    turn(b, 0);
    return b;
}

static void bench_end(struct bench *b)
{
    poller_destroy(b->p);
    assert_null(shop.open);
    config_destroy(b->config);
    loop_destroy(b->loop);
    free(b);
}

static void reply(struct bench *b, enum xsale_end end, const char *body)
{
    struct xsale_call *call = shop.open;
    struct xsale_reply r = {.end = end, .status = 200, .body = body, .body_n = strlen(body), .words = "words"};
    assert_non_null(call);
    shop.open = NULL;
    call->done(call->arg, &r);
    free(call);
    turn(b, 0);
}

static void an_empty_page_ends_the_poll(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2}]");
    assert_int_equal(shop.open->index, 1);
    assert_int_equal(shop.open->received, 2);
    reply(b, XSALE_OK, "[{\"Id\":3}]"); /* a short page does not */
    assert_int_equal(b->complete, 0);
    assert_int_equal(shop.open->received, 3);
    reply(b, XSALE_OK, "[]");
    assert_int_equal(b->complete, 1);
    assert_false(poller_busy(b->p));
    assert_string_equal(b->taken, "1 2 3 ");
    assert_int_equal(b->pages, 3);
    bench_end(b);
}

static void a_server_that_repeats_its_last_page_ends_the_poll(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2}]");
    reply(b, XSALE_OK, "[{\"Id\":2},{\"Id\":3}]"); /* shifted: one is new */
    assert_int_equal(b->complete, 0);
    reply(b, XSALE_OK, "[{\"Id\":2},{\"Id\":3}]");
    assert_int_equal(b->complete, 1);
    bench_end(b);
}

static void orders_that_nobody_can_remember_do_not_end_the_poll(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->unsure = true;
    reply(b, XSALE_OK, "[{\"Id\":1}]");
    reply(b, XSALE_OK, "[{\"Id\":1}]");
    assert_int_equal(b->complete, 0);
    b->unsure = false;
    reply(b, XSALE_OK, "[{\"Id\":8}]"); /* the new ones behind are reached */
    reply(b, XSALE_OK, "[]");
    assert_int_equal(b->complete, 1);
    bench_end(b);
}

static void pages_without_end_are_a_failed_poll_and_no_complete_one(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->unsure = true;
    for (int i = 0; i < POLLER_UNSURE_PAGES - 1; i++)
        reply(b, XSALE_OK, "[{\"Id\":1}]");
    b->unsure = false;
    reply(b, XSALE_OK, "[{\"Id\":2}]"); /* something new: counted from the beginning */
    b->unsure = true;
    for (int i = 0; i < POLLER_UNSURE_PAGES; i++) {
        assert_int_equal(b->failed, 0);
        reply(b, XSALE_OK, "[{\"Id\":1}]");
    }
    assert_int_equal(b->failed, 1);
    assert_int_equal(b->complete, 0);
    assert_false(poller_busy(b->p));
    poller_start(b->p);
    reply(b, XSALE_OK, "[{\"Id\":1}]");
    reply(b, XSALE_OK, "[]");
    assert_int_equal(b->complete, 1);
    bench_end(b);
}

static void a_page_that_fails_or_is_cut_is_asked_for_again_and_never_ends_the_poll(void **state)
{
    (void)state;
    static const struct {
        enum xsale_end end;
        const char *body;
    } bad[] = {{XSALE_REFUSED, ""}, {XSALE_GONE, "[]"}, {XSALE_OK, "[{\"Id\":5},{\"Id\":6"}, {XSALE_OK, "<html>"}, {XSALE_OK, ""}, {XSALE_OK, "{\"error\":1}"}};
    struct bench *b = bench_new();
    reply(b, XSALE_OK, "[{\"Id\":1}]");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reply(b, bad[i].end, bad[i].body);
        assert_null(shop.open); /* not at once */
        turn(b, 61 * 1000);
        assert_int_equal(shop.open->index, 1);
        assert_int_equal(b->complete, 0);
    }
    assert_string_equal(b->taken, "1 "); /* nothing of a cut page was taken */
    reply(b, XSALE_OK, "[{\"Id\":5}]");
    reply(b, XSALE_OK, "[]");
    assert_int_equal(b->complete, 1);
    assert_string_equal(b->taken, "1 5 ");
    bench_end(b);
}

static void whoever_takes_the_orders_may_make_it_wait(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->wait_before = 2;
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2},{\"Id\":3}]");
    turn(b, 1000);
    assert_string_equal(b->taken, "1 ");
    assert_null(shop.open);
    poller_resume(b->p);
    poller_resume(b->p); /* a second one is harmless */
    turn(b, 0);
    assert_string_equal(b->taken, "1 2 3 ");
    assert_int_equal(shop.open->index, 1);
    bench_end(b);
}

static void a_large_page_is_handed_out_over_several_turns(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    struct buf page;
    buf_init(&page, 1 << 20);
    buf_put_text(&page, "[{\"Id\":1}");
    for (int i = 2; i <= 1000; i++)
        buf_printf(&page, ",{\"Id\":%d}", i);
    buf_put_text(&page, "]");
    struct xsale_call *call = shop.open;
    struct xsale_reply r = {.end = XSALE_OK, .body = buf_text(&page), .words = ""};
    r.body_n = page.n;
    shop.open = NULL;
    call->done(call->arg, &r);
    free(call);
    buf_release(&page); /* the poller has its own copy */
    assert_null(strstr(b->known, " 1000 "));
    turn(b, 0);
    assert_non_null(strstr(b->known, " 1000 "));
    bench_end(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_page_ends_the_poll),
        cmocka_unit_test(a_server_that_repeats_its_last_page_ends_the_poll),
        cmocka_unit_test(orders_that_nobody_can_remember_do_not_end_the_poll),
        cmocka_unit_test(pages_without_end_are_a_failed_poll_and_no_complete_one),
        cmocka_unit_test(a_page_that_fails_or_is_cut_is_asked_for_again_and_never_ends_the_poll),
        cmocka_unit_test(whoever_takes_the_orders_may_make_it_wait),
        cmocka_unit_test(a_large_page_is_handed_out_over_several_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
