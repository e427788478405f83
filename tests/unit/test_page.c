#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/contract/page.h"

/* Number of orders; -1: refused with these words in the reason. */
static void expect(const char *text, const char *envelope, int orders, const char *words)
{
    struct page p;
    struct err e;
    uint32_t order;
    int given = 0;
    page_init(&p);
    enum rc rc = page_parse(&p, text, strlen(text), envelope, &e);
    while (page_next(&p, &order)) {
        assert_int_equal(p.tape.nodes[order].type, JSON_TAPE_OBJECT);
        given++;
    }
    if (orders < 0) {
        assert_int_equal(rc, RC_REJECT);
        assert_int_equal(given, 0);
        assert_non_null(strstr(e.text, words));
    } else {
        assert_int_equal(rc, RC_OK);
        assert_int_equal(p.count, orders);
        assert_int_equal(given, orders);
    }
    page_release(&p);
}

static void orders_are_found_in_any_envelope(void **state)
{
    (void)state;
    expect("[]", "", 0, NULL);
    expect("[{\"Id\":1,\"Items\":[{},{}]},{\"Id\":2}]", "", 2, NULL);
    expect("{\"total\":7,\"data\":{\"orders\":[{\"a\":[1,2]},{},{}]}}", "/data/orders", 3, NULL);
    expect("{\"pages\":[[],[{}]]}", "/pages/1", 1, NULL);
}

static void a_page_of_another_shape_gives_no_orders(void **state)
{
    (void)state;
    expect("{\"Items\":[{}]}", "", -1, "an object is there");
    expect("[{}]", "/orders", -1, "the body is an array");
    expect("{\"orders\":null}", "/orders", -1, "null is there");
    expect("{\"orders\":\"x\"}", "/orders", -1, "a text is there");
    expect("\"error\"", "", -1, "a text is there");
    expect("", "", -1, "JSON");
    expect("<html>", "", -1, "JSON");
}

static void a_page_cut_anywhere_gives_no_orders(void **state)
{
    static const char text[] = "{\"orders\":[{\"Id\":1},{\"Id\":2},{\"Id\":3}]}";
    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char cut[sizeof text];
        memcpy(cut, text, n);
        cut[n] = '\0';
        expect(cut, "/orders", -1, "JSON");
    }
    expect(text, "/orders", 3, NULL);
}

static void a_bad_page_forgets_the_one_before(void **state)
{
    struct page p;
    struct err e;
    uint32_t order;
    (void)state;
    page_init(&p);
    assert_int_equal(page_parse(&p, "[{},{}]", 7, "", &e), RC_OK);
    assert_int_equal(page_parse(&p, "[{},{}", 6, "", &e), RC_REJECT);
    assert_false(page_next(&p, &order));
    assert_int_equal(p.count, 0);
    page_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_found_in_any_envelope),
        cmocka_unit_test(a_page_of_another_shape_gives_no_orders),
        cmocka_unit_test(a_page_cut_anywhere_gives_no_orders),
        cmocka_unit_test(a_bad_page_forgets_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
