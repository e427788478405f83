#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/traceparent.h"
#include "producer/order_traces.h"

#define A "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define B "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void note(struct order_traces *t, int64_t order_id, const char *text)
{
    struct kafka_header h = {"traceparent", text, strlen(text)};
    struct kafka_record r = {.headers = &h, .headers_n = 1};
    order_traces_note(t, order_id, &r);
}

static void the_newest_trace_of_an_order_is_found(void **state)
{
    (void)state;
    char id[TRACEPARENT_ID];
    struct order_traces *t = order_traces_create();
    assert_null(order_traces_find(t, 1));
    note(t, 1, A);
    note(t, 2, A);
    note(t, 1, B);
    assert_string_equal(order_traces_find(t, 1), B);
    order_traces_id(t, 2, id);
    assert_string_equal(id, "0af7651916cd43dd8448eb211c80319c");
    order_traces_id(t, 3, id);
    assert_string_equal(id, "");
    order_traces_id(NULL, 3, id);
    assert_string_equal(id, "");
    order_traces_destroy(t);
}

static void what_is_no_trace_changes_nothing(void **state)
{
    (void)state;
    struct order_traces *t = order_traces_create();
    struct kafka_record bare = {.headers_n = 0};
    note(t, 1, A);
    note(t, 1, "");
    note(t, 1, "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    note(t, 1, A "0");
    note(t, 1, "00-0af7651916cd43dd8448eb211c80319c\r\nb7ad6b716920333-01");
    order_traces_note(t, 1, &bare);
    assert_string_equal(order_traces_find(t, 1), A);
    order_traces_destroy(t);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
    (void)state;
    struct order_traces *t = order_traces_create();
    for (int64_t i = 0; i <= ORDER_TRACES; i++)
        note(t, i, A);
    assert_null(order_traces_find(t, 0));
    assert_non_null(order_traces_find(t, 1));
    assert_non_null(order_traces_find(t, ORDER_TRACES));
    order_traces_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_trace_of_an_order_is_found),
        cmocka_unit_test(what_is_no_trace_changes_nothing),
        cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
