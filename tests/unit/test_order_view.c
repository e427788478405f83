#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/avro_json.h"
#include "common/contract/order_view.h"
#include "tests/unit/avro_bytes.h"

#define HEAD                                                                                                                      \
    "\"organization\":\"acme\",\"orderId\":100123,\"revision\":\"0123456789abcdef\",\"publication\":1764000000123,\"round\":1764000000000,"  \
    "\"fetchedAt\":1763650991123"

/* MAG-1: an article of item 1, and item 2 as the order's own; MAG-2: another article of item 1; MAG-3: item 3. */
#define ORDER                                                                                                                     \
    "{" HEAD ",\"purchasedAt\":1763643791123,\"totalNet\":\"249.99\",\"totalGross\":\"-0.5\",\"remarks\":\"a\\\"b\\\\c\\n\\t\\u0001\xC5\xBC\"," \
    "\"buyer\":{\"name\":\"Jan\"},\"warehouse\":\"MAG-1\",\"warehouses\":[\"MAG-1\",\"MAG-2\",\"MAG-3\",\"MAG-4\"],\"raw\":\"{}\",\"items\":["   \
    "{\"itemId\":1,\"quantity\":\"3\",\"articles\":[{\"code\":\"A\",\"quantity\":\"1\",\"warehouse\":\"MAG-2\"},"                \
    "{\"code\":\"B\",\"quantity\":\"2\"}]},"                                                                                      \
    "{\"itemId\":2,\"quantity\":\"0.125\"},"                                                                                      \
    "{\"itemId\":3,\"quantity\":\"1\",\"articles\":[{\"code\":\"C\",\"quantity\":\"1\",\"warehouse\":\"MAG-3\"}]}]}"

struct fixture {
    struct schema *schema;
    struct order_view *view;
    struct buf avro, json;
    struct order_head head;
};

static void begin(struct fixture *f, const char *schema, const char *order)
{
    struct err e = {0};
    f->schema = schema_of(schema);
    f->view = NULL;
    if (order_view_create(f->schema, &f->view, &e) != RC_OK)
        fail_msg("%s", e.text);
    buf_init(&f->avro, 1 << 20);
    buf_init(&f->json, 1 << 20);
    bytes_json(&f->avro, f->schema, order);
}

static void end(struct fixture *f)
{
    buf_release(&f->avro);
    buf_release(&f->json);
    order_view_destroy(f->view);
    schema_destroy(f->schema);
}

static void read_head(struct fixture *f)
{
    struct err e = {0};
    if (order_view_head(f->view, f->avro.p, f->avro.n, &f->head, &e) != RC_OK)
        fail_msg("%s", e.text);
}

static const char *json_for(struct fixture *f, const char *warehouse)
{
    struct err e = {0};
    buf_reset(&f->json);
    if (order_view_json(f->view, f->avro.p, f->avro.n, warehouse, &f->json, &e) != RC_OK)
        fail_msg("%s", e.text);
    return buf_text(&f->json);
}

static void the_head_tells_what_decides_about_an_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, schema_builtin("Order"), ORDER);
    read_head(&f);
    assert_string_equal(f.head.organization, "acme");
    assert_true(f.head.order_id == 100123 && f.head.publication == 1764000000123 && f.head.round == 1764000000000);
    assert_string_equal(f.head.revision, "0123456789abcdef");
    assert_false(f.head.withdrawn);
    assert_int_equal(f.head.warehouses.n, 4);
    assert_int_equal(f.head.delivering.n, 3);
    assert_true(warehouse_set_has(&f.head.delivering, "MAG-1") && warehouse_set_has(&f.head.delivering, "MAG-2") &&
                warehouse_set_has(&f.head.delivering, "MAG-3"));
    assert_false(f.head.undivided);
    assert_int_equal(f.head.raw_n, 2);
    assert_memory_equal(f.head.raw, "{}", 2);
    end(&f);
}

