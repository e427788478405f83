#include "consumer/check_order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/slurp.h"
#include "common/contract/order_view.h"
#include "common/contract/schema_file.h"
#include "consumer/erp_view.h"

enum { DOCUMENT_MAX = 16 * 1024 * 1024 };

static const char built_in[] =
    "{\"Id\": 1, \"Number\": \"TEST\", \"PurchaseDate\": \"2026-01-02T03:04:05Z\", \"Currency\": \"PLN\", \"TotalNet\": 8.13, \"TotalGross\": 10.00, \"Remarks\": \"\","
    " \"Buyer\": {\"Name\": \"xsale-bridge --check-erp\", \"City\": \"\\u0141\\u00f3d\\u017a\", \"Country\": \"PL\"},"
    " \"Items\": [{\"Id\": 1, \"Name\": \"TEST\", \"Quantity\": 1, \"PriceNet\": 8.13, \"PriceGross\": 10.00, \"VatRate\": 23,"
    " \"OrderItemArticles\": [{\"Id\": 1, \"ArticleId\": 1, \"Code\": \"TEST\", \"Name\": \"TEST\", \"Quantity\": 1}]}]}";

struct check_order {
    struct buf text; /* of the order */
    struct json_tape tape;
    struct schema *writer, *seen;
    struct zone *zone;
    struct order_view *view;
    bool own_lines;
    char id[100], remarks[100]; /* names of the members; remarks may be "" */
};

/* The member of the order that the schema's field comes from: the first pointer, if it is one step. false: something else. */
static bool member_of(const struct schema *s, const char *field, char out[100])
{
    const struct schema_field *f = schema_field(schema_root(s), field);
    const char *pointer = f != NULL ? json_string_value(json_array_get(json_object_get(f->json, "xsale"), 0)) : NULL;
    if (pointer == NULL || pointer[0] != '/' || pointer[1] == '\0' || strpbrk(pointer + 1, "/~") != NULL || strlen(pointer) > 99)
        return false;
    memcpy(out, pointer + 1, strlen(pointer));
    return true;
}

static enum rc open_schemas(struct check_order *o, const struct config *c, struct err *e)
{
    const char *path = config_text(c, "producer.schema"), *text = schema_builtin("Order");
    enum rc rc = path[0] != '\0' ? schema_file_load(path, &o->writer, e) : schema_parse(text, strlen(text), &o->writer, e);
    if (rc == RC_OK)
        rc = erp_view_open(c, &o->seen, e);
    if (rc == RC_OK)
        rc = order_view_create_for(o->writer, o->seen, &o->view, e);
    if (rc == RC_OK && !member_of(o->writer, "orderId", o->id)) {
        err_set(e, "the Order schema takes orderId from more than one step: --check-erp cannot make orders for it");
        rc = RC_REJECT;
    }
    if (rc == RC_OK && !member_of(o->writer, "remarks", o->remarks))
        o->remarks[0] = '\0';
    return rc;
}

static enum rc open_template(struct check_order *o, const char *path, struct err *e)
{
    enum rc rc = RC_OK;
    if (path != NULL)
        rc = slurp_file(path, DOCUMENT_MAX - 1, &o->text, NULL, e);
    else
        buf_put_text(&o->text, built_in);
    if (rc == RC_OK)
        rc = json_tape_parse(&o->tape, (const char *)o->text.p, o->text.n, e);
    if (rc == RC_OK && (o->tape.nodes[0].type != JSON_TAPE_OBJECT || o->tape.nodes[0].count == 0)) {
        err_set(e, "not one order in JSON");
        rc = RC_REJECT;
    }
    if (rc == RC_REJECT && path != NULL)
        err_prefix(e, "%s", path);
    return rc;
}

