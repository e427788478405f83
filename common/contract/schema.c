#include "common/contract/schema.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/utf8.h"
#include "common/contract/schema_build.h"
#include "common/contract/schema_canon.h"

enum { TEXT_BYTES = 1 << 20, CANON_BYTES = 16 << 20 };

struct schema {
    struct arena arena; /* the nodes and the text */
    char *text;
    json_t *json; /* nodes point into it */
    avro_schema_t avro;
    const struct schema_node *root;
    uint64_t fingerprint;
};

/* jansson repeats the text near a fault up to the byte where it stopped, which may be inside a character. */
static void end_at_character(char *words)
{
    words[utf8_check(words, strlen(words))] = '\0';
}

static enum rc read_text(struct schema *s, const char *text, size_t n, struct err *e)
{
    if (n > TEXT_BYTES) {
        err_set(e, "schema: the text is longer than 1 MB");
        return RC_REJECT;
    }
    s->text = arena_text(&s->arena, text, n);
    if (s->text == NULL) {
        err_set(e, "schema: out of memory");
        return RC_FATAL;
    }
    json_error_t je;
    s->json = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (s->json != NULL)
        return RC_OK;
    enum rc rc = json_error_code(&je) == json_error_out_of_memory ? RC_FATAL : RC_REJECT; /* kept at the end of je.text */
    end_at_character(je.text);
    err_set(e, "schema: line %d, column %d: %s", je.line, je.column, je.text);
    return rc;
}

/* avro-c comes last: it recurses without a bound, so it only sees what was found sound. */
static enum rc read_avro(struct schema *s, size_t n, struct err *e)
{
    if (avro_schema_from_json_length(s->text, n, &s->avro) == 0)
        return RC_OK;
    s->avro = NULL;
    err_set(e, "schema: avro-c refuses it: %s", avro_strerror());
    return RC_REJECT;
}

static enum rc read_fingerprint(struct schema *s, struct err *e)
{
    struct buf canon;
    buf_init(&canon, CANON_BYTES);
    enum rc rc = schema_canon_print(s->root, &canon, e);
    if (rc == RC_OK)
        s->fingerprint = schema_canon_crc(canon.p, canon.n);
    buf_release(&canon);
    return rc;
}

enum rc schema_parse(const char *text, size_t n, struct schema **out, struct err *e)
{
    struct schema *s = calloc(1, sizeof *s);
    enum rc rc = RC_FATAL;
    if (s == NULL) {
        err_set(e, "schema: out of memory");
        goto out;
    }
    arena_init(&s->arena);
    rc = read_text(s, text, n, e);
    if (rc != RC_OK)
        goto out;
    rc = schema_build(s->json, &s->arena, &s->root, e);
    if (rc != RC_OK)
        goto out;
    rc = read_fingerprint(s, e);
    if (rc != RC_OK)
        goto out;
    rc = read_avro(s, n, e);
    if (rc != RC_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    schema_destroy(s);
    return rc;
}

void schema_destroy(struct schema *s)
{
    if (s == NULL)
        return;
    if (s->avro != NULL)
        avro_schema_decref(s->avro);
    json_decref(s->json);
    arena_release(&s->arena);
    free(s);
}

const struct schema_node *schema_root(const struct schema *s)
{
    return s->root;
}

const char *schema_text(const struct schema *s)
{
    return s->text;
}

avro_schema_t schema_avro(const struct schema *s)
{
    return s->avro;
}

uint64_t schema_fingerprint(const struct schema *s)
{
    return s->fingerprint;
}

const struct schema_field *schema_field(const struct schema_node *record, const char *name)
{
    if (record->kind != SCHEMA_RECORD)
        return NULL;
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return &record->fields[i];
    return NULL;
}
