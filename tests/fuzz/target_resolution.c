/* Any bytes by one schema, read through another. First two bytes: writer and reader from the table; writer 255: the text of the writer's schema comes first, to
 * a byte 0x1E. What resolution gives out is a value of the reader's schema; it refuses what the walk refuses; with one schema on both sides it changes
 * no meaning. */
#include <string.h>

#include "common/contract/avro_walk.h"
#include "common/contract/resolution.h"
#include "tests/fuzz/avro_peer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/schema_table.h"

enum { RESULT_BYTES = 1 << 22, PEER_BYTES = 1 << 16, OWN_SCHEMA = 255, SEPARATOR = 0x1e };

static void check_run(const struct schema *writer, const struct schema *reader, const unsigned char *avro, size_t n)
{
    struct resolution *r = NULL;
    struct buf out;
    struct err e = {""};
    buf_init(&out, RESULT_BYTES);
    enum rc rc = resolution_compile(writer, reader, &r, &e);
    FUZZ_CHECK(rc == RC_OK || (rc == RC_REJECT && fuzz_words(&e) && r == NULL), "a verdict with words");
    FUZZ_CHECK(rc == RC_OK || writer != reader, "a schema reads itself");
    if (rc == RC_OK) {
        bool sound = avro_walk_check(schema_root(writer), avro, n, NULL) == RC_OK;
        rc = resolution_run(r, avro, n, &out, &e);
        FUZZ_CHECK(rc == RC_OK || (rc == RC_REJECT && fuzz_words(&e)), "a verdict with words");
        FUZZ_CHECK(rc != RC_OK || sound, "what is no value of the writer is refused");
        FUZZ_CHECK(rc == RC_OK || out.n == 0, "nothing is left behind by what is refused");
        if (resolution_is_identity(r))
            FUZZ_CHECK((rc == RC_OK) == sound && (rc != RC_OK || (out.n == n && (n == 0 || memcmp(out.p, avro, n) == 0))), "the same bytes");
        if (rc == RC_OK) {
            const unsigned char *p = out.p != NULL ? out.p : (const unsigned char *)"";
            if (avro_walk_check(schema_root(reader), p, out.n, &e) != RC_OK)
                FUZZ_CHECK(false, e.text);
            if (out.n <= PEER_BYTES)
                avro_peer_check(reader, p, out.n, false);
        }
    }
    resolution_destroy(r);
    buf_release(&out);
}

void fuzz_one(const uint8_t *p, size_t n)
{
    struct schema *own = NULL;
    struct err e;
    if (n < 2)
        return;
    const struct schema *reader = schema_table_at(p[1] % schema_table_count()), *writer;
    bool with_text = p[0] == OWN_SCHEMA;
    writer = with_text ? NULL : schema_table_at(p[0] % schema_table_count());
    p += 2;
    n -= 2;
    if (with_text) {
        const uint8_t *end = memchr(p, SEPARATOR, n);
        if (end == NULL || schema_parse((const char *)p, (size_t)(end - p), &own, &e) != RC_OK)
            return;
        n -= (size_t)(end + 1 - p);
        p = end + 1;
        writer = own;
    }
    unsigned char *avro = malloc(n > 0 ? n : 1);
    FUZZ_CHECK(avro != NULL, "memory");
    memcpy(avro, p, n);
    check_run(writer, reader, avro, n);
    if (own != NULL) {
        check_run(own, own, avro, n);
        check_run(reader, own, avro, n);
    }
    free(avro);
    schema_destroy(own);
}
