#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/decimal.h"
#include "common/contract/order_encoder.h"

/* The sample of the project's description of the API. */
static const char sample[] =
    "{\"Id\": 100123, \"Number\": \"ZAM/2026/11/100123\", \"ForeignNumber\": \"A-7781\", \"StatusId\": 1, \"StatusName\": \"Nowe\",\n"
    " \"IntegrationId\": 7, \"PurchaseDate\": \"2026-11-20T14:03:11\", \"Currency\": \"PLN\",\n"
    " \"TotalNet\": 203.24, \"TotalGross\": 249.99, \"PaymentFormId\": 3, \"PaymentStatus\": \"Paid\", \"DeliveryMethod\": \"InPost Kurier\",\n"
    " \"DeliveryPriceGross\": 14.99, \"Remarks\": \"Proszę dzwonić\", \"WarehouseCode\": \"MAG-1\",\n"
    " \"BuyerId\": 501, \"RecipientId\": 501, \"PayerId\": 502,\n"
    " \"Buyer\": {\"Id\": 501, \"Name\": \"Gżegżółka sp. z o.o.\", \"NIP\": \"5252248481\", \"Email\": \"zakupy@example.pl\", \"Phone\": \"+48 600 100 200\",\n"
    "   \"Street\": \"Zażółć\", \"StreetNumber\": \"7/2\", \"ZipCode\": \"80-305\", \"City\": \"Gda\\u0144sk\", \"Country\": \"PL\"},\n"
    " \"Items\": [\n"
    "   {\"Id\": 1, \"OfferId\": 9001, \"VariantId\": 1, \"Name\": \"Zestaw narzędzi\", \"Quantity\": 2, \"PriceNet\": 95.53, \"PriceGross\": 117.50, \"VatRate\": 23,\n"
    "    \"OrderItemArticles\": [\n"
    "      {\"Id\": 11, \"ArticleId\": 4001, \"Code\": \"MLOTEK-01\", \"EAN\": \"5901234123457\", \"Name\": \"Młotek\", \"Quantity\": 2, \"WarehouseCode\": \"MAG-1\"},\n"
    "      {\"Id\": 12, \"ArticleId\": 4002, \"Code\": \"WIERTLO-8\", \"EAN\": \"5901234123464\", \"Name\": \"Wiertło 8 mm\", \"Quantity\": 6, \"WarehouseCode\": \"MAG-2\"}]}]}";

struct bench {
    struct schema *schema;
    struct zone *zone;
    struct order_encoder *enc;
    struct json_tape tape;
    struct order_facts facts;
    struct buf out;
    struct err e;
    char *text; /* of the order read last, in memory of exactly its size */
};

static struct bench b;
static struct warehouse_rules rules;
static const struct order_stamp stamp = {.organization = "acme", .publication = 1795000000123, .round = 1795000000000, .fetched_at = 1795000000999, .raw = true};

static void make_encoder(void)
{
    const char *text = schema_builtin("Order");
    assert_int_equal(schema_parse(text, strlen(text), &b.schema, &b.e), RC_OK);
    assert_int_equal(order_encoder_create(b.schema, b.zone, &rules, &b.enc, &b.e), RC_OK);
}

static int begin(void **state)
{
    (void)state;
    b = (struct bench){.zone = NULL};
    rules = (struct warehouse_rules){.initial = ""};
    json_tape_init(&b.tape);
    buf_init(&b.out, 1 << 24);
    if (zone_open("Europe/Warsaw", &b.zone, &b.e) != RC_OK)
        return -1;
    make_encoder();
    return 0;
}

static int end(void **state)
{
    (void)state;
    order_encoder_destroy(b.enc);
    schema_destroy(b.schema);
    zone_close(b.zone);
    json_tape_release(&b.tape);
    buf_release(&b.out);
    free(b.text);
    return 0;
}

static enum rc read_n(const char *text, size_t n)
{
    free(b.text);
    b.text = malloc(n > 0 ? n : 1);
    assert_non_null(b.text);
    memcpy(b.text, text, n);
    enum rc rc = json_tape_parse(&b.tape, b.text, n, &b.e);
    return rc != RC_OK ? rc : order_encoder_read(b.enc, &b.tape, 0, &b.facts, &b.e);
}

static enum rc read_text(const char *text)
{
    return read_n(text, strlen(text));
}

/* The sample with every `from` replaced; owned by the caller. */
static char *changed(const char *from, const char *to)
{
    struct buf made;
    buf_init(&made, 1 << 20);
    for (const char *p = sample; *p != '\0';) {
        if (strncmp(p, from, strlen(from)) == 0) {
            buf_put_text(&made, to);
            p += strlen(from);
        } else
            buf_put_byte(&made, (unsigned char)*p++);
    }
    const char *text = buf_text(&made);
    assert_non_null(text);
    assert_string_not_equal(text, sample);
    return (char *)made.p;
}

static enum rc read_changed(const char *from, const char *to)
{
    char *text = changed(from, to);
    enum rc rc = read_text(text);
    free(text);
    return rc;
}

/* The sample with a change is rejected with exactly these words. */
static void rejects(const char *from, const char *to, const char *words)
{
    memset(b.e.text, 0, sizeof b.e.text);
    assert_int_equal(read_changed(from, to), RC_REJECT);
    assert_string_equal(b.e.text, words);
    assert_int_equal(strlen(b.facts.revision), 16);
    assert_int_equal(b.facts.warehouses.n, 0);
    buf_reset(&b.out);
    struct err e;
    assert_int_equal(order_encoder_write(b.enc, &stamp, &b.out, &e), RC_REJECT);
}

