#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "common/contract/order_view.h"
#include "consumer/load.h"
#include "tests/unit/avro_bytes.h"

/* Linked instead of realloc, from which every buffer's memory comes. */
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);

static long left = -1; /* calls that are given memory, the next one is not; -1: all are */
static bool lacked;

void *__wrap_realloc(void *p, size_t n)
{
    if (left == 0) {
        left = -1;
        lacked = true;
        return NULL;
    }
    left -= left > 0;
    return __real_realloc(p, n);
}

static const char order[] = "{\"organization\":\"acme\",\"orderId\":7,\"revision\":\"0123456789abcdef\",\"publication\":9,\"round\":9,\"fetchedAt\":1,\"warehouses\":[\"MAG-1\",\"MAG-2\"],"
                            "\"items\":[{\"itemId\":1,\"quantity\":\"3\",\"articles\":[{\"code\":\"A\",\"quantity\":\"1\",\"warehouse\":\"MAG-1\"},"
                            "{\"code\":\"B\",\"quantity\":\"2\",\"warehouse\":\"MAG-2\"}]}]}";

struct bench {
    struct schema *schema;
    struct order_view *view;
    struct buf avro;
    struct order_record record;
    struct load load;
};

static int open_bench(void **state)
{
    static struct bench b;
    struct err e;
    b = (struct bench){.schema = schema_of(schema_builtin("Order"))};
    if (order_view_create(b.schema, &b.view, &e) != RC_OK)
        return -1;
    buf_init(&b.avro, 1 << 20);
    bytes_json(&b.avro, b.schema, order);
    b.record.view = b.view;
    b.record.avro = b.avro.p;
    b.record.avro_n = b.avro.n;
    b.load.record = &b.record;
    memcpy(b.load.warehouse, "MAG-1", 6);
    *state = &b;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *b = *state;
    buf_release(&b->avro);
    order_view_destroy(b->view);
    schema_destroy(b->schema);
    return 0;
}

static void a_lack_of_memory_is_a_reason_to_try_again_and_never_to_reject(void **state)
{
    struct bench *b = *state;
    static const size_t abouts[] = {0, 4000};
    for (size_t i = 0; i < 2; i++) {
        int tries = 0;
        for (long at = 0;; at++, tries++) {
            struct err e = {""};
            left = at;
            lacked = false;
            enum rc rc = load_take_off(&b->load, true, 100000, abouts[i], &e);
            left = -1;
            if (!lacked) {
                assert_int_equal(rc, RC_OK);
                break;
            }
            assert_int_equal(rc, RC_RETRY);
            assert_non_null(strstr(e.text, "out of memory"));
            assert_null(b->load.flight);
        }
        assert_in_range(tries, 1, 100); /* each place where memory is asked for was denied once */
        assert_non_null(strstr(b->load.flight->erp.document, "\"A\""));
        load_land(&b->load);
    }
}

static void a_document_beyond_its_limit_is_rejected(void **state)
{
    struct bench *b = *state;
    struct err e = {""};
    assert_int_equal(load_take_off(&b->load, true, 50, 4000, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "larger than 50 bytes"));
    assert_null(b->load.flight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lack_of_memory_is_a_reason_to_try_again_and_never_to_reject, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(a_document_beyond_its_limit_is_rejected, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
