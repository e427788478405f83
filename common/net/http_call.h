/* One request under way, shared by the files that make the HTTP client: http_call.c says what is sent, http_answer.c what came of it, http_client.c
 * when it goes. Of nobody else's business. */
#ifndef BRIDGE_NET_HTTP_CALL_H
#define BRIDGE_NET_HTTP_CALL_H

#include "common/base/buf.h"
#include "common/net/http_client.h"
#include "common/net/open_sockets.h"

enum call_state { CALL_QUEUED, CALL_RUNNING, CALL_ENDED };

struct call_list { /* circular, head without a call */
    struct call_list *next, *prev;
};

struct http_call {
    struct call_list link; /* first member */
    struct http_client *client;
    struct open_sockets *sockets; /* the loop's */
    enum call_state state;
    CURL *easy;
    bool common; /* the handle goes back to the client */
    struct buf own, *body; /* body: own, or the caller's */
    size_t header_bytes;
    bool headers_whole; /* libcurl takes a connection that ends in mid-headers for a whole reply without body */
    bool reach;         /* connects only */
    bool safe;          /* GET: libcurl may send it twice */
    bool sent;          /* a connection stood and the request was about to be written to it */
    bool kept_back;     /* would have been sent a second time */
    bool unquiet;       /* nothing went out: the connection that libcurl chose had something on it already */
    int local_port;     /* of the connection that carries it; 0: none yet */
    const char *too_large; /* what was, or NULL */
    int64_t began;
    http_done_fn *done;
    void *arg;
    char error[CURL_ERROR_SIZE];
    const char *sends; /* its body; behind the list, or the caller's */
    struct curl_slist headers[]; /* one allocation with their texts and the body that is not the caller's */
};

enum { HTTP_WORDS = CURL_ERROR_SIZE + 64 };

enum http_easy {
    HTTP_EASY_COMMON, /* for one request after the other */
    HTTP_EASY_LARGE,  /* for one large reply: the size of its buffer stays what it is */
    HTTP_EASY_REACH   /* for connecting only, once */
};

/* A handle with everything that no request changes; NULL: out of memory, or words of the settings that libcurl refuses. sockets: of the loop. */
CURL *http_easy_create(const struct http_settings *s, enum http_easy kind, struct open_sockets *sockets);

/* Copies the request. NULL: words in e. */
struct http_call *http_call_create(const struct http_request *r, struct err *e);
/* Frees the call only: its handle was forgotten (http_call_forget) or cleaned up. */
void http_call_destroy(struct http_call *call);
/* Tells the handle what to send for the call. share: rather a stream of a connection that is being made than one more. */
CURLcode http_call_prepare(struct http_call *call, const struct http_settings *s, const struct http_request *r, bool share);
/* For a call that is unquiet: as it was before, and to go out on a connection of its own. */
CURLcode http_call_renew(struct http_call *call);
/* The handle borrows nothing of the call any more. */
void http_call_forget(CURL *easy);

/* Installs what listens to the answer; once for a handle, then for each call. */
CURLcode http_answer_listen(CURL *easy);
CURLcode http_answer_into(struct http_call *call);
/* The end of the call as its owner is told; words has room for HTTP_WORDS. *version: of HTTP, as CURLINFO_HTTP_VERSION; 0: not known. */
void http_answer_read(struct http_call *call, CURLcode code, int64_t now, struct http_reply *reply, char *words, long *version);

#endif
