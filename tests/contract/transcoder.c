/* The C side of test_peers.py: thousands of orders through pipes. Frames, both ways: 4 bytes length (big endian), then so many bytes.
 *   transcoder encode SCHEMA        JSON texts -> Avro; each record is decoded and encoded again by avro-c, which must give the same bytes
 *   transcoder view WRITER [VIEW]   Avro -> the documents that the ERP sees, through a schema of its own where VIEW is one
 * The n-th order's stamp is made of n; see stamp_of, which test_peers.py repeats. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/contract/json_tape.h"
#include "common/contract/order_encoder.h"
#include "common/contract/order_view.h"

enum { FRAME_BYTES = 1 << 24 };

struct transcoder {
    struct schema *schema, *reader;
    struct zone *zone;
    struct order_encoder *encoder;
    struct order_view *view;
    struct json_tape tape;
    struct buf in, out, again;
    avro_value_iface_t *iface;
    avro_value_t value; /* avro-c's */
};

static bool read_all(const char *path, struct buf *out)
{
    size_t n = 1;
    FILE *in = fopen(path, "rb");
    while (in != NULL && n > 0 && buf_reserve(out, 65536)) {
        n = fread(out->p + out->n, 1, 65536, in);
        out->n += n;
    }
    bool ok = in != NULL && ferror(in) == 0 && !buf_failed(out);
    if (in != NULL)
        (void)fclose(in); /* only read from */
    return ok;
}

/* false: the end, or a fault (*broken). */
static bool read_frame(struct buf *out, bool *broken)
{
    unsigned char head[4];
    size_t n = fread(head, 1, sizeof head, stdin);
    *broken = n != 0;
    if (n != sizeof head)
        return false;
    n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    buf_reset(out);
    if (!buf_reserve(out, n + 1) || fread(out->p, 1, n, stdin) != n)
        return false;
    out->n = n;
    *broken = false;
    return true;
}

static bool write_frame(const struct buf *b)
{
    const unsigned char head[4] = {(unsigned char)(b->n >> 24), (unsigned char)(b->n >> 16), (unsigned char)(b->n >> 8), (unsigned char)b->n};
    return fwrite(head, 1, sizeof head, stdout) == sizeof head && fwrite(b->p, 1, b->n, stdout) == b->n;
}

static struct order_stamp stamp_of(int64_t n)
{
    const int64_t publication = 1763650991123 + n * 7919;
    return (struct order_stamp){.organization = n % 3 == 0 ? "żółw" : "acme", .publication = publication, .round = publication - n % 2 * 86400000,
                                .fetched_at = publication - 1, .withdrawn = n % 7 == 0, .raw = n % 2 == 0};
}

/* avro-c must read what was written, to the last byte, and write the same. */
static bool agrees(struct transcoder *t, struct err *e)
{
    size_t size = 0;
    buf_reset(&t->again);
    avro_reader_t reader = avro_reader_memory((const char *)t->out.p, (int64_t)t->out.n);
    bool ok = reader != NULL && avro_value_reset(&t->value) == 0 && avro_value_read(reader, &t->value) == 0 &&
              avro_value_sizeof(&t->value, &size) == 0 && size == t->out.n && buf_reserve(&t->again, size);
    avro_writer_t writer = ok ? avro_writer_memory((char *)t->again.p, (int64_t)size) : NULL;
    ok = writer != NULL && avro_value_write(writer, &t->value) == 0 && avro_writer_tell(writer) == (int64_t)size &&
         memcmp(t->again.p, t->out.p, size) == 0;
    if (writer != NULL)
        avro_writer_free(writer);
    if (reader != NULL)
        avro_reader_free(reader);
    if (!ok)
        err_set(e, "avro-c does not agree");
    return ok;
}

static bool encode(struct transcoder *t, int64_t n, struct err *e)
{
    const struct order_stamp stamp = stamp_of(n);
    struct order_facts facts;
    return json_tape_parse(&t->tape, (const char *)t->in.p, t->in.n, e) == RC_OK &&
           order_encoder_read(t->encoder, &t->tape, 0, &facts, e) == RC_OK && order_encoder_write(t->encoder, &stamp, &t->out, e) == RC_OK &&
           agrees(t, e);
}

