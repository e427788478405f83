/* The expiry of a JSON Web Token, read from its payload without checking its signature (the bridge is not the token's audience).
 * Source: RFC 7519 section 4.1.4, RFC 7515 (base64url without padding). Pure. */
#ifndef BRIDGE_PRODUCER_JWT_H
#define BRIDGE_PRODUCER_JWT_H

#include <stdbool.h>
#include <stdint.h>

/* *expires_s: "exp", seconds since 1970. false: no such token, or none in it. */
bool jwt_expiry(const char *token, int64_t *expires_s);

#endif
