#include "consumer/url_template.h"

#include <inttypes.h>
#include <string.h>

#include "common/net/http_client.h"
#include "consumer/order_record.h"

enum { ESCAPED = 3, NUMBER_BYTES = 20 }; /* bytes of an escaped byte; of a 64-bit number */

enum field { ORGANIZATION, ORDER_ID, WAREHOUSE, REVISION, PUBLICATION, FIELDS };

static const char *const names[FIELDS] = {"{organization}", "{order_id}", "{warehouse}", "{revision}", "{publication}"};

static enum field field_at(const char *p)
{
    size_t i = 0;
    while (i < FIELDS && strncmp(p, names[i], strlen(names[i])) != 0)
        i++;
    return (enum field)i;
}

enum rc url_template_check(const char *template, struct err *e)
{
    for (const char *p = template; *p != '\0'; p++) {
        if (*p != '{' && *p != '}')
            continue;
        enum field f = field_at(p);
        if (f == FIELDS) {
            err_set(e, "only {organization}, {order_id}, {warehouse}, {revision} and {publication} can be filled in");
            return RC_REJECT;
        }
        p += strlen(names[f]) - 1;
    }
    return RC_OK;
}

size_t url_template_longest(const char *template)
{
    static const size_t most[FIELDS] = {ORDER_KEY_BYTES * ESCAPED, NUMBER_BYTES, ORDER_WAREHOUSE_BYTES * ESCAPED, ORDER_REVISION_BYTES * ESCAPED,
                                        NUMBER_BYTES};
    size_t n = 0;
    for (const char *p = template; *p != '\0'; p++) {
        enum field f = *p == '{' ? field_at(p) : FIELDS;
        n += f == FIELDS ? 1 : most[f];
        p += f == FIELDS ? 0 : strlen(names[f]) - 1;
    }
    return n;
}

static void put(enum field f, const struct erp_load *l, struct buf *out)
{
    switch (f) {
    case ORGANIZATION:
        http_escape(out, l->organization, strlen(l->organization));
        break;
    case ORDER_ID:
        buf_printf(out, "%" PRId64, l->order_id);
        break;
    case WAREHOUSE:
        http_escape(out, l->warehouse, strlen(l->warehouse));
        break;
    case REVISION:
        http_escape(out, l->revision, strlen(l->revision));
        break;
    case PUBLICATION:
        buf_printf(out, "%" PRId64, l->publication);
        break;
    case FIELDS:
        break;
    }
}

void url_template_fill(const char *template, const struct erp_load *l, struct buf *out)
{
    for (const char *p = template; *p != '\0'; p++) {
        enum field f = *p == '{' ? field_at(p) : FIELDS;
        if (f == FIELDS) {
            buf_put_byte(out, (unsigned char)*p);
        } else {
            put(f, l, out);
            p += strlen(names[f]) - 1;
        }
    }
}
