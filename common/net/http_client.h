/* HTTP requests on the loop's curl multi handle (connections are kept and reused). No redirect is ever followed (credentials), no
 * Expect: 100-continue, only https unless allowed, bodies capped, gzip accepted, CURLOPT_NOSIGNAL.
 * The usual variables https_proxy, http_proxy and no_proxy are obeyed, as libcurl does. Resolving happens in libcurl's own threads.
 * Source: libcurl 7.88, https://curl.se/libcurl/c/. Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_HTTP_CLIENT_H
#define BRIDGE_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/loop.h"

struct buf;
struct http_client;
struct http_call;

struct http_settings {        /* texts borrowed while the client lives; "" or NULL = none */
    const char *user_agent;
    const char *ca_file;
    const char *client_certificate, *client_key;
    bool insecure;            /* http:// allowed too */
    int64_t connect_timeout_ms; /* > 0 */
    int64_t timeout_ms;       /* whole request, > 0 */
    size_t max_body;          /* bytes of a reply after decompression */
    long keep_connections;    /* stay open for the next request at the least, if so many were needed at once. 0: the loop's own number */
    long max_connections;     /* requests of this client at once; further ones wait in order, their time-out not yet running. 0: no limit */
};

struct http_request {         /* all borrowed during http_submit only: everything is copied, the body too unless body_stays */
    const char *method;       /* GET, POST, PUT, DELETE, PATCH */
    const char *url;
    const char *const *headers; /* headers_n of "Name: value" */
    size_t headers_n;
    const void *body;         /* body_n bytes; NULL: none */
    size_t body_n;
    bool body_stays;          /* it is there and does not change until done or http_cancel: not copied */
    const char *username, *password; /* basic authentication; NULL: none */
    struct buf *into;         /* the reply's body goes there, its max instead of max_body; borrowed until done or http_cancel, emptied now. NULL: a buffer of the call's own */
};

enum http_end {
    HTTP_REPLIED,   /* a whole reply: status, headers, body */
    HTTP_NOT_SENT,  /* not one byte of the request was written: resolve, connect, TLS, or a time-out before a connection stood */
    HTTP_AMBIGUOUS, /* sent in part or whole, no whole reply: time-out, cut, too large, protocol error */
};

struct http_reply {           /* valid during the callback only */
    enum http_end end;
    int status;               /* 0 unless a status line was read */
    const char *body;         /* body_n bytes, zero-terminated behind them; "" when none */
    size_t body_n;
    int64_t retry_after_ms;   /* Retry-After as seconds or HTTP date, at most a day; -1: none */
    const char *location;     /* as sent; "" when none */
    const char *content_type; /* "" when none */
    int curl_code;            /* CURLcode; 0 when HTTP_REPLIED */
    const char *words;        /* one line for a log: "HTTP 503", "connection refused", ... never the body */
    int64_t took_ms;
    struct http_call *call;   /* for http_reply_header */
};

typedef void http_done_fn(void *arg, const struct http_reply *reply);

/* NULL: words in e (a file of the settings cannot be read, memory). Several clients share one loop. A kept connection on which something
 * came that nobody asked for, or that has ended, is closed and the request goes out on one of its own, its time-out from the beginning. A kept connection that the server closes
 * just then makes libcurl send a GET once more by itself; any other request goes out once and ends as HTTP_AMBIGUOUS with
 * CURLE_ABORTED_BY_CALLBACK. */
struct http_client *http_client_create(struct loop *l, const struct http_settings *s, struct err *e);
/* Cancels what is under way without calling done; allowed from inside a done. Before loop_destroy. */
void http_client_destroy(struct http_client *c);
/* Time-outs of the requests that are submitted from now on; both > 0, as in the settings. */
void http_client_times(struct http_client *c, int64_t connect_timeout_ms, int64_t timeout_ms);
/* Starts; done is called exactly once, never from inside submit. NULL: refused (scheme not allowed, bad URL, a user name in it, a method or
 * header that could break its line, memory): words in e, never the URL. The call is gone once done was called. */
struct http_call *http_submit(struct http_client *c, const struct http_request *r, http_done_fn *done, void *arg, struct err *e);
/* Connects (resolving, TCP, TLS; to the proxy where one is set) and closes: not one byte of a request is sent. Ends as HTTP_REPLIED with status 0 when the
 * connection stood, else as HTTP_NOT_SENT. The rest as http_submit. */
struct http_call *http_reach(struct http_client *c, const char *url, http_done_fn *done, void *arg, struct err *e);
/* The value of a header of the reply, without blanks around it, valid as long as the reply; NULL: none of that name. */
const char *http_reply_header(const struct http_reply *r, const char *name);
/* done will not be called; the call is gone. NULL is a no-op. */
void http_cancel(struct http_call *call);
/* Requests under way or waiting for a connection. */
size_t http_pending(const struct http_client *c);

/* What a caller gives must not be able to end its line: n bytes without control characters. For checks before there is a client. */
bool http_line_ok(const char *text, size_t n);
/* Such a line of "Name: value". */
bool http_header_ok(const char *line, size_t n);

/* Appends text percent-encoded (RFC 3986 unreserved kept). */
void http_escape(struct buf *out, const char *text, size_t n);

#endif