static void a_withdrawal_of_a_vanished_order_delivers_nothing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, schema_builtin("Order"), "{" HEAD ",\"withdrawn\":true,\"warehouses\":[\"MAG-1\"],\"items\":[]}");
    read_head(&f);
    assert_true(f.head.withdrawn);
    assert_int_equal(f.head.warehouses.n, 1);
    assert_int_equal(f.head.delivering.n, 0);
    assert_null(f.head.raw);
    end(&f);
}

static void the_document_is_compact_exact_and_in_the_schemas_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, schema_builtin("Order"), ORDER);
    assert_string_equal(
        json_for(&f, NULL),
        "{\"organization\":\"acme\",\"orderId\":100123,\"revision\":\"0123456789abcdef\",\"publication\":1764000000123,\"round\":1764000000000,"
        "\"withdrawn\":false,\"number\":null,\"foreignNumber\":null,\"statusId\":null,\"statusName\":null,\"integrationId\":null,"
        "\"purchasedAt\":\"2025-11-20T13:03:11.123Z\",\"currency\":null,\"totalNet\":249.99,\"totalGross\":-0.5,\"payment\":null,\"delivery\":null,"
        "\"remarks\":\"a\\\"b\\\\c\\n\\t\\u0001\xC5\xBC\",\"buyer\":{\"contractorId\":null,\"name\":\"Jan\",\"taxId\":null,\"email\":null,"
        "\"phone\":null,\"street\":null,\"streetNumber\":null,\"zipCode\":null,\"city\":null,\"country\":null},\"recipient\":null,\"payer\":null,"
        "\"warehouse\":\"MAG-1\",\"items\":["
        "{\"itemId\":1,\"offerId\":null,\"variantId\":null,\"name\":null,\"quantity\":3,\"priceNet\":null,\"priceGross\":null,\"vatRate\":null,"
        "\"articles\":[{\"articleId\":null,\"code\":\"A\",\"ean\":null,\"name\":null,\"quantity\":1,\"warehouse\":\"MAG-2\"},"
        "{\"articleId\":null,\"code\":\"B\",\"ean\":null,\"name\":null,\"quantity\":2,\"warehouse\":null}]},"
        "{\"itemId\":2,\"offerId\":null,\"variantId\":null,\"name\":null,\"quantity\":0.125,\"priceNet\":null,\"priceGross\":null,\"vatRate\":null,"
        "\"articles\":[]},"
        "{\"itemId\":3,\"offerId\":null,\"variantId\":null,\"name\":null,\"quantity\":1,\"priceNet\":null,\"priceGross\":null,\"vatRate\":null,"
        "\"articles\":[{\"articleId\":null,\"code\":\"C\",\"ean\":null,\"name\":null,\"quantity\":1,\"warehouse\":\"MAG-3\"}]}],"
        "\"warehouses\":[\"MAG-1\",\"MAG-2\",\"MAG-3\",\"MAG-4\"],\"fetchedAt\":\"2025-11-20T15:03:11.123Z\"}");
    json_error_t je;
    json_t *read = json_loads(buf_text(&f.json), JSON_REJECT_DUPLICATES, &je);
    assert_non_null(read);
    json_decref(read);
    end(&f);
}

/* "1:B 2" for item 1 with article B and item 2 without articles. */
static void expect_part(struct fixture *f, const char *warehouse, const char *wanted)
{
    char got[200] = "";
    json_t *read = json_loads(json_for(f, warehouse), 0, NULL), *item, *article;
    size_t i, k;
    assert_non_null(read);
    json_array_foreach(json_object_get(read, "items"), i, item)
    {
        size_t n = strlen(got);
        (void)snprintf(got + n, sizeof got - n, "%s%lld", i > 0 ? " " : "", (long long)json_integer_value(json_object_get(item, "itemId")));
        json_array_foreach(json_object_get(item, "articles"), k, article)
        {
            n = strlen(got);
            (void)snprintf(got + n, sizeof got - n, ":%s", json_string_value(json_object_get(article, "code")));
        }
    }
    assert_string_equal(got, wanted);
    json_decref(read);
}