static bool view(struct transcoder *t, int64_t n, struct err *e)
{
    struct order_head head;
    (void)n;
    return order_view_head(t->view, t->in.p, t->in.n, &head, e) == RC_OK &&
           order_view_json(t->view, t->in.p, t->in.n, NULL, &t->out, e) == RC_OK;
}

static bool run(struct transcoder *t, bool (*step)(struct transcoder *, int64_t, struct err *), struct err *e)
{
    bool broken = false;
    for (int64_t n = 0; read_frame(&t->in, &broken); n++) {
        buf_reset(&t->out);
        if (!step(t, n, e)) {
            err_prefix(e, "order %" PRId64, n);
            return false;
        }
        if (!write_frame(&t->out)) {
            err_set(e, "cannot write");
            return false;
        }
    }
    if (broken)
        err_set(e, "a frame is cut");
    return !broken && fflush(stdout) == 0;
}

static bool read_schema(const char *path, struct schema **out, struct err *e)
{
    struct buf text;
    buf_init(&text, FRAME_BYTES);
    bool ok = read_all(path, &text);
    if (!ok)
        err_set(e, "cannot be read");
    ok = ok && schema_parse((const char *)text.p, text.n, out, e) == RC_OK;
    if (!ok)
        err_prefix(e, "%s", path);
    buf_release(&text);
    return ok;
}

static bool open_view(struct transcoder *t, const char *writer, const char *reader, struct err *e)
{
    return read_schema(writer, &t->schema, e) && (reader == NULL || read_schema(reader, &t->reader, e)) &&
           order_view_create_for(t->schema, t->reader, &t->view, e) == RC_OK;
}

static bool open_encoder(struct transcoder *t, const char *path, struct err *e)
{
    static const struct warehouse_channel channels[] = {{7, "KANAŁ-7"}, {8, "MAG 8"}};
    static const struct warehouse_rules rules = {.initial = "MAG-0", .channels = channels, .channels_n = 2};
    if (!read_schema(path, &t->schema, e))
        return false;
    t->iface = avro_generic_class_from_schema(schema_avro(t->schema));
    if (t->iface == NULL || avro_generic_value_new(t->iface, &t->value) != 0) {
        err_set(e, "avro-c: %s", avro_strerror());
        return false;
    }
    return zone_open("Europe/Warsaw", &t->zone, e) == RC_OK && order_encoder_create(t->schema, t->zone, &rules, &t->encoder, e) == RC_OK;
}

static void close_all(struct transcoder *t)
{
    if (t->value.self != NULL)
        avro_value_decref(&t->value);
    if (t->iface != NULL)
        avro_value_iface_decref(t->iface);
    order_view_destroy(t->view);
    order_encoder_destroy(t->encoder);
    zone_close(t->zone);
    schema_destroy(t->reader);
    schema_destroy(t->schema);
    json_tape_release(&t->tape);
    buf_release(&t->in);
    buf_release(&t->out);
    buf_release(&t->again);
}

int main(int argc, char **argv)
{
    struct transcoder t = {0};
    struct err e = {0};
    bool encoding = argc == 3 && strcmp(argv[1], "encode") == 0;
    if (!encoding && (argc < 3 || argc > 4 || strcmp(argv[1], "view") != 0)) {
        (void)fprintf(stderr, "usage: see the top of transcoder.c\n");
        return 2;
    }
    json_tape_init(&t.tape);
    buf_init(&t.in, FRAME_BYTES);
    buf_init(&t.out, FRAME_BYTES);
    buf_init(&t.again, FRAME_BYTES);
    bool ok = encoding ? open_encoder(&t, argv[2], &e) : open_view(&t, argv[2], argc == 4 ? argv[3] : NULL, &e);
    ok = ok && run(&t, encoding ? encode : view, &e);
    if (!ok)
        (void)fprintf(stderr, "%s\n", e.text);
    close_all(&t);
    return ok ? 0 : 1;
}
