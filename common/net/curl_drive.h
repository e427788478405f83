/* libcurl's multi handle, driven by an epoll descriptor that others use too: libcurl tells which sockets and which moment it waits for, so a turn costs
 * what has happened in it and not what is under way. Source: https://curl.se/libcurl/c/curl_multi_socket_action.html. Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_CURL_DRIVE_H
#define BRIDGE_NET_CURL_DRIVE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "common/net/open_sockets.h"

struct curl_drive { /* zeroed before curl_drive_init */
    CURLM *multi;
    struct open_sockets sockets; /* of all handles that were noted there */
    int epoll_fd; /* borrowed */
    int64_t due;  /* real monotonic ms at which libcurl wants to be called; INT64_MAX: never */
    bool deaf;    /* a socket could not be watched: everything is looked at once in a while */
};

/* false: out of memory. */
bool curl_drive_init(struct curl_drive *d, int epoll_fd);
/* Before the descriptor is closed. */
void curl_drive_release(struct curl_drive *d);
/* An event of the descriptor that is one of libcurl's sockets: dealt with. false: it is somebody else's, whose data is an aligned pointer. */
bool curl_drive_event(struct curl_drive *d, const struct epoll_event *event);
/* Calls libcurl if its moment has come. */
void curl_drive_time(struct curl_drive *d, int64_t real_now);
/* Once in a while. */
void curl_drive_glance(struct curl_drive *d);

#endif
