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
    struct xsale_call *next; /* asked for later */
    int64_t index, received;
    struct buf *into;
    xsale_done_fn *done;
    void *arg;
};

static struct {
    struct xsale_call *open; /* oldest first */
    unsigned asked;
    bool no_room;
} shop;

struct xsale_call *xsale_get_page(struct xsale_client *x, const struct xsale_page *page, xsale_done_fn *done, void *arg)
{
    (void)x;
    struct xsale_call *call = malloc(sizeof *call), **at = &shop.open;
    assert_non_null(call);
    *call = (struct xsale_call){NULL, page->index, page->received, page->into, done, arg};
    while (*at != NULL)
        at = &(*at)->next;
    *at = call;
    shop.asked++;
    return call;
}

static struct xsale_call *take_out(struct xsale_call *call)
{
    struct xsale_call **at = &shop.open;
    while (*at != call) {
        assert_non_null(*at);
        at = &(*at)->next;
    }
    *at = call->next;
    return call;
}

void xsale_cancel(struct xsale_call *call)
{
    if (call != NULL)
        free(take_out(call));
}

bool xsale_client_room(const struct xsale_client *x)
{
    (void)x;
    return !shop.no_room;
}

static size_t open_pages(void)
{
    size_t n = 0;
    for (struct xsale_call *c = shop.open; c != NULL; c = c->next)
        n++;
    return n;
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

static struct bench *bench_with(const char *more)
{
    static const struct poller_ops ops = {on_order, on_page, on_complete, on_failed};
    const char *overrides[] = {"xsale.client_id=a", "xsale.client_secret=b", "xsale.username=c", "xsale.password=d", "kafka.bootstrap.servers=127.0.0.1:1",
                               "registry.url=http://127.0.0.1:1", more};
    struct config_source source = {.overrides = overrides, .overrides_n = more != NULL ? 7 : 6, .program = CONFIG_PRODUCER};
    struct config_problems problems = {.count = 0};
    struct bench *b = calloc(1, sizeof *b);
    struct err e;
    assert_non_null(b);
    assert_null(shop.open);
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

static struct bench *bench_new(void)
{
    return bench_with(NULL);
}

static void bench_end(struct bench *b)
{
    poller_destroy(b->p);
    assert_null(shop.open);
    config_destroy(b->config);
    loop_destroy(b->loop);
    free(b);
}

static void reply_to(struct bench *b, struct xsale_call *call, enum xsale_end end, const char *body)
{
    struct xsale_reply r = {.end = end, .status = 200, .body = body, .body_n = strlen(body), .words = "words", .request = "GET /orders?page=7"};
    assert_non_null(call);
    assert_non_null(call->into);
    take_out(call);
    buf_reset(call->into);
    buf_put(call->into, body, r.body_n);
    r.body = buf_text(call->into);
    call->done(call->arg, &r);
    free(call);
    turn(b, 0);
}

static void reply(struct bench *b, enum xsale_end end, const char *body)
{
    reply_to(b, shop.open, end, body);
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
        turn(b, 301 * 1000);
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
    struct xsale_call *call = shop.open;
    struct buf *page = call->into;
    buf_put_text(page, "[{\"Id\":1}");
    for (int i = 2; i <= 1000; i++)
        buf_printf(page, ",{\"Id\":%d}", i);
    buf_put_text(page, "]");
    struct xsale_reply r = {.end = XSALE_OK, .body = buf_text(page), .body_n = page->n, .words = "", .request = ""};
    take_out(call);
    call->done(call->arg, &r);
    free(call);
    assert_null(strstr(b->known, " 1000 "));
    turn(b, 0);
    assert_non_null(strstr(b->known, " 1000 "));
    bench_end(b);
}

static void after_a_full_page_the_next_ones_are_asked_for_ahead_and_handed_out_in_order(void **state)
{
    (void)state;
    struct bench *b = bench_with("xsale.page_size=2");
    assert_int_equal(open_pages(), 1); /* nobody knows yet that there are more */
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2}]");
    assert_int_equal(open_pages(), 2);
    assert_int_equal(shop.open->index, 1);
    assert_int_equal(shop.open->next->index, 2);
    reply_to(b, shop.open->next, XSALE_OK, "[{\"Id\":5},{\"Id\":6}]"); /* the later one comes first */
    assert_string_equal(b->taken, "1 2 ");
    assert_int_equal(open_pages(), 1);
    reply(b, XSALE_OK, "[{\"Id\":3},{\"Id\":4}]");
    assert_string_equal(b->taken, "1 2 3 4 5 6 ");
    assert_int_equal(shop.open->index, 3);
    assert_int_equal(shop.open->next->index, 4);
    reply(b, XSALE_OK, "[{\"Id\":7}]"); /* a short page: nothing more ahead */
    assert_int_equal(open_pages(), 1);
    reply(b, XSALE_OK, "[]");
    assert_int_equal(b->complete, 1);
    assert_int_equal(shop.asked, 5);
    poller_start(b->p);
    reply(b, XSALE_OK, "[]"); /* nothing of the poll before is left */
    assert_int_equal(b->complete, 2);
    bench_end(b);
}