static void accepts(const char *from, const char *to)
{
    if (read_changed(from, to) != RC_OK)
        fail_msg("%s", b.e.text);
}

/* The record decoded by avro-c, which knows nothing of ours. */
struct decoded {
    avro_value_iface_t *iface;
    avro_value_t record;
};

static void decode(struct decoded *d)
{
    buf_reset(&b.out);
    assert_int_equal(order_encoder_write(b.enc, &stamp, &b.out, &b.e), RC_OK);
    d->iface = avro_generic_class_from_schema(schema_avro(b.schema));
    assert_int_equal(avro_generic_value_new(d->iface, &d->record), 0);
    avro_reader_t reader = avro_reader_memory((const char *)b.out.p, (int64_t)b.out.n);
    assert_int_equal(avro_value_read(reader, &d->record), 0);
    size_t size = 0;
    assert_int_equal(avro_value_sizeof(&d->record, &size), 0);
    assert_int_equal(size, b.out.n);
    avro_reader_free(reader);
}

static void decoded_release(struct decoded *d)
{
    avro_value_decref(&d->record);
    avro_value_iface_decref(d->iface);
}

/* path: "items/0/articles/1/code". Unions are stepped into. */
static avro_value_t at(const struct decoded *d, const char *path)
{
    avro_value_t v = d->record, next;
    char step[64];
    for (const char *p = path; *p != '\0';) {
        size_t n = strcspn(p, "/");
        memcpy(step, p, n);
        step[n] = '\0';
        p += p[n] == '/' ? n + 1 : n;
        if (step[0] >= '0' && step[0] <= '9')
            assert_int_equal(avro_value_get_by_index(&v, strtoul(step, NULL, 10), &next, NULL), 0);
        else
            assert_int_equal(avro_value_get_by_name(&v, step, &next, NULL), 0);
        v = next;
        if (avro_value_get_type(&v) == AVRO_UNION) {
            assert_int_equal(avro_value_get_current_branch(&v, &next), 0);
            v = next;
        }
    }
    return v;
}

static void is_text(const struct decoded *d, const char *path, const char *wanted)
{
    avro_value_t v = at(d, path);
    const char *text;
    size_t n = 0;
    assert_int_equal(avro_value_get_string(&v, &text, &n), 0);
    assert_string_equal(text, wanted);
}

static void is_long(const struct decoded *d, const char *path, int64_t wanted)
{
    avro_value_t v = at(d, path);
    int64_t number = 0;
    assert_int_equal(avro_value_get_long(&v, &number), 0);
    assert_true(number == wanted);
}

static void is_amount(const struct decoded *d, const char *path, int scale, const char *wanted)
{
    avro_value_t v = at(d, path);
    const void *p = NULL;
    size_t n = 0;
    decimal_t number = 0;
    char text[DECIMAL_TEXT];
    assert_int_equal(avro_value_get_bytes(&v, &p, &n), 0);
    assert_int_equal(decimal_from_bytes(p, n, 18, &number, &b.e), RC_OK);
    (void)decimal_to_text(number, scale, text);
    assert_string_equal(text, wanted);
}

static void is_null(const struct decoded *d, const char *path)
{
    avro_value_t v = at(d, path);
    assert_int_equal(avro_value_get_type(&v), AVRO_NULL);
}

static void has_size(const struct decoded *d, const char *path, size_t wanted)
{
    avro_value_t v = at(d, path);
    size_t n = 0;
    assert_int_equal(avro_value_get_size(&v, &n), 0);
    assert_int_equal(n, wanted);
}

static void the_sample_order_arrives_to_the_last_digit(void **state)
{
    struct decoded d;
    (void)state;
    assert_int_equal(read_text(sample), RC_OK);
    assert_true(b.facts.has_id && b.facts.order_id == 100123);
    assert_true(b.facts.has_status && b.facts.status_id == 1);
    assert_int_equal(b.facts.text_n, strlen(sample));
    assert_int_equal(b.facts.warehouses.n, 2);
    decode(&d);
    is_text(&d, "organization", "acme");
    is_long(&d, "orderId", 100123);
    is_text(&d, "revision", b.facts.revision);
    is_long(&d, "publication", 1795000000123);
    is_long(&d, "round", 1795000000000);
    is_text(&d, "number", "ZAM/2026/11/100123");
    is_text(&d, "foreignNumber", "A-7781");
    is_long(&d, "statusId", 1);
    is_text(&d, "statusName", "Nowe");
    is_long(&d, "integrationId", 7);
    is_long(&d, "purchasedAt", 1795179791000);
    is_text(&d, "currency", "PLN");
    is_amount(&d, "totalNet", 4, "203.24");
    is_amount(&d, "totalGross", 4, "249.99");
    is_long(&d, "payment/formId", 3);
    is_text(&d, "payment/status", "Paid");
    is_text(&d, "delivery/method", "InPost Kurier");
    is_amount(&d, "delivery/priceGross", 4, "14.99");
    is_text(&d, "remarks", "Proszę dzwonić");
    is_long(&d, "buyer/contractorId", 501);
    is_text(&d, "buyer/name", "Gżegżółka sp. z o.o.");
    is_text(&d, "buyer/taxId", "5252248481");
    is_text(&d, "buyer/city", "Gdańsk");
    is_null(&d, "recipient");
    is_null(&d, "payer");
    is_text(&d, "warehouse", "MAG-1");
    has_size(&d, "items", 1);
    is_long(&d, "items/0/itemId", 1);
    is_amount(&d, "items/0/quantity", 6, "2");
    is_amount(&d, "items/0/priceNet", 4, "95.53");
    is_amount(&d, "items/0/priceGross", 4, "117.5");
    is_text(&d, "items/0/vatRate", "23");
    has_size(&d, "items/0/articles", 2);
    is_text(&d, "items/0/articles/0/code", "MLOTEK-01");
    is_text(&d, "items/0/articles/1/name", "Wiertło 8 mm");
    is_amount(&d, "items/0/articles/1/quantity", 6, "6");
    is_text(&d, "items/0/articles/1/warehouse", "MAG-2");
    has_size(&d, "warehouses", 2);
    is_text(&d, "warehouses/0", "MAG-1");
    is_text(&d, "warehouses/1", "MAG-2");
    is_long(&d, "fetchedAt", 1795000000999);
    avro_value_t raw = at(&d, "raw");
    const void *p = NULL;
    size_t n = 0;
    assert_int_equal(avro_value_get_bytes(&raw, &p, &n), 0);
    assert_int_equal(n, strlen(sample));
    assert_memory_equal(p, sample, n);
    decoded_release(&d);
}

