#include "common/net/web_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool web_guard_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return (ntohl(four.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool port_ok(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 5 && text[n] == '\0';
}

/* The host of "host", "host:port", "[host]" or "[host]:port". */
static bool split_host(const char *text, char *host, size_t room, const char **port)
{
    bool bracket = *text == '[';
    const char *begin = text + bracket;
    size_t n = strcspn(begin, bracket ? "]" : ":");
    const char *rest = begin + n;
    if (n == 0 || n >= room || (bracket && *rest++ != ']'))
        return false;
    memcpy(host, begin, n);
    host[n] = '\0';
    *port = *rest == ':' ? rest + 1 : NULL;
    return *rest == '\0' || (*rest == ':' && port_ok(rest + 1));
}

bool web_guard_host(const char *host)
{
    char name[64];
    const char *port;
    if (host == NULL || !split_host(host, name, sizeof name, &port))
        return false;
    return strcasecmp(name, "localhost") == 0 || web_guard_loopback(name);
}

const char *web_guard_bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    authorization += sizeof scheme - 1;
    return authorization + strspn(authorization, " ");
}

bool web_guard_token(const char *given, const char *token)
{
    size_t n = given != NULL ? strlen(given) : 0, m = strlen(token);
    volatile unsigned char differs = 0;
    if (n == 0 || m == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        differs |= (unsigned char)given[i] ^ (unsigned char)token[i % m];
    return differs == 0 && n == m;
}

bool web_guard_listen(const char *text, char *address, size_t room, int *port)
{
    const char *digits;
    if (!split_host(text, address, room, &digits) || digits == NULL)
        return false;
    *port = atoi(digits); /* at most five digits */
    return *port <= 65535;
}
