#include "common/contract/order_listing.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/utf8.h"
#include "common/contract/avro_json.h"
#include "common/contract/order_key.h"

enum { WORDS_MOST = 250 };

static void put_text(struct buf *out, const char *p, size_t n)
{
    avro_json_text(out, (const unsigned char *)p, utf8_check(p, n));
}

bool order_listing_begin(struct order_listing *l, const char *rest, const char *program, const char *warehouse, const char *paused, struct buf *out)
{
    *l = (struct order_listing){.out = out};
    if (*rest != '\0' && !order_key_parse(rest, strlen(rest), &l->organization, &l->organization_n, &l->order_id))
        return false;
    buf_printf(out, "{\"program\":\"%s\",\"warehouse\":", program);
    put_text(out, warehouse, strlen(warehouse));
    buf_put_text(out, ",\"paused\":");
    if (paused == NULL)
        buf_put_text(out, "null");
    else
        put_text(out, paused, strnlen(paused, WORDS_MOST));
    buf_put_text(out, ",\"orders\":[");
    return true;
}

bool order_listing_wants(const struct order_listing *l, const char *organization, size_t organization_n, int64_t order_id)
{
    return l->organization == NULL || (order_id == l->order_id && organization_n == l->organization_n && memcmp(organization, l->organization, organization_n) == 0);
}

static void put_number(struct buf *out, const char *name, int64_t value)
{
    if (value >= 0)
        buf_printf(out, ",\"%s\":%" PRId64, name, value);
}

void order_listing_add(struct order_listing *l, const struct listed_order *o)
{
    struct buf *out = l->out;
    if (!order_listing_wants(l, o->organization, o->organization_n, o->order_id))
        return;
    if (l->n >= ORDER_LISTING_MAX) {
        l->more++;
        return;
    }
    buf_put_text(out, l->n++ > 0 ? ",{\"organization\":" : "{\"organization\":");
    put_text(out, o->organization, o->organization_n);
    buf_printf(out, ",\"orderId\":%" PRId64 ",\"publication\":%" PRId64, o->order_id, o->publication);
    if (o->warehouse != NULL) {
        buf_put_text(out, ",\"warehouse\":");
        put_text(out, o->warehouse, strlen(o->warehouse));
    }
    buf_printf(out, ",\"state\":\"%s\"", o->state);
    put_number(out, "since", o->since);
    put_number(out, "nextIn", o->next_in);
    put_number(out, "tries", o->tries);
    if (o->words != NULL) {
        buf_put_text(out, ",\"words\":");
        put_text(out, o->words, strnlen(o->words, WORDS_MOST));
    }
    buf_put_byte(out, '}');
}

unsigned order_listing_end(struct order_listing *l)
{
    buf_printf(l->out, "],\"more\":%" PRIu64 "}\n", l->more);
    return l->organization != NULL && l->n == 0 ? 404 : 200;
}
