/* The sockets that libcurl has open, so that a kept connection is looked at before the next request goes out on it. What came in while nothing was asked
 * is never an answer (RFC 9112, 9.2), but libcurl 7.88 reuses a connection that has something to read and gives what is there to whoever asks next
 * (cf-socket.c, cf_socket_is_alive; newer versions look at the socket, but not at what the TLS library has read already): an order would be imported by the word of a reply that is none
 * of its own. The same look finds a connection that the server has closed, before a request is written to it.
 * Of HTTP/1 only: on a connection of HTTP/2 something is always under way, and each frame says whose it is. A server that sends TLS session tickets after its answers gets a new connection
 * for each request: from outside they look like anything else. What the TLS library holds is known of OpenSSL.
 * libcurl tells requests by the port on our side, so two sockets of the same port (to different servers) are looked at together.
 * Rows: at most one for each descriptor that libcurl ever used. Thread rule: the loop's thread. */
#ifndef BRIDGE_NET_OPEN_SOCKETS_H
#define BRIDGE_NET_OPEN_SOCKETS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct open_socket;

struct open_sockets { /* zeroed at the beginning */
    struct open_socket *rows;
    size_t n, room;
};

/* After the multi handle, which closes its sockets, is gone. */
void open_sockets_release(struct open_sockets *s);
/* The handle's connections are noted, and forgotten when they close; s outlives them. Without memory to note one, it is not made. */
CURLcode open_sockets_note(struct open_sockets *s, CURL *easy);
/* From CURLOPT_PREREQFUNCTION: the handle's request is about to be written to the connection with this port on our side. false: that was used in HTTP/1 before, and there is something to
 * read or it has ended. */
bool open_sockets_quiet(struct open_sockets *s, CURL *easy, int local_port);
/* A whole answer came on it. */
void open_sockets_answered(struct open_sockets *s, int local_port, bool http1);

#endif
