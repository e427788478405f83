/* The C side of test_contract.py: what our code writes, as hex, and what it reads, as "name=value" lines. Usage:
 *   contract_dump write NAME                    known records of OrderOutcome, OrderStatus or OrderState, one a line
 *   contract_dump read NAME SCHEMA HEX          a record of any writer's schema (a file)
 *   contract_dump resolve WRITER READER HEX...      records of a writer's schema by a reader's, as hex, one a line
 *   contract_dump fingerprint SCHEMA            CRC-64-AVRO, 16 hex digits
 *   contract_dump order SCHEMA                  the order on standard input as an Order record
 *   contract_dump view SCHEMA HEX [WAREHOUSE]   the document that the ERP sees */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/json_tape.h"
#include "common/contract/ledger_row.h"
#include "common/contract/order_encoder.h"
#include "common/contract/order_state.h"
#include "common/contract/order_view.h"
#include "common/contract/outcome.h"

enum { INPUT_BYTES = 1 << 20 };

static int failed(const char *what, const struct err *e)
{
    (void)fprintf(stderr, "%s: %s\n", what, e->text);
    return 1;
}

static int print_hex(const struct buf *b)
{
    for (size_t i = 0; i < b->n; i++)
        (void)printf("%02x", b->p[i]);
    (void)printf("\n");
    return 0;
}

static bool read_stream(FILE *in, struct buf *out)
{
    size_t n = 0;
    do {
        if (!buf_reserve(out, 4096))
            return false;
        n = fread(out->p + out->n, 1, 4096, in);
        out->n += n;
    } while (n > 0);
    return ferror(in) == 0;
}

static struct schema *read_schema(const char *path)
{
    struct schema *s = NULL;
    struct err e = {0};
    struct buf text;
    buf_init(&text, INPUT_BYTES);
    FILE *in = fopen(path, "rb");
    if (in == NULL || !read_stream(in, &text))
        (void)fprintf(stderr, "%s: cannot be read\n", path);
    else if (schema_parse((const char *)text.p, text.n, &s, &e) != RC_OK)
        (void)failed(path, &e);
    if (in != NULL)
        (void)fclose(in);
    buf_release(&text);
    return s;
}

static bool read_hex(const char *hex, struct buf *out)
{
    unsigned byte;
    for (; hex[0] != '\0'; hex += 2) {
        if (hex[1] == '\0' || sscanf(hex, "%2x", &byte) != 1)
            return false;
        buf_put_byte(out, (unsigned char)byte);
    }
    return !buf_failed(out);
}

static struct warehouse_set two_warehouses(void)
{
    struct warehouse_set set = {.n = 0};
    if (!warehouse_set_add(&set, "MAG-1", 5) || !warehouse_set_add(&set, "MAG-2", 5))
        abort();
    return set;
}

static int write_outcomes(struct buf *b, struct err *e)
{
    struct outcome o = {.organization = "acme", .order_id = 9007199254740993, .revision = "0123456789abcdef", .publication = 1763650991123,
                        .round = 1763650990000, .withdrawn = true, .warehouse = "MAG-1", .warehouses = two_warehouses(),
                        .result = OUTCOME_WITHDRAWN, .document_id = "ZK/1", .reason = "Zażółć 😀", .attempts = 3, .at = 1763650992000,
                        .group = "xsale-erp-MAG-1", .partition = 5, .offset = 4294967296};
    if (outcome_encode(&o, b, e) != RC_OK || print_hex(b) != 0)
        return 1;
    o = (struct outcome){.organization = "acme", .order_id = 1, .revision = "fedcba9876543210", .publication = 1, .warehouse = "",
                         .result = OUTCOME_REJECTED, .partition = -1, .offset = -1};
    buf_reset(b);
    return outcome_encode(&o, b, e) != RC_OK || print_hex(b) != 0;
}

static int write_rows(struct buf *b, struct err *e)
{
    const struct ledger_result results[] = {
        {.warehouse = "MAG-1", .result = OUTCOME_IMPORTED, .document_id = "ZK/1", .attempts = 1, .at = 1763650992000},
        {.warehouse = "MAG-2", .result = OUTCOME_REJECTED, .reason = "brak towaru", .attempts = 10, .at = 1763650993000}};
    struct ledger_row r = {.organization = "acme", .order_id = 100123, .revision = "0123456789abcdef", .publication = 1763650991123,
                           .round = 1763650990000, .withdrawn = false, .warehouses = two_warehouses(), .results = results, .results_n = 2,
                           .wanted = LEDGER_MANUAL, .status_found = "Nowe", .status_set = LEDGER_IMPORTED, .settled_at = 1763650994000,
                           .note = "by hand", .closed = true, .complete = true};
    if (ledger_row_encode(&r, b, e) != RC_OK || print_hex(b) != 0)
        return 1;
    r = (struct ledger_row){.organization = "acme", .order_id = 1, .revision = "fedcba9876543210", .publication = 1, .round = 1};
    buf_reset(b);
    return ledger_row_encode(&r, b, e) != RC_OK || print_hex(b) != 0;
}

