/* Text on its way into an HTML page: whatever it holds, it stays text. What is no UTF-8, and control characters, become U+FFFD. Pure but for the buffer. */
#ifndef BRIDGE_CONSUMER_HTML_H
#define BRIDGE_CONSUMER_HTML_H

#include <stddef.h>

#include "common/base/buf.h"

/* Between tags and inside a quoted attribute: & < > " ' are written as references. */
void html_put(struct buf *out, const char *text, size_t n);
void html_text(struct buf *out, const char *text);
/* A part of a URL's path or query, inside a quoted attribute: percent-encoded, only RFC 3986's unreserved characters kept. */
void html_url(struct buf *out, const char *text);

#endif