static void a_warehouse_is_handed_its_own_articles_only(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, schema_builtin("Order"), ORDER);
    expect_part(&f, NULL, "1:A:B 2 3:C");
    expect_part(&f, "MAG-1", "1:B 2");
    expect_part(&f, "MAG-2", "1:A");
    expect_part(&f, "MAG-3", "3:C");
    expect_part(&f, "MAG-4", "");
    expect_part(&f, "", "");
    end(&f);
    begin(&f, schema_builtin("Order"),
          "{" HEAD ",\"warehouses\":[\"B\"],\"items\":[{\"itemId\":1,\"quantity\":\"1\"},"
          "{\"itemId\":2,\"quantity\":\"1\",\"articles\":[{\"code\":\"X\",\"quantity\":\"1\",\"warehouse\":\"B\"}]}]}");
    read_head(&f);
    assert_true(f.head.delivering.n == 1 && warehouse_set_has(&f.head.delivering, "B"));
    assert_false(f.head.undivided);
    expect_part(&f, "B", "2:X"); /* item 1 has no warehouse at all: an order that the producer refuses */
    end(&f);
}

static void an_order_of_one_warehouse_alone_is_its_part(void **state)
{
    (void)state;
    struct fixture f;
    char whole[4000];
    begin(&f, schema_builtin("Order"),
          "{" HEAD ",\"warehouse\":\"B\",\"warehouses\":[\"A\",\"B\"],\"items\":[{\"itemId\":1,\"quantity\":\"1\"},"
          "{\"itemId\":2,\"quantity\":\"1\",\"articles\":[{\"code\":\"X\",\"quantity\":\"1\",\"warehouse\":\"B\"},{\"code\":\"Y\",\"quantity\":\"1\"}]}]}");
    read_head(&f);
    assert_true(f.head.undivided && f.head.delivering.n == 1);
    (void)snprintf(whole, sizeof whole, "%s", json_for(&f, NULL));
    assert_string_equal(json_for(&f, "B"), whole);
    expect_part(&f, "B", "1 2:X:Y");
    end(&f);
}

/* Another writer: fields in another order, the order's warehouse behind the items, null second, more types. */
#define OTHER                                                                                                                     \
    "{\"type\":\"record\",\"name\":\"O\",\"fields\":[{\"name\":\"items\",\"type\":[{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"I\",\"fields\":[" \
    "{\"name\":\"articles\",\"type\":[\"null\",{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"A\",\"fields\":["    \
    "{\"name\":\"warehouse\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"int\"}]}}]},{\"name\":\"n\",\"type\":\"int\"}]}},\"null\"]}," \
    "{\"name\":\"organization\",\"type\":[\"string\",\"null\"]},{\"name\":\"orderId\",\"type\":[\"null\",\"long\"]},{\"name\":\"revision\",\"type\":\"string\"}," \
    "{\"name\":\"publication\",\"type\":\"long\"},{\"name\":\"round\",\"type\":\"long\"},{\"name\":\"warehouse\",\"type\":[\"string\",\"null\"]}," \
    "{\"name\":\"warehouses\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"                                               \
    "{\"name\":\"day\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"},\"default\":0},{\"name\":\"f\",\"type\":\"float\",\"default\":0.5}," \
    "{\"name\":\"d\",\"type\":\"double\",\"default\":-0.1},{\"name\":\"y\",\"type\":\"bytes\",\"default\":\"\"},"                 \
    "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},\"default\":\"ab\"},"                                \
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"P\",\"Q\"]},\"default\":\"Q\"},"                   \
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"long\"},\"default\":{}},"                                            \
    "{\"name\":\"t\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"default\":0}]}"
#define OTHER_HEAD "\"organization\":\"acme\",\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":2,\"round\":3,\"warehouse\":\"W\",\"warehouses\":[]"

