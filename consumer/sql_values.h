/* The values of a statement's named parameters for one load. Our own come first: organization, order_id, warehouse, revision, publication, withdrawn (1 or 0),
 * order_json (order for short): the whole document. Every other name is a top-level field of the document: text as it is, numbers as
 * their exact text, true and false as 1 and 0, lists and records as JSON, null and what is not there as NULL.
 * They own their bytes: a thread may use them after the load is gone. Thread rule: one owner. */
#ifndef BRIDGE_CONSUMER_SQL_VALUES_H
#define BRIDGE_CONSUMER_SQL_VALUES_H

#include "common/base/buf.h"
#include "consumer/erp_load.h"
#include "consumer/sql_statement.h"

enum sql_value_kind { SQL_VALUE_NULL, SQL_VALUE_TEXT, SQL_VALUE_BIGINT, SQL_VALUE_INTEGER };

struct sql_value {
    enum sql_value_kind kind;
    const char *text; /* SQL_VALUE_TEXT: text_n bytes of UTF-8, inside bytes */
    size_t text_n;
    int64_t number;   /* the others */
};

struct sql_values {
    struct sql_value *v; /* n of them, owned */
    size_t n;
    struct buf bytes;
};

/* Is it one of our own? */
bool sql_values_own(const char *name);
/* RC_OK: filled, release it. RC_REJECT: the document is no JSON object, or a field holds what no database takes. RC_FATAL: memory. */
enum rc sql_values_fill(struct sql_values *values, const struct sql_statement *s, const struct erp_load *l, struct err *e);
void sql_values_release(struct sql_values *values);

#endif