static void the_stamp_decides_raw_warehouses_and_withdrawal(void **state)
{
    struct warehouse_set named = {.n = 0};
    struct order_stamp other = stamp;
    struct decoded d;
    int withdrawn = 0;
    (void)state;
    assert_true(warehouse_set_add(&named, "MAG-9", 5));
    other.raw = false;
    other.withdrawn = true;
    other.warehouses = &named;
    assert_int_equal(read_text(sample), RC_OK);
    decode(&d); /* reads with the common stamp; now the same bytes with another one */
    buf_reset(&b.out);
    assert_int_equal(order_encoder_write(b.enc, &other, &b.out, &b.e), RC_OK);
    avro_reader_t reader = avro_reader_memory((const char *)b.out.p, (int64_t)b.out.n);
    assert_int_equal(avro_value_read(reader, &d.record), 0);
    avro_reader_free(reader);
    is_null(&d, "raw");
    has_size(&d, "warehouses", 1);
    is_text(&d, "warehouses/0", "MAG-9");
    avro_value_t v = at(&d, "withdrawn");
    assert_int_equal(avro_value_get_boolean(&v, &withdrawn), 0);
    assert_true(withdrawn);
    is_text(&d, "items/0/articles/1/name", "Wiertło 8 mm");
    decoded_release(&d);
}

static void a_vanished_order_is_its_id_and_nothing_else(void **state)
{
    struct decoded d;
    (void)state;
    assert_int_equal(read_text(sample), RC_OK); /* nothing of what was read before may stay */
    assert_int_equal(order_encoder_vanished(b.enc, 77, "00000000000000ab", &b.e), RC_OK);
    decode(&d);
    is_long(&d, "orderId", 77);
    is_text(&d, "revision", "00000000000000ab");
    is_long(&d, "publication", 1795000000123);
    is_null(&d, "purchasedAt");
    is_null(&d, "buyer");
    is_null(&d, "totalGross");
    is_null(&d, "raw");
    has_size(&d, "items", 0);
    has_size(&d, "warehouses", 0);
    decoded_release(&d);
}

/* Fields that a user's schema demands say the least that they can: the record can be read. */
static void a_vanished_order_fits_a_schema_with_fields_that_cannot_be_null(void **state)
{
    static const char begins[] = "\"fields\": [";
    static const char own[] = "{\"name\":\"shop\",\"type\":\"string\",\"xsale\":[\"/Shop\"],\"required\":true},"
                              "{\"name\":\"kind\",\"type\":{\"type\":\"enum\",\"name\":\"Kind\",\"symbols\":[\"A\",\"B\"]},\"xsale\":[\"/Kind\"],\"required\":true},"
                              "{\"name\":\"weight\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2},\"xsale\":[\"/W\"],\"required\":true},"
                              "{\"name\":\"many\",\"type\":\"long\",\"default\":7,\"xsale\":[\"/Many\"]},"
                              "{\"name\":\"ship\",\"type\":{\"type\":\"record\",\"name\":\"Ship\",\"fields\":["
                              "{\"name\":\"by\",\"type\":\"long\",\"xsale\":[\"/By\"],\"required\":true}]},\"xsale\":[\"/Ship\"],\"required\":true},";
    const char *text = schema_builtin("Order"), *at_fields = strstr(text, begins);
    struct decoded d;
    struct buf made;
    (void)state;
    assert_non_null(at_fields);
    buf_init(&made, 1 << 20);
    buf_put(&made, text, (size_t)(at_fields - text) + strlen(begins));
    buf_put_text(&made, own);
    buf_put_text(&made, at_fields + strlen(begins));
    order_encoder_destroy(b.enc);
    b.enc = NULL;
    schema_destroy(b.schema);
    b.schema = NULL;
    if (schema_parse(buf_text(&made), made.n, &b.schema, &b.e) != RC_OK || order_encoder_create(b.schema, b.zone, &rules, &b.enc, &b.e) != RC_OK)
        fail_msg("%s", b.e.text);
    buf_release(&made);
    assert_int_equal(order_encoder_vanished(b.enc, 77, "00000000000000ab", &b.e), RC_OK);
    decode(&d);
    is_text(&d, "shop", "");
    is_amount(&d, "weight", 2, "0");
    is_long(&d, "many", 7);
    is_long(&d, "ship/by", 0);
    is_long(&d, "orderId", 77);
    decoded_release(&d);
}