static void another_writers_order_is_read_by_name(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, OTHER, "{" OTHER_HEAD ",\"items\":[{\"articles\":null,\"n\":1},{\"articles\":[{\"warehouse\":\"V\",\"n\":2}],\"n\":3}],"
                     "\"day\":-1,\"y\":\"abcd\",\"m\":{\"k\\\"\":-9}}");
    read_head(&f);
    assert_false(f.head.withdrawn);
    assert_null(f.head.raw);
    assert_true(f.head.delivering.n == 2 && warehouse_set_has(&f.head.delivering, "W") && warehouse_set_has(&f.head.delivering, "V"));
    const char *tail = ",\"organization\":\"acme\",\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":2,\"round\":3,\"warehouse\":\"W\","
                       "\"warehouses\":[],\"day\":\"1969-12-31\",\"f\":0.5,\"d\":-0.10000000000000001,\"y\":\"YWJjZA==\",\"x\":\"YWI=\",\"e\":\"Q\","
                       "\"m\":{\"k\\\"\":-9},\"t\":\"1970-01-01T00:00:00.000Z\"}";
    char wanted[1000];
    (void)snprintf(wanted, sizeof wanted, "{\"items\":[{\"articles\":[],\"n\":1}]%s", tail);
    assert_string_equal(json_for(&f, "W"), wanted);
    (void)snprintf(wanted, sizeof wanted, "{\"items\":[{\"articles\":[{\"warehouse\":\"V\",\"n\":2}],\"n\":3}]%s", tail);
    assert_string_equal(json_for(&f, "V"), wanted);
    end(&f);
    begin(&f, OTHER, "{" OTHER_HEAD ",\"items\":[{\"articles\":null,\"n\":1}]}");
    read_head(&f);
    assert_true(f.head.delivering.n == 1 && !f.head.undivided); /* the part has a list where the order has none */
    end(&f);
    begin(&f, OTHER, "{" OTHER_HEAD ",\"items\":null}");
    read_head(&f);
    assert_int_equal(f.head.delivering.n, 0);
    assert_int_equal(strncmp(json_for(&f, "W"), "{\"items\":[],", 12), 0);
    end(&f);
}

static void expect_head_rejected(const char *order, const char *words)
{
    struct fixture f;
    struct err e = {0};
    begin(&f, OTHER, order);
    enum rc rc = order_view_head(f.view, f.avro.p, f.avro.n, &f.head, &e);
    if (rc != RC_REJECT || strcmp(e.text, words) != 0)
        fail_msg("%s: code %d, words '%s', wanted '%s'", order, rc, e.text, words);
    end(&f);
}

static void a_head_that_cannot_be_used_is_rejected_by_name(void **state)
{
    (void)state;
    expect_head_rejected("{\"organization\":null,\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":2,\"round\":3,\"warehouse\":null,\"warehouses\":[],\"items\":null}",
                         "order: field organization: is null, too long or holds U+0000");
    expect_head_rejected("{\"organization\":\"a/b\",\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":2,\"round\":3,\"warehouse\":null,\"warehouses\":[],\"items\":null}",
                         "order: field organization: is empty or holds a slash");
    expect_head_rejected("{\"organization\":\"a\",\"orderId\":null,\"revision\":\"0123456789abcdef\",\"publication\":2,\"round\":3,\"warehouse\":null,\"warehouses\":[],\"items\":null}",
                         "order: field orderId: is null or not positive");
    expect_head_rejected("{\"organization\":\"a\",\"orderId\":1,\"revision\":\"0123456789ABCDEF\",\"publication\":2,\"round\":3,\"warehouse\":null,\"warehouses\":[],\"items\":null}",
                         "order: field revision: is not 16 hex digits");
    expect_head_rejected("{\"organization\":\"a\",\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":-2,\"round\":3,\"warehouse\":null,\"warehouses\":[],\"items\":null}",
                         "order: field publication: is null, negative or beyond the year 9999");
    expect_head_rejected("{\"organization\":\"a\",\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":253402300800000,\"round\":3,\"warehouse\":null,\"warehouses\":[],\"items\":null}",
                         "order: field publication: is null, negative or beyond the year 9999");
    expect_head_rejected("{\"organization\":\"a\",\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":2,\"round\":-3,\"warehouse\":null,\"warehouses\":[],\"items\":null}",
                         "order: field round: is null, negative or beyond the year 9999");
    expect_head_rejected("{\"organization\":\"a\",\"orderId\":1,\"revision\":\"0123456789abcdef\",\"publication\":2,\"round\":3,\"warehouse\":null,\"warehouses\":[\"a,b\"],\"items\":null}",
                         "order: field warehouses: holds no warehouse's name, or too many");
    expect_head_rejected("{" OTHER_HEAD ",\"items\":[{\"articles\":[{\"warehouse\":\"\",\"n\":1}],\"n\":1}]}",
                         "order: field items: name what is no warehouse, or too many");
}

