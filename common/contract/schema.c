#include "common/contract/schema.h"

#include <stdio.h>
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

/* Parsing under way. */
struct parsing {
    struct schema *schema;
    struct schema_faults faults;
    schema_fault_fn *told;
    void *arg;
    struct err *e;
};

static void tell(struct parsing *p, int line, const char *words)
{
    if (p->told != NULL)
        p->told(p->arg, line, words);
}

static enum rc no_memory(struct parsing *p)
{
    err_set(p->e, "schema: out of memory");
    return RC_FATAL;
}

/* jansson repeats the text near a fault up to the byte where it stopped, which may be inside a character. */
static void end_at_character(char *words)
{
    words[utf8_check(words, strlen(words))] = '\0';
}

static enum rc read_text(struct parsing *p, const char *text, size_t n)
{
    struct schema *s = p->schema;
    json_error_t je;
    if (n > TEXT_BYTES) {
        err_set(p->e, "schema: the text is longer than 1 MB");
        tell(p, 0, "the text is longer than 1 MB");
        return RC_REJECT;
    }
    s->text = arena_text(&s->arena, text, n);
    if (s->text == NULL)
        return no_memory(p);
    s->json = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
    if (s->json != NULL)
        return RC_OK;
    enum rc rc = json_error_code(&je) == json_error_out_of_memory ? RC_FATAL : RC_REJECT; /* kept at the end of je.text */
    end_at_character(je.text);
    err_set(p->e, "schema: line %d, column %d: %s", je.line, je.column, je.text);
    char words[sizeof je.text + 32];
    (void)snprintf(words, sizeof words, "column %d: %s", je.column, je.text);
    tell(p, je.line, words);
    return rc;
}

/* U+0000 may stand in a default, where it is a byte of a decimal; elsewhere a text of C would end at it. */
static void check_zeros(const json_t *json, struct schema_faults *faults)
{
    const char *key;
    json_t *member;
    if (json_is_string(json) && memchr(json_string_value(json), '\0', json_string_length(json)) != NULL)
        (void)schema_faults_add(faults, json, "U+0000 may stand in a default only");
    json_object_foreach((json_t *)json, key, member)
        if (strcmp(key, "default") != 0)
            check_zeros(member, faults);
    for (size_t i = 0; i < json_array_size(json); i++)
        check_zeros(json_array_get(json, i), faults);
}

static enum rc tell_faults(struct parsing *p)
{
    const struct schema_faults *f = &p->faults;
    char more[40] = "";
    if (f->n == 0)
        return no_memory(p);
    for (size_t i = 0; i < f->n && p->told != NULL; i++) {
        int line = schema_faults_line(p->schema->json, p->schema->text, f->list[i].place);
        tell(p, line > 0 ? line : 1, f->list[i].words);
    }
    if (f->n + f->more > 1)
        (void)snprintf(more, sizeof more, " (and %zu more)", f->n + f->more - 1);
    err_set(p->e, "%s%s", f->list[0].words, more);
    return RC_REJECT;
}

static enum rc build(struct parsing *p)
{
    struct schema *s = p->schema;
    check_zeros(s->json, &p->faults);
    enum rc rc = p->faults.n == 0 ? schema_build(s->json, &s->arena, &p->faults, &s->root) : RC_REJECT;
    return rc == RC_FATAL ? no_memory(p) : rc == RC_OK ? rc : tell_faults(p);
}

/* The canonical form says all that avro-c keeps, and its own reader of JSON would refuse a default with U+0000 in it. It comes last: it recurses without a
 * bound, so it only sees what was found sound. */
static enum rc read_avro(struct parsing *p, const struct buf *canon)
{
    struct schema *s = p->schema;
    if (avro_schema_from_json_length((const char *)canon->p, canon->n, &s->avro) == 0)
        return RC_OK;
    s->avro = NULL;
    err_set(p->e, "schema: avro-c refuses it: %s", avro_strerror());
    tell(p, 1, p->e != NULL ? p->e->text : "avro-c refuses it");
    return RC_REJECT;
}

static enum rc read_canon(struct parsing *p)
{
    struct buf canon;
    buf_init(&canon, CANON_BYTES);
    enum rc rc = schema_canon_print(p->schema->root, &canon, p->e);
    if (rc == RC_OK) {
        p->schema->fingerprint = schema_canon_crc(canon.p, canon.n);
        rc = read_avro(p, &canon);
    }
    buf_release(&canon);
    return rc;
}

enum rc schema_parse_told(const char *text, size_t n, schema_fault_fn *told, void *arg, struct schema **out, struct err *e)
{
    struct parsing p = {.schema = calloc(1, sizeof *p.schema), .told = told, .arg = arg, .e = e};
    if (p.schema == NULL)
        return no_memory(&p);
    arena_init(&p.schema->arena);
    schema_faults_init(&p.faults, &p.schema->arena);
    enum rc rc = read_text(&p, text, n);
    if (rc == RC_OK)
        rc = build(&p);
    if (rc == RC_OK)
        rc = read_canon(&p);
    if (rc == RC_OK)
        *out = p.schema;
    else
        schema_destroy(p.schema);
    return rc;
}

enum rc schema_parse(const char *text, size_t n, struct schema **out, struct err *e)
{
    return schema_parse_told(text, n, NULL, NULL, out, e);
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

int schema_line(const struct schema *s, const json_t *value)
{
    return schema_faults_line(s->json, s->text, value);
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