static void what_cannot_become_a_record_is_rejected_with_its_pointer(void **state)
{
    (void)state;
    rejects("\"PurchaseDate\": \"2026-11-20T14:03:11\"", "\"x\": 0", "/PurchaseDate: missing");
    rejects("\"2026-11-20T14:03:11\"", "null", "/PurchaseDate: missing");
    rejects("\"2026-11-20T14:03:11\"", "\"\"", "/PurchaseDate: missing");
    rejects("\"2026-11-20T14:03:11\"", "\"2026-02-30\"", "/PurchaseDate: not a moment such as 2026-11-20T14:03:11");
    rejects("\"2026-11-20T14:03:11\"", "20261120", "/PurchaseDate: must be a text with a date");
    rejects("249.99", "249.99999", "/TotalGross: more than 4 fraction digits");
    rejects("249.99", "\"abc\"", "/TotalGross: not a number");
    rejects("249.99", "true", "/TotalGross: must be a number");
    rejects("249.99", "1e15", "/TotalGross: more than 18 digits");
    rejects("\"PLN\"", "true", "/Currency: must be a text");
    rejects("\"PLN\"", "{}", "/Currency: must be a text");
    rejects("\"Paid\"", "[]", "/PaymentStatus: must be a text");
    rejects("\"PLN\"", "\"\xc3\"", "/Currency: bad UTF-8 in a text");
    rejects("\"PLN\"", "\"\\ud800\"", "/Currency: bad UTF-8, a bad escape, a lone surrogate or U+0000 in a text");
    rejects("\"IntegrationId\": 7", "\"IntegrationId\": 7.5", "/IntegrationId: not an integer of 64 bits");
    rejects("\"OfferId\": 9001", "\"OfferId\": 12345678901234567890", "/Items/0/OfferId: not an integer of 64 bits");
    rejects("\"Code\": \"WIERTLO-8\"", "\"Code\": \"\"", "/Items/0/OrderItemArticles/1/Code: missing");
    rejects("\"Quantity\": 6", "\"Quantity\": null", "/Items/0/OrderItemArticles/1/Quantity: missing");
    rejects("\"Quantity\": 6", "\"Quantity\": 0.0000001", "/Items/0/OrderItemArticles/1/Quantity: more than 6 fraction digits");
    rejects("\"Items\":", "\"Itms\":", "/Items: no lines");
    rejects("{\"Id\": 501, \"Name\"", "7, \"Buyer2\": {\"Id\": 501, \"Name\"", "/Buyer: must be an object");
    rejects("\"City\": \"Gda\\u0144sk\"", "\"City\": \"Gda\\u0000sk\"",
            "/Buyer/City: bad UTF-8, a bad escape, a lone surrogate or U+0000 in a text");
    rejects("\"WarehouseCode\": \"MAG-2\"", "\"WarehouseCode\": \"a,b\"",
            "/Items/0/OrderItemArticles/1/WarehouseCode: not a warehouse: 1 to 63 bytes without comma, slash and control characters");
    rejects("\"WarehouseCode\": \"MAG-2\"", "\"WarehouseCode\": false", "/Items/0/OrderItemArticles/1/WarehouseCode: must be a text");
    assert_true(b.facts.has_id && b.facts.order_id == 100123 && b.facts.has_status);
}

static void lines_must_be_there_and_objects(void **state)
{
    static const char front[] = "{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"WarehouseCode\":\"M\",\"Items\":";
    static const struct {
        const char *items, *words;
    } row[] = {{"[]", "/Items: no lines"},
               {"null", "/Items: no lines"},
               {"{}", "/Items: must be an array"},
               {"[1]", "/Items/0: must be an object"},
               {"[{\"Quantity\":1},null]", "/Items/1: empty where a value must be"},
               {"[{\"Quantity\":1,\"OrderItemArticles\":{}}]", "/Items/0/OrderItemArticles: must be an array"},
               {"[{\"Quantity\":1,\"OrderItemArticles\":[{}]}]", "/Items/0/OrderItemArticles/0/Code: missing"}};
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%s}", front, row[i].items);
        assert_int_equal(read_text(text), RC_REJECT);
        assert_string_equal(b.e.text, row[i].words);
    }
    (void)snprintf(text, sizeof text, "%s[{\"Quantity\":1}]}", front);
    assert_int_equal(read_text(text), RC_OK);
}

static void an_id_must_be_a_positive_integer(void **state)
{
    static const char *const bad[] = {"0", "-1", "1.5", "null", "\"\"", "\"x\"", "true", "{}", "9223372036854775808"};
    char made[64];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(made, sizeof made, "{\"Id\": %s,", bad[i]);
        rejects("{\"Id\": 100123,", made, "/Id: no usable id: an integer from 1 to 2^63-1");
        assert_false(b.facts.has_id);
        assert_true(b.facts.has_status);
    }
    accepts("{\"Id\": 100123,", "{\"Id\": \"9223372036854775807\",");
    assert_true(b.facts.order_id == INT64_MAX);
    assert_int_equal(read_text("[1]"), RC_REJECT);
    assert_string_equal(b.e.text, "order: must be an object");
    assert_false(b.facts.has_id);
}

