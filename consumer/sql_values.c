#include "consumer/sql_values.h"

#include <stdlib.h>
#include <string.h>

#include "common/contract/json_tape.h"

enum { BYTES_MAX = 512 * 1024 * 1024 };

enum own { ORGANIZATION, ORDER_ID, WAREHOUSE, REVISION, PUBLICATION, WITHDRAWN, ORDER_JSON, ORDER, OWN };

static const char *const names[OWN] = {"organization", "order_id", "warehouse", "revision", "publication", "withdrawn", "order_json", "order"};

static enum own own_of(const char *name)
{
    size_t i = 0;
    while (i < OWN && strcmp(names[i], name) != 0)
        i++;
    return (enum own)i;
}

bool sql_values_own(const char *name)
{
    return own_of(name) != OWN;
}

/* The text's place in bytes goes into number until all are there and nothing moves any more. */
static void put_text(struct sql_values *values, struct sql_value *v, const char *text, size_t n)
{
    *v = (struct sql_value){.kind = SQL_VALUE_TEXT, .number = (int64_t)values->bytes.n, .text_n = n};
    buf_put(&values->bytes, text, n);
}

static void put_own(struct sql_values *values, struct sql_value *v, enum own which, const struct erp_load *l)
{
    switch (which) {
    case ORGANIZATION:
        put_text(values, v, l->organization, strlen(l->organization));
        break;
    case WAREHOUSE:
        put_text(values, v, l->warehouse, strlen(l->warehouse));
        break;
    case REVISION:
        put_text(values, v, l->revision, strlen(l->revision));
        break;
    case ORDER_ID:
        *v = (struct sql_value){.kind = SQL_VALUE_BIGINT, .number = l->order_id};
        break;
    case PUBLICATION:
        *v = (struct sql_value){.kind = SQL_VALUE_BIGINT, .number = l->publication};
        break;
    case WITHDRAWN:
        *v = (struct sql_value){.kind = SQL_VALUE_INTEGER, .number = l->withdrawn};
        break;
    case ORDER_JSON:
    case ORDER:
        put_text(values, v, l->document, l->document_n);
        break;
    case OWN:
        break;
    }
}

static enum rc put_field(struct sql_values *values, struct sql_value *v, const struct json_tape *t, const char *name, struct err *e)
{
    uint32_t at = json_tape_member(t, 0, name, strlen(name), NULL);
    const struct json_node *node = &t->nodes[at];
    *v = (struct sql_value){.kind = SQL_VALUE_NULL};
    if (at == 0 || node->type == JSON_TAPE_NULL)
        return RC_OK;
    if (node->type == JSON_TAPE_TRUE || node->type == JSON_TAPE_FALSE) {
        put_text(values, v, node->type == JSON_TAPE_TRUE ? "1" : "0", 1);
    } else if (node->type == JSON_TAPE_STRING) {
        put_text(values, v, NULL, 0);
        if (json_tape_string(t, at, &values->bytes, e) != RC_OK) {
            err_prefix(e, ":%s", name);
            return RC_REJECT;
        }
        v->text_n = values->bytes.n - (size_t)v->number;
    } else {
        put_text(values, v, t->text + node->start, node->end - node->start);
    }
    return RC_OK;
}

static bool needs_fields(const struct sql_statement *s)
{
    for (size_t i = 0; i < sql_statement_count(s); i++)
        if (!sql_values_own(sql_statement_parameter(s, i)))
            return true;
    return false;
}

static enum rc fill(struct sql_values *values, const struct sql_statement *s, const struct erp_load *l, const struct json_tape *t, struct err *e)
{
    for (size_t i = 0; i < values->n; i++) {
        const char *name = sql_statement_parameter(s, i);
        enum own which = own_of(name);
        if (which != OWN)
            put_own(values, &values->v[i], which, l);
        else if (put_field(values, &values->v[i], t, name, e) != RC_OK)
            return RC_REJECT;
    }
    if (buf_text(&values->bytes) == NULL) {
        err_set(e, "out of memory");
        return RC_FATAL;
    }
    for (size_t i = 0; i < values->n; i++)
        if (values->v[i].kind == SQL_VALUE_TEXT)
            values->v[i].text = (const char *)values->bytes.p + values->v[i].number;
    return RC_OK;
}

enum rc sql_values_fill(struct sql_values *values, const struct sql_statement *s, const struct erp_load *l, struct err *e)
{
    enum rc rc = RC_FATAL;
    struct json_tape t;
    json_tape_init(&t);
    *values = (struct sql_values){.n = sql_statement_count(s)};
    buf_init(&values->bytes, BYTES_MAX);
    if ((values->v = calloc(values->n + 1, sizeof *values->v)) == NULL) {
        err_set(e, "out of memory");
        goto out;
    }
    if (needs_fields(s)) {
        if ((rc = json_tape_parse(&t, l->document, l->document_n, e)) != RC_OK)
            goto out;
        if (t.nodes[0].type != JSON_TAPE_OBJECT) {
            err_set(e, "the document is no JSON object");
            rc = RC_REJECT;
            goto out;
        }
    }
    rc = fill(values, s, l, &t, e);
out:
    json_tape_release(&t);
    if (rc != RC_OK)
        sql_values_release(values);
    return rc;
}

void sql_values_release(struct sql_values *values)
{
    free(values->v);
    buf_release(&values->bytes);
    *values = (struct sql_values){.n = 0};
}
