/* No message makes the readers of the topics take more memory than its length justifies, whatever lengths and counts it claims: every allocation of ours
 * (the linker's --wrap) and of avro-c (its allocator) is measured. jansson reads no message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_walk.h"
#include "common/contract/ledger_row.h"
#include "common/contract/order_state.h"
#include "common/contract/order_view.h"
#include "common/contract/outcome.h"
#include "common/contract/page.h"
#include "common/contract/resolution.h"
#include "common/kafka/frame.h"
#include "tests/fuzz/schema_table.h"

enum {
    BASE_BYTES = 256 * 1024, /* of one allocation for any message: fixed structs, AVRO_WALK_EMPTY items, a buffer's first step */
    TOTAL_BYTES = 4 * BASE_BYTES,
    PER_BYTE = 128, /* a byte of a message, as avro-c or a tape hold it */
    MESSAGE_BYTES = 1 << 16,
    OUT_BYTES = 1 << 24,
    ROUNDS = 3000,
    WRITERS = 32
};

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

static struct {
    size_t largest, total; /* bytes asked for */
} taken;

static void note(size_t n)
{
    taken.largest = n > taken.largest ? n : taken.largest;
    taken.total += n;
}

void *__wrap_malloc(size_t n)
{
    note(n);
    return __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
    note(n == 0 || count <= SIZE_MAX / n ? count * n : SIZE_MAX);
    return __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    note(n);
    return __real_realloc(p, n);
}

static void *avro_take(void *arg, void *p, size_t had, size_t n)
{
    (void)arg, (void)had;
    if (n == 0) {
        free(p);
        return NULL;
    }
    note(n);
    return __real_realloc(p, n);
}

struct readers {
    struct order_view *view;
    struct resolution *resolutions[4];
    struct record_writer writers[WRITERS];
};

static struct readers readers;

static void read_order(size_t which, const unsigned char *p, size_t n)
{
    static struct order_head head;
    struct buf out;
    buf_init(&out, OUT_BYTES);
    if (which == SCHEMA_TABLE_ORDER && order_view_head(readers.view, p, n, &head, NULL) == RC_OK)
        (void)order_view_json(readers.view, p, n, NULL, &out, NULL);
    buf_release(&out);
}

static void read_small(size_t which, const unsigned char *p, size_t n)
{
    struct record_writer *s = &readers.writers[which];
    struct outcome *o = NULL;
    struct ledger_row *r = NULL;
    struct order_state *t = NULL;
    (void)outcome_decode(s, p, n, &o, NULL);
    (void)ledger_row_decode(s, p, n, &r, NULL);
    (void)order_state_decode(s, p, n, &t, NULL);
    outcome_destroy(o);
    ledger_row_destroy(r);
    order_state_destroy(t);
}

static void read_resolved(size_t which, const unsigned char *p, size_t n)
{
    struct buf out;
    buf_init(&out, OUT_BYTES);
    if (which < SCHEMA_TABLE_OTHERS)
        (void)resolution_run(readers.resolutions[which], p, n, &out, NULL);
    buf_release(&out);
}

static void read_page(const unsigned char *p, size_t n)
{
    struct page page;
    page_init(&page);
    (void)page_parse(&page, (const char *)p, n, "", NULL);
    page_release(&page);
}

/* A whole message as it comes from a topic: frame and bytes. */
static void expect_bounded(size_t which, const unsigned char *message, size_t n)
{
    const unsigned char *avro;
    size_t avro_n;
    int32_t id;
    if (frame_parse(message, n, &id, &avro, &avro_n, NULL) != RC_OK)
        return;
    memset(&taken, 0, sizeof taken);
    read_order(which, avro, avro_n);
    read_resolved(which, avro, avro_n);
    read_small(which, avro, avro_n);
    read_page(avro, avro_n);
    if (taken.largest > BASE_BYTES + n * PER_BYTE || taken.total > TOTAL_BYTES + 8 * n * PER_BYTE)
        fail_msg("schema %zu, message of %zu bytes: %zu bytes at once, %zu in all", which, n, taken.largest, taken.total);
}

static void expect_avro_bounded(const void *avro, size_t n)
{
    struct buf message;
    buf_init(&message, MESSAGE_BYTES);
    frame_put(&message, 7);
    buf_put(&message, avro, n);
    assert_false(buf_failed(&message));
    for (size_t i = 0; i < schema_table_count(); i++)
        expect_bounded(i, message.p, message.n);
    buf_release(&message);
}