static void a_mapped_key_must_not_stand_there_twice(void **state)
{
    (void)state;
    rejects("{\"Id\": 100123,", "{\"Id\": 100123, \"\\u0049d\": 7,", "/Id: there twice, at bytes 1 and 15 of the order");
    assert_false(b.facts.has_id);
    rejects("\"Currency\": \"PLN\"", "\"Currency\": null, \"Currency\": \"PLN\"", "/Currency: there twice, at bytes 171 and 189 of the order");
    assert_true(b.facts.has_id);
    rejects("\"Currency\": \"PLN\"", "\"Id\": 1, \"Currency\": 1, \"Currency\": 2", "/Id: there twice, at bytes 1 and 171 of the order");
    assert_int_equal(read_changed("\"Street\":", "\"City\": \"a\", \"Street\":"), RC_REJECT);
    assert_memory_equal(b.e.text, "/Buyer/City: there twice", 24);
    assert_int_equal(read_changed("\"Code\": \"WIERTLO-8\"", "\"Code\": \"x\", \"Code\": \"x\""), RC_REJECT);
    assert_memory_equal(b.e.text, "/Items/0/OrderItemArticles/1/Code: there twice", 46);
    assert_int_equal(read_changed("\"PaymentStatus\": \"Paid\"", "\"PaymentStatus\": \"Paid\", \"PaymentStatus\": \"Paid\""), RC_REJECT);
    assert_memory_equal(b.e.text, "/PaymentStatus: there twice", 27);
    accepts("\"BuyerId\": 501", "\"BuyerId\": 501, \"BuyerId\": 502");
    accepts("\"Remarks\":", "\"Extra\": {\"a\": 1, \"a\": 2}, \"Remarks\":");
}

static void what_is_outside_the_mapping_does_not_matter(void **state)
{
    (void)state;
    accepts("\"BuyerId\": 501", "\"BuyerId\": 123456789012345678901234567890123456789012345678901234567890");
    accepts("\"BuyerId\": 501", "\"BuyerId\": \"\xff\\ud800\\q\"");
    accepts("\"BuyerId\": 501", "\"BuyerId\": 1e999999");
}

static void accepted_on_purpose(void **state)
{
    struct decoded d;
    (void)state;
    accepts("249.99", "\"249.990000000\"");
    decode(&d);
    is_amount(&d, "totalGross", 4, "249.99");
    decoded_release(&d);
    accepts("\"A-7781\"", "778100000000000000000000.10");
    decode(&d);
    is_text(&d, "foreignNumber", "778100000000000000000000.10");
    decoded_release(&d);
    accepts("\"A-7781\"", "\"\"");
    decode(&d);
    is_null(&d, "foreignNumber");
    decoded_release(&d);
    accepts("\"NIP\": \"5252248481\"", "\"NIP\": \"\", \"TaxId\": 525");
    decode(&d);
    is_text(&d, "buyer/taxId", "525");
    decoded_release(&d);
    accepts("\"IntegrationId\": 7", "\"IntegrationId\": \"8\"");
    decode(&d);
    is_long(&d, "integrationId", 8);
    decoded_release(&d);
}

static void a_record_of_the_same_object_without_values_is_null(void **state)
{
    struct decoded d;
    (void)state;
    accepts("\"DeliveryMethod\": \"InPost Kurier\",\n \"DeliveryPriceGross\": 14.99", "\"DeliveryMethod\": \"\", \"DeliveryPriceGross\": null");
    decode(&d);
    is_null(&d, "delivery");
    is_text(&d, "payment/status", "Paid");
    decoded_release(&d);
    accepts("\"PaymentFormId\": 3, \"PaymentStatus\": \"Paid\"", "\"PaymentFormId\": 3");
    decode(&d);
    is_long(&d, "payment/formId", 3);
    is_null(&d, "payment/status");
    decoded_release(&d);
}

static void nesting_beyond_512_rejects_the_order_alone(void **state)
{
    char deep[1200], text[1300];
    (void)state;
    for (int levels = 511; levels <= 512; levels++) {
        memset(deep, '[', (size_t)levels);
        memset(deep + levels, ']', (size_t)levels);
        deep[2 * levels] = '\0';
        (void)snprintf(text, sizeof text, "\"BuyerId\": %s", deep);
        if (levels == 511)
            accepts("\"BuyerId\": 501", text);
        else
            rejects("\"BuyerId\": 501", text, "order: nested more than 512 deep");
    }
    assert_true(b.facts.has_id);
}

static void too_many_elements_reject_the_order(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 23);
    buf_put_text(&text, "{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"WarehouseCode\":\"M\",\"Items\":[{\"Quantity\":1}");
    for (int i = 1; i < 100000; i++)
        buf_put_text(&text, ",{\"Quantity\":1}");
    size_t n = text.n;
    buf_put_text(&text, "]}");
    assert_int_equal(read_n((const char *)text.p, text.n), RC_OK);
    text.n = n;
    buf_put_text(&text, ",{\"Quantity\":1}]}");
    assert_int_equal(read_n((const char *)text.p, text.n), RC_REJECT);
    assert_string_equal(b.e.text, "/Items: the order has more than 100000 lines, articles and other elements");
    buf_release(&text);
}

static void a_record_too_large_for_the_buffer_is_refused(void **state)
{
    struct buf small;
    (void)state;
    buf_init(&small, 600);
    assert_int_equal(read_text(sample), RC_OK);
    assert_int_equal(order_encoder_write(b.enc, &stamp, &small, &b.e), RC_REJECT);
    assert_string_equal(b.e.text, "the record is larger than 600 bytes");
    buf_release(&small);
}

