/* How fast an order becomes a record and a record the ERP's document, on one core, beside jansson + avro-c. tests/bench/transcode runs it and the other peers.
 * Usage: transcode --page | --sample | [[FIGURE] MILLISECONDS]. Prints name=value lines: orders per second of CPU time, bytes asked of malloc an order (after a warm-up, -1: not
 * counted). --page prints the page that is measured, --sample the first order's record in hex with a revision of 0123456789abcdef. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/contract/avro_walk.h"
#include "common/contract/order_encoder.h"
#include "common/contract/order_view.h"
#include "common/contract/page.h"
#include "tests/bench/peer_avroc.h"
#include "tests/bench/phases.h"

enum { LINES = 10, PAGE_ORDERS = 100 };

static int64_t allocated = -1;

#ifdef BENCH_COUNT
/* glibc's own, so that every library's requests are seen; what is freed does not matter. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
    allocated += (int64_t)n;
    return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    allocated += (int64_t)(count * n);
    return __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
    allocated += (int64_t)n;
    return __libc_realloc(p, n);
}
#endif

struct bench {
    struct schema *schema;
    struct zone *zone;
    struct order_encoder *encoder;
    struct order_view *view;
    struct peer_avroc peer;
    struct phases *phases;
    struct order_facts facts;
    struct order_head head;
    struct page page;
    struct buf text, record, document;
};

static const struct order_stamp stamp = {.organization = "acme", .publication = 1763647391000, .round = 1763647391000, .fetched_at = 1763647391000};

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

/* Each step does a page of orders. */
static bool encode_page(struct bench *b, struct err *e)
{
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

static bool parse_page(struct bench *b, struct err *e)
{
    return page_parse(&b->page, (const char *)b->text.p, b->text.n, "", e) == RC_OK;
}

/* One part of what encode_page does, for the same page; see phases.h. */
static bool keys(struct bench *b, struct err *e)
{
    (void)e;
    return phases_keys(b->phases);
}

static bool texts(struct bench *b, struct err *e)
{
    (void)e;
    return phases_texts(b->phases);
}

static bool numbers(struct bench *b, struct err *e)
{
    (void)e;
    return phases_numbers(b->phases);
}

static bool hash(struct bench *b, struct err *e)
{
    (void)e;
    return phases_hash(b->phases, &b->record);
}

static bool out(struct bench *b, struct err *e)
{
    for (int i = 0; i < PAGE_ORDERS; i++) {
        buf_reset(&b->record);
        if (order_encoder_write(b->encoder, &stamp, &b->record, e) != RC_OK)
            return false;
    }
    return true;
}

static bool walk(struct bench *b, struct err *e)
{
    for (int i = 0; i < PAGE_ORDERS; i++)
        if (avro_walk_check(schema_root(b->schema), b->record.p, b->record.n, e) != RC_OK)
            return false;
    return true;
}

static bool head(struct bench *b, struct err *e)
{
    for (int i = 0; i < PAGE_ORDERS; i++)
        if (order_view_head(b->view, b->record.p, b->record.n, &b->head, e) != RC_OK)
            return false;
    return true;
}

static bool view(struct bench *b, struct err *e)
{
    for (int i = 0; i < PAGE_ORDERS; i++) {
        buf_reset(&b->document);
        if (order_view_json(b->view, b->record.p, b->record.n, NULL, &b->document, e) != RC_OK)
            return false;
    }
    return true;
}

static bool consume(struct bench *b, struct err *e)
{
    for (int i = 0; i < PAGE_ORDERS; i++) {
        buf_reset(&b->document);
        if (order_view_head(b->view, b->record.p, b->record.n, &b->head, e) != RC_OK ||
            order_view_json(b->view, b->record.p, b->record.n, NULL, &b->document, e) != RC_OK)
            return false;
    }
    return true;
}

static bool peer_encode(struct bench *b, struct err *e)
{
    err_set(e, "jansson + avro-c failed");
    return peer_avroc_encode(&b->peer, (const char *)b->text.p, b->text.n);
}

static bool peer_parse(struct bench *b, struct err *e)
{
    json_error_t je;
    json_t *root = json_loadb((const char *)b->text.p, b->text.n, 0, &je);
    if (root == NULL)
        err_set(e, "jansson: %s", je.text);
    json_decref(root);
    return root != NULL;
}

static bool peer_decode(struct bench *b, struct err *e)
{
    err_set(e, "avro-c failed");
    for (int i = 0; i < PAGE_ORDERS; i++)
        if (!peer_avroc_decode(&b->peer, b->record.p, b->record.n))
            return false;
    return true;
}

/* Of this process, in ms: what else runs on the machine does not count. */
static int64_t cpu_time(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* always there on Linux */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool measure(struct bench *b, const char *name, bool (*step)(struct bench *, struct err *), int64_t ms)
{
    struct err e = {0};
    int64_t begin = cpu_time(), passed = 0, orders = 0;
    for (; passed < ms / 4; passed = cpu_time() - begin)
        if (!step(b, &e))
            goto failed;
    int64_t before = allocated;
    begin = cpu_time();
    for (passed = 0; passed < ms; passed = cpu_time() - begin) {
        if (!step(b, &e))
            goto failed;
        orders += PAGE_ORDERS;
    }
    (void)printf("%s=%.0f\n%s_bytes=%" PRId64 "\n", name, (double)orders * 1000 / (double)passed, name, allocated < 0 ? -1 : (allocated - before) / orders);
    return true;
failed:
    (void)fprintf(stderr, "%s: %s\n", name, e.text);
    return false;
}

static bool run(struct bench *b, int64_t ms, const char *only)
{
    static const struct {
        const char *name;
        bool (*step)(struct bench *, struct err *);
    } steps[] = {{"encode", encode_page}, {"parse", parse_page}, {"keys", keys}, {"texts", texts}, {"numbers", numbers}, {"hash", hash}, {"out", out},
                 {"walk", walk}, {"head", head}, {"view", view}, {"consume", consume},
                 {"avroc_encode", peer_encode}, {"avroc_parse", peer_parse}, {"avroc_decode", peer_decode}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if ((only == NULL || strcmp(only, steps[i].name) == 0) && !measure(b, steps[i].name, steps[i].step, ms))
            return false;
    (void)printf("json_order=%zu\navro_order=%zu\n", b->text.n / PAGE_ORDERS, b->record.n);
    return true;
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* Of the last order both sides have just done; the first one's for others. */
static bool sample(struct bench *b)
{
    static const unsigned char fixed[] = "0123456789abcdef";
    struct err e = {0};
    uint32_t order;
    if (!encode_page(b, &e) || !peer_encode(b, &e))
        return false;
    unsigned char *revision = memmem(b->record.p, b->record.n, b->facts.revision, 16);
    memcpy(revision, fixed, 16);
    if (!same(&b->record, &b->peer.out)) {
        (void)fprintf(stderr, "jansson + avro-c write other bytes\n");
        return false;
    }
    buf_reset(&b->record);
    if (!parse_page(b, &e) || !page_next(&b->page, &order) || order_encoder_read(b->encoder, &b->page.tape, order, &b->facts, &e) != RC_OK ||
        order_encoder_write(b->encoder, &stamp, &b->record, &e) != RC_OK)
        return false;
    memcpy(memmem(b->record.p, b->record.n, b->facts.revision, 16), fixed, 16);
    for (size_t i = 0; i < b->record.n; i++)
        (void)printf("%02x", b->record.p[i]);
    return printf("\n") > 0;
}

static bool start(struct bench *b, const struct warehouse_rules *rules)
{
    struct err e = {0};
    const char *text = schema_builtin("Order");
    buf_put_byte(&b->text, '[');
    for (int i = 0; i < PAGE_ORDERS; i++) {
        if (i > 0)
            buf_put_byte(&b->text, ',');
        put_order(&b->text, 100000 + i);
    }
    buf_put_byte(&b->text, ']');
    if (!buf_failed(&b->text) && schema_parse(text, strlen(text), &b->schema, &e) == RC_OK && zone_open("Europe/Warsaw", &b->zone, &e) == RC_OK &&
        order_encoder_create(b->schema, b->zone, rules, &b->encoder, &e) == RC_OK && order_view_create(b->schema, &b->view, &e) == RC_OK &&
        peer_avroc_open(&b->peer, schema_avro(b->schema)) && encode_page(b, &e) && parse_page(b, &e) &&
        (b->phases = phases_open(b->schema, b->zone, &b->page, &e)) != NULL)
        return true;
    (void)fprintf(stderr, "%s\n", e.text);
    return false;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct warehouse_rules rules = {.initial = ""};
    const char *last = argc > 1 ? argv[argc - 1] : "";
    buf_init(&b.text, 1 << 24);
    buf_init(&b.record, 1 << 20);
    buf_init(&b.document, 1 << 20);
    page_init(&b.page);
    bool ok = start(&b, &rules);
    if (ok && strcmp(last, "--page") == 0)
        ok = fwrite(b.text.p, 1, b.text.n, stdout) == b.text.n;
    else if (ok && strcmp(last, "--sample") == 0)
        ok = sample(&b);
    else if (ok)
        ok = run(&b, last[0] != '\0' ? strtol(last, NULL, 10) : 1000, argc > 2 ? argv[1] : NULL);
    phases_close(b.phases);
    peer_avroc_close(&b.peer);
    order_view_destroy(b.view);
    order_encoder_destroy(b.encoder);
    zone_close(b.zone);
    schema_destroy(b.schema);
    page_release(&b.page);
    buf_release(&b.text);
    buf_release(&b.record);
    buf_release(&b.document);
    return ok ? 0 : 1;
}
