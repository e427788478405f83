/* A URL with {organization} {order_id} {warehouse} {revision} {publication} to be filled in, percent-encoded. Pure. */
#ifndef BRIDGE_CONSUMER_URL_TEMPLATE_H
#define BRIDGE_CONSUMER_URL_TEMPLATE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "consumer/erp_load.h"

/* RC_REJECT: a field that does not exist, or a brace without its partner; words say which. */
enum rc url_template_check(const char *template, struct err *e);
/* Bytes of the longest URL that can come of it. */
size_t url_template_longest(const char *template);
/* Appends the URL of this load; the template has been checked. */
void url_template_fill(const char *template, const struct erp_load *l, struct buf *out);

#endif
