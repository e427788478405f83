#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "consumer/letter_count.h"

static void add(struct letter_kinds *k, const char *program, const char *code, const char *kind, int64_t at)
{
    struct kafka_header headers[3];
    size_t n = 0;
    const char *const all[][2] = {{"program", program}, {"reason-code", code}, {"kind", kind}};
    for (size_t i = 0; i < 3; i++)
        if (all[i][1] != NULL)
            headers[n++] = (struct kafka_header){all[i][0], all[i][1], strlen(all[i][1])};
    struct kafka_record r = {.topic = "xsale.orders-dlq", .timestamp = at, .headers = headers, .headers_n = n};
    letter_kinds_add(k, &r);
}

static void letters_are_counted_by_program_and_code(void **state)
{
    (void)state;
    struct letter_kinds k = {.n = 0};
    add(&k, "erp-consumer", "refused", "order", 100);
    add(&k, "erp-consumer", "refused", "order", 300);
    add(&k, "erp-consumer", "given-up", "order", 200);
    add(&k, "xsale-producer", NULL, "xsale-order", 50);
    assert_int_equal(k.total, 4);
    assert_int_equal(k.n, 3);
    assert_string_equal(k.all[0].code, "refused");
    assert_int_equal(k.all[0].n, 2);
    assert_int_equal(k.all[0].newest, 300);
    assert_string_equal(k.all[2].code, "xsale-order");
}

static void what_somebody_else_wrote_is_not_shown(void **state)
{
    (void)state;
    struct letter_kinds k = {.n = 0};
    add(&k, "<script>", "Jan Kowalski, Warszawa", NULL, 1);
    add(&k, NULL, NULL, NULL, 1);
    add(&k, "a-program-with-a-name-that-is-far-too-long-to-be-one-of-ours", "", "order\n", 1);
    assert_int_equal(k.n, 1);
    assert_int_equal(k.all[0].n, 3);
    assert_string_equal(k.all[0].program, "");
    assert_string_equal(k.all[0].code, "");
}

static void kinds_beyond_the_limit_are_one_more(void **state)
{
    (void)state;
    struct letter_kinds k = {.n = 0};
    char code[20];
    for (int i = 0; i < LETTER_KINDS_MAX + 100; i++) {
        (void)snprintf(code, sizeof code, "code-%d", i);
        add(&k, "erp-consumer", code, NULL, i);
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < k.n; i++)
        sum += k.all[i].n;
    assert_int_equal(k.n, LETTER_KINDS_MAX);
    assert_string_equal(k.all[LETTER_KINDS_MAX - 1].code, "other");
    assert_int_equal(sum, LETTER_KINDS_MAX + 100);
    assert_int_equal(k.all[LETTER_KINDS_MAX - 1].newest, LETTER_KINDS_MAX + 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_counted_by_program_and_code),
        cmocka_unit_test(what_somebody_else_wrote_is_not_shown),
        cmocka_unit_test(kinds_beyond_the_limit_are_one_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