static void bytes_that_are_no_order_are_rejected_with_path_and_byte(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    begin(&f, OTHER, "{" OTHER_HEAD ",\"items\":[{\"articles\":[{\"warehouse\":\"V\",\"n\":2}],\"n\":3}]}");
    for (size_t n = 0; n < f.avro.n; n++)
        assert_int_equal(order_view_head(f.view, f.avro.p, n, &f.head, &e), RC_REJECT);
    assert_int_equal(order_view_head(f.view, NULL, 0, &f.head, &e), RC_REJECT);
    assert_string_equal(e.text, "order: items: no whole number at byte 0");
    buf_put_byte(&f.avro, 0);
    assert_int_equal(order_view_head(f.view, f.avro.p, f.avro.n, &f.head, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "order: bytes are left over at byte "));
    f.avro.p[5] = 0xFF; /* "V" */
    assert_int_equal(order_view_head(f.view, f.avro.p, f.avro.n, &f.head, &e), RC_REJECT);
    assert_string_equal(e.text, "order: items[0].articles[0].warehouse: no valid UTF-8 at byte 5");
    end(&f);
}

static void what_no_json_can_say_is_rejected_and_leaves_no_half_document(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    begin(&f, OTHER, "{" OTHER_HEAD ",\"items\":null,\"t\":253402300800000}");
    buf_put_text(&f.json, "before");
    assert_int_equal(order_view_json(f.view, f.avro.p, f.avro.n, NULL, &f.json, &e), RC_REJECT);
    assert_string_equal(e.text, "order: field t: a moment outside the years 1 to 9999");
    assert_int_equal(f.json.n, 6);
    assert_int_equal(order_view_json(f.view, f.avro.p, 3, "W", &f.json, &e), RC_REJECT);
    f.json.max = 40;
    f.json.n = 6;
    assert_int_equal(order_view_json(f.view, f.avro.p, f.avro.n, NULL, &f.json, &e), RC_REJECT);
    assert_int_equal(f.json.n, 6);
    end(&f);
    begin(&f, OTHER, "{" OTHER_HEAD ",\"items\":null,\"day\":2932897}");
    assert_int_equal(order_view_json(f.view, f.avro.p, f.avro.n, NULL, &f.json, &e), RC_REJECT);
    assert_string_equal(e.text, "order: field day: a date outside the years 1 to 9999");
    end(&f);
    struct schema *s = schema_of("\"double\"");
    struct buf out;
    buf_init(&out, 100);
    struct avro_cursor c = {(const unsigned char *)"\0\0\0\0\0\0\xF0\x7F", NULL};
    c.end = c.p + 8;
    assert_int_equal(avro_json_value(schema_root(s), NULL, &c, &out, &e), RC_REJECT);
    assert_string_equal(e.text, "a number that is not finite");
    buf_release(&out);
    schema_destroy(s);
}