static int write_states(struct buf *b, struct err *e)
{
    struct order_state s = {.organization = "acme", .order_id = 100123, .revision = "0123456789abcdef", .publication = 1763650991123,
                            .round = 1763650990000, .withdrawn = true, .schema_id = 7, .warehouses = two_warehouses(), .closed = true,
                            .at = 1763650992000};
    if (order_state_encode(&s, b, e) != RC_OK || print_hex(b) != 0)
        return 1;
    s.closed = s.withdrawn = false;
    s.warehouses.n = 0;
    buf_reset(b);
    return order_state_encode(&s, b, e) != RC_OK || print_hex(b) != 0;
}

static int write_known(const char *name)
{
    struct err e = {0};
    struct buf b;
    int rc = 1;
    buf_init(&b, INPUT_BYTES);
    if (strcmp(name, "OrderOutcome") == 0)
        rc = write_outcomes(&b, &e);
    else if (strcmp(name, "OrderStatus") == 0)
        rc = write_rows(&b, &e);
    else if (strcmp(name, "OrderState") == 0)
        rc = write_states(&b, &e);
    if (rc != 0)
        (void)failed(name, &e);
    buf_release(&b);
    return rc;
}

static void print_text(const char *name, const char *text)
{
    (void)printf("%s=%s\n", name, text == NULL ? "<none>" : text);
}

static void print_long(const char *name, int64_t v)
{
    (void)printf("%s=%" PRId64 "\n", name, v);
}

static void print_set(const char *name, const struct warehouse_set *set)
{
    (void)printf("%s=", name);
    for (size_t i = 0; i < set->n; i++)
        (void)printf("%s%s", i > 0 ? "," : "", set->names[i]);
    (void)printf("\n");
}

static enum rc read_outcome(struct record_writer *s, const struct buf *b, struct err *e)
{
    struct outcome *o = NULL;
    enum rc rc = outcome_decode(s, b->p, b->n, &o, e);
    if (rc != RC_OK)
        return rc;
    print_text("organization", o->organization);
    print_long("orderId", o->order_id);
    print_text("revision", o->revision);
    print_long("publication", o->publication);
    print_long("round", o->round);
    print_long("withdrawn", o->withdrawn);
    print_text("warehouse", o->warehouse);
    print_set("warehouses", &o->warehouses);
    print_text("result", outcome_result_name(o->result));
    print_text("documentId", o->document_id);
    print_text("reason", o->reason);
    print_long("attempts", o->attempts);
    print_long("at", o->at);
    print_text("group", o->group);
    print_long("partition", o->partition);
    print_long("offset", o->offset);
    outcome_destroy(o);
    return RC_OK;
}

static enum rc read_row(struct record_writer *s, const struct buf *b, struct err *e)
{
    struct ledger_row *r = NULL;
    enum rc rc = ledger_row_decode(s, b->p, b->n, &r, e);
    if (rc != RC_OK)
        return rc;
    print_text("organization", r->organization);
    print_long("orderId", r->order_id);
    print_long("publication", r->publication);
    print_set("warehouses", &r->warehouses);
    for (size_t i = 0; i < r->results_n; i++) {
        print_text("results.warehouse", r->results[i].warehouse);
        print_text("results.result", outcome_result_name(r->results[i].result));
        print_text("results.documentId", r->results[i].document_id);
        print_text("results.reason", r->results[i].reason);
        print_long("results.attempts", r->results[i].attempts);
    }
    print_long("wanted", r->wanted);
    print_text("statusFound", r->status_found);
    print_long("statusSet", r->status_set);
    print_long("settledAt", r->settled_at);
    print_long("closed", r->closed);
    ledger_row_destroy(r);
    return RC_OK;
}

static enum rc read_state(struct record_writer *s, const struct buf *b, struct err *e)
{
    struct order_state *o = NULL;
    enum rc rc = order_state_decode(s, b->p, b->n, &o, e);
    if (rc != RC_OK)
        return rc;
    print_text("organization", o->organization);
    print_long("orderId", o->order_id);
    print_long("schemaId", o->schema_id);
    print_set("warehouses", &o->warehouses);
    print_long("closed", o->closed);
    print_long("at", o->at);
    order_state_destroy(o);
    return RC_OK;
}

