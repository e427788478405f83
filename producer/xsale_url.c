#include "producer/xsale_url.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/http_client.h"

static void put_base(const struct config *c, struct buf *out)
{
    const char *base = config_text(c, "xsale.api_url");
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    buf_put(out, base, n);
}

static void put_escaped(struct buf *out, const char *text)
{
    http_escape(out, text, strlen(text));
}

static void put_organization(const struct config *c, const char *organization, struct buf *out)
{
    put_base(c, out);
    buf_put_byte(out, '/');
    put_escaped(out, organization);
}

void xsale_url_me(const struct config *c, struct buf *out)
{
    put_base(c, out);
    buf_put_text(out, "/me");
}

void xsale_url_statuses(const struct config *c, const char *organization, struct buf *out)
{
    put_organization(c, organization, out);
    buf_put_text(out, "/statuses");
}

/* statusidin=1&statusidin=2 | statusidin=1,2 | statusidin[]=1&statusidin[]=2 | statusidin[0]=1&statusidin[1]=2 */
static void put_filter(const struct config *c, const struct xsale_status *statuses, size_t n, struct buf *out)
{
    bool by_name = strcmp(config_text(c, "xsale.filter_by"), "name") == 0;
    const char *style = config_text(c, "xsale.array_style");
    bool comma = strcmp(style, "comma") == 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && comma) {
            buf_put_byte(out, ',');
        } else {
            buf_put_byte(out, i > 0 ? '&' : '?');
            buf_put_text(out, by_name ? "statusnamein" : "statusidin");
            if (strcmp(style, "brackets") == 0)
                buf_put_text(out, "%5B%5D");
            else if (strcmp(style, "indexed") == 0)
                buf_printf(out, "%%5B%zu%%5D", i);
            buf_put_byte(out, '=');
        }
        if (by_name)
            put_escaped(out, statuses[i].name);
        else
            buf_printf(out, "%" PRId64, statuses[i].id);
    }
}

void xsale_url_page(const struct config *c, const char *organization, const struct xsale_status *statuses, size_t n, int64_t index,
                    int64_t received, struct buf *out)
{
    put_organization(c, organization, out);
    buf_put_text(out, "/orders");
    put_filter(c, statuses, n, out);
    bool offset = strcmp(config_text(c, "xsale.paging"), "offset") == 0;
    buf_put_byte(out, n > 0 ? '&' : '?');
    put_escaped(out, config_text(c, "xsale.page_parameter"));
    buf_printf(out, "=%" PRId64, offset ? received : config_int(c, "xsale.page_first") + index);
    if (*config_text(c, "xsale.page_size_parameter") != '\0') {
        buf_put_byte(out, '&');
        put_escaped(out, config_text(c, "xsale.page_size_parameter"));
        buf_printf(out, "=%" PRId64, config_int(c, "xsale.page_size"));
    }
    const char *query = config_text(c, "xsale.query");
    query += strspn(query, "?&");
    if (*query != '\0') {
        buf_put_byte(out, '&');
        buf_put_text(out, query);
    }
}

void xsale_url_order(const struct config *c, const char *organization, int64_t order_id, struct buf *out)
{
    static const char organization_mark[] = "{organization}", id_mark[] = "{id}";
    const char *path = config_text(c, "xsale.order_path");
    put_base(c, out);
    if (*path != '/')
        buf_put_byte(out, '/');
    while (*path != '\0') {
        if (strncmp(path, organization_mark, strlen(organization_mark)) == 0) {
            put_escaped(out, organization);
            path += strlen(organization_mark);
        } else if (strncmp(path, id_mark, strlen(id_mark)) == 0) {
            buf_printf(out, "%" PRId64, order_id);
            path += strlen(id_mark);
        } else {
            buf_put_byte(out, (unsigned char)*path++);
        }
    }
}

static void put_status_body(const char *field, int64_t status_id, struct buf *body)
{
    json_t *root = json_object();
    char *text = NULL;
    if (root != NULL && json_object_set_new(root, field, json_integer(status_id)) == 0)
        text = json_dumps(root, JSON_COMPACT);
    if (text != NULL)
        buf_put_text(body, text);
    else
        body->failed = true;
    free(text);
    json_decref(root);
}

void xsale_url_change_status(const struct config *c, const char *organization, int64_t order_id, int64_t status_id, struct buf *out,
                             struct buf *body)
{
    const char *field = config_text(c, "xsale.change_status_field");
    put_organization(c, organization, out);
    buf_printf(out, "/orders/%" PRId64 "/change-status", order_id);
    if (strcmp(config_text(c, "xsale.change_status"), "query") != 0) {
        put_status_body(field, status_id, body);
        return;
    }
    buf_put_byte(out, '?');
    put_escaped(out, field);
    buf_printf(out, "=%" PRId64, status_id);
}