static void expect_no_view(const char *schema, const char *words)
{
    struct schema *s = schema_of(schema);
    struct order_view *v = NULL;
    struct err e = {0};
    enum rc rc = order_view_create(s, &v, &e);
    if (rc != RC_REJECT || v != NULL || strcmp(e.text, words) != 0)
        fail_msg("code %d, words '%s', wanted '%s'", rc, e.text, words);
    schema_destroy(s);
}

/* The schema of an order with a text in it replaced. */
static void expect_no_view_after(const char *from, const char *to, const char *words)
{
    const char *text = schema_builtin("Order"), *at = strstr(text, from);
    struct buf b;
    assert_non_null(at);
    buf_init(&b, 1 << 20);
    buf_put(&b, text, (size_t)(at - text));
    buf_put_text(&b, to);
    buf_put_text(&b, at + strlen(from));
    expect_no_view(buf_text(&b), words);
    buf_release(&b);
}

static void a_schema_without_what_the_bridge_needs_is_refused_by_name(void **state)
{
    (void)state;
    expect_no_view("\"string\"", "order schema: not a record");
    expect_no_view_after("\"name\": \"organization\"", "\"name\": \"org\"", "order schema: record xsale.Order: field organization is missing");
    expect_no_view_after("\"name\": \"orderId\", \"type\": \"long\"", "\"name\": \"orderId\", \"type\": \"string\"",
                         "order schema: record xsale.Order: field orderId is of another type");
    expect_no_view_after("\"name\": \"articles\"", "\"name\": \"parts\"", "order schema: record xsale.Item: field articles is missing");
    expect_no_view_after("\"name\": \"warehouse\", \"type\": [\"null\", \"string\"], \"doc\": \"Warehouse that issues",
                         "\"name\": \"warehouse\", \"type\": [\"null\", \"long\"], \"doc\": \"Warehouse that issues",
                         "order schema: record xsale.Article: field warehouse is of another type");
    expect_no_view_after("{\"type\": \"array\", \"items\": \"string\"}", "{\"type\": \"array\", \"items\": \"long\"}",
                         "order schema: field warehouses: not an array of strings");
}

static void altered_orders_never_do_harm(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t seed = 5;
    size_t taken = 0;
    begin(&f, schema_builtin("Order"), ORDER);
    for (int i = 0; i < 20000; i++) {
        struct err e = {0};
        size_t n = i % 4 == 0 ? (seed >> 5) % f.avro.n : f.avro.n;
        unsigned char *copy = malloc(n == 0 ? 1 : n);
        assert_non_null(copy);
        memcpy(copy, f.avro.p, n);
        for (int k = 0; n > 0 && k < 1 + i % 2; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % n] = (unsigned char)(seed >> 24);
        }
        enum rc rc = order_view_head(f.view, copy, n, &f.head, &e);
        assert_true(rc == RC_OK || (rc == RC_REJECT && e.text[0] != '\0'));
        taken += rc == RC_OK;
        for (int all = 0; all < 2; all++) { /* also where the head was refused: no read trusts the bytes */
            buf_reset(&f.json);
            enum rc printed = order_view_json(f.view, copy, n, all ? NULL : "MAG-1", &f.json, &e);
            assert_true(printed == RC_OK || printed == RC_REJECT);
            if (rc == RC_OK && printed == RC_OK && i % 10 == 0) {
                json_t *read = json_loadb((const char *)f.json.p, f.json.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
                assert_non_null(read);
                json_decref(read);
            }
        }
        free(copy);
    }
    assert_true(taken > 1000 && taken < 19000);
    end(&f);
}

/* What an ERP may want to see: other names, fewer fields, one of its own; `articles` and `warehouse` for some. */
#define VIEW(article_fields)                                                                                                      \
    "{\"type\":\"record\",\"name\":\"Order\",\"fields\":["                                                                      \
    "{\"name\":\"version\",\"type\":\"string\",\"aliases\":[\"revision\"],\"erp\":\"rev\"},"                                  \
    "{\"name\":\"totalGross\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":4}],\"erp\":\"Kwota \\\"brutto\\\"\"}," \
    "{\"name\":\"source\",\"type\":\"string\",\"default\":\"xsale\",\"erp\":\"Zrodlo\"},"                                    \
    "{\"name\":\"items\",\"erp\":\"Pozycje\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\",\"fields\":[" \
    "{\"name\":\"itemId\",\"type\":[\"null\",\"double\"],\"erp\":\"Lp\"}" article_fields "]}}}]}"
