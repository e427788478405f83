/* Who may read a page: the checks of an address, a Host header and a token. Pure. */
#ifndef BRIDGE_NET_WEB_GUARD_H
#define BRIDGE_NET_WEB_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum { WEB_TOKEN_MIN = 16 }; /* characters: what is shorter can be guessed */

/* An IP address that only this machine reaches: 127.0.0.0/8, ::1. */
bool web_guard_loopback(const char *address);
/* A Host header by which only a browser that means this machine asks: a loopback address or localhost, with or without a port. Another name that leads here is an
 * attack: a foreign page whose name was pointed at 127.0.0.1 (DNS rebinding). NULL: false. */
bool web_guard_host(const char *host);
/* The token of "Bearer TOKEN"; NULL: it is no such header. */
const char *web_guard_bearer(const char *authorization);
/* Takes as long as given is, whatever the token: its beginning cannot be found out by the time. false: no token is set, or nothing was given (NULL). */
bool web_guard_token(const char *given, const char *token);

/* "ADDRESS:PORT", "[ADDRESS]:PORT". false: not of that form. */
bool web_guard_listen(const char *text, char *address, size_t room, int *port);

#endif
