#include "consumer/record_field.h"

#include <string.h>

#include "common/contract/avro_peek.h"
#include "common/contract/avro_walk.h"

/* The cursor at the field's value, past the union; NULL: there is none. */
static const struct schema_node *find(const struct scan_record *r, const char *name, struct avro_cursor *c)
{
    const struct schema_node *root = r->writer != NULL ? schema_root(r->writer) : NULL;
    *c = (struct avro_cursor){r->avro, r->avro + r->avro_n};
    for (size_t i = 0; root != NULL && root->kind == SCHEMA_RECORD && i < root->count; i++) {
        const struct schema_node *type = root->fields[i].type;
        if (strcmp(root->fields[i].name, name) == 0)
            return avro_peek_enter(&type, c) ? type : NULL;
        if (!avro_walk_skip(type, c))
            return NULL;
    }
    return NULL;
}

bool record_field_text(const struct scan_record *r, const char *name, const char **p, size_t *n)
{
    struct avro_cursor c;
    int64_t symbol;
    const unsigned char *bytes;
    const struct schema_node *type = find(r, name, &c);
    if (type != NULL && type->kind == SCHEMA_STRING && avro_read_bytes(&c, &bytes, n)) {
        *p = (const char *)bytes;
        return true;
    }
    if (type == NULL || type->kind != SCHEMA_ENUM || !avro_read_long(&c, &symbol) || symbol < 0 || (uint64_t)symbol >= type->count)
        return false;
    *p = type->symbols[symbol];
    *n = strlen(*p);
    return true;
}

bool record_field_equals(const struct scan_record *r, const char *name, const char *text)
{
    const char *p;
    size_t n;
    return record_field_text(r, name, &p, &n) && n == strlen(text) && memcmp(p, text, n) == 0;
}

int64_t record_field_long(const struct scan_record *r, const char *name, int64_t none)
{
    struct avro_cursor c;
    int64_t value;
    const struct schema_node *type = find(r, name, &c);
    bool number = type != NULL && (type->kind == SCHEMA_INT || type->kind == SCHEMA_LONG);
    return number && avro_read_long(&c, &value) ? value : none;
}

bool record_field_true(const struct scan_record *r, const char *name)
{
    struct avro_cursor c;
    const struct schema_node *type = find(r, name, &c);
    return type != NULL && type->kind == SCHEMA_BOOLEAN && c.p < c.end && *c.p == 1;
}
