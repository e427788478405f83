#include "tests/bench/peer_avroc.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NULLABLE = 16, RECORD_BYTES = 1 << 20 };

enum kind { LONG, TEXT, MONEY, QUANTITY, MOMENT };

/* A field by its place in the record. */
struct map {
    size_t field;
    const char *key;
    int kind; /* | NULLABLE */
};

static const struct map order_map[] = {
    {1, "Id", LONG}, {6, "Number", TEXT | NULLABLE}, {7, "ForeignNumber", TEXT | NULLABLE}, {8, "StatusId", LONG | NULLABLE},
    {9, "StatusName", TEXT | NULLABLE}, {10, "IntegrationId", LONG | NULLABLE}, {11, "PurchaseDate", MOMENT | NULLABLE},
    {12, "Currency", TEXT | NULLABLE}, {13, "TotalNet", MONEY | NULLABLE}, {14, "TotalGross", MONEY | NULLABLE},
    {17, "Remarks", TEXT | NULLABLE}, {21, "WarehouseCode", TEXT | NULLABLE}, {0, NULL, 0}};
static const struct map payment_map[] = {{0, "PaymentFormId", LONG | NULLABLE}, {1, "PaymentStatus", TEXT | NULLABLE}, {0, NULL, 0}};
static const struct map delivery_map[] = {{0, "DeliveryMethod", TEXT | NULLABLE}, {1, "DeliveryPriceGross", MONEY | NULLABLE}, {0, NULL, 0}};
static const struct map contractor_map[] = {
    {0, "Id", LONG | NULLABLE}, {1, "Name", TEXT | NULLABLE}, {2, "NIP", TEXT | NULLABLE}, {3, "Email", TEXT | NULLABLE}, {4, "Phone", TEXT | NULLABLE},
    {5, "Street", TEXT | NULLABLE}, {6, "StreetNumber", TEXT | NULLABLE}, {7, "ZipCode", TEXT | NULLABLE}, {8, "City", TEXT | NULLABLE},
    {9, "Country", TEXT | NULLABLE}, {0, NULL, 0}};
static const struct map item_map[] = {
    {0, "Id", LONG | NULLABLE}, {1, "OfferId", LONG | NULLABLE}, {2, "VariantId", LONG | NULLABLE}, {3, "Name", TEXT | NULLABLE}, {4, "Quantity", QUANTITY},
    {5, "PriceNet", MONEY | NULLABLE}, {6, "PriceGross", MONEY | NULLABLE}, {7, "VatRate", TEXT | NULLABLE}, {0, NULL, 0}};
static const struct map article_map[] = {
    {0, "ArticleId", LONG | NULLABLE}, {1, "Code", TEXT}, {2, "EAN", TEXT | NULLABLE}, {3, "Name", TEXT | NULLABLE}, {4, "Quantity", QUANTITY},
    {5, "WarehouseCode", TEXT | NULLABLE}, {0, NULL, 0}};

static bool set_decimal(avro_value_t *to, const json_t *from, double factor)
{
    long long v = llround(json_number_value(from) * factor);
    unsigned char bytes[8];
    size_t n = 1;
    for (long long rest = v; rest > 127 || rest < -128; rest >>= 8)
        n++;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)((unsigned long long)v >> (8 * (n - 1 - i)));
    return avro_value_set_bytes(to, bytes, n) == 0;
}

static bool set_text(avro_value_t *to, const json_t *from)
{
    char number[32];
    if (json_is_string(from))
        return avro_value_set_string_len(to, json_string_value(from), json_string_length(from) + 1) == 0;
    (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(from)); /* 20 digits fit */
    return avro_value_set_string(to, number) == 0;
}

