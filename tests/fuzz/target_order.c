/* The text of an order -> record. A text that begins with '1' is read by a schema of a user's own, with every kind of field. What is accepted passes the walk,
 * has the head that the facts promise and a document, and avro-c reads it and writes the same bytes. */
#include <string.h>

#include "common/contract/avro_walk.h"
#include "common/contract/order_encoder.h"
#include "common/contract/order_view.h"
#include "tests/fuzz/avro_peer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/json/json_peer.h"

enum { RECORD_BYTES = 1 << 25 };

static const char own_schema[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"own\",\"fields\":["
    "{\"name\":\"organization\",\"type\":\"string\",\"bridge\":\"organization\",\"volatile\":true},"
    "{\"name\":\"orderId\",\"type\":\"long\",\"xsale\":[\"/Nr\"],\"required\":true},"
    "{\"name\":\"revision\",\"type\":\"string\",\"bridge\":\"revision\",\"volatile\":true},"
    "{\"name\":\"publication\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"bridge\":\"publication\",\"volatile\":true},"
    "{\"name\":\"round\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"bridge\":\"round\",\"volatile\":true},"
    "{\"name\":\"withdrawn\",\"type\":\"boolean\",\"default\":false,\"bridge\":\"withdrawn\",\"volatile\":true},"
    "{\"name\":\"fetchedAt\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},\"bridge\":\"fetchedAt\",\"volatile\":true},"
    "{\"name\":\"raw\",\"type\":[\"null\",\"bytes\"],\"default\":null,\"bridge\":\"raw\",\"volatile\":true},"
    "{\"name\":\"warehouses\",\"type\":{\"type\":\"array\",\"items\":\"string\"},\"bridge\":\"warehouses\",\"volatile\":true},"
    "{\"name\":\"small\",\"type\":[\"int\",\"null\"],\"default\":7,\"xsale\":[\"/a\",\"/b/c\",\"/d/0\"]},"
    "{\"name\":\"paid\",\"type\":[\"null\",\"boolean\"],\"default\":null,\"xsale\":[\"/paid\"]},"
    "{\"name\":\"day\",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}],\"default\":null,\"xsale\":[\"/day\"]},"
    "{\"name\":\"moment\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}],\"default\":null,\"xsale\":[\"/moment\"]},"
    "{\"name\":\"wide\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":19}],\"default\":null,\"xsale\":[\"/wide\"]},"
    "{\"name\":\"how\",\"type\":[\"null\",{\"type\":\"enum\",\"name\":\"How\",\"symbols\":[\"CARD\",\"CASH\"]}],\"default\":null,\"xsale\":[\"/how\"],"
    "\"symbols\":{\"karta\":\"CARD\"}},"
    "{\"name\":\"tags\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"string\"}],\"default\":null,\"xsale\":[\"/tags\"]},"
    "{\"name\":\"warehouse\",\"type\":[\"null\",\"string\"],\"default\":null,\"xsale\":[\"/b/w\"],\"resolve\":\"warehouse\"},"
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\",\"fields\":["
    "{\"name\":\"itemId\",\"type\":\"long\",\"xsale\":[\"/Id\"],\"required\":true},"
    "{\"name\":\"articles\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Article\",\"fields\":["
    "{\"name\":\"code\",\"type\":\"string\",\"xsale\":[\"/Code\"],\"required\":true},"
    "{\"name\":\"quantity\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":18,\"scale\":6},\"xsale\":[\"/Quantity\"],\"required\":true},"
    "{\"name\":\"warehouse\",\"type\":[\"null\",\"string\"],\"default\":null,\"xsale\":[\"/WarehouseCode\"],\"resolve\":\"warehouse\"}]}},"
    "\"xsale\":[{\"array\":\"/Articles\",\"reference\":\"/ItemId\",\"to\":\"/Id\"}]}]}},\"xsale\":[\"/Items\"],\"required\":true}]}";

struct mapping {
    struct schema *schema;
    struct order_encoder *encoder;
    struct order_view *view;
};

static const char *const known[] = {"MAG-1", "MAG-2", "W"};
static const struct warehouse_channel channels[] = {{7, "MAG-1"}, {8, "MAG-2"}};
static const struct warehouse_rules strict = {known, 3, "MAG-1", channels, 2}, loose = {NULL, 0, "", NULL, 0};

static const struct zone *zone(void)
{
    static struct zone *z;
    struct err e;
    if (z == NULL)
        FUZZ_CHECK(zone_open("Europe/Warsaw", &z, &e) == RC_OK, e.text);
    return z;
}

