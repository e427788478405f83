#include "common/contract/avro_draft.h"

#include <string.h>

#include "common/base/utf8.h"

static void fail(struct avro_draft *d, enum rc rc, const char *name, const char *words)
{
    if (d->rc != RC_OK)
        return;
    d->rc = rc;
    err_set(d->e, "field %s: %s", name, words);
}

void avro_draft_init(struct avro_draft *d, enum avro_builtin which, struct err *e)
{
    avro_value_iface_t *class = avro_builtin_class(which);
    *d = (struct avro_draft){.rc = RC_OK, .e = e};
    if (class == NULL || avro_generic_value_new(class, &d->value) != 0) {
        d->rc = RC_FATAL;
        err_set(e, "out of memory");
        return;
    }
    d->node = schema_root(avro_builtin_schema(which));
}

/* The field's value, with the branch of a nullable field chosen. false: the draft has failed. */
static bool open_field(struct avro_draft *d, const char *name, bool null, avro_value_t *out, const struct schema_node **type)
{
    if (d->rc != RC_OK)
        return false;
    const struct schema_field *f = schema_field(d->node, name);
    avro_value_t whole;
    if (f == NULL || avro_value_get_by_name(&d->value, name, &whole, NULL) != 0) {
        fail(d, RC_FATAL, name, "not in the built-in schema");
        return false;
    }
    *out = whole;
    *type = f->type;
    if (f->type->kind != SCHEMA_UNION) {
        if (null)
            fail(d, RC_REJECT, name, "must not be null");
        return !null;
    }
    for (size_t i = 0; i < f->type->count; i++) {
        if ((f->type->branches[i]->kind == SCHEMA_NULL) != null)
            continue;
        *type = f->type->branches[i];
        if (avro_value_set_branch(&whole, (int)i, out) == 0)
            return true;
        break;
    }
    fail(d, RC_FATAL, name, "no branch for the value");
    return false;
}

static void put_text(struct avro_draft *d, const char *name, const char *text, avro_value_t *to)
{
    size_t n = strlen(text);
    if (utf8_check(text, n) != n)
        fail(d, RC_REJECT, name, "no valid UTF-8");
    else if (avro_value_set_string(to, text) != 0) /* counts the zero itself; the _len form would want it counted */
        fail(d, RC_FATAL, name, "cannot be set");
}

void avro_draft_text(struct avro_draft *d, const char *name, const char *text)
{
    avro_value_t to;
    const struct schema_node *type;
    if (text == NULL)
        avro_draft_null(d, name);
    else if (open_field(d, name, false, &to, &type))
        put_text(d, name, text, &to);
}

void avro_draft_long(struct avro_draft *d, const char *name, int64_t v)
{
    avro_value_t to;
    const struct schema_node *type;
    if (!open_field(d, name, false, &to, &type))
        return;
    if (type->kind == SCHEMA_INT && (v < INT32_MIN || v > INT32_MAX))
        fail(d, RC_REJECT, name, "more than 32 bits");
    else if ((type->kind == SCHEMA_INT ? avro_value_set_int(&to, (int32_t)v) : avro_value_set_long(&to, v)) != 0)
        fail(d, RC_FATAL, name, "cannot be set");
}

void avro_draft_null(struct avro_draft *d, const char *name)
{
    avro_value_t to;
    const struct schema_node *type;
    if (open_field(d, name, true, &to, &type) && avro_value_set_null(&to) != 0)
        fail(d, RC_FATAL, name, "cannot be set");
}

void avro_draft_bool(struct avro_draft *d, const char *name, bool v)
{
    avro_value_t to;
    const struct schema_node *type;
    if (open_field(d, name, false, &to, &type) && avro_value_set_boolean(&to, v) != 0)
        fail(d, RC_FATAL, name, "cannot be set");
}

void avro_draft_symbol(struct avro_draft *d, const char *name, const char *symbol)
{
    avro_value_t to;
    const struct schema_node *type;
    if (!open_field(d, name, false, &to, &type))
        return;
    for (size_t i = 0; symbol != NULL && type->kind == SCHEMA_ENUM && i < type->count; i++) {
        if (strcmp(type->symbols[i], symbol) != 0)
            continue;
        if (avro_value_set_enum(&to, (int)i) != 0)
            fail(d, RC_FATAL, name, "cannot be set");
        return;
    }
    fail(d, RC_REJECT, name, "no such symbol");
}

void avro_draft_warehouses(struct avro_draft *d, const char *name, const struct warehouse_set *set)
{
    avro_value_t to, item;
    const struct schema_node *type;
    if (!open_field(d, name, false, &to, &type))
        return;
    for (size_t i = 0; i < set->n && i < ORDER_WAREHOUSES; i++) {
        if (avro_value_append(&to, &item, NULL) != 0)
            fail(d, RC_FATAL, name, "out of memory");
        else
            put_text(d, name, set->names[i], &item);
        if (d->rc != RC_OK)
            return;
    }
}

void avro_draft_item(struct avro_draft *d, const char *name, struct avro_draft *item)
{
    avro_value_t to;
    const struct schema_node *type;
    *item = (struct avro_draft){.rc = RC_FATAL, .e = d->e};
    if (!open_field(d, name, false, &to, &type))
        return;
    if (type->kind != SCHEMA_ARRAY || avro_value_append(&to, &item->value, NULL) != 0) {
        fail(d, RC_FATAL, name, "cannot be added to");
        return;
    }
    item->node = type->branches[0];
    item->rc = RC_OK;
}

void avro_draft_item_end(struct avro_draft *d, const struct avro_draft *item)
{
    if (d->rc == RC_OK)
        d->rc = item->rc;
}

static enum rc put_bytes(struct avro_draft *d, struct buf *out)
{
    size_t n = 0;
    if (avro_value_sizeof(&d->value, &n) != 0) {
        err_set(d->e, "avro-c cannot size the record: %s", avro_strerror());
        return RC_FATAL;
    }
    if (!buf_reserve(out, n)) {
        err_set(d->e, "%zu bytes are more than the buffer takes", n);
        return RC_REJECT;
    }
    avro_writer_t writer = avro_writer_memory((char *)out->p + out->n, (int64_t)n);
    if (writer == NULL) {
        err_set(d->e, "out of memory");
        return RC_FATAL;
    }
    enum rc rc = RC_OK;
    if (avro_value_write(writer, &d->value) != 0 || avro_writer_tell(writer) != (int64_t)n) {
        err_set(d->e, "avro-c cannot write the record: %s", avro_strerror());
        rc = RC_FATAL;
    } else {
        out->n += n;
    }
    avro_writer_free(writer);
    return rc;
}

enum rc avro_draft_finish(struct avro_draft *d, struct buf *out)
{
    if (d->rc == RC_OK)
        d->rc = put_bytes(d, out);
    if (d->value.self != NULL)
        avro_value_decref(&d->value);
    return d->rc;
}
