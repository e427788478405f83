/* The sink for an ERP with an HTTP API: one request an order, asynchronous on the loop's curl multi handle. [erp.http] says which.
 *
 * Sent with each load: Idempotency-Key (the load's key), X-Xsale-Organization, X-Xsale-Order, X-Xsale-Warehouse, X-Xsale-Revision,
 * X-Xsale-Publication, traceparent when there is one, Content-Type: application/json, Authorization and further headers as configured.
 * Values that may hold any character are percent-encoded as in the URL. What the answers mean: fates.c.
 * With lookup_url, every load is preceded by GET lookup_url, as a load may have been tried by a life of the program that was killed: 404 = it is
 * not there, 200 = it is there (with a document where document_pointer looks, unless that is empty); anything else pauses.
 * A URL that names the order alone finds the former publication too: an edit counts as loaded. {revision} or {publication} tells them apart.
 * Whether the ERP is there before the first order: a connection to the host of url (to the proxy where one is set), and not one byte of a request. */
#ifndef BRIDGE_CONSUMER_SINK_HTTP_H
#define BRIDGE_CONSUMER_SINK_HTTP_H

#include "consumer/erp_sink.h"

extern const struct erp_sink_ops sink_http_ops;

#endif