static void what_was_asked_for_past_the_end_is_dropped(void **state)
{
    (void)state;
    struct bench *b = bench_with("xsale.page_size=2");
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2}]");
    reply(b, XSALE_OK, "[]");
    assert_int_equal(b->complete, 1);
    assert_int_equal(open_pages(), 0);
    bench_end(b);
}

static void a_page_ahead_that_fails_is_asked_for_again_in_its_turn(void **state)
{
    (void)state;
    struct bench *b = bench_with("xsale.page_size=2");
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2}]");
    reply_to(b, shop.open->next, XSALE_REFUSED, "");
    assert_int_equal(open_pages(), 1);
    reply(b, XSALE_OK, "[{\"Id\":3}]");
    assert_int_equal(shop.open->index, 2);
    reply(b, XSALE_OK, "[{\"Id\":4},{\"Id\":5}"); /* cut, in its turn */
    assert_int_equal(b->complete, 0);
    turn(b, 301 * 1000);
    assert_int_equal(shop.open->index, 2);
    reply(b, XSALE_OK, "[{\"Id\":4},{\"Id\":5}]");
    reply_to(b, shop.open, XSALE_REFUSED, ""); /* awaited when it failed */
    turn(b, 301 * 1000);
    struct xsale_call *wanted = shop.open;
    while (wanted != NULL && wanted->index != 3)
        wanted = wanted->next;
    reply_to(b, wanted, XSALE_OK, "[]");
    assert_int_equal(b->complete, 1);
    assert_string_equal(b->taken, "1 2 3 4 5 ");
    bench_end(b);
}

static void nothing_is_asked_ahead_without_quota_or_by_offset(void **state)
{
    (void)state;
    struct bench *b = bench_with("xsale.page_size=2");
    shop.no_room = true;
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2}]");
    assert_int_equal(open_pages(), 1);
    assert_int_equal(shop.open->index, 1);
    bench_end(b);
    b = bench_with("xsale.paging=offset");
    reply(b, XSALE_OK, "[{\"Id\":1},{\"Id\":2}]");
    reply(b, XSALE_OK, "[{\"Id\":2},{\"Id\":3}]"); /* as large as they come */
    assert_int_equal(open_pages(), 1);
    assert_int_equal(shop.open->received, 4);
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
        cmocka_unit_test(after_a_full_page_the_next_ones_are_asked_for_ahead_and_handed_out_in_order),
        cmocka_unit_test(what_was_asked_for_past_the_end_is_dropped),
        cmocka_unit_test(a_page_ahead_that_fails_is_asked_for_again_in_its_turn),
        cmocka_unit_test(nothing_is_asked_ahead_without_quota_or_by_offset),
        cmocka_unit_test(whoever_takes_the_orders_may_make_it_wait),
        cmocka_unit_test(a_large_page_is_handed_out_over_several_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