static void revision_of(const char *text, char out[ORDER_REVISION_BYTES])
{
    if (read_text(text) != RC_OK)
        fail_msg("%s", b.e.text);
    memcpy(out, b.facts.revision, ORDER_REVISION_BYTES);
}

static void the_revision_is_that_of_the_content(void **state)
{
    static const struct {
        const char *from, *to;
        bool same;
    } row[] = {{"\"StatusId\": 1,", "\"StatusId\": 5,", true},
               {"\"Nowe\"", "\"Płatność zweryfikowana\"", true},
               {"\"BuyerId\": 501, ", "", true},
               {"\n", " ", true},
               {"249.99", "249.990", true},
               {"249.99", "\"24999e-2\"", true},
               {"Gda\\u0144sk", "Gdańsk", true},
               {"\"Number\": \"ZAM/2026/11/100123\", \"ForeignNumber\": \"A-7781\"", "\"ForeignNumber\": \"A-7781\", \"Number\": \"ZAM/2026/11/100123\"", true},
               {"\"Currency\": \"PLN\"", "\"Currency\": \"PLN\", \"New\": 1", true},
               {"249.99", "249.98", false},
               {"Młotek", "Mlotek", false},
               {"\"Quantity\": 6", "\"Quantity\": 7", false},
               {"MAG-2", "MAG-3", false},
               {"{\"Id\": 100123", "{\"Id\": 100124", false},
               {"A-7781", "A-7782", false},
               {"\"PaymentStatus\": \"Paid\"", "\"PaymentStatus\": \"\"", false}};
    char first[ORDER_REVISION_BYTES], other[ORDER_REVISION_BYTES];
    (void)state;
    revision_of(sample, first);
    assert_int_equal(strspn(first, "0123456789abcdef"), 16);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char *text = changed(row[i].from, row[i].to);
        revision_of(text, other);
        if ((strcmp(first, other) == 0) != row[i].same)
            fail_msg("%s -> %s", row[i].from, row[i].to);
        free(text);
    }
    /* The same on every machine; changes only when the content fields of Order.avsc do. */
    assert_string_equal(first, "e554a6b2e3255196");
}

static void warehouses_are_resolved_in_order(void **state)
{
    static const struct warehouse_channel channels[] = {{7, "CHANNEL"}, {8, "OTHER"}};
    static const char *const known[] = {"MAG-1", "MAG-2"};
    struct decoded d;
    char *none = changed("\"WarehouseCode\": \"MAG-1\"", "\"WarehouseCode\": null");
    (void)state;
    assert_int_equal(read_text(none), RC_REJECT);
    assert_string_equal(b.e.text, "/Items/0/OrderItemArticles/0/WarehouseCode: no warehouse found");
    rules.initial = "INITIAL";
    assert_int_equal(read_text(none), RC_OK);
    decode(&d);
    is_text(&d, "warehouse", "INITIAL");
    is_text(&d, "items/0/articles/0/warehouse", "INITIAL");
    is_text(&d, "items/0/articles/1/warehouse", "MAG-2");
    decoded_release(&d);
    rules.channels = channels;
    rules.channels_n = 2;
    assert_int_equal(read_text(none), RC_OK);
    assert_true(warehouse_set_has(&b.facts.warehouses, "CHANNEL") && b.facts.warehouses.n == 2);
    rules.known = known;
    rules.known_n = 2;
    assert_int_equal(read_text(none), RC_REJECT);
    assert_string_equal(b.e.text, "/WarehouseCode: warehouse CHANNEL is not one of those that warehouses.known lists");
    assert_int_equal(read_text(sample), RC_OK);
    rules.known_n = 1;
    rejects("\"Currency\": \"PLN\"", "\"Currency\": \"EUR\"",
            "/Items/0/OrderItemArticles/1/WarehouseCode: warehouse MAG-2 is not one of those that warehouses.known lists");
    free(none);
}

static void a_line_without_articles_belongs_to_the_order(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"WarehouseCode\":\"A\",\"Items\":[{\"Quantity\":1},{\"Quantity\":1,"
                               "\"OrderItemArticles\":[{\"Code\":\"x\",\"Quantity\":1,\"WarehouseCode\":\"B\"}]}]}"),
                     RC_OK);
    assert_int_equal(b.facts.warehouses.n, 2);
    assert_int_equal(read_text("{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"WarehouseCode\":\"A\",\"Items\":[{\"Quantity\":1,"
                               "\"OrderItemArticles\":[{\"Code\":\"x\",\"Quantity\":1,\"WarehouseCode\":\"B\"}]}]}"),
                     RC_OK);
    assert_int_equal(b.facts.warehouses.n, 1);
    assert_true(warehouse_set_has(&b.facts.warehouses, "B"));
    assert_int_equal(read_text("{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"Items\":[{\"Quantity\":1,\"OrderItemArticles\":null}]}"), RC_REJECT);
    assert_string_equal(b.e.text, "/Items/0: no warehouse found");
}

static const char joined_front[] = "{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"WarehouseCode\":\"M\",\"Items\":[{\"Id\":5,\"Quantity\":1},"
                                   "{\"Id\":\"6\",\"Quantity\":1,\"OrderItemArticles\":[]},{\"Quantity\":3}],\"OrderItemArticles\":";

