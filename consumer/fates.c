#include "consumer/fates.h"

#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>

/* Statuses that say something about the URL, the credential or the load of the server are never a verdict about an order: a wrong
 * setting would send every order to manual handling. An error inside, or a gateway that does not know what became of the request (502, 504, 52x),
 * may leave a load behind; 501 and 503 say that nothing was tried. */
static const struct fate_row table[] = {
    {CAUSE_HTTP, 200, 299, FATE_LOADED, false, "loaded"},
    {CAUSE_HTTP, 300, 399, FATE_PAUSE, false, "the ERP redirects: put the final address into erp.http.url"},
    {CAUSE_HTTP, 401, 401, FATE_PAUSE, false, "credential refused: check erp.http.authorization"},
    {CAUSE_HTTP, 402, 402, FATE_PAUSE, false, "the ERP wants to be paid: check the account with its provider"},
    {CAUSE_HTTP, 403, 403, FATE_PAUSE, false, "credential refused: it may not do this (erp.http.authorization)"},
    {CAUSE_HTTP, 404, 404, FATE_PAUSE, false, "nothing at this address: check erp.http.url"},
    {CAUSE_HTTP, 405, 405, FATE_PAUSE, false, "method not allowed: check erp.http.method and erp.http.url"},
    {CAUSE_HTTP, 406, 406, FATE_PAUSE, false, "the ERP cannot answer as asked: check erp.http.header (Accept)"},
    {CAUSE_HTTP, 407, 407, FATE_PAUSE, false, "the proxy wants a credential"},
    {CAUSE_HTTP, 408, 408, FATE_PAUSE, false, "the ERP did not get the request in time"},
    {CAUSE_HTTP, 410, 410, FATE_PAUSE, false, "nothing at this address any more: check erp.http.url"},
    {CAUSE_HTTP, 411, 411, FATE_PAUSE, false, "the ERP, or what stands before it, takes no such request: check erp.http.url"},
    {CAUSE_HTTP, 414, 414, FATE_PAUSE, false, "the address is too long for the ERP: check erp.http.url"},
    {CAUSE_HTTP, 415, 415, FATE_PAUSE, false, "the ERP does not take JSON here: check erp.http.url and erp.http.header"},
    {CAUSE_HTTP, 421, 421, FATE_PAUSE, false, "wrong server: check erp.http.url"},
    {CAUSE_HTTP, 423, 423, FATE_PARK, false, "locked in the ERP"},
    {CAUSE_HTTP, 425, 425, FATE_AGAIN, false, "too early"},
    {CAUSE_HTTP, 426, 426, FATE_PAUSE, false, "the ERP wants another protocol"},
    {CAUSE_HTTP, 429, 429, FATE_PAUSE, false, "the ERP has too much to do"},
    {CAUSE_HTTP, 431, 431, FATE_PAUSE, false, "the headers are too long for the ERP: check erp.http.header and erp.http.authorization"},
    {CAUSE_HTTP, 400, 499, FATE_REJECT, false, "refused by the ERP"},
    {CAUSE_HTTP, 500, 500, FATE_PARK, true, "error inside the ERP"},
    {CAUSE_HTTP, 501, 501, FATE_PAUSE, false, "the ERP does not know this method: check erp.http.method and erp.http.url"},
    {CAUSE_HTTP, 502, 502, FATE_PAUSE, true, "no answer from the ERP behind its gateway"},
    {CAUSE_HTTP, 503, 503, FATE_PAUSE, false, "the ERP is not available"},
    {CAUSE_HTTP, 504, 504, FATE_PAUSE, true, "the ERP did not answer its gateway in time"},
    {CAUSE_HTTP, 505, 599, FATE_PAUSE, true, "the ERP is in trouble"},
    {CAUSE_HTTP, INT_MIN, INT_MAX, FATE_PAUSE, false, "not an HTTP answer: check erp.http.url"},

    {CAUSE_HTTP_NOT_SENT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_HOST, FATE_PAUSE, false, "the ERP's name cannot be resolved"},
    {CAUSE_HTTP_NOT_SENT, CURLE_PEER_FAILED_VERIFICATION, CURLE_PEER_FAILED_VERIFICATION, FATE_PAUSE, false,
     "the ERP's certificate is not trusted: check erp.http.ca_file"},
    {CAUSE_HTTP_NOT_SENT, INT_MIN, INT_MAX, FATE_PAUSE, false, "the ERP cannot be reached"},

    {CAUSE_HTTP_AMBIGUOUS, CURLE_GOT_NOTHING, CURLE_GOT_NOTHING, FATE_AGAIN, true, "the ERP closed the connection without an answer"},
    {CAUSE_HTTP_AMBIGUOUS, CURLE_ABORTED_BY_CALLBACK, CURLE_ABORTED_BY_CALLBACK, FATE_AGAIN, true,
     "the ERP closed the connection without an answer"}, /* a kept connection; not sent again by itself: http_client.h */
    {CAUSE_HTTP_AMBIGUOUS, CURLE_SEND_ERROR, CURLE_RECV_ERROR, FATE_AGAIN, true, "the connection was cut"},
    {CAUSE_HTTP_AMBIGUOUS, CURLE_PARTIAL_FILE, CURLE_PARTIAL_FILE, FATE_AGAIN, true, "the connection was cut in the answer"},
    {CAUSE_HTTP_AMBIGUOUS, CURLE_OPERATION_TIMEDOUT, CURLE_OPERATION_TIMEDOUT, FATE_PAUSE, true, "no answer in time"},
    {CAUSE_HTTP_AMBIGUOUS, INT_MIN, INT_MAX, FATE_PAUSE, true, "no usable answer"},

    {CAUSE_DIRECTORY, ENOENT, ENOENT, FATE_PAUSE, false, "no such directory: check erp.file.directory"},
    {CAUSE_DIRECTORY, ENOTDIR, ENOTDIR, FATE_PAUSE, false, "not a directory: check erp.file.directory"},
    {CAUSE_DIRECTORY, EACCES, EACCES, FATE_PAUSE, false, "not permitted: check the owner of erp.file.directory"},
    {CAUSE_DIRECTORY, EROFS, EROFS, FATE_PAUSE, false, "file system is read-only: check erp.file.directory"},
    {CAUSE_DIRECTORY, EWOULDBLOCK, EWOULDBLOCK, FATE_PAUSE, false, "another program holds the lock on erp.file.directory and does not let go"},
    {CAUSE_DIRECTORY, INT_MIN, INT_MAX, FATE_PAUSE, false, "erp.file.directory cannot be used"},

    {CAUSE_ERRNO, EINTR, EINTR, FATE_AGAIN, false, "interrupted"},
    {CAUSE_ERRNO, ENAMETOOLONG, ENAMETOOLONG, FATE_REJECT, false, "the file's name would be too long"},
    {CAUSE_ERRNO, ENOSPC, ENOSPC, FATE_PAUSE, false, "no space left"},
    {CAUSE_ERRNO, EDQUOT, EDQUOT, FATE_PAUSE, false, "quota used up"},
    {CAUSE_ERRNO, EROFS, EROFS, FATE_PAUSE, false, "file system is read-only"},
    {CAUSE_ERRNO, EACCES, EACCES, FATE_PAUSE, false, "not permitted: check the owner of erp.file.directory"},
    {CAUSE_ERRNO, EPERM, EPERM, FATE_PAUSE, false, "not permitted: check the owner of erp.file.directory"},
    {CAUSE_ERRNO, ENOENT, ENOENT, FATE_PAUSE, false, "no such directory: check erp.file.directory"},
    {CAUSE_ERRNO, EIO, EIO, FATE_PAUSE, true, "input or output error"},
    {CAUSE_ERRNO, INT_MIN, INT_MAX, FATE_PAUSE, true, "the file could not be written"},
};

const struct fate_row *fate_of(enum fate_cause cause, int code)
{
    size_t i = 0;
    while (table[i].cause != cause || code < table[i].low || code > table[i].high)
        i++; /* ends: every cause has a row for all codes */
    return &table[i];
}

const char *fate_name(enum fate f)
{
    static const char *const names[FATES] = {"loaded", "again", "park", "pause", "reject"};
    return names[f];
}
