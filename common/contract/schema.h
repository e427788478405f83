/* An Avro schema as a tree with everything its text says: logical types, defaults, aliases and custom attributes, which
 * avro-c drops. The text is read with jansson, linted for what avro-c accepts wrongly (duplicate fields and symbols, union
 * in union, scale > precision, a default that does not fit) and validated by avro-c. U+0000 may stand in a default only. A named type may be used again by its
 * name, also inside itself; what would grow without bound (a record that holds itself, types nested deeper than 64, records
 * used again and again) is refused. Source: Avro 1.11 specification.
 * Immutable after parsing; thread rule: any thread may read. */
#ifndef BRIDGE_CONTRACT_SCHEMA_H
#define BRIDGE_CONTRACT_SCHEMA_H

#include <avro.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum schema_kind {
    SCHEMA_NULL,
    SCHEMA_BOOLEAN,
    SCHEMA_INT,
    SCHEMA_LONG,
    SCHEMA_FLOAT,
    SCHEMA_DOUBLE,
    SCHEMA_BYTES,
    SCHEMA_STRING,
    SCHEMA_FIXED,
    SCHEMA_ENUM,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_RECORD,
    SCHEMA_UNION
};

enum schema_logical { SCHEMA_PLAIN, SCHEMA_DECIMAL, SCHEMA_DATE, SCHEMA_TIMESTAMP_MILLIS };

struct schema_node;

enum { SCHEMA_MEMBER_STEP = 32 };

struct schema_field {
    const char *name;
    const struct schema_node *type;
    const json_t *json;     /* the field's whole object: "xsale", "bridge", "erp", "volatile", "default", "aliases", "doc" */
    const json_t *initial;  /* "default"; NULL: none */
    const char *json_name;  /* in documents for the ERP: "erp" where that is a text, else the name */
    const char *json_member; /* the same as it stands there, a JSON string and a colon: json_member_n bytes, of which SCHEMA_MEMBER_STEP may be read however few they are */
    size_t json_member_n;
    bool json_millis;       /* "json": "millis": a moment is a number there */
};

struct schema_node {
    enum schema_kind kind;
    enum schema_logical logical;
    const char *name;        /* full name of record, enum, fixed; else NULL */
    int precision, scale;    /* SCHEMA_DECIMAL */
    size_t size;             /* SCHEMA_FIXED: bytes */
    const struct schema_field *fields; /* SCHEMA_RECORD: count of them */
    const char *const *symbols;        /* SCHEMA_ENUM: count of them */
    const struct schema_node *const *branches; /* SCHEMA_UNION: count of them; SCHEMA_ARRAY, SCHEMA_MAP: branches[0] = items or values */
    size_t count;
    size_t min_bytes;        /* no value takes fewer; 0: every value takes none */
    const json_t *json;      /* the type's own object when it was written as one, else NULL */
};

struct schema;

/* text: n bytes of JSON. RC_OK: *out owned by the caller. RC_REJECT: not a schema; words name the place (line, or record and field). */
enum rc schema_parse(const char *text, size_t n, struct schema **out, struct err *e);
/* The same, and each fault is told: all that do not come from another, 50 at most. line: from 1, where the value that is wrong begins; 0: the whole. words:
 * "record R: field f: what", in the order of the text. */
typedef void schema_fault_fn(void *arg, int line, const char *words);
enum rc schema_parse_told(const char *text, size_t n, schema_fault_fn *told, void *arg, struct schema **out, struct err *e);
void schema_destroy(struct schema *s);

const struct schema_node *schema_root(const struct schema *s);
const char *schema_text(const struct schema *s);   /* as given, zero-terminated */
/* The line, from 1, on which a value of the schema's JSON begins: a field's or a type's object, an attribute. 0: not one of it, or true, false or null. */
int schema_line(const struct schema *s, const json_t *value);
avro_schema_t schema_avro(const struct schema *s); /* borrowed */
/* CRC-64-AVRO of the Parsing Canonical Form (Avro specification, "Schema Fingerprints"): survives reformatting by a registry. */
uint64_t schema_fingerprint(const struct schema *s);

/* The field of a record; NULL: none (or not a record). */
const struct schema_field *schema_field(const struct schema_node *record, const char *name);

/* The schemas built into the programs: "Order", "OrderOutcome", "OrderStatus", "OrderState". Text zero-terminated; NULL: no such. */
const char *schema_builtin(const char *name);

#endif