static void articles_beside_the_lines_are_joined(void **state)
{
    struct decoded d;
    char text[600];
    (void)state;
    (void)snprintf(text, sizeof text,
                   "%s[{\"OrderItemId\":6,\"Code\":\"c\",\"Quantity\":1},{\"OrderItemId\":\"5\",\"Code\":\"a\",\"Quantity\":1},{\"OrderItemId\":5,\"Code\":\"b\",\"Quantity\":1}]}",
                   joined_front);
    if (read_text(text) != RC_OK)
        fail_msg("%s", b.e.text);
    decode(&d);
    has_size(&d, "items/0/articles", 2);
    is_text(&d, "items/0/articles/0/code", "a");
    is_text(&d, "items/0/articles/1/code", "b");
    has_size(&d, "items/1/articles", 1);
    is_text(&d, "items/1/articles/0/code", "c");
    has_size(&d, "items/2/articles", 0);
    decoded_release(&d);
    (void)snprintf(text, sizeof text, "%snull}", joined_front);
    assert_int_equal(read_text(text), RC_OK);
}

static void articles_that_belong_to_no_line_reject_the_order(void **state)
{
    static const struct {
        const char *articles, *words;
    } row[] = {{"[{\"OrderItemId\":5,\"Code\":\"a\",\"Quantity\":1},{\"OrderItemId\":7,\"Code\":\"a\",\"Quantity\":1}]",
                "/OrderItemArticles/1/OrderItemId: refers to a line that is not there"},
               {"[{\"Code\":\"a\",\"Quantity\":1}]", "/OrderItemArticles/0/OrderItemId: refers to no line"},
               {"[{\"OrderItemId\":null,\"Code\":\"a\",\"Quantity\":1}]", "/OrderItemArticles/0/OrderItemId: refers to no line"},
               {"[7]", "/OrderItemArticles/0/OrderItemId: refers to no line"},
               {"{}", "/OrderItemArticles: must be an array"},
               {"[{\"OrderItemId\":5,\"Quantity\":1}]", "/OrderItemArticles/0/Code: missing"}};
    char text[600];
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%s}", joined_front, row[i].articles);
        assert_int_equal(read_text(text), RC_REJECT);
        assert_string_equal(b.e.text, row[i].words);
    }
    assert_int_equal(read_text("{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"WarehouseCode\":\"M\",\"Items\":[{\"Id\":5,\"Quantity\":1},{\"Id\":5,\"Quantity\":1}],"
                               "\"OrderItemArticles\":[{\"OrderItemId\":5,\"Code\":\"a\",\"Quantity\":1}]}"),
                     RC_REJECT);
    assert_string_equal(b.e.text, "/OrderItemArticles/0/OrderItemId: refers to more than one line");
}

static void a_great_many_joined_articles_take_no_great_time(void **state)
{
    enum { LINES = 49999 };
    struct buf text;
    struct decoded d;
    (void)state;
    buf_init(&text, 1 << 24);
    buf_put_text(&text, "{\"Id\":1,\"PurchaseDate\":\"2026-11-20\",\"WarehouseCode\":\"M\",\"Items\":[");
    for (int i = 0; i < LINES; i++)
        buf_printf(&text, "%s{\"Id\":%d,\"Quantity\":1}", i > 0 ? "," : "", i);
    buf_put_text(&text, "],\"OrderItemArticles\":[");
    for (int i = LINES - 1; i >= 0; i--)
        buf_printf(&text, "%s{\"OrderItemId\":%d,\"Code\":\"c%d\",\"Quantity\":1}", i < LINES - 1 ? "," : "", i, i);
    buf_put_text(&text, "]}");
    if (read_n((const char *)text.p, text.n) != RC_OK)
        fail_msg("%s", b.e.text);
    buf_release(&text);
    decode(&d);
    has_size(&d, "items/777/articles", 1);
    is_text(&d, "items/777/articles/0/code", "c777");
    decoded_release(&d);
}

static void no_articles_beside_the_lines_are_none(void **state)
{
    struct decoded d;
    (void)state;
    if (read_text("{\"Id\":1,\"PurchaseDate\":\"2026-11-20T14:03:11\",\"WarehouseCode\":\"W\",\"Items\":[{\"Id\":5,\"Quantity\":1}],\"OrderItemArticles\":[]}") != RC_OK)
        fail_msg("%s", b.e.text);
    decode(&d);
    has_size(&d, "items/0/articles", 0);
    decoded_release(&d);
}

static void a_look_tells_id_and_status_alone(void **state)
{
    static const char text[] = "{\"StatusId\":\"4\",\"Id\":12,\"Items\":7}";
    struct order_facts facts;
    (void)state;
    assert_int_equal(json_tape_parse(&b.tape, text, sizeof text - 1, &b.e), RC_OK);
    assert_int_equal(order_encoder_peek(b.enc, &b.tape, 0, &facts, &b.e), RC_OK);
    assert_true(facts.has_id && facts.order_id == 12 && facts.has_status && facts.status_id == 4);
    assert_int_equal(json_tape_parse(&b.tape, "{\"Id\":\"\",\"StatusId\":2}", 22, &b.e), RC_OK);
    assert_int_equal(order_encoder_peek(b.enc, &b.tape, 0, &facts, &b.e), RC_REJECT);
    assert_true(!facts.has_id && facts.has_status);
}

