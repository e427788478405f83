/* What an ERP's reply says in words: the document that was made, or why an order was refused. Pure. */
#ifndef BRIDGE_CONSUMER_ERP_REPLY_H
#define BRIDGE_CONSUMER_ERP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "consumer/erp_sink.h"

enum { ERP_DOCUMENT_BYTES = 256 };

/* Is it a JSON Pointer (RFC 6901)? "" is one. */
bool erp_reply_pointer_ok(const char *pointer);
/* The text or number at pointer in a JSON body; numbers as their text. false: not JSON, nothing there, empty, or longer than 255 bytes. */
bool erp_reply_document(const char *body, size_t n, const char *pointer, char out[ERP_DOCUMENT_BYTES]);
/* A header's value, n bytes. false: empty, longer than 255 bytes or not UTF-8. */
bool erp_reply_header(const char *value, size_t n, char out[ERP_DOCUMENT_BYTES]);
/* The last part of a Location's path, percent-decoded ("/api/orders/ZK%2F7?x=1" is "ZK/7"). false: there is none, or likewise. */
bool erp_reply_location(const char *value, char out[ERP_DOCUMENT_BYTES]);
/* The refusal: of JSON the text of error, message, detail, title (also inside an object `error`, also with a capital) or the document in compact
 * form; anything else as it is. At most 500 characters, control characters as single blanks, bad UTF-8 left out. "" when there is none. */
void erp_reply_reason(const char *body, size_t n, char out[ERP_REASON_BYTES]);

#endif
