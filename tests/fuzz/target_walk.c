/* Any bytes as a message of a topic. First byte: the writer's schema. What the walk passes, avro-c must read and write again; what it passes of an order has a
 * head and a document, what it passes of the small records is read or refused with words. */
#include <string.h>

#include "common/contract/avro_walk.h"
#include "common/contract/json_tape.h"
#include "common/contract/ledger_row.h"
#include "common/contract/order_state.h"
#include "common/contract/order_view.h"
#include "common/contract/outcome.h"
#include "tests/fuzz/avro_peer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/schema_table.h"

enum { DOCUMENT_BYTES = 1 << 24, PEER_BYTES = 1 << 16 };

/* A view of an ERP: fewer fields, other names, one that no writer has. */
static const char view_schema[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"xsale\",\"fields\":[{\"name\":\"orderId\",\"type\":\"long\",\"erp\":\"Id\"},"
    "{\"name\":\"extra\",\"type\":\"string\",\"default\":\"x\"},"
    "{\"name\":\"totalGross\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":4}],\"default\":null},"
    "{\"name\":\"statusId\",\"type\":[\"null\",\"double\"],\"default\":null},"
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\",\"fields\":["
    "{\"name\":\"name\",\"type\":[\"null\",\"string\"],\"default\":null,\"erp\":\"Nazwa\"},"
    "{\"name\":\"articles\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Article\",\"fields\":["
    "{\"name\":\"code\",\"type\":\"string\",\"erp\":\"Symbol\"}]}}}]}}}]}";

static void check_document(const struct order_view *v, const unsigned char *p, size_t n, const char *warehouse)
{
    struct buf out;
    struct err e;
    struct json_tape t;
    buf_init(&out, DOCUMENT_BYTES);
    json_tape_init(&t);
    enum rc rc = order_view_json(v, p, n, warehouse, &out, &e);
    FUZZ_CHECK(rc == RC_OK || rc == RC_REJECT, "no other verdict");
    if (rc == RC_OK && !buf_failed(&out)) {
        FUZZ_CHECK(json_tape_parse(&t, (const char *)out.p, out.n, &e) == RC_OK, "a document is JSON");
        struct buf text;
        buf_init(&text, DOCUMENT_BYTES);
        for (size_t i = 0; i < t.n; i++) {
            buf_reset(&text);
            if (t.nodes[i].type == JSON_TAPE_STRING && json_tape_string(&t, (uint32_t)i, &text, &e) != RC_OK)
                FUZZ_CHECK(strstr(e.text, "U+0000") != NULL, e.text); /* Avro may hold it, our readers refuse it */
        }
        buf_release(&text);
    }
    json_tape_release(&t);
    buf_release(&out);
}

static void check_order(const unsigned char *p, size_t n, bool sound)
{
    static struct order_view *view, *erp_view;
    static struct schema *erp;
    static struct order_head head;
    struct err e;
    if (view == NULL && (order_view_create(schema_table_at(SCHEMA_TABLE_ORDER), &view, &e) != RC_OK ||
                         schema_parse(view_schema, sizeof view_schema - 1, &erp, &e) != RC_OK ||
                         order_view_create_for(schema_table_at(SCHEMA_TABLE_ORDER), erp, &erp_view, &e) != RC_OK))
        FUZZ_CHECK(false, e.text);
    enum rc rc = order_view_head(view, p, n, &head, &e);
    FUZZ_CHECK(rc == RC_OK ? sound : rc == RC_REJECT, "the head follows the walk");
    if (rc != RC_OK)
        return;
    check_document(view, p, n, NULL);
    check_document(view, p, n, "MAG-1");
    check_document(erp_view, p, n, NULL);
    check_document(erp_view, p, n, "MAG-1");
    if (head.warehouses.n > 0)
        check_document(view, p, n, head.warehouses.names[0]);
}

static void check_small(const struct schema *s, size_t kind, const unsigned char *p, size_t n, bool sound)
{
    struct outcome *o = NULL;
    struct ledger_row *r = NULL;
    struct order_state *t = NULL;
    struct err e;
    struct record_writer writer;
    record_writer_init(&writer, s);
    enum rc rc = kind == SCHEMA_TABLE_STATUS  ? ledger_row_decode(&writer, p, n, &r, &e)
                 : kind == SCHEMA_TABLE_STATE ? order_state_decode(&writer, p, n, &t, &e)
                                              : outcome_decode(&writer, p, n, &o, &e);
    record_writer_release(&writer);
    FUZZ_CHECK(rc == RC_OK ? sound : rc == RC_REJECT, "reading follows the walk");
    outcome_destroy(o);
    ledger_row_destroy(r);
    order_state_destroy(t);
}

void fuzz_one(const uint8_t *p, size_t n)
{
    struct err e;
    if (n == 0)
        return;
    size_t which = p[0] % schema_table_count();
    const struct schema *s = schema_table_at(which);
    unsigned char *avro = malloc(n); /* without the first byte, and not one more */
    FUZZ_CHECK(avro != NULL, "memory");
    memcpy(avro, p + 1, --n);
    avro = realloc(avro, n > 0 ? n : 1);
    FUZZ_CHECK(avro != NULL, "memory");
    struct avro_cursor c = {avro, avro + n};
    enum rc rc = avro_walk_check(schema_root(s), avro, n, &e);
    FUZZ_CHECK(rc == RC_OK || (rc == RC_REJECT && fuzz_words(&e)), "a verdict with words");
    if (rc == RC_OK) {
        FUZZ_CHECK(avro_walk_skip(schema_root(s), &c) && c.p == c.end, "stepping over ends where the check ended");
        if (n <= PEER_BYTES)
            avro_peer_check(s, avro, n, false);
    }
    if (which == SCHEMA_TABLE_ORDER)
        check_order(avro, n, rc == RC_OK);
    else if (schema_field(schema_root(s), "revision") != NULL)
        check_small(s, which, avro, n, rc == RC_OK);
    free(avro);
}