static void a_look_trusts_no_key_that_is_there_twice(void **state)
{
    static const char text[] = "{\"Id\":3,\"StatusId\":2,\"\\u0049d\":4,\"StatusId\":2}";
    struct order_facts facts;
    (void)state;
    assert_int_equal(json_tape_parse(&b.tape, text, sizeof text - 1, &b.e), RC_OK);
    assert_int_equal(order_encoder_peek(b.enc, &b.tape, 0, &facts, &b.e), RC_REJECT);
    assert_true(!facts.has_id && !facts.has_status);
}

static void words_hold_no_value_of_an_order(void **state)
{
    (void)state;
    assert_int_equal(read_changed("249.99", "\"tajne\""), RC_REJECT);
    assert_null(strstr(b.e.text, "tajne"));
    assert_int_equal(read_changed("\"2026-11-20T14:03:11\"", "\"tajne\""), RC_REJECT);
    assert_null(strstr(b.e.text, "tajne"));
}

static void nothing_is_allocated_once_warm(void **state)
{
    (void)state;
    assert_int_equal(read_text(sample), RC_OK);
    buf_reset(&b.out);
    assert_int_equal(order_encoder_write(b.enc, &stamp, &b.out, &b.e), RC_OK);
    const void *nodes = b.tape.nodes, *out = b.out.p;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(json_tape_parse(&b.tape, sample, sizeof sample - 1, &b.e), RC_OK);
        assert_int_equal(order_encoder_read(b.enc, &b.tape, 0, &b.facts, &b.e), RC_OK);
        buf_reset(&b.out);
        assert_int_equal(order_encoder_write(b.enc, &stamp, &b.out, &b.e), RC_OK);
    }
    assert_ptr_equal(b.tape.nodes, nodes);
    assert_ptr_equal(b.out.p, out);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t mutate(char *text, size_t n, size_t room, uint64_t *seed)
{
    static const char *const pieces[] = {"null", "\"\"", "[]", "{}", "1e999", "-", "\\", "\"", "\\ud800", "{\"Id\":", ",", "]", "}", "[[[[", "\xff", "0.00001"};
    for (unsigned times = 1 + next_random(seed) % 3; times > 0; times--) {
        size_t at_byte = next_random(seed) % n;
        const char *piece = pieces[next_random(seed) % (sizeof pieces / sizeof pieces[0])];
        size_t piece_n = strlen(piece);
        switch (next_random(seed) % 4) {
        case 0:
            text[at_byte] = (char)next_random(seed);
            break;
        case 1: /* one piece taken away */
            piece_n = 1 + next_random(seed) % 8;
            piece_n = piece_n < n - at_byte ? piece_n : n - at_byte - 1;
            memmove(text + at_byte, text + at_byte + piece_n, n - at_byte - piece_n);
            n -= piece_n;
            break;
        case 2: /* over a value */
            piece_n = piece_n < n - at_byte ? piece_n : n - at_byte;
            memcpy(text + at_byte, piece, piece_n);
            break;
        default:
            if (n + piece_n > room)
                break;
            memmove(text + at_byte + piece_n, text + at_byte, n - at_byte);
            memcpy(text + at_byte, piece, piece_n);
            n += piece_n;
        }
    }
    return n;
}

/* Whatever is accepted must be a record that avro-c reads back to its last byte. */
static void mutated_orders_never_break_anything(void **state)
{
    static char text[2 * sizeof sample];
    uint64_t seed = 88172645463325252u;
    int good = 0, rejected = 0;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        memcpy(text, sample, sizeof sample - 1);
        size_t n = mutate(text, sizeof sample - 1, sizeof text, &seed);
        enum rc rc = read_n(text, n);
        assert_int_not_equal(rc, RC_FATAL);
        rejected += rc == RC_REJECT;
        if (rc != RC_OK)
            continue;
        struct decoded d;
        good++;
        decode(&d);
        decoded_release(&d);
    }
    assert_true(good > 500 && rejected > 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sample_order_arrives_to_the_last_digit),
        TEST(the_stamp_decides_raw_warehouses_and_withdrawal),
        TEST(a_vanished_order_is_its_id_and_nothing_else),
        TEST(a_vanished_order_fits_a_schema_with_fields_that_cannot_be_null),
        TEST(what_cannot_become_a_record_is_rejected_with_its_pointer),
        TEST(lines_must_be_there_and_objects),
        TEST(an_id_must_be_a_positive_integer),
        TEST(a_mapped_key_must_not_stand_there_twice),
        TEST(what_is_outside_the_mapping_does_not_matter),
        TEST(accepted_on_purpose),
        TEST(a_record_of_the_same_object_without_values_is_null),
        TEST(nesting_beyond_512_rejects_the_order_alone),
        TEST(too_many_elements_reject_the_order),
        TEST(a_record_too_large_for_the_buffer_is_refused),
        TEST(the_revision_is_that_of_the_content),
        TEST(warehouses_are_resolved_in_order),
        TEST(a_line_without_articles_belongs_to_the_order),
        TEST(articles_beside_the_lines_are_joined),
        TEST(articles_that_belong_to_no_line_reject_the_order),
        TEST(a_great_many_joined_articles_take_no_great_time),
        TEST(no_articles_beside_the_lines_are_none),
        TEST(a_look_tells_id_and_status_alone),
        TEST(a_look_trusts_no_key_that_is_there_twice),
        TEST(words_hold_no_value_of_an_order),
        TEST(nothing_is_allocated_once_warm),
        TEST(mutated_orders_never_break_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
