/* What is wrong with the text of a schema: found one after the other while it is built, told all at once. Only the parts of a schema use it. */
#ifndef BRIDGE_CONTRACT_SCHEMA_FAULTS_H
#define BRIDGE_CONTRACT_SCHEMA_FAULTS_H

#include <jansson.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/contract/schema.h"

enum { SCHEMA_FAULTS_MAX = 50 }; /* the rest is only counted */

struct schema_faults {
    struct arena *arena;
    struct schema_fault {
        const json_t *place; /* borrowed; NULL: the whole */
        const char *words;
    } list[SCHEMA_FAULTS_MAX];
    size_t n, more; /* more: not kept */
};

void schema_faults_init(struct schema_faults *f, struct arena *arena);
/* Always RC_REJECT. place: true, false and null, which jansson has once for all, are none. */
enum rc schema_faults_add(struct schema_faults *f, const json_t *place, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Puts words in front of every fault from the from-th on; those without a place are at this one. */
void schema_faults_prefix(struct schema_faults *f, size_t from, const json_t *place, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The line, from 1, of the text on which a value of root begins; jansson read root from this text. 0: not in there, or true, false or null. */
int schema_faults_line(const json_t *root, const char *text, const json_t *value);

#endif