#define VIEW_ARTICLES(more)                                                                                                       \
    ",{\"name\":\"articles\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Article\",\"fields\":["        \
    "{\"name\":\"code\",\"type\":\"string\",\"erp\":\"Towar\"}" more "]}}}"

static void begin_seen(struct fixture *f, const char *view, struct schema **seen)
{
    struct err e = {0};
    begin(f, schema_builtin("Order"), ORDER);
    order_view_destroy(f->view);
    f->view = NULL;
    *seen = schema_of(view);
    if (order_view_create_for(f->schema, *seen, &f->view, &e) != RC_OK)
        fail_msg("%s", e.text);
}

static void a_view_picks_renames_and_adds(void **state)
{
    (void)state;
    struct fixture f;
    struct schema *seen;
    begin_seen(&f, VIEW(VIEW_ARTICLES(",{\"name\":\"warehouse\",\"type\":[\"null\",\"string\"],\"erp\":\"Mag\"}")), &seen);
    read_head(&f); /* the writer's */
    assert_true(f.head.order_id == 100123 && f.head.delivering.n == 3);
    assert_string_equal(json_for(&f, NULL), "{\"rev\":\"0123456789abcdef\",\"Kwota \\\"brutto\\\"\":-0.5,\"Zrodlo\":\"xsale\",\"Pozycje\":["
                                            "{\"Lp\":1,\"articles\":[{\"Towar\":\"A\",\"Mag\":\"MAG-2\"},{\"Towar\":\"B\",\"Mag\":null}]},"
                                            "{\"Lp\":2,\"articles\":[]},{\"Lp\":3,\"articles\":[{\"Towar\":\"C\",\"Mag\":\"MAG-3\"}]}]}");
    assert_non_null(strstr(json_for(&f, "MAG-1"), "\"Pozycje\":[{\"Lp\":1,\"articles\":[{\"Towar\":\"B\",\"Mag\":null}]},{\"Lp\":2,\"articles\":[]}]}"));
    end(&f);
    schema_destroy(seen);
}

static void a_view_may_drop_what_decides_about_the_lines(void **state)
{
    (void)state;
    struct fixture f;
    struct schema *seen;
    begin_seen(&f, VIEW(VIEW_ARTICLES("")), &seen);
    assert_non_null(strstr(json_for(&f, "MAG-1"), "\"Pozycje\":[{\"Lp\":1,\"articles\":[{\"Towar\":\"B\"}]},{\"Lp\":2,\"articles\":[]}]}"));
    assert_non_null(strstr(json_for(&f, "MAG-2"), "\"Pozycje\":[{\"Lp\":1,\"articles\":[{\"Towar\":\"A\"}]}]}"));
    end(&f);
    schema_destroy(seen);
    begin_seen(&f, VIEW(""), &seen);
    assert_non_null(strstr(json_for(&f, "MAG-1"), "\"Pozycje\":[{\"Lp\":1},{\"Lp\":2}]}"));
    assert_non_null(strstr(json_for(&f, "MAG-3"), "\"Pozycje\":[{\"Lp\":3}]}"));
    assert_non_null(strstr(json_for(&f, "MAG-4"), "\"Pozycje\":[]}"));
    end(&f);
    schema_destroy(seen);
    begin_seen(&f, "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"raw\",\"type\":[\"null\",\"bytes\"]}]}", &seen);
    assert_string_equal(json_for(&f, "MAG-1"), "{\"raw\":\"e30=\"}"); /* whoever asks for it gets it */
    end(&f);
    schema_destroy(seen);
    begin_seen(&f, "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[]}", &seen);
    assert_string_equal(json_for(&f, "MAG-1"), "{}");
    end(&f);
    schema_destroy(seen);
}

