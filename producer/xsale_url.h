/* The addresses of xSale's API, made from the configuration: what is not documented (paging, array style, filter, paths) is a setting. Pure. */
#ifndef BRIDGE_PRODUCER_XSALE_URL_H
#define BRIDGE_PRODUCER_XSALE_URL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/config.h"
#include "producer/xsale_client.h"

/* All append the whole URL to out (buf_text tells a failure). The organization and names are percent-encoded. */
void xsale_url_me(const struct config *c, struct buf *out);
void xsale_url_statuses(const struct config *c, const char *organization, struct buf *out);
/* statuses: n of them, the new ones. index, received: as xsale_get_page. */
void xsale_url_page(const struct config *c, const char *organization, const struct xsale_status *statuses, size_t n, int64_t index,
                    int64_t received, struct buf *out);
/* From xsale.order_path: {organization} and {id} are filled in. */
void xsale_url_order(const struct config *c, const char *organization, int64_t order_id, struct buf *out);
/* body: gets the JSON body; stays empty when the status travels in the query. */
void xsale_url_change_status(const struct config *c, const char *organization, int64_t order_id, int64_t status_id, struct buf *out,
                             struct buf *body);

#endif