static bool set_moment(avro_value_t *to, const json_t *from)
{
    struct tm tm = {.tm_isdst = -1};
    if (!json_is_string(from) || strptime(json_string_value(from), "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
        return false;
    return avro_value_set_long(to, (int64_t)mktime(&tm) * 1000) == 0;
}

static bool set_scalar(avro_value_t *to, const json_t *from, int kind)
{
    switch (kind & ~NULLABLE) {
    case LONG:
        return avro_value_set_long(to, json_integer_value(from)) == 0;
    case TEXT:
        return set_text(to, from);
    case MONEY:
        return set_decimal(to, from, 1e4);
    case QUANTITY:
        return set_decimal(to, from, 1e6);
    default:
        return set_moment(to, from);
    }
}

static bool set_fields(avro_value_t *record, const json_t *from, const struct map *map)
{
    avro_value_t field, value;
    for (; map->key != NULL; map++) {
        const json_t *v = json_object_get(from, map->key);
        bool there = v != NULL && !json_is_null(v) && (!json_is_string(v) || json_string_length(v) > 0);
        if (avro_value_get_by_index(record, map->field, &field, NULL) != 0)
            return false;
        value = field;
        if ((map->kind & NULLABLE) != 0 && avro_value_set_branch(&field, there, &value) != 0)
            return false;
        if (there ? !set_scalar(&value, v, map->kind) : avro_value_set_null(&value) != 0)
            return false;
    }
    return true;
}

/* A record in a union with null. */
static bool set_record(avro_value_t *order, size_t at, const json_t *from, const struct map *map)
{
    avro_value_t field, value;
    if (avro_value_get_by_index(order, at, &field, NULL) != 0 || avro_value_set_branch(&field, from != NULL, &value) != 0)
        return false;
    return from == NULL ? avro_value_set_null(&value) == 0 : set_fields(&value, from, map);
}

static bool set_items(avro_value_t *order, const json_t *items)
{
    avro_value_t array, item, articles, article;
    size_t i, j;
    json_t *line, *goods;
    if (avro_value_get_by_index(order, 22, &array, NULL) != 0)
        return false;
    json_array_foreach(items, i, line) {
        if (avro_value_append(&array, &item, NULL) != 0 || !set_fields(&item, line, item_map) || avro_value_get_by_index(&item, 8, &articles, NULL) != 0)
            return false;
        json_array_foreach(json_object_get(line, "OrderItemArticles"), j, goods) {
            if (avro_value_append(&articles, &article, NULL) != 0 || !set_fields(&article, goods, article_map))
                return false;
        }
    }
    return true;
}

static bool set_stamp(avro_value_t *order)
{
    static const char *const warehouses[] = {"MAG-1", "MAG-2"};
    avro_value_t f, value;
    bool ok = avro_value_get_by_index(order, 0, &f, NULL) == 0 && avro_value_set_string(&f, "acme") == 0 &&
              avro_value_get_by_index(order, 2, &f, NULL) == 0 && avro_value_set_string(&f, "0123456789abcdef") == 0 &&
              avro_value_get_by_index(order, 3, &f, NULL) == 0 && avro_value_set_long(&f, 1763647391000) == 0 &&
              avro_value_get_by_index(order, 4, &f, NULL) == 0 && avro_value_set_long(&f, 1763647391000) == 0 &&
              avro_value_get_by_index(order, 5, &f, NULL) == 0 && avro_value_set_boolean(&f, 0) == 0 &&
              avro_value_get_by_index(order, 24, &f, NULL) == 0 && avro_value_set_long(&f, 1763647391000) == 0 &&
              avro_value_get_by_index(order, 25, &f, NULL) == 0 && avro_value_set_branch(&f, 0, &value) == 0 && avro_value_set_null(&value) == 0 &&
              avro_value_get_by_index(order, 23, &f, NULL) == 0;
    for (size_t i = 0; ok && i < 2; i++)
        ok = avro_value_append(&f, &value, NULL) == 0 && avro_value_set_string(&value, warehouses[i]) == 0;
    return ok;
}

static bool encode(struct peer_avroc *p, const json_t *order)
{
    avro_value_t *v = &p->value;
    size_t size;
    if (avro_value_reset(v) != 0 || !set_stamp(v) || !set_fields(v, order, order_map) || !set_record(v, 15, order, payment_map) ||
        !set_record(v, 16, order, delivery_map) || !set_record(v, 18, json_object_get(order, "Buyer"), contractor_map) ||
        !set_record(v, 19, json_object_get(order, "Recipient"), contractor_map) || !set_record(v, 20, json_object_get(order, "Payer"), contractor_map) ||
        !set_items(v, json_object_get(order, "Items")) || avro_value_sizeof(v, &size) != 0)
        return false;
    buf_reset(&p->out);
    if (!buf_reserve(&p->out, size))
        return false;
    avro_writer_t writer = avro_writer_memory((char *)p->out.p, (int64_t)size);
    bool ok = writer != NULL && avro_value_write(writer, v) == 0;
    avro_writer_free(writer);
    p->out.n = size;
    return ok;
}

bool peer_avroc_open(struct peer_avroc *p, avro_schema_t schema)
{
    *p = (struct peer_avroc){.iface = avro_generic_class_from_schema(schema)};
    buf_init(&p->out, RECORD_BYTES);
    return p->iface != NULL && avro_generic_value_new(p->iface, &p->value) == 0;
}

void peer_avroc_close(struct peer_avroc *p)
{
    if (p->value.self != NULL)
        avro_value_decref(&p->value);
    if (p->iface != NULL)
        avro_value_iface_decref(p->iface);
    buf_release(&p->out);
}

bool peer_avroc_encode(struct peer_avroc *p, const char *text, size_t n)
{
    json_error_t je;
    size_t i;
    json_t *order, *page = json_loadb(text, n, 0, &je);
    bool ok = page != NULL;
    json_array_foreach(page, i, order) {
        ok = ok && encode(p, order);
    }
    json_decref(page);
    return ok;
}

bool peer_avroc_decode(struct peer_avroc *p, const unsigned char *avro, size_t n)
{
    char *text = NULL;
    avro_reader_t reader = avro_reader_memory((const char *)avro, (int64_t)n);
    bool ok = reader != NULL && avro_value_reset(&p->value) == 0 && avro_value_read(reader, &p->value) == 0 &&
              avro_value_to_json(&p->value, 1, &text) == 0;
    avro_reader_free(reader);
    free(text);
    return ok;
}
