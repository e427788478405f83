#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_json.h"
#include "common/contract/decimal.h"

static void expect_text(struct buf *out, const unsigned char *p, size_t n, const char *wanted)
{
    unsigned char *copy = malloc(n > 0 ? n : 1); /* of exactly its size, so that ASan sees a byte read too many */
    assert_non_null(copy);
    memcpy(copy, p, n);
    buf_reset(out);
    avro_json_text(out, copy, n);
    free(copy);
    assert_string_equal(buf_text(out), wanted);
}

/* In texts of every length, so that every edge of whatever is looked at together is met. */
static void what_must_be_escaped_is_wherever_it_stands(void **state)
{
    static const struct {
        unsigned char byte;
        const char *escaped;
    } row[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {0x1f, "\\u001f"}, {0, "\\u0000"}, {0x7f, "\x7f"}, {0x20, " "}, {0xc5, "\xc5"}, {'!', "!"}, {'#', "#"}, {'[', "["}, {']', "]"}};
    struct buf out;
    char wanted[80];
    unsigned char text[48];
    (void)state;
    buf_init(&out, 1000);
    for (size_t n = 0; n < sizeof text; n++)
        for (size_t at = 0; at < n; at++)
            for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
                memset(text, 'x', sizeof text);
                text[at] = row[i].byte;
                size_t length = 0;
                wanted[length++] = '"';
                for (size_t k = 0; k < n; k++) {
                    size_t made = k == at ? strlen(row[i].escaped) : 1;
                    memcpy(wanted + length, k == at ? row[i].escaped : "x", made);
                    length += made;
                }
                memcpy(wanted + length, "\"", 2);
                expect_text(&out, text, n, wanted);
            }
    expect_text(&out, text, 0, "\"\"");
    buf_release(&out);
}

static void a_member_has_its_name_for_the_erp_whatever_it_is(void **state)
{
    static const char schema[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\",\"erp\":\"say \\\"hi\\\"\\n\"},"
                                 "{\"name\":\"c\",\"type\":\"int\",\"erp\":\"\"},{\"name\":\"d\",\"type\":\"int\",\"erp\":\"a name that is longer than what is copied at once, by far\"},"
                                 "{\"name\":\"e\",\"type\":\"int\",\"erp\":7}]}";
    static const unsigned char avro[] = {2, 4, 6, 8, 10};
    struct schema *s;
    struct buf out;
    struct err e;
    (void)state;
    assert_int_equal(schema_parse(schema, sizeof schema - 1, &s, &e), RC_OK);
    for (size_t most = 100; most < 200; most++) { /* also into a buffer that is nearly full */
        struct avro_cursor c = {avro, avro + sizeof avro};
        buf_init(&out, most);
        assert_int_equal(avro_json_value(schema_root(s), NULL, &c, &out, &e), RC_OK);
        static const char wanted[] = "{\"a\":1,\"say \\\"hi\\\"\\n\":2,\"\":3,\"a name that is longer than what is copied at once, by far\":4,\"e\":5}";
        assert_int_equal(buf_failed(&out), most < strlen(wanted));
        if (!buf_failed(&out))
            assert_string_equal(buf_text(&out), wanted);
        buf_release(&out);
    }
    schema_destroy(s);
}

static void an_amount_in_64_bits_is_written_without_zeros_at_its_end(void **state)
{
    char wanted[80], made[DECIMAL_TEXT];
    uint64_t random = 1;
    (void)state;
    for (int round = 0; round < 100000; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int scale = (int)(random >> 60), shift = (int)(random >> 53 & 63);
        int64_t v = (int64_t)(random << 7) >> shift;
        if ((random >> 51 & 1) != 0)
            v = v / 1000 * 1000;
        uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
        char digits[40];
        int n = snprintf(digits, sizeof digits, "%0*" PRIu64, scale + 1, magnitude);
        int length = snprintf(wanted, sizeof wanted, "%s%.*s%s%s", v < 0 ? "-" : "", n - scale, digits, scale > 0 ? "." : "", digits + n - scale);
        while (scale > 0 && wanted[length - 1] == '0')
            wanted[--length] = '\0';
        if (wanted[length - 1] == '.')
            wanted[--length] = '\0';
        assert_int_equal(decimal_to_text(v, scale, made), length);
        assert_string_equal(made, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_must_be_escaped_is_wherever_it_stands),
        cmocka_unit_test(a_member_has_its_name_for_the_erp_whatever_it_is),
        cmocka_unit_test(an_amount_in_64_bits_is_written_without_zeros_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
