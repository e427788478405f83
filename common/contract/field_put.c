#include "common/contract/field_put.h"

#include "common/contract/avro_put.h"

enum { ABSENT, PRESENT }; /* branches of ["null", ...] */

bool field_put_text(struct buf *out, const char *record, const char *name, const char *text, struct err *e)
{
    if (text != NULL && avro_put_text(out, text) == RC_OK)
        return true;
    err_set(e, "%s: field %s: %s", record, name, text == NULL ? "must not be null" : "no valid UTF-8");
    return false;
}

bool field_put_optional_text(struct buf *out, const char *record, const char *name, const char *text, struct err *e)
{
    avro_put_long(out, text != NULL ? PRESENT : ABSENT);
    return text == NULL || field_put_text(out, record, name, text, e);
}

bool field_put_warehouses(struct buf *out, const char *record, const struct warehouse_set *set, struct err *e)
{
    if (set->n > 0)
        avro_put_long(out, (int64_t)set->n);
    for (size_t i = 0; i < set->n; i++)
        if (!field_put_text(out, record, "warehouses", set->names[i], e))
            return false;
    avro_put_long(out, 0);
    return true;
}