enum rc check_order_open(const struct config *c, const char *path, struct check_order **out, struct err *e)
{
    struct check_order *o = calloc(1, sizeof *o);
    enum rc rc;
    if (o == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    buf_init(&o->text, DOCUMENT_MAX);
    json_tape_init(&o->tape);
    o->own_lines = strcmp(config_text(c, "consumer.lines"), "own") == 0;
    rc = open_template(o, path, e);
    if (rc == RC_OK)
        rc = open_schemas(o, c, e);
    if (rc == RC_OK)
        rc = zone_open(config_text(c, "xsale.time_zone"), &o->zone, e);
    if (rc == RC_OK)
        *out = o;
    else
        check_order_close(o);
    return rc;
}

void check_order_close(struct check_order *o)
{
    if (o == NULL)
        return;
    json_tape_release(&o->tape);
    buf_release(&o->text);
    order_view_destroy(o->view);
    schema_destroy(o->seen);
    schema_destroy(o->writer);
    zone_close(o->zone);
    free(o);
}

/* Appends bytes from..member's value and, instead of that, `value`; *from goes behind it. A member that is not there is put in front of the others. */
static void put_member(const struct check_order *o, const char *name, const char *value, uint32_t *from, struct buf *out)
{
    uint32_t at = json_tape_member(&o->tape, 0, name, strlen(name), NULL);
    const struct json_node *n = &o->tape.nodes[at];
    buf_put(out, o->tape.text + *from, (at != 0 ? n->start : n->start + 1) - *from);
    if (at == 0)
        buf_printf(out, "\"%s\": %s, ", name, value);
    else
        buf_put_text(out, value);
    *from = at != 0 ? n->end : n->start + 1;
}

/* Its own place in the text; what is missing stands at the beginning. */
static uint32_t place(const struct check_order *o, const char *name)
{
    return o->tape.nodes[json_tape_member(&o->tape, 0, name, strlen(name), NULL)].start;
}

/* The order as xSale would send this version. Spliced, byte by byte: amounts must not pass through a double. */
static void order_text(const struct check_order *o, const struct check_version *v, struct buf *out)
{
    uint32_t from = 0;
    char id[24];
    bool edits = v->edited && o->remarks[0] != '\0', first = !edits || place(o, o->id) <= place(o, o->remarks);
    (void)snprintf(id, sizeof id, "%" PRId64, v->order_id);
    if (first)
        put_member(o, o->id, id, &from, out);
    if (edits)
        put_member(o, o->remarks, "\"edited\"", &from, out);
    if (!first)
        put_member(o, o->id, id, &from, out);
    buf_put(out, o->tape.text + from, o->tape.text_n - from);
}

/* The record of this version, as the producer makes it. */
static enum rc write_record(struct check_order *o, const struct check_version *v, const struct buf *text, struct buf *avro, char revision[ORDER_REVISION_BYTES], struct err *e)
{
    struct warehouse_rules rules = {.initial = v->warehouse};
    struct warehouse_set names = {.n = 0};
    struct order_encoder *encoder = NULL;
    struct order_facts facts;
    struct json_tape tape;
    json_tape_init(&tape);
    (void)warehouse_set_add(&names, v->warehouse, strlen(v->warehouse)); /* an empty set has room for one */
    struct order_stamp stamp = {.organization = v->organization, .publication = v->publication, .round = v->publication, .fetched_at = v->publication,
                                .withdrawn = v->withdrawn, .warehouses = &names};
    enum rc rc = order_encoder_create(o->writer, o->zone, &rules, &encoder, e);
    if (rc == RC_OK)
        rc = json_tape_parse(&tape, (const char *)text->p, text->n, e);
    if (rc == RC_OK)
        rc = order_encoder_read(encoder, &tape, 0, &facts, e);
    if (rc == RC_OK && (facts.warehouses.n != 1 || !warehouse_set_has(&facts.warehouses, v->warehouse))) {
        err_set(e, "it names another warehouse than %s, or several", v->warehouse);
        rc = RC_REJECT;
    }
    if (rc == RC_OK) {
        memcpy(revision, facts.revision, ORDER_REVISION_BYTES);
        rc = order_encoder_write(encoder, &stamp, avro, e);
    }
    order_encoder_destroy(encoder);
    json_tape_release(&tape);
    return rc;
}

enum rc check_order_write(struct check_order *o, const struct check_version *v, struct buf *document, char revision[ORDER_REVISION_BYTES], struct err *e)
{
    struct order_head head;
    struct buf avro, text;
    enum rc rc = RC_FATAL;
    buf_init(&avro, DOCUMENT_MAX);
    buf_init(&text, DOCUMENT_MAX + 1024);
    order_text(o, v, &text);
    if (buf_failed(&text))
        err_set(e, "out of memory");
    else
        rc = write_record(o, v, &text, &avro, revision, e);
    if (rc == RC_OK)
        rc = order_view_head(o->view, avro.p, avro.n, &head, e);
    if (rc == RC_OK)
        rc = order_view_json(o->view, avro.p, avro.n, o->own_lines ? v->warehouse : NULL, document, e);
    if (rc == RC_REJECT)
        err_prefix(e, "the test order");
    buf_release(&text);
    buf_release(&avro);
    return rc;
}