/* Resolutions are compiled once, by whatever comes first. */
static int set_up_small(void)
{
    if (schema_table_count() > WRITERS)
        return -1;
    for (size_t i = 0; i < schema_table_count(); i++) {
        record_writer_init(&readers.writers[i], schema_table_at(i));
        read_small(i, (const unsigned char *)"", 0);
    }
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    if (set_up_small() != 0)
        return -1;
    if (order_view_create(schema_table_at(SCHEMA_TABLE_ORDER), &readers.view, NULL) != RC_OK)
        return -1;
    for (size_t i = 0; i < SCHEMA_TABLE_OTHERS; i++)
        if (resolution_compile(schema_table_at(i), schema_table_at(i), &readers.resolutions[i], NULL) != RC_OK)
            return -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    order_view_destroy(readers.view);
    for (size_t i = 0; i < WRITERS; i++)
        record_writer_release(&readers.writers[i]);
    for (size_t i = 0; i < SCHEMA_TABLE_OTHERS; i++)
        resolution_destroy(readers.resolutions[i]);
    return 0;
}

static void the_measure_sees_avro_c_and_us(void **state)
{
    (void)state;
    struct buf b;
    memset(&taken, 0, sizeof taken);
    buf_init(&b, OUT_BYTES);
    assert_true(buf_reserve(&b, 5000));
    buf_release(&b);
    assert_true(taken.largest >= 5000 && taken.largest < BASE_BYTES);
    avro_schema_t s = avro_schema_string();
    avro_value_iface_t *iface = avro_generic_class_from_schema(s);
    avro_value_t v;
    memset(&taken, 0, sizeof taken);
    assert_int_equal(avro_generic_value_new(iface, &v), 0);
    assert_true(taken.total > 0);
    avro_value_decref(&v);
    avro_value_iface_decref(iface);
    avro_schema_decref(s);
}

static void claimed_lengths_and_counts_take_no_memory(void **state)
{
    (void)state;
    static const char *const heads[] = {"", "\x08\x61\x63me\x02", "\x02", "\x02\x02", "\x01", "\x03\x04", "\x0A"};
    static const char huge[][10] = {
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"}, /* 2^62 */
        {"\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"}, /* 2^63 - 1 */
        {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"}, /* -2^63 */
        {"\x80\x80\x80\x80\x20\0\0\0\0\0"},           /* 2^32 */
        {"\x80\x80\x80\x80\x08\0\0\0\0\0"},           /* 2^30 */
        {"\x80\x89\x7A\0\0\0\0\0\0\0"},               /* 1,000,000 */
        {"\x80\x40\0\0\0\0\0\0\0\0"},                 /* 4,096 */
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        for (size_t j = 0; j < sizeof huge / sizeof huge[0]; j++) {
            unsigned char message[64] = {0};
            size_t n = strlen(heads[i]);
            memcpy(message, heads[i], n);
            memcpy(message + n, huge[j], sizeof huge[j]);
            for (size_t behind = 0; behind < 16; behind++)
                expect_avro_bounded(message, n + sizeof huge[j] + behind);
        }
}

static void nesting_bombs_take_no_memory(void **state)
{
    (void)state;
    static const unsigned char levels[] = {0x00, 0x02, 0x04, 0x01, '[', '{'};
    unsigned char bomb[20000];
    for (size_t i = 0; i < sizeof levels; i++) {
        memset(bomb, levels[i], sizeof bomb);
        expect_avro_bounded(bomb, sizeof bomb);
    }
    for (size_t i = 0; i < sizeof bomb; i++)
        bomb[i] = i % 2 == 0 ? 0x02 : 0x80;
    expect_avro_bounded(bomb, sizeof bomb);
}

static void made_up_bytes_take_no_memory(void **state)
{
    (void)state;
    uint64_t seed = 1;
    unsigned char bytes[400];
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = 0, length = (size_t)(round % 399) + 1;
        for (; n < length; n++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned byte = (unsigned)(seed >> 40);
            bytes[n] = (unsigned char)(byte % 3 == 0 ? byte >> 8 & 7 : byte >> 8); /* small numbers lead further */
        }
        expect_avro_bounded(bytes, n);
    }
}

int main(void)
{
    avro_set_allocator(avro_take, NULL); /* before the first allocation of avro-c */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_measure_sees_avro_c_and_us),
        cmocka_unit_test(claimed_lengths_and_counts_take_no_memory),
        cmocka_unit_test(nesting_bombs_take_no_memory),
        cmocka_unit_test(made_up_bytes_take_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