static int read_record(const char *name, const char *path, const char *hex)
{
    struct err e = {0};
    struct buf b;
    enum rc rc = RC_FATAL;
    struct schema *s = read_schema(path);
    struct record_writer writer;
    record_writer_init(&writer, s);
    buf_init(&b, INPUT_BYTES);
    if (s != NULL && read_hex(hex, &b)) {
        if (strcmp(name, "OrderOutcome") == 0)
            rc = read_outcome(&writer, &b, &e);
        else
            rc = strcmp(name, "OrderStatus") == 0 ? read_row(&writer, &b, &e) : read_state(&writer, &b, &e);
    }
    record_writer_release(&writer);
    if (rc != RC_OK)
        (void)failed(name, &e);
    buf_release(&b);
    schema_destroy(s);
    return rc != RC_OK;
}

/* All by one writer, so that what the first has compiled serves the others. */
static int resolve_records(const char *writer_path, const char *reader_path, char **hex, int n)
{
    struct err e = {0};
    struct buf in, out;
    struct schema *s = read_schema(writer_path), *reader = read_schema(reader_path);
    struct record_writer writer;
    int rc = s == NULL || reader == NULL;
    record_writer_init(&writer, s);
    buf_init(&in, INPUT_BYTES);
    buf_init(&out, INPUT_BYTES);
    for (int i = 0; i < n && rc == 0; i++) {
        buf_reset(&in);
        buf_reset(&out);
        if (!read_hex(hex[i], &in) || record_writer_read(&writer, reader, in.p, in.n, &out, &e) != RC_OK)
            rc = failed("resolve", &e);
        else
            rc = print_hex(&out);
    }
    record_writer_release(&writer);
    buf_release(&in);
    buf_release(&out);
    schema_destroy(reader);
    schema_destroy(s);
    return rc;
}

static int print_fingerprint(const char *path)
{
    struct schema *s = read_schema(path);
    if (s == NULL)
        return 1;
    (void)printf("%016" PRIx64 "\n", schema_fingerprint(s));
    schema_destroy(s);
    return 0;
}

static int write_order(const char *path)
{
    static const struct warehouse_rules rules = {.initial = "MAG-0"};
    const struct order_stamp stamp = {.organization = "acme", .publication = 1763650991123, .round = 1763650990000,
                                      .fetched_at = 1763650991000, .raw = true};
    struct order_facts facts;
    struct err e = {0};
    struct buf text, avro;
    struct json_tape tape;
    struct zone *zone = NULL;
    struct order_encoder *enc = NULL;
    struct schema *s = read_schema(path);
    int rc = 1;
    buf_init(&text, INPUT_BYTES);
    buf_init(&avro, INPUT_BYTES);
    json_tape_init(&tape);
    if (s != NULL && read_stream(stdin, &text) && zone_open("Europe/Warsaw", &zone, &e) == RC_OK &&
        order_encoder_create(s, zone, &rules, &enc, &e) == RC_OK && json_tape_parse(&tape, (const char *)text.p, text.n, &e) == RC_OK &&
        order_encoder_read(enc, &tape, 0, &facts, &e) == RC_OK && order_encoder_write(enc, &stamp, &avro, &e) == RC_OK)
        rc = print_hex(&avro);
    else
        (void)failed("order", &e);
    order_encoder_destroy(enc);
    zone_close(zone);
    json_tape_release(&tape);
    buf_release(&avro);
    buf_release(&text);
    schema_destroy(s);
    return rc;
}

static int view_order(const char *path, const char *hex, const char *warehouse)
{
    struct order_head head;
    struct err e = {0};
    struct buf avro, json;
    struct order_view *v = NULL;
    struct schema *s = read_schema(path);
    int rc = 1;
    buf_init(&avro, INPUT_BYTES);
    buf_init(&json, INPUT_BYTES);
    if (s != NULL && read_hex(hex, &avro) && order_view_create(s, &v, &e) == RC_OK &&
        order_view_head(v, avro.p, avro.n, &head, &e) == RC_OK &&
        order_view_json(v, avro.p, avro.n, warehouse, &json, &e) == RC_OK && buf_text(&json) != NULL)
        rc = printf("%s\n", buf_text(&json)) < 0;
    else
        (void)failed("view", &e);
    order_view_destroy(v);
    buf_release(&json);
    buf_release(&avro);
    schema_destroy(s);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_known(argv[2]);
    if (argc == 5 && strcmp(argv[1], "read") == 0)
        return read_record(argv[2], argv[3], argv[4]);
    if (argc >= 5 && strcmp(argv[1], "resolve") == 0)
        return resolve_records(argv[2], argv[3], argv + 4, argc - 4);
    if (argc == 3 && strcmp(argv[1], "fingerprint") == 0)
        return print_fingerprint(argv[2]);
    if (argc == 3 && strcmp(argv[1], "order") == 0)
        return write_order(argv[2]);
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "view") == 0)
        return view_order(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
    (void)fprintf(stderr, "usage: see the top of contract_dump.c\n");
    return 2;
}