static void a_view_that_asks_for_what_is_not_there_is_refused_by_name(void **state)
{
    (void)state;
    struct schema *writer = schema_of(schema_builtin("Order"));
    struct schema *seen = schema_of("{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"totlaGross\",\"type\":\"double\"}]}");
    struct order_view *v = NULL;
    struct err e = {0};
    assert_int_equal(order_view_create_for(writer, seen, &v, &e), RC_FATAL);
    assert_null(v);
    assert_string_equal(e.text, "order schema: view: totlaGross: the writer has no such field, and it has no default");
    schema_destroy(seen);
    schema_destroy(writer);
}

static void a_value_that_the_view_cannot_take_rejects_the_order(void **state)
{
    (void)state;
    struct fixture f;
    struct schema *seen;
    struct err e = {0};
    begin_seen(&f, "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"currency\",\"type\":\"string\"}]}", &seen);
    buf_put_text(&f.json, "before");
    assert_int_equal(order_view_json(f.view, f.avro.p, f.avro.n, NULL, &f.json, &e), RC_REJECT);
    assert_non_null(strstr(e.text, "order: view: currency: null cannot be read as string at byte "));
    assert_int_equal(f.json.n, 6);
    end(&f);
    schema_destroy(seen);
}

static void altered_orders_do_no_harm_through_a_view_either(void **state)
{
    (void)state;
    struct fixture f;
    struct schema *seen;
    uint32_t seed = 7;
    size_t taken = 0;
    begin_seen(&f, VIEW(VIEW_ARTICLES("")), &seen);
    for (int i = 0; i < 10000; i++) {
        struct err e = {0};
        size_t n = i % 4 == 0 ? (seed >> 5) % f.avro.n : f.avro.n;
        unsigned char *copy = malloc(n == 0 ? 1 : n);
        assert_non_null(copy);
        memcpy(copy, f.avro.p, n);
        for (int k = 0; n > 0 && k < 1 + i % 2; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % n] = (unsigned char)(seed >> 24);
        }
        for (int all = 0; all < 2; all++) {
            buf_reset(&f.json);
            enum rc rc = order_view_json(f.view, copy, n, all ? NULL : "MAG-1", &f.json, &e);
            assert_true(rc == RC_OK || (rc == RC_REJECT && f.json.n == 0));
            taken += rc == RC_OK;
        }
        free(copy);
    }
    assert_true(taken > 1000 && taken < 19000);
    end(&f);
    schema_destroy(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_tells_what_decides_about_an_order),
        cmocka_unit_test(a_withdrawal_of_a_vanished_order_delivers_nothing),
        cmocka_unit_test(the_document_is_compact_exact_and_in_the_schemas_order),
        cmocka_unit_test(a_warehouse_is_handed_its_own_articles_only),
        cmocka_unit_test(an_order_of_one_warehouse_alone_is_its_part),
        cmocka_unit_test(another_writers_order_is_read_by_name),
        cmocka_unit_test(a_head_that_cannot_be_used_is_rejected_by_name),
        cmocka_unit_test(bytes_that_are_no_order_are_rejected_with_path_and_byte),
        cmocka_unit_test(what_no_json_can_say_is_rejected_and_leaves_no_half_document),
        cmocka_unit_test(a_schema_without_what_the_bridge_needs_is_refused_by_name),
        cmocka_unit_test(altered_orders_never_do_harm),
        cmocka_unit_test(a_view_picks_renames_and_adds),
        cmocka_unit_test(a_view_may_drop_what_decides_about_the_lines),
        cmocka_unit_test(a_view_that_asks_for_what_is_not_there_is_refused_by_name),
        cmocka_unit_test(a_value_that_the_view_cannot_take_rejects_the_order),
        cmocka_unit_test(altered_orders_do_no_harm_through_a_view_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
