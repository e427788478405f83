/* How fast an order becomes a record on one core: JSON text -> tape -> Avro, beside jansson's parser on the same text.
 * Usage: transcode [seconds]. Prints one line a figure; ends with 1 when anything is wrong. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/contract/order_encoder.h"
#include "common/contract/page.h"

enum { LINES = 10, PAGE_ORDERS = 100 };

struct bench {
    struct schema *schema;
    struct zone *zone;
    struct order_encoder *encoder;
    struct order_facts facts;
    struct page page;
    struct buf text, record;
};

static void put_contractor(struct buf *b, const char *role, int id)
{
    buf_printf(b,
               "\"%s\":{\"Id\":%d,\"Name\":\"Gżegżółka sp. z o.o.\",\"NIP\":\"5252248481\",\"Email\":\"zakupy@example.pl\",\"Phone\":\"+48 600 100 200\","
               "\"Street\":\"Zażółć Gęślą Jaźń\",\"StreetNumber\":\"7/2\",\"ZipCode\":\"80-305\",\"City\":\"Gdańsk\",\"Country\":\"PL\",\"Type\":\"Company\"},",
               role, id);
}

static void put_order(struct buf *b, int id)
{
    buf_printf(b,
               "{\"Id\":%d,\"Number\":\"ZAM/2026/11/%d\",\"ForeignNumber\":\"A-%d\",\"StatusId\":1,\"StatusName\":\"Nowe\",\"IntegrationId\":7,"
               "\"PurchaseDate\":\"2026-11-20T14:03:11\",\"Currency\":\"PLN\",\"TotalNet\":2032.40,\"TotalGross\":2499.90,\"PaymentFormId\":3,"
               "\"PaymentStatus\":\"Paid\",\"DeliveryMethod\":\"InPost Kurier\",\"DeliveryPriceGross\":14.99,\"Remarks\":\"Proszę dzwonić przed dostawą\","
               "\"WarehouseCode\":\"MAG-1\",\"BuyerId\":501,\"RecipientId\":501,\"PayerId\":502,",
               id, id, id);
    put_contractor(b, "Buyer", 501);
    put_contractor(b, "Recipient", 501);
    put_contractor(b, "Payer", 502);
    buf_put_text(b, "\"Items\":[");
    for (int i = 1; i <= LINES; i++)
        buf_printf(b,
                   "%s{\"Id\":%d,\"OfferId\":%d,\"VariantId\":1,\"Name\":\"Zestaw narzędzi nr %d\",\"Quantity\":2,\"PriceNet\":95.53,\"PriceGross\":117.50,\"VatRate\":23,"
                   "\"OrderItemArticles\":[{\"Id\":%d,\"ArticleId\":%d,\"Code\":\"MLOTEK-%02d\",\"EAN\":\"5901234123457\",\"Name\":\"Młotek ślusarski\",\"Quantity\":2,"
                   "\"Unit\":\"szt.\",\"Location\":\"A-01-02-%02d\",\"Weight\":0.75,\"WarehouseCode\":\"MAG-%d\"}]}",
                   i > 1 ? "," : "", i, 9000 + i, i, 10 + i, 4000 + i, i, i, 1 + i % 2);
    buf_put_text(b, "]}");
}

static bool transcode_page(struct bench *b, struct err *e)
{
    struct order_stamp stamp = {.organization = "acme", .publication = 1763647391000, .round = 1763647391000, .fetched_at = 1763647391000};
    uint32_t order;
    if (page_parse(&b->page, (const char *)b->text.p, b->text.n, "", e) != RC_OK)
        return false;
    while (page_next(&b->page, &order)) {
        buf_reset(&b->record);
        if (order_encoder_read(b->encoder, &b->page.tape, order, &b->facts, e) != RC_OK ||
            order_encoder_write(b->encoder, &stamp, &b->record, e) != RC_OK)
            return false;
    }
    return true;
}

static bool parse_tape(struct bench *b, struct err *e)
{
    return page_parse(&b->page, (const char *)b->text.p, b->text.n, "", e) == RC_OK;
}

static bool parse_jansson(struct bench *b, struct err *e)
{
    json_error_t je;
    json_t *root = json_loadb((const char *)b->text.p, b->text.n, 0, &je);
    if (root == NULL)
        err_set(e, "jansson: %s", je.text);
    json_decref(root);
    return root != NULL;
}

static bool measure(struct bench *b, const char *what, bool (*step)(struct bench *, struct err *), int64_t ms)
{
    struct err e;
    int64_t begin = clock_mono(clock_system()), passed = 0;
    double orders = 0;
    do {
        if (!step(b, &e)) {
            (void)fprintf(stderr, "%s: %s\n", what, e.text);
            return false;
        }
        orders += PAGE_ORDERS;
        passed = clock_mono(clock_system()) - begin;
    } while (passed < ms);
    double ns = (double)passed * 1e6 / orders;
    (void)printf("%-42s %9.0f orders/s %8.0f ns/order\n", what, 1e9 / ns, ns);
    return true;
}

static bool run(struct bench *b, int64_t ms)
{
    if (!measure(b, "JSON -> Avro (parse, read, write)", transcode_page, ms) || !measure(b, "  of it: parse", parse_tape, ms) ||
        !measure(b, "jansson, parse alone", parse_jansson, ms))
        return false;
    (void)printf("%-42s %9.1f KB JSON %9.1f KB Avro\n", "an order", (double)b->text.n / PAGE_ORDERS / 1000, (double)b->record.n / 1000);
    (void)printf("reference (another day): plan-driven 83,000 orders/s; jansson parse 8,900; jansson + avro-c 6,200; Node JSON.parse 28,500\n");
    return true;
}

static bool start(struct bench *b, const struct warehouse_rules *rules)
{
    struct err e;
    const char *text = schema_builtin("Order");
    buf_put_byte(&b->text, '[');
    for (int i = 0; i < PAGE_ORDERS; i++) {
        if (i > 0)
            buf_put_byte(&b->text, ',');
        put_order(&b->text, 100000 + i);
    }
    buf_put_byte(&b->text, ']');
    if (schema_parse(text, strlen(text), &b->schema, &e) == RC_OK && zone_open("Europe/Warsaw", &b->zone, &e) == RC_OK &&
        order_encoder_create(b->schema, b->zone, rules, &b->encoder, &e) == RC_OK && !buf_failed(&b->text))
        return true;
    (void)fprintf(stderr, "%s\n", e.text);
    return false;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct warehouse_rules rules = {.initial = ""};
    int64_t ms = argc > 1 ? strtol(argv[1], NULL, 10) * 1000 : 2000;
    buf_init(&b.text, 1 << 24);
    buf_init(&b.record, 1 << 20);
    page_init(&b.page);
    bool ok = start(&b, &rules) && run(&b, ms);
    order_encoder_destroy(b.encoder);
    zone_close(b.zone);
    schema_destroy(b.schema);
    page_release(&b.page);
    buf_release(&b.text);
    buf_release(&b.record);
    return ok ? 0 : 1;
}
