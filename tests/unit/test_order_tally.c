#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "consumer/order_tally.h"

static void add(struct order_tally *t, const char *key, const char *publication, int64_t at, bool inside)
{
    struct kafka_header h = {"publication", publication, publication != NULL ? strlen(publication) : 0};
    struct kafka_record r = {.key = key, .key_n = strlen(key), .timestamp = at, .headers = &h, .headers_n = publication != NULL};
    order_tally_add(t, &r, inside);
}

static void records_behind_a_newer_publication_are_superseded(void **state)
{
    (void)state;
    struct order_tally t;
    uint64_t orders, superseded;
    order_tally_init(&t);
    add(&t, "acme/1", "1000", 10, true);  /* newer inside */
    add(&t, "acme/1", "2000", 20, true);
    add(&t, "acme/2", "1000", 30, true);  /* newer outside */
    add(&t, "acme/2", "3000", 40, false);
    add(&t, "acme/3", "5000", 5, true);   /* an older one behind it changes nothing */
    add(&t, "acme/3", "4000", 50, false);
    add(&t, "acme/4", "1000", 60, false); /* outside only */
    add(&t, "acme/5", NULL, 7, true);     /* without a publication */
    order_tally_sum(&t, &orders, &superseded);
    assert_int_equal(t.records, 5);
    assert_int_equal(orders, 4);
    assert_int_equal(superseded, 2);
    assert_false(t.full);
    assert_string_equal(t.first, "acme/3");
    assert_string_equal(t.last, "acme/2");
    assert_true(t.first_at == 5 && t.last_at == 30);
    order_tally_release(&t);
}

static void many_orders_are_told_apart(void **state)
{
    (void)state;
    struct order_tally t;
    uint64_t orders, superseded;
    order_tally_init(&t);
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 50000; i++) {
            char key[32], publication[32];
            (void)snprintf(key, sizeof key, "acme/%d", i);
            (void)snprintf(publication, sizeof publication, "%d", 1000 + round);
            add(&t, key, publication, i, true);
        }
    order_tally_sum(&t, &orders, &superseded);
    assert_int_equal(orders, 50000);
    assert_int_equal(superseded, 50000);
    assert_int_equal(t.records, 100000);
    order_tally_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_behind_a_newer_publication_are_superseded),
        cmocka_unit_test(many_orders_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