/* Now and then begins anew: what an encoder keeps for the next order can hide a fault. */
static const struct mapping *mapping_at(bool own, bool fresh)
{
    static struct mapping mappings[2];
    struct mapping *m = &mappings[own];
    struct err e;
    if (m->schema != NULL && fresh) {
        order_encoder_destroy(m->encoder);
        order_view_destroy(m->view);
        schema_destroy(m->schema);
        *m = (struct mapping){.schema = NULL};
    }
    if (m->schema != NULL)
        return m;
    const char *text = own ? own_schema : schema_builtin("Order");
    if (schema_parse(text, strlen(text), &m->schema, &e) != RC_OK || order_view_create(m->schema, &m->view, &e) != RC_OK ||
        order_encoder_create(m->schema, zone(), own ? &loose : &strict, &m->encoder, &e) != RC_OK)
        FUZZ_CHECK(false, e.text);
    return m;
}

static void check_document(const struct mapping *m, const struct buf *avro, const char *warehouse)
{
    struct buf out;
    struct err e;
    buf_init(&out, RECORD_BYTES);
    enum rc rc = order_view_json(m->view, avro->p, avro->n, warehouse, &out, &e);
    if (rc != RC_OK)
        FUZZ_CHECK(false, e.text);
    FUZZ_CHECK(!buf_failed(&out) && json_peer_tape((const char *)out.p, out.n) == JSON_SOUND, "a document is JSON");
    buf_release(&out);
}

static void check_record(const struct mapping *m, const struct order_facts *facts, const struct order_stamp *stamp, const struct buf *avro)
{
    static struct order_head head;
    struct err e;
    if (avro_walk_check(schema_root(m->schema), avro->p, avro->n, &e) != RC_OK)
        FUZZ_CHECK(false, e.text);
    if (order_view_head(m->view, avro->p, avro->n, &head, &e) != RC_OK)
        FUZZ_CHECK(false, e.text);
    FUZZ_CHECK(head.order_id == facts->order_id && strcmp(head.revision, facts->revision) == 0, "the order that was read");
    FUZZ_CHECK(head.publication == stamp->publication && head.round == stamp->round && head.withdrawn == stamp->withdrawn, "stamped");
    FUZZ_CHECK(head.warehouses.n == facts->warehouses.n, "the warehouses that were found");
    for (size_t i = 0; i < head.warehouses.n; i++)
        FUZZ_CHECK(strcmp(head.warehouses.names[i], facts->warehouses.names[i]) == 0, "the warehouses that were found");
    FUZZ_CHECK((head.raw != NULL) == stamp->raw, "raw is kept when it is wanted");
    if (head.raw != NULL)
        FUZZ_CHECK(head.raw_n == facts->text_n && memcmp(head.raw, facts->text, head.raw_n) == 0, "the exact bytes");
    check_document(m, avro, NULL);
    if (head.warehouses.n > 0)
        check_document(m, avro, head.warehouses.names[0]);
    avro_peer_check(m->schema, avro->p, avro->n, true);
}

static void check_order(const struct mapping *m, const struct json_tape *t, bool raw)
{
    static struct order_facts facts, again;
    struct order_stamp stamp = {.organization = "acme", .publication = 1795000000123, .round = 1795000000000, .fetched_at = 1795000000999, .raw = raw};
    struct err e = {""};
    struct buf avro;
    enum rc rc = order_encoder_read(m->encoder, t, 0, &facts, &e);
    FUZZ_CHECK(rc == RC_OK || (rc == RC_REJECT && fuzz_words(&e)), "a verdict with words");
    FUZZ_CHECK(strlen(facts.revision) == 16, "a revision in every case");
    FUZZ_CHECK(rc != RC_OK || (facts.has_id && facts.order_id > 0), "an order has an id");
    FUZZ_CHECK(rc == order_encoder_read(m->encoder, t, 0, &again, &e) && strcmp(facts.revision, again.revision) == 0, "the same twice");
    if (rc == RC_OK) {
        buf_init(&avro, RECORD_BYTES);
        stamp.withdrawn = facts.order_id % 2 == 0;
        if (order_encoder_write(m->encoder, &stamp, &avro, &e) != RC_OK)
            FUZZ_CHECK(false, e.text);
        check_record(m, &facts, &stamp, &avro);
        buf_release(&avro);
    }
    rc = order_encoder_peek(m->encoder, t, 0, &again, &e);
    FUZZ_CHECK(facts.has_id == again.has_id && facts.order_id == again.order_id, "a look sees the same id");
    FUZZ_CHECK(rc == (again.has_id ? RC_OK : RC_REJECT), "a look needs an id");
}

void fuzz_one(const uint8_t *p, size_t n)
{
    static struct json_tape tape;
    struct err e;
    bool own = n > 0 && p[0] == '1';
    size_t skip = own ? 1 : 0;
    char *text = malloc(n > skip ? n - skip : 1);
    FUZZ_CHECK(text != NULL, "memory");
    memcpy(text, p + skip, n - skip);
    if (json_tape_parse(&tape, text, n - skip, &e) == RC_OK)
        check_order(mapping_at(own, n % 16 == 11), &tape, n % 2 == 0);
    free(text);
}
