/* The text of a schema, from a user or a registry. What is accepted has a canonical form that is accepted again with the same fingerprint, defaults that
 * the walk passes, and can be asked to be a mapping or a view. */
#include <string.h>

#include "common/contract/avro_default.h"
#include "common/contract/avro_walk.h"
#include "common/contract/mapping_lint.h"
#include "common/contract/order_plan.h"
#include "common/contract/order_view.h"
#include "common/contract/schema_canon.h"
#include "tests/fuzz/avro_peer.h"
#include "tests/fuzz/fuzz.h"

enum { CANON_BYTES = 1 << 24, DEFAULT_BYTES = 1 << 20, WALKED_FIELDS = 200 };

static void check_canon(const struct schema *s)
{
    struct buf canon, twice;
    struct schema *again = NULL;
    struct err e;
    buf_init(&canon, CANON_BYTES);
    buf_init(&twice, CANON_BYTES);
    FUZZ_CHECK(schema_canon_print(schema_root(s), &canon, &e) == RC_OK, e.text);
    if (schema_parse((const char *)canon.p, canon.n, &again, &e) != RC_OK)
        FUZZ_CHECK(false, e.text);
    FUZZ_CHECK(schema_canon_print(schema_root(again), &twice, &e) == RC_OK, e.text);
    FUZZ_CHECK(canon.n == twice.n && memcmp(canon.p, twice.p, canon.n) == 0, "the canonical form is its own");
    FUZZ_CHECK(schema_fingerprint(s) == schema_fingerprint(again), "the same fingerprint");
    schema_destroy(again);
    buf_release(&canon);
    buf_release(&twice);
}

static void check_defaults(const struct schema_node *s, int depth, unsigned *left)
{
    if (depth == 0)
        return;
    if (s->kind == SCHEMA_RECORD) {
        for (size_t i = 0; i < s->count && *left > 0; i++) {
            const struct schema_field *f = &s->fields[i];
            struct buf b;
            struct err e;
            --*left;
            buf_init(&b, DEFAULT_BYTES);
            if (f->initial != NULL) {
                avro_default_put(f->type, f->initial, &b);
                if (!buf_failed(&b) && avro_walk_check(f->type, b.n > 0 ? b.p : (const unsigned char *)"", b.n, &e) != RC_OK)
                    FUZZ_CHECK(strstr(e.text, "nested") != NULL, e.text);
            }
            buf_release(&b);
            check_defaults(f->type, depth - 1, left);
        }
        return;
    }
    size_t inside = s->kind == SCHEMA_UNION ? s->count : s->kind == SCHEMA_ARRAY || s->kind == SCHEMA_MAP ? 1 : 0;
    for (size_t i = 0; i < inside && *left > 0; i++)
        check_defaults(s->branches[i], depth - 1, left);
}

struct told {
    int lines; /* of the text */
    size_t n;
};

static void check_told(void *arg, int line, const char *words)
{
    struct told *t = arg;
    struct err e;
    err_set(&e, "%s", words);
    FUZZ_CHECK(fuzz_words(&e), "words say what is wrong, in text");
    FUZZ_CHECK(line >= 0 && line <= t->lines, "on a line of the text");
    t->n++;
}

static enum rc parse(const uint8_t *p, size_t n, struct schema **s, struct err *e)
{
    struct told told = {.lines = 1};
    for (size_t i = 0; i < n; i++)
        told.lines += p[i] == '\n';
    enum rc rc = schema_parse_told((const char *)p, n, check_told, &told, s, e);
    FUZZ_CHECK((rc == RC_OK) == (told.n == 0) && told.n <= 50, "every fault is told");
    if (rc == RC_OK) {
        FUZZ_CHECK(mapping_lint(*s, check_told, &told) == told.n, "so are those of a mapping");
        told.n = 0;
        FUZZ_CHECK(mapping_lint_view(*s, check_told, &told) == told.n, "and of a view");
    }
    return rc;
}

void fuzz_one(const uint8_t *p, size_t n)
{
    struct schema *s = NULL;
    struct order_plan *plan = NULL;
    struct order_view *view = NULL;
    struct err e = {""};
    unsigned left = WALKED_FIELDS;
    enum rc rc = parse(p, n, &s, &e);
    FUZZ_CHECK(rc == RC_OK || (rc == RC_REJECT && fuzz_words(&e) && s == NULL), "a verdict with words");
    if (rc != RC_OK)
        return;
    FUZZ_CHECK(schema_avro(s) != NULL && schema_root(s) != NULL, "whole");
    check_canon(s);
    check_defaults(schema_root(s), 8, &left);
    rc = order_plan_create(s, &plan, &e);
    FUZZ_CHECK(rc == RC_OK || rc == RC_REJECT, "no other verdict");
    rc = order_view_create(s, &view, &e);
    FUZZ_CHECK(rc == RC_OK || rc == RC_REJECT, "no other verdict");
    unsigned char zeros[64] = {0};
    for (size_t i = 0; i <= sizeof zeros; i++)
        if (avro_walk_check(schema_root(s), zeros, i, &e) == RC_OK) {
            FUZZ_CHECK(i >= schema_root(s)->min_bytes, "no value is shorter than the least");
            avro_peer_check(s, zeros, i, false);
            break;
        }
    order_plan_destroy(plan);
    order_view_destroy(view);
    schema_destroy(s);
}
