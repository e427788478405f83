/* A small record (outcome, status, state) being read, whatever schema it was written with: resolved to the built-in one, then by name through avro-c's generic
 * values. Sticky: after the first fault nothing more is done and the end tells. avro-c sees only what the resolution wrote and only the built-in schema (its own
 * resolution picks wrong enum symbols). Texts hold no U+0000. Thread rule: one owner. */
#ifndef BRIDGE_CONTRACT_AVRO_RECORD_H
#define BRIDGE_CONTRACT_AVRO_RECORD_H

#include "common/base/err.h"
#include "common/contract/avro_builtin.h"
#include "common/contract/record_writer.h"
#include "common/contract/warehouse_set.h"

/* A record being read, or one in an array of it. */
struct avro_record {
    avro_value_t value; /* owned by the outermost */
    const struct schema_node *node;
    enum rc rc;
    struct err *e;  /* borrowed; may be NULL */
    void *object;   /* what is filled: one allocation, the caller's when finish says RC_OK */
    void *list;     /* list_n things behind the object */
    size_t list_n;
    char *text;     /* room for all texts behind those */
    size_t next;    /* the field behind the last one asked for: they are mostly asked for in the schema's order */
};

/* What is read. */
struct avro_record_shape {
    enum avro_builtin which;
    size_t object_bytes;
    const char *list; /* an array with a thing of item_bytes for each item; NULL: none */
    size_t item_bytes;
};

/* Resolves and reads the bytes whole and allocates an object (zeroed) with room for the things of the list and for every text. */
void avro_record_init(struct avro_record *r, struct record_writer *writer, const struct avro_record_shape *shape, const unsigned char *avro, size_t n,
                      struct err *e);
/* Plain functions demand the field; those with _or take the value when the field is null. Texts live in the object. */
const char *avro_record_text(struct avro_record *r, const char *name);
const char *avro_record_text_or(struct avro_record *r, const char *name, const char *initial);
int64_t avro_record_long(struct avro_record *r, const char *name);
int64_t avro_record_long_or(struct avro_record *r, const char *name, int64_t initial);
/* A long that publication_possible. */
int64_t avro_record_publication(struct avro_record *r, const char *name);
int64_t avro_record_publication_or(struct avro_record *r, const char *name, int64_t initial);
int32_t avro_record_int(struct avro_record *r, const char *name);
int32_t avro_record_int_or(struct avro_record *r, const char *name, int32_t initial);
bool avro_record_bool(struct avro_record *r, const char *name);
bool avro_record_bool_or(struct avro_record *r, const char *name, bool initial);
/* Index of the enum's symbol among names; a symbol that is not there is a fault. */
size_t avro_record_symbol(struct avro_record *r, const char *name, const char *const *names, size_t names_n);
void avro_record_warehouses(struct avro_record *r, const char *name, struct warehouse_set *out);
/* A text of at most room - 1 bytes, copied to out. */
void avro_record_copy(struct avro_record *r, const char *name, char *out, size_t room);
/* Item i of the array; hand it back with avro_record_item_end, which carries its fault upward. */
void avro_record_item(struct avro_record *r, const char *name, size_t i, struct avro_record *item);
void avro_record_item_end(struct avro_record *r, const struct avro_record *item);
/* A fault seen by the caller. */
void avro_record_reject(struct avro_record *r, const char *name, const char *words);
/* Releases; *object is the caller's to free() when RC_OK, untouched otherwise. */
enum rc avro_record_finish(struct avro_record *r, void **object);

#endif
