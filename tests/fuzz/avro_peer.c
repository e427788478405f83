#include "tests/fuzz/avro_peer.h"

#include <string.h>

#include "common/contract/avro_json.h"
#include "common/contract/avro_walk.h"
#include "common/contract/schema_canon.h"
#include "tests/fuzz/fuzz.h"

enum { JSON_BYTES = 1 << 26 };

static char *encode(avro_value_t *v, size_t *n)
{
    FUZZ_CHECK(avro_value_sizeof(v, n) == 0, avro_strerror());
    char *out = malloc(*n > 0 ? *n : 1);
    FUZZ_CHECK(out != NULL, "memory");
    avro_writer_t w = avro_writer_memory(out, (int64_t)*n);
    FUZZ_CHECK(w != NULL && avro_value_write(w, v) == 0, avro_strerror());
    FUZZ_CHECK(avro_writer_tell(w) == (int64_t)*n, "avro-c writes what it said");
    avro_writer_free(w);
    return out;
}

static char *decode_and_encode(avro_value_iface_t *iface, const void *p, size_t n, size_t *out_n)
{
    avro_value_t v;
    FUZZ_CHECK(avro_generic_value_new(iface, &v) == 0, avro_strerror());
    avro_reader_t r = avro_reader_memory(p, (int64_t)n);
    FUZZ_CHECK(r != NULL && avro_value_read(r, &v) == 0, avro_strerror());
    char byte;
    FUZZ_CHECK(avro_read(r, &byte, 1) != 0, "avro-c reads all that the walk has passed");
    avro_reader_free(r);
    char *out = encode(&v, out_n);
    avro_value_decref(&v);
    return out;
}

static bool has_map(const struct schema_node *s, int depth)
{
    if (s->kind == SCHEMA_MAP)
        return true;
    if (depth == 0)
        return false;
    if (s->kind == SCHEMA_RECORD)
        for (size_t i = 0; i < s->count; i++)
            if (has_map(s->fields[i].type, depth - 1))
                return true;
    if (s->kind == SCHEMA_UNION || s->kind == SCHEMA_ARRAY)
        for (size_t i = 0; i < (s->kind == SCHEMA_ARRAY ? 1 : s->count); i++)
            if (has_map(s->branches[i], depth - 1))
                return true;
    return false;
}

/* Keeps one entry a key, which a map's bytes need not. */
static void check_documents(const struct schema_node *root, const void *p, size_t n, const void *again, size_t again_n)
{
    if (has_map(root, 8))
        return;
    struct buf a, b;
    struct avro_cursor ca = {p, (const unsigned char *)p + n}, cb = {again, (const unsigned char *)again + again_n};
    buf_init(&a, JSON_BYTES);
    buf_init(&b, JSON_BYTES);
    enum rc rc = avro_json_value(root, NULL, &ca, &a, NULL);
    FUZZ_CHECK(rc == avro_json_value(root, NULL, &cb, &b, NULL), "the same verdict");
    FUZZ_CHECK(a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0), "the same document");
    buf_release(&a);
    buf_release(&b);
}

/* avro-c cannot hold a fixed of no bytes. */
static bool can_hold(const struct schema_node *root)
{
    struct buf canon;
    buf_init(&canon, JSON_BYTES);
    FUZZ_CHECK(schema_canon_print(root, &canon, NULL) == RC_OK, "the canonical form");
    bool found = strstr(buf_text(&canon), "\"type\":\"fixed\",\"size\":0}") != NULL;
    buf_release(&canon);
    return !found;
}

void avro_peer_check(const struct schema *s, const unsigned char *p, size_t n, bool exact)
{
    size_t once_n, twice_n;
    struct err e;
    const struct schema_node *root = schema_root(s);
    if (!can_hold(root))
        return;
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema_avro(s));
    FUZZ_CHECK(iface != NULL, avro_strerror());
    char *once = decode_and_encode(iface, p, n, &once_n);
    if (exact)
        FUZZ_CHECK(once_n == n && memcmp(once, p, n) == 0, "avro-c writes the same bytes");
    if (avro_walk_check(root, (const unsigned char *)once, once_n, &e) != RC_OK)
        FUZZ_CHECK(false, e.text);
    char *twice = decode_and_encode(iface, once, once_n, &twice_n);
    FUZZ_CHECK(once_n == twice_n && memcmp(once, twice, once_n) == 0, "avro-c's own bytes are stable");
    check_documents(root, p, n, once, once_n);
    free(once);
    free(twice);
    avro_value_iface_decref(iface);
}
